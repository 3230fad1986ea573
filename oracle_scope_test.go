// Twins of the oracle's programs about what stands between a task and its cancellation: combinators, timeouts, task
// groups, locks and queues.
package asyncio_test

import (
	"context"
	"errors"
	"time"

	"github.com/seed-a026a017/asyncio"
)

func oracleGatherCancel(ctx context.Context, log logFunc) {
	child := func(who string, cleanup int) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			err := suspend(ctx, 100)
			log("%s cleans up", who)
			suspend(ctx, cleanup)
			log("%s ends", who)
			return who, err
		}
	}
	quick, slow := child("quick", 0), child("slow", 4)
	log("return_exceptions: no")
	gatherAndCancel(ctx, log, asyncio.Gather[string](ctx, quick, slow))
	log("return_exceptions: yes")
	gatherAndCancel(ctx, log, asyncio.GatherResults[string](ctx, quick, slow))
}

// gatherAndCancel is the body of the loop in gather_cancel.py: the two kinds of gather differ in type here.
func gatherAndCancel[T any](ctx context.Context, log logFunc, g *asyncio.Future[T]) {
	g.AddDoneCallback(func(*asyncio.Future[T]) { log("gather done") })
	t := start(ctx, func(ctx context.Context) error {
		v, err := g.Await(ctx)
		if err != nil {
			log("waiter got %s", errName(err))
			return err
		}
		log("value %s", valueName(v))
		return nil
	})
	suspend(ctx, 2)
	t.Cancel("enough")
	log("gather: %s, task: %s", stateOf(g), stateOf(t))
	suspend(ctx, 10)
	log("gather cancelled %s, task: %s", flag(g.Cancelled()), stateOf(t))
	log("cancel gather: %s", flag(g.Cancel()))
}

func oracleGatherChildCancelled(ctx context.Context, log logFunc) {
	child := func(who string, n int) *asyncio.Task[string] {
		return asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			if err := suspend(ctx, n); err != nil {
				return "", err
			}
			log("%s ends", who)
			return who, nil
		})
	}
	for _, collect := range []bool{false, true} {
		a, b, c := child("a", 1), child("b", 9), child("c", 4)
		var v any
		var err error
		if collect {
			g := asyncio.GatherResults[string](ctx, a, b, c)
			g.AddDoneCallback(func(g *asyncio.Future[[]asyncio.Result[string]]) {
				log("gather done, cancelled %s", flag(g.Cancelled()))
			})
			suspend(ctx, 2)
			b.Cancel()
			v, err = g.Await(ctx)
		} else {
			g := asyncio.Gather[string](ctx, a, b, c)
			g.AddDoneCallback(func(g *asyncio.Future[[]string]) { log("gather done, cancelled %s", flag(g.Cancelled())) })
			suspend(ctx, 2)
			b.Cancel("b only")
			v, err = g.Await(ctx)
		}
		if err != nil {
			log("main got %s, cancelling %d", errName(err), asyncio.CurrentTask(ctx).Cancelling())
		} else {
			log("value %s", valueName(v))
		}
		log("a: %s, b: %s, c: %s", stateOf(a), stateOf(b), stateOf(c))
		suspend(ctx, 4)
		log("c: %s", stateOf(c))
	}
}

func oracleGatherSwallowed(ctx context.Context, log logFunc) {
	child := func(n int) asyncio.Coro[int] {
		return func(ctx context.Context) (int, error) {
			if err := suspend(ctx, 100); err != nil {
				log("child %d keeps %s", n, errName(err))
			}
			suspend(ctx, n)
			log("child %d ends", n)
			return n, nil
		}
	}
	g := asyncio.Gather[int](ctx, child(1), child(3))
	g.AddDoneCallback(func(*asyncio.Future[[]int]) { log("gather done") })
	suspend(ctx, 2)
	log("cancel: %s, gather: %s", flag(g.Cancel("stop")), stateOf(g))
	v, err := g.Await(ctx)
	if errors.Is(err, asyncio.ErrCancelled) {
		log("main got %s, gather cancelled %s", errName(err), flag(g.Cancelled()))
	} else {
		log("value %s", valueName(v))
	}
}

