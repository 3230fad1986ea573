package misuse_test

// Calls that no program should make, or that few think of. None of them may end the
// process, hang, or spoil the loop for what comes after; at worst they panic.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// stillWorks fails the test unless l runs a task that suspends.
func stillWorks(t *testing.T, l *asyncio.Loop) {
	t.Helper()
	asynciotest.InTask(t, l, func(ctx context.Context) {
		v, err := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			return 42, asyncio.Sleep(ctx, time.Microsecond)
		}).Await(ctx)
		require.NoError(t, err)
		require.Equal(t, 42, v)
	})
}

// never is a coroutine that waits for a future that nobody completes.
func never(ctx context.Context) (int, error) {
	l, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return 0, err
	}
	return asyncio.NewFuture[int](l).Await(ctx)
}

// suspended makes a task of l that waits for ever.
func suspended(t *testing.T, l *asyncio.Loop) *asyncio.Task[int] {
	t.Helper()
	task := asyncio.CreateTask(l.Context(), never)
	asynciotest.Turns(t, l, 2)
	return task
}

// onLockedGoroutine runs fn on a goroutine that is locked to its thread.
func onLockedGoroutine(fn func()) {
	testkit.OnGoroutine(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		fn()
	})
}

// The runtime ends the process if coroutines are switched under another lock than the one
// they were made under.
func TestMisuseOfThreadLocks(t *testing.T) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("on this processor locks are not seen")
	}
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a task that locks and awaits", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				runtime.LockOSThread()
				runtime.LockOSThread()
				require.ErrorIs(t, asyncio.Sleep(ctx, 0), asyncio.ErrInvalidState)
				_, err := never(ctx)
				testkit.ErrorSays(t, err, "locked to a thread")
				runtime.UnlockOSThread()
				require.ErrorIs(t, asyncio.Sleep(ctx, 0), asyncio.ErrInvalidState)
				runtime.UnlockOSThread()
				require.NoError(t, asyncio.Sleep(ctx, 0))
			})
		})
		t.Run("a task that ends locked", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				for _, end := range []func() error{
					func() error { return nil },
					func() error { return testkit.ErrBoom },
					func() error { panic(testkit.ErrBoom) },
				} {
					_, err := asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error {
						runtime.LockOSThread()
						runtime.LockOSThread()
						return end()
					})).Await(ctx)
					require.True(t, err == nil || errors.Is(err, testkit.ErrBoom))
				}
			})
			testkit.Unwinds(t, func() {
				_, _ = asyncio.RunUntilComplete(l, asyncio.Do(func(context.Context) error {
					runtime.LockOSThread()
					runtime.Goexit()
					return nil
				}))
			})
			stillWorks(t, l)
		})
		t.Run("a callback that locks", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				for range 3 {
					l.CallSoon(runtime.LockOSThread)
					asynciotest.Yield(t, ctx, 2)
				}
			})
			require.NoError(t, l.Close())
		})
		t.Run("a run that is locked after one that was not", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.RecordReports(l)
			task := suspended(t, l)
			onLockedGoroutine(func() {
				require.ErrorIs(t, l.RunForever(), asyncio.ErrWrongLoop)
				_, err := asyncio.RunUntilComplete(l, task)
				require.ErrorIs(t, err, asyncio.ErrWrongLoop)
				testkit.PanicsWith(t, asyncio.ErrWrongLoop, func() { task.Stack() })
			})
			testkit.OnGoroutine(func() { stillWorks(t, l) })
			onLockedGoroutine(func() { require.NoError(t, l.Close()) })
			require.True(t, task.Done())
			require.ErrorIs(t, task.Exception(), asyncio.ErrLoopClosed)
		})
		t.Run("a run that is not locked after one that was", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.RecordReports(l)
			onLockedGoroutine(func() {
				task := suspended(t, l)
				stillWorks(t, l)
				testkit.OnGoroutine(func() {
					require.ErrorIs(t, l.RunForever(), asyncio.ErrWrongLoop)
					require.ErrorIs(t, l.Close(), asyncio.ErrWrongLoop)
				})
				onLockedGoroutine(func() { require.ErrorIs(t, l.RunForever(), asyncio.ErrWrongLoop) })
				require.False(t, l.IsClosed())
				require.NoError(t, l.Close())
				require.True(t, task.Done())
			})
		})
		t.Run("WithLockedThread and a task that unlocks", func(t *testing.T) {
			testkit.OnGoroutine(func() {
				l, err := asyncio.NewEventLoop(append(opts, asyncio.WithLockedThread())...)
				require.NoError(t, err)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					runtime.UnlockOSThread()
					assert.ErrorIs(t, asyncio.Sleep(ctx, 0), asyncio.ErrInvalidState)
					runtime.LockOSThread()
					assert.NoError(t, asyncio.Sleep(ctx, 0))
				})
				stillWorks(t, l)
				require.NoError(t, l.Close())
			})
		})
		t.Run("WithLockedThread inside a loop", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				_, err := asyncio.Run(never, append(opts, asyncio.WithLockedThread())...)
				require.ErrorIs(t, err, asyncio.ErrLoopRunning)
				require.NoError(t, asyncio.Sleep(ctx, 0))
			})
		})
	})
}

