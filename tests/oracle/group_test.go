// Twins of the oracle's programs about task groups.
package oracle_test

import (
	"context"
	"errors"
	"time"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

var oracleGroupPrograms = twins{
	"group_body_fails":         oracleGroupBodyFails,
	"group_body_swallows":      oracleGroupBodySwallows,
	"group_both_fail":          oracleGroupBothFail,
	"group_cancelled_waiting":  oracleGroupCancelledWaiting,
	"group_child_cancelled":    oracleGroupChildCancelled,
	"group_child_fails":        oracleGroupChildFails,
	"group_create_aborting":    oracleGroupCreateAborting,
	"group_create_late":        oracleGroupCreateLate,
	"group_in_group_cancelled": oracleGroupInGroupCancelled,
	"group_nested_inner_fails": oracleGroupNestedInnerFails,
	"group_nested_outer_fails": oracleGroupNestedOuterFails,
	"group_outside_cancel":     oracleGroupOutsideCancel,
	"group_same_turn":          oracleGroupSameTurn,
	"group_several_fail":       oracleGroupSeveralFail,
	"group_success":            oracleGroupSuccess,
	"group_uncancel_in_body":   oracleGroupUncancelInBody,
}

// failsAfter is a coroutine that fails with what after n turns.
func failsAfter(n int, what string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := testkit.Suspend(ctx, n); err != nil {
			return err
		}
		return errors.New(what)
	}
}

func oracleGroupSuccess(ctx context.Context, log logFunc) {
	var child func(tg *asyncio.TaskGroup, who string, n int) asyncio.Coro[string]
	child = func(tg *asyncio.TaskGroup, who string, n int) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			log("%s starts", who)
			testkit.Suspend(ctx, n)
			if n > 0 {
				asyncio.GroupTask(tg, child(tg, who+"'", n-1))
			}
			log("%s ends", who)
			return who, nil
		}
	}
	var a, b *asyncio.Task[string]
	asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
		a = asyncio.GroupTask(tg, child(tg, "a", 2))
		b = asyncio.GroupTask(tg, child(tg, "b", 0))
		b.AddDoneCallback(func(*asyncio.Task[string]) { log("b done") })
		log("body ends")
		return nil
	})
	log("%s %s, %d tasks", testkit.StateOf(a), testkit.StateOf(b), len(asyncio.AllTasks(testkit.LoopOf(ctx))))
	asyncio.WithTaskGroup(ctx, func(context.Context, *asyncio.TaskGroup) error {
		log("empty")
		return nil
	})
	log("an empty group costs no turn")
}

func oracleGroupSeveralFail(ctx context.Context, log logFunc) {
	child := func(who string, n int) func(context.Context) error {
		return func(ctx context.Context) error {
			err := testkit.Suspend(ctx, n)
			if err == nil {
				return errors.New(who)
			}
			log("%s got %s", who, testkit.ErrName(err))
			if who == "clean-up" {
				testkit.Suspend(ctx, 2)
				return errors.New(who)
			}
			return err
		}
	}
	var tasks []*asyncio.Task[asyncio.None]
	err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		tasks = append(tasks, tg.Go(child("one", 1)), tg.Go(child("two", 1)),
			tg.Go(child("clean-up", 100)), tg.Go(child("cancelled", 100)))
		return testkit.Suspend(ctx, 100)
	})
	log("%s, cancelling %d", testkit.ErrName(err), asyncio.CurrentTask(ctx).Cancelling())
	log("%s", statesOf(tasks...))
}

func oracleGroupBodyFails(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	var t *asyncio.Task[asyncio.None]
	run := func(who string, fails error) error {
		return asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
			t = tg.Go(func(ctx context.Context) error {
				err := testkit.Suspend(ctx, 100)
				log("%s got %s", who, testkit.ErrName(err))
				if who == "fails" {
					return errors.New("child")
				}
				return err
			})
			testkit.Suspend(ctx, 1)
			return fails
		})
	}
	for _, who := range []string{"gives up", "fails"} {
		err := run(who, errors.New("body"))
		log("%s, cancelling %d, child: %s", testkit.ErrName(err), me.Cancelling(), testkit.StateOf(t))
	}
	err := run("gives up", &asyncio.CancelledError{Msg: "own"})
	log("%s, cancelling %d, child: %s", testkit.ErrName(err), me.Cancelling(), testkit.StateOf(t))
	err = asyncio.WithTaskGroup(ctx, func(context.Context, *asyncio.TaskGroup) error {
		return &asyncio.ExceptionGroup{Message: "eg", Errs: []error{errors.New("inner")}}
	})
	log("%s", testkit.ErrName(err))
}