func oracleShieldCancel(ctx context.Context, log logFunc) {
	inner := func(who string) *asyncio.Task[string] {
		return asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			if err := suspend(ctx, 4); err != nil {
				log("%s got %s", who, errName(err))
				return "", err
			}
			log("%s ends", who)
			return who, nil
		})
	}
	waiter := func(who string, inner *asyncio.Task[string]) *asyncio.Task[asyncio.None] {
		return start(ctx, func(ctx context.Context) error {
			v, err := asyncio.Shield[string](ctx, inner).Await(ctx)
			if err != nil {
				log("waiter of %s got %s, %s: %s", who, errName(err), who, stateOf(inner))
				return err
			}
			log("waiter got %s", v)
			return nil
		})
	}
	kept, hit := inner("kept"), inner("hit")
	waitsKept, waitsHit := waiter("kept", kept), waiter("hit", hit)
	suspend(ctx, 2)
	log("cancel waiter of kept: %s", flag(waitsKept.Cancel("outer")))
	log("cancel hit: %s", flag(hit.Cancel("inner")))
	suspend(ctx, 3)
	log("waiters: %s %s", stateOf(waitsKept), stateOf(waitsHit))
	suspend(ctx, 2)
	log("inner: %s %s", stateOf(kept), stateOf(hit))
}

func oracleTimeoutNested(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	nested := func(outerDelay, innerDelay time.Duration) {
		outer, inner := asyncio.NewTimeout(outerDelay), asyncio.NewTimeout(innerDelay)
		err := outer.Run(ctx, func(ctx context.Context) error {
			err := inner.Run(ctx, func(ctx context.Context) error {
				if err := suspend(ctx, 3); err != nil {
					log("body interrupted, cancelling %d", me.Cancelling())
					return err
				}
				log("body ends")
				return nil
			})
			if err != nil {
				log("inner ends with %s, cancelling %d", errName(err), me.Cancelling())
				if !errors.Is(err, asyncio.ErrTimeout) {
					return err
				}
			}
			if err := suspend(ctx, 1); err != nil {
				return err
			}
			log("outer body ends")
			return nil
		})
		if err != nil {
			log("outer ends with %s", errName(err))
		}
		log("expired %s %s, cancelling %d", flag(outer.Expired()), flag(inner.Expired()), me.Cancelling())
	}
	nested(0, 0)
	nested(asyncio.Forever, 0)
	nested(0, asyncio.Forever)
	nested(asyncio.Forever, asyncio.Forever)
	if suspend(ctx, 1) == nil {
		log("next await works")
	}
}

func oracleTimeoutAndCancel(ctx context.Context, log logFunc) {
	for _, first := range []string{"deadline", "cancel"} {
		scope := asyncio.NewTimeout(asyncio.Forever)
		t := start(ctx, func(ctx context.Context) error {
			me := asyncio.CurrentTask(ctx)
			err := scope.Run(ctx, func(ctx context.Context) error {
				err := suspend(ctx, 100)
				if errors.Is(err, asyncio.ErrCancelled) {
					log("body interrupted, cancelling %d", me.Cancelling())
				}
				return err
			})
			if err != nil {
				log("scope ends with %s, cancelling %d", errName(err), me.Cancelling())
			}
			return err
		})
		suspend(ctx, 2)
		if first == "cancel" {
			t.Cancel("outside")
		}
		scope.Reschedule(loopOf(ctx).Time())
		if first == "deadline" {
			suspend(ctx, 1)
			t.Cancel("outside")
		}
		suspend(ctx, 3)
		log("%s first: %s, expired %s, cancelling %d", first, stateOf(t), flag(scope.Expired()), t.Cancelling())
	}
}

