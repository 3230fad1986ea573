// Twins of the oracle's programs about queues.
package oracle_test

import (
	"context"
	"errors"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

var oracleQueuePrograms = twins{
	"queue_barging":        oracleQueueBarging,
	"queue_cancel_getters": oracleQueueCancelGetters,
	"queue_cancel_putter":  oracleQueueCancelPutter,
	"queue_full":           oracleQueueFull,
	"queue_handoff":        oracleQueueHandoff,
	"queue_join":           oracleQueueJoin,
	"queue_orders":         oracleQueueOrders,
	"queue_shutdown":       oracleQueueShutdown,
	"queue_shutdown_now":   oracleQueueShutdownNow,
}

// getNowait is what the trace says of GetNowait.
func getNowait[T any](q *asyncio.Queue[T]) string {
	v, err := q.GetNowait()
	if err != nil {
		return testkit.ErrName(err)
	}
	return testkit.ValueName(v)
}

func oracleQueueFull(ctx context.Context, log logFunc) {
	q := asyncio.NewQueue[string](1)
	putter := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			err := q.Put(ctx, who)
			log("%s put, length %d", who, q.Len())
			return err
		})
	}
	log("get_nowait: %s, empty %s", getNowait(q), testkit.Flag(q.Empty()))
	q.Put(ctx, "first")
	log("put_nowait: %s, full %s", testkit.ErrName(q.PutNowait("x")), testkit.Flag(q.Full()))
	a, b, c := putter("a"), putter("b"), putter("c")
	testkit.Suspend(ctx, 1)
	log("got %s, length %d", getNowait(q), q.Len())
	q.Put(ctx, "main")
	log("main put")
	for range 4 {
		item, _ := q.Get(ctx)
		log("got %s", item)
	}
	waitAll(ctx, a, b, c)
	log("length %d", q.Len())
}

func oracleQueueBarging(ctx context.Context, log logFunc) {
	q := asyncio.NewQueue[string](0)
	getter := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			item, err := q.Get(ctx)
			log("%s got %s", who, item)
			return err
		})
	}
	a, b := getter("a"), getter("b")
	testkit.Suspend(ctx, 1)
	q.PutNowait("one")
	log("snatched %s", getNowait(q))
	testkit.Suspend(ctx, 1)
	q.PutNowait("two")
	q.PutNowait("three")
	waitAll(ctx, a, b)
}

func oracleQueueJoin(ctx context.Context, log logFunc) {
	q := asyncio.NewQueue[string](0)
	joiner := func(who string) func(context.Context) error {
		return func(ctx context.Context) error {
			if err := q.Join(ctx); err != nil {
				return err
			}
			log("%s joined", who)
			return nil
		}
	}
	done := func() string { return attempt("done", q.TaskDone) }
	joiner("empty")(ctx)
	log("%s", done())
	q.PutNowait("a")
	q.PutNowait("b")
	first, second, cancelled := testkit.Start(ctx, joiner("first")), testkit.Start(ctx, joiner("second")), testkit.Start(ctx, joiner("cancelled"))
	testkit.Suspend(ctx, 1)
	q.GetNowait()
	log("%s", done())
	q.PutNowait("c")
	cancelled.Cancel()
	testkit.Suspend(ctx, 1)
	log("%s %s, length %d", done(), done(), q.Len())
	q.PutNowait("d")
	log("tasks: %s", statesOf(first, second, cancelled))
	testkit.Suspend(ctx, 1)
	log("tasks: %s, %s %s", statesOf(first, second, cancelled), done(), done())
}

func oracleQueueShutdown(ctx context.Context, log logFunc) {
	q := asyncio.NewQueue[string](2)
	try := func(who string, call func(context.Context) (any, error)) func(context.Context) error {
		return func(ctx context.Context) error {
			if v, err := call(ctx); errors.Is(err, asyncio.ErrQueueShutDown) {
				log("%s: %s", who, testkit.ErrName(err))
			} else {
				log("%s: %s", who, testkit.ValueName(v))
			}
			return nil
		}
	}
	put := func(item string) func(context.Context) (any, error) {
		return func(ctx context.Context) (any, error) { return asyncio.None{}, q.Put(ctx, item) }
	}
	get := func(ctx context.Context) (any, error) { return q.Get(ctx) }
	q.PutNowait("a")
	q.PutNowait("b")
	putter := testkit.Start(ctx, try("put", put("c")))
	joiner := testkit.Start(ctx, try("join", func(ctx context.Context) (any, error) { return asyncio.None{}, q.Join(ctx) }))
	testkit.Suspend(ctx, 1)
	q.Shutdown(false)
	log("shut down")
	try("late put", put("d"))(ctx)
	try("get", get)(ctx)
	q.TaskDone()
	testkit.Suspend(ctx, 2)
	try("get", get)(ctx)
	try("get", get)(ctx)
	q.TaskDone()
	waitAll(ctx, putter, joiner)
	log("%s", testkit.ErrName(q.PutNowait("e")))
	log("%s", getNowait(q))
	q = asyncio.NewQueue[string](0)
	first, second := testkit.Start(ctx, try("getter 0", get)), testkit.Start(ctx, try("getter 1", get))
	testkit.Suspend(ctx, 1)
	q.PutNowait("last")
	q.Shutdown(false)
	waitAll(ctx, first, second)
}

