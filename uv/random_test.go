//go:build cgo

package uv_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

func TestRandom(t *testing.T) {
	t.Run("UV-145", func(t *testing.T) {
		l := newLoop(t)
		seen := map[[32]byte]bool{}
		for range 1000 {
			var p [32]byte
			require.NoError(t, uv.RandomSync(p[:]))
			seen[p] = true
		}
		told := 0
		var all [1000][32]byte
		for i := range all {
			r, err := l.Random(all[i][:], func(err error) {
				require.NoError(t, err)
				told++
			})
			require.NoError(t, err)
			require.Equal(t, uv.RandomReq, r.Type())
			require.Zero(t, told, "told inside the call")
		}
		run(t, l, uv.RunDefault)
		require.Equal(t, len(all), told)
		for _, p := range all {
			seen[p] = true
		}
		require.Len(t, seen, 2000)
		require.NoError(t, uv.RandomSync(nil))
		_, err := l.Random(nil, func(err error) {
			require.NoError(t, err)
			told++
		})
		require.NoError(t, err)
		_, err = l.Random(make([]byte, 1), nil)
		require.NoError(t, err)
		run(t, l, uv.RunDefault)
		require.Equal(t, len(all)+1, told)
	})
	t.Run("all of it", func(t *testing.T) {
		l := newLoop(t)
		for _, p := range [][]byte{make([]byte, 1<<20), make([]byte, 257)} {
			require.NoError(t, uv.RandomSync(p))
			require.NotContains(t, string(p), string(make([]byte, 16)))
			clear(p)
			_, err := l.Random(p[1:len(p)-1], func(err error) { require.NoError(t, err) })
			require.NoError(t, err)
			run(t, l, uv.RunDefault)
			require.NotContains(t, string(p[1:len(p)-1]), string(make([]byte, 16)))
			require.Equal(t, []byte{0, 0}, []byte{p[0], p[len(p)-1]}, "nothing else is written")
		}
	})
	t.Run("too much", func(t *testing.T) {
		if math.MaxInt == math.MaxInt32 {
			t.Skip("a slice cannot be so long")
		}
		l := newLoop(t)
		p, err := syscall.Mmap(-1, 0, 1<<31, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		require.NoError(t, err)
		defer syscall.Munmap(p)
		_, err = l.Random(p, nil)
		require.ErrorIs(t, err, uv.E2BIG)
		require.ErrorIs(t, uv.RandomSync(p), uv.E2BIG)
	})
	t.Run("contexts", func(t *testing.T) {
		l := newLoop(t)
		boom := errors.New("boom")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(boom)
		_, err := l.RandomContext(ctx, nil, nil)
		require.Equal(t, boom, err)
		calls := 0
		for range 200 {
			p := make([]byte, 4096)
			ctx, cancel := context.WithCancelCause(t.Context())
			_, err := l.RandomContext(ctx, p, func(err error) {
				calls++
				zero := bytes.Equal(p, make([]byte, len(p)))
				require.True(t, err == nil && !zero || err == boom && zero, err)
			})
			require.NoError(t, err)
			cancel(boom)
			runtime.Gosched()
		}
		run(t, l, uv.RunDefault)
		require.Equal(t, 200, calls)
	})
	t.Run("closed", func(t *testing.T) {
		l := newLoop(t)
		_, err := l.Random(make([]byte, 8), nil)
		require.NoError(t, err)
		require.ErrorIs(t, l.Close(), uv.ErrBusy)
		require.NoError(t, l.Shutdown(t.Context()))
		_, err = l.Random(make([]byte, 8), nil)
		require.ErrorIs(t, err, uv.ErrClosed)
	})
}
