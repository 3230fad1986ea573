// Goroutines that are no tasks: they start coroutines on a loop, await futures of it, and
// do blocking work for it.
package asyncio_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// idle waits, from another goroutine, until the loop has run n turns, and returns how
// many tasks it has then.
func idle(t *testing.T, l *asyncio.Loop, n int) int {
	t.Helper()
	tasks, err := asyncio.RunCoroutineThreadsafe(l, asyncio.Coro[int](func(ctx context.Context) (int, error) {
		err := testkit.Suspend(ctx, n)
		return len(asyncio.AllTasks(l)) - 1, err // without this one
	})).Result(context.Background())
	assert.NoError(t, err)
	return tasks
}

// askedContext calls a function when it is asked for a value, as context.Cause does.
type askedContext struct {
	context.Context
	asked func()
}

func (c askedContext) Value(key any) any {
	c.asked()
	return c.Context.Value(key)
}

func TestThreadsRunCoroutine(t *testing.T) {
	background := context.Background()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("THR-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			add := func(a, b int) asyncio.Coro[int] {
				return func(ctx context.Context) (int, error) { return a + b, asyncio.Sleep(ctx, 50*time.Millisecond) }
			}
			testkit.Besides(t, l, func() {
				start := time.Now()
				v, err := asyncio.RunCoroutineThreadsafe(l, add(1, 2)).Result(background)
				assert.NoError(t, err)
				assert.Equal(t, 3, v)
				assert.GreaterOrEqual(t, time.Since(start), 50*time.Millisecond)

				_, err = asyncio.RunCoroutineThreadsafe(l, testkit.Failing[int](testkit.ErrBoom, 1)).Result(background)
				assert.Same(t, testkit.ErrBoom, err)

				f := asyncio.RunCoroutineThreadsafe(l, asyncio.Do(testkit.SleepsLong))
				expired, cancel := context.WithTimeout(background, 0)
				_, err = f.Result(expired)
				cancel()
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.False(t, f.Cancelled(), "giving up the wait does not cancel")
				assert.True(t, f.Cancel())
				assert.Equal(t, 0, idle(t, l, 3), "no task is left")
			})
		})
		t.Run("THR-02", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			testkit.Besides(t, l, func() {
				started := make(chan asyncio.AnyTask, 1)
				f := asyncio.RunCoroutineThreadsafe(l, asyncio.Do(func(ctx context.Context) error {
					started <- asyncio.CurrentTask(ctx)
					return testkit.SleepsLong(ctx)
				}))
				task := <-started
				assert.True(t, f.Cancel())
				assert.True(t, f.Cancelled())
				_, err := f.Result(background)
				assert.ErrorIs(t, err, asyncio.ErrCancelled)
				<-f.Done()
				_, err = asyncio.RunCoroutineThreadsafe(l, asyncio.Do(func(ctx context.Context) error {
					assert.NoError(t, testkit.Suspend(ctx, 3))
					assert.True(t, task.Cancelled())
					return nil
				})).Result(background)
				assert.NoError(t, err)
				assert.False(t, f.Cancel(), "it is done")

				f = asyncio.RunCoroutineThreadsafe(l, asyncio.Do(func(ctx context.Context) error {
					asyncio.CurrentTask(ctx).Cancel("self")
					return asyncio.Sleep(ctx, time.Hour)
				}))
				_, err = f.Result(background)
				assert.ErrorIs(t, err, asyncio.ErrCancelled)
				assert.True(t, f.Cancelled())
			})
		})
		t.Run("THR-04", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			require.Error(t, testkit.PanicError(t, func() { asyncio.RunCoroutineThreadsafe[int](l, nil) }))
			require.NoError(t, l.Close())
			ran := false
			f := asyncio.RunCoroutineThreadsafe(l, asyncio.Coro[int](func(context.Context) (int, error) { ran = true; return 0, nil }))
			<-f.Done()
			_, err := f.Result(background)
			require.ErrorIs(t, err, asyncio.ErrLoopClosed)
			require.False(t, ran)
			require.False(t, f.Cancel())
		})
		t.Run("a loop that is closed before it ran the coroutine fails it", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			ran := false
			f := asyncio.RunCoroutineThreadsafe(l, asyncio.Coro[int](func(context.Context) (int, error) { ran = true; return 0, nil }))
			require.NoError(t, l.Close())
			_, err := f.Result(background)
			require.Error(t, err, "whoever waits must not wait for ever")
			require.False(t, ran)
		})
		t.Run("a panic of the coroutine is its error", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			testkit.Besides(t, l, func() {
				_, err := asyncio.RunCoroutineThreadsafe(l, asyncio.Do(func(context.Context) error { panic("body") })).Result(background)
				var p *asyncio.PanicError
				if assert.ErrorAs(t, err, &p) {
					assert.Equal(t, "body", p.Value)
				}
			})
		})
		t.Run("a failure that comes with the end of the context is seen or reported", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			rec := asynciotest.RecordReports(l)
			gate := asyncio.NewFuture[int](l)
			f := asyncio.RunCoroutineThreadsafe(l, asyncio.Do(func(ctx context.Context) error {
				_, err := gate.Await(ctx)
				return errors.Join(err, testkit.ErrBoom)
			}))
			ended, end := context.WithCancel(background)
			end()
			testkit.Besides(t, l, func() {
				_, err := f.Result(askedContext{ended, func() {
					_, err := l.CallSoonThreadsafe(func() { _ = gate.SetResult(1) })
					assert.NoError(t, err)
					<-f.Done()
				}})
				assert.ErrorIs(t, err, context.Canceled)
			})
			f = nil
			require.NoError(t, l.Close())
			require.ErrorIs(t, rec.One(t).Exception, testkit.ErrBoom)
		})
		t.Run("from many goroutines at once", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			const goroutines, calls = 8, 100
			var sum atomic.Int64
			testkit.Besides(t, l, func() {
				var wg sync.WaitGroup
				for range goroutines {
					wg.Go(func() {
						for i := range calls {
							v, err := asyncio.RunCoroutineThreadsafe(l, testkit.Returning(i, i%2)).Result(background)
							assert.NoError(t, err)
							sum.Add(int64(v))
						}
					})
				}
				wg.Wait()
			})
			require.EqualValues(t, goroutines*calls*(calls-1)/2, sum.Load())
		})
		t.Run("a cancellation before the coroutine started", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			ran := false
			f := asyncio.RunCoroutineThreadsafe(l, asyncio.Do(func(context.Context) error { ran = true; return nil }))
			require.True(t, f.Cancel())
			asynciotest.Turns(t, l, 4)
			require.False(t, ran)
			require.Empty(t, asyncio.AllTasks(l))
			_, err := f.Result(background)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
		})
	})
}

