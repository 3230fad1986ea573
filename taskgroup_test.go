// Task groups: who ends whom, which errors come out, and what the counters of requests
// say after it.
package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

// after is a child that ends with err after n turns, unless it is cancelled before.
func after(n int, err error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if e := suspend(ctx, n); e != nil {
			return e
		}
		return err
	}
}

// failsInCleanup is a child that ends with err when it is cancelled.
func failsInCleanup(err error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		_ = sleepsLong(ctx)
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
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TG-01", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
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
				require.Equal(t, "42", stateOf(t1))
				require.Equal(t, "11", stateOf(t2))
			})
		})
		t.Run("TG-02", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				var t1 *asyncio.Task[asyncio.None]
				var t2 *asyncio.Task[int]
				require.NoError(t, asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					t1 = tg.Go(sleepsLong)
					if err := suspend(ctx, 2); err != nil {
						return err
					}
					t1.Cancel()
					t2 = asyncio.GroupTask(tg, func(ctx context.Context) (int, error) { return 11, suspend(ctx, 3) })
					return suspend(ctx, 1)
				}))
				require.True(t, t1.Cancelled())
				require.Equal(t, "11", stateOf(t2))
			})
		})
		t.Run("TG-03", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				var seen error
				var sibling *asyncio.Task[asyncio.None]
				err := asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(after(2, errBoom))
					sibling = tg.Go(func(ctx context.Context) error {
						seen = sleepsLong(ctx)
						return seen
					})
					return nil
				})
				wantGroup(t, err, errBoom)
				wantCancelled(t, seen, nil)
				require.True(t, sibling.Cancelled())
			})
		})
		t.Run("TG-04", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				var seen error
				err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					for range 3 {
						tg.Go(after(2, errBoom))
					}
					tg.Go(sleepsLong)
					seen = sleepsLong(ctx)
					require.Equal(t, 1, cancelling(ctx))
					require.ErrorIs(t, ctx.Err(), context.Canceled)
					require.NoError(t, asyncio.CurrentTask(ctx).Context().Err(), "the parent's own context has not ended")
					require.NoError(t, suspend(ctx, 2), "one await is interrupted, not all")
					return seen
				})
				wantGroup(t, err, errBoom, errBoom, errBoom)
				wantCancelled(t, seen, nil)
				require.Zero(t, cancelling(ctx))
			})
		})
		t.Run("TG-07", func(t *testing.T) {
			for _, suspends := range []int{0, 2} {
				l := newLoop(t, opts...)
				inTask(t, l, func(ctx context.Context) {
					var t1, t2 *asyncio.Task[asyncio.None]
					err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						t1, t2 = tg.Go(sleepsLong), tg.Go(sleepsLong)
						require.NoError(t, suspend(ctx, suspends))
						return errBoom
					})
					wantGroup(t, err, errBoom)
					require.True(t, t1.Cancelled() && t2.Cancelled())
					require.Zero(t, cancelling(ctx))
				})
			}
		})
		t.Run("TG-15", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(after(1, errBoom))
					defer panic("argh")
					return sleepsLong(ctx)
				})
				var p *asyncio.PanicError
				require.ErrorAs(t, err, &p)
				wantGroup(t, err, errBoom, p)
				require.Equal(t, "argh", p.Value)
				require.Contains(t, string(p.Stack), "taskgroup_test.go")
				wantGroup(t, asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(func(context.Context) error { panic(errOther) })
					return failsInCleanup(errBoom)(ctx)
				}), errBoom, errOther)
			})
		})
		t.Run("TG-16", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				var tr trace
				require.NoError(t, asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(func(ctx context.Context) error {
						err := suspend(ctx, 2)
						tg.Go(func(ctx context.Context) error {
							err := suspend(ctx, 2)
							tr.add("grandchild")
							return err
						})
						tr.add("child")
						return err
					})
					tr.add("body")
					return nil
				}))
				tr.equal(t, "body", "child", "grandchild")
			})
		})
		t.Run("TG-19", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				runs := false
				fn := func(context.Context) error { runs = true; return nil }
				var group asyncio.TaskGroup
				err := panicError(t, func() { group.Go(fn) })
				require.ErrorIs(t, err, asyncio.ErrGroupClosed)
				errorSays(t, err, "has not been entered")
				require.NoError(t, group.Run(ctx, func(context.Context, *asyncio.TaskGroup) error { return nil }))
				err = panicError(t, func() { group.Go(fn) })
				require.ErrorIs(t, err, asyncio.ErrGroupClosed)
				errorSays(t, err, "is finished")
				yield(t, ctx, 2)
				require.False(t, runs)
				panicsWith(t, asyncio.ErrInvalidState, func() { new(asyncio.TaskGroup).Go(nil) })
			})
		})
		t.Run("TG-20", func(t *testing.T) {
			l := newLoop(t, opts...)
			nothing := func(context.Context, *asyncio.TaskGroup) error { return nil }
			inTask(t, l, func(ctx context.Context) {
				var group asyncio.TaskGroup
				for _, twice := range []func() error{
					func() error {
						return group.Run(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error { return tg.Run(ctx, nothing) })
					},
					func() error { return group.Run(ctx, nothing) },
				} {
					err := twice()
					require.ErrorIs(t, err, asyncio.ErrGroupClosed)
					errorSays(t, err, "already been entered")
				}
			})
			for _, ctx := range []context.Context{context.Background(), l.Context()} {
				err := asyncio.WithTaskGroup(ctx, nothing)
				require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
				errorSays(t, err, "parent task")
			}
		})
		t.Run("TG-21", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				for _, n := range []int{0, 1, 5} {
					wantGroup(t, asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(after(0, errBoom))
						return suspend(ctx, n)
					}), errBoom)
					require.Zero(t, cancelling(ctx))
					require.NoError(t, suspend(ctx, 1))
				}
			})
		})
		t.Run("TG-25", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(after(0, errBoom))
					return failsInCleanup(errOther)(ctx)
				})
				wantGroup(t, err, errBoom, errOther)
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
		parent = start(ctx, func(ctx context.Context) error {
			err = asyncio.WithTaskGroup(ctx, body)
			return err
		})
		yield(t, ctx, 3)
		require.True(t, parent.Cancel("outside"))
		_, _, waitErr := asyncio.Wait(ctx, []asyncio.AnyFuture{parent})
		require.NoError(t, waitErr)
		return parent, err
	}
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("children and body are cancelled, and the parent ends cancelled", func(t *testing.T) {
			for _, bodyWaits := range []bool{false, true} {
				l := newLoop(t, opts...)
				inTask(t, l, func(ctx context.Context) {
					count := 0
					parent, err := cancelled(t, ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						for range 5 {
							tg.Go(func(ctx context.Context) error {
								err := sleepsLong(ctx)
								count++
								return err
							})
						}
						if !bodyWaits {
							return nil
						}
						return sleepsLong(ctx)
					})
					wantCancelled(t, err, "outside")
					require.Equal(t, 5, count)
					require.True(t, parent.Cancelled())
					require.Equal(t, 1, parent.Cancelling())
				})
			}
		})
		t.Run("TG-06", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				parent, err := cancelled(t, ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					for range 5 {
						tg.Go(failsInCleanup(errBoom))
					}
					return sleepsLong(ctx)
				})
				wantGroup(t, err, errBoom, errBoom, errBoom, errBoom, errBoom)
				require.False(t, parent.Cancelled())
				require.Equal(t, err, parent.Exception())
			})
		})
		t.Run("TG-11", func(t *testing.T) {
			for _, nested := range []bool{false, true} {
				l := newLoop(t, opts...)
				inTask(t, l, func(ctx context.Context) {
					slowToEnd := func(ctx context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(func(ctx context.Context) error {
							for range 6 {
								_ = suspend(ctx, 1)
							}
							return errBoom
						})
						err := sleepsLong(ctx)
						if e := suspend(ctx, 10); e != nil {
							return e
						}
						return err
					}
					_, err := cancelled(t, ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						if !nested {
							return slowToEnd(ctx, tg)
						}
						_, err := start(ctx, func(ctx context.Context) error { return asyncio.WithTaskGroup(ctx, slowToEnd) }).Await(ctx)
						return err
					})
					if nested {
						wantGroup(t, wantGroup(t, err, errBoom)[0], errBoom)
					} else {
						wantGroup(t, err, errBoom)
					}
				})
			}
		})
		t.Run("TG-28", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				gate := asyncio.NewFuture[asyncio.None](l)
				var child *asyncio.Task[asyncio.None]
				parent := start(ctx, func(ctx context.Context) error {
					return asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
						child = tg.Go(func(ctx context.Context) error {
							err := sleepsLong(ctx)
							_, _ = asyncio.Shield[asyncio.None](ctx, gate).Await(ctx)
							return err
						})
						return nil
					})
				})
				yield(t, ctx, 2)
				for _, msg := range []string{"first", "second", "third"} {
					parent.Cancel(msg)
					yield(t, ctx, 2)
					require.False(t, parent.Done(), "it waits for the child")
				}
				require.Equal(t, 1, child.Cancelling(), "the children are cancelled once")
				require.NoError(t, gate.SetResult(asyncio.None{}))
				_, err := parent.Await(ctx)
				wantCancelled(t, err, "first")
				require.Equal(t, 3, parent.Cancelling())
				require.True(t, child.Cancelled())
			})
		})
		t.Run("the body makes another error of it", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				_, err := cancelled(t, ctx, func(ctx context.Context, _ *asyncio.TaskGroup) error { return failsInCleanup(errOther)(ctx) })
				wantGroup(t, err, errOther)
			})
		})
		t.Run("with an error as well: the request comes again at the next await, and counts once", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				var begun asyncio.Event
				inner := start(ctx, func(ctx context.Context) error {
					wantGroup(t, asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(func(ctx context.Context) error {
							begun.Set()
							return after(1, errBoom)(ctx)
						})
						return sleepsLong(ctx)
					}), errBoom)
					require.Equal(t, 1, cancelling(ctx))
					return sleepsLong(ctx)
				})
				require.NoError(t, begun.Wait(ctx))
				require.Zero(t, inner.Cancelling())
				inner.Cancel()
				require.Equal(t, 1, inner.Cancelling())
				_, err := inner.Await(ctx)
				wantCancelled(t, err, nil)
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
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TG-09", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				wantGroup(t, nested(ctx, func(tg *asyncio.TaskGroup) { tg.Go(after(2, errBoom)) },
					func(_ context.Context, tg *asyncio.TaskGroup) error { tg.Go(sleepsLong); return nil }), errBoom)
				require.Zero(t, cancelling(ctx))
			})
		})
		t.Run("TG-10", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				errs := wantGroup(t, nested(ctx, func(tg *asyncio.TaskGroup) { tg.Go(sleepsLong) },
					func(_ context.Context, tg *asyncio.TaskGroup) error { tg.Go(after(2, errBoom)); return nil }), errBoom)
				wantGroup(t, errs[0], errBoom)
				require.Zero(t, cancelling(ctx))
			})
		})
		t.Run("TG-22", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, outer *asyncio.TaskGroup) error {
					wantGroup(t, asyncio.WithTaskGroup(ctx, func(_ context.Context, inner *asyncio.TaskGroup) error {
						inner.Go(after(0, errBoom))
						outer.Go(after(0, errOther))
						return nil
					}), errBoom)
					require.Equal(t, 1, cancelling(ctx))
					return nil
				})
				wantGroup(t, err, errOther)
				require.Zero(t, cancelling(ctx))
				require.NoError(t, suspend(ctx, 1))
			})
		})
		t.Run("a timeout around a group", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				wantTimeout(t, asyncio.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
					return asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(sleepsLong)
						return nil
					})
				}))
				err := asyncio.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
					return asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(failsInCleanup(errBoom))
						return nil
					})
				})
				wantGroup(t, err, errBoom)
				require.Zero(t, cancelling(ctx))
				require.NoError(t, suspend(ctx, 1))
			})
		})
		t.Run("a timeout inside a group", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(sleepsLong)
					return asyncio.Timeout(ctx, time.Millisecond, sleepsLong)
				})
				wantGroup(t, err, asyncio.ErrTimeout)
				require.ErrorIs(t, err, context.DeadlineExceeded)
			})
		})
		t.Run("a timeout inside a group inside one that has expired", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				require.NoError(t, asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
					require.ErrorIs(t, sleepsLong(ctx), asyncio.ErrCancelled)
					err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, _ *asyncio.TaskGroup) error {
						return asyncio.Timeout(ctx, time.Millisecond, sleepsLong)
					})
					wantGroup(t, err, asyncio.ErrTimeout)
					require.ErrorIs(t, suspend(ctx, 1), asyncio.ErrCancelled, "the outer request is left, and comes again")
					return nil
				}))
			})
		})
	})
}

