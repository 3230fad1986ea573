// Timeout scopes: when a deadline fires, whose error comes out, what the counters say
// after it, and what the body's context shows.
package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestTimeout(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TMO-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				const limit = 10 * time.Millisecond
				scope := asyncio.NewTimeout(limit)
				before := l.Time()
				testkit.Took(t, limit, func() {
					testkit.WantTimeout(t, scope.Run(ctx, func(ctx context.Context) error {
						require.GreaterOrEqual(t, scope.When(), before+limit)
						require.LessOrEqual(t, scope.When(), l.Time()+limit)
						return testkit.SleepsLong(ctx)
					}))
				})
				require.True(t, scope.Expired())
				require.GreaterOrEqual(t, scope.When(), before+limit)
				require.LessOrEqual(t, scope.When(), l.Time())
			})
		})
		t.Run("TMO-03", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				scope := asyncio.NewTimeout(time.Hour)
				require.NoError(t, scope.Run(ctx, func(ctx context.Context) error {
					return asyncio.Sleep(ctx, 10*time.Millisecond)
				}))
				require.False(t, scope.Expired())
				require.Greater(t, scope.When(), l.Time())
				require.Equal(t, 0, l.Stats().Timers, "the deadline is disarmed")
			})
		})
		t.Run("TMO-04", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				scope := asyncio.NewTimeout(asyncio.Forever)
				require.NoError(t, scope.Run(ctx, func(ctx context.Context) error {
					require.Equal(t, asyncio.Forever, scope.When())
					require.Equal(t, 0, l.Stats().Timers)
					_, ok := ctx.Deadline()
					require.False(t, ok)
					return testkit.Suspend(ctx, 3)
				}))
				require.Equal(t, asyncio.Forever, scope.When())
				require.False(t, scope.Expired())
			})
		})
		t.Run("TMO-05", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				for _, limit := range []time.Duration{0, -11 * time.Second, -1} {
					scope := asyncio.NewTimeout(limit)
					testkit.WantTimeout(t, scope.Run(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, 0) }))
					require.True(t, scope.Expired())
				}
				past := asyncio.NewTimeoutAt(l.Time() - time.Second)
				testkit.WantTimeout(t, past.Run(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, 0) }))
			})
		})
		t.Run("TMO-06", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				ready := asyncio.NewFuture[int](l)
				require.NoError(t, ready.SetResult(1))
				scope := asyncio.NewTimeout(0)
				require.NoError(t, scope.Run(ctx, func(ctx context.Context) error {
					_, err := ready.Await(ctx)
					return err
				}))
				require.False(t, scope.Expired())
				asynciotest.Yield(t, ctx, 3)
				require.Equal(t, 0, asyncio.CurrentTask(ctx).Cancelling())
			})
		})
		t.Run("TMO-08", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				err := asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
					testkit.WantCancelled(t, asyncio.Sleep(ctx, 0), nil)
					return testkit.ErrBoom
				})
				require.Equal(t, testkit.ErrBoom, err)
				require.Equal(t, 0, asyncio.CurrentTask(ctx).Cancelling())
			})
		})
		t.Run("TMO-12", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				scope := asyncio.NewTimeout(0)
				require.NoError(t, scope.Run(ctx, func(ctx context.Context) error {
					testkit.WantCancelled(t, asyncio.Sleep(ctx, 0), nil)
					return nil
				}))
				require.True(t, scope.Expired())
				require.Equal(t, 0, asyncio.CurrentTask(ctx).Cancelling())
				asynciotest.Yield(t, ctx, 1)
			})
		})
		t.Run("TMO-20", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				testkit.WantTimeout(t, asyncio.Timeout(ctx, 0, testkit.SleepsLong))
				require.Equal(t, 0, asyncio.CurrentTask(ctx).Cancelling())
				asynciotest.Yield(t, ctx, 1)
				require.NoError(t, asyncio.Sleep(ctx, time.Millisecond))
			})
		})
	})
}