func TestThreadsCallSoon(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("every call that returned nil runs exactly once, in order for each goroutine", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			const goroutines, calls = 8, 1000
			var got [goroutines][]int
			testkit.Besides(t, l, func() {
				var wg sync.WaitGroup
				for g := range goroutines {
					wg.Go(func() {
						for i := range calls {
							_, err := l.CallSoonThreadsafe(func() { got[g] = append(got[g], i) })
							assert.NoError(t, err)
						}
					})
				}
				wg.Wait()
			})
			for g := range got {
				require.Len(t, got[g], calls)
				for i, v := range got[g] {
					require.Equal(t, i, v)
				}
			}
		})
		t.Run("it wakes a loop that waits for nothing else", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			testkit.Besides(t, l, func() {
				for range 50 {
					ran := make(chan struct{})
					_, err := l.CallSoonThreadsafe(func() { close(ran) })
					assert.NoError(t, err)
					<-ran
				}
			})
		})
		t.Run("a closed loop refuses", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			require.NoError(t, l.Close())
			testkit.OnGoroutine(func() {
				h, err := l.CallSoonThreadsafe(func() { t.Error("it ran") })
				assert.ErrorIs(t, err, asyncio.ErrLoopClosed)
				assert.Nil(t, h)
			})
		})
		t.Run("closing races with calls: refused or queued, never lost in between", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var accepted, ran atomic.Int64
			inFlight := make(chan struct{}, 64) // a faster producer would make every turn longer than the one before
			closed, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					select {
					case inFlight <- struct{}{}:
					case <-closed:
					}
					if _, err := l.CallSoonThreadsafe(func() { ran.Add(1); <-inFlight }); err != nil {
						assert.ErrorIs(t, err, asyncio.ErrLoopClosed)
						return
					}
					accepted.Add(1)
				}
			}()
			asynciotest.Turns(t, l, 100)
			require.NoError(t, l.Close())
			close(closed)
			<-stopped
			require.LessOrEqual(t, ran.Load(), accepted.Load())
		})
	})
}

