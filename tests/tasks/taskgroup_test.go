// Task groups: who ends whom, which errors come out, and what the counters of requests
// say after it.
package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// after is a child that ends with err after n turns, unless it is cancelled before.
func after(n int, err error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if e := testkit.Suspend(ctx, n); e != nil {
			return e
		}
		return err
	}
}

// failsInCleanup is a child that ends with err when it is cancelled.
func failsInCleanup(err error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		_ = testkit.SleepsLong(ctx)
		return err
	}
}

// wantGroup fails the test unless err is the group of exactly these errors, in any order.
func wantGroup(t *testing.T, err error, want ...error) []error {
	t.Helper()
	group, ok := err.(*asyncio.ExceptionGroup)
	require.True(t, ok, "not a group but %T: %v", err, err)
	require.Equal(t, "unhandled errors in a TaskGroup", group.Message)
	require.Len(t, group.Errs, len(want), "%v", group.Errs)
	left := append([]error(nil), group.Errs...)
	for _, w := range want {
		i := 0
		for i < len(left) && !errors.Is(left[i], w) {
			i++
		}
		require.Less(t, i, len(left), "%v is not among %v", w, group.Errs)
		left = append(left[:i], left[i+1:]...)
	}
	return group.Errs
}

func cancelling(ctx context.Context) int { return asyncio.CurrentTask(ctx).Cancelling() }

var errOther = errors.New("other")