func TestTimeoutCounters(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TMO-02", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				deadline := l.Time() + 5*time.Millisecond
				outer, inner := asyncio.NewTimeoutAt(deadline), asyncio.NewTimeoutAt(deadline)
				testkit.WantTimeout(t, outer.Run(ctx, func(ctx context.Context) error {
					err := inner.Run(ctx, testkit.SleepsLong)
					testkit.WantCancelled(t, err, nil)
					return err
				}))
				require.True(t, outer.Expired())
				require.True(t, inner.Expired())
				require.Equal(t, 0, asyncio.CurrentTask(ctx).Cancelling())
			})
		})
		t.Run("TMO-09", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			scope := asyncio.NewTimeout(time.Hour)
			tk := testkit.Start(l.Context(), func(ctx context.Context) error { return scope.Run(ctx, testkit.SleepsLong) })
			asynciotest.Turn(t, l)
			require.True(t, tk.Cancel("outside"))
			_, err := asyncio.RunUntilComplete[asyncio.None](l, tk)
			testkit.WantCancelled(t, err, "outside")
			require.True(t, tk.Cancelled())
			require.False(t, scope.Expired())
			require.Equal(t, 1, tk.Cancelling())
		})
		t.Run("TMO-17", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				me := asyncio.CurrentTask(ctx)
				me.Cancel("old")
				testkit.WantCancelled(t, asyncio.Sleep(ctx, 0), "old")
				require.Equal(t, 1, me.Cancelling())
				testkit.WantTimeout(t, asyncio.Timeout(ctx, 0, func(ctx context.Context) error { return asyncio.Sleep(ctx, 0) }))
				require.Equal(t, 1, me.Cancelling())
			})
		})
		t.Run("TMO-18", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				me := asyncio.CurrentTask(ctx)
				me.Cancel("old")
				testkit.WantCancelled(t, asyncio.Sleep(ctx, 0), "old")
				scope := asyncio.NewTimeout(time.Hour)
				testkit.WantCancelled(t, scope.Run(ctx, func(ctx context.Context) error {
					me.Cancel("new")
					return asyncio.Sleep(ctx, 0)
				}), "new")
				require.False(t, scope.Expired())
				require.Equal(t, 2, me.Cancelling())
			})
		})
		t.Run("three deep, the middle one fires", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				me := asyncio.CurrentTask(ctx)
				outer := asyncio.NewTimeout(time.Hour)
				middle, inner := asyncio.NewTimeout(0), asyncio.NewTimeout(time.Hour)
				require.NoError(t, outer.Run(ctx, func(ctx context.Context) error {
					testkit.WantTimeout(t, middle.Run(ctx, func(ctx context.Context) error {
						err := inner.Run(ctx, testkit.SleepsLong)
						testkit.WantCancelled(t, err, nil)
						require.Equal(t, 1, me.Cancelling(), "the request belongs to the middle scope until that ends")
						return err
					}))
					require.Equal(t, 0, me.Cancelling())
					return testkit.Suspend(ctx, 2)
				}))
				require.Equal(t, []bool{false, true, false}, []bool{outer.Expired(), middle.Expired(), inner.Expired()})
			})
		})
		t.Run("the inner body swallows, the outer deadline fires later", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				outer, inner := asyncio.NewTimeout(asyncio.Forever), asyncio.NewTimeout(0)
				testkit.WantTimeout(t, outer.Run(ctx, func(ctx context.Context) error {
					require.NoError(t, inner.Run(ctx, func(ctx context.Context) error {
						testkit.WantCancelled(t, asyncio.Sleep(ctx, 0), nil)
						return nil
					}))
					require.NoError(t, outer.Reschedule(l.Time()))
					return asyncio.Sleep(ctx, 0)
				}))
				require.True(t, outer.Expired())
				require.Equal(t, 0, asyncio.CurrentTask(ctx).Cancelling())
			})
		})
		t.Run("a cancellation in the clean-up of a deadline wins", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			scope := asyncio.NewTimeout(0)
			tk := testkit.Start(l.Context(), func(ctx context.Context) error {
				return scope.Run(ctx, func(ctx context.Context) error {
					testkit.WantCancelled(t, asyncio.Sleep(ctx, 0), nil)
					return testkit.SleepsLong(ctx)
				})
			})
			asynciotest.Turns(t, l, 3)
			require.True(t, tk.Cancel("outside"))
			_, err := asyncio.RunUntilComplete[asyncio.None](l, tk)
			testkit.WantCancelled(t, err, "outside")
			require.True(t, scope.Expired())
			require.Equal(t, 1, tk.Cancelling())
		})
	})
}

