package proactortest

// Cases about Write, WriteV, Flush, Buffered, Drained, CloseWrite and failures of
// writing.

import (
	"bytes"
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

// largeBytes is a write that every driver takes for a large one.
const largeBytes = 256 << 10

var writeCases = []testCase{
	{name: "no hold of what was written", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		var want []byte
		buf := make([]byte, largeBytes)
		put := func(n int) []byte {
			p := buf[:n]
			for copied := 0; copied < n; {
				copied += copy(p[copied:], patternAt(len(want)+copied, n-copied))
			}
			want = append(want, p...)
			return p
		}
		received := r.collect(peer)
		for round := range 40 {
			for _, n := range []int{1, 100, 5000, 0, 20000, largeBytes, 7} {
				if round%2 == 0 {
					rec.write(put(n))
				} else {
					p := put(n)
					third := n / 3
					rec.writeV(p[:third], nil, p[third:2*third], p[2*third:])
				}
				clear(buf)
			}
			if round%5 == 0 {
				rec.s.Flush()
			}
			r.poll(0)
		}
		rec.s.CloseWrite()
		require.True(r.t, bytes.Equal(want, received()))
	}},
	{name: "pieces of WriteV are not changed", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		pieces := [][]byte{patternAt(0, 3), patternAt(3, largeBytes), {}, patternAt(100, 60000)}
		before := append([][]byte{}, pieces...)
		rec.writeV(pieces...)
		require.Equal(r.t, before, pieces)
		rec.s.CloseWrite()
		require.True(r.t, bytes.Equal(bytes.Join(before, nil), r.collect(peer)()))
	}},
	{name: "a thousand pieces", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		var pieces [][]byte
		for i := range 3000 {
			pieces = append(pieces, patternAt(i*100, 100))
		}
		rec.writeV(pieces...)
		rec.s.CloseWrite()
		require.True(r.t, bytes.Equal(bytes.Join(pieces, nil), r.collect(peer)()))
	}},
	{name: "small writes leave at the next Poll", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		rec.write([]byte("one "))
		rec.write([]byte("two "))
		rec.writeV([]byte("thr"), []byte("ee"))
		require.Equal(r.t, 13, rec.s.Buffered())
		r.poll(0)
		requireNext(r.t, peer, "one two three")
		r.until("taken", rec.nothingBuffered)
	}},
	{name: "Flush sends without a Poll", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		rec.s.Flush() // of nothing
		rec.write([]byte("now"))
		rec.s.Flush()
		requireNext(r.t, peer, "now")
		r.until("taken", rec.nothingBuffered)
	}},
	{name: "large writes are tried at once", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		rec.write([]byte("first "))
		rec.write(patternAt(0, largeBytes))
		requireNext(r.t, peer, "first "+string(patternAt(0, 1000)))
	}},
	{name: "empty writes are nothing", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		rec.write(nil)
		rec.write([]byte{})
		rec.writeV()
		rec.writeV(nil, []byte{})
		require.Zero(r.t, rec.s.Buffered())
		rec.s.CloseWrite()
		r.do("the end", func() { requireRest(r.t, peer, "") })
		require.Zero(r.t, rec.drained)
	}},
	{name: "a peer that does not read", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		shrinkBuffers(r.t, rec, peer)
		const total = 8 << 20
		for off := 0; off < total; off += 60000 {
			rec.write(patternAt(off, min(60000, total-off)))
		}
		require.LessOrEqual(r.t, rec.s.Buffered(), total)
		r.settle()
		require.Greater(r.t, rec.s.Buffered(), total/2)
		var got checker
		early := rec.drained
		r.do("half of it", func() { receivePattern(peer, &got, total/2) })
		r.until("Drained", func() bool { return rec.drained > early })
		require.Positive(r.t, rec.s.Buffered(), "Drained tells of progress, not only of the end")
		r.do("the other half", func() { receivePattern(peer, &got, total) })
		r.until("taken", rec.nothingBuffered)
		rec.s.CloseWrite()
		r.do("the end", func() { requireRest(r.t, peer, "") })
		require.Equal(r.t, total, got.off)
		require.False(r.t, got.wrong)
	}},
	{name: "Drained comes for what Flush has left behind", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		shrinkBuffers(r.t, rec, peer)
		// The recorder checks each Drained; here the writer lives on it, as a transport
		// with limits does.
		const total, high = 8 << 20, 64 << 10
		off := 0
		fill := func() {
			for off < total && rec.s.Buffered() <= high {
				n := min(10000, total-off)
				rec.write(patternAt(off, n))
				off += n
				if rec.s.Buffered() > high {
					rec.s.Flush()
					rec.buffered = rec.s.Buffered()
				}
			}
		}
		rec.onDrained = fill
		fill()
		var got checker
		done := r.spawn(func() { receivePattern(peer, &got, total) })
		r.until("everything received", done)
		r.until("taken", rec.nothingBuffered)
		require.Equal(r.t, total, off)
		require.Equal(r.t, total, got.off)
		require.False(r.t, got.wrong)
		require.Positive(r.t, rec.drained)
	}},
	{name: "writes behind a full connection", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		shrinkBuffers(r.t, rec, peer)
		rec.write(patternAt(0, patternBytes))
		off := patternBytes
		for rec.s.Buffered() == 0 {
			rec.write(patternAt(off, patternBytes))
			off += patternBytes
		}
		for i := range 200 {
			n := 1 + i*i%5000
			rec.writeV(patternAt(off, n), patternAt(off+n, n))
			off += 2 * n
			if i%3 == 0 {
				rec.s.Flush()
			}
			if i%7 == 0 {
				r.poll(0)
			}
		}
		rec.s.CloseWrite()
		got := &checker{}
		got.check(r.collect(peer)())
		require.Equal(r.t, off, got.off)
		require.False(r.t, got.wrong)
		require.Zero(r.t, rec.s.Buffered())
	}},
	{name: "CloseWrite after what is buffered", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		shrinkBuffers(r.t, rec, peer)
		const total = 4 << 20
		for off := 0; off < total; off += 1 << 15 {
			rec.write(patternAt(off, 1<<15))
		}
		rec.s.CloseWrite()
		r.settle()
		require.Positive(r.t, rec.s.Buffered())
		var got checker
		r.do("everything", func() {
			receivePattern(peer, &got, total)
			requireRest(r.t, peer, "")
			_, _ = peer.Write([]byte("thanks"))
			_ = peer.Close()
		})
		require.Equal(r.t, total, got.off)
		require.False(r.t, got.wrong)
		r.until("the end", rec.isEOF)
		require.Equal(r.t, "thanks", string(rec.got))
	}},
	{name: "CloseWrite with nothing buffered", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		rec.s.CloseWrite()
		rec.s.CloseWrite()
		r.do("the end", func() { requireRest(r.t, peer, "") })
		_, err := peer.Write([]byte("still here"))
		require.NoError(r.t, err)
		require.NoError(r.t, peer.Close())
		r.until("the end", rec.isEOF)
		require.Equal(r.t, "still here", string(rec.got))
	}},
	{name: "Write after CloseWrite fails", eachLink: func(r *rig, l link) {
		for _, large := range []bool{false, true} {
			rec, peer := r.pair(l, true)
			rec.s.CloseWrite()
			rec.write(nil)
			rec.writeV(nil, nil)
			r.settle()
			require.NoError(r.t, rec.err, "nothing was written")
			for range 3 {
				if large {
					rec.writeV(patternAt(0, 3), make([]byte, largeBytes))
				} else {
					rec.write([]byte("x"))
				}
			}
			require.GreaterOrEqual(r.t, rec.s.Buffered(), 3)
			r.until("the failure", rec.isClosed)
			require.ErrorIs(r.t, rec.err, syscall.EPIPE)
			requireRest(r.t, peer, "")
		}
	}},
	{name: "CloseWrite that fails", eachLink: func(r *rig, l link) {
		rec, _ := r.pair(l, false)
		spoil(r.t, rec.s.FD())
		rec.s.CloseWrite()
		r.until("the failure", rec.isClosed)
		require.Error(r.t, rec.err)
	}},
	{name: "CloseWrite after both ends", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		require.NoError(r.t, peer.Close())
		r.until("the end", rec.isEOF)
		rec.s.CloseWrite()
		r.settle()
		require.NoError(r.t, rec.err)
		rec.close()
		r.until("closed", rec.isClosed)
	}},
	{name: "a peer that is gone", eachLink: func(r *rig, l link) {
		for _, size := range []int{10, largeBytes} {
			rec, peer := r.pair(l, false)
			require.NoError(r.t, peer.Close())
			for !rec.closed {
				require.Positive(r.t, time.Until(r.deadline))
				rec.write(patternAt(0, size)) // also after Failed and Close: nothing happens
				r.poll(time.Millisecond)
			}
			require.True(r.t, isBroken(rec.err), rec.err)
			rec.write([]byte("x"))
			r.settle()
		}
	}},
	{name: "writes to a peer that is gone count until a Poll tells", eachLink: func(r *rig, l link) {
		// A writer that goes on until much is buffered has to come to an end without a
		// Poll.
		rec, peer := r.pair(l, false)
		require.NoError(r.t, peer.Close())
		writes := 0
		for ; rec.s.Buffered() < 4<<20 && writes < 1000; writes++ {
			rec.write(patternAt(0, 60000))
		}
		require.Less(r.t, writes, 1000, "written bytes disappear")
		r.until("closed", rec.isClosed)
		require.True(r.t, isBroken(rec.err), rec.err)
	}},
	{name: "a peer that goes while bytes are left behind", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, false)
		shrinkBuffers(r.t, rec, peer)
		rec.write(make([]byte, 8<<20))
		r.settle()
		require.Positive(r.t, rec.s.Buffered())
		require.NoError(r.t, peer.Close()) // with bytes it has not read: a reset
		r.until("closed", rec.isClosed)
		require.True(r.t, isBroken(rec.err), rec.err)
	}},
	{name: "64 MiB there", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		const total, piece = 64 << 20, 1 << 15
		for off := 0; off < total; off += piece {
			rec.write(patternAt(off, piece))
		}
		var got checker
		r.do("everything", func() { receivePattern(peer, &got, total) })
		require.Equal(r.t, total, got.off)
		require.False(r.t, got.wrong)
		r.until("taken", rec.nothingBuffered)
	}},
	{name: "64 MiB back", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		const total = 64 << 20
		var got checker
		rec.onData = got.check
		r.spawn(func() { sendPattern(peer, total, 1<<20); _ = peer.CloseWrite() })
		r.until("the end", rec.isEOF)
		require.Equal(r.t, total, got.off)
		require.False(r.t, got.wrong)
	}},
}

func (rec *recorder) nothingBuffered() bool { return rec.s.Buffered() == 0 }

// isBroken reports whether err is what writing to a peer that is gone fails with.
func isBroken(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.ECONNABORTED)
}

// collect reads all that comes to peer, while the loop polls.
func (r *rig) collect(peer io.Reader) (wait func() []byte) {
	var all []byte
	done := r.spawn(func() {
		var err error
		if all, err = io.ReadAll(peer); err != nil {
			r.t.Errorf("read: %v", err)
		}
	})
	return func() []byte {
		r.t.Helper()
		r.until("the end of what the peer reads", done)
		return all
	}
}
