// Twins of the oracle's programs about eager tasks.
package oracle_test

import (
	"context"
	"errors"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
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
			testkit.Suspend(ctx, 1)
			log("%s goes on", who)
			return who, nil
		}
	}
	asyncio.CurrentTask(ctx).SetName("main")
	lazy := asyncio.CreateTask(ctx, body("lazy"), asyncio.WithName("lazy"))
	quick := eager(ctx, body("quick"), asyncio.WithName("quick"))
	log("main goes on, current %s", asyncio.CurrentTask(ctx).Name())
	quick.AddDoneCallback(func(t *asyncio.Task[string]) { log("quick done: %s", testkit.StateOf(t)) })
	log("quick: %s, lazy: %s, %d tasks", testkit.StateOf(quick), testkit.StateOf(lazy), len(asyncio.AllTasks(testkit.LoopOf(ctx))))
	a, _ := lazy.Await(ctx)
	b, _ := quick.Await(ctx)
	log("results %s %s", a, b)
}

func oracleEagerFinishes(ctx context.Context, log logFunc) {
	for _, who := range []string{"ends", "fails", "raises cancelled"} {
		t := eager(ctx, func(context.Context) (string, error) {
			switch who {
			case "fails":
				return "", testkit.ErrBoom
			case "raises cancelled":
				return "", &asyncio.CancelledError{Msg: "own"}
			}
			return who, nil
		})
		log("%s: %s, %d tasks, cancel %s", who, testkit.StateOf(t), len(asyncio.AllTasks(testkit.LoopOf(ctx))), testkit.Flag(t.Cancel()))
		t.AddDoneCallback(func(t *asyncio.Task[string]) { log("callback: %s", testkit.StateOf(t)) })
		log("%s", outcome(t.Await(ctx)))
		testkit.Suspend(ctx, 1)
	}
}

func oracleEagerCancelsItself(ctx context.Context, log logFunc) {
	for _, who := range []string{"returns", "awaits", "awaits done"} {
		t := eager(ctx, func(ctx context.Context) (string, error) {
			asyncio.CurrentTask(ctx).Cancel("me")
			if who == "returns" {
				return who, nil
			}
			f := asyncio.NewFuture[int](testkit.LoopOf(ctx))
			if who == "awaits done" {
				f.SetResult(1)
			}
			_, err := f.Await(ctx)
			if err == nil {
				log("no suspension, no interruption")
				err = testkit.Suspend(ctx, 1)
			}
			log("%s got %s", who, testkit.ErrName(err))
			return "", err
		})
		log("%s: %s, cancelling %d", who, testkit.StateOf(t), t.Cancelling())
		v, err := t.Await(ctx)
		if errors.Is(err, asyncio.ErrCancelled) {
			log("main got %s", testkit.ErrName(err))
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
				log("%s: inner %s", who(ctx), testkit.StateOf(inner))
				r, err := inner.Await(ctx)
				log("%s got %s", who(ctx), r)
				return r, err
			}
			testkit.Suspend(ctx, 1)
			log("%s ends", who(ctx))
			return "deep", nil
		}
	}
	asyncio.CurrentTask(ctx).SetName("main")
	t := eager(ctx, body(1), asyncio.WithName(names[1]))
	log("%s: %s, %d tasks", who(ctx), testkit.StateOf(t), len(asyncio.AllTasks(testkit.LoopOf(ctx))))
	log("%s", outcome(t.Await(ctx)))
}

func oracleEagerCancelled(ctx context.Context, log logFunc) {
	body := func(who string, wait func(context.Context) error) *asyncio.Task[asyncio.None] {
		return eager(ctx, asyncio.Do(func(ctx context.Context) error {
			err := wait(ctx)
			if errors.Is(err, asyncio.ErrCancelled) {
				log("%s got %s, cancelling %d", who, testkit.ErrName(err), asyncio.CurrentTask(ctx).Cancelling())
			}
			return err
		}))
	}
	turns := func(ctx context.Context) error { return testkit.Suspend(ctx, 5) }
	f := asyncio.NewFuture[int](testkit.LoopOf(ctx))
	a := body("a", func(ctx context.Context) error { _, err := f.Await(ctx); return err })
	b := body("b", turns)
	log("%s %s, future: %s", testkit.Flag(a.Cancel("one")), testkit.Flag(b.Cancel("two")), testkit.StateOf(f))
	c := body("c", turns)
	c.Cancel("three")
	log("uncancel %d", c.Uncancel())
	testkit.Suspend(ctx, 2)
	log("a: %s, b: %s, c: %s", testkit.StateOf(a), testkit.StateOf(b), testkit.StateOf(c))
	testkit.Suspend(ctx, 4)
	log("c: %s", testkit.StateOf(c))
}

