// Twins of the oracle's programs about timeouts.
package oracle_test

import (
	"context"
	"errors"
	"time"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

var oracleTimeoutPrograms = twins{
	"timeout_and_cancel":  oracleTimeoutAndCancel,
	"timeout_and_group":   oracleTimeoutAndGroup,
	"timeout_cleanup":     oracleTimeoutCleanup,
	"timeout_in_child":    oracleTimeoutInChild,
	"timeout_nested":      oracleTimeoutNested,
	"timeout_other_error": oracleTimeoutOtherError,
	"timeout_past":        oracleTimeoutPast,
	"timeout_reschedule":  oracleTimeoutReschedule,
	"timeout_swallowed":   oracleTimeoutSwallowed,
	"timeout_uncancelled": oracleTimeoutUncancelled,
}

func oracleTimeoutPast(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	done := asyncio.NewFuture[string](testkit.LoopOf(ctx))
	done.SetResult("done")
	scope := asyncio.NewTimeout(-time.Second)
	scope.Run(ctx, func(ctx context.Context) error {
		v, err := done.Await(ctx)
		log("no await: %s", v)
		return err
	})
	log("expired %s", testkit.Flag(scope.Expired()))
	testkit.Suspend(ctx, 2)
	log("nothing came after, cancelling %d", me.Cancelling())
	scope = asyncio.NewTimeoutAt(testkit.LoopOf(ctx).Time() - time.Second)
	err := scope.Run(ctx, func(ctx context.Context) error {
		log("body")
		if err := testkit.Suspend(ctx, 1); err != nil {
			return err
		}
		log("not reached")
		return nil
	})
	if errors.Is(err, asyncio.ErrTimeout) {
		log("%s, expired %s, cancelling %d", testkit.ErrName(err), testkit.Flag(scope.Expired()), me.Cancelling())
	}
	err = asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
		_, err := asyncio.NewFuture[int](testkit.LoopOf(ctx)).Await(ctx)
		return err
	})
	log("%s", testkit.ErrName(err))
}

func oracleTimeoutReschedule(ctx context.Context, log logFunc) {
	l := testkit.LoopOf(ctx)
	move := func(scope *asyncio.TimeoutScope, when time.Duration) string {
		if scope.Reschedule(when) != nil {
			return "refused"
		}
		return "moved"
	}
	scope := asyncio.NewTimeout(0)
	log("created: %s", move(scope, asyncio.Forever))
	scope.Run(ctx, func(ctx context.Context) error {
		log("to none: %s, %s", move(scope, asyncio.Forever), testkit.Flag(scope.When() == asyncio.Forever))
		testkit.Suspend(ctx, 2)
		log("to later: %s", move(scope, l.Time()+time.Minute))
		testkit.Suspend(ctx, 2)
		log("expired %s", testkit.Flag(scope.Expired()))
		return nil
	})
	log("after: %s", move(scope, asyncio.Forever))
	scope = asyncio.NewTimeout(time.Minute)
	err := scope.Run(ctx, func(ctx context.Context) error {
		log("to now: %s", move(scope, l.Time()))
		err := testkit.Suspend(ctx, 5)
		log("expiring %s: %s", testkit.Flag(scope.Expired()), move(scope, asyncio.Forever))
		return err
	})
	if errors.Is(err, asyncio.ErrTimeout) {
		log("%s, expired %s: %s", testkit.ErrName(err), testkit.Flag(scope.Expired()), move(scope, asyncio.Forever))
	}
}

func oracleTimeoutOtherError(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	for _, who := range []string{"gives up", "fails", "own", "group"} {
		err := asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
			err := testkit.Suspend(ctx, 5)
			if errors.Is(err, asyncio.ErrCancelled) {
				testkit.Suspend(ctx, 1)
				switch who {
				case "fails":
					return errors.New("instead")
				case "own":
					return &asyncio.CancelledError{Msg: "own"}
				case "group":
					return &asyncio.ExceptionGroup{Message: "group", Errs: []error{errors.New("instead")}}
				}
			}
			return err
		})
		log("%s: %s, cancelling %d", who, testkit.ErrName(err), me.Cancelling())
	}
	err := asyncio.Timeout(ctx, time.Minute, func(context.Context) error { return asyncio.ErrTimeout })
	log("body's own %s", testkit.ErrName(err))
	scope := asyncio.NewTimeout(time.Minute)
	err = scope.Run(ctx, func(context.Context) error { return &asyncio.CancelledError{Msg: "own"} })
	log("%s, expired %s, cancelling %d", testkit.ErrName(err), testkit.Flag(scope.Expired()), me.Cancelling())
}

