// Twins of the oracle's programs about several awaitables at once: gather, wait and
// as_completed.
package oracle_test

import (
	"context"
	"errors"
	"time"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

var oracleGatherPrograms = twins{
	"as_completed_cancelled":   oracleAsCompletedCancelled,
	"as_completed_order":       oracleAsCompletedOrder,
	"as_completed_resumed":     oracleAsCompletedResumed,
	"gather_cancel":            oracleGatherCancel,
	"gather_cancel_late":       oracleGatherCancelLate,
	"gather_child_cancelled":   oracleGatherChildCancelled,
	"gather_collects":          oracleGatherCollects,
	"gather_duplicates":        oracleGatherDuplicates,
	"gather_duplicates_cancel": oracleGatherDuplicatesCancel,
	"gather_fails":             oracleGatherFails,
	"gather_first_cleans_up":   oracleGatherFirstCleansUp,
	"gather_keeps_message":     oracleGatherKeepsMessage,
	"gather_nested":            oracleGatherNested,
	"gather_order":             oracleGatherOrder,
	"gather_swallowed":         oracleGatherSwallowed,
	"wait_cancelled":           oracleWaitCancelled,
	"wait_done_already":        oracleWaitDoneAlready,
	"wait_modes":               oracleWaitModes,
	"wait_timeout":             oracleWaitTimeout,
}

// countsTurns is a coroutine that says who it is after n turns, to the trace and as its
// result. Names that begin with "fails" fail instead.
func countsTurns(log logFunc, who string, n int) asyncio.Coro[string] {
	return func(ctx context.Context) (string, error) {
		if err := testkit.Suspend(ctx, n); err != nil {
			return "", err
		}
		log("%s ends", who)
		if who == "fails" {
			return "", testkit.ErrBoom
		}
		return who, nil
	}
}

func oracleGatherOrder(ctx context.Context, log logFunc) {
	g := asyncio.Gather[string](ctx, countsTurns(log, "a", 3), countsTurns(log, "b", 1), countsTurns(log, "c", 2))
	g.AddDoneCallback(func(*asyncio.Future[[]string]) { log("gather done") })
	v, _ := g.Await(ctx)
	log("value %s", testkit.ValueName(v))
	f := asyncio.NewFuture[string](testkit.LoopOf(ctx))
	f.SetResult("ready")
	g = asyncio.Gather(ctx, asyncio.Awaitable[string](countsTurns(log, "d", 0)), f)
	log("gather: %s", testkit.StateOf(g))
	v, _ = g.Await(ctx)
	log("value %s", testkit.ValueName(v))
}

func oracleGatherFails(ctx context.Context, log logFunc) {
	child := func(who string, n int) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			testkit.Suspend(ctx, n)
			log("%s ends", who)
			if who == "fails 1" || who == "fails 2" {
				return "", errors.New(who)
			}
			return who, nil
		}
	}
	g := asyncio.Gather[string](ctx, child("a", 4), child("fails 1", 1), child("fails 2", 2), child("b", 0))
	waiter := asyncio.Do(func(ctx context.Context) error {
		if v, err := g.Await(ctx); err != nil {
			log("error %s, gather: %s", testkit.ErrName(err), testkit.StateOf(g))
		} else {
			log("value %s", testkit.ValueName(v))
		}
		return nil
	})
	asyncio.Gather[asyncio.None](ctx, waiter, waiter).Await(ctx)
	log("cancel %s", testkit.Flag(g.Cancel()))
	testkit.Suspend(ctx, 4)
	log("end")
}

func oracleGatherCollects(ctx context.Context, log logFunc) {
	child := func(who string, n int) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			testkit.Suspend(ctx, n)
			log("%s ends", who)
			switch who {
			case "fails":
				return "", testkit.ErrBoom
			case "cancelled":
				return "", &asyncio.CancelledError{}
			}
			return who, nil
		}
	}
	g := asyncio.GatherResults[string](ctx, child("a", 2), child("fails", 0), child("cancelled", 1))
	g.AddDoneCallback(func(*asyncio.Future[[]asyncio.Result[string]]) { log("gather done") })
	v, _ := g.Await(ctx)
	log("value %s", testkit.ValueName(v))
	f := asyncio.NewFuture[string](testkit.LoopOf(ctx))
	f.SetException(errors.New("early"))
	log("gather: %s", testkit.StateOf(asyncio.GatherResults[string](ctx, f)))
}