func oracleGroupChildCancelled(ctx context.Context, log logFunc) {
	child := func(who string, n int) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			if who == "raises" {
				return "", &asyncio.CancelledError{Msg: "own"}
			}
			if err := testkit.Suspend(ctx, n); err != nil {
				return "", err
			}
			log("%s ends", who)
			return who, nil
		}
	}
	var a, b, c *asyncio.Task[string]
	asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		a = asyncio.GroupTask(tg, child("a", 3))
		b = asyncio.GroupTask(tg, child("b", 100))
		c = asyncio.GroupTask(tg, child("raises", 0))
		testkit.Suspend(ctx, 1)
		log("cancel %s", testkit.Flag(b.Cancel("b only")))
		testkit.Suspend(ctx, 1)
		log("body ends")
		return nil
	})
	log("%s, cancelling %d", statesOf(a, b, c), asyncio.CurrentTask(ctx).Cancelling())
	asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		a = asyncio.GroupTask(tg, child("late", 4))
		testkit.LoopOf(ctx).CallSoon(func() { a.Cancel() })
		return nil
	})
	log("%s, cancelling %d", testkit.StateOf(a), asyncio.CurrentTask(ctx).Cancelling())
}

func oracleGroupNestedInnerFails(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	child := func(who string, n int) func(context.Context) error {
		return func(ctx context.Context) error {
			if err := testkit.Suspend(ctx, n); err != nil {
				log("%s interrupted", who)
				return err
			}
			return errors.New(who)
		}
	}
	err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, outer *asyncio.TaskGroup) error {
		outer.Go(child("outer's", 100))
		err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, inner *asyncio.TaskGroup) error {
			inner.Go(child("inner's", 1))
			return testkit.Suspend(ctx, 100)
		})
		log("inner %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
		testkit.Suspend(ctx, 1)
		return err
	})
	log("outer %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
	if testkit.Suspend(ctx, 1) == nil {
		log("next await works")
	}
}

func oracleGroupNestedOuterFails(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	child := func(who string, n int) func(context.Context) error {
		return func(ctx context.Context) error {
			if err := testkit.Suspend(ctx, n); err != nil {
				log("%s interrupted", who)
				testkit.Suspend(ctx, 2)
				log("%s ends", who)
				return err
			}
			return errors.New(who)
		}
	}
	for _, body := range []int{100, 0} {
		err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, outer *asyncio.TaskGroup) error {
			outer.Go(child("outer's", 2))
			err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, inner *asyncio.TaskGroup) error {
				inner.Go(child("inner's", 100))
				if err := testkit.Suspend(ctx, body); err != nil {
					return err
				}
				log("inner body ends")
				return nil
			})
			log("inner ends, cancelling %d", me.Cancelling())
			return err
		})
		log("outer %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
	}
}

func oracleGroupBothFail(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	for _, first := range []string{"inner", "outer"} {
		err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, outer *asyncio.TaskGroup) error {
			if first == "outer" {
				outer.Go(failsAfter(1, "outer's"))
			}
			err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, inner *asyncio.TaskGroup) error {
				inner.Go(failsAfter(1, "inner's"))
				if first == "inner" {
					outer.Go(failsAfter(1, "outer's"))
				}
				err := testkit.Suspend(ctx, 100)
				log("body interrupted, cancelling %d", me.Cancelling())
				return err
			})
			log("inner ends, cancelling %d", me.Cancelling())
			if err != nil {
				return err
			}
			if err := testkit.Suspend(ctx, 1); err != nil {
				return err
			}
			log("outer body ends")
			return nil
		})
		log("outer %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
	}
	if testkit.Suspend(ctx, 1) == nil {
		log("next await works")
	}
}