func oracleTimeoutCleanup(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	err := asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
		err := testkit.Suspend(ctx, 5)
		log("cleaning up, cancelling %d", me.Cancelling())
		again := asyncio.Timeout(ctx, 0, func(ctx context.Context) error { return testkit.Suspend(ctx, 5) })
		if errors.Is(again, asyncio.ErrTimeout) {
			log("clean-up %s, cancelling %d", testkit.ErrName(again), me.Cancelling())
		}
		testkit.Suspend(ctx, 2)
		log("cleaned up")
		return err
	})
	log("%s, cancelling %d", testkit.ErrName(err), me.Cancelling())
	if testkit.Suspend(ctx, 1) == nil {
		log("next await works")
	}
}

func oracleTimeoutUncancelled(ctx context.Context, log logFunc) {
	for _, uncancel := range []bool{false, true} {
		t := testkit.Start(ctx, func(ctx context.Context) error {
			me := asyncio.CurrentTask(ctx)
			scope := asyncio.NewTimeout(asyncio.Forever)
			err := scope.Run(ctx, func(ctx context.Context) error {
				if err := testkit.Suspend(ctx, 100); !errors.Is(err, asyncio.ErrCancelled) {
					return err
				}
				log("interrupted, cancelling %d", me.Cancelling())
				scope.Reschedule(-time.Second)
				err := testkit.Suspend(ctx, 1)
				if uncancel {
					me.Uncancel()
				}
				log("again, cancelling %d", me.Cancelling())
				return err
			})
			log("%s, cancelling %d", testkit.ErrName(err), me.Cancelling())
			return nil
		})
		testkit.Suspend(ctx, 2)
		t.Cancel("outside")
		testkit.Suspend(ctx, 4)
		log("%s", testkit.StateOf(t))
	}
}

func oracleTimeoutAndGroup(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	child := func(who string) func(context.Context) error {
		return func(ctx context.Context) error {
			err := testkit.Suspend(ctx, 100)
			log("%s cleans up", who)
			testkit.Suspend(ctx, 2)
			log("%s ends", who)
			return err
		}
	}
	err := asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
		return asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
			tg.Go(child("a"))
			tg.Go(child("b"))
			if err := testkit.Suspend(ctx, 1); err != nil {
				return err
			}
			return testkit.Suspend(ctx, 100)
		})
	})
	log("around: %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
	err = asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		tg.Go(child("c"))
		testkit.Suspend(ctx, 1)
		return asyncio.Timeout(ctx, 0, func(ctx context.Context) error { return testkit.Suspend(ctx, 100) })
	})
	log("inside: %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
	err = asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
		return asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
			tg.Go(child("d"))
			tg.Go(child("e")).AddDoneCallback(func(*asyncio.Task[asyncio.None]) { log("e done") })
			return nil
		})
	})
	log("while it waits: %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
}

func oracleTimeoutInChild(ctx context.Context, log logFunc) {
	for _, keeps := range []bool{true, false} {
		err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
			tg.Go(func(ctx context.Context) error {
				testkit.Suspend(ctx, 1)
				err := asyncio.Timeout(ctx, 0, func(ctx context.Context) error { return testkit.Suspend(ctx, 100) })
				if errors.Is(err, asyncio.ErrTimeout) {
					log("child timed out, cancelling %d", asyncio.CurrentTask(ctx).Cancelling())
					if keeps {
						return nil
					}
				}
				return err
			})
			if err := testkit.Suspend(ctx, 5); err != nil {
				return err
			}
			log("body ends")
			return nil
		})
		if err != nil {
			log("%s, cancelling %d", testkit.ErrName(err), asyncio.CurrentTask(ctx).Cancelling())
		}
	}
}

