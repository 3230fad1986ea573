//go:build cgo

package uv_test

import (
	"context"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// The callbacks of a CloseWrite and of writes are called once, whatever ends the stream
// first.
func TestCloseWriteThatCannotEnd(t *testing.T) {
	// stuck is a stream with a write that the peer does not take and a CloseWrite.
	stuck := func(t *testing.T, l *uv.Loop) (s *uv.TCP, closePeer func(), writes, shuts *[]error) {
		s, peer := peerOf(t, l)
		writes, shuts = new([]error), new([]error)
		require.NoError(t, s.Write(make([]byte, 16<<20), func(err error) { *writes = append(*writes, err) }))
		require.NoError(t, s.CloseWrite(func(err error) { *shuts = append(*shuts, err) }))
		require.NoError(t, l.Poll(0))
		require.Empty(t, *shuts)
		return s, func() { peer.SetLinger(0); peer.Close() }, writes, shuts
	}
	once := func(t *testing.T, errs []error, codes ...error) {
		t.Helper()
		require.Len(t, errs, 1)
		for _, code := range codes {
			if uv.Errno(0) != code && errs[0] != nil && errs[0].(*uv.Error).Errno.Is(code) {
				return
			}
		}
		require.Fail(t, "another error", "%v", errs[0])
	}
	t.Run("the peer is gone", func(t *testing.T) {
		l := newLoop(t)
		_, closePeer, writes, shuts := stuck(t, l)
		closePeer()
		require.False(t, run(t, l, uv.RunDefault))
		once(t, *writes, syscall.ECONNRESET, syscall.EPIPE)
		once(t, *shuts, context.Canceled)
	})
	t.Run("closed", func(t *testing.T) {
		l := newLoop(t)
		s, _, writes, shuts := stuck(t, l)
		s.Close()
		require.False(t, run(t, l, uv.RunDefault))
		once(t, *writes, context.Canceled)
		once(t, *shuts, context.Canceled)
	})
	t.Run("aborted", func(t *testing.T) {
		l := newLoop(t)
		s, _, writes, shuts := stuck(t, l)
		s.Abort()
		require.False(t, run(t, l, uv.RunDefault))
		once(t, *writes, context.Canceled)
		once(t, *shuts, context.Canceled)
	})
	t.Run("reset with a write", func(t *testing.T) {
		l := newLoop(t)
		s, _ := peerOf(t, l)
		var writes []error
		require.NoError(t, s.Write(make([]byte, 16<<20), func(err error) { writes = append(writes, err) }))
		require.NoError(t, s.CloseReset(nil))
		require.False(t, run(t, l, uv.RunDefault))
		once(t, writes, context.Canceled)
	})
	t.Run("the write fails in the same flush", func(t *testing.T) {
		l := newLoop(t)
		s, peer := peerOf(t, l)
		peer.SetLinger(0)
		peer.Close()
		var writes, shuts []error
		for range 2 { // the first one may still leave
			if s.Write([]byte("x"), func(err error) { writes = append(writes, err) }) == nil {
				require.NoError(t, s.Flush())
			}
		}
		require.NoError(t, s.Write([]byte("x"), func(err error) { writes = append(writes, err) }))
		require.NoError(t, s.CloseWrite(func(err error) { shuts = append(shuts, err) }))
		require.False(t, run(t, l, uv.RunDefault))
		require.Len(t, writes, 3)
		require.Len(t, shuts, 1)
		require.Error(t, shuts[0])
	})
	for name, end := range map[string]func(*uv.TCP){"refused": func(*uv.TCP) {}, "closed while it connects": (*uv.TCP).Close} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t)
			c := newTCP(t, l)
			var connects, writes, shuts []error
			require.NoError(t, c.Connect(nobody(t, l), func(err error) { connects = append(connects, err) }))
			require.NoError(t, c.Write([]byte("x"), func(err error) { writes = append(writes, err) }))
			require.NoError(t, c.CloseWrite(func(err error) { shuts = append(shuts, err) }))
			end(c)
			require.False(t, run(t, l, uv.RunDefault))
			once(t, connects, syscall.ECONNREFUSED, context.Canceled)
			once(t, writes, context.Canceled)
			once(t, shuts, context.Canceled)
		})
	}
	t.Run("a pipe closed while it connects", func(t *testing.T) {
		l := newLoop(t)
		ln, c := newPipe(t, l), newPipe(t, l)
		path := shortDir(t) + "/socket"
		require.NoError(t, ln.Bind(path))
		require.NoError(t, ln.Listen(8, func(*uv.Pipe, error) {}))
		var connects []error
		require.NoError(t, c.Connect(path, func(err error) { connects = append(connects, err) }))
		require.True(t, c.IsActive())
		c.Close()
		ln.Close()
		require.False(t, run(t, l, uv.RunDefault))
		once(t, connects, context.Canceled)
	})
	t.Run("the connect's callback panics", func(t *testing.T) {
		l := newLoop(t)
		c := newTCP(t, l)
		var writes, shuts []error
		require.NoError(t, c.Connect(nobody(t, l), func(err error) { panic("in the callback") }))
		require.NoError(t, c.Write([]byte("x"), func(err error) { writes = append(writes, err) }))
		require.NoError(t, c.CloseWrite(func(err error) { shuts = append(shuts, err) }))
		require.PanicsWithValue(t, "in the callback", func() { run(t, l, uv.RunDefault) })
		require.False(t, run(t, l, uv.RunDefault))
		once(t, writes, context.Canceled)
		once(t, shuts, context.Canceled)
	})
	t.Run("a second connect's writes are its own", func(t *testing.T) {
		l := newLoop(t)
		ln, c := newPipe(t, l), newPipe(t, l)
		path := shortDir(t) + "/socket"
		require.NoError(t, ln.Bind(path))
		require.NoError(t, ln.Listen(8, func(c *uv.Pipe, err error) { require.NoError(t, err) }))
		var first, second, shuts []error
		require.NoError(t, c.Connect(path+"-nobody", func(err error) {
			require.ErrorIs(t, err, syscall.ENOENT)
			require.NoError(t, c.Connect(path, func(error) {}))
			require.NoError(t, c.Write([]byte("y"), func(err error) { second = append(second, err) }))
			require.NoError(t, c.CloseWrite(func(err error) { shuts = append(shuts, err) }))
		}))
		require.NoError(t, c.Write([]byte("x"), func(err error) { first = append(first, err) }))
		require.NoError(t, c.CloseWrite(func(err error) { first = append(first, err) }))
		until(t, l, "all", func() bool { return len(first) == 2 && len(second) == 1 && len(shuts) == 1 })
		require.ErrorIs(t, first[0], context.Canceled)
		require.ErrorIs(t, first[1], context.Canceled)
		require.NoError(t, second[0])
		require.NoError(t, shuts[0])
	})
}
