// Twins of the oracle's programs about tasks and futures: when a cancellation arrives,
// whom it reaches, who keeps it.
package oracle_test

import (
	"context"
	"errors"
	"strings"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

var oracleTaskPrograms = twins{
	"cancel_before_start":      oracleCancelBeforeStart,
	"cancel_counts":            oracleCancelCounts,
	"cancel_in_cleanup":        oracleCancelInCleanup,
	"cancel_next_await":        oracleCancelNextAwait,
	"cancel_shared_future":     oracleCancelSharedFuture,
	"cancel_twice":             oracleCancelTwice,
	"cancel_when_awaited_ends": oracleCancelWhenAwaitedEnds,
	"chain":                    oracleChain,
	"chain_swallowed":          oracleChainSwallowed,
	"done_callback_cancels":    oracleDoneCallbackCancels,
	"error_instead_of_cancel":  oracleErrorInsteadOfCancel,
	"failure_then_cancel":      oracleFailureThenCancel,
	"raises_cancelled":         oracleRaisesCancelled,
	"result_then_cancel":       oracleResultThenCancel,
	"self_cancel":              oracleSelfCancel,
	"self_cancel_awaits_task":  oracleSelfCancelAwaitsTask,
	"swallowed_goes_on":        oracleSwallowedGoesOn,
	"uncancel_unstarted":       oracleUncancelUnstarted,
	"woken_cancel_uncancel":    oracleWokenCancelUncancel,
}

func oracleCancelBeforeStart(ctx context.Context, log logFunc) {
	body := func(who string) func(context.Context) error {
		return func(context.Context) error {
			log("%s runs", who)
			return nil
		}
	}
	a := testkit.Start(ctx, body("a"))
	b := testkit.Start(ctx, body("b"))
	w := testkit.Start(ctx, func(ctx context.Context) error {
		if _, err := a.Await(ctx); errors.Is(err, asyncio.ErrCancelled) {
			log("waiter got %s", testkit.ErrName(err))
		}
		return nil
	})
	a.AddDoneCallback(func(t *asyncio.Task[asyncio.None]) { log("a done: %s", testkit.StateOf(t)) })
	b.AddDoneCallback(func(t *asyncio.Task[asyncio.None]) { log("b done: %s", testkit.StateOf(t)) })
	log("cancel a: %s", testkit.Flag(a.Cancel("early")))
	log("a: %s, cancelling %d", testkit.StateOf(a), a.Cancelling())
	testkit.Suspend(ctx, 1)
	log("a: %s, b: %s", testkit.StateOf(a), testkit.StateOf(b))
	w.Await(ctx)
	log("cancel a: %s, cancelling %d", testkit.Flag(a.Cancel()), a.Cancelling())
}

func oracleCancelSharedFuture(ctx context.Context, log logFunc) {
	f := asyncio.NewFuture[int](testkit.LoopOf(ctx))
	body := func(who string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := f.Await(ctx)
			log("%s got %s", who, testkit.ErrName(err))
			return err
		}
	}
	a := testkit.Start(ctx, body("a"))
	b := testkit.Start(ctx, body("b"))
	testkit.Suspend(ctx, 1)
	f.AddDoneCallback(func(f *asyncio.Future[int]) { log("f done: %s", testkit.StateOf(f)) })
	a.Cancel("stop")
	log("f: %s, a: %s, b: %s", testkit.StateOf(f), testkit.StateOf(a), testkit.StateOf(b))
	testkit.Suspend(ctx, 1)
	log("a: %s, b: %s", testkit.StateOf(a), testkit.StateOf(b))
	testkit.Suspend(ctx, 1)
	log("a: %s, b: %s", testkit.StateOf(a), testkit.StateOf(b))
	log("cancelling a %d, b %d", a.Cancelling(), b.Cancelling())
}

func oracleResultThenCancel(ctx context.Context, log logFunc) {
	for _, order := range []string{"result, cancel", "cancel, result"} {
		f := asyncio.NewFuture[int](testkit.LoopOf(ctx))
		t := testkit.Start(ctx, func(ctx context.Context) error {
			v, err := f.Await(ctx)
			if err != nil {
				log("body got %s", testkit.ErrName(err))
				return err
			}
			log("body got %d", v)
			return nil
		})
		t.AddDoneCallback(func(t *asyncio.Task[asyncio.None]) { log("task done: %s", testkit.StateOf(t)) })
		testkit.Suspend(ctx, 1)
		log("%s", order)
		if order == "cancel, result" {
			t.Cancel()
		}
		if err := f.SetResult(1); err != nil {
			log("set_result: %s", testkit.ErrName(err))
		}
		if order == "result, cancel" {
			t.Cancel()
		}
		log("f: %s, task: %s", testkit.StateOf(f), testkit.StateOf(t))
		testkit.Suspend(ctx, 3)
	}
}