func TestMisuseOfStack(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.RecordReports(l)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			task := asyncio.CreateTask(ctx, never)
			asynciotest.Yield(t, ctx, 2)
			testkit.OnGoroutine(func() { testkit.PanicsWith(t, asyncio.ErrWrongLoop, func() { task.Stack() }) })
			require.Contains(t, task.Stack(), "never")
		})
	})
}

// suspending lists calls that suspend the task of a context.
func suspending(l *asyncio.Loop) map[string]func(ctx context.Context) error {
	f := asyncio.NewFuture[int](l)
	return map[string]func(ctx context.Context) error{
		"Sleep":  func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) },
		"yield":  func(ctx context.Context) error { return asyncio.Sleep(ctx, 0) },
		"Future": func(ctx context.Context) error { _, err := f.Await(ctx); return err },
		"WaitFor": func(ctx context.Context) error {
			_, err := asyncio.WaitFor(ctx, f, time.Hour)
			return err
		},
		"Timeout": func(ctx context.Context) error { return asyncio.Timeout(ctx, time.Hour, nil) },
		"TaskGroup": func(ctx context.Context) error {
			return asyncio.WithTaskGroup(ctx, nil)
		},
		"ToThread": func(ctx context.Context) error {
			_, err := asyncio.ToThread[int](ctx, nil)
			return err
		},
		"Lock":  func(ctx context.Context) error { return asyncio.NewLock().Acquire(ctx) },
		"Event": func(ctx context.Context) error { return asyncio.NewEvent().Wait(ctx) },
		"Queue": func(ctx context.Context) error { _, err := asyncio.NewQueue[int](0).Get(ctx); return err },
	}
}

// Contexts that other goroutines have got hold of are refused there, also under the race
// detector.
func TestMisuseOfContexts(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		refused := func(t *testing.T, ctx context.Context) {
			t.Helper()
			for name, await := range suspending(l) {
				require.ErrorIs(t, await(ctx), asyncio.ErrNotCurrentTask, name)
			}
			require.Nil(t, asyncio.CurrentTask(ctx))
		}
		var captured []context.Context
		elsewhere := func(t *testing.T) {
			t.Helper()
			for _, ctx := range captured {
				testkit.OnGoroutine(func() { refused(t, ctx) })
			}
		}
		asynciotest.InTask(t, l, func(ctx context.Context) {
			task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
				derived := context.WithValue(ctx, testkit.CtxKey("a"), "value")
				return 0, asyncio.Timeout(derived, time.Hour, func(scope context.Context) error {
					captured = []context.Context{ctx, derived, scope, context.WithValue(scope, testkit.CtxKey("a"), "value")}
					elsewhere(t) // while the task runs
					_, err := never(scope)
					return err
				})
			})
			asynciotest.Yield(t, ctx, 2)
			for _, ctx := range captured {
				refused(t, ctx) // in another task, while it is suspended
			}
			elsewhere(t)
			task.Cancel()
			_, err := task.Await(ctx)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
			elsewhere(t) // when it is done
			for _, ctx := range captured {
				refused(t, ctx)
			}

			other := asynciotest.New(t, opts...) // in a task of another loop
			testkit.OnGoroutine(func() {
				asynciotest.InTask(t, other, func(context.Context) {
					for _, ctx := range captured {
						refused(t, ctx)
					}
				})
			})
		})
		l.CallSoon(func() {
			for _, ctx := range captured {
				refused(t, ctx)
			}
			l.Stop()
		})
		require.NoError(t, l.RunForever())
		require.NoError(t, l.Close())
		elsewhere(t)
	})
}

