//go:build cgo

package uv_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/cbridge"
	"github.com/seed-a026a017/asyncio/uv"
)

// pattern is n bytes that show a loss, a doubling or a wrong order.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// collect reads a stream to its end.
func collect(t testing.TB, s *uv.TCP) (got *bytes.Buffer, end *error) {
	t.Helper()
	got, end = new(bytes.Buffer), new(error)
	require.NoError(t, s.ReadStart(func(b []byte, err error) {
		got.Write(b)
		if err != nil {
			*end = err
		}
	}))
	return got, end
}

func TestWrite(t *testing.T) {
	t.Run("UV-053", func(t *testing.T) { // 64 MiB to a slow reader
		size := 64 << 20
		if testing.Short() || slow {
			size = 8 << 20
		}
		l := newLoop(t)
		s, peer := peerOf(t, l)
		data := pattern(size)
		before := cbridge.LiveAllocations()
		done := false
		require.NoError(t, s.Write(data, func(err error) {
			require.NoError(t, err)
			done = true
		}))
		require.Positive(t, s.WriteQueueSize())
		require.LessOrEqual(t, cbridge.LiveAllocations()-before, int64(size/cbridge.WriteChunkBytes+16), "one copy of the rest")
		var wrong, all atomic.Bool
		go func() {
			got, buf := 0, make([]byte, 1<<20)
			for got < size {
				n, err := peer.Read(buf)
				if err != nil || !bytes.Equal(buf[:n], data[got:got+n]) {
					wrong.Store(true)
					break
				}
				got += n
			}
			all.Store(true)
		}()
		last := s.WriteQueueSize()
		for !done {
			require.NoError(t, l.Poll(10*time.Millisecond))
			require.LessOrEqual(t, s.WriteQueueSize(), last)
			last = s.WriteQueueSize()
		}
		require.Zero(t, last)
		until(t, l, "the reader", all.Load)
		require.False(t, wrong.Load())
	})
	t.Run("UV-054", func(t *testing.T) { // 100,000 small writes are few system calls
		l := newLoop(t)
		s, peer := peerOf(t, l)
		data := pattern(1_000_000)
		before := l.Metrics().WriteCalls
		for i := 0; i < len(data); i += 10 {
			require.NoError(t, s.Write(data[i:i+10], nil))
		}
		require.NoError(t, s.CloseWrite(nil))
		var got []byte
		var all atomic.Bool
		go func() {
			got, _ = io.ReadAll(peer)
			all.Store(true)
		}()
		until(t, l, "all bytes", all.Load)
		require.True(t, bytes.Equal(data, got))
		require.LessOrEqual(t, l.Metrics().WriteCalls-before, uint64(1000))
	})
	t.Run("several streams in turn", func(t *testing.T) { // pieces of one stream that do not follow each other
		l := newLoop(t)
		a, peerA := peerOf(t, l)
		b, peerB := peerOf(t, l)
		data := pattern(30_000)
		for i := 0; i < len(data); i += 3 {
			require.NoError(t, a.Write(data[i:i+3], nil))
			require.NoError(t, b.WriteV([][]byte{data[i : i+1], data[i+1 : i+3]}, nil))
		}
		require.NoError(t, a.CloseWrite(nil))
		require.NoError(t, b.CloseWrite(nil))
		require.NoError(t, l.Poll(0))
		run(t, l, uv.RunDefault)
		for _, peer := range []*net.TCPConn{peerA, peerB} {
			got, err := io.ReadAll(peer)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, got))
		}
	})
	t.Run("callbacks come once, in order, and not inside the call", func(t *testing.T) {
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			s, peer := peerOf(t, l)
			go io.Copy(io.Discard, peer)
			var order []int
			inside := false
			n := 0
			for i, size := range []int{0, 1, 20_000, 5, 3 << 20, 0, 7, 100_000, 1} {
				inside = true
				require.NoError(t, s.Write(make([]byte, size), func(err error) {
					require.NoError(t, err)
					require.False(t, inside)
					order = append(order, i)
				}))
				inside = false
				n++
			}
			until(t, l, "all callbacks", func() bool { return len(order) == n })
			require.IsIncreasing(t, order)
			require.Zero(t, s.WriteQueueSize())
		})
	})
	t.Run("WriteQueueSize", func(t *testing.T) {
		l := newLoop(t)
		s, _ := peerOf(t, l)
		require.NoError(t, s.Write(make([]byte, 100), nil))
		require.Equal(t, 100, s.WriteQueueSize())
		require.NoError(t, s.Flush())
		require.Zero(t, s.WriteQueueSize())
		require.NoError(t, s.Write(make([]byte, 32<<20), nil))
		left := s.WriteQueueSize()
		require.Positive(t, left)
		require.NoError(t, s.Write(make([]byte, 100), nil))
		require.Equal(t, left+100, s.WriteQueueSize())
		_, err := s.TryWrite([]byte("x"))
		require.ErrorIs(t, err, uv.EAGAIN)
		require.Equal(t, left+100, s.WriteQueueSize())
	})
	t.Run("Close cancels what is left", func(t *testing.T) {
		l := newLoop(t)
		s, peer := peerOf(t, l)
		var order []string
		require.NoError(t, s.Write(make([]byte, 32<<20), func(err error) {
			require.ErrorIs(t, err, uv.ECANCELED)
			order = append(order, "large")
		}))
		require.NoError(t, s.Write([]byte("small"), func(err error) {
			require.ErrorIs(t, err, uv.ECANCELED)
			order = append(order, "small")
		}))
		require.NoError(t, s.CloseWrite(func(err error) {
			require.ErrorIs(t, err, uv.ECANCELED)
			order = append(order, "shutdown")
		}))
		require.NoError(t, l.Poll(0))
		s.CloseWith(func() { order = append(order, "close") })
		run(t, l, uv.RunDefault)
		require.Equal(t, []string{"large", "small", "shutdown", "close"}, order)
		n, _ := io.Copy(io.Discard, peer)
		require.Less(t, n, int64(32<<20))
	})
	t.Run("Close sends what the kernel takes, Abort does not", func(t *testing.T) {
		l := newLoop(t)
		s, peer := peerOf(t, l)
		require.NoError(t, s.Write([]byte("bye"), nil))
		s.Close()
		got, err := io.ReadAll(peer)
		require.NoError(t, err)
		require.Equal(t, "bye", string(got))
		s, peer = peerOf(t, l)
		require.NoError(t, s.Write([]byte("bye"), nil))
		s.Abort()
		got, err = io.ReadAll(peer)
		require.NoError(t, err)
		require.Empty(t, got)
	})
	t.Run("UV-061", func(t *testing.T) { // writing to a peer that is gone
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			s, peer := peerOf(t, l)
			peer.SetLinger(0)
			peer.Close()
			var failures int
			n := 0
			until(t, l, "a failure", func() bool {
				if n < 100 {
					n++
					require.NoError(t, s.Write([]byte("x"), func(err error) {
						if err != nil {
							require.True(t, errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET), err)
							failures++
						}
					}))
				}
				return n == 100 && failures >= 99
			})
			require.NoError(t, s.Write(make([]byte, 100_000), func(err error) { require.ErrorIs(t, err, syscall.EPIPE); failures++ }))
			n = failures
			require.NoError(t, l.Poll(0))
			require.Greater(t, failures, n)
		})
	})
	t.Run("a stream that cannot write", func(t *testing.T) {
		l := newLoop(t)
		c := newTCP(t, l)
		require.ErrorIs(t, c.Write([]byte("x"), nil), uv.ENOTCONN)
		require.ErrorIs(t, c.CloseWrite(nil), uv.ENOTCONN)
		_, err := c.TryWrite([]byte("x"))
		require.ErrorIs(t, err, uv.EBADF)
		s, _ := peerOf(t, l)
		require.NoError(t, s.CloseWrite(nil))
		require.ErrorIs(t, s.Write([]byte("x"), nil), uv.EPIPE)
		require.ErrorIs(t, s.CloseWrite(nil), uv.ENOTCONN)
		require.ErrorIs(t, s.CloseReset(nil), uv.EINVAL)
		require.False(t, s.IsWritable())
		require.True(t, s.IsReadable())
	})
}