func oracleTimeoutNested(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	nested := func(outerDelay, innerDelay time.Duration) {
		outer, inner := asyncio.NewTimeout(outerDelay), asyncio.NewTimeout(innerDelay)
		err := outer.Run(ctx, func(ctx context.Context) error {
			err := inner.Run(ctx, func(ctx context.Context) error {
				if err := testkit.Suspend(ctx, 3); err != nil {
					log("body interrupted, cancelling %d", me.Cancelling())
					return err
				}
				log("body ends")
				return nil
			})
			if err != nil {
				log("inner ends with %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
				if !errors.Is(err, asyncio.ErrTimeout) {
					return err
				}
			}
			if err := testkit.Suspend(ctx, 1); err != nil {
				return err
			}
			log("outer body ends")
			return nil
		})
		if err != nil {
			log("outer ends with %s", testkit.ErrName(err))
		}
		log("expired %s %s, cancelling %d", testkit.Flag(outer.Expired()), testkit.Flag(inner.Expired()), me.Cancelling())
	}
	nested(0, 0)
	nested(asyncio.Forever, 0)
	nested(0, asyncio.Forever)
	nested(asyncio.Forever, asyncio.Forever)
	if testkit.Suspend(ctx, 1) == nil {
		log("next await works")
	}
}

func oracleTimeoutAndCancel(ctx context.Context, log logFunc) {
	for _, first := range []string{"deadline", "cancel"} {
		scope := asyncio.NewTimeout(asyncio.Forever)
		t := testkit.Start(ctx, func(ctx context.Context) error {
			me := asyncio.CurrentTask(ctx)
			err := scope.Run(ctx, func(ctx context.Context) error {
				err := testkit.Suspend(ctx, 100)
				if errors.Is(err, asyncio.ErrCancelled) {
					log("body interrupted, cancelling %d", me.Cancelling())
				}
				return err
			})
			if err != nil {
				log("scope ends with %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
			}
			return err
		})
		testkit.Suspend(ctx, 2)
		if first == "cancel" {
			t.Cancel("outside")
		}
		scope.Reschedule(testkit.LoopOf(ctx).Time())
		if first == "deadline" {
			testkit.Suspend(ctx, 1)
			t.Cancel("outside")
		}
		testkit.Suspend(ctx, 3)
		log("%s first: %s, expired %s, cancelling %d", first, testkit.StateOf(t), testkit.Flag(scope.Expired()), t.Cancelling())
	}
}

func oracleTimeoutSwallowed(ctx context.Context, log logFunc) {
	keeps := func(ctx context.Context) (string, error) {
		scope := asyncio.NewTimeout(0)
		err := scope.Run(ctx, func(ctx context.Context) error {
			if err := testkit.Suspend(ctx, 1); errors.Is(err, asyncio.ErrCancelled) {
				log("kept")
			}
			if err := testkit.Suspend(ctx, 1); err != nil {
				return err
			}
			log("goes on")
			return nil
		})
		return "expired " + testkit.Flag(scope.Expired()) + ", cancelling " +
			testkit.ValueName(asyncio.CurrentTask(ctx).Cancelling()), err
	}
	counted := func(ctx context.Context) (string, error) {
		me := asyncio.CurrentTask(ctx)
		me.Cancel("old")
		if err := testkit.Suspend(ctx, 1); errors.Is(err, asyncio.ErrCancelled) {
			log("kept %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
		}
		err := asyncio.Timeout(ctx, 0, func(ctx context.Context) error { return testkit.Suspend(ctx, 1) })
		if errors.Is(err, asyncio.ErrTimeout) {
			log("%s, cancelling %d", testkit.ErrName(err), me.Cancelling())
		}
		err = asyncio.Timeout(ctx, asyncio.Forever, func(ctx context.Context) error {
			me.Cancel("new")
			return testkit.Suspend(ctx, 1)
		})
		if errors.Is(err, asyncio.ErrCancelled) {
			log("%s, cancelling %d", testkit.ErrName(err), me.Cancelling())
		}
		return "end", nil
	}
	fails := func(ctx context.Context) (string, error) {
		return "", asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
			testkit.Suspend(ctx, 1)
			return testkit.ErrBoom
		})
	}
	for _, program := range []struct {
		name string
		coro asyncio.Coro[string]
	}{{"keeps", keeps}, {"counted", counted}, {"fails", fails}} {
		t := asyncio.CreateTask(ctx, program.coro)
		asyncio.Wait(ctx, []asyncio.AnyFuture{t})
		log("%s: %s, cancelling %d", program.name, testkit.StateOf(t), t.Cancelling())
	}
}
