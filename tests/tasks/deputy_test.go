// A task that stands in for the loop while it waits: that nobody can tell, whatever the
// tasks do that it steps.
package tasks_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// underDeputy runs body in a task that the task of ctx awaits in awaitAsDeputy. The
// awaiting task resumes it itself, since a coroutine is free and both are ready in one
// turn, so no poll comes between them. So are those of between, which are created before
// it.
func underDeputy(t *testing.T, ctx context.Context, body func(ctx context.Context) error, between ...asyncio.Coro[int]) error {
	t.Helper()
	for first := asyncio.CreateTask(ctx, testkit.One); !first.Done(); { // leaves a free coroutine
		if err := asyncio.Sleep(ctx, 0); err != nil {
			return err
		}
	}
	l, err := asyncio.GetRunningLoop(ctx)
	require.NoError(t, err)
	ready := asyncio.NewFuture[asyncio.None](l)
	var task *asyncio.Task[asyncio.None]
	l.CallSoon(func() {
		require.NoError(t, ready.SetResult(asyncio.None{}))
		for _, coro := range between {
			asyncio.CreateTask(l.Context(), coro)
		}
		task = asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
			require.Contains(t, allStacks(), "asyncio.(*task).stepOthers", "there is no deputy")
			return body(ctx)
		}))
	})
	if _, err = ready.Await(ctx); err != nil {
		return err
	}
	return awaitAsDeputy(ctx, task)
}

// awaitAsDeputy awaits the task with a derived context, as else its task would take it in
// as a guest.
//
//go:noinline
func awaitAsDeputy[T any](ctx context.Context, task *asyncio.Task[T]) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	_, err := task.Await(ctx)
	return err
}

func allStacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

func TestDeputyStack(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, append(opts, asyncio.WithDebug(false))...)
		// looks tells that watcher sees where the deputy waits, as often as it likes, and
		// runs on.
		looks := func(t *testing.T, watcher context.Context, deputy asyncio.AnyTask) {
			for range 2 {
				require.Contains(t, deputy.Stack(), "awaitAsDeputy")
				require.NotNil(t, asyncio.CurrentTask(watcher), "the caller still runs")
			}
		}
		t.Run("in its first step", func(t *testing.T) {
			asynciotest.InTask(t, l, func(ctx context.Context) {
				deputy := asyncio.CurrentTask(ctx)
				require.NoError(t, underDeputy(t, ctx, func(ctx context.Context) error {
					looks(t, ctx, deputy)
					return asyncio.Sleep(ctx, 0)
				}))
				require.Same(t, deputy, asyncio.CurrentTask(ctx))
			})
		})
		t.Run("in later steps", func(t *testing.T) {
			asynciotest.InTask(t, l, func(ctx context.Context) {
				deputy := asyncio.CurrentTask(ctx)
				require.NoError(t, underDeputy(t, ctx, func(ctx context.Context) error {
					for range 3 {
						asynciotest.Yield(t, ctx, 1)
						looks(t, ctx, deputy)
					}
					return nil
				}))
			})
		})
		t.Run("in a task that has taken over the coroutine of one that ended", func(t *testing.T) {
			asynciotest.InTask(t, l, func(ctx context.Context) {
				deputy := asyncio.CurrentTask(ctx)
				ended := 0
				end := func(context.Context) (int, error) { ended++; return 0, nil }
				require.NoError(t, underDeputy(t, ctx, func(ctx context.Context) error {
					require.Equal(t, 2, ended)
					looks(t, ctx, deputy)
					return nil
				}, end, end))
			})
		})
		t.Run("in an eager task of an eager task", func(t *testing.T) {
			asynciotest.InTask(t, l, func(ctx context.Context) {
				deputy := asyncio.CurrentTask(ctx)
				var tr asynciotest.Trace
				require.NoError(t, underDeputy(t, ctx, func(ctx context.Context) error {
					asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
						inner := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
							looks(t, ctx, deputy)
							tr.Add("innermost")
							asynciotest.Yield(t, ctx, 1)
							looks(t, ctx, deputy)
							tr.Add("innermost again")
							return nil
						}), eagerly)
						tr.Add("inner")
						_, err := inner.Await(ctx)
						return err
					}), eagerly)
					tr.Add("creator")
					asynciotest.Yield(t, ctx, 3)
					return nil
				}))
				tr.Equal(t, "innermost", "inner", "creator", "innermost again")
			})
		})
		t.Run("in a call graph", func(t *testing.T) {
			asynciotest.InTask(t, l, func(ctx context.Context) {
				deputy := asyncio.CurrentTask(ctx)
				require.NoError(t, underDeputy(t, ctx, func(ctx context.Context) error {
					g := asyncio.CaptureCallGraph(asyncio.CurrentTask(ctx))
					require.Len(t, g.AwaitedBy, 1)
					require.Same(t, deputy, g.AwaitedBy[0].Future)
					require.NotEmpty(t, g.AwaitedBy[0].Stack)
					require.Contains(t, g.AwaitedBy[0].Stack[0].Function, "awaitAsDeputy")
					return nil
				}))
			})
		})
	})
}