func oracleGroupCancelledWaiting(ctx context.Context, log logFunc) {
	t := testkit.Start(ctx, func(ctx context.Context) error {
		err := asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
			tg.Go(func(ctx context.Context) error {
				if err := testkit.Suspend(ctx, 100); errors.Is(err, asyncio.ErrCancelled) {
					log("child got %s, cancelling %d", testkit.ErrName(err), asyncio.CurrentTask(ctx).Cancelling())
				}
				testkit.Suspend(ctx, 5)
				log("child ends")
				return nil
			})
			log("body ends")
			return nil
		})
		if err == nil {
			log("not reached")
		}
		return err
	})
	t.AddDoneCallback(func(t *asyncio.Task[asyncio.None]) { log("parent: %s", testkit.StateOf(t)) })
	testkit.Suspend(ctx, 2)
	log("cancel %s", testkit.Flag(t.Cancel("first")))
	testkit.Suspend(ctx, 2)
	log("cancel %s, cancelling %d", testkit.Flag(t.Cancel("second")), t.Cancelling())
	if _, err := t.Await(ctx); errors.Is(err, asyncio.ErrCancelled) {
		log("main got %s, cancelling %d", testkit.ErrName(err), t.Cancelling())
	}
}

func oracleGroupBodySwallows(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		tg.Go(failsAfter(1, "boom"))
		if err := testkit.Suspend(ctx, 100); errors.Is(err, asyncio.ErrCancelled) {
			log("kept %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
		}
		if err := testkit.Suspend(ctx, 2); err != nil {
			return err
		}
		log("body ends")
		return nil
	})
	log("%s, cancelling %d", testkit.ErrName(err), me.Cancelling())
	testkit.Suspend(ctx, 1)
	err = asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		tg.Go(failsAfter(1, "boom"))
		if err := testkit.Suspend(ctx, 100); errors.Is(err, asyncio.ErrCancelled) {
			return errors.New("instead")
		}
		return nil
	})
	log("%s, cancelling %d", testkit.ErrName(err), me.Cancelling())
}

func oracleGroupUncancelInBody(ctx context.Context, log logFunc) {
	for _, outside := range []bool{false, true} {
		t := testkit.Start(ctx, func(ctx context.Context) error {
			me := asyncio.CurrentTask(ctx)
			err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
				if !outside {
					tg.Go(failsAfter(1, "boom"))
				}
				if err := testkit.Suspend(ctx, 100); !errors.Is(err, asyncio.ErrCancelled) {
					return err
				}
				log("uncancel %d", me.Uncancel())
				if err := testkit.Suspend(ctx, 1); err != nil {
					return err
				}
				log("body goes on")
				return nil
			})
			if err != nil {
				log("%s, cancelling %d", testkit.ErrName(err), me.Cancelling())
			}
			if err := testkit.Suspend(ctx, 1); err != nil {
				return err
			}
			log("next await works, cancelling %d", me.Cancelling())
			return nil
		})
		testkit.Suspend(ctx, 2)
		if outside {
			t.Cancel("outside")
		}
		asyncio.Wait(ctx, []asyncio.AnyFuture{t})
		log("%s", testkit.StateOf(t))
	}
}

func oracleGroupSameTurn(ctx context.Context, log logFunc) {
	for _, late := range []int{0, 1, 2, 3} {
		f := asyncio.NewFuture[asyncio.None](testkit.LoopOf(ctx))
		t := testkit.Start(ctx, func(ctx context.Context) error {
			me := asyncio.CurrentTask(ctx)
			err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
				tg.Go(func(ctx context.Context) error {
					if _, err := f.Await(ctx); err != nil {
						return err
					}
					return testkit.ErrBoom
				})
				err := testkit.Suspend(ctx, 100)
				if errors.Is(err, asyncio.ErrCancelled) {
					log("body got %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
				}
				return err
			})
			if err != nil {
				log("%s, cancelling %d", testkit.ErrName(err), me.Cancelling())
			}
			if err := testkit.Suspend(ctx, 1); errors.Is(err, asyncio.ErrCancelled) {
				log("next await got %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
			} else {
				log("next await works")
			}
			return nil
		})
		testkit.Suspend(ctx, 3)
		f.SetResult(asyncio.None{})
		testkit.Suspend(ctx, late)
		log("after %d: cancel %s", late, testkit.Flag(t.Cancel("outside")))
		asyncio.Wait(ctx, []asyncio.AnyFuture{t})
		log("%s, cancelling %d", testkit.StateOf(t), t.Cancelling())
	}
}

