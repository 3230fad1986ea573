// Twins of the oracle's programs about futures and tasks while nobody cancels anything:
// the order of steps and callbacks, what each state answers, who hears of what is lost.
package oracle_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

var oracleFuturePrograms = twins{
	"await_finished_task":    oracleAwaitFinishedTask,
	"await_itself":           oracleAwaitItself,
	"callback_adds_callback": oracleCallbackAddsCallback,
	"callback_fails":         oracleCallbackFails,
	"context_inherited":      oracleContextInherited,
	"current_and_all":        oracleCurrentAndAll,
	"done_callbacks":         oracleDoneCallbacks,
	"future_states":          oracleFutureStates,
	"message_twice":          oracleMessageTwice,
	"never_retrieved":        oracleNeverRetrieved,
	"step_order":             oracleStepOrder,
	"task_dropped":           oracleTaskDropped,
	"woken_by_cancelled":     oracleWokenByCancelled,
}

func oracleStepOrder(ctx context.Context, log logFunc) {
	l := testkit.LoopOf(ctx)
	steps := func(who string, n int) *asyncio.Task[string] {
		return asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			for i := range n {
				log("%s%d", who, i)
				testkit.Suspend(ctx, 1)
			}
			return who, nil
		})
	}
	a := steps("a", 3)
	l.CallSoon(func() { log("callback 1") })
	b := steps("b", 2)
	l.CallSoon(func() { l.CallSoon(func() { log("callback 2") }) })
	log("a: %s", testkit.StateOf(a))
	testkit.Suspend(ctx, 1)
	log("main")
	va, _ := a.Await(ctx)
	vb, _ := b.Await(ctx)
	log("results %s %s", va, vb)
	va, _ = a.Await(ctx)
	log("again %s", va)
	done := asyncio.NewFuture[string](l)
	done.SetResult("done")
	v, _ := done.Await(ctx)
	none, _ := asyncio.Gather[string](ctx).Await(ctx)
	log("%s %s", v, testkit.ValueName(none))
}

func oracleDoneCallbacks(ctx context.Context, log logFunc) {
	f := asyncio.NewFuture[string](testkit.LoopOf(ctx))
	callback := func(who string) *asyncio.DoneCallback {
		return f.AddDoneCallback(func(f *asyncio.Future[string]) { log("%s: %s", who, testkit.StateOf(f)) })
	}
	first := callback("first")
	removed := callback("removed")
	t := testkit.Start(ctx, func(ctx context.Context) error {
		v, err := f.Await(ctx)
		log("waiter got %s", v)
		return err
	})
	testkit.Suspend(ctx, 1)
	callback("last")
	log("removed %d, again %d", f.RemoveDoneCallback(removed), f.RemoveDoneCallback(removed))
	f.SetResult("value")
	log("set")
	callback("late")
	testkit.Suspend(ctx, 1)
	log("removed %d, waiter: %s", f.RemoveDoneCallback(first), testkit.StateOf(t))
	callback("later")
	log("added")
	testkit.Suspend(ctx, 1)
}

func oracleCallbackAddsCallback(ctx context.Context, log logFunc) {
	f, g := asyncio.NewFuture[int](testkit.LoopOf(ctx)), asyncio.NewFuture[int](testkit.LoopOf(ctx))
	g.SetException(testkit.ErrBoom)
	f.AddDoneCallback(func(f *asyncio.Future[int]) {
		f.AddDoneCallback(func(f *asyncio.Future[int]) { log("own: %s", testkit.StateOf(f)) })
		g.AddDoneCallback(func(g *asyncio.Future[int]) { log("other: %s", testkit.StateOf(g)) })
		log("outer")
	})
	f.AddDoneCallback(func(*asyncio.Future[int]) { log("second") })
	f.SetResult(1)
	testkit.Suspend(ctx, 3)
	log("end")
}