func oracleGatherDuplicates(ctx context.Context, log logFunc) {
	f := asyncio.NewFuture[string](testkit.LoopOf(ctx))
	t := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		log("child runs")
		return "task", testkit.Suspend(ctx, 1)
	})
	testkit.LoopOf(ctx).CallSoon(func() { f.SetResult("future") })
	v, _ := asyncio.Gather[string](ctx, f, t, f, t).Await(ctx)
	log("value %s", testkit.ValueName(v))
	log("empty %s %s", testkit.StateOf(asyncio.Gather[string](ctx)), testkit.StateOf(asyncio.GatherResults[string](ctx)))
	v, _ = asyncio.Gather[string](ctx).Await(ctx)
	log("value %s", testkit.ValueName(v))
}

func oracleGatherDuplicatesCancel(ctx context.Context, log logFunc) {
	t := testkit.Start(ctx, func(ctx context.Context) error {
		err := testkit.Suspend(ctx, 100)
		if errors.Is(err, asyncio.ErrCancelled) {
			log("child interrupted, cancelling %d", asyncio.CurrentTask(ctx).Cancelling())
		}
		return err
	})
	g := asyncio.Gather[asyncio.None](ctx, t, t)
	testkit.Suspend(ctx, 1)
	log("cancel %s, cancelling %d", testkit.Flag(g.Cancel()), t.Cancelling())
	testkit.Suspend(ctx, 3)
	log("gather: %s, child: %s", testkit.ErrName(g.Exception()), testkit.StateOf(t))
}

func oracleGatherNested(ctx context.Context, log logFunc) {
	leaf := func(who string) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			err := testkit.Suspend(ctx, 100)
			log("%s got %s", who, testkit.ErrName(err))
			return who, err
		}
	}
	left := asyncio.Gather[string](ctx, leaf("a"), leaf("b"))
	right := asyncio.Gather[string](ctx, leaf("c"))
	left.AddDoneCallback(func(g *asyncio.Future[[]string]) { log("left done, cancelled %s", testkit.Flag(g.Cancelled())) })
	right.AddDoneCallback(func(g *asyncio.Future[[]string]) { log("right done, cancelled %s", testkit.Flag(g.Cancelled())) })
	both := asyncio.Gather[[]string](ctx, left, right)
	both.AddDoneCallback(func(g *asyncio.Future[[][]string]) { log("both done, cancelled %s", testkit.Flag(g.Cancelled())) })
	testkit.Suspend(ctx, 1)
	log("cancel %s", testkit.Flag(both.Cancel("all")))
	testkit.Suspend(ctx, 5)
	log("both: %s, left: %s, right: %s", testkit.ErrName(both.Exception()), testkit.ErrName(left.Exception()), testkit.ErrName(right.Exception()))
	log("cancel %s %s %s", testkit.Flag(both.Cancel()), testkit.Flag(left.Cancel()), testkit.Flag(right.Cancel()))
}

func oracleGatherCancelLate(ctx context.Context, log logFunc) {
	child := func(who string, f *asyncio.Future[string]) *asyncio.Task[string] {
		return asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			v, err := f.Await(ctx)
			log("%s ends", who)
			return v, err
		})
	}
	for _, last := range []bool{false, true} {
		f, h := asyncio.NewFuture[string](testkit.LoopOf(ctx)), asyncio.NewFuture[string](testkit.LoopOf(ctx))
		a, b := child("a", f), child("b", h)
		g := asyncio.Gather[string](ctx, a, b)
		g.AddDoneCallback(func(*asyncio.Future[[]string]) { log("gather done") })
		testkit.Suspend(ctx, 1)
		f.SetResult("one")
		if last {
			h.SetResult("two")
		}
		testkit.Suspend(ctx, 1)
		log("a: %s, b: %s, gather: %s", testkit.StateOf(a), testkit.StateOf(b), testkit.StateOf(g))
		log("cancel %s", testkit.Flag(g.Cancel("late")))
		if v, err := g.Await(ctx); err != nil {
			log("main got %s, b: %s", testkit.ErrName(err), testkit.StateOf(b))
		} else {
			log("value %s", testkit.ValueName(v))
		}
	}
}