func TestTimeoutMisuse(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TMO-14", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				scope := asyncio.NewTimeout(0)
				testkit.ErrorSays(t, scope.Reschedule(l.Time()), "not entered")
				testkit.WantTimeout(t, scope.Run(ctx, func(ctx context.Context) error {
					err := asyncio.Sleep(ctx, 0)
					testkit.WantCancelled(t, err, nil)
					testkit.ErrorSays(t, scope.Reschedule(asyncio.Forever), "expiring")
					return err
				}))
				testkit.ErrorSays(t, scope.Reschedule(asyncio.Forever), "expired")
				finished := asyncio.NewTimeout(time.Hour)
				require.NoError(t, finished.Run(ctx, func(context.Context) error { return nil }))
				testkit.ErrorSays(t, finished.Reschedule(l.Time()), "finished")
				for _, s := range []*asyncio.TimeoutScope{asyncio.NewTimeout(0), scope, finished} {
					require.ErrorIs(t, s.Reschedule(0), asyncio.ErrInvalidState)
				}
			})
		})
		t.Run("TMO-15", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				body := func(context.Context) error { t.Error("it was entered twice"); return nil }
				scope := asyncio.NewTimeout(time.Hour)
				require.NoError(t, scope.Run(ctx, func(ctx context.Context) error {
					testkit.ErrorSays(t, failure(func() error { return scope.Run(ctx, body) }), "already been entered")
					return testkit.Suspend(ctx, 1)
				}))
				testkit.ErrorSays(t, failure(func() error { return scope.Run(ctx, body) }), "already been entered")
			})
		})
		t.Run("TMO-16", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			body := func(context.Context) error { t.Error("it was entered"); return nil }
			for _, ctx := range []context.Context{context.Background(), l.Context()} {
				testkit.ErrorSays(t, failure(func() error { return asyncio.NewTimeout(time.Hour).Run(ctx, body) }), "task")
				testkit.ErrorSays(t, failure(func() error { return asyncio.Timeout(ctx, time.Hour, body) }), "task")
			}
		})
		t.Run("a panic of the body closes the scope", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				v := testkit.Recovered(func() {
					_ = asyncio.Timeout(ctx, testkit.Soon, func(context.Context) error { panic("body") })
				})
				require.Equal(t, "body", v)
				require.NoError(t, asyncio.Sleep(ctx, 2*testkit.Soon), "its deadline is gone")
				require.Equal(t, 0, l.Stats().Timers)
			})
		})
	})
}

// failure runs fn and returns its error, or the error it panicked with.
func failure(fn func() error) (err error) {
	defer func() {
		if e, ok := recover().(error); ok {
			err = e
		}
	}()
	return fn()
}