func oracleFutureStates(ctx context.Context, log logFunc) {
	result := func(f *asyncio.Future[string]) {
		if v, err := f.Result(); err != nil {
			log("result: error %s", testkit.ErrName(err))
		} else {
			log("result: %s", v)
		}
	}
	exception := func(f *asyncio.Future[string]) {
		err := f.Exception()
		if !f.Done() || f.Cancelled() {
			log("exception: error %s", testkit.ErrName(err))
		} else {
			log("exception: %s", testkit.ErrName(err))
		}
	}
	ask := func(f *asyncio.Future[string]) {
		log("done %s, cancelled %s", testkit.Flag(f.Done()), testkit.Flag(f.Cancelled()))
		result(f)
		exception(f)
		log("set_result: error %s", testkit.ErrName(f.SetResult("again")))
		log("set_exception: error %s", testkit.ErrName(f.SetException(errors.New("again"))))
		log("cancel %s", testkit.Flag(f.Cancel()))
	}
	f := asyncio.NewFuture[string](testkit.LoopOf(ctx))
	result(f)
	exception(f)
	f.SetResult("value")
	ask(f)
	f = asyncio.NewFuture[string](testkit.LoopOf(ctx))
	f.SetException(testkit.ErrBoom)
	ask(f)
	f = asyncio.NewFuture[string](testkit.LoopOf(ctx))
	log("cancel %s", testkit.Flag(f.Cancel()))
	ask(f)
}

func oracleAwaitFinishedTask(ctx context.Context, log logFunc) {
	body := func(who string) *asyncio.Task[string] {
		return asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			if err := testkit.Suspend(ctx, 1); err != nil {
				return "", err
			}
			if who == "fails" {
				return "", testkit.ErrBoom
			}
			return who, nil
		})
	}
	tasks := []*asyncio.Task[string]{body("ends"), body("fails"), body("cancelled")}
	tasks[2].Cancel()
	testkit.Suspend(ctx, 3)
	for _, t := range append(tasks, tasks...) {
		log("%s", outcome(t.Await(ctx)))
	}
}

func oracleAwaitItself(ctx context.Context, log logFunc) {
	var t *asyncio.Task[string]
	t = asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		if _, err := t.Await(ctx); errors.Is(err, asyncio.ErrInvalidState) {
			log("refused")
		}
		return "goes on", testkit.Suspend(ctx, 1)
	})
	log("%s", outcome(t.Await(ctx)))
}

func oracleCurrentAndAll(ctx context.Context, log logFunc) {
	l := testkit.LoopOf(ctx)
	who := func(ctx context.Context) string {
		if t := asyncio.CurrentTask(ctx); t != nil {
			return t.Name()
		}
		return "none"
	}
	deeper := func(ctx context.Context) error {
		err := testkit.Suspend(ctx, 1)
		log("deeper: %s", who(ctx))
		return err
	}
	asyncio.CurrentTask(ctx).SetName("main")
	l.CallSoon(func() { log("callback: %s", who(l.Context())) })
	t := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
		log("body: %s", who(ctx))
		err := deeper(ctx)
		asyncio.CurrentTask(ctx).SetName("renamed")
		log("body: %s", who(ctx))
		return err
	}), asyncio.WithName("child"))
	t.AddDoneCallback(func(*asyncio.Task[asyncio.None]) {
		log("done callback: %s, %d tasks", who(l.Context()), len(asyncio.AllTasks(l)))
	})
	log("%s, %d tasks", who(ctx), len(asyncio.AllTasks(l)))
	t.Await(ctx)
	log("%s, %d tasks", who(ctx), len(asyncio.AllTasks(l)))
}

// oracleContextInherited sets a variable by deriving a context, and leaves by going on
// with the one it had.
func oracleContextInherited(ctx context.Context, log logFunc) {
	const key = testkit.CtxKey("var")
	sees := func(ctx context.Context) any {
		if v := ctx.Value(key); v != nil {
			return v
		}
		return "none"
	}
	grandchild := func(ctx context.Context) error {
		log("grandchild sees %v", sees(ctx))
		return nil
	}
	child := func(who string) asyncio.Coro[asyncio.None] {
		return asyncio.Do(func(ctx context.Context) error {
			log("%s sees %v", who, sees(ctx))
			ctx = context.WithValue(ctx, key, who)
			testkit.Suspend(ctx, 1)
			log("%s sees %v", who, sees(ctx))
			_, err := testkit.Start(ctx, grandchild).Await(ctx)
			return err
		})
	}
	a := asyncio.CreateTask(ctx, child("a"))
	ctx = context.WithValue(ctx, key, "main")
	b := asyncio.CreateTask(ctx, child("b"))
	a.Await(ctx)
	b.Await(ctx)
	log("main sees %v", sees(ctx))
	eager(ctx, child("c"))
	log("main sees %v", sees(ctx))
	asyncio.Gather[asyncio.None](ctx, asyncio.Do(grandchild)).Await(ctx)
	testkit.Suspend(ctx, 3)
}

