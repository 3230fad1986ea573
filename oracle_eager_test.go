// Twins of the oracle's programs about eager tasks.
package asyncio_test

import (
	"context"
	"errors"

	"github.com/seed-a026a017/asyncio"
)

var oracleEagerPrograms = twins{
	"eager_cancelled":      oracleEagerCancelled,
	"eager_cancels_itself": oracleEagerCancelsItself,
	"eager_finishes":       oracleEagerFinishes,
	"eager_gather":         oracleEagerGather,
	"eager_group_cancels":  oracleEagerGroupCancels,
	"eager_group_fails":    oracleEagerGroupFails,
	"eager_lock":           oracleEagerLock,
	"eager_nested":         oracleEagerNested,
	"eager_order":          oracleEagerOrder,
}

// eager makes a task whose first step runs here and now.
func eager[T any](ctx context.Context, coro asyncio.Coro[T], opts ...asyncio.TaskOption) *asyncio.Task[T] {
	return asyncio.CreateTask(ctx, coro, append(opts, asyncio.EagerStart(true))...)
}

func oracleEagerOrder(ctx context.Context, log logFunc) {
	body := func(who string) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			log("%s starts, current %s", who, asyncio.CurrentTask(ctx).Name())
			suspend(ctx, 1)
			log("%s goes on", who)
			return who, nil
		}
	}
	asyncio.CurrentTask(ctx).SetName("main")
	lazy := asyncio.CreateTask(ctx, body("lazy"), asyncio.WithName("lazy"))
	quick := eager(ctx, body("quick"), asyncio.WithName("quick"))
	log("main goes on, current %s", asyncio.CurrentTask(ctx).Name())
	quick.AddDoneCallback(func(t *asyncio.Task[string]) { log("quick done: %s", stateOf(t)) })
	log("quick: %s, lazy: %s, %d tasks", stateOf(quick), stateOf(lazy), len(asyncio.AllTasks(loopOf(ctx))))
	a, _ := lazy.Await(ctx)
	b, _ := quick.Await(ctx)
	log("results %s %s", a, b)
}

func oracleEagerFinishes(ctx context.Context, log logFunc) {
	for _, who := range []string{"ends", "fails", "raises cancelled"} {
		t := eager(ctx, func(context.Context) (string, error) {
			switch who {
			case "fails":
				return "", errBoom
			case "raises cancelled":
				return "", &asyncio.CancelledError{Msg: "own"}
			}
			return who, nil
		})
		log("%s: %s, %d tasks, cancel %s", who, stateOf(t), len(asyncio.AllTasks(loopOf(ctx))), flag(t.Cancel()))
		t.AddDoneCallback(func(t *asyncio.Task[string]) { log("callback: %s", stateOf(t)) })
		log("%s", outcome(t.Await(ctx)))
		suspend(ctx, 1)
	}
}

func oracleEagerCancelsItself(ctx context.Context, log logFunc) {
	for _, who := range []string{"returns", "awaits", "awaits done"} {
		t := eager(ctx, func(ctx context.Context) (string, error) {
			asyncio.CurrentTask(ctx).Cancel("me")
			if who == "returns" {
				return who, nil
			}
			f := asyncio.NewFuture[int](loopOf(ctx))
			if who == "awaits done" {
				f.SetResult(1)
			}
			_, err := f.Await(ctx)
			if err == nil {
				log("no suspension, no interruption")
				err = suspend(ctx, 1)
			}
			log("%s got %s", who, errName(err))
			return "", err
		})
		log("%s: %s, cancelling %d", who, stateOf(t), t.Cancelling())
		v, err := t.Await(ctx)
		if errors.Is(err, asyncio.ErrCancelled) {
			log("main got %s", errName(err))
		} else {
			log("value %s", v)
		}
	}
}

func oracleEagerNested(ctx context.Context, log logFunc) {
	names := []string{"main", "depth 1", "depth 2", "depth 3"}
	who := func(ctx context.Context) string { return asyncio.CurrentTask(ctx).Name() }
	var body func(depth int) asyncio.Coro[string]
	body = func(depth int) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			log("%s starts", who(ctx))
			if depth < 3 {
				inner := eager(ctx, body(depth+1), asyncio.WithName(names[depth+1]))
				log("%s: inner %s", who(ctx), stateOf(inner))
				r, err := inner.Await(ctx)
				log("%s got %s", who(ctx), r)
				return r, err
			}
			suspend(ctx, 1)
			log("%s ends", who(ctx))
			return "deep", nil
		}
	}
	asyncio.CurrentTask(ctx).SetName("main")
	t := eager(ctx, body(1), asyncio.WithName(names[1]))
	log("%s: %s, %d tasks", who(ctx), stateOf(t), len(asyncio.AllTasks(loopOf(ctx))))
	log("%s", outcome(t.Await(ctx)))
}