func oracleQueueShutdownNow(ctx context.Context, log logFunc) {
	for handed := range 2 {
		q := asyncio.NewQueue[string](0)
		for _, item := range []string{"a", "b", "c"} {
			q.PutNowait(item)
		}
		for range handed {
			log("got %s", getNowait(q))
		}
		t := testkit.Start(ctx, func(ctx context.Context) error {
			err := q.Join(ctx)
			log("joined")
			return err
		})
		testkit.Suspend(ctx, 1)
		q.Shutdown(true)
		log("length %d", q.Len())
		testkit.Suspend(ctx, 2)
		log("join: %s", testkit.StateOf(t))
		if handed > 0 {
			q.TaskDone()
		}
		t.Await(ctx)
		if _, err := q.Get(ctx); errors.Is(err, asyncio.ErrQueueShutDown) {
			log("%s", testkit.ErrName(err))
		}
	}
}

func oracleQueueCancelPutter(ctx context.Context, log logFunc) {
	q := asyncio.NewQueue[string](1)
	putter := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			err := q.Put(ctx, who)
			if err != nil {
				log("%s got %s, length %d", who, testkit.ErrName(err), q.Len())
			} else {
				log("%s put", who)
			}
			return err
		})
	}
	q.Put(ctx, "first")
	a, b, c := putter("a"), putter("b"), putter("c")
	testkit.Suspend(ctx, 1)
	a.Cancel("waits")
	testkit.Suspend(ctx, 1)
	log("got %s", getNowait(q))
	b.Cancel("woken")
	testkit.Suspend(ctx, 3)
	states := statesOf(a, b, c)
	item, _ := q.Get(ctx)
	log("%s, got %s, length %d", states, item, q.Len())
}

func oracleQueueCancelGetters(ctx context.Context, log logFunc) {
	q := asyncio.NewQueue[string](0)
	getter := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			item, err := q.Get(ctx)
			if err != nil {
				log("%s got %s", who, testkit.ErrName(err))
			} else {
				log("%s got %s", who, item)
			}
			return err
		})
	}
	a, b, c := getter("a"), getter("b"), getter("c")
	testkit.Suspend(ctx, 1)
	a.Cancel("waits")
	q.PutNowait("one")
	b.Cancel("woken")
	log("snatched %s", getNowait(q))
	testkit.Suspend(ctx, 2)
	log("%s", statesOf(a, b, c))
	q.PutNowait("two")
	c.Await(ctx)
}

func oracleQueueOrders(ctx context.Context, log logFunc) {
	less := func(a, b int) bool { return a < b }
	for _, q := range []*asyncio.Queue[int]{asyncio.NewLifoQueue[int](0), asyncio.NewPriorityQueue(0, less)} {
		getter := func(who string) *asyncio.Task[asyncio.None] {
			return testkit.Start(ctx, func(ctx context.Context) error {
				item, err := q.Get(ctx)
				log("%s got %d", who, item)
				return err
			})
		}
		a, b := getter("a"), getter("b")
		testkit.Suspend(ctx, 1)
		for _, item := range []int{2, 3, 1} {
			q.PutNowait(item)
		}
		waitAll(ctx, a, b)
		q.PutNowait(0)
		log("left %s %s", getNowait(q), getNowait(q))
	}
}

func oracleQueueHandoff(ctx context.Context, log logFunc) {
	q := asyncio.NewQueue[string](0)
	getter := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			item, err := q.Get(ctx)
			if err != nil {
				log("%s got %s", who, testkit.ErrName(err))
				return err
			}
			log("%s got %s", who, item)
			return nil
		})
	}
	a, b := getter("a"), getter("b")
	testkit.Suspend(ctx, 1)
	q.PutNowait("item")
	a.Cancel("woken")
	testkit.Suspend(ctx, 1)
	log("a: %s, b: %s, length %d", testkit.StateOf(a), testkit.StateOf(b), q.Len())
	testkit.Suspend(ctx, 1)
	log("a: %s, b: %s, length %d", testkit.StateOf(a), testkit.StateOf(b), q.Len())
}