func oracleMessageTwice(ctx context.Context, log logFunc) {
	waiter := func(who string, t *asyncio.Task[asyncio.None]) func(context.Context) error {
		return func(ctx context.Context) error {
			if _, err := t.Await(ctx); errors.Is(err, asyncio.ErrCancelled) {
				log("%s got %s", who, testkit.ErrName(err))
			}
			return nil
		}
	}
	t := testkit.Start(ctx, func(ctx context.Context) error { return testkit.Suspend(ctx, 100) })
	testkit.Suspend(ctx, 1)
	testkit.Start(ctx, waiter("a", t))
	testkit.Start(ctx, waiter("b", t))
	testkit.Suspend(ctx, 1)
	t.Cancel("stop")
	testkit.Suspend(ctx, 3)
	waiter("main", t)(ctx)
}

func oracleWokenByCancelled(ctx context.Context, log logFunc) {
	f := asyncio.NewFuture[int](testkit.LoopOf(ctx))
	t := testkit.Start(ctx, func(ctx context.Context) error {
		_, err := f.Await(ctx)
		log("body got %s", testkit.ErrName(err))
		return err
	})
	testkit.Suspend(ctx, 1)
	f.Cancel("future")
	log("cancel %s", testkit.Flag(t.Cancel("task")))
	testkit.Suspend(ctx, 2)
	log("task: %s, cancelling %d", testkit.StateOf(t), t.Cancelling())
}

// oracleNeverRetrieved keeps what its twin drops: here the collector decides when a loss
// is found before the loop's end.
func oracleNeverRetrieved(ctx context.Context, log logFunc) {
	lost := asyncio.NewFuture[int](testkit.LoopOf(ctx))
	lost.SetException(errors.New("future lost"))
	log("future dropped")
	t := testkit.Start(ctx, func(context.Context) error { return errors.New("task lost") })
	testkit.Suspend(ctx, 3)
	f := asyncio.NewFuture[int](testkit.LoopOf(ctx))
	f.SetException(errors.New("seen"))
	log("seen: %s", testkit.StateOf(f))
	log("end")
	runtime.KeepAlive(lost)
	runtime.KeepAlive(t)
}

func oracleTaskDropped(ctx context.Context, log logFunc) {
	testkit.Start(ctx, func(ctx context.Context) error {
		_, err := asyncio.NewFuture[int](testkit.LoopOf(ctx)).Await(ctx)
		log("lost ends")
		return err
	})
	testkit.Suspend(ctx, 1)
	runtime.GC()
	log("dropped")
	testkit.Suspend(ctx, 2)
	log("end")
}

func oracleCallbackFails(ctx context.Context, log logFunc) {
	l := testkit.LoopOf(ctx)
	fails := func(what string) { panic(errors.New(what)) }
	l.CallSoon(func() { fails("callback") })
	l.CallSoon(func() { log("next callback") })
	f := asyncio.NewFuture[string](l)
	f.AddDoneCallback(func(*asyncio.Future[string]) { fails("done callback") })
	f.AddDoneCallback(func(*asyncio.Future[string]) { log("next done callback") })
	f.SetResult("value")
	v, _ := f.Await(ctx)
	log("%s", v)
	testkit.Suspend(ctx, 1)
	l.CallExceptionHandler(asyncio.ErrorContext{Message: "by hand", Exception: fmt.Errorf("reported")})
	l.CallExceptionHandler(asyncio.ErrorContext{Message: "by hand"})
	log("end")
}