// A scope's deadline may be asked for anywhere, while the task moves it.
func TestMisuseOfDeadlines(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			s := asyncio.NewTimeout(asyncio.Forever)
			require.NoError(t, s.Run(ctx, func(ctx context.Context) error {
				_, limited := ctx.Deadline()
				require.False(t, limited)
				done := make(chan struct{})
				go func() {
					defer close(done)
					for range 1000 {
						if at, limited := ctx.Deadline(); limited {
							assert.Greater(t, time.Until(at), time.Minute)
						}
					}
				}()
				for i := range 1000 {
					if err := s.Reschedule(l.Time() + time.Hour + time.Duration(i)); err != nil {
						return err
					}
				}
				<-done
				return nil
			}))
			require.NoError(t, asyncio.NewTimeoutAt(0).Run(ctx, func(ctx context.Context) error {
				at, limited := ctx.Deadline()
				require.True(t, limited)
				require.Less(t, at, time.Now())
				return nil
			}))
		})
	})
}

func TestMisuseOfNil(t *testing.T) {
	var none context.Context
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			for name, await := range suspending(l) {
				testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { _ = await(none) })
				t.Log(name)
			}
			testkit.PanicsWith(t, asyncio.ErrNoRunningLoop, func() { asyncio.CreateTask(none, never) })
			testkit.PanicsWith(t, asyncio.ErrNoRunningLoop, func() { asyncio.Gather[int](none) })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.WithContext(none) })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.WithEventLoop(none, l) })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { _ = asyncio.NewThreadPool(1).Submit(nil) })
			require.Nil(t, asyncio.CurrentTask(none))
			_, err := asyncio.GetRunningLoop(none)
			require.ErrorIs(t, err, asyncio.ErrNoRunningLoop)
			for _, body := range []func(){ // they open something before they call nil
				func() { _ = asyncio.Timeout(ctx, time.Hour, nil) },
				func() { _, _ = asyncio.WaitFor(ctx, asyncio.Coro[int](nil), time.Hour) },
				func() { _, _ = asyncio.WaitFor[int](ctx, nil, time.Hour) },
			} {
				require.NotNil(t, testkit.Recovered(body))
				require.NoError(t, asyncio.Sleep(ctx, 0))
			}
		})
		stillWorks(t, l)
	})
}

