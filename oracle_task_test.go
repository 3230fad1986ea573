// Twins of the oracle's programs about tasks and futures: when a cancellation arrives, whom it reaches, who keeps it.
package asyncio_test

import (
	"context"
	"errors"

	"github.com/seed-a026a017/asyncio"
)

func oracleCancelBeforeStart(ctx context.Context, log logFunc) {
	body := func(who string) func(context.Context) error {
		return func(context.Context) error {
			log("%s runs", who)
			return nil
		}
	}
	a := start(ctx, body("a"))
	b := start(ctx, body("b"))
	w := start(ctx, func(ctx context.Context) error {
		if _, err := a.Await(ctx); errors.Is(err, asyncio.ErrCancelled) {
			log("waiter got %s", errName(err))
		}
		return nil
	})
	a.AddDoneCallback(func(t *asyncio.Task[asyncio.None]) { log("a done: %s", stateOf(t)) })
	b.AddDoneCallback(func(t *asyncio.Task[asyncio.None]) { log("b done: %s", stateOf(t)) })
	log("cancel a: %s", flag(a.Cancel("early")))
	log("a: %s, cancelling %d", stateOf(a), a.Cancelling())
	suspend(ctx, 1)
	log("a: %s, b: %s", stateOf(a), stateOf(b))
	w.Await(ctx)
	log("cancel a: %s, cancelling %d", flag(a.Cancel()), a.Cancelling())
}

func oracleCancelSharedFuture(ctx context.Context, log logFunc) {
	f := asyncio.NewFuture[int](loopOf(ctx))
	body := func(who string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := f.Await(ctx)
			log("%s got %s", who, errName(err))
			return err
		}
	}
	a := start(ctx, body("a"))
	b := start(ctx, body("b"))
	suspend(ctx, 1)
	f.AddDoneCallback(func(f *asyncio.Future[int]) { log("f done: %s", stateOf(f)) })
	a.Cancel("stop")
	log("f: %s, a: %s, b: %s", stateOf(f), stateOf(a), stateOf(b))
	suspend(ctx, 1)
	log("a: %s, b: %s", stateOf(a), stateOf(b))
	suspend(ctx, 1)
	log("a: %s, b: %s", stateOf(a), stateOf(b))
	log("cancelling a %d, b %d", a.Cancelling(), b.Cancelling())
}

func oracleResultThenCancel(ctx context.Context, log logFunc) {
	for _, order := range []string{"result, cancel", "cancel, result"} {
		f := asyncio.NewFuture[int](loopOf(ctx))
		t := start(ctx, func(ctx context.Context) error {
			v, err := f.Await(ctx)
			if err != nil {
				log("body got %s", errName(err))
				return err
			}
			log("body got %d", v)
			return nil
		})
		t.AddDoneCallback(func(t *asyncio.Task[asyncio.None]) { log("task done: %s", stateOf(t)) })
		suspend(ctx, 1)
		log("%s", order)
		if order == "cancel, result" {
			t.Cancel()
		}
		if err := f.SetResult(1); err != nil {
			log("set_result: %s", errName(err))
		}
		if order == "result, cancel" {
			t.Cancel()
		}
		log("f: %s, task: %s", stateOf(f), stateOf(t))
		suspend(ctx, 3)
	}
}

func oracleWokenCancelUncancel(ctx context.Context, log logFunc) {
	for cancels := 1; cancels <= 2; cancels++ {
		f := asyncio.NewFuture[int](loopOf(ctx))
		t := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			v, err := f.Await(ctx)
			if err != nil {
				log("body got %s", errName(err))
				return 0, err
			}
			log("body got %d", v)
			return 42, nil
		})
		suspend(ctx, 1)
		f.SetResult(7)
		for i := range cancels {
			t.Cancel([]string{"c0", "c1"}[i])
		}
		log("cancelling %d", t.Cancelling())
		log("uncancel %d", t.Uncancel())
		suspend(ctx, 2)
		log("task: %s, cancelling %d", stateOf(t), t.Cancelling())
	}
}

