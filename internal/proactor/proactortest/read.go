package proactortest

// Cases about ReadStart, ReadStop, Data, EOF and failures of reading.

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

var readCases = []testCase{
	{name: "order", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		const total = 4 << 20
		var got checker
		rec.onData = got.check
		r.spawn(func() { sendPattern(peer, total, 1, 100, 4095, 4096, 4097, 65536, 200000); _ = peer.Close() })
		r.until("the end", rec.isEOF)
		require.Equal(r.t, total, got.off)
		require.False(r.t, got.wrong)
	}},
	{name: "nothing before ReadStart", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, false)
		_, err := peer.Write([]byte("early"))
		require.NoError(r.t, err)
		require.NoError(r.t, peer.CloseWrite())
		r.settle()
		require.Empty(r.t, rec.got)
		rec.readStart()
		require.Empty(r.t, rec.got, "no handler runs inside ReadStart")
		r.until("the end", rec.isEOF)
		require.Equal(r.t, "early", string(rec.got))
	}},
	{name: "ReadStop in Data", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		const total = 1 << 20
		var got checker
		calls := 0
		rec.onData = func(b []byte) {
			calls++
			got.check(b)
			rec.readStop()
		}
		r.spawn(func() { sendPattern(peer, total, 3000, 70000); _ = peer.Close() })
		for i := 1; !rec.eof; i++ {
			r.until("data", func() bool { return calls >= i || rec.eof })
			if i%8 == 1 {
				r.settle() // and the recorder sees that no Data comes
			}
			rec.readStart()
		}
		require.Equal(r.t, total, got.off)
		require.False(r.t, got.wrong)
	}},
	{name: "ReadStop and ReadStart in Data", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		const total = 1 << 20
		var got checker
		rec.onData = func(b []byte) {
			got.check(b)
			rec.readStop()
			rec.readStart()
			rec.readStart()
			if got.off%3 == 0 {
				rec.readStop()
				rec.readStop()
				rec.readStart()
			}
		}
		r.spawn(func() { sendPattern(peer, total, 3000, 70000); _ = peer.Close() })
		r.until("the end", rec.isEOF)
		require.Equal(r.t, total, got.off)
		require.False(r.t, got.wrong)
	}},
	{name: "ReadStop between polls", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		const total = 1 << 20
		var got checker
		rec.onData = got.check
		r.spawn(func() { sendPattern(peer, total, 1, 5000, 70000); _ = peer.Close() })
		for i := 0; !rec.eof; i++ {
			require.Positive(r.t, time.Until(r.deadline))
			rec.readStop()
			for range i % 3 {
				r.poll(0)
			}
			rec.readStart()
			switch i % 4 {
			case 0:
				rec.readStop()
				rec.readStart()
			case 1:
				r.poll(time.Millisecond)
			case 2:
				r.poll(0)
			}
		}
		require.Equal(r.t, total, got.off)
		require.False(r.t, got.wrong)
	}},
	{name: "one stream stops another", eachLink: func(r *rig, l link) {
		// Both have data in the same turn; whichever is first stops the other, which must
		// not be called then.
		a, peerA := r.pair(l, true)
		b, peerB := r.pair(l, true)
		calls := 0
		meet := func(self, other *recorder) func([]byte) {
			return func([]byte) { calls++; self.readStop(); other.readStop() }
		}
		a.onData, b.onData = meet(a, b), meet(b, a)
		for i := range 100 {
			r.do("two bytes", func() { _, _ = peerA.Write([]byte{1}); _, _ = peerB.Write([]byte{2}) })
			r.until("the first", func() bool { return calls > 2*i })
			a.onData = func([]byte) { calls++ }
			b.onData = a.onData
			a.readStart()
			b.readStart()
			r.until("the second", func() bool { return calls == 2*i+2 })
			a.onData, b.onData = meet(a, b), meet(b, a)
		}
	}},
	{name: "a stopped stream holds its peer up", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		require.NoError(r.t, peer.SetWriteBuffer(64<<10))
		setReceiveBuffer(r.t, rec.s.FD(), 64<<10)
		rec.readStop()
		const total = 32 << 20
		sent := 0
		require.NoError(r.t, peer.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
		r.do("a full connection", func() {
			for sent < total {
				n, err := peer.Write(patternAt(sent, 32<<10))
				sent += n
				if err != nil {
					if !errors.Is(err, os.ErrDeadlineExceeded) {
						r.t.Errorf("write: %v", err)
					}
					return
				}
			}
		})
		require.Less(r.t, sent, total, "the driver reads without bound")
		var got checker
		rec.onData = got.check
		rec.readStart()
		require.NoError(r.t, peer.CloseWrite())
		r.until("the end", rec.isEOF)
		require.Equal(r.t, sent, got.off)
		require.False(r.t, got.wrong)
	}},
	{name: "EOF, and then the other direction", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		_, err := peer.Write([]byte("question"))
		require.NoError(r.t, err)
		require.NoError(r.t, peer.CloseWrite())
		r.until("the end", rec.isEOF)
		require.Equal(r.t, "question", string(rec.got))
		rec.readStart() // reading has stopped for good
		rec.readStop()
		rec.readStart()
		r.settle()
		rec.write([]byte("answer"))
		rec.s.CloseWrite()
		r.do("the answer", func() { requireRest(r.t, peer, "answer") })
		rec.close()
		r.until("closed", rec.isClosed)
	}},
	{name: "EOF behind data at once", eachLink: func(r *rig, l link) {
		// The end of the stream may come with the last bytes, before or after they are
		// read, and must not be missed.
		for i := range 150 {
			rec, peer := r.pair(l, true)
			r.spawn(func() {
				_, _ = peer.Write(patternAt(0, i*29))
				for range i * 11 {
					spin.Add(1)
				}
				_ = peer.Close()
			})
			r.until("the end", rec.isEOF)
			require.Equal(r.t, patternAt(0, i*29), append([]byte{}, rec.got...))
			rec.close()
			r.until("closed", rec.isClosed)
		}
	}},
	{name: "EOF while stopped", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		r.settle()
		rec.readStop()
		_, err := peer.Write([]byte("last words"))
		require.NoError(r.t, err)
		require.NoError(r.t, peer.CloseWrite())
		r.settle()
		require.Empty(r.t, rec.got)
		rec.readStart()
		r.until("the end", rec.isEOF)
		require.Equal(r.t, "last words", string(rec.got))
	}},
	{name: "ReadStop in Data before EOF", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		rec.onData = func(b []byte) { rec.got = append(rec.got, b...); rec.readStop() }
		_, err := peer.Write([]byte("last words"))
		require.NoError(r.t, err)
		require.NoError(r.t, peer.CloseWrite())
		r.until("data", func() bool { return len(rec.got) > 0 })
		r.settle()
		require.False(r.t, rec.eof)
		rec.readStart()
		r.until("the end", rec.isEOF)
		require.Equal(r.t, "last words", string(rec.got))
	}},
	{name: "reset", eachLink: func(r *rig, l link) {
		if l.network != "tcp" {
			r.t.Skip("a unix-domain socket is not reset by a lingering close")
		}
		for _, stopped := range []bool{false, true} {
			rec, peer := r.pair(l, true)
			r.settle()
			if stopped {
				rec.readStop()
			}
			reset(peer)
			r.settle()
			if stopped {
				require.NoError(r.t, rec.err, "a stopped stream does not read")
				rec.readStart()
			}
			r.until("closed", rec.isClosed)
			require.ErrorIs(r.t, rec.err, syscall.ECONNRESET)
			require.False(r.t, rec.eof)
		}
	}},
	{name: "SetHandler in Data", eachLink: func(r *rig, l link) {
		first, peer := r.pair(l, true)
		second := &recorder{r: r, s: first.s, reading: true}
		first.onData = func(b []byte) {
			first.got = append(first.got, b...)
			first.s.SetHandler(second)
		}
		_, err := peer.Write([]byte("one"))
		require.NoError(r.t, err)
		r.until("data", func() bool { return len(first.got) > 0 })
		_, err = peer.Write([]byte("two"))
		require.NoError(r.t, err)
		require.NoError(r.t, peer.CloseWrite())
		r.until("the end", second.isEOF)
		require.Equal(r.t, "onetwo", string(first.got)+string(second.got))
		require.Equal(r.t, "one", string(first.got))
		second.close()
		r.until("closed", second.isClosed)
		require.False(r.t, first.closed)
	}},
	{name: "one byte at a time", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		for i := range 300 {
			r.spawn(func() { _, _ = peer.Write([]byte{byte(i)}) })
			r.until("the byte", func() bool { return len(rec.got) > i })
			require.Equal(r.t, byte(i), rec.got[i])
		}
	}},
}