func TestTimeoutReschedule(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("later", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				scope := asyncio.NewTimeout(10 * time.Millisecond)
				require.NoError(t, scope.Run(ctx, func(ctx context.Context) error {
					later := l.Time() + time.Hour
					require.NoError(t, scope.Reschedule(later))
					require.Equal(t, later, scope.When())
					return asyncio.Sleep(ctx, 20*time.Millisecond)
				}))
				require.False(t, scope.Expired())
			})
		})
		t.Run("sooner", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				scope := asyncio.NewTimeout(time.Hour)
				testkit.WantTimeout(t, scope.Run(ctx, func(ctx context.Context) error {
					require.NoError(t, scope.Reschedule(l.Time()+time.Millisecond))
					return testkit.SleepsLong(ctx)
				}))
			})
		})
		t.Run("to now, from a callback", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				scope := asyncio.NewTimeout(asyncio.Forever)
				l.CallSoon(func() { require.NoError(t, scope.Reschedule(l.Time())) })
				testkit.WantTimeout(t, scope.Run(ctx, testkit.SleepsLong))
			})
		})
		t.Run("away, when the deadline is due and has not fired", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				for _, first := range []time.Duration{0, testkit.Soon} {
					for _, to := range []time.Duration{asyncio.Forever, time.Hour} {
						scope := asyncio.NewTimeout(first)
						require.NoError(t, scope.Run(ctx, func(ctx context.Context) error {
							for l.Time() < scope.When() { // the loop does not turn meanwhile
							}
							require.NoError(t, scope.Reschedule(to))
							return testkit.Suspend(ctx, 3)
						}))
						require.False(t, scope.Expired())
					}
				}
			})
		})
		t.Run("never", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				scope := asyncio.NewTimeout(10 * time.Millisecond)
				require.NoError(t, scope.Run(ctx, func(ctx context.Context) error {
					require.NoError(t, scope.Reschedule(asyncio.Forever))
					require.Equal(t, asyncio.Forever, scope.When())
					return asyncio.Sleep(ctx, 20*time.Millisecond)
				}))
				require.False(t, scope.Expired())
			})
		})
	})
}

func TestTimeoutBody(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("that ignores its context is interrupted all the same", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				testkit.WantTimeout(t, asyncio.Timeout(ctx, testkit.Soon, func(context.Context) error { return testkit.SleepsLong(ctx) }))
				require.Equal(t, 0, asyncio.CurrentTask(ctx).Cancelling())
			})
		})
		t.Run("that wraps its error", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				testkit.WantTimeout(t, asyncio.Timeout(ctx, testkit.Soon, func(ctx context.Context) error {
					return fmt.Errorf("read header: %w", testkit.SleepsLong(ctx))
				}))
			})
		})
		t.Run("that cleans up with awaits of its own", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				cleaned := false
				testkit.WantTimeout(t, asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
					err := testkit.SleepsLong(ctx)
					cleaned = testkit.Suspend(ctx, 3) == nil
					return err
				}))
				require.True(t, cleaned, "the scope's context interrupts one await, not all")
			})
		})
		t.Run("TMO-19", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				err := asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
					return asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(func(ctx context.Context) error {
							_ = testkit.SleepsLong(ctx)
							return testkit.ErrBoom
						})
						return testkit.SleepsLong(ctx)
					})
				})
				var group *asyncio.ExceptionGroup
				require.ErrorAs(t, err, &group)
				require.Equal(t, []error{testkit.ErrBoom}, group.Errs)
				require.Equal(t, 0, asyncio.CurrentTask(ctx).Cancelling())
				asynciotest.Yield(t, ctx, 1)
			})
		})
	})
}

// TestTimeoutDerived is about contexts that the body derived from its own: they end for
// good at the deadline.
func TestTimeoutDerived(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("awaiting with one is a timeout", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				testkit.WantTimeout(t, asyncio.Timeout(ctx, testkit.Soon, func(ctx context.Context) error {
					derived, cancel := context.WithCancel(ctx)
					defer cancel()
					return testkit.SleepsLong(derived)
				}))
				require.Equal(t, 0, asyncio.CurrentTask(ctx).Cancelling())
				asynciotest.Yield(t, ctx, 2)
			})
		})
		t.Run("a clean-up that awaits with one ends at once", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				err := asyncio.Timeout(ctx, testkit.Soon, func(ctx context.Context) error {
					derived, cancel := context.WithCancel(ctx)
					defer cancel()
					require.Error(t, testkit.SleepsLong(derived))
					return testkit.SleepsLong(derived)
				})
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, 0, asyncio.CurrentTask(ctx).Cancelling())
				asynciotest.Yield(t, ctx, 2)
			})
		})
	})
}