// TestTaskGroupContext shows what contexts say, and that foreign code which heeds them is
// taken for cancelled.
func TestTaskGroupContext(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("children have the values of the body's context, and lives of their own", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				ctx = context.WithValue(ctx, ctxKey("who"), "me")
				var kept context.Context
				require.NoError(t, asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					kept = ctx
					tg.Go(func(ctx context.Context) error {
						require.Equal(t, "me", ctx.Value(ctxKey("who")))
						require.NoError(t, suspend(ctx, 1))
						return ctx.Err()
					})
					return ctx.Err()
				}))
				require.ErrorIs(t, kept.Err(), context.Canceled, "the body's context ends with the group")
			})
		})
		t.Run("a body that returns what its context says", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				heeds := func(ctx context.Context) error {
					_, err := asyncio.ToThread(ctx, func(ctx context.Context) (asyncio.None, error) {
						<-ctx.Done()
						return asyncio.None{}, nil
					})
					require.Error(t, err)
					return fmt.Errorf("foreign: %w", ctx.Err())
				}
				wantGroup(t, asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(after(1, errBoom))
					return heeds(ctx)
				}), errBoom)
				wantTimeout(t, asyncio.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
					return asyncio.WithTaskGroup(ctx, func(ctx context.Context, _ *asyncio.TaskGroup) error { return heeds(ctx) })
				}))
			})
		})
		t.Run("the end of a derived context", func(t *testing.T) {
			for _, bodyWaits := range []bool{false, true} {
				l := newLoop(t, opts...)
				inTask(t, l, func(ctx context.Context) {
					derived, cancel := context.WithCancelCause(ctx)
					defer cancel(nil)
					var child *asyncio.Task[asyncio.None]
					l.CallLater(time.Millisecond, func() { cancel(errBoom) })
					err := asyncio.WithTaskGroup(derived, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						child = tg.Go(sleepsLong)
						if bodyWaits {
							return sleepsLong(ctx)
						}
						return nil
					})
					require.Equal(t, errBoom, err, "it comes bare")
					require.True(t, child.Cancelled())
					require.Zero(t, cancelling(ctx))
					require.Equal(t, errBoom, asyncio.WithTaskGroup(derived, nil), "it has ended for good")
				})
			}
		})
	})
}