func oracleWokenCancelUncancel(ctx context.Context, log logFunc) {
	for cancels := 1; cancels <= 2; cancels++ {
		f := asyncio.NewFuture[int](testkit.LoopOf(ctx))
		t := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			v, err := f.Await(ctx)
			if err != nil {
				log("body got %s", testkit.ErrName(err))
				return 0, err
			}
			log("body got %d", v)
			return 42, nil
		})
		testkit.Suspend(ctx, 1)
		f.SetResult(7)
		for i := range cancels {
			t.Cancel([]string{"c0", "c1"}[i])
		}
		log("cancelling %d", t.Cancelling())
		log("uncancel %d", t.Uncancel())
		testkit.Suspend(ctx, 2)
		log("task: %s, cancelling %d", testkit.StateOf(t), t.Cancelling())
	}
}

func oracleUncancelUnstarted(ctx context.Context, log logFunc) {
	f := asyncio.NewFuture[int](testkit.LoopOf(ctx))
	a := testkit.Start(ctx, func(ctx context.Context) error {
		log("a starts")
		_, err := f.Await(ctx)
		log("a got %s", testkit.ErrName(err))
		return err
	})
	a.Cancel("before")
	log("uncancel %d", a.Uncancel())
	testkit.Suspend(ctx, 1)
	log("a: %s", testkit.StateOf(a))
	a.Cancel("suspended")
	log("uncancel %d, again %d, f: %s", a.Uncancel(), a.Uncancel(), testkit.StateOf(f))
	testkit.Suspend(ctx, 1)
	log("a: %s, cancelling %d", testkit.StateOf(a), a.Cancelling())
}

func oracleCancelInCleanup(ctx context.Context, log logFunc) {
	var futures [3]*asyncio.Future[int]
	for i := range futures {
		futures[i] = asyncio.NewFuture[int](testkit.LoopOf(ctx))
	}
	f, g, h := futures[0], futures[1], futures[2]
	t := testkit.Start(ctx, func(ctx context.Context) error {
		_, _ = f.Await(ctx)
		log("cleanup 1")
		_, second := g.Await(ctx)
		log("cleanup 2")
		if _, err := h.Await(ctx); errors.Is(err, asyncio.ErrCancelled) {
			log("kept %s", testkit.ErrName(err))
		}
		testkit.Suspend(ctx, 2)
		log("cleanup 2 ends")
		return second // Python's finally raises the newest error that was not kept
	})
	t.AddDoneCallback(func(t *asyncio.Task[asyncio.None]) { log("task done: %s", testkit.StateOf(t)) })
	testkit.Suspend(ctx, 1)
	for i, message := range []string{"c1", "c2", "c3"} {
		log("cancel %d: %s, future: %s", i+1, testkit.Flag(t.Cancel(message)), testkit.StateOf(futures[i]))
		testkit.Suspend(ctx, 2)
	}
	if _, err := t.Await(ctx); errors.Is(err, asyncio.ErrCancelled) {
		log("main got %s, cancelling %d", testkit.ErrName(err), t.Cancelling())
	}
}

func oracleSelfCancel(ctx context.Context, log logFunc) {
	ready := asyncio.NewFuture[string](testkit.LoopOf(ctx))
	ready.SetResult("ready")
	suspends := func(ctx context.Context) (int, error) {
		asyncio.CurrentTask(ctx).Cancel("me")
		v, err := ready.Await(ctx)
		if err != nil {
			return 0, err
		}
		log("suspends: got %s", v)
		if err := testkit.Suspend(ctx, 1); errors.Is(err, asyncio.ErrCancelled) {
			log("suspends: got %s", testkit.ErrName(err))
		}
		if err := testkit.Suspend(ctx, 1); err != nil {
			return 0, err
		}
		log("suspends: goes on")
		return 1, nil
	}
	returns := func(ctx context.Context) (int, error) {
		asyncio.CurrentTask(ctx).Cancel("me")
		v, err := ready.Await(ctx)
		log("returns: got %s", v)
		return 12, err
	}
	fails := func(ctx context.Context) (int, error) {
		asyncio.CurrentTask(ctx).Cancel("me")
		return 0, testkit.ErrBoom
	}
	for _, coro := range []asyncio.Coro[int]{suspends, returns, fails} {
		t := asyncio.CreateTask(ctx, coro)
		if v, err := t.Await(ctx); err != nil {
			log("main got %s", testkit.ErrName(err))
		} else {
			log("result %d", v)
		}
		log("task: %s, cancelling %d", testkit.StateOf(t), t.Cancelling())
	}
}