func TestTaskGroup(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TG-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var t1, t2 *asyncio.Task[int]
				require.NoError(t, asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
					t1 = asyncio.GroupTask(tg, func(ctx context.Context) (int, error) {
						return 42, asyncio.Sleep(ctx, time.Millisecond)
					}, asyncio.WithName("yolo"))
					t2 = asyncio.GroupTask(tg, func(ctx context.Context) (int, error) {
						return 11, asyncio.Sleep(ctx, 2*time.Millisecond)
					})
					require.Equal(t, "yolo", t1.Name())
					return nil
				}))
				require.Equal(t, "42", testkit.StateOf(t1))
				require.Equal(t, "11", testkit.StateOf(t2))
			})
		})
		t.Run("TG-02", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var t1 *asyncio.Task[asyncio.None]
				var t2 *asyncio.Task[int]
				require.NoError(t, asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					t1 = tg.Go(testkit.SleepsLong)
					if err := testkit.Suspend(ctx, 2); err != nil {
						return err
					}
					t1.Cancel()
					t2 = asyncio.GroupTask(tg, func(ctx context.Context) (int, error) { return 11, testkit.Suspend(ctx, 3) })
					return testkit.Suspend(ctx, 1)
				}))
				require.True(t, t1.Cancelled())
				require.Equal(t, "11", testkit.StateOf(t2))
			})
		})
		t.Run("TG-03", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var seen error
				var sibling *asyncio.Task[asyncio.None]
				err := asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(after(2, testkit.ErrBoom))
					sibling = tg.Go(func(ctx context.Context) error {
						seen = testkit.SleepsLong(ctx)
						return seen
					})
					return nil
				})
				wantGroup(t, err, testkit.ErrBoom)
				testkit.WantCancelled(t, seen, nil)
				require.True(t, sibling.Cancelled())
			})
		})
		t.Run("TG-04", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var seen error
				err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					for range 3 {
						tg.Go(after(2, testkit.ErrBoom))
					}
					tg.Go(testkit.SleepsLong)
					seen = testkit.SleepsLong(ctx)
					require.Equal(t, 1, cancelling(ctx))
					require.ErrorIs(t, ctx.Err(), context.Canceled)
					require.NoError(t, asyncio.CurrentTask(ctx).Context().Err(), "the parent's own context has not ended")
					require.NoError(t, testkit.Suspend(ctx, 2), "one await is interrupted, not all")
					return seen
				})
				wantGroup(t, err, testkit.ErrBoom, testkit.ErrBoom, testkit.ErrBoom)
				testkit.WantCancelled(t, seen, nil)
				require.Zero(t, cancelling(ctx))
			})
		})
		t.Run("TG-07", func(t *testing.T) {
			for _, suspends := range []int{0, 2} {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					var t1, t2 *asyncio.Task[asyncio.None]
					err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						t1, t2 = tg.Go(testkit.SleepsLong), tg.Go(testkit.SleepsLong)
						require.NoError(t, testkit.Suspend(ctx, suspends))
						return testkit.ErrBoom
					})
					wantGroup(t, err, testkit.ErrBoom)
					require.True(t, t1.Cancelled() && t2.Cancelled())
					require.Zero(t, cancelling(ctx))
				})
			}
		})
		t.Run("TG-15", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(after(1, testkit.ErrBoom))
					defer panic("argh")
					return testkit.SleepsLong(ctx)
				})
				var p *asyncio.PanicError
				require.ErrorAs(t, err, &p)
				wantGroup(t, err, testkit.ErrBoom, p)
				require.Equal(t, "argh", p.Value)
				require.Contains(t, string(p.Stack), "taskgroup_test.go")
				wantGroup(t, asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(func(context.Context) error { panic(errOther) })
					return failsInCleanup(testkit.ErrBoom)(ctx)
				}), testkit.ErrBoom, errOther)
			})
		})
		t.Run("TG-16", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				require.NoError(t, asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(func(ctx context.Context) error {
						err := testkit.Suspend(ctx, 2)
						tg.Go(func(ctx context.Context) error {
							err := testkit.Suspend(ctx, 2)
							tr.Add("grandchild")
							return err
						})
						tr.Add("child")
						return err
					})
					tr.Add("body")
					return nil
				}))
				tr.Equal(t, "body", "child", "grandchild")
			})
		})
		t.Run("TG-19", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				runs := false
				fn := func(context.Context) error { runs = true; return nil }
				var group asyncio.TaskGroup
				err := testkit.PanicError(t, func() { group.Go(fn) })
				require.ErrorIs(t, err, asyncio.ErrGroupClosed)
				testkit.ErrorSays(t, err, "has not been entered")
				require.NoError(t, group.Run(ctx, func(context.Context, *asyncio.TaskGroup) error { return nil }))
				err = testkit.PanicError(t, func() { group.Go(fn) })
				require.ErrorIs(t, err, asyncio.ErrGroupClosed)
				testkit.ErrorSays(t, err, "is finished")
				asynciotest.Yield(t, ctx, 2)
				require.False(t, runs)
				testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { new(asyncio.TaskGroup).Go(nil) })
			})
		})
		t.Run("TG-20", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			nothing := func(context.Context, *asyncio.TaskGroup) error { return nil }
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var group asyncio.TaskGroup
				for _, twice := range []func() error{
					func() error {
						return group.Run(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error { return tg.Run(ctx, nothing) })
					},
					func() error { return group.Run(ctx, nothing) },
				} {
					err := twice()
					require.ErrorIs(t, err, asyncio.ErrGroupClosed)
					testkit.ErrorSays(t, err, "already been entered")
				}
			})
			for _, ctx := range []context.Context{context.Background(), l.Context()} {
				err := asyncio.WithTaskGroup(ctx, nothing)
				require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
				testkit.ErrorSays(t, err, "parent task")
			}
		})
		t.Run("TG-21", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				for _, n := range []int{0, 1, 5} {
					wantGroup(t, asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(after(0, testkit.ErrBoom))
						return testkit.Suspend(ctx, n)
					}), testkit.ErrBoom)
					require.Zero(t, cancelling(ctx))
					require.NoError(t, testkit.Suspend(ctx, 1))
				}
			})
		})
		t.Run("TG-25", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(after(0, testkit.ErrBoom))
					return failsInCleanup(errOther)(ctx)
				})
				wantGroup(t, err, testkit.ErrBoom, errOther)
				require.Zero(t, cancelling(ctx))
			})
		})
	})
}