// TestTaskGroupCancel is about TaskGroup.Cancel.
func TestTaskGroupCancel(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("by the body, a child, and from outside", func(t *testing.T) {
			for _, by := range []string{"body", "child", "callback"} {
				l := newLoop(t, opts...)
				inTask(t, l, func(ctx context.Context) {
					var ends []error
					var group asyncio.TaskGroup
					require.NoError(t, group.Run(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(func(ctx context.Context) error {
							if by == "child" {
								tg.Cancel("enough")
							}
							ends = append(ends, sleepsLong(ctx))
							return nil
						})
						switch by {
						case "body":
							require.NoError(t, suspend(ctx, 1))
							tg.Cancel("enough")
						case "callback":
							l.CallSoon(func() { tg.Cancel("enough") })
						}
						err := sleepsLong(ctx)
						ends = append(ends, err)
						tg.Cancel("again")
						return err
					}))
					require.Len(t, ends, 2)
					wantCancelled(t, ends[0], "enough")
					wantCancelled(t, ends[1], "enough")
					require.Zero(t, cancelling(ctx))
					require.NoError(t, suspend(ctx, 1))
					group.Cancel()
					require.NoError(t, suspend(ctx, 1), "after the end it does nothing")
				})
			}
		})
		t.Run("while the group waits for its tasks", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				require.NoError(t, asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(sleepsLong)
					l.CallLater(time.Millisecond, func() { tg.Cancel() })
					return nil
				}))
				require.Zero(t, cancelling(ctx))
				require.NoError(t, suspend(ctx, 1))
			})
		})
		t.Run("after the end", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				var group asyncio.TaskGroup
				require.NoError(t, group.Run(ctx, func(context.Context, *asyncio.TaskGroup) error { return nil }))
				group.Cancel()
				require.Zero(t, cancelling(ctx))
				require.NoError(t, suspend(ctx, 1))
			})
		})
		t.Run("before the group is entered", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				var group asyncio.TaskGroup
				group.Cancel("early")
				require.NoError(t, group.Run(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					tk := tg.Go(func(context.Context) error { t.Error("it runs"); return nil })
					require.ErrorIs(t, tk.Exception(), asyncio.ErrGroupClosed)
					err := suspend(ctx, 1)
					wantCancelled(t, err, "early")
					return err
				}))
				require.Zero(t, cancelling(ctx))
			})
		})
		t.Run("errors and a cancellation from outside are not lost", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				wantGroup(t, asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(failsInCleanup(errBoom))
					l.CallSoon(func() { l.CallSoon(func() { tg.Cancel() }) })
					return nil
				}), errBoom)
				parent := start(ctx, func(ctx context.Context) error {
					return asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						tg.Cancel()
						asyncio.CurrentTask(ctx).Cancel("outside")
						return sleepsLong(ctx)
					})
				})
				_, err := parent.Await(ctx)
				wantCancelled(t, err, "outside")
			})
		})
	})
}