func TestThreadsAwait(t *testing.T) {
	background := context.Background()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a goroutine awaits a future, a task and a coroutine", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			tk := asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) {
				v, err := f.Await(ctx)
				return v + 1, err
			})
			testkit.Besides(t, l, func() {
				_, err := l.CallSoonThreadsafe(func() { f.SetResult(1) })
				assert.NoError(t, err)
				v, err := f.Await(background)
				assert.NoError(t, err)
				assert.Equal(t, 1, v)
				v, err = tk.Await(background)
				assert.NoError(t, err)
				assert.Equal(t, 2, v)
				v, err = tk.Await(background)
				assert.NoError(t, err, "a done one, too")
				assert.Equal(t, 2, v)
				v, err = asyncio.Coro[int](func(context.Context) (int, error) { return 3, nil }).Await(background)
				assert.NoError(t, err)
				assert.Equal(t, 3, v)
			})
		})
		t.Run("a failure and a cancellation come through", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			rec := asynciotest.RecordReports(l)
			f, g := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
			testkit.Besides(t, l, func() {
				_, err := l.CallSoonThreadsafe(func() { f.SetException(testkit.ErrBoom); g.Cancel("m") })
				assert.NoError(t, err)
				_, err = f.Await(background)
				assert.Same(t, testkit.ErrBoom, err)
				_, err = g.Await(background)
				assert.ErrorIs(t, err, asyncio.ErrCancelled)
			})
			rec.None(t)
		})
		t.Run("the goroutine's context ends its wait and leaves the future alone", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			testkit.Besides(t, l, func() {
				ctx, cancel := context.WithCancelCause(background)
				cancel(testkit.ErrBoom)
				_, err := f.Await(ctx)
				assert.ErrorIs(t, err, testkit.ErrBoom)
				ctx, stop := context.WithTimeout(background, 10*time.Millisecond)
				defer stop()
				_, err = f.Await(ctx)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
			})
			require.False(t, f.Done())
			require.NoError(t, f.SetResult(1))
			asynciotest.Turn(t, l)
		})
		t.Run("WaitFor limits the wait of a goroutine", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			testkit.Besides(t, l, func() {
				_, err := asyncio.WaitFor(background, f, testkit.Soon)
				assert.ErrorIs(t, err, asyncio.ErrTimeout)
				_, err = l.CallSoonThreadsafe(func() { f.SetResult(2) })
				assert.NoError(t, err)
				v, err := asyncio.WaitFor(background, f, time.Hour)
				assert.NoError(t, err)
				assert.Equal(t, 2, v)
			})
		})
		t.Run("a result that is there is readable after the loop was closed", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f, pending := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
			require.NoError(t, f.SetResult(1))
			require.NoError(t, l.Close())
			testkit.OnGoroutine(func() {
				v, err := f.Await(background)
				assert.NoError(t, err)
				assert.Equal(t, 1, v)
				_, err = pending.Await(background)
				assert.ErrorIs(t, err, asyncio.ErrLoopClosed)
			})
		})
		t.Run("a callback of the loop cannot wait, and is told so", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			l.CallSoon(func() {
				_, err := f.Await(background)
				require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
				_, err = asyncio.RunCoroutineThreadsafe(l, testkit.Returning(1, 0)).Result(background)
				require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			})
			asynciotest.Turns(t, l, 3)
		})
		t.Run("many goroutines await one future", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			var sum atomic.Int64
			testkit.Besides(t, l, func() {
				var wg sync.WaitGroup
				for range 20 {
					wg.Go(func() {
						v, err := f.Await(background)
						assert.NoError(t, err)
						sum.Add(int64(v))
					})
				}
				_, err := l.CallSoonThreadsafe(func() { f.SetResult(5) })
				assert.NoError(t, err)
				wg.Wait()
			})
			require.EqualValues(t, 100, sum.Load())
		})
	})
}