// The zero value of a type that has to be made may panic, and no more.
func TestMisuseOfZeroValues(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		calls := map[string]func(ctx context.Context){
			"Loop": func(context.Context) {
				testkit.OnGoroutine(func() {
					testkit.Recovered(func() { _ = new(asyncio.Loop).RunForever() })
					stillWorks(t, asynciotest.New(t, opts...)) // in the same goroutine
				})
				testkit.Recovered(func() { _ = new(asyncio.Loop).Close() })
				testkit.Recovered(func() { new(asyncio.Loop).CallSoon(func() {}) })
			},
			"Future": func(ctx context.Context) {
				_, err := new(asyncio.Future[int]).Await(ctx)
				require.ErrorIs(t, err, asyncio.ErrWrongLoop)
				testkit.Recovered(func() { new(asyncio.Future[int]).AddDoneCallback(func(*asyncio.Future[int]) {}) })
				testkit.Recovered(func() { _ = new(asyncio.Future[int]).SetException(testkit.ErrBoom) })
				require.True(t, new(asyncio.Future[int]).Cancel())
				require.NoError(t, new(asyncio.Future[int]).SetResult(1))
				testkit.OnGoroutine(func() { testkit.Recovered(func() { _, _ = new(asyncio.Future[int]).Await(context.Background()) }) })
				testkit.PanicsWith(t, asyncio.ErrWrongLoop, func() { asyncio.Gather[int](ctx, new(asyncio.Future[int])) })
				testkit.PanicsWith(t, asyncio.ErrWrongLoop, func() { asyncio.Shield[int](ctx, new(asyncio.Future[int])) })
			},
			"Task": func(ctx context.Context) {
				_, err := new(asyncio.Task[int]).Await(ctx)
				require.ErrorIs(t, err, asyncio.ErrWrongLoop)
				testkit.Recovered(func() { new(asyncio.Task[int]).Cancel() })
				testkit.Recovered(func() { new(asyncio.Task[int]).Stack() })
				testkit.Recovered(func() { _ = asyncio.Sleep(new(asyncio.Task[int]).Context(), 0) })
			},
			"TimeoutScope": func(ctx context.Context) {
				err := new(asyncio.TimeoutScope).Run(ctx, func(ctx context.Context) error { _, err := never(ctx); return err })
				require.ErrorIs(t, err, asyncio.ErrTimeout)
			},
			"Handle":           func(context.Context) { testkit.Recovered(new(asyncio.Handle).Cancel) },
			"TimerHandle":      func(context.Context) { testkit.Recovered(new(asyncio.TimerHandle).Cancel) },
			"ConcurrentFuture": func(context.Context) { testkit.Recovered(func() { new(asyncio.ConcurrentFuture[int]).Cancel() }) },
			"TaskGroup": func(context.Context) {
				testkit.PanicsWith(t, asyncio.ErrGroupClosed, func() { new(asyncio.TaskGroup).Go(func(context.Context) error { return nil }) })
			},
			"Queue":     func(context.Context) { testkit.Recovered(func() { _ = new(asyncio.Queue[int]).PutNowait(1) }) },
			"Condition": func(ctx context.Context) { testkit.Recovered(func() { _ = new(asyncio.Condition).Wait(ctx) }) },
			"Barrier":   func(context.Context) { testkit.Recovered(new(asyncio.Barrier).Abort) },
			"Server":    func(context.Context) { testkit.Recovered(new(asyncio.Server).Close) },
			"StreamReader": func(ctx context.Context) {
				testkit.Recovered(func() { _, _ = new(asyncio.StreamReader).ReadLine(ctx) })
				testkit.Recovered(func() { new(asyncio.StreamReader).FeedData([]byte("x")) })
			},
			"StreamWriter": func(context.Context) {
				testkit.Recovered(func() { _, _ = new(asyncio.StreamWriter).Write([]byte("x")) })
			},
		}
		for name, call := range calls {
			t.Run(name, func(t *testing.T) {
				asynciotest.InTask(t, l, func(ctx context.Context) {
					call(ctx)
					require.NoError(t, asyncio.Sleep(ctx, 0))
				})
				stillWorks(t, l)
			})
		}
		t.Run("Runner", func(t *testing.T) {
			var r asyncio.Runner
			v, err := asyncio.RunIn(&r, func(ctx context.Context) (int, error) { return 7, asyncio.Sleep(ctx, 0) })
			require.NoError(t, err)
			require.Equal(t, 7, v)
			require.NoError(t, r.Close())
		})
	})
}

// A timer may lie as far away as a time.Duration reaches, in either direction.
func TestMisuseOfTime(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		for _, d := range []time.Duration{math.MinInt64, math.MinInt64 + 1, -1, 0} {
			t.Run(fmt.Sprint(d), func(t *testing.T) {
				l.CallAt(d, l.Stop)
				require.NoError(t, l.RunForever())
				l.CallLater(d, l.Stop)
				require.NoError(t, l.RunForever())
				asynciotest.InTask(t, l, func(ctx context.Context) {
					require.NoError(t, asyncio.Sleep(ctx, d))
					wait := func(ctx context.Context) error { _, err := never(ctx); return err }
					require.ErrorIs(t, asyncio.Timeout(ctx, d, wait), asyncio.ErrTimeout)
					require.ErrorIs(t, asyncio.NewTimeoutAt(d).Run(ctx, wait), asyncio.ErrTimeout)
					s := asyncio.NewTimeout(time.Hour)
					require.ErrorIs(t, s.Run(ctx, func(ctx context.Context) error {
						require.NoError(t, s.Reschedule(d))
						return wait(ctx)
					}), asyncio.ErrTimeout)
					_, err := asyncio.WaitFor(ctx, asyncio.Coro[int](never), d)
					require.ErrorIs(t, err, asyncio.ErrTimeout)
					f := asyncio.NewFuture[int](l)
					done, pending, err := asyncio.Wait(ctx, []asyncio.AnyFuture{f}, asyncio.WaitTimeout(d))
					require.NoError(t, err)
					require.Empty(t, done)
					require.Len(t, pending, 1)
				})
			})
		}
		for _, d := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 / 2} {
			t.Run(fmt.Sprint(d), func(t *testing.T) {
				never := func() { t.Error("the end of time") }
				at, later := l.CallAt(d, never), l.CallLater(d, never)
				l.CallLater(2*time.Millisecond, l.Stop) // the loop sleeps with them
				require.NoError(t, l.RunForever())
				at.Cancel()
				later.Cancel()
				asynciotest.InTask(t, l, func(ctx context.Context) {
					require.ErrorIs(t, asyncio.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
						return asyncio.Sleep(ctx, d)
					}), asyncio.ErrTimeout)
					require.NoError(t, asyncio.Timeout(ctx, d, func(ctx context.Context) error {
						return asyncio.Sleep(ctx, time.Microsecond)
					}))
				})
			})
		}
	})
}