func oracleCancelTwice(ctx context.Context, log logFunc) {
	body := func(who string) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			for i := range 3 {
				if err := testkit.Suspend(ctx, 1); err != nil {
					log("%s step %d: %s, cancelling %d", who, i, testkit.ErrName(err), asyncio.CurrentTask(ctx).Cancelling())
				} else {
					log("%s step %d", who, i)
				}
			}
			return who, nil
		}
	}
	fresh := asyncio.CreateTask(ctx, body("fresh"))
	log("%s %s, cancelling %d", testkit.Flag(fresh.Cancel("f1")), testkit.Flag(fresh.Cancel("f2")), fresh.Cancelling())
	running := asyncio.CreateTask(ctx, body("running"))
	testkit.Suspend(ctx, 1)
	log("%s %s, cancelling %d", testkit.Flag(running.Cancel("r1")), testkit.Flag(running.Cancel("r2")), running.Cancelling())
	testkit.Suspend(ctx, 5)
	log("fresh: %s, running: %s", testkit.StateOf(fresh), testkit.StateOf(running))
}

func oracleChain(ctx context.Context, log logFunc) {
	f := asyncio.NewFuture[int](testkit.LoopOf(ctx))
	t2 := testkit.Start(ctx, func(ctx context.Context) error {
		_, err := f.Await(ctx)
		log("t2 got %s", testkit.ErrName(err))
		return err
	})
	t1 := testkit.Start(ctx, func(ctx context.Context) error {
		_, err := t2.Await(ctx)
		log("t1 got %s, t2: %s", testkit.ErrName(err), testkit.StateOf(t2))
		return err
	})
	f.AddDoneCallback(func(*asyncio.Future[int]) { log("f done") })
	t2.AddDoneCallback(func(*asyncio.Task[asyncio.None]) { log("t2 done") })
	t1.AddDoneCallback(func(*asyncio.Task[asyncio.None]) { log("t1 done") })
	testkit.Suspend(ctx, 2)
	log("cancel t1: %s", testkit.Flag(t1.Cancel("down")))
	log("f: %s, cancelling t1 %d, t2 %d", testkit.StateOf(f), t1.Cancelling(), t2.Cancelling())
	testkit.Suspend(ctx, 4)
	log("t1: %s, t2: %s", testkit.StateOf(t1), testkit.StateOf(t2))
}

func oracleChainSwallowed(ctx context.Context, log logFunc) {
	f := asyncio.NewFuture[int](testkit.LoopOf(ctx))
	t2 := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		if _, err := f.Await(ctx); errors.Is(err, asyncio.ErrCancelled) {
			log("t2 keeps %s", testkit.ErrName(err))
		}
		return "value", testkit.Suspend(ctx, 1)
	})
	t1 := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		v, err := t2.Await(ctx)
		if err != nil {
			return "", err
		}
		log("t1 got %s", v)
		if err := testkit.Suspend(ctx, 1); err != nil {
			return "", err
		}
		log("t1 goes on, cancelling %d", asyncio.CurrentTask(ctx).Cancelling())
		return "end", nil
	})
	testkit.Suspend(ctx, 2)
	t1.Cancel("down")
	v, err := t1.Await(ctx)
	if err != nil {
		log("main got %s", testkit.ErrName(err))
	}
	log("await t1: %s, cancelling t1 %d, t2 %d", v, t1.Cancelling(), t2.Cancelling())
}

func oracleSelfCancelAwaitsTask(ctx context.Context, log logFunc) {
	n := testkit.Start(ctx, func(ctx context.Context) error {
		err := testkit.Suspend(ctx, 100)
		if errors.Is(err, asyncio.ErrCancelled) {
			log("other got %s", testkit.ErrName(err))
		}
		return err
	})
	testkit.Suspend(ctx, 1)
	t := testkit.Start(ctx, func(ctx context.Context) error {
		asyncio.CurrentTask(ctx).Cancel("mine")
		log("other cancelling %d", n.Cancelling())
		_, err := n.Await(ctx)
		log("body got %s, other: %s, cancelling %d", testkit.ErrName(err), testkit.StateOf(n), n.Cancelling())
		return err
	})
	testkit.Suspend(ctx, 1)
	log("other: %s, cancelling %d, body: %s", testkit.StateOf(n), n.Cancelling(), testkit.StateOf(t))
	testkit.Suspend(ctx, 3)
	log("other: %s, body: %s", testkit.StateOf(n), testkit.StateOf(t))
}