// TestTaskGroupCancelledOutside cancels the parent.
func TestTaskGroupCancelledOutside(t *testing.T) {
	// cancelled runs a group in a task of its own, which is cancelled in the third turn,
	// and returns what the group did.
	cancelled := func(t *testing.T, ctx context.Context, body func(ctx context.Context, tg *asyncio.TaskGroup) error) (parent *asyncio.Task[asyncio.None], err error) {
		t.Helper()
		parent = testkit.Start(ctx, func(ctx context.Context) error {
			err = asyncio.WithTaskGroup(ctx, body)
			return err
		})
		asynciotest.Yield(t, ctx, 3)
		require.True(t, parent.Cancel("outside"))
		_, _, waitErr := asyncio.Wait(ctx, []asyncio.AnyFuture{parent})
		require.NoError(t, waitErr)
		return parent, err
	}
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("children and body are cancelled, and the parent ends cancelled", func(t *testing.T) {
			for _, bodyWaits := range []bool{false, true} {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					count := 0
					parent, err := cancelled(t, ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						for range 5 {
							tg.Go(func(ctx context.Context) error {
								err := testkit.SleepsLong(ctx)
								count++
								return err
							})
						}
						if !bodyWaits {
							return nil
						}
						return testkit.SleepsLong(ctx)
					})
					testkit.WantCancelled(t, err, "outside")
					require.Equal(t, 5, count)
					require.True(t, parent.Cancelled())
					require.Equal(t, 1, parent.Cancelling())
				})
			}
		})
		t.Run("TG-06", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				parent, err := cancelled(t, ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					for range 5 {
						tg.Go(failsInCleanup(testkit.ErrBoom))
					}
					return testkit.SleepsLong(ctx)
				})
				wantGroup(t, err, testkit.ErrBoom, testkit.ErrBoom, testkit.ErrBoom, testkit.ErrBoom, testkit.ErrBoom)
				require.False(t, parent.Cancelled())
				require.Equal(t, err, parent.Exception())
			})
		})
		t.Run("TG-11", func(t *testing.T) {
			for _, nested := range []bool{false, true} {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					slowToEnd := func(ctx context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(func(ctx context.Context) error {
							for range 6 {
								_ = testkit.Suspend(ctx, 1)
							}
							return testkit.ErrBoom
						})
						err := testkit.SleepsLong(ctx)
						if e := testkit.Suspend(ctx, 10); e != nil {
							return e
						}
						return err
					}
					_, err := cancelled(t, ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						if !nested {
							return slowToEnd(ctx, tg)
						}
						_, err := testkit.Start(ctx, func(ctx context.Context) error { return asyncio.WithTaskGroup(ctx, slowToEnd) }).Await(ctx)
						return err
					})
					if nested {
						wantGroup(t, wantGroup(t, err, testkit.ErrBoom)[0], testkit.ErrBoom)
					} else {
						wantGroup(t, err, testkit.ErrBoom)
					}
				})
			}
		})
		t.Run("TG-28", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				gate := asyncio.NewFuture[asyncio.None](l)
				var child *asyncio.Task[asyncio.None]
				parent := testkit.Start(ctx, func(ctx context.Context) error {
					return asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
						child = tg.Go(func(ctx context.Context) error {
							err := testkit.SleepsLong(ctx)
							_, _ = asyncio.Shield[asyncio.None](ctx, gate).Await(ctx)
							return err
						})
						return nil
					})
				})
				asynciotest.Yield(t, ctx, 2)
				for _, msg := range []string{"first", "second", "third"} {
					parent.Cancel(msg)
					asynciotest.Yield(t, ctx, 2)
					require.False(t, parent.Done(), "it waits for the child")
				}
				require.Equal(t, 1, child.Cancelling(), "the children are cancelled once")
				require.NoError(t, gate.SetResult(asyncio.None{}))
				_, err := parent.Await(ctx)
				testkit.WantCancelled(t, err, "first")
				require.Equal(t, 3, parent.Cancelling())
				require.True(t, child.Cancelled())
			})
		})
		t.Run("the body makes another error of it", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, err := cancelled(t, ctx, func(ctx context.Context, _ *asyncio.TaskGroup) error { return failsInCleanup(errOther)(ctx) })
				wantGroup(t, err, errOther)
			})
		})
		t.Run("with an error as well: the request comes again at the next await, and counts once", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var begun asyncio.Event
				inner := testkit.Start(ctx, func(ctx context.Context) error {
					wantGroup(t, asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(func(ctx context.Context) error {
							begun.Set()
							return after(1, testkit.ErrBoom)(ctx)
						})
						return testkit.SleepsLong(ctx)
					}), testkit.ErrBoom)
					require.Equal(t, 1, cancelling(ctx))
					return testkit.SleepsLong(ctx)
				})
				require.NoError(t, begun.Wait(ctx))
				require.Zero(t, inner.Cancelling())
				inner.Cancel()
				require.Equal(t, 1, inner.Cancelling())
				_, err := inner.Await(ctx)
				testkit.WantCancelled(t, err, nil)
				require.True(t, inner.Cancelled())
			})
		})
	})
}