func TestEnds(t *testing.T) {
	t.Run("UV-057", func(t *testing.T) { // both sides end at once
		l := newLoop(t)
		a, b := connectedPair(t, l)
		_, endA := collect(t, a)
		_, endB := collect(t, b)
		shut := 0
		for _, s := range []*uv.TCP{a, b} {
			require.NoError(t, s.CloseWrite(func(err error) { require.NoError(t, err); shut++ }))
		}
		until(t, l, "both ends", func() bool { return *endA != nil && *endB != nil && shut == 2 })
		require.ErrorIs(t, *endA, io.EOF)
		require.ErrorIs(t, *endB, io.EOF)
	})
	t.Run("UV-058", func(t *testing.T) { // the end comes once, and again when asked again
		l := newLoop(t)
		s, peer := peerOf(t, l)
		ends := 0
		read := func(b []byte, err error) {
			require.ErrorIs(t, err, io.EOF)
			ends++
		}
		require.NoError(t, s.ReadStart(read))
		peer.Close()
		until(t, l, "the end", func() bool { return ends == 1 })
		for range 5 {
			require.NoError(t, l.Poll(time.Millisecond))
		}
		require.Equal(t, 1, ends)
		require.NoError(t, s.ReadStart(read))
		require.Equal(t, 1, ends, "not inside the call")
		require.NoError(t, l.Poll(0))
		require.Equal(t, 2, ends)
	})
	t.Run("UV-059", func(t *testing.T) { // a reset comes after the data
		l := newLoop(t)
		s, peer := peerOf(t, l)
		got, end := collect(t, s)
		_, err := peer.Write([]byte("data"))
		require.NoError(t, err)
		until(t, l, "data", func() bool { return got.Len() == 4 })
		peer.SetLinger(0)
		peer.Close()
		until(t, l, "the reset", func() bool { return *end != nil })
		require.ErrorIs(t, *end, syscall.ECONNRESET)

		s, peer = peerOf(t, l)
		closed := false
		require.NoError(t, s.CloseReset(func() { closed = true }))
		_, err = peer.Read(make([]byte, 1))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		require.NoError(t, l.Poll(0))
		require.True(t, closed)
		ln := listen(t, l, func(*uv.TCP, error) {})
		require.ErrorIs(t, ln.CloseReset(nil), uv.EINVAL)
	})
}