func oracleGatherFirstCleansUp(ctx context.Context, log logFunc) {
	fails := func(context.Context) error { return testkit.ErrBoom }
	sibling := func(ctx context.Context) error {
		err := testkit.Suspend(ctx, 4)
		if err != nil {
			log("sibling cancelled")
		} else {
			log("sibling ends")
		}
		return err
	}
	t := testkit.Start(ctx, func(ctx context.Context) error {
		if _, err := asyncio.Gather[asyncio.None](ctx, asyncio.Do(fails), asyncio.Do(sibling)).Await(ctx); err != nil {
			log("waiter got %s", testkit.ErrName(err))
			if err := testkit.Suspend(ctx, 1); err != nil {
				return err
			}
			log("not reached")
		}
		return nil
	})
	testkit.Suspend(ctx, 4)
	log("cancel %s", testkit.Flag(t.Cancel()))
	testkit.Suspend(ctx, 6)
	log("waiter: %s", testkit.StateOf(t))
}

func oracleGatherKeepsMessage(ctx context.Context, log logFunc) {
	t := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) { return "", testkit.Suspend(ctx, 100) })
	g := asyncio.GatherResults[string](ctx, t)
	testkit.Suspend(ctx, 1)
	t.Cancel("why")
	v, _ := g.Await(ctx)
	log("value %s", testkit.ValueName(v))
}

// waitFor calls Wait and returns the states of those of tasks that are done, with the
// number of those that are not.
func waitFor[F testkit.TypedFuture[T], T any](ctx context.Context, tasks []F, opts ...asyncio.WaitOption) (states []string, pending int) {
	var fs []asyncio.AnyFuture
	for _, t := range tasks {
		fs = append(fs, t)
	}
	done, rest, err := asyncio.Wait(ctx, fs, opts...)
	if err != nil {
		panic(err)
	}
	for _, f := range done {
		states = append(states, testkit.StateOf(f.(F)))
	}
	return states, len(rest)
}

func oracleWaitModes(ctx context.Context, log logFunc) {
	child := func(who string, n int) *asyncio.Task[string] {
		return asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			testkit.Suspend(ctx, n)
			switch who {
			case "fails":
				return "", testkit.ErrBoom
			case "cancelled":
				return "", &asyncio.CancelledError{}
			}
			return who, nil
		})
	}
	for _, when := range []asyncio.When{asyncio.AllCompleted, asyncio.FirstCompleted, asyncio.FirstException} {
		children := []*asyncio.Task[string]{child("a", 4), child("cancelled", 1), child("fails", 2), child("b", 0)}
		done, pending := waitFor(ctx, children, asyncio.ReturnWhen(when))
		log("done %s, pending %d", testkit.ValueName(done), pending)
		testkit.Suspend(ctx, 6)
		log("%s", statesOf(children...))
	}
	children := []*asyncio.Task[string]{child("a", 1), child("cancelled", 0)}
	done, pending := waitFor(ctx, children, asyncio.ReturnWhen(asyncio.FirstException))
	log("nothing failed: done %d, pending %d", len(done), pending)
}

func oracleWaitDoneAlready(ctx context.Context, log logFunc) {
	l := testkit.LoopOf(ctx)
	for _, when := range []asyncio.When{asyncio.AllCompleted, asyncio.FirstCompleted} {
		f, g, h := asyncio.NewFuture[any](l), asyncio.NewFuture[any](l), asyncio.NewFuture[any](l)
		f.SetResult(1)
		t := asyncio.CreateTask(ctx, func(context.Context) (any, error) { return asyncio.None{}, nil })
		l.CallSoon(func() { g.SetResult(2) })
		futures := []testkit.TypedFuture[any]{f, g, t}
		if when == asyncio.FirstCompleted {
			futures[2] = h
		}
		done, pending := waitFor(ctx, futures, asyncio.ReturnWhen(when))
		log("done %s, pending %d", testkit.ValueName(done), pending)
		t.Await(ctx)
	}
	f := asyncio.NewFuture[int](l)
	f.Cancel()
	for _, when := range []asyncio.When{asyncio.AllCompleted, asyncio.FirstException} {
		done, _ := waitFor(ctx, []*asyncio.Future[int]{f, f}, asyncio.ReturnWhen(when))
		log("%s", testkit.ValueName(done))
	}
}