// TestTaskGroupNested has groups in groups, and timeouts around them.
func TestTaskGroupNested(t *testing.T) {
	nested := func(ctx context.Context, outer func(tg *asyncio.TaskGroup), inner func(ctx context.Context, tg *asyncio.TaskGroup) error) error {
		return asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
			outer(tg)
			return asyncio.WithTaskGroup(ctx, inner)
		})
	}
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TG-09", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				wantGroup(t, nested(ctx, func(tg *asyncio.TaskGroup) { tg.Go(after(2, testkit.ErrBoom)) },
					func(_ context.Context, tg *asyncio.TaskGroup) error { tg.Go(testkit.SleepsLong); return nil }), testkit.ErrBoom)
				require.Zero(t, cancelling(ctx))
			})
		})
		t.Run("TG-10", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				errs := wantGroup(t, nested(ctx, func(tg *asyncio.TaskGroup) { tg.Go(testkit.SleepsLong) },
					func(_ context.Context, tg *asyncio.TaskGroup) error { tg.Go(after(2, testkit.ErrBoom)); return nil }), testkit.ErrBoom)
				wantGroup(t, errs[0], testkit.ErrBoom)
				require.Zero(t, cancelling(ctx))
			})
		})
		t.Run("TG-22", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, outer *asyncio.TaskGroup) error {
					wantGroup(t, asyncio.WithTaskGroup(ctx, func(_ context.Context, inner *asyncio.TaskGroup) error {
						inner.Go(after(0, testkit.ErrBoom))
						outer.Go(after(0, errOther))
						return nil
					}), testkit.ErrBoom)
					require.Equal(t, 1, cancelling(ctx))
					return nil
				})
				wantGroup(t, err, errOther)
				require.Zero(t, cancelling(ctx))
				require.NoError(t, testkit.Suspend(ctx, 1))
			})
		})
		t.Run("a timeout around a group", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				testkit.WantTimeout(t, asyncio.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
					return asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(testkit.SleepsLong)
						return nil
					})
				}))
				err := asyncio.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
					return asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(failsInCleanup(testkit.ErrBoom))
						return nil
					})
				})
				wantGroup(t, err, testkit.ErrBoom)
				require.Zero(t, cancelling(ctx))
				require.NoError(t, testkit.Suspend(ctx, 1))
			})
		})
		t.Run("a timeout inside a group", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(testkit.SleepsLong)
					return asyncio.Timeout(ctx, time.Millisecond, testkit.SleepsLong)
				})
				wantGroup(t, err, asyncio.ErrTimeout)
				require.ErrorIs(t, err, context.DeadlineExceeded)
			})
		})
		t.Run("a timeout inside a group inside one that has expired", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				require.NoError(t, asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
					require.ErrorIs(t, testkit.SleepsLong(ctx), asyncio.ErrCancelled)
					err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, _ *asyncio.TaskGroup) error {
						return asyncio.Timeout(ctx, time.Millisecond, testkit.SleepsLong)
					})
					wantGroup(t, err, asyncio.ErrTimeout)
					require.ErrorIs(t, testkit.Suspend(ctx, 1), asyncio.ErrCancelled, "the outer request is left, and comes again")
					return nil
				}))
			})
		})
	})
}