func oracleUncancelUnstarted(ctx context.Context, log logFunc) {
	f := asyncio.NewFuture[int](loopOf(ctx))
	a := start(ctx, func(ctx context.Context) error {
		log("a starts")
		_, err := f.Await(ctx)
		log("a got %s", errName(err))
		return err
	})
	a.Cancel("before")
	log("uncancel %d", a.Uncancel())
	suspend(ctx, 1)
	log("a: %s", stateOf(a))
	a.Cancel("suspended")
	log("uncancel %d, again %d, f: %s", a.Uncancel(), a.Uncancel(), stateOf(f))
	suspend(ctx, 1)
	log("a: %s, cancelling %d", stateOf(a), a.Cancelling())
}

func oracleCancelInCleanup(ctx context.Context, log logFunc) {
	var futures [3]*asyncio.Future[int]
	for i := range futures {
		futures[i] = asyncio.NewFuture[int](loopOf(ctx))
	}
	f, g, h := futures[0], futures[1], futures[2]
	t := start(ctx, func(ctx context.Context) error {
		_, _ = f.Await(ctx)
		log("cleanup 1")
		_, second := g.Await(ctx)
		log("cleanup 2")
		if _, err := h.Await(ctx); errors.Is(err, asyncio.ErrCancelled) {
			log("kept %s", errName(err))
		}
		suspend(ctx, 2)
		log("cleanup 2 ends")
		return second // Python's finally raises the newest error that was not kept
	})
	t.AddDoneCallback(func(t *asyncio.Task[asyncio.None]) { log("task done: %s", stateOf(t)) })
	suspend(ctx, 1)
	for i, message := range []string{"c1", "c2", "c3"} {
		log("cancel %d: %s, future: %s", i+1, flag(t.Cancel(message)), stateOf(futures[i]))
		suspend(ctx, 2)
	}
	if _, err := t.Await(ctx); errors.Is(err, asyncio.ErrCancelled) {
		log("main got %s, cancelling %d", errName(err), t.Cancelling())
	}
}

func oracleSelfCancel(ctx context.Context, log logFunc) {
	ready := asyncio.NewFuture[string](loopOf(ctx))
	ready.SetResult("ready")
	suspends := func(ctx context.Context) (int, error) {
		asyncio.CurrentTask(ctx).Cancel("me")
		v, err := ready.Await(ctx)
		if err != nil {
			return 0, err
		}
		log("suspends: got %s", v)
		if err := suspend(ctx, 1); errors.Is(err, asyncio.ErrCancelled) {
			log("suspends: got %s", errName(err))
		}
		if err := suspend(ctx, 1); err != nil {
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
		return 0, errBoom
	}
	for _, coro := range []asyncio.Coro[int]{suspends, returns, fails} {
		t := asyncio.CreateTask(ctx, coro)
		if v, err := t.Await(ctx); err != nil {
			log("main got %s", errName(err))
		} else {
			log("result %d", v)
		}
		log("task: %s, cancelling %d", stateOf(t), t.Cancelling())
	}
}

func oracleCancelTwice(ctx context.Context, log logFunc) {
	body := func(who string) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			for i := range 3 {
				if err := suspend(ctx, 1); err != nil {
					log("%s step %d: %s, cancelling %d", who, i, errName(err), asyncio.CurrentTask(ctx).Cancelling())
				} else {
					log("%s step %d", who, i)
				}
			}
			return who, nil
		}
	}
	fresh := asyncio.CreateTask(ctx, body("fresh"))
	log("%s %s, cancelling %d", flag(fresh.Cancel("f1")), flag(fresh.Cancel("f2")), fresh.Cancelling())
	running := asyncio.CreateTask(ctx, body("running"))
	suspend(ctx, 1)
	log("%s %s, cancelling %d", flag(running.Cancel("r1")), flag(running.Cancel("r2")), running.Cancelling())
	suspend(ctx, 5)
	log("fresh: %s, running: %s", stateOf(fresh), stateOf(running))
}