// TestTimeoutContext is about what the body's context shows to Go code that is not a
// coroutine.
func TestTimeoutContext(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("it ends at the deadline, with the cause, and the outer one does not", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				causes := make(chan error, 1)
				limit := 5 * time.Millisecond
				before := time.Now()
				testkit.WantTimeout(t, asyncio.Timeout(ctx, limit, func(ctx context.Context) error {
					deadline, ok := ctx.Deadline()
					require.True(t, ok)
					require.WithinRange(t, deadline, before.Add(limit-time.Millisecond), time.Now().Add(limit+time.Millisecond))
					require.NoError(t, ctx.Err())
					go func() {
						<-ctx.Done()
						causes <- context.Cause(ctx)
					}()
					err := testkit.SleepsLong(ctx)
					require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
					return err
				}))
				require.ErrorIs(t, <-causes, context.DeadlineExceeded)
				require.NoError(t, ctx.Err(), "a handled timeout leaves the task's own context alone")
			})
		})
		t.Run("foreign code in a thread stops at the deadline", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				stopped := make(chan struct{})
				scope := asyncio.NewTimeout(asyncio.Forever)
				testkit.WantTimeout(t, scope.Run(ctx, func(ctx context.Context) error {
					_, err := asyncio.ToThread(ctx, func(ctx context.Context) (int, error) {
						defer close(stopped)
						_, err := l.CallSoonThreadsafe(func() { assert.NoError(t, scope.Reschedule(l.Time())) })
						assert.NoError(t, err)
						<-ctx.Done()
						return 0, ctx.Err()
					})
					return err
				}))
				<-stopped
			})
		})
		t.Run("it ends with the body, as every derived context", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var kept context.Context
				require.NoError(t, asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error {
					kept = ctx
					return nil
				}))
				<-kept.Done()
				require.ErrorIs(t, kept.Err(), context.Canceled)
			})
		})
		t.Run("a cancellation of the task ends it", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			ended := make(chan error, 1)
			tk := testkit.Start(l.Context(), func(ctx context.Context) error {
				return asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error {
					return asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error {
						go func() { <-ctx.Done(); ended <- ctx.Err() }()
						return testkit.SleepsLong(ctx)
					})
				})
			})
			asynciotest.Turn(t, l)
			tk.Cancel()
			require.ErrorIs(t, <-ended, context.Canceled)
			_, err := asyncio.RunUntilComplete[asyncio.None](l, tk)
			testkit.WantCancelled(t, err, nil)
		})
		t.Run("the outer deadline ends the inner body's context", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				testkit.WantTimeout(t, asyncio.Timeout(ctx, testkit.Soon, func(outer context.Context) error {
					return asyncio.Timeout(outer, time.Hour, func(ctx context.Context) error {
						outerDeadline, _ := outer.Deadline()
						deadline, ok := ctx.Deadline()
						require.True(t, ok)
						require.Equal(t, outerDeadline, deadline, "the earlier deadline counts")
						err := testkit.SleepsLong(ctx)
						require.Error(t, ctx.Err())
						return err
					})
				}))
			})
		})
		t.Run("values come through it", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				ctx = context.WithValue(ctx, testkit.CtxKey("k"), "v")
				require.NoError(t, asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error {
					require.Equal(t, "v", ctx.Value(testkit.CtxKey("k")))
					child := asyncio.CreateTask(ctx, func(ctx context.Context) (any, error) { return ctx.Value(testkit.CtxKey("k")), nil })
					v, err := child.Await(ctx)
					require.Equal(t, "v", v)
					return err
				}))
			})
		})
		t.Run("a child outlives the scope it was made in", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var child *asyncio.Task[int]
				testkit.WantTimeout(t, asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
					child = asyncio.CreateTask(ctx, testkit.Returning(3, 5))
					return testkit.SleepsLong(ctx)
				}))
				v, err := child.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, 3, v)
			})
		})
		t.Run("a context that the user derived ends the body with its cause", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				derived, cancel := context.WithCancelCause(ctx)
				defer cancel(nil)
				l.CallSoon(func() { cancel(testkit.ErrBoom) })
				scope := asyncio.NewTimeout(time.Hour)
				err := scope.Run(derived, testkit.SleepsLong)
				require.ErrorIs(t, err, testkit.ErrBoom)
				require.False(t, errors.Is(err, asyncio.ErrTimeout))
				require.False(t, scope.Expired())
				asynciotest.Yield(t, ctx, 1)
			})
		})
	})
}
