// Run and Runner: a loop of their own, one main task at a time, and an end that leaves
// nothing behind.
package asyncio_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestRun(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("it returns what main returns and closes the loop", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			var l *asyncio.Loop
			v, err := asyncio.Run(func(ctx context.Context) (int, error) {
				var err error
				l, err = asyncio.GetRunningLoop(ctx)
				return 5, err
			}, opts...)
			require.NoError(t, err)
			require.Equal(t, 5, v)
			require.True(t, l.IsClosed())
			_, err = asyncio.Run(asyncio.Do(func(context.Context) error { return testkit.ErrBoom }), opts...)
			require.Same(t, testkit.ErrBoom, err)
		})
		t.Run("RUN-03", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			main := asyncio.Do(func(context.Context) error { t.Error("the inner main ran"); return nil })
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, err := asyncio.Run(main, opts...)
				require.ErrorIs(t, err, asyncio.ErrLoopRunning)
				asynciotest.Yield(t, ctx, 1)
			})
			var err error
			l.CallSoon(func() { _, err = asyncio.Run(main, opts...) })
			asynciotest.Turn(t, l)
			require.ErrorIs(t, err, asyncio.ErrLoopRunning)
		})
	})
}

func TestRunLeftovers(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("RUN-04", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			const cleanup = 50 * time.Millisecond
			var left *asyncio.Task[asyncio.None]
			var tr asynciotest.Trace
			testkit.Took(t, cleanup, func() {
				v, err := asyncio.Run(func(ctx context.Context) (int, error) {
					left = asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
						err := asyncio.Sleep(ctx, 10*time.Second)
						tr.Addf("cancelled %v", errors.Is(err, asyncio.ErrCancelled))
						require.NoError(t, asyncio.Sleep(ctx, cleanup))
						tr.Add("cleaned up")
						return err
					}))
					asynciotest.Yield(t, ctx, 1)
					return 5, nil
				}, opts...)
				require.NoError(t, err)
				require.Equal(t, 5, v)
			})
			tr.Equal(t, "cancelled true", "cleaned up")
			require.True(t, left.Cancelled())
		})
		t.Run("RUN-05", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			var handler *asynciotest.Reports
			var left *asyncio.Task[asyncio.None]
			v, err := asyncio.Run(func(ctx context.Context) (int, error) {
				l, err := asyncio.GetRunningLoop(ctx)
				require.NoError(t, err)
				handler = asynciotest.RecordReports(l)
				left = asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
					_ = asyncio.Sleep(ctx, 10*time.Second)
					return testkit.ErrBoom
				}))
				asynciotest.Yield(t, ctx, 1)
				return 5, nil
			}, opts...)
			require.NoError(t, err)
			require.Equal(t, 5, v)
			c := handler.One(t)
			require.Contains(t, strings.ToLower(c.Message), "unhandled exception during")
			require.Contains(t, c.Message, "shutdown")
			require.Same(t, left, c.Task)
			require.Same(t, testkit.ErrBoom, c.Exception)
		})
	})
}

func TestRunFails(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-36", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			var tr asynciotest.Trace
			var left *asyncio.Task[asyncio.None]
			_, err := asyncio.Run(func(ctx context.Context) (int, error) {
				left = asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
					defer tr.Mark("finished")()
					return asyncio.Sleep(ctx, 10*time.Second)
				}))
				asynciotest.Yield(t, ctx, 1)
				return 0, testkit.ErrBoom
			}, opts...)
			require.Same(t, testkit.ErrBoom, err)
			tr.Equal(t, "finished")
			require.True(t, left.Cancelled())
		})
		t.Run("what leftover tasks leave is reported and ended", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			var tr asynciotest.Trace
			logged, logger := testkit.RecordLog()
			_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
				asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
					err := asyncio.Sleep(ctx, time.Hour)
					asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
						defer tr.Mark("grandchild ended")()
						return asyncio.Sleep(ctx, time.Hour)
					}), asyncio.WithName("grandchild"))
					asynciotest.Yield(t, ctx, 1)
					return err
				}))
				asynciotest.Yield(t, ctx, 1)
				return nil
			}), append(opts, logger)...)
			require.NoError(t, err)
			tr.Equal(t, "grandchild ended")
			lines := logged.Matching("Task was destroyed but it is pending!")
			require.Len(t, lines, 1)
			require.Contains(t, lines[0], "grandchild")
		})
		t.Run("a main that panics", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			_, err := asyncio.Run(asyncio.Do(func(context.Context) error { panic(testkit.ErrBoom) }), opts...)
			var panicked *asyncio.PanicError
			require.ErrorAs(t, err, &panicked)
			require.Equal(t, testkit.ErrBoom, panicked.Value)
		})
		t.Run("a main that is nil", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			testkit.ErrorSays(t, testkit.PanicError(t, func() { _, _ = asyncio.Run[int](nil, opts...) }), "nil")
		})
		t.Run("Goexit unwinds the run and leaves nothing behind", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			var tr asynciotest.Trace
			testkit.Unwinds(t, func() {
				_, _ = asyncio.Run(asyncio.Do(func(ctx context.Context) error {
					asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
						defer tr.Mark("leftover ended")()
						return asyncio.Sleep(ctx, time.Hour)
					}))
					asynciotest.Yield(t, ctx, 1)
					runtime.Goexit()
					return nil
				}), opts...)
			})
			tr.Equal(t, "leftover ended")
		})
	})
}