// Whoever calls what and when: a call is done or refused.
func TestMisuseFromManyGoroutines(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.VerifyNoLeaks(t)
		for range 20 {
			l, err := asyncio.NewEventLoop(opts...)
			require.NoError(t, err)
			l.SetExceptionHandler(func(*asyncio.Loop, asyncio.ErrorContext) {})
			gate := asyncio.NewFuture[int](l)
			asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) { return gate.Await(ctx) })
			var wg sync.WaitGroup
			try := func(allowed []error, call func() error) {
				wg.Go(func() {
					for range 20 {
						if err := call(); err != nil {
							refused := false
							for _, a := range allowed {
								refused = refused || errors.Is(err, a)
							}
							assert.True(t, refused, "%v", err)
						}
						runtime.Gosched()
					}
				})
			}
			running := []error{asyncio.ErrLoopRunning, asyncio.ErrLoopClosed, asyncio.ErrLoopStopped}
			for range 2 {
				try(running, func() error {
					_, _ = l.CallSoonThreadsafe(l.Stop)
					return l.RunForever()
				})
				try(running, func() error {
					_, _ = l.CallSoonThreadsafe(l.Stop)
					_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error { return asyncio.Sleep(ctx, 0) }))
					return err
				})
				try(running, func() error {
					l.Stats()
					_, err := l.CallSoonThreadsafe(l.Stop)
					return err
				})
			}
			for range 20 {
				l.Stats()
				runtime.Gosched()
			}
			try(running, l.Close)
			stop := make(chan struct{})
			go func() { // whoever runs the loop last is stopped too
				for {
					select {
					case <-stop:
						return
					default:
						_, _ = l.CallSoonThreadsafe(l.Stop)
						runtime.Gosched()
					}
				}
			}()
			wg.Wait()
			close(stop)
			require.NoError(t, l.Close())
		}
	})
}