func TestDeputyGoexit(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		// goexit runs main, which a Goexit above it does not end, on a loop that the
		// Goexit unwinds; then again to main's end, an error that says how the task above
		// has ended.
		goexit := func(t *testing.T, says string, main func(ctx context.Context, tr *asynciotest.Trace) error, before ...string) {
			l := asynciotest.New(t, append(opts, asyncio.WithDebug(false))...)
			var tr asynciotest.Trace
			task := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				defer tr.Mark("main ends")()
				return main(ctx, &tr)
			}))
			testkit.Unwinds(t, func() { _, _ = asyncio.RunUntilComplete(l, task) })
			tr.Equal(t, before...)
			require.False(t, l.IsRunning())
			require.False(t, task.Done(), "the deputy ended too")
			_, err := asyncio.RunUntilComplete(l, task)
			testkit.ErrorSays(t, err, says)
			tr.Equal(t, append(before, "main ends")...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				require.NoError(t, underDeputy(t, ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, 0) }))
			})
		}
		t.Run("of the task above", func(t *testing.T) {
			goexit(t, "Goexit", func(ctx context.Context, tr *asynciotest.Trace) error {
				return underDeputy(t, ctx, func(ctx context.Context) error {
					defer tr.Mark("deferred")()
					runtime.Goexit()
					return nil
				})
			}, "deferred")
		})
		t.Run("of an eager task, which ends its creator", func(t *testing.T) {
			goexit(t, "Goexit", func(ctx context.Context, tr *asynciotest.Trace) error {
				return underDeputy(t, ctx, func(ctx context.Context) error {
					defer tr.Mark("creator")()
					asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error {
						defer tr.Mark("eager")()
						runtime.Goexit()
						return nil
					}), eagerly)
					return nil
				})
			}, "eager", "creator")
		})
		t.Run("whose deferred function panics", func(t *testing.T) {
			goexit(t, "deferred panic", func(ctx context.Context, tr *asynciotest.Trace) error {
				return underDeputy(t, ctx, func(ctx context.Context) error {
					defer func() { panic("deferred panic") }()
					defer tr.Mark("deferred")()
					runtime.Goexit()
					return nil
				})
			}, "deferred")
		})
		t.Run("whose deferred function panics in an eager task", func(t *testing.T) {
			goexit(t, "Goexit", func(ctx context.Context, tr *asynciotest.Trace) error {
				return underDeputy(t, ctx, func(ctx context.Context) error {
					defer tr.Mark("creator")()
					asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error {
						defer func() { panic("deferred panic") }()
						runtime.Goexit()
						return nil
					}), eagerly)
					return nil
				})
			}, "creator")
		})
		t.Run("in debug mode, switched off by the deputy", func(t *testing.T) {
			l := asynciotest.New(t, append(opts, asyncio.WithDebug(true))...)
			ready := asyncio.NewFuture[int](l)
			task := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				_, err := asyncio.CreateTask(ctx, testkit.One).Await(ctx)
				require.NoError(t, err)
				var above *asyncio.Task[int]
				l.CallSoon(func() {
					require.NoError(t, ready.SetResult(1))
					above = asyncio.CreateTask(ctx, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
				})
				_, err = ready.Await(ctx)
				require.NoError(t, err)
				l.SetDebug(false) // in the step that goes on to make the next one
				return awaitAsDeputy(ctx, above)
			}))
			testkit.Unwinds(t, func() { _, _ = asyncio.RunUntilComplete(l, task) })
			require.False(t, task.Done(), "the Goexit was held up")
			_, err := asyncio.RunUntilComplete(l, task)
			testkit.ErrorSays(t, err, "Goexit")
		})
	})
}

// panickingError panics when it is compared.
type panickingError struct{ error }

func (panickingError) Is(error) bool { panic("Is panics") }

// panickingValues is a context whose values panic from some moment on.
type panickingValues struct {
	context.Context
	on *bool
}

func (c panickingValues) Value(key any) any {
	if *c.on {
		panic("Value panics")
	}
	return c.Context.Value(key)
}

