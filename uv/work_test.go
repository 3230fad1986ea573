//go:build cgo

package uv_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// occupy takes all places for work, and returns what frees them again.
func occupy(t testing.TB, l *uv.Loop) (free func()) {
	t.Helper()
	return occupySome(t, l, uv.ThreadPoolSize())
}

func occupySome(t testing.TB, l *uv.Loop, n int) (free func()) {
	t.Helper()
	gate := make(chan struct{})
	var begun sync.WaitGroup
	for range n {
		begun.Add(1)
		_, err := l.QueueWork(func() { begun.Done(); <-gate }, nil)
		require.NoError(t, err)
	}
	begun.Wait()
	return sync.OnceFunc(func() { close(gate) })
}

func TestQueueWork(t *testing.T) {
	t.Run("runs beside the loop", func(t *testing.T) {
		l := newLoop(t, uv.WithChecks())
		here, ran := make(chan struct{}), false
		told := 0
		r, err := l.QueueWork(func() { <-here; ran = true }, func(err error) {
			require.NoError(t, err)
			require.True(t, ran)
			told++
		})
		require.NoError(t, err)
		require.Equal(t, uv.WorkReq, r.Type())
		require.Equal(t, "work", r.Type().String())
		require.True(t, l.Alive())
		require.ErrorIs(t, l.Close(), uv.ErrBusy)
		require.NoError(t, l.Poll(0))
		require.Zero(t, told)
		close(here)
		run(t, l, uv.RunDefault)
		require.Equal(t, 1, told)
		require.ErrorIs(t, r.Cancel(), uv.EBUSY)
		require.False(t, l.Alive())
	})
	t.Run("no more than ThreadPoolSize at a time", func(t *testing.T) {
		loops := []*uv.Loop{newLoop(t), newLoop(t)}
		var running, most, told atomic.Int64
		const works = 200
		for i := range works {
			_, err := loops[i%2].QueueWork(func() {
				n := running.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				runtime.Gosched()
				running.Add(-1)
			}, func(err error) {
				require.NoError(t, err)
				told.Add(1)
			})
			require.NoError(t, err)
		}
		for _, l := range loops {
			run(t, l, uv.RunDefault)
		}
		require.EqualValues(t, works, told.Load())
		require.LessOrEqual(t, most.Load(), int64(uv.ThreadPoolSize()))
		free := occupy(t, loops[0])
		began := false
		_, err := loops[1].QueueWork(func() { began = true }, nil)
		require.NoError(t, err)
		for range 100 {
			runtime.Gosched()
			require.NoError(t, loops[1].Poll(0))
			require.True(t, loops[1].Alive(), "places are the process's")
		}
		free()
		run(t, loops[1], uv.RunDefault)
		require.True(t, began)
		run(t, loops[0], uv.RunDefault)
	})
	t.Run("begins in order", func(t *testing.T) {
		l := newLoop(t)
		freeOthers := occupySome(t, l, uv.ThreadPoolSize()-1)
		free := occupySome(t, l, 1)
		var order, want []int
		left := 50
		for i := range left {
			want = append(want, i)
			_, err := l.QueueWork(func() { order = append(order, i) }, func(error) { left-- })
			require.NoError(t, err)
		}
		free()
		until(t, l, "the work", func() bool { return left == 0 })
		require.Equal(t, want, order, "one after another")
		freeOthers()
		run(t, l, uv.RunDefault)
	})
	t.Run("cancelling what waits", func(t *testing.T) {
		l := newLoop(t)
		free := occupy(t, l)
		defer free()
		ran, told := 0, 0
		var all []*uv.Req
		for range 100 {
			r, err := l.QueueWork(func() { ran++ }, func(err error) {
				require.ErrorIs(t, err, uv.ECANCELED)
				require.ErrorIs(t, err, context.Canceled)
				told++
			})
			require.NoError(t, err)
			all = append(all, r)
		}
		for _, r := range all {
			require.NoError(t, r.Cancel())
			require.NoError(t, r.Cancel(), "once more")
		}
		require.Zero(t, told, "told inside the call")
		require.NoError(t, l.Poll(0))
		require.Equal(t, 100, told)
		for _, r := range all {
			require.ErrorIs(t, r.Cancel(), uv.EBUSY)
		}
		free()
		run(t, l, uv.RunDefault)
		require.Zero(t, ran)
		require.Equal(t, 100, told)
	})
	t.Run("cancelling what runs", func(t *testing.T) {
		l := newLoop(t)
		begun, gate := make(chan struct{}), make(chan struct{})
		var failure error = uv.UNKNOWN
		r, err := l.QueueWork(func() { close(begun); <-gate }, func(err error) { failure = err })
		require.NoError(t, err)
		<-begun
		require.ErrorIs(t, r.Cancel(), uv.EBUSY)
		close(gate)
		run(t, l, uv.RunDefault)
		require.NoError(t, failure)
	})
	t.Run("contexts", func(t *testing.T) {
		l := newLoop(t)
		boom := errors.New("boom")
		ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), t, "value"))
		begun, heeded := make(chan struct{}), false
		calls := 0
		_, err := l.QueueWorkContext(ctx, func(ctx context.Context) {
			if ctx.Value(t) != "value" {
				panic("another context")
			}
			close(begun)
			<-ctx.Done()
			heeded = context.Cause(ctx) == boom
		}, func(err error) {
			require.Equal(t, boom, err)
			calls++
		})
		require.NoError(t, err)
		<-begun
		cancel(boom)
		run(t, l, uv.RunDefault)
		require.Equal(t, 1, calls)
		require.True(t, heeded, "the loop was kept until the work was over")
		_, err = l.QueueWorkContext(ctx, func(context.Context) {}, nil)
		require.Equal(t, boom, err)

		free := occupy(t, l)
		ctx, cancel = context.WithCancelCause(t.Context())
		_, err = l.QueueWorkContext(ctx, func(context.Context) { panic("runs") }, func(err error) {
			require.Equal(t, boom, err)
			calls++
		})
		require.NoError(t, err)
		cancel(boom)
		until(t, l, "the context's end", func() bool { return calls == 2 })
		free()
		run(t, l, uv.RunDefault)
		require.Equal(t, 2, calls)
	})
	t.Run("a panic comes up in the turn", func(t *testing.T) {
		l := newLoop(t)
		told := 0
		for _, value := range []any{"boom", errors.New("boom"), nil} {
			_, err := l.QueueWork(func() { panic(value) }, func(error) { t.Error("told") })
			require.NoError(t, err)
		}
		_, err := l.QueueWork(func() {}, func(error) { told++ })
		require.NoError(t, err)
		var got []string
		for l.Alive() {
			func() {
				defer func() {
					if v := recover(); v != nil {
						got = append(got, fmt.Sprint(v))
					}
				}()
				_, err := l.Run(uv.RunDefault)
				require.NoError(t, err)
			}()
		}
		require.ElementsMatch(t, []string{"boom", "boom", new(runtime.PanicNilError).Error()}, got)
		require.Equal(t, 1, told)
		require.NoError(t, l.Close(), "nothing is left")
	})
	t.Run("a panic that comes late", func(t *testing.T) {
		l := newLoop(t)
		ctx, cancel := context.WithCancel(t.Context())
		begun, gate, told := make(chan struct{}), make(chan struct{}), 0
		_, err := l.QueueWorkContext(ctx, func(context.Context) { close(begun); <-gate; panic("boom") }, func(error) { told++ })
		require.NoError(t, err)
		<-begun
		cancel()
		until(t, l, "the context's end", func() bool { return told == 1 })
		close(gate)
		require.PanicsWithValue(t, "boom", func() { run(t, l, uv.RunDefault) })
		require.Equal(t, 1, told)
	})
	t.Run("work that ends its goroutine", func(t *testing.T) {
		l := newLoop(t)
		_, err := l.QueueWork(runtime.Goexit, func(error) { t.Error("told") })
		require.NoError(t, err)
		ended := make(chan bool)
		go func() {
			returned := false
			defer func() { ended <- !returned }()
			_, _ = l.Run(uv.RunDefault)
			returned = true
		}()
		require.True(t, <-ended)
		told := false
		_, err = l.QueueWork(func() {}, func(err error) { told = err == nil })
		require.NoError(t, err)
		run(t, l, uv.RunDefault)
		require.True(t, told)
	})
	t.Run("shutdown", func(t *testing.T) {
		l := newLoop(t)
		free := occupy(t, l)
		told := 0
		for range 10 {
			_, err := l.QueueWork(func() { t.Error("runs") }, func(err error) {
				require.ErrorIs(t, err, uv.ECANCELED)
				told++
			})
			require.NoError(t, err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, l.Shutdown(ended), context.Canceled, "work that runs is waited for")
		free()
		require.NoError(t, l.Shutdown(t.Context()))
		require.Equal(t, 10, told)
		_, err := l.QueueWork(func() {}, nil)
		require.ErrorIs(t, err, uv.ErrClosed)
	})
	t.Run("refused", func(t *testing.T) {
		l := newLoop(t)
		_, err := l.QueueWork(nil, nil)
		require.ErrorIs(t, err, uv.EINVAL)
		_, err = l.QueueWorkContext(t.Context(), nil, nil)
		require.ErrorIs(t, err, uv.EINVAL)
		require.False(t, l.Alive())
	})
	t.Run("the number of places stays", func(t *testing.T) { require.Equal(t, "2 at a time\n", inChild(t, "places")) })
}

// childPlaces counts the functions that run at a time, and begins no thread of libuv's.
func childPlaces() error {
	if err := uv.SetThreadPoolSize(2); err != nil {
		return err
	}
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	begun, gate := make(chan struct{}, 10), make(chan struct{})
	for range 5 {
		if _, err := l.QueueWork(func() { begun <- struct{}{}; <-gate }, nil); err != nil {
			return err
		}
	}
	<-begun
	<-begun
	if err := uv.SetThreadPoolSize(4); !errors.Is(err, uv.EBUSY) {
		return fmt.Errorf("the size was set: %v", err)
	}
	if blocked := blockedThreads(); blocked > 1 { // Go makes threads so, for a moment
		return fmt.Errorf("%d threads of libuv's", blocked)
	}
	fmt.Println(2+len(begun), "at a time")
	close(gate)
	return l.Shutdown(context.Background())
}
