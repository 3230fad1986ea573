package proactortest

// Cases about Close: of a stream, and of the proactor with everything on it.

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

var closeCases = []testCase{
	{name: "Closed comes once, from a later Poll", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		rec.close()
		rec.close()
		require.False(r.t, rec.closed)
		r.until("closed", rec.isClosed)
		rec.close()
		r.settle()
		requireEnd(r.t, peer)
	}},
	{name: "the descriptor is closed at once", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		r.settle()
		fd := rec.s.FD()
		rec.close()
		requireOpen(r.t, fd, false)
		requireEnd(r.t, peer) // without a Poll
		require.Equal(r.t, -1, rec.s.FD())
		r.until("closed", rec.isClosed)
	}},
	{name: "a closed stream does nothing", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		local, remote := rec.s.LocalAddr().String(), rec.s.RemoteAddr().String()
		_, err := peer.Write([]byte("unheard"))
		require.NoError(r.t, err)
		rec.close()
		for range 2 {
			rec.write([]byte("x"))
			rec.writeV([]byte("x"), make([]byte, largeBytes))
			rec.s.Flush()
			rec.s.CloseWrite()
			rec.readStop()
			rec.readStart()
			require.Zero(r.t, rec.s.Buffered())
			require.Equal(r.t, local, rec.s.LocalAddr().String())
			require.Equal(r.t, remote, rec.s.RemoteAddr().String())
			r.until("closed", rec.isClosed)
			r.settle()
		}
	}},
	{name: "buffered bytes are dropped", eachLink: func(r *rig, l link) {
		for _, total := range []int{10, 8 << 20} {
			rec, peer := r.pair(l, true)
			shrinkBuffers(r.t, rec, peer)
			rec.write(make([]byte, total))
			if total > largeBytes {
				r.settle()
			}
			require.Positive(r.t, rec.s.Buffered())
			rec.close()
			require.Zero(r.t, rec.s.Buffered())
			r.until("closed", rec.isClosed)
			n, err := io.Copy(io.Discard, peer)
			require.True(r.t, err == nil || errors.Is(err, syscall.ECONNRESET), err)
			require.Less(r.t, int(n), total)
		}
	}},
	{name: "in Data, with more to come", eachLink: func(r *rig, l link) {
		for range 50 {
			rec, peer := r.pair(l, true)
			rec.onData = func([]byte) { rec.close() }
			r.spawn(func() { sendPattern(peer, 1<<20, 100000); _ = peer.Close() })
			r.until("closed", rec.isClosed)
		}
	}},
	{name: "in EOF", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		rec.onEOF = rec.close
		require.NoError(r.t, peer.CloseWrite())
		r.until("closed", rec.isClosed)
		requireEnd(r.t, peer)
	}},
	{name: "in Drained", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		shrinkBuffers(r.t, rec, peer)
		rec.write(make([]byte, 8<<20))
		rec.onDrained = rec.close
		r.spawn(func() { _, _ = io.Copy(io.Discard, peer) })
		r.until("closed", rec.isClosed)
		require.Equal(r.t, 1, rec.drained)
	}},
	{name: "before the failure is told", eachLink: func(r *rig, l link) {
		for range 20 {
			rec, peer := r.pair(l, false)
			require.NoError(r.t, peer.Close())
			for range 3 {
				rec.write(patternAt(0, largeBytes))
			}
			rec.close()
			r.until("closed", rec.isClosed)
			require.NoError(r.t, rec.err)
		}
	}},
	{name: "one stream closes another", eachLink: func(r *rig, l link) {
		for range 50 {
			a, peerA := r.pair(l, true)
			b, peerB := r.pair(l, true)
			both := func([]byte) { a.close(); b.close() } // the recorder sees that the other hears no Data
			a.onData, b.onData = both, both
			r.do("two bytes", func() { _, _ = peerA.Write([]byte{1}); _, _ = peerB.Write([]byte{2}) })
			r.until("closed", func() bool { return a.closed && b.closed })
		}
	}},
	{name: "with kept bytes", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		r.settle()
		rec.readStop()
		_, err := peer.Write([]byte("unheard"))
		require.NoError(r.t, err)
		r.settle()
		rec.readStart()
		rec.close()
		r.until("closed", rec.isClosed)
		require.Empty(r.t, rec.got)
	}},
	{name: "with bytes that came in the turn that stopped it", eachLink: func(r *rig, l link) {
		for i := range 20 {
			a, peerA := r.pair(l, true)
			b, peerB := r.pair(l, true)
			stop := func([]byte) { a.readStop(); b.readStop() }
			a.onData, b.onData = stop, stop
			r.do("two bytes", func() { _, _ = peerA.Write([]byte{1}); _, _ = peerB.Write([]byte{2}) })
			r.until("data", func() bool { return !a.reading })
			r.settle()
			if i%2 == 0 {
				a.close()
				b.close()
				r.until("closed", func() bool { return a.closed && b.closed })
			} // else they are left to the proactor
		}
	}},
	{name: "proactor with nothing on it", run: func(r *rig) {}},
	{name: "proactor with Closed to come", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		rec.close()
		r.close()
		require.False(r.t, rec.closed)
		requireEnd(r.t, peer)
	}},
	{name: "proactor in Data", eachLink: func(r *rig, l link) {
		// The recorder sees that only one of the two hears of its bytes.
		a, peerA := r.pair(l, true)
		b, peerB := r.pair(l, true)
		ln := r.listen(r.freeAddr(l.network), listenOptions)
		r.do("dial", func() { r.dial(ln.Addr()) })
		r.start(ln, func(s proactor.Stream) { r.record(s) })
		a.onData = func([]byte) { a.write([]byte("unheard")); r.closeInside() }
		b.onData = a.onData
		r.spawn(func() { _, _ = peerA.Write([]byte{1}); _, _ = peerB.Write([]byte{2}) })
		for !r.closed {
			r.poll(time.Until(r.deadline))
		}
		require.ErrorIs(r.t, r.p.Poll(0), net.ErrClosed)
		require.NoError(r.t, r.p.Close())
		requireEnd(r.t, peerA)
		requireEnd(r.t, peerB)
	}},
	{name: "proactor in Accepted", eachLink: func(r *rig, l link) {
		ln := r.listen(r.freeAddr(l.network), listenOptions)
		r.do("dial", func() { r.dial(ln.Addr()); r.dial(ln.Addr()) })
		r.start(ln, func(s proactor.Stream) { r.record(s); r.closeInside() })
		for !r.closed {
			r.poll(time.Until(r.deadline))
		}
		require.ErrorIs(r.t, r.p.Poll(0), net.ErrClosed)
	}},
	{name: "proactor in done", eachLink: func(r *rig, l link) {
		theirs := r.peerListener(l.network)
		r.p.Connect(theirs.Addr(), proactor.ConnectOptions{}, func(s proactor.Stream, err error) {
			defer r.handler("done")()
			require.NoError(r.t, err)
			r.closeInside()
		})
		for !r.closed {
			r.poll(time.Until(r.deadline))
		}
		require.ErrorIs(r.t, r.p.Poll(0), net.ErrClosed)
	}},
	{name: "proactor in a handler that panics", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		rec.onData = func([]byte) { r.closeInside(); panic("in Data") }
		r.spawn(func() { _, _ = peer.Write([]byte{1}) })
		require.PanicsWithValue(r.t, "in Data", func() { r.until("the panic", func() bool { return false }) })
		require.ErrorIs(r.t, r.p.Poll(proactor.Forever), net.ErrClosed)
		requireEnd(r.t, peer)
	}},
	{name: "proactor in the middle of everything", eachLink: func(r *rig, l link) {
		var peers []net.Conn
		heard := 0
		for i := range 24 {
			rec, peer := r.pair(l, i%4 != 3)
			peers = append(peers, peer)
			rec.onData = func(b []byte) { heard += len(b); rec.write(b) }
			switch i % 4 {
			case 0: // an echo at full speed
				r.spawn(func() { _, _ = io.Copy(io.Discard, peer) })
				r.spawn(func() { sendUntilClosed(peer) })
			case 1: // stopped, with bytes to read
				r.spawn(func() { sendUntilClosed(peer) })
				rec.readStop()
			case 2: // bytes left behind
				rec.write(make([]byte, 8<<20))
			case 3: // written, not flushed
				rec.write([]byte("x"))
			}
		}
		idle := r.listen(r.freeAddr(l.network), listenOptions)
		waiting := r.listen(r.freeAddr(l.network), listenOptions)
		busy := r.listen(r.freeAddr(l.network), listenOptions)
		r.start(busy, func(s proactor.Stream) { r.record(s) })
		r.start(waiting, func(proactor.Stream) { r.t.Error("accepted") })
		waiting.Stop()
		r.until("traffic", func() bool { return heard > 1<<20 })
		for _, ln := range []proactor.Listener{idle, waiting, busy} {
			r.connect(ln.Addr(), proactor.ConnectOptions{})
			r.connect(ln.Addr(), proactor.ConnectOptions{}).cancel()
		}
		r.close()
		before := heard
		for _, peer := range peers {
			requireEnd(r.t, peer)
		}
		require.Equal(r.t, before, heard)
	}},
}

// closeInside closes the driver in a handler.
func (r *rig) closeInside() {
	r.t.Helper()
	r.close()
	_, err := r.p.Listen(r.freeAddr("tcp"), listenOptions)
	require.ErrorIs(r.t, err, net.ErrClosed)
	r.p.Connect(r.freeAddr("tcp"), proactor.ConnectOptions{}, func(proactor.Stream, error) { r.t.Error("done after Close") })
}

// requireEnd requires that the driver's side is gone: the peer reads the end or a reset,
// after whatever was sent before.
func requireEnd(t requirer, peer io.Reader) {
	t.Helper()
	_, err := io.Copy(io.Discard, peer)
	require.True(t, err == nil || errors.Is(err, syscall.ECONNRESET), err)
}