// TestTaskGroupContext shows what contexts say, and that foreign code which heeds them is
// taken for cancelled.
func TestTaskGroupContext(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("children have the values of the body's context, and lives of their own", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				ctx = context.WithValue(ctx, testkit.CtxKey("who"), "me")
				var kept context.Context
				require.NoError(t, asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					kept = ctx
					tg.Go(func(ctx context.Context) error {
						require.Equal(t, "me", ctx.Value(testkit.CtxKey("who")))
						require.NoError(t, testkit.Suspend(ctx, 1))
						return ctx.Err()
					})
					return ctx.Err()
				}))
				require.ErrorIs(t, kept.Err(), context.Canceled, "the body's context ends with the group")
			})
		})
		t.Run("a body that returns what its context says", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				heeds := func(ctx context.Context) error {
					_, err := asyncio.ToThread(ctx, func(ctx context.Context) (asyncio.None, error) {
						<-ctx.Done()
						return asyncio.None{}, nil
					})
					require.Error(t, err)
					return fmt.Errorf("foreign: %w", ctx.Err())
				}
				wantGroup(t, asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(after(1, testkit.ErrBoom))
					return heeds(ctx)
				}), testkit.ErrBoom)
				testkit.WantTimeout(t, asyncio.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
					return asyncio.WithTaskGroup(ctx, func(ctx context.Context, _ *asyncio.TaskGroup) error { return heeds(ctx) })
				}))
			})
		})
		t.Run("the end of a derived context", func(t *testing.T) {
			for _, bodyWaits := range []bool{false, true} {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					derived, cancel := context.WithCancelCause(ctx)
					defer cancel(nil)
					var child *asyncio.Task[asyncio.None]
					l.CallLater(time.Millisecond, func() { cancel(testkit.ErrBoom) })
					err := asyncio.WithTaskGroup(derived, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						child = tg.Go(testkit.SleepsLong)
						if bodyWaits {
							return testkit.SleepsLong(ctx)
						}
						return nil
					})
					require.Equal(t, testkit.ErrBoom, err, "it comes bare")
					require.True(t, child.Cancelled())
					require.Zero(t, cancelling(ctx))
					require.Equal(t, testkit.ErrBoom, asyncio.WithTaskGroup(derived, nil), "it has ended for good")
				})
			}
		})
	})
}

// TestTaskGroupCancel is about TaskGroup.Cancel.
func TestTaskGroupCancel(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("by the body, a child, and from outside", func(t *testing.T) {
			for _, by := range []string{"body", "child", "callback"} {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					var ends []error
					var group asyncio.TaskGroup
					require.NoError(t, group.Run(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(func(ctx context.Context) error {
							if by == "child" {
								tg.Cancel("enough")
							}
							ends = append(ends, testkit.SleepsLong(ctx))
							return nil
						})
						switch by {
						case "body":
							require.NoError(t, testkit.Suspend(ctx, 1))
							tg.Cancel("enough")
						case "callback":
							l.CallSoon(func() { tg.Cancel("enough") })
						}
						err := testkit.SleepsLong(ctx)
						ends = append(ends, err)
						tg.Cancel("again")
						return err
					}))
					require.Len(t, ends, 2)
					testkit.WantCancelled(t, ends[0], "enough")
					testkit.WantCancelled(t, ends[1], "enough")
					require.Zero(t, cancelling(ctx))
					require.NoError(t, testkit.Suspend(ctx, 1))
					group.Cancel()
					require.NoError(t, testkit.Suspend(ctx, 1), "after the end it does nothing")
				})
			}
		})
		t.Run("while the group waits for its tasks", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				require.NoError(t, asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(testkit.SleepsLong)
					l.CallLater(time.Millisecond, func() { tg.Cancel() })
					return nil
				}))
				require.Zero(t, cancelling(ctx))
				require.NoError(t, testkit.Suspend(ctx, 1))
			})
		})
		t.Run("after the end", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var group asyncio.TaskGroup
				require.NoError(t, group.Run(ctx, func(context.Context, *asyncio.TaskGroup) error { return nil }))
				group.Cancel()
				require.Zero(t, cancelling(ctx))
				require.NoError(t, testkit.Suspend(ctx, 1))
			})
		})
		t.Run("before the group is entered", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var group asyncio.TaskGroup
				group.Cancel("early")
				require.NoError(t, group.Run(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					tk := tg.Go(func(context.Context) error { t.Error("it runs"); return nil })
					require.ErrorIs(t, tk.Exception(), asyncio.ErrGroupClosed)
					err := testkit.Suspend(ctx, 1)
					testkit.WantCancelled(t, err, "early")
					return err
				}))
				require.Zero(t, cancelling(ctx))
			})
		})
		t.Run("errors and a cancellation from outside are not lost", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				wantGroup(t, asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(failsInCleanup(testkit.ErrBoom))
					l.CallSoon(func() { l.CallSoon(func() { tg.Cancel() }) })
					return nil
				}), testkit.ErrBoom)
				parent := testkit.Start(ctx, func(ctx context.Context) error {
					return asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						tg.Cancel()
						asyncio.CurrentTask(ctx).Cancel("outside")
						return testkit.SleepsLong(ctx)
					})
				})
				_, err := parent.Await(ctx)
				testkit.WantCancelled(t, err, "outside")
			})
		})
	})
}