func TestRead(t *testing.T) {
	t.Run("UV-062", func(t *testing.T) { // ReadStop loses nothing
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			s, peer := peerOf(t, l)
			data := pattern(1 << 20)
			go func() { peer.Write(data); peer.CloseWrite() }()
			var got []byte
			var end error
			stops := 0
			read := func(b []byte, err error) {
				got = append(got, b...)
				if err != nil {
					end = err
					return
				}
				stops++
				require.NoError(t, s.ReadStop())
			}
			require.NoError(t, s.ReadStart(read))
			until(t, l, "the first bytes", func() bool { return stops == 1 })
			for range 20 {
				require.NoError(t, l.Poll(time.Millisecond))
			}
			require.Equal(t, 1, stops)
			for end == nil {
				require.NoError(t, s.ReadStart(nil))
				n := stops
				until(t, l, "more", func() bool { return stops > n || end != nil })
			}
			require.ErrorIs(t, end, io.EOF)
			require.True(t, bytes.Equal(data, got))
		})
	})
	t.Run("UV-063", func(t *testing.T) { // another callback gets the rest
		l := newLoop(t)
		s, peer := peerOf(t, l)
		data := pattern(1 << 20)
		go func() { peer.Write(data); peer.CloseWrite() }()
		var first, rest []byte
		var end error
		require.NoError(t, s.ReadStart(func(b []byte, err error) {
			require.Empty(t, first, "called again")
			first = append(first, b...)
			require.NoError(t, s.ReadStop())
			require.NoError(t, s.ReadStart(func(b []byte, err error) { rest = append(rest, b...); end = err }))
		}))
		until(t, l, "the end", func() bool { return end != nil })
		require.True(t, bytes.Equal(data, append(first, rest...)))
	})
	t.Run("one stream stops another", func(t *testing.T) { // whose bytes are in the same batch
		l := newLoop(t)
		type conn struct {
			s   *uv.TCP
			got []byte
		}
		var conns []*conn
		var peers []*net.TCPConn
		for range 8 {
			s, peer := peerOf(t, l)
			conns, peers = append(conns, &conn{s: s}), append(peers, peer)
		}
		stopped := false
		for _, c := range conns {
			require.NoError(t, c.s.ReadStart(func(b []byte, err error) {
				require.NoError(t, err)
				c.got = append(c.got, b...)
				if !stopped {
					stopped = true
					for _, o := range conns {
						require.NoError(t, o.s.ReadStop())
					}
				}
			}))
		}
		for i, p := range peers {
			_, err := p.Write([]byte{byte(i), byte(i + 1)})
			require.NoError(t, err)
		}
		until(t, l, "the first", func() bool { return stopped })
		require.NoError(t, l.Poll(0))
		total := func() (n int) {
			for _, c := range conns {
				n += len(c.got)
			}
			return n
		}
		require.Equal(t, 2, total())
		for _, c := range conns {
			require.NoError(t, c.s.ReadStart(nil))
		}
		until(t, l, "the rest", func() bool { return total() == 16 })
		for i, c := range conns {
			require.Equal(t, []byte{byte(i), byte(i + 1)}, c.got)
		}
	})
	t.Run("UV-065", func(t *testing.T) { // two hundred peers share the slab
		l := newLoop(t)
		const peers, each = 200, 64 << 10
		var got [peers]int
		data := make([]byte, each)
		servedAt := make([]int, peers)
		turn := 0
		var streams []*uv.TCP
		for range peers {
			s, peer := peerOf(t, l)
			_, err := peer.Write(data)
			require.NoError(t, err)
			streams = append(streams, s)
		}
		for i, s := range streams {
			require.NoError(t, s.ReadStart(func(b []byte, err error) {
				if got[i] == 0 {
					servedAt[i] = turn
				}
				got[i] += len(b)
			}))
		}
		all := func() bool {
			turn++
			for _, n := range got {
				if n < each {
					return false
				}
			}
			return true
		}
		until(t, l, "all bytes", all)
		require.Positive(t, l.Metrics().ReadsPutOff)
		for i, at := range servedAt {
			require.LessOrEqual(t, at, 20, "peer %d waited", i)
		}
		require.NoError(t, l.Poll(0))
		require.False(t, readable(t, backend(t, l), 0), "a loop whose streams have nothing rests")
	})
	t.Run("UV-065 fairness", func(t *testing.T) { // peers that never stop get equal shares
		l := newLoop(t)
		const peers = 24
		var got [peers]int
		for i := range peers {
			s, peer := peerOf(t, l)
			go func() {
				for b := make([]byte, 256<<10); ; {
					if _, err := peer.Write(b); err != nil {
						return
					}
				}
			}()
			require.NoError(t, s.ReadStart(func(b []byte, err error) { got[i] += len(b) }))
		}
		least := func() (n int) {
			n = 1 << 62
			for _, g := range got {
				n = min(n, g)
			}
			return n
		}
		until(t, l, "a few MiB each", func() bool { return least() > 2<<20 })
		for h := range l.Handles() {
			h.Close()
		}
		run(t, l, uv.RunDefault)
	})
	t.Run("UV-066", func(t *testing.T) { // bytes are the callback's for the call only
		l := newLoop(t, uv.WithChecks())
		s, peer := peerOf(t, l)
		var kept []byte
		require.NoError(t, s.ReadStart(func(b []byte, err error) {
			if kept == nil {
				kept = b
				require.Equal(t, "data", string(b))
			}
		}))
		_, err := peer.Write([]byte("data"))
		require.NoError(t, err)
		until(t, l, "data", func() bool { return kept != nil })
		require.Equal(t, "\xDB\xDB\xDB\xDB", string(kept))
	})
	t.Run("UV-067", func(t *testing.T) { // a greedy peer does not keep a modest one waiting
		l := newLoop(t)
		greedy, flood := peerOf(t, l)
		modest, drip := peerOf(t, l)
		total := 0
		require.NoError(t, greedy.ReadStart(func(b []byte, err error) { total += len(b) }))
		// A turn with the greedy peer in it takes about 0.1 ms: 20 turns are far less
		// than the 20 ms that are allowed.
		const turnsMax = 20
		var turn atomic.Int64
		var late, n int
		sent := make(chan int64, 1000)
		require.NoError(t, modest.ReadStart(func(b []byte, err error) {
			for range b {
				if n++; turn.Load()-<-sent > turnsMax {
					late++
				}
			}
		}))
		go func() {
			for b := make([]byte, 1<<20); ; {
				if _, err := flood.Write(b); err != nil {
					return
				}
			}
		}()
		go func() {
			for range 30 {
				sent <- turn.Load()
				if _, err := drip.Write([]byte("x")); !assert.NoError(t, err) {
					return
				}
				time.Sleep(3 * time.Millisecond) // the rate of the modest peer, not a synchronisation
			}
		}()
		until(t, l, "the modest peer", func() bool { turn.Add(1); return n == 30 })
		require.Zero(t, late)
		require.Positive(t, total)
		greedy.Close()
		run(t, l, uv.RunNoWait)
	})
	t.Run("a callback may close its stream", func(t *testing.T) {
		l := newLoop(t)
		s, peer := peerOf(t, l)
		calls, closed := 0, false
		require.NoError(t, s.ReadStart(func(b []byte, err error) {
			calls++
			s.CloseWith(func() { closed = true })
		}))
		go func() {
			for b := make([]byte, 1<<20); ; {
				if _, err := peer.Write(b); err != nil {
					return
				}
			}
		}()
		until(t, l, "the close", func() bool { return closed })
		require.Equal(t, 1, calls)
	})
	t.Run("without a callback", func(t *testing.T) {
		l := newLoop(t)
		s, _ := peerOf(t, l)
		require.ErrorIs(t, s.ReadStart(nil), uv.EINVAL)
	})
	t.Run("a panic keeps the bytes of the others", func(t *testing.T) {
		l := newLoop(t)
		a, peerA := peerOf(t, l)
		b, peerB := peerOf(t, l)
		var got []byte
		first := true
		for _, s := range []*uv.TCP{a, b} {
			require.NoError(t, s.ReadStart(func(p []byte, err error) {
				if first {
					first = false
					panic("first")
				}
				got = append(got, p...)
			}))
		}
		require.NoError(t, l.Poll(0))
		peerA.Write([]byte("x"))
		peerB.Write([]byte("x"))
		require.True(t, readable(t, backend(t, l), patience))
		require.PanicsWithValue(t, "first", func() {
			until(t, l, "a panic", func() bool { return false })
		})
		until(t, l, "the other", func() bool { return string(got) == "x" })
	})
}