// Whoever waits in another goroutine gets what there is, and does not wait for ever.
func TestMisuseAcrossGoroutines(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a goroutine awaits a task", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			gate := asyncio.NewFuture[int](l)
			task := asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) { return gate.Await(ctx) })
			asynciotest.Turns(t, l, 2)
			got := make(chan int)
			go func() {
				v, err := task.Await(context.Background())
				assert.NoError(t, err)
				got <- v
			}()
			for before := l.Stats(); ; { // until the call of the other goroutine has run
				asynciotest.Turn(t, l)
				if now := l.Stats(); now.Callbacks-before.Callbacks > now.Turns-before.Turns {
					break
				}
			}
			require.NoError(t, gate.SetResult(7))
			asynciotest.Turns(t, l, 2)
			require.Equal(t, 7, <-got)
		})
		t.Run("the loop is closed before a coroutine begins or ends", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.RecordReports(l)
			begun := asyncio.RunCoroutineThreadsafe(l, never)
			asynciotest.Turns(t, l, 2)
			ready := asyncio.RunCoroutineThreadsafe(l, never)
			asynciotest.Turn(t, l)
			waiting := asyncio.RunCoroutineThreadsafe(l, never)
			wrapped := asynciotest.New(t, opts...)
			w := asyncio.WrapFuture(wrapped.Context(), waiting)
			require.NoError(t, l.Close())
			for _, f := range []*asyncio.ConcurrentFuture[int]{begun, ready, waiting} {
				<-f.Done()
				_, err := f.Result(context.Background())
				require.ErrorIs(t, err, asyncio.ErrLoopClosed)
			}
			_, err := asyncio.RunUntilComplete(wrapped, w)
			require.ErrorIs(t, err, asyncio.ErrLoopClosed)
			for range 1000 {
				f := asyncio.RunCoroutineThreadsafe(l, never)
				runtime.Gosched()
				_, err := f.Result(context.Background())
				require.ErrorIs(t, err, asyncio.ErrLoopClosed)
			}
		})
		t.Run("a thread whose result nobody wants any more", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			rec := asynciotest.RecordReports(l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				derived, cancel := context.WithCancel(ctx)
				_, err := asyncio.ToThread(derived, func(ctx context.Context) (int, error) {
					cancel()
					<-ctx.Done()
					return 0, ctx.Err()
				})
				require.ErrorIs(t, err, context.Canceled)
				require.NoError(t, l.ShutdownDefaultExecutor(ctx))
			})
			require.NoError(t, l.Close())
			rec.None(t)
		})
		t.Run("futures of another loop", func(t *testing.T) {
			l, other := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](other)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				for _, d := range []time.Duration{0, time.Hour, asyncio.Forever} {
					_, err := asyncio.WaitFor(ctx, f, d)
					require.ErrorIs(t, err, asyncio.ErrWrongLoop)
				}
				testkit.PanicsWith(t, asyncio.ErrWrongLoop, func() { asyncio.Shield(ctx, f) })
			})
			require.False(t, f.Done())
		})
		t.Run("debug mode sees who completes and cancels", func(t *testing.T) {
			l := asynciotest.New(t, append(opts, asyncio.WithDebug(true))...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f := asyncio.NewFuture[int](l)
				task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return f.Await(ctx) })
				testkit.OnGoroutine(func() {
					testkit.PanicsWith(t, asyncio.ErrWrongLoop, func() { _ = f.SetResult(1) })
					testkit.PanicsWith(t, asyncio.ErrWrongLoop, func() { f.Cancel() })
					testkit.PanicsWith(t, asyncio.ErrWrongLoop, func() { task.Cancel() })
				})
				require.False(t, f.Done())
				task.Cancel()
				_, err := task.Await(ctx)
				require.ErrorIs(t, err, asyncio.ErrCancelled)
			})
		})
	})
}

func TestMisuseOfRuns(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a run that was stopped as it ended does not stop the next", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			v, err := asyncio.RunUntilComplete(l, asyncio.Coro[int](func(context.Context) (int, error) {
				l.Stop()
				return 1, nil
			}))
			require.NoError(t, err)
			require.Equal(t, 1, v)
			stillWorks(t, l)
		})
		t.Run("a Runner is closed by its own task", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			r := asyncio.NewRunner(opts...)
			run := func() {
				_, err := asyncio.RunIn(r, func(ctx context.Context) (int, error) {
					require.ErrorIs(t, r.Close(), asyncio.ErrLoopRunning)
					return 1, asyncio.Sleep(ctx, 0)
				})
				require.NoError(t, err)
			}
			run()
			run()
			l, err := r.Loop()
			require.NoError(t, err)
			require.NoError(t, r.Close())
			require.True(t, l.IsClosed())
			_, err = r.Loop()
			require.ErrorIs(t, err, asyncio.ErrRunnerClosed)
		})
		t.Run("a Runner whose tasks end with Goexit is closed", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			r := asyncio.NewRunner(opts...)
			l, err := r.Loop()
			require.NoError(t, err)
			asynciotest.RecordReports(l)
			for range 3 {
				asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) {
					defer runtime.Goexit()
					return never(ctx)
				})
			}
			asynciotest.Turns(t, l, 2)
			testkit.Unwinds(t, func() { _ = r.Close() })
			require.True(t, l.IsClosed())
			require.NoError(t, r.Close())
		})
		t.Run("a loop runs in one goroutine after another", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var stops int
			task := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				for range 10 {
					if err := asyncio.Sleep(ctx, time.Microsecond); err != nil {
						return err
					}
					stops++
					l.Stop()
				}
				return nil
			}))
			for !task.Done() {
				testkit.OnGoroutine(func() { require.NoError(t, l.RunForever()) })
			}
			require.Equal(t, 10, stops)
			require.NoError(t, task.Exception())
		})
	})
}