func oracleGroupInGroupCancelled(ctx context.Context, log logFunc) {
	child := func(who string) func(context.Context) error {
		return func(ctx context.Context) error {
			err := testkit.Suspend(ctx, 100)
			log("%s cleans up", who)
			testkit.Suspend(ctx, 1)
			log("%s ends", who)
			return err
		}
	}
	t := testkit.Start(ctx, func(ctx context.Context) error {
		scope := asyncio.NewTimeout(time.Minute)
		err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, outer *asyncio.TaskGroup) error {
			outer.Go(child("outer's"))
			return scope.Run(ctx, func(ctx context.Context) error {
				return asyncio.WithTaskGroup(ctx, func(ctx context.Context, inner *asyncio.TaskGroup) error {
					inner.Go(child("inner's"))
					return testkit.Suspend(ctx, 100)
				})
			})
		})
		log("parent ends, expired %s, cancelling %d", testkit.Flag(scope.Expired()), asyncio.CurrentTask(ctx).Cancelling())
		return err
	})
	testkit.Suspend(ctx, 3)
	t.Cancel("outside")
	if _, err := t.Await(ctx); errors.Is(err, asyncio.ErrCancelled) {
		log("main got %s", testkit.ErrName(err))
	}
}

func oracleGroupCreateLate(ctx context.Context, log logFunc) {
	tg := new(asyncio.TaskGroup)
	create := func(who string) string {
		return attempt("made", func() {
			tg.Go(func(context.Context) error {
				log("%s runs", who)
				return nil
			})
		})
	}
	log("not entered: %s", create("early"))
	tg.Run(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
		tg.Go(func(ctx context.Context) error {
			testkit.Suspend(ctx, 2)
			log("last child: %s", create("late"))
			return nil
		})
		return nil
	})
	log("finished: %s", create("too late"))
}

func oracleGroupCreateAborting(ctx context.Context, log logFunc) {
	err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		tg.Go(failsAfter(0, "boom"))
		err := testkit.Suspend(ctx, 100)
		if errors.Is(err, asyncio.ErrCancelled) {
			t := tg.Go(func(context.Context) error {
				log("not reached")
				return nil
			})
			if errors.Is(t.Exception(), asyncio.ErrGroupClosed) {
				log("refused")
			} else {
				log("made")
			}
		}
		return err
	})
	log("%s", testkit.ErrName(err))
}

func oracleGroupChildFails(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		tg.Go(func(ctx context.Context) error {
			if err := testkit.Suspend(ctx, 1); err != nil {
				return err
			}
			return testkit.ErrBoom
		})
		tg.Go(func(ctx context.Context) error {
			err := testkit.Suspend(ctx, 100)
			log("sibling cleans up")
			testkit.Suspend(ctx, 2)
			log("sibling ends")
			return err
		})
		err := testkit.Suspend(ctx, 100)
		if errors.Is(err, asyncio.ErrCancelled) {
			log("body interrupted, cancelling %d", me.Cancelling())
			testkit.Suspend(ctx, 1)
			log("body cleaned up")
		}
		return err
	})
	if err != nil {
		log("%s, cancelling %d", testkit.ErrName(err), me.Cancelling())
	}
	if testkit.Suspend(ctx, 1) == nil {
		log("next await works")
	}
}

func oracleGroupOutsideCancel(ctx context.Context, log logFunc) {
	t := testkit.Start(ctx, func(ctx context.Context) error {
		me := asyncio.CurrentTask(ctx)
		err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
			tg.Go(func(ctx context.Context) error {
				testkit.Suspend(ctx, 100)
				log("child fails")
				return testkit.ErrBoom
			})
			return testkit.Suspend(ctx, 100)
		})
		if err != nil {
			log("%s, cancelling %d", testkit.ErrName(err), me.Cancelling())
		}
		if err := testkit.Suspend(ctx, 1); errors.Is(err, asyncio.ErrCancelled) {
			log("next await: %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
		} else {
			log("not reached")
		}
		if err := testkit.Suspend(ctx, 1); err != nil {
			return err
		}
		log("the await after it works")
		return nil
	})
	t.AddDoneCallback(func(t *asyncio.Task[asyncio.None]) { log("parent done: %s", testkit.StateOf(t)) })
	testkit.Suspend(ctx, 3)
	t.Cancel("outside")
	testkit.Suspend(ctx, 8)
	log("cancelling %d", t.Cancelling())
}