func oracleChain(ctx context.Context, log logFunc) {
	f := asyncio.NewFuture[int](loopOf(ctx))
	t2 := start(ctx, func(ctx context.Context) error {
		_, err := f.Await(ctx)
		log("t2 got %s", errName(err))
		return err
	})
	t1 := start(ctx, func(ctx context.Context) error {
		_, err := t2.Await(ctx)
		log("t1 got %s, t2: %s", errName(err), stateOf(t2))
		return err
	})
	f.AddDoneCallback(func(*asyncio.Future[int]) { log("f done") })
	t2.AddDoneCallback(func(*asyncio.Task[asyncio.None]) { log("t2 done") })
	t1.AddDoneCallback(func(*asyncio.Task[asyncio.None]) { log("t1 done") })
	suspend(ctx, 2)
	log("cancel t1: %s", flag(t1.Cancel("down")))
	log("f: %s, cancelling t1 %d, t2 %d", stateOf(f), t1.Cancelling(), t2.Cancelling())
	suspend(ctx, 4)
	log("t1: %s, t2: %s", stateOf(t1), stateOf(t2))
}

func oracleChainSwallowed(ctx context.Context, log logFunc) {
	f := asyncio.NewFuture[int](loopOf(ctx))
	t2 := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		if _, err := f.Await(ctx); errors.Is(err, asyncio.ErrCancelled) {
			log("t2 keeps %s", errName(err))
		}
		return "value", suspend(ctx, 1)
	})
	t1 := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		v, err := t2.Await(ctx)
		if err != nil {
			return "", err
		}
		log("t1 got %s", v)
		if err := suspend(ctx, 1); err != nil {
			return "", err
		}
		log("t1 goes on, cancelling %d", asyncio.CurrentTask(ctx).Cancelling())
		return "end", nil
	})
	suspend(ctx, 2)
	t1.Cancel("down")
	v, err := t1.Await(ctx)
	if err != nil {
		log("main got %s", errName(err))
	}
	log("await t1: %s, cancelling t1 %d, t2 %d", v, t1.Cancelling(), t2.Cancelling())
}

func oracleSelfCancelAwaitsTask(ctx context.Context, log logFunc) {
	n := start(ctx, func(ctx context.Context) error {
		err := suspend(ctx, 100)
		if errors.Is(err, asyncio.ErrCancelled) {
			log("other got %s", errName(err))
		}
		return err
	})
	suspend(ctx, 1)
	t := start(ctx, func(ctx context.Context) error {
		asyncio.CurrentTask(ctx).Cancel("mine")
		log("other cancelling %d", n.Cancelling())
		_, err := n.Await(ctx)
		log("body got %s, other: %s, cancelling %d", errName(err), stateOf(n), n.Cancelling())
		return err
	})
	suspend(ctx, 1)
	log("other: %s, cancelling %d, body: %s", stateOf(n), n.Cancelling(), stateOf(t))
	suspend(ctx, 3)
	log("other: %s, body: %s", stateOf(n), stateOf(t))
}

func oracleDoneCallbackCancels(ctx context.Context, log logFunc) {
	var f *asyncio.Future[int]
	body := func(who string) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			v, err := f.Await(ctx)
			if err != nil {
				log("%s got %s", who, errName(err))
				return "", err
			}
			log("%s got %d", who, v)
			return "result", nil
		}
	}
	var t *asyncio.Task[string]
	f = asyncio.NewFuture[int](loopOf(ctx))
	f.AddDoneCallback(func(*asyncio.Future[int]) { log("early callback: cancel %s", flag(t.Cancel("early"))) })
	t = asyncio.CreateTask(ctx, body("first"))
	suspend(ctx, 1)
	f.SetResult(1)
	suspend(ctx, 2)
	log("first: %s", stateOf(t))

	f = asyncio.NewFuture[int](loopOf(ctx))
	t = asyncio.CreateTask(ctx, body("second"))
	suspend(ctx, 1)
	f.AddDoneCallback(func(*asyncio.Future[int]) { log("late callback: cancel %s", flag(t.Cancel("late"))) })
	f.SetResult(2)
	suspend(ctx, 2)
	log("second: %s", stateOf(t))
}
