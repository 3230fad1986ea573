//go:build cgo

package uv_test

// Writes of medium size: one that is alone in its turn does not wait for the flush,
// several leave together.

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// turns writes to a stream turn by turn, and counts the system calls.
type turns struct {
	t    *testing.T
	l    *uv.Loop
	s    *uv.TCP
	peer io.Reader
	sent int
}

func newTurns(t *testing.T) *turns {
	l := newLoop(t)
	s, peer := peerOf(t, l)
	return &turns{t: t, l: l, s: s, peer: peer}
}

// turn makes writes of the sizes and checks how many system calls come with them and how
// many with the flush, and that the peer gets the bytes.
func (w *turns) turn(atOnce, flushed uint64, sizes ...int) {
	w.t.Helper()
	before := w.l.Metrics().WriteCalls
	var all []byte
	for _, n := range sizes {
		w.sent++
		p := bytes.Repeat([]byte{byte(w.sent)}, n)
		all = append(all, p...)
		require.NoError(w.t, w.s.Write(p, nil))
		clear(p) // the stream takes no hold of it
	}
	now := w.l.Metrics().WriteCalls
	require.Equal(w.t, atOnce, now-before, "at once")
	require.NoError(w.t, w.l.Poll(0))
	require.Equal(w.t, flushed, w.l.Metrics().WriteCalls-now, "by the flush")
	require.Zero(w.t, w.s.WriteQueueSize())
	got := make([]byte, len(all))
	_, err := io.ReadFull(w.peer, got)
	require.NoError(w.t, err)
	require.True(w.t, bytes.Equal(all, got))
}

func TestWriteAlone(t *testing.T) {
	const medium = 10 << 10
	t.Run("one at a time goes at once", func(t *testing.T) {
		w := newTurns(t)
		for range 5 {
			w.turn(1, 0, medium)
		}
	})
	t.Run("the peer has it before the flush", func(t *testing.T) {
		l := newLoop(t)
		s, peer := peerOf(t, l)
		data := pattern(medium)
		require.NoError(t, s.Write(data, nil))
		got := make([]byte, len(data))
		_, err := io.ReadFull(peer, got) // without the loop
		require.NoError(t, err)
		require.Equal(t, data, got)
	})
	t.Run("several leave together from the second turn on", func(t *testing.T) {
		w := newTurns(t)
		w.turn(1, 1, medium, medium, 1, medium)
		for range 3 {
			w.turn(0, 1, medium, medium, 1, medium)
		}
		w.turn(0, 1, medium) // it might have been the first of several
		w.turn(1, 0, medium)
		w.turn(1, 1, medium, 1)
		w.turn(0, 1, medium, 1)
	})
	t.Run("small ones wait", func(t *testing.T) {
		w := newTurns(t)
		for range 3 {
			w.turn(0, 1, 100)
			w.turn(0, 1, 100, 100)
			w.turn(0, 1, 100, medium) // a head and a body
		}
	})
	t.Run("pieces of one write leave together", func(t *testing.T) {
		l := newLoop(t)
		s, peer := peerOf(t, l)
		before := l.Metrics().WriteCalls
		require.NoError(t, s.WriteV([][]byte{pattern(medium), []byte("and "), pattern(medium)}, nil))
		require.NoError(t, l.Poll(0))
		require.Equal(t, uint64(1), l.Metrics().WriteCalls-before)
		got := make([]byte, 2*medium+4)
		_, err := io.ReadFull(peer, got)
		require.NoError(t, err)
		require.Equal(t, bytes.Join([][]byte{pattern(medium), pattern(medium)}, []byte("and ")), got)
	})
	t.Run("large ones behind it", func(t *testing.T) {
		w := newTurns(t)
		for range 2 {
			w.turn(2, 0, medium, 20_000)
		}
		w.turn(2, 1, medium, 20_000, 1)
		w.turn(1, 0, medium, 20_000) // the two in one call
	})
	t.Run("nothing is left to flush", func(t *testing.T) {
		l := newLoop(t)
		s, _ := peerOf(t, l)
		require.NoError(t, s.Write(pattern(medium), nil))
		before := l.Metrics().WriteCalls
		require.NoError(t, s.Flush())
		require.Equal(t, before, l.Metrics().WriteCalls)
	})
	t.Run("an abort keeps what left and what others have gathered", func(t *testing.T) {
		l := newLoop(t)
		a, peerA := peerOf(t, l)
		b, peerB := peerOf(t, l)
		require.NoError(t, a.Write(pattern(medium), nil))
		require.NoError(t, b.Write([]byte("b"), nil))
		a.Abort()
		require.NoError(t, b.CloseWrite(nil))
		require.NoError(t, l.Poll(0))
		got, err := io.ReadAll(peerA)
		require.NoError(t, err)
		require.Equal(t, pattern(medium), got)
		got, err = io.ReadAll(peerB)
		require.NoError(t, err)
		require.Equal(t, "b", string(got))
	})
	t.Run("more streams than a flush takes", func(t *testing.T) {
		l := newLoop(t)
		var streams []*turns
		for range 3 {
			s, peer := peerOf(t, l)
			streams = append(streams, &turns{t: t, l: l, s: s, peer: peer})
		}
		idle, _ := peerOf(t, l)
		want := make([][]byte, len(streams))
		for range 700 { // an operation each
			require.NoError(t, idle.ReadStart(func([]byte, error) {}))
			require.NoError(t, idle.ReadStop())
			for i, w := range streams {
				p := pattern(1 + len(want[i])%1500)
				require.NoError(t, w.s.Write(p, nil))
				want[i] = append(want[i], p...)
			}
		}
		require.NoError(t, l.Poll(0))
		for i, w := range streams {
			got := make([]byte, len(want[i]))
			until(t, l, "the kernel", func() bool { return w.s.WriteQueueSize() == 0 })
			_, err := io.ReadFull(w.peer, got)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want[i], got))
		}
	})
}