func oracleTimeoutSwallowed(ctx context.Context, log logFunc) {
	keeps := func(ctx context.Context) (string, error) {
		scope := asyncio.NewTimeout(0)
		err := scope.Run(ctx, func(ctx context.Context) error {
			if err := suspend(ctx, 1); errors.Is(err, asyncio.ErrCancelled) {
				log("kept")
			}
			if err := suspend(ctx, 1); err != nil {
				return err
			}
			log("goes on")
			return nil
		})
		return "expired " + flag(scope.Expired()) + ", cancelling " +
			valueName(asyncio.CurrentTask(ctx).Cancelling()), err
	}
	counted := func(ctx context.Context) (string, error) {
		me := asyncio.CurrentTask(ctx)
		me.Cancel("old")
		if err := suspend(ctx, 1); errors.Is(err, asyncio.ErrCancelled) {
			log("kept %s, cancelling %d", errName(err), me.Cancelling())
		}
		err := asyncio.Timeout(ctx, 0, func(ctx context.Context) error { return suspend(ctx, 1) })
		if errors.Is(err, asyncio.ErrTimeout) {
			log("%s, cancelling %d", errName(err), me.Cancelling())
		}
		err = asyncio.Timeout(ctx, asyncio.Forever, func(ctx context.Context) error {
			me.Cancel("new")
			return suspend(ctx, 1)
		})
		if errors.Is(err, asyncio.ErrCancelled) {
			log("%s, cancelling %d", errName(err), me.Cancelling())
		}
		return "end", nil
	}
	fails := func(ctx context.Context) (string, error) {
		return "", asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
			suspend(ctx, 1)
			return errBoom
		})
	}
	for _, program := range []struct {
		name string
		coro asyncio.Coro[string]
	}{{"keeps", keeps}, {"counted", counted}, {"fails", fails}} {
		t := asyncio.CreateTask(ctx, program.coro)
		asyncio.Wait(ctx, []asyncio.AnyFuture{t})
		log("%s: %s, cancelling %d", program.name, stateOf(t), t.Cancelling())
	}
}

func oracleWaitForRace(ctx context.Context, log logFunc) {
	outer := func(aw asyncio.Awaitable[string]) *asyncio.Task[asyncio.None] {
		return start(ctx, func(ctx context.Context) error {
			v, err := asyncio.WaitFor(ctx, aw, time.Minute)
			if err != nil {
				log("wait_for ended with %s", errName(err))
				return err
			}
			log("wait_for gave %s", v)
			return nil
		})
	}
	f := asyncio.NewFuture[string](loopOf(ctx))
	i := asyncio.CreateTask(ctx, asyncio.Coro[string](f.Await))
	o := outer(i)
	suspend(ctx, 2)
	f.SetResult("done")
	suspend(ctx, 1)
	log("inner: %s, outer: %s", stateOf(i), stateOf(o))
	o.Cancel("late")
	suspend(ctx, 2)
	log("inner: %s, outer: %s", stateOf(i), stateOf(o))

	f = asyncio.NewFuture[string](loopOf(ctx))
	o = outer(f)
	suspend(ctx, 1)
	o.Cancel("outer")
	log("future: %s, outer: %s", stateOf(f), stateOf(o))
	suspend(ctx, 1)
	log("outer: %s, cancelling %d", stateOf(o), o.Cancelling())
}

func oracleWaitForZero(ctx context.Context, log logFunc) {
	body := func(who string, cleanup int) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			log("%s starts", who)
			err := suspend(ctx, 100)
			log("%s interrupted", who)
			suspend(ctx, cleanup)
			if who == "keeps" {
				return "kept", nil
			}
			log("%s ends", who)
			return "", err
		}
	}
	attempt := func(aw asyncio.Awaitable[string], timeout time.Duration) {
		if v, err := asyncio.WaitFor(ctx, aw, timeout); err != nil {
			log("error %s", errName(err))
		} else {
			log("value %s", v)
		}
	}
	done := asyncio.NewFuture[string](loopOf(ctx))
	done.SetResult("ready")
	attempt(done, 0)
	attempt(done, -1)
	attempt(body("never", 0), 0)
	attempt(body("never", 0), -1)
	for _, who := range []string{"slow", "keeps"} {
		t := asyncio.CreateTask(ctx, body(who, 3))
		suspend(ctx, 1)
		attempt(t, 0)
		log("%s: %s", who, stateOf(t))
	}
	f := asyncio.NewFuture[string](loopOf(ctx))
	attempt(f, 0)
	log("future: %s, cancelling %d", stateOf(f), asyncio.CurrentTask(ctx).Cancelling())
}