func TestRunOptions(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("the end of WithContext's context cancels main", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			base, cancel := context.WithCancel(context.WithValue(context.Background(), testkit.CtxKey("v"), 7))
			defer cancel()
			var value any
			_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
				value = ctx.Value(testkit.CtxKey("v"))
				cancel()
				return asyncio.Sleep(ctx, time.Hour)
			}), append(opts, asyncio.WithContext(base))...)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
			require.Equal(t, 7, value)
		})
		t.Run("every goroutine may have a Run of its own", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			const goroutines = 4
			results := make(chan int, goroutines)
			for i := range goroutines {
				go func() {
					v, err := asyncio.Run(func(ctx context.Context) (int, error) {
						return i, asyncio.Sleep(ctx, 5*time.Millisecond)
					}, opts...)
					if err != nil {
						t.Errorf("Run: %v", err)
					}
					results <- v
				}()
			}
			sum := 0
			for range goroutines {
				sum += <-results
			}
			require.Equal(t, 0+1+2+3, sum)
		})
		t.Run("WithLockedThread", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			var tr asynciotest.Trace
			_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
				task := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
					asynciotest.Yield(t, ctx, 2)
					tr.Add("child")
					return nil
				}))
				asynciotest.Yield(t, ctx, 1)
				_, err := task.Await(ctx)
				tr.Add("main")
				return err
			}), append(opts, asyncio.WithLockedThread())...)
			require.NoError(t, err)
			tr.Equal(t, "child", "main")
		})
	})
}

func TestRunner(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("RUN-06", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			r := asyncio.NewRunner(opts...)
			var loops []*asyncio.Loop
			for range 2 {
				l, err := asyncio.RunIn(r, func(ctx context.Context) (*asyncio.Loop, error) {
					return asyncio.GetRunningLoop(ctx)
				})
				require.NoError(t, err)
				loops = append(loops, l)
			}
			require.Same(t, loops[0], loops[1])
			require.NoError(t, r.Close())
			require.True(t, loops[0].IsClosed())
		})
		t.Run("RUN-14", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			r := asyncio.NewRunner(append(opts, asyncio.WithDebug(true))...)
			made, err := r.Loop()
			require.NoError(t, err)
			require.True(t, made.Debug(), "the options make the loop")
			running, err := asyncio.RunIn(r, func(ctx context.Context) (*asyncio.Loop, error) {
				return asyncio.GetRunningLoop(ctx)
			})
			require.NoError(t, err)
			require.Same(t, made, running)
			require.NoError(t, r.Close())
		})
		t.Run("a task outlives a run and is cancelled at the end", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			r := asyncio.NewRunner(opts...)
			var tr asynciotest.Trace
			task, err := asyncio.RunIn(r, func(ctx context.Context) (*asyncio.Task[asyncio.None], error) {
				return asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
					asynciotest.Yield(t, ctx, 3)
					tr.Add("second run")
					return asyncio.Sleep(ctx, time.Hour)
				})), nil
			})
			require.NoError(t, err)
			require.False(t, task.Done())
			_, err = asyncio.RunIn(r, asyncio.Do(func(ctx context.Context) error { asynciotest.Yield(t, ctx, 5); return nil }))
			require.NoError(t, err)
			tr.Equal(t, "second run")
			require.False(t, task.Done())
			require.NoError(t, r.Close())
			require.True(t, task.Cancelled())
		})
	})
}

func TestRunnerEnds(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a failure of main leaves the runner usable", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			r := asyncio.NewRunner(opts...)
			_, err := asyncio.RunIn(r, asyncio.Do(func(context.Context) error { return testkit.ErrBoom }))
			require.Same(t, testkit.ErrBoom, err)
			v, err := asyncio.RunIn(r, func(context.Context) (int, error) { return 1, nil })
			require.NoError(t, err)
			require.Equal(t, 1, v)
			require.NoError(t, r.Close())
		})
		t.Run("a closed runner", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			for _, used := range []bool{false, true} {
				r := asyncio.NewRunner(opts...)
				if used {
					_, err := asyncio.RunIn(r, asyncio.Do(func(context.Context) error { return nil }))
					require.NoError(t, err)
				}
				require.NoError(t, r.Close())
				require.NoError(t, r.Close())
				_, err := asyncio.RunIn(r, asyncio.Do(func(context.Context) error { t.Error("main ran"); return nil }))
				require.ErrorIs(t, err, asyncio.ErrRunnerClosed)
				_, err = r.Loop()
				require.ErrorIs(t, err, asyncio.ErrRunnerClosed)
			}
		})
		t.Run("RunIn inside its own main", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			r := asyncio.NewRunner(opts...)
			_, err := asyncio.RunIn(r, asyncio.Do(func(context.Context) error {
				_, err := asyncio.RunIn(r, asyncio.Do(func(context.Context) error { t.Error("main ran"); return nil }))
				require.ErrorIs(t, err, asyncio.ErrLoopRunning)
				return nil
			}))
			require.NoError(t, err)
			require.NoError(t, r.Close())
		})
	})
}