func backend(t *testing.T, l *uv.Loop) int {
	fd, err := l.BackendFD()
	require.NoError(t, err)
	return fd
}

// pullingHandler pulls with f whenever its stream is readable.
type pullingHandler struct {
	f   func() bool
	got []byte
	end error
}

func (h *pullingHandler) OnReadable() bool     { return h.f() }
func (h *pullingHandler) OnWritten(int, error) {}
func (h *pullingHandler) OnClosed()            {}
func (h *pullingHandler) OnRead(b []byte, err error) {
	h.got = append(h.got, b...)
	h.end = err
}

func TestPull(t *testing.T) {
	t.Run("bytes that were read before come first", func(t *testing.T) {
		l := newLoop(t)
		a, peerA := peerOf(t, l)
		b, peerB := peerOf(t, l)
		handlers := [2]*pullingHandler{{}, {}}
		early := 0
		for i, s := range []*uv.TCP{a, b} {
			other := []*uv.TCP{b, a}[i]
			require.NoError(t, s.ReadStart(func(p []byte, err error) {
				early += other.Pull(make([]byte, 100)) // its own bytes may be in a record of this turn
				handlers[i].OnRead(p, err)
			}))
		}
		for range 50 {
			for _, peer := range []net.Conn{peerA, peerB} {
				_, err := peer.Write([]byte("abcdefg"))
				require.NoError(t, err)
			}
			until(t, l, "both", func() bool { return len(handlers[0].got)+early >= 7 && len(handlers[1].got) >= 7 || early > 0 })
			require.Equal(t, "abcdefg", string(handlers[0].got))
			require.Equal(t, "abcdefg", string(handlers[1].got))
			handlers[0].got, handlers[1].got = nil, nil
		}
		require.Zero(t, early)
	})
	t.Run("bulk goes straight into the handler's memory", func(t *testing.T) {
		l := newLoop(t)
		s, peer := peerOf(t, l)
		data := pattern(4 << 20)
		pulled := 0
		h := new(pullingHandler)
		h.f = func() bool {
			n := len(h.got)
			h.got = append(h.got, make([]byte, 1<<17)...)
			k := s.Pull(h.got[n:])
			h.got = h.got[:n+k]
			pulled += k
			return true
		}
		s.SetHandler(h)
		require.NoError(t, s.ReadStart(nil))
		sent := make(chan error, 1)
		go func() {
			_, err := peer.Write(data)
			peer.Close()
			sent <- err
		}()
		until(t, l, "the end", func() bool { return h.end != nil })
		require.NoError(t, <-sent)
		require.ErrorIs(t, h.end, io.EOF)
		require.True(t, bytes.Equal(data, h.got))
		require.Greater(t, pulled, len(data)/2)
	})
}
