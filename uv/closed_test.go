//go:build cgo

package uv_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// Every method of a closed loop answers, from Go's own memory.
func TestMethodsOfAClosedLoop(t *testing.T) {
	l, err := uv.NewLoop()
	require.NoError(t, err)
	c, err := l.NewTCP()
	require.NoError(t, err)
	timer, err := l.NewTimer()
	require.NoError(t, err)
	a, err := l.NewAsync(func() {})
	require.NoError(t, err)
	require.NoError(t, l.Poll(0))
	require.NoError(t, l.Shutdown(context.Background()))
	now := l.Now()
	var others []*uv.Loop // take the memory over, and change it
	for range 10 {
		o := newLoop(t)
		require.NoError(t, o.Poll(2*time.Millisecond))
		o.UpdateTime()
		others = append(others, o)
	}
	for _, o := range others {
		require.NoError(t, o.Poll(0))
	}
	require.Equal(t, now, l.Now())
	l.UpdateTime()
	require.Equal(t, now, l.Now())
	require.False(t, l.Alive())
	require.Zero(t, l.BackendTimeout())
	_, err = l.BackendFD()
	require.ErrorIs(t, err, uv.ErrClosed)
	require.Zero(t, l.Metrics())
	require.Positive(t, l.Clock())
	l.Waited()
	l.SetValue(1)
	require.Equal(t, 1, l.Value())
	l.Wake()
	l.Stop()
	for range l.Handles() {
		require.Fail(t, "a closed loop has no handles")
	}
	l.Walk(func(uv.Handle) { require.Fail(t, "a closed loop has no handles") })
	require.ErrorIs(t, l.Post(func() {}), uv.ErrClosed)
	_, err = l.Run(uv.RunDefault)
	require.ErrorIs(t, err, uv.ErrClosed)
	require.ErrorIs(t, l.RunForever(context.Background()), uv.ErrClosed)
	require.ErrorIs(t, l.Poll(0), uv.ErrClosed)
	require.ErrorIs(t, l.Shutdown(context.Background()), uv.ErrClosed)
	for _, err := range []error{second(l.NewTCP()), second(l.NewPipe()), second(l.NewTimer()), second(l.NewAsync(nil)), second(l.NewIdle()), second(l.NewPrepare()), second(l.NewCheck())} {
		require.ErrorIs(t, err, uv.ErrClosed)
	}
	for _, h := range []uv.Handle{c, timer, a} {
		h.Ref()
		h.Unref()
		h.HasRef()
		h.Close()
		require.False(t, h.IsActive())
		require.True(t, h.IsClosing())
	}
	require.False(t, c.IsReadable())
	require.False(t, c.IsWritable())
	require.Zero(t, c.WriteQueueSize())
	require.ErrorIs(t, a.Send(), uv.ErrClosed)
	require.Zero(t, timer.DueIn())
	require.ErrorIs(t, c.Flush(), uv.ErrClosed)
	require.Zero(t, c.Pull(make([]byte, 1)))
}

func second[T any](_ T, err error) error { return err }