func TestDeputyOutlivesPanics(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		// reported runs the task of the name above, which cannot be finished, until the
		// loop has told so.
		reported := func(t *testing.T, l *asyncio.Loop) {
			var reports []asyncio.ErrorContext
			l.SetExceptionHandler(func(l *asyncio.Loop, c asyncio.ErrorContext) {
				testkit.ErrorSays(t, asyncio.Sleep(c.Context, 0), "no task runs")
				reports = append(reports, c)
				l.Stop()
			})
			require.NoError(t, l.RunForever())
			require.Len(t, reports, 1)
			require.Equal(t, "Exception in step of above", reports[0].Message)
			testkit.ErrorSays(t, reports[0].Exception, "Is panics")
			asynciotest.RecordReports(l) // hears at the end that the task is pending
		}
		unfinishable := func(ctx context.Context) error {
			asyncio.CurrentTask(ctx).SetName("above")
			asyncio.CurrentTask(ctx).Cancel()
			panic(panickingError{testkit.ErrBoom})
		}
		t.Run("that end a task's coroutine, which the loop reports", func(t *testing.T) {
			l := asynciotest.New(t, append(opts, asyncio.WithDebug(false))...)
			deputy := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error { return underDeputy(t, ctx, unfinishable) }))
			reported(t, l)
			require.False(t, deputy.Done(), "the deputy ended too")
			require.Contains(t, deputy.Stack(), "awaitAsDeputy")
			asynciotest.InTask(t, l, func(ctx context.Context) {
				require.NoError(t, underDeputy(t, ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, 0) }))
			})
		})
		t.Run("that the loop reports without a deputy", func(t *testing.T) {
			l := asynciotest.New(t, append(opts, asyncio.WithDebug(false))...)
			asyncio.CreateTask(l.Context(), asyncio.Do(unfinishable))
			reported(t, l)
		})
		t.Run("of a context's values, asked for labels, which are the task's", func(t *testing.T) {
			l := asynciotest.New(t, append(opts, asyncio.WithProfileLabels())...)
			errs := asynciotest.RecordReports(l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, err := asyncio.CreateTask(ctx, testkit.One).Await(ctx)
				require.NoError(t, err)
				panics := false
				task := asyncio.CreateTask(panickingValues{ctx, &panics}, testkit.One)
				panics = true
				testkit.ErrorSays(t, awaitAsDeputy(ctx, task), "Value panics")
			})
			errs.None(t)
		})
	})
}

