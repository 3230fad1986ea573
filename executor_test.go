// Executors: functions that block, on goroutines of their own.
package asyncio_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestExecutor(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("EXE-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				v, err := asyncio.RunInExecutor(ctx, nil, func() (string, error) { return "got a", nil }).Await(ctx)
				require.NoError(t, err)
				require.Equal(t, "got a", v)
				_, err = asyncio.RunInExecutor(ctx, nil, func() (string, error) { return "", testkit.ErrBoom }).Await(ctx)
				require.Same(t, testkit.ErrBoom, err)
				_, err = asyncio.RunInExecutor(ctx, nil, func() (string, error) { panic("worker") }).Await(ctx)
				var p *asyncio.PanicError
				require.ErrorAs(t, err, &p)
				_, err = asyncio.RunInExecutor(ctx, nil, func() (string, error) { runtime.Goexit(); return "", nil }).Await(ctx)
				testkit.ErrorSays(t, err, "Goexit")

				ctx = context.WithValue(ctx, testkit.CtxKey("v"), 3)
				seen, err := asyncio.ToThread(ctx, func(ctx context.Context) (any, error) {
					require.Nil(t, asyncio.CurrentTask(ctx), "a thread is no task")
					return ctx.Value(testkit.CtxKey("v")), nil
				})
				require.NoError(t, err)
				require.Equal(t, 3, seen)
			})
		})
		t.Run("EXE-05", func(t *testing.T) {
			const jobs, beat, beatsMin = 200, time.Millisecond, 20
			bound := int64(min(32, runtime.NumCPU()+4))
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var running, most, ended atomic.Int64
				beaten := make(chan struct{}) // while all jobs that run block their threads
				heart := testkit.Start(ctx, func(ctx context.Context) error {
					for running.Load() < bound {
						if err := asyncio.Sleep(ctx, beat); err != nil {
							return err
						}
					}
					for range beatsMin {
						if err := asyncio.Sleep(ctx, beat); err != nil {
							return err
						}
					}
					close(beaten)
					return nil
				})
				var all []asyncio.Awaitable[int]
				for range jobs {
					all = append(all, asyncio.RunInExecutor(ctx, nil, func() (int, error) {
						for n := running.Add(1); ; {
							if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
								break
							}
						}
						defer running.Add(-1)
						<-beaten
						ended.Add(1)
						return 0, nil
					}))
				}
				_, err := asyncio.Gather(ctx, all...).Await(ctx)
				require.NoError(t, err)
				_, err = heart.Await(ctx)
				require.NoError(t, err)
				require.EqualValues(t, jobs, ended.Load())
				require.Equal(t, bound, most.Load())
			})
		})
	})
}

func TestExecutorEnds(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("ShutdownDefaultExecutor waits, and refuses from then on", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				gate := make(chan struct{})
				f := asyncio.RunInExecutor(ctx, nil, func() (int, error) { <-gate; return 1, nil })
				down := asyncio.CreateTask(ctx, asyncio.Do(l.ShutdownDefaultExecutor))
				asynciotest.Yield(t, ctx, 3)
				require.False(t, down.Done())
				close(gate)
				_, err := down.Await(ctx)
				require.NoError(t, err)
				v, err := f.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, 1, v)

				_, err = asyncio.RunInExecutor(ctx, nil, func() (int, error) { return 1, nil }).Await(ctx)
				require.ErrorIs(t, err, asyncio.ErrExecutorShutdown)
				_, err = asyncio.ToThread(ctx, func(context.Context) (int, error) { return 1, nil })
				require.ErrorIs(t, err, asyncio.ErrExecutorShutdown)
				require.NoError(t, l.ShutdownDefaultExecutor(ctx), "again")
			})
		})
		t.Run("a limit ends the wait, not the function", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				gate := make(chan struct{})
				f := asyncio.RunInExecutor(ctx, nil, func() (int, error) { <-gate; return 1, nil })
				limited, cancel := context.WithTimeout(ctx, testkit.Soon)
				defer cancel()
				require.ErrorIs(t, l.ShutdownDefaultExecutor(limited), context.DeadlineExceeded)
				close(gate)
				v, err := f.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, 1, v)
			})
		})
		t.Run("a future that was cancelled in time keeps its function from beginning", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			pool := asyncio.NewThreadPool(1)
			defer pool.Shutdown(true)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				gate := make(chan struct{})
				first := asyncio.RunInExecutor(ctx, pool, func() (int, error) { <-gate; return 1, nil })
				second := asyncio.RunInExecutor(ctx, pool, func() (int, error) { t.Error("it began"); return 2, nil })
				third := asyncio.RunInExecutor(ctx, pool, func() (int, error) { return 3, nil })
				require.True(t, second.Cancel())
				close(gate)
				for want, f := range map[int]*asyncio.Future[int]{1: first, 3: third} {
					v, err := f.Await(ctx)
					require.NoError(t, err)
					require.Equal(t, want, v)
				}
			})
		})
		t.Run("nobody hears of a cancelled future whose loop was closed", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			rec := asynciotest.RecordReports(l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				began, gate := make(chan struct{}), make(chan struct{})
				f := asyncio.RunInExecutor(ctx, nil, func() (int, error) { close(began); <-gate; return 1, nil })
				<-began
				require.True(t, f.Cancel())
				down := asyncio.CreateTask(ctx, asyncio.Do(l.ShutdownDefaultExecutor))
				asynciotest.Yield(t, ctx, 1)
				require.False(t, down.Done(), "the function still runs")
				close(gate)
				_, err := down.Await(ctx)
				require.NoError(t, err)
			})
			require.NoError(t, l.Close())
			rec.None(t)
		})
		t.Run("a pool goes on after a function that ended its goroutine", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			pool := asyncio.NewThreadPool(1)
			ran := make(chan struct{})
			require.NoError(t, pool.Submit(runtime.Goexit))
			require.NoError(t, pool.Submit(func() { close(ran) }))
			<-ran
			pool.Shutdown(true)
			require.ErrorIs(t, pool.Submit(func() {}), asyncio.ErrExecutorShutdown)
		})
		t.Run("misuse", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.NewThreadPool(0) })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { _ = asyncio.NewThreadPool(1).Submit(nil) })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { l.SetDefaultExecutor(nil) })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.RunInExecutor[int](l.Context(), nil, nil) })
			testkit.PanicsWith(t, asyncio.ErrNoRunningLoop, func() {
				asyncio.RunInExecutor(context.Background(), nil, func() (int, error) { return 0, nil })
			})
		})
	})
}