func oracleWaitCancelled(ctx context.Context, log logFunc) {
	for _, woken := range []int{0, 1, 2} {
		f, g := asyncio.NewFuture[int](testkit.LoopOf(ctx)), asyncio.NewFuture[int](testkit.LoopOf(ctx))
		t := testkit.Start(ctx, func(ctx context.Context) error {
			done, pending, err := asyncio.Wait(ctx, []asyncio.AnyFuture{f, g}, asyncio.ReturnWhen(asyncio.FirstCompleted))
			if err != nil {
				log("waiter got %s", testkit.ErrName(err))
				return err
			}
			log("done %d, pending %d", len(done), len(pending))
			return nil
		})
		testkit.Suspend(ctx, 1)
		if woken > 0 {
			f.SetResult(1)
			testkit.Suspend(ctx, woken-1)
		}
		log("cancel %s", testkit.Flag(t.Cancel("enough")))
		testkit.Suspend(ctx, 3)
		log("waiter: %s, futures: %s %s", testkit.StateOf(t), testkit.StateOf(f), testkit.StateOf(g))
	}
}

func oracleWaitTimeout(ctx context.Context, log logFunc) {
	quick := asyncio.CreateTask(ctx, func(context.Context) (string, error) {
		log("quick ends")
		return "quick", nil
	})
	slow := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		err := asyncio.Sleep(ctx, time.Minute)
		if errors.Is(err, asyncio.ErrCancelled) {
			log("slow cancelled")
		}
		return "", err
	})
	tasks := []*asyncio.Task[string]{quick, slow}
	for _, timeout := range []time.Duration{10 * time.Millisecond, 0, -time.Second} {
		done, pending := waitFor(ctx, tasks, asyncio.WaitTimeout(timeout))
		log("done %s, pending %d", testkit.ValueName(done), pending)
	}
	log("cancelling %d", slow.Cancelling())
	slow.Cancel()
	done, pending := waitFor(ctx, tasks, asyncio.WaitTimeout(time.Minute))
	log("done %s, pending %d", testkit.ValueName(done), pending)
}

func oracleAsCompletedOrder(ctx context.Context, log logFunc) {
	create := func(who string, n int) *asyncio.Task[string] {
		return asyncio.CreateTask(ctx, countsTurns(log, who, n))
	}
	early := create("early", 0)
	testkit.Suspend(ctx, 2)
	a, b, fails, c := create("a", 4), create("b", 1), create("fails", 2), create("c", 1)
	for _, r := range asyncio.AsCompleted[string](ctx, early, a, b, fails, c) {
		log("%s", outcome(r.Value, r.Err))
	}
	log("end")
}

func oracleAsCompletedResumed(ctx context.Context, log logFunc) {
	child := func(who string, n int) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) { return who, testkit.Suspend(ctx, n) }
	}
	a, b := asyncio.CreateTask(ctx, child("a", 1)), asyncio.CreateTask(ctx, child("b", 5))
	steps := asyncio.AsCompleted(ctx, asyncio.Awaitable[string](a), b, a, child("c", 3))
	for _, r := range steps {
		log("%s", outcome(r.Value, r.Err))
		break
	}
	log("left")
	testkit.Suspend(ctx, 1)
	for _, r := range steps {
		log("%s", outcome(r.Value, r.Err))
	}
	log("end")
}