// TestTaskGroupShutsDown starts tasks in a group that aborts: they fail, and somebody
// hears of it.
func TestTaskGroupShutsDown(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		reports := asynciotest.RecordReports(l)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			runs := false
			late := func(context.Context) error { runs = true; return nil }
			err := asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
				tg.Go(after(1, testkit.ErrBoom))
				tg.Go(func(ctx context.Context) error {
					err := testkit.SleepsLong(ctx)
					tk := tg.Go(late)
					require.True(t, tk.Done())
					_, lateErr := tk.Await(ctx)
					require.ErrorIs(t, lateErr, asyncio.ErrGroupClosed)
					testkit.ErrorSays(t, lateErr, "shutting down")
					require.False(t, tk.Cancel())
					tg.Go(late)
					return err
				})
				return nil
			})
			wantGroup(t, err, testkit.ErrBoom)
			require.False(t, runs)
		})
		require.NoError(t, l.Close())
		require.ErrorIs(t, reports.One(t).Exception, asyncio.ErrGroupClosed)
	})
}

// TestTaskGroupUnwound ends body or child with Goexit, which no group keeps.
func TestTaskGroupUnwound(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TG-14", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			after := false
			testkit.Unwinds(t, func() {
				_, _ = asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
					defer func() { tr.Add("main unwinds") }()
					err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(func(context.Context) error { return testkit.ErrBoom })
						tg.Go(func(ctx context.Context) error {
							err := testkit.SleepsLong(ctx)
							tr.Add("sibling cleans up")
							require.NoError(t, testkit.Suspend(ctx, 2))
							tr.Add("sibling ends")
							return err
						})
						_ = testkit.SleepsLong(ctx)
						runtime.Goexit()
						return nil
					})
					after = true
					return err
				}))
			})
			tr.Equal(t, "sibling cleans up", "sibling ends", "main unwinds")
			require.False(t, after)
			asynciotest.Turn(t, l)
		})
		t.Run("a child", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var err error
			main := asyncio.CreateTask(l.Context(), func(ctx context.Context) (asyncio.None, error) {
				err = asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(func(context.Context) error { runtime.Goexit(); return nil })
					return failsInCleanup(testkit.ErrBoom)(ctx)
				})
				return asyncio.None{}, nil
			})
			testkit.Unwinds(t, func() { _, _ = asyncio.RunUntilComplete[asyncio.None](l, main) })
			_, runErr := asyncio.RunUntilComplete[asyncio.None](l, main)
			require.NoError(t, runErr)
			testkit.ErrorSays(t, err, "Goexit")
			require.NotErrorIs(t, err, testkit.ErrBoom, "it comes bare")
		})
	})
}

// TestTaskGroupLoopClosed closes the loop while a group waits.
func TestTaskGroupLoopClosed(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		_, silent := testkit.RecordLog()
		l := asynciotest.New(t, append(opts, silent)...)
		var inBody, inClose error
		testkit.Start(l.Context(), func(ctx context.Context) error {
			inBody = asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
				tg.Go(testkit.SleepsLong)
				return testkit.SleepsLong(ctx)
			})
			return nil
		})
		testkit.Start(l.Context(), func(ctx context.Context) error {
			inClose = asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
				tg.Go(testkit.SleepsLong)
				return nil
			})
			return nil
		})
		asynciotest.Turns(t, l, 3)
		require.NoError(t, l.Close())
		require.ErrorIs(t, inBody, asyncio.ErrLoopClosed)
		require.ErrorIs(t, inClose, asyncio.ErrLoopClosed)
	})
}

func BenchmarkTaskGroup(b *testing.B) {
	testkit.BenchTask(b, func(ctx context.Context) {
		nothing := func(context.Context) error { return nil }
		for b.Loop() {
			err := asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
				for range 10 {
					tg.Go(nothing)
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