func oracleEagerLock(ctx context.Context, log logFunc) {
	lock, semaphore, queue := asyncio.NewLock(), asyncio.NewSemaphore(1), asyncio.NewQueue[string](0)
	queue.PutNowait("item")
	user := func(who string) asyncio.Coro[asyncio.None] {
		return asyncio.Do(func(ctx context.Context) error {
			lock.With(ctx, func() error {
				log("%s has the lock", who)
				return testkit.Suspend(ctx, 1)
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
	log("locked %s", testkit.Flag(lock.Locked()))
	asyncio.Wait(ctx, []asyncio.AnyFuture{a, b, c})
	log("locked %s", testkit.Flag(lock.Locked()))
}

func oracleEagerGroupFails(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		tg.Go(func(ctx context.Context) error {
			err := testkit.Suspend(ctx, 100)
			log("sibling ends")
			return err
		})
		t := tg.Go(func(context.Context) error { return testkit.ErrBoom }, asyncio.EagerStart(true))
		log("body goes on: %s, cancelling %d", testkit.StateOf(t), me.Cancelling())
		err := testkit.Suspend(ctx, 1)
		if err == nil {
			log("body suspends once")
			err = testkit.Suspend(ctx, 1)
		}
		if errors.Is(err, asyncio.ErrCancelled) {
			log("body interrupted, cancelling %d", me.Cancelling())
		} else {
			log("not reached")
		}
		return err
	})
	log("%s, cancelling %d", testkit.ErrName(err), me.Cancelling())
}

func oracleEagerGroupCancels(ctx context.Context, log logFunc) {
	me := asyncio.CurrentTask(ctx)
	var t *asyncio.Task[asyncio.None]
	err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		t = tg.Go(func(ctx context.Context) error {
			me.Cancel("by child")
			err := testkit.Suspend(ctx, 2)
			if err != nil {
				log("child got %s", testkit.ErrName(err))
			} else {
				log("child ends")
			}
			return err
		}, asyncio.EagerStart(true))
		log("child: %s, cancelling %d", testkit.StateOf(t), me.Cancelling())
		if err := testkit.Suspend(ctx, 1); err != nil {
			return err
		}
		log("not reached")
		return nil
	})
	if errors.Is(err, asyncio.ErrCancelled) {
		log("%s, cancelling %d, uncancel %d", testkit.ErrName(err), me.Cancelling(), me.Uncancel())
	}
	log("child: %s", testkit.StateOf(t))
}

func oracleEagerGather(ctx context.Context, log logFunc) {
	child := func(who string, n int) asyncio.Awaitable[string] {
		return eager(ctx, func(ctx context.Context) (string, error) {
			testkit.Suspend(ctx, n)
			if who == "fails" {
				return "", testkit.ErrBoom
			}
			log("%s ends", who)
			return who, nil
		})
	}
	value := func(g *asyncio.Future[[]string]) {
		v, _ := g.Await(ctx)
		log("value %s", testkit.ValueName(v))
	}
	g := asyncio.Gather(ctx, child("a", 0), child("b", 0))
	log("all done: %s", testkit.StateOf(g))
	value(g)
	g = asyncio.Gather(ctx, child("a", 2), child("b", 0))
	log("one waits: %s", testkit.StateOf(g))
	value(g)
	g = asyncio.Gather(ctx, child("a", 2), child("fails", 0), child("b", 1))
	log("one failed: %s", testkit.StateOf(g))
	log("collected: %s", testkit.StateOf(asyncio.GatherResults(ctx, child("a", 0), child("fails", 0))))
	testkit.Suspend(ctx, 3)
	log("end")
}