func oracleEagerCancelled(ctx context.Context, log logFunc) {
	body := func(who string, wait func(context.Context) error) *asyncio.Task[asyncio.None] {
		return eager(ctx, asyncio.Do(func(ctx context.Context) error {
			err := wait(ctx)
			if errors.Is(err, asyncio.ErrCancelled) {
				log("%s got %s, cancelling %d", who, errName(err), asyncio.CurrentTask(ctx).Cancelling())
			}
			return err
		}))
	}
	turns := func(ctx context.Context) error { return suspend(ctx, 5) }
	f := asyncio.NewFuture[int](loopOf(ctx))
	a := body("a", func(ctx context.Context) error { _, err := f.Await(ctx); return err })
	b := body("b", turns)
	log("%s %s, future: %s", flag(a.Cancel("one")), flag(b.Cancel("two")), stateOf(f))
	c := body("c", turns)
	c.Cancel("three")
	log("uncancel %d", c.Uncancel())
	suspend(ctx, 2)
	log("a: %s, b: %s, c: %s", stateOf(a), stateOf(b), stateOf(c))
	suspend(ctx, 4)
	log("c: %s", stateOf(c))
}

func oracleEagerLock(ctx context.Context, log logFunc) {
	lock, semaphore, queue := asyncio.NewLock(), asyncio.NewSemaphore(1), asyncio.NewQueue[string](0)
	queue.PutNowait("item")
	user := func(who string) asyncio.Coro[asyncio.None] {
		return asyncio.Do(func(ctx context.Context) error {
			lock.With(ctx, func() error {
				log("%s has the lock", who)
				return suspend(ctx, 1)
			})
			semaphore.With(ctx, func() error {
				log("%s has the permit", who)
				return nil
			})
			if !queue.Empty() {
				item, _ := queue.Get(ctx)
				log("%s got %s", who, item)
			}
			return nil
		})
	}
	a := asyncio.CreateTask(ctx, user("early"))
	b := eager(ctx, user("eager"))
	c := eager(ctx, user("second"))
	log("locked %s", flag(lock.Locked()))
	asyncio.Wait(ctx, []asyncio.AnyFuture{a, b, c})
	log("locked %s", flag(lock.Locked()))
}

func oracleEagerGroupFails(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		tg.Go(func(ctx context.Context) error {
			err := suspend(ctx, 100)
			log("sibling ends")
			return err
		})
		t := tg.Go(func(context.Context) error { return errBoom }, asyncio.EagerStart(true))
		log("body goes on: %s, cancelling %d", stateOf(t), me.Cancelling())
		err := suspend(ctx, 1)
		if err == nil {
			log("body suspends once")
			err = suspend(ctx, 1)
		}
		if errors.Is(err, asyncio.ErrCancelled) {
			log("body interrupted, cancelling %d", me.Cancelling())
		} else {
			log("not reached")
		}
		return err
	})
	log("%s, cancelling %d", errName(err), me.Cancelling())
}

func oracleEagerGroupCancels(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	var t *asyncio.Task[asyncio.None]
	err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		t = tg.Go(func(ctx context.Context) error {
			me.Cancel("by child")
			err := suspend(ctx, 2)
			if err != nil {
				log("child got %s", errName(err))
			} else {
				log("child ends")
			}
			return err
		}, asyncio.EagerStart(true))
		log("child: %s, cancelling %d", stateOf(t), me.Cancelling())
		if err := suspend(ctx, 1); err != nil {
			return err
		}
		log("not reached")
		return nil
	})
	if errors.Is(err, asyncio.ErrCancelled) {
		log("%s, cancelling %d, uncancel %d", errName(err), me.Cancelling(), me.Uncancel())
	}
	log("child: %s", stateOf(t))
}

func oracleEagerGather(ctx context.Context, log logFunc) {
	child := func(who string, n int) asyncio.Awaitable[string] {
		return eager(ctx, func(ctx context.Context) (string, error) {
			suspend(ctx, n)
			if who == "fails" {
				return "", errBoom
			}
			log("%s ends", who)
			return who, nil
		})
	}
	value := func(g *asyncio.Future[[]string]) {
		v, _ := g.Await(ctx)
		log("value %s", valueName(v))
	}
	g := asyncio.Gather(ctx, child("a", 0), child("b", 0))
	log("all done: %s", stateOf(g))
	value(g)
	g = asyncio.Gather(ctx, child("a", 2), child("b", 0))
	log("one waits: %s", stateOf(g))
	value(g)
	g = asyncio.Gather(ctx, child("a", 2), child("fails", 0), child("b", 1))
	log("one failed: %s", stateOf(g))
	log("collected: %s", stateOf(asyncio.GatherResults(ctx, child("a", 0), child("fails", 0))))
	suspend(ctx, 3)
	log("end")
}
