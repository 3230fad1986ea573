//go:build cgo

package uv_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

func TestAsync(t *testing.T) {
	t.Run("UV-042", func(t *testing.T) { // sends coalesce
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			n := 0
			a, err := l.NewAsync(func() { n++ })
			require.NoError(t, err)
			for range 1000 {
				require.NoError(t, a.Send())
			}
			run(t, l, uv.RunOnce)
			require.Equal(t, 1, n)
			require.NoError(t, a.Send())
			run(t, l, uv.RunOnce)
			require.Equal(t, 2, n)
		})
	})
	t.Run("UV-043", func(t *testing.T) { // sends race with the close
		rounds := 2000
		if testing.Short() {
			rounds = 200
		}
		l := newLoop(t)
		for range rounds {
			a, err := l.NewAsync(func() {})
			require.NoError(t, err)
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					for a.Send() == nil {
					}
				})
			}
			require.NoError(t, l.Poll(0))
			a.Close()
			require.NoError(t, l.Poll(0))
			wg.Wait()
			require.ErrorIs(t, a.Send(), uv.ErrClosed)
		}
	})
	t.Run("a closed one is not called", func(t *testing.T) {
		l := newLoop(t)
		a, err := l.NewAsync(func() { t.Error("called") })
		require.NoError(t, err)
		require.NoError(t, a.Send())
		a.Close()
		require.NoError(t, l.Poll(0))
	})
	t.Run("without a function it wakes the loop", func(t *testing.T) {
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			a, err := l.NewAsync(nil)
			require.NoError(t, err)
			require.True(t, a.IsActive())
			go func() { assert.NoError(t, a.Send()) }()
			run(t, l, uv.RunOnce)
			a.Close()
			require.NoError(t, l.Shutdown(context.Background()))
		})
	})
}