// Close comes to its end whatever the code does that it calls.
func TestMisuseOfClose(t *testing.T) {
	leave := map[string]func(){"Goexit": runtime.Goexit, "panic": func() { panic(testkit.ErrBoom) }}
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		for how, leave := range leave {
			t.Run(how+" of tasks", func(t *testing.T) {
				l := asynciotest.New(t, opts...)
				rec := asynciotest.RecordReports(l)
				var tasks []*asyncio.Task[int]
				for range 5 {
					tasks = append(tasks, asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) {
						defer leave()
						return never(ctx)
					}))
				}
				asynciotest.Turns(t, l, 2)
				tasks = append(tasks, asyncio.CreateTask(l.Context(), never)) // not begun
				testkit.OnGoroutine(func() { _ = l.Close() })
				for _, task := range tasks {
					require.True(t, task.Done())
				}
				require.Len(t, rec.All(), len(tasks), "one report for each")
			})
			t.Run(how+" of the exception handler", func(t *testing.T) {
				l := asynciotest.New(t, opts...)
				reports := 0
				for range 3 {
					_ = asyncio.NewFuture[int](l).SetException(testkit.ErrBoom)
				}
				tasks := []*asyncio.Task[int]{suspended(t, l), suspended(t, l)}
				l.SetExceptionHandler(func(*asyncio.Loop, asyncio.ErrorContext) {
					reports++
					leave()
				})
				awaited := make(chan error)
				go func() {
					_, err := tasks[0].Await(context.Background())
					awaited <- err
				}()
				testkit.OnGoroutine(func() { _ = l.Close() })
				require.ErrorIs(t, <-awaited, asyncio.ErrLoopClosed)
				require.Equal(t, 5, reports)
				require.True(t, tasks[0].Done() && tasks[1].Done())
			})
			t.Run(how+" of the executor", func(t *testing.T) {
				l := asynciotest.New(t, opts...)
				rec := asynciotest.RecordReports(l)
				l.SetDefaultExecutor(brokenExecutor{leave})
				asynciotest.InTask(t, l, func(ctx context.Context) {
					require.Error(t, l.ShutdownDefaultExecutor(ctx))
				})
				testkit.OnGoroutine(func() { _ = l.Close() })
				require.True(t, l.IsClosed())
				require.LessOrEqual(t, len(rec.All()), 1)
			})
		}
		t.Run("a task that cancels itself and others, and looks at their stacks", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.RecordReports(l)
			var tasks []*asyncio.Task[int]
			var panicked any
			for range 3 {
				tasks = append(tasks, asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) {
					_, err := never(ctx)
					panicked = testkit.Recovered(func() {
						for _, task := range tasks {
							task.Cancel()
							task.Stack()
						}
						require.NoError(t, l.Close())
						l.Stats()
					})
					require.ErrorIs(t, asyncio.Sleep(ctx, time.Hour), asyncio.ErrLoopClosed)
					return 0, err
				}))
			}
			asynciotest.Turns(t, l, 2)
			require.NoError(t, l.Close())
			require.Nil(t, panicked)
			for _, task := range tasks {
				require.True(t, task.Done())
			}
		})
		t.Run("a logger that always panics", func(t *testing.T) {
			log, option := testkit.RecordLog()
			log.Fail = func(string) { panic(testkit.ErrBoom) }
			l := asynciotest.New(t, append(opts, option)...)
			l.CallSoon(func() { panic("first") })
			asynciotest.Turn(t, l)
			stillWorks(t, l)
			suspended(t, l)
			require.NoError(t, l.Close())
		})
	})
}

// brokenExecutor leaves Shutdown in its own way.
type brokenExecutor struct{ leave func() }

func (brokenExecutor) Submit(fn func()) error { go fn(); return nil }
func (e brokenExecutor) Shutdown(bool)        { e.leave() }