func oracleDoneCallbackCancels(ctx context.Context, log logFunc) {
	var f *asyncio.Future[int]
	body := func(who string) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			v, err := f.Await(ctx)
			if err != nil {
				log("%s got %s", who, testkit.ErrName(err))
				return "", err
			}
			log("%s got %d", who, v)
			return "result", nil
		}
	}
	var t *asyncio.Task[string]
	f = asyncio.NewFuture[int](testkit.LoopOf(ctx))
	f.AddDoneCallback(func(*asyncio.Future[int]) { log("early callback: cancel %s", testkit.Flag(t.Cancel("early"))) })
	t = asyncio.CreateTask(ctx, body("first"))
	testkit.Suspend(ctx, 1)
	f.SetResult(1)
	testkit.Suspend(ctx, 2)
	log("first: %s", testkit.StateOf(t))

	f = asyncio.NewFuture[int](testkit.LoopOf(ctx))
	t = asyncio.CreateTask(ctx, body("second"))
	testkit.Suspend(ctx, 1)
	f.AddDoneCallback(func(*asyncio.Future[int]) { log("late callback: cancel %s", testkit.Flag(t.Cancel("late"))) })
	f.SetResult(2)
	testkit.Suspend(ctx, 2)
	log("second: %s", testkit.StateOf(t))
}

func oracleCancelWhenAwaitedEnds(ctx context.Context, log logFunc) {
	for _, wait := range []int{0, 1, 2} {
		f := asyncio.NewFuture[string](testkit.LoopOf(ctx))
		i := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			v, err := f.Await(ctx)
			if err != nil {
				log("inner got %s", testkit.ErrName(err))
			}
			return v, err
		})
		o := testkit.Start(ctx, func(ctx context.Context) error {
			v, err := i.Await(ctx)
			if err != nil {
				log("outer got %s", testkit.ErrName(err))
				return err
			}
			log("outer got %s", v)
			return nil
		})
		testkit.Suspend(ctx, 2)
		f.SetResult("value")
		testkit.Suspend(ctx, wait)
		log("after %d: cancel %s, inner cancelling %d", wait, testkit.Flag(o.Cancel("late")), i.Cancelling())
		testkit.Suspend(ctx, 3)
		log("inner: %s, outer: %s", testkit.StateOf(i), testkit.StateOf(o))
	}
}

func oracleCancelNextAwait(ctx context.Context, log logFunc) {
	shared := asyncio.NewFuture[int](testkit.LoopOf(ctx))
	o := testkit.Start(ctx, func(ctx context.Context) error {
		_, err := shared.Await(ctx)
		log("other got %s", testkit.ErrName(err))
		return err
	})
	t := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		asyncio.CurrentTask(ctx).Cancel("flag")
		log("shared before: %s", testkit.StateOf(shared))
		if _, err := shared.Await(ctx); errors.Is(err, asyncio.ErrCancelled) {
			log("body got %s", testkit.ErrName(err))
		}
		log("shared after: %s", testkit.StateOf(shared))
		return "goes on", testkit.Suspend(ctx, 1)
	})
	testkit.Suspend(ctx, 4)
	log("other: %s, body: %s, cancelling %d %d", testkit.StateOf(o), testkit.StateOf(t), o.Cancelling(), t.Cancelling())
}

func oracleErrorInsteadOfCancel(ctx context.Context, log logFunc) {
	for _, who := range []string{"fails", "keeps"} {
		t := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			err := testkit.Suspend(ctx, 100)
			log("%s got %s", who, testkit.ErrName(err))
			if who == "fails" {
				return "", errors.New("instead")
			}
			return "kept", nil
		})
		t.AddDoneCallback(func(t *asyncio.Task[string]) { log("done: %s", testkit.StateOf(t)) })
		testkit.Suspend(ctx, 1)
		t.Cancel("stop")
		log("%s", outcome(t.Await(ctx)))
		log("cancelled %s, cancelling %d, cancel %s", testkit.Flag(t.Cancelled()), t.Cancelling(), testkit.Flag(t.Cancel()))
	}
}