func TestThreadsToThread(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("it brings result, error and panic back, and the loop turns meanwhile", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				turned := make(chan struct{})
				l.CallLater(time.Millisecond, func() { close(turned) })
				v, err := asyncio.ToThread(ctx, func(context.Context) (int, error) {
					<-turned
					return 7, nil
				})
				require.NoError(t, err)
				require.Equal(t, 7, v)
				_, err = asyncio.ToThread(ctx, func(context.Context) (int, error) { return 0, testkit.ErrBoom })
				require.Same(t, testkit.ErrBoom, err)
				_, err = asyncio.ToThread(ctx, func(context.Context) (int, error) { panic("worker") })
				var p *asyncio.PanicError
				require.ErrorAs(t, err, &p)
				require.Equal(t, "worker", p.Value)
			})
		})
		t.Run("the function sees the values of the caller's context", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				ctx = context.WithValue(ctx, testkit.CtxKey("k"), 3)
				v, err := asyncio.ToThread(ctx, func(ctx context.Context) (any, error) { return ctx.Value(testkit.CtxKey("k")), nil })
				require.NoError(t, err)
				require.Equal(t, 3, v)
			})
		})
		t.Run("a cancelled await returns at once and ends the function's context", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				running, gate, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
				tk := testkit.Start(ctx, func(ctx context.Context) error {
					_, err := asyncio.ToThread(ctx, func(ctx context.Context) (int, error) {
						close(running)
						<-ctx.Done()
						<-gate // it does not stop for that
						ended <- ctx.Err()
						return 0, nil
					})
					return err
				})
				asynciotest.Yield(t, ctx, 1)
				<-running
				tk.Cancel("stop")
				_, err := tk.Await(ctx)
				testkit.WantCancelled(t, err, "stop")
				require.True(t, tk.Cancelled(), "although the function still runs")
				close(gate)
				require.ErrorIs(t, <-ended, context.Canceled)
			})
		})
		t.Run("a task that swallowed a cancellation can still use threads in a new scope", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				testkit.WantTimeout(t, asyncio.Timeout(ctx, 0, testkit.SleepsLong))
				v, err := asyncio.ToThread(ctx, func(ctx context.Context) (int, error) { return 1, ctx.Err() })
				require.NoError(t, err)
				require.Equal(t, 1, v)
			})
		})
		t.Run("RunInExecutor: a cancelled future does not stop the work", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				running, gate, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
				f := asyncio.RunInExecutor(ctx, nil, func() (int, error) {
					close(running)
					<-gate
					close(ended)
					return 1, nil
				})
				<-running
				require.True(t, f.Cancel())
				require.True(t, f.Cancelled())
				close(gate)
				<-ended
				asynciotest.Yield(t, ctx, 2)
				_, err := f.Result()
				require.ErrorIs(t, err, asyncio.ErrCancelled)
			})
		})
	})
}

func TestThreadsWrapFuture(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("cancelling either side cancels the other", func(t *testing.T) {
			here, there := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			far := testkit.Start(there.Context(), testkit.SleepsLong)
			asynciotest.Turn(t, there)
			concurrent := asyncio.RunCoroutineThreadsafe(there, asyncio.Do(func(ctx context.Context) error {
				_, err := far.Await(ctx)
				return err
			}))
			asynciotest.Turns(t, there, 3)
			near := asyncio.WrapFuture(here.Context(), concurrent)
			require.True(t, near.Cancel())
			asynciotest.Turn(t, here)
			require.True(t, concurrent.Cancelled())
			asynciotest.Turns(t, there, 4)
			require.True(t, far.Cancelled())

			concurrent = asyncio.RunCoroutineThreadsafe(there, asyncio.Do(testkit.SleepsLong))
			near = asyncio.WrapFuture(here.Context(), concurrent)
			require.True(t, concurrent.Cancel())
			_, err := asyncio.RunUntilComplete[asyncio.None](here, near)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
			require.True(t, near.Cancelled())
			asynciotest.Turns(t, there, 4)
			require.Empty(t, asyncio.AllTasks(there))
		})
		t.Run("a task of one loop awaits a coroutine of another", func(t *testing.T) {
			here, there := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			testkit.Besides(t, there, func() {
				_, err := asyncio.RunUntilComplete(here, asyncio.Do(func(ctx context.Context) error {
					v, err := asyncio.WrapFuture(ctx, asyncio.RunCoroutineThreadsafe(there, testkit.Returning(6, 2))).Await(ctx)
					assert.NoError(t, err)
					assert.Equal(t, 6, v)
					_, err = asyncio.WrapFuture(ctx, asyncio.RunCoroutineThreadsafe(there, testkit.Failing[int](testkit.ErrBoom, 1))).Await(ctx)
					assert.True(t, errors.Is(err, testkit.ErrBoom))
					return nil
				}))
				assert.NoError(t, err)
			})
		})
	})
}