func TestDeputyYieldsToTheLoop(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, append(opts, asyncio.WithDebug(false))...)
		t.Run("a lone task that yields, for a timer and for another goroutine", func(t *testing.T) {
			asynciotest.InTask(t, l, func(ctx context.Context) {
				left := 2
				l.CallLater(time.Millisecond, func() { left-- })
				go func() { _, _ = l.CallSoonThreadsafe(func() { left-- }) }()
				for left > 0 {
					asynciotest.Yield(t, ctx, 1)
				}
			})
		})
		t.Run("a call from another goroutine is in the next turn", func(t *testing.T) {
			asynciotest.InTask(t, l, func(ctx context.Context) {
				asynciotest.Yield(t, ctx, 3)
				called := false
				testkit.OnGoroutine(func() { _, _ = l.CallSoonThreadsafe(func() { called = true }) })
				asynciotest.Yield(t, ctx, 2)
				require.True(t, called)
			})
		})
		t.Run("the creator of an eager task goes on first", func(t *testing.T) {
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				ready := asyncio.NewFuture[int](l)
				other := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
					defer tr.Mark("other")()
					return ready.Await(ctx)
				})
				l.CallSoon(func() { require.NoError(t, ready.SetResult(1)) })
				_, err := ready.Await(ctx)
				require.NoError(t, err)
				eager := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
					defer tr.Mark("eager again")()
					tr.Add("eager")
					return asyncio.Sleep(ctx, 0)
				}), eagerly)
				tr.Add("creator")
				require.NoError(t, awaitAsDeputy(ctx, eager))
				require.True(t, other.Done())
				tr.Equal(t, "eager", "creator", "other", "eager again")
			})
		})
		t.Run("turns are counted as ever", func(t *testing.T) {
			asynciotest.InTask(t, l, func(ctx context.Context) {
				before := l.Stats()
				asynciotest.Yield(t, ctx, 10)
				_, err := asyncio.CreateTask(ctx, testkit.One).Await(ctx)
				require.NoError(t, err)
				after := l.Stats()
				require.EqualValues(t, 12, after.Turns-before.Turns, "a turn for each yield, for the task, and for who awaits it")
				require.EqualValues(t, 12, after.Callbacks-before.Callbacks)
			})
		})
		t.Run("a task that is cancelled before its first step", func(t *testing.T) {
			asynciotest.InTask(t, l, func(ctx context.Context) {
				require.NoError(t, underDeputy(t, ctx, func(ctx context.Context) error {
					_, err := asyncio.CreateTask(ctx, testkit.One).Await(ctx)
					require.NoError(t, err)
					began := false
					task := asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error { began = true; return nil }))
					task.Cancel()
					require.ErrorIs(t, awaitAsDeputy(ctx, task), context.Canceled)
					require.False(t, began)
					return nil
				}))
			})
		})
		t.Run("debug mode times the steps one by one", func(t *testing.T) {
			logs, logger := testkit.RecordLog()
			l := asynciotest.New(t, append(opts, asyncio.WithDebug(true), logger)...)
			l.SetSlowCallbackDuration(0)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, err := asyncio.CreateTask(ctx, testkit.One).Await(ctx)
				require.NoError(t, err)
				_, err = asyncio.CreateTask(ctx, testkit.One, asyncio.WithName("above")).Await(ctx)
				require.NoError(t, err)
				require.Len(t, logs.Matching("above"), 1)
			})
		})
		t.Run("a step that ends debug mode is not blamed for those that it goes on to make", func(t *testing.T) {
			logs, logger := testkit.RecordLog()
			l := asynciotest.New(t, append(opts, asyncio.WithDebug(true), logger)...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, err := asyncio.CreateTask(ctx, testkit.One).Await(ctx)
				require.NoError(t, err)
				l.SetSlowCallbackDuration(0)
				asyncio.CurrentTask(ctx).SetName("below")
				l.SetDebug(false)
				_, err = asyncio.CreateTask(ctx, testkit.One).Await(ctx)
				require.NoError(t, err)
			})
			require.Empty(t, logs.Matching("below"))
		})
		t.Run("Stop takes effect at the end of the turn", func(t *testing.T) {
			var tr asynciotest.Trace
			task := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				return underDeputy(t, ctx, func(ctx context.Context) error {
					l.Stop()
					tr.Add("stops")
					asynciotest.Yield(t, ctx, 1)
					tr.Add("goes on")
					return nil
				})
			}))
			require.NoError(t, l.RunForever())
			tr.Equal(t, "stops")
			testkit.Result(t, l, task.Await)
			tr.Equal(t, "stops", "goes on")
		})
		t.Run("Cancel and a timeout reach it", func(t *testing.T) {
			asynciotest.InTask(t, l, func(ctx context.Context) {
				deputy := asyncio.CurrentTask(ctx)
				err := underDeputy(t, ctx, func(ctx context.Context) error {
					deputy.Cancel("enough")
					return asyncio.Sleep(ctx, time.Hour)
				})
				var cancelled *asyncio.CancelledError
				require.ErrorAs(t, err, &cancelled)
				require.Equal(t, "enough", cancelled.Msg)
				deputy.Uncancel()
				limit := asyncio.NewTimeout(asyncio.Forever)
				err = limit.Run(ctx, func(ctx context.Context) error {
					return underDeputy(t, ctx, func(ctx context.Context) error {
						if err := limit.Reschedule(l.Time() + time.Millisecond); err != nil {
							return err
						}
						for {
							if err := asyncio.Sleep(ctx, 0); err != nil {
								return err
							}
						}
					})
				})
				require.ErrorIs(t, err, asyncio.ErrTimeout)
			})
		})
		t.Run("Close ends it like any other", func(t *testing.T) {
			l := asynciotest.New(t, append(opts, asyncio.WithDebug(false))...)
			asynciotest.RecordReports(l)
			var above, below error
			asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				below = underDeputy(t, ctx, func(ctx context.Context) error {
					l.Stop()
					above = asyncio.Sleep(ctx, time.Hour)
					return above
				})
				return nil
			}))
			require.NoError(t, l.RunForever())
			require.NoError(t, l.Close())
			require.ErrorIs(t, above, asyncio.ErrLoopClosed)
			require.ErrorIs(t, below, asyncio.ErrLoopClosed)
		})
		t.Run("there is none while the loop is closed", func(t *testing.T) {
			l := asynciotest.New(t, append(opts, asyncio.WithDebug(false))...)
			asynciotest.RecordReports(l)
			closing := false
			refused := 0
			for range 2 {
				asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
					for !closing {
						_ = asyncio.Sleep(ctx, 0)
					}
					for range 2 {
						require.ErrorIs(t, asyncio.Sleep(ctx, 0), asyncio.ErrLoopClosed)
						refused++
					}
					return nil
				}))
			}
			asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				asynciotest.Yield(t, ctx, 20)
				l.Stop()
				return nil
			}))
			require.NoError(t, l.RunForever())
			closing = true
			require.NoError(t, l.Close())
			require.Equal(t, 4, refused)
		})
	})
}