func oracleRaisesCancelled(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	for _, late := range []bool{false, true} {
		t := testkit.Start(ctx, func(ctx context.Context) error {
			if late {
				testkit.Suspend(ctx, 1)
			}
			return &asyncio.CancelledError{Msg: "own"}
		})
		t.AddDoneCallback(func(t *asyncio.Task[asyncio.None]) { log("done: %s", testkit.StateOf(t)) })
		if _, err := t.Await(ctx); errors.Is(err, asyncio.ErrCancelled) {
			log("main got %s, cancelling %d %d", testkit.ErrName(err), t.Cancelling(), me.Cancelling())
		}
	}
	f := asyncio.NewFuture[int](testkit.LoopOf(ctx))
	f.Cancel("future")
	if _, err := f.Await(ctx); errors.Is(err, asyncio.ErrCancelled) {
		log("main got %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
	}
}

func oracleCancelCounts(ctx context.Context, log logFunc) {
	t := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		for range 2 {
			if err := testkit.Suspend(ctx, 100); errors.Is(err, asyncio.ErrCancelled) {
				log("kept %s", testkit.ErrName(err))
			}
		}
		return "end", nil
	})
	log("uncancel %d", t.Uncancel())
	testkit.Suspend(ctx, 1)
	log("%s %s %s, cancelling %d", testkit.Flag(t.Cancel("1")), testkit.Flag(t.Cancel("2")), testkit.Flag(t.Cancel("3")), t.Cancelling())
	testkit.Suspend(ctx, 1)
	log("cancelling %d", t.Cancelling())
	log("uncancel %d %d", t.Uncancel(), t.Uncancel())
	testkit.Suspend(ctx, 1)
	log("%s, cancelling %d", testkit.Flag(t.Cancel("4")), t.Cancelling())
	log("uncancel %d %d %d", t.Uncancel(), t.Uncancel(), t.Uncancel())
	testkit.Suspend(ctx, 1)
	t.Cancel("5")
	v, _ := t.Await(ctx)
	log("value %s, cancelling %d", v, t.Cancelling())
	log("cancel %s, cancelling %d, uncancel %d", testkit.Flag(t.Cancel()), t.Cancelling(), t.Uncancel())
}

func oracleFailureThenCancel(ctx context.Context, log logFunc) {
	for _, order := range []string{"fail cancel", "cancel fail", "fail"} {
		f := asyncio.NewFuture[int](testkit.LoopOf(ctx))
		t := testkit.Start(ctx, func(ctx context.Context) error {
			_, err := f.Await(ctx)
			log("body got %s", testkit.ErrName(err))
			return err
		})
		t.AddDoneCallback(func(t *asyncio.Task[asyncio.None]) { log("done: %s", testkit.StateOf(t)) })
		testkit.Suspend(ctx, 1)
		for _, what := range strings.Fields(order) {
			if what == "cancel" {
				log("cancel %s", testkit.Flag(t.Cancel("late")))
			} else if err := f.SetException(testkit.ErrBoom); err != nil {
				log("set_exception: %s", testkit.ErrName(err))
			}
		}
		testkit.Suspend(ctx, 3)
		log("%s: %s, future: %s", order, testkit.StateOf(t), testkit.StateOf(f))
	}
}

func oracleSwallowedGoesOn(ctx context.Context, log logFunc) {
	t := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		me := asyncio.CurrentTask(ctx)
		if err := testkit.Suspend(ctx, 100); errors.Is(err, asyncio.ErrCancelled) {
			log("kept %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
		}
		err := asyncio.Timeout(ctx, 0, func(ctx context.Context) error { return testkit.Suspend(ctx, 100) })
		if errors.Is(err, asyncio.ErrTimeout) {
			log("%s, cancelling %d", testkit.ErrName(err), me.Cancelling())
		}
		testkit.Suspend(ctx, 1)
		asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
			tg.Go(func(ctx context.Context) error { return testkit.Suspend(ctx, 2) })
			return nil
		})
		log("group ends, cancelling %d", me.Cancelling())
		err = asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
			tg.Go(failsAfter(1, "boom"))
			return testkit.Suspend(ctx, 100)
		})
		log("%s, cancelling %d", testkit.ErrName(err), me.Cancelling())
		if err := testkit.Suspend(ctx, 1); errors.Is(err, asyncio.ErrCancelled) {
			log("next await got %s, cancelling %d", testkit.ErrName(err), me.Cancelling())
		}
		return "end", nil
	})
	testkit.Suspend(ctx, 1)
	t.Cancel("old")
	v, _ := t.Await(ctx)
	log("value %s, cancelling %d", v, t.Cancelling())
}