// TestTaskGroupShutsDown starts tasks in a group that aborts: they fail, and somebody
// hears of it.
func TestTaskGroupShutsDown(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := newLoop(t, opts...)
		reports := recordErrors(l)
		inTask(t, l, func(ctx context.Context) {
			runs := false
			late := func(context.Context) error { runs = true; return nil }
			err := asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
				tg.Go(after(1, errBoom))
				tg.Go(func(ctx context.Context) error {
					err := sleepsLong(ctx)
					tk := tg.Go(late)
					require.True(t, tk.Done())
					_, lateErr := tk.Await(ctx)
					require.ErrorIs(t, lateErr, asyncio.ErrGroupClosed)
					errorSays(t, lateErr, "shutting down")
					require.False(t, tk.Cancel())
					tg.Go(late)
					return err
				})
				return nil
			})
			wantGroup(t, err, errBoom)
			require.False(t, runs)
		})
		require.NoError(t, l.Close())
		require.ErrorIs(t, reports.one(t).Exception, asyncio.ErrGroupClosed)
	})
}

// TestTaskGroupUnwound ends body or child with Goexit, which no group keeps.
func TestTaskGroupUnwound(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TG-14", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			after := false
			unwinds(t, func() {
				_, _ = asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
					defer func() { tr.add("main unwinds") }()
					err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(func(context.Context) error { return errBoom })
						tg.Go(func(ctx context.Context) error {
							err := sleepsLong(ctx)
							tr.add("sibling cleans up")
							require.NoError(t, suspend(ctx, 2))
							tr.add("sibling ends")
							return err
						})
						_ = sleepsLong(ctx)
						runtime.Goexit()
						return nil
					})
					after = true
					return err
				}))
			})
			tr.equal(t, "sibling cleans up", "sibling ends", "main unwinds")
			require.False(t, after)
			turn(t, l)
		})
		t.Run("a child", func(t *testing.T) {
			l := newLoop(t, opts...)
			var err error
			main := asyncio.CreateTask(l.Context(), func(ctx context.Context) (asyncio.None, error) {
				err = asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					tg.Go(func(context.Context) error { runtime.Goexit(); return nil })
					return failsInCleanup(errBoom)(ctx)
				})
				return asyncio.None{}, nil
			})
			unwinds(t, func() { _, _ = asyncio.RunUntilComplete[asyncio.None](l, main) })
			_, runErr := asyncio.RunUntilComplete[asyncio.None](l, main)
			require.NoError(t, runErr)
			errorSays(t, err, "Goexit")
			require.NotErrorIs(t, err, errBoom, "it comes bare")
		})
	})
}

// TestTaskGroupLoopClosed closes the loop while a group waits.
func TestTaskGroupLoopClosed(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		_, silent := recordLog()
		l := newLoop(t, append(opts, silent)...)
		var inBody, inClose error
		start(l.Context(), func(ctx context.Context) error {
			inBody = asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
				tg.Go(sleepsLong)
				return sleepsLong(ctx)
			})
			return nil
		})
		start(l.Context(), func(ctx context.Context) error {
			inClose = asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
				tg.Go(sleepsLong)
				return nil
			})
			return nil
		})
		turns(t, l, 3)
		require.NoError(t, l.Close())
		require.ErrorIs(t, inBody, asyncio.ErrLoopClosed)
		require.ErrorIs(t, inClose, asyncio.ErrLoopClosed)
	})
}

func BenchmarkTaskGroup(b *testing.B) {
	benchTask(b, func(ctx context.Context) {
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