func oracleAsCompletedCancelled(ctx context.Context, log logFunc) {
	a := asyncio.CreateTask(ctx, countsTurns(log, "a", 1))
	b := asyncio.CreateTask(ctx, countsTurns(log, "b", 6))
	t := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		for _, r := range asyncio.AsCompleted[string](ctx, a, b) {
			if errors.Is(r.Err, asyncio.ErrCancelled) {
				log("interrupted by %s", testkit.ErrName(r.Err))
				break
			}
			log("value %s", r.Value)
		}
		return "left", nil
	})
	testkit.Suspend(ctx, 5)
	t.Cancel("enough")
	v, _ := t.Await(ctx)
	log("value %s, a: %s, b: %s, cancelling %d", v, testkit.StateOf(a), testkit.StateOf(b), t.Cancelling())
	v, _ = b.Await(ctx)
	log("%s", v)
}

func oracleGatherCancel(ctx context.Context, log logFunc) {
	child := func(who string, cleanup int) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			err := testkit.Suspend(ctx, 100)
			log("%s cleans up", who)
			testkit.Suspend(ctx, cleanup)
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

// gatherAndCancel is the body of the loop in gather_cancel.py: the two kinds of gather
// differ in type here.
func gatherAndCancel[T any](ctx context.Context, log logFunc, g *asyncio.Future[T]) {
	g.AddDoneCallback(func(*asyncio.Future[T]) { log("gather done") })
	t := testkit.Start(ctx, func(ctx context.Context) error {
		v, err := g.Await(ctx)
		if err != nil {
			log("waiter got %s", testkit.ErrName(err))
			return err
		}
		log("value %s", testkit.ValueName(v))
		return nil
	})
	testkit.Suspend(ctx, 2)
	t.Cancel("enough")
	log("gather: %s, task: %s", testkit.StateOf(g), testkit.StateOf(t))
	testkit.Suspend(ctx, 10)
	log("gather cancelled %s, task: %s", testkit.Flag(g.Cancelled()), testkit.StateOf(t))
	log("cancel gather: %s", testkit.Flag(g.Cancel()))
}

func oracleGatherChildCancelled(ctx context.Context, log logFunc) {
	child := func(who string, n int) *asyncio.Task[string] {
		return asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			if err := testkit.Suspend(ctx, n); err != nil {
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
				log("gather done, cancelled %s", testkit.Flag(g.Cancelled()))
			})
			testkit.Suspend(ctx, 2)
			b.Cancel()
			v, err = g.Await(ctx)
		} else {
			g := asyncio.Gather[string](ctx, a, b, c)
			g.AddDoneCallback(func(g *asyncio.Future[[]string]) { log("gather done, cancelled %s", testkit.Flag(g.Cancelled())) })
			testkit.Suspend(ctx, 2)
			b.Cancel("b only")
			v, err = g.Await(ctx)
		}
		if err != nil {
			log("main got %s, cancelling %d", testkit.ErrName(err), asyncio.CurrentTask(ctx).Cancelling())
		} else {
			log("value %s", testkit.ValueName(v))
		}
		log("a: %s, b: %s, c: %s", testkit.StateOf(a), testkit.StateOf(b), testkit.StateOf(c))
		testkit.Suspend(ctx, 4)
		log("c: %s", testkit.StateOf(c))
	}
}

func oracleGatherSwallowed(ctx context.Context, log logFunc) {
	child := func(n int) asyncio.Coro[int] {
		return func(ctx context.Context) (int, error) {
			if err := testkit.Suspend(ctx, 100); err != nil {
				log("child %d keeps %s", n, testkit.ErrName(err))
			}
			testkit.Suspend(ctx, n)
			log("child %d ends", n)
			return n, nil
		}
	}
	g := asyncio.Gather[int](ctx, child(1), child(3))
	g.AddDoneCallback(func(*asyncio.Future[[]int]) { log("gather done") })
	testkit.Suspend(ctx, 2)
	log("cancel: %s, gather: %s", testkit.Flag(g.Cancel("stop")), testkit.StateOf(g))
	v, err := g.Await(ctx)
	if errors.Is(err, asyncio.ErrCancelled) {
		log("main got %s, gather cancelled %s", testkit.ErrName(err), testkit.Flag(g.Cancelled()))
	} else {
		log("value %s", testkit.ValueName(v))
	}
}