func oracleLockHandoff(ctx context.Context, log logFunc) {
	lock := asyncio.NewLock()
	user := func(who string) *asyncio.Task[asyncio.None] {
		return start(ctx, func(ctx context.Context) error {
			err := lock.Acquire(ctx)
			if err != nil {
				log("%s got %s", who, errName(err))
				return err
			}
			defer lock.Release()
			log("%s has the lock", who)
			return suspend(ctx, 1)
		})
	}
	lock.Acquire(ctx)
	a, b := user("a"), user("b")
	suspend(ctx, 1)
	lock.Release()
	log("released, locked %s", flag(lock.Locked()))
	a.Cancel("too late?")
	c := user("c")
	suspend(ctx, 1)
	log("locked %s", flag(lock.Locked()))
	asyncio.Wait(ctx, []asyncio.AnyFuture{a, b, c})
	log("a: %s, b: %s, c: %s, locked %s", stateOf(a), stateOf(b), stateOf(c), flag(lock.Locked()))
}

func oracleQueueHandoff(ctx context.Context, log logFunc) {
	q := asyncio.NewQueue[string](0)
	getter := func(who string) *asyncio.Task[asyncio.None] {
		return start(ctx, func(ctx context.Context) error {
			item, err := q.Get(ctx)
			if err != nil {
				log("%s got %s", who, errName(err))
				return err
			}
			log("%s got %s", who, item)
			return nil
		})
	}
	a, b := getter("a"), getter("b")
	suspend(ctx, 1)
	q.PutNowait("item")
	a.Cancel("woken")
	suspend(ctx, 1)
	log("a: %s, b: %s, length %d", stateOf(a), stateOf(b), q.Len())
	suspend(ctx, 1)
	log("a: %s, b: %s, length %d", stateOf(a), stateOf(b), q.Len())
}

func oracleGroupChildFails(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		tg.Go(func(ctx context.Context) error {
			if err := suspend(ctx, 1); err != nil {
				return err
			}
			return errBoom
		})
		tg.Go(func(ctx context.Context) error {
			err := suspend(ctx, 100)
			log("sibling cleans up")
			suspend(ctx, 2)
			log("sibling ends")
			return err
		})
		err := suspend(ctx, 100)
		if errors.Is(err, asyncio.ErrCancelled) {
			log("body interrupted, cancelling %d", me.Cancelling())
			suspend(ctx, 1)
			log("body cleaned up")
		}
		return err
	})
	if err != nil {
		log("%s, cancelling %d", errName(err), me.Cancelling())
	}
	if suspend(ctx, 1) == nil {
		log("next await works")
	}
}

func oracleGroupOutsideCancel(ctx context.Context, log logFunc) {
	t := start(ctx, func(ctx context.Context) error {
		me := asyncio.CurrentTask(ctx)
		err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
			tg.Go(func(ctx context.Context) error {
				suspend(ctx, 100)
				log("child fails")
				return errBoom
			})
			return suspend(ctx, 100)
		})
		if err != nil {
			log("%s, cancelling %d", errName(err), me.Cancelling())
		}
		if err := suspend(ctx, 1); errors.Is(err, asyncio.ErrCancelled) {
			log("next await: %s, cancelling %d", errName(err), me.Cancelling())
		} else {
			log("not reached")
		}
		if err := suspend(ctx, 1); err != nil {
			return err
		}
		log("the await after it works")
		return nil
	})
	t.AddDoneCallback(func(t *asyncio.Task[asyncio.None]) { log("parent done: %s", stateOf(t)) })
	suspend(ctx, 3)
	t.Cancel("outside")
	suspend(ctx, 8)
	log("cancelling %d", t.Cancelling())
}
