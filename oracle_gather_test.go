// Twins of the oracle's programs about several awaitables at once: gather, wait and
// as_completed.
package asyncio_test

import (
	"context"
	"errors"
	"time"

	"github.com/seed-a026a017/asyncio"
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
		if err := suspend(ctx, n); err != nil {
			return "", err
		}
		log("%s ends", who)
		if who == "fails" {
			return "", errBoom
		}
		return who, nil
	}
}

func oracleGatherOrder(ctx context.Context, log logFunc) {
	g := asyncio.Gather[string](ctx, countsTurns(log, "a", 3), countsTurns(log, "b", 1), countsTurns(log, "c", 2))
	g.AddDoneCallback(func(*asyncio.Future[[]string]) { log("gather done") })
	v, _ := g.Await(ctx)
	log("value %s", valueName(v))
	f := asyncio.NewFuture[string](loopOf(ctx))
	f.SetResult("ready")
	g = asyncio.Gather(ctx, asyncio.Awaitable[string](countsTurns(log, "d", 0)), f)
	log("gather: %s", stateOf(g))
	v, _ = g.Await(ctx)
	log("value %s", valueName(v))
}

func oracleGatherFails(ctx context.Context, log logFunc) {
	child := func(who string, n int) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			suspend(ctx, n)
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
			log("error %s, gather: %s", errName(err), stateOf(g))
		} else {
			log("value %s", valueName(v))
		}
		return nil
	})
	asyncio.Gather[asyncio.None](ctx, waiter, waiter).Await(ctx)
	log("cancel %s", flag(g.Cancel()))
	suspend(ctx, 4)
	log("end")
}

func oracleGatherCollects(ctx context.Context, log logFunc) {
	child := func(who string, n int) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			suspend(ctx, n)
			log("%s ends", who)
			switch who {
			case "fails":
				return "", errBoom
			case "cancelled":
				return "", &asyncio.CancelledError{}
			}
			return who, nil
		}
	}
	g := asyncio.GatherResults[string](ctx, child("a", 2), child("fails", 0), child("cancelled", 1))
	g.AddDoneCallback(func(*asyncio.Future[[]asyncio.Result[string]]) { log("gather done") })
	v, _ := g.Await(ctx)
	log("value %s", valueName(v))
	f := asyncio.NewFuture[string](loopOf(ctx))
	f.SetException(errors.New("early"))
	log("gather: %s", stateOf(asyncio.GatherResults[string](ctx, f)))
}

func oracleGatherDuplicates(ctx context.Context, log logFunc) {
	f := asyncio.NewFuture[string](loopOf(ctx))
	t := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		log("child runs")
		return "task", suspend(ctx, 1)
	})
	loopOf(ctx).CallSoon(func() { f.SetResult("future") })
	v, _ := asyncio.Gather[string](ctx, f, t, f, t).Await(ctx)
	log("value %s", valueName(v))
	log("empty %s %s", stateOf(asyncio.Gather[string](ctx)), stateOf(asyncio.GatherResults[string](ctx)))
	v, _ = asyncio.Gather[string](ctx).Await(ctx)
	log("value %s", valueName(v))
}

func oracleGatherDuplicatesCancel(ctx context.Context, log logFunc) {
	t := start(ctx, func(ctx context.Context) error {
		err := suspend(ctx, 100)
		if errors.Is(err, asyncio.ErrCancelled) {
			log("child interrupted, cancelling %d", asyncio.CurrentTask(ctx).Cancelling())
		}
		return err
	})
	g := asyncio.Gather[asyncio.None](ctx, t, t)
	suspend(ctx, 1)
	log("cancel %s, cancelling %d", flag(g.Cancel()), t.Cancelling())
	suspend(ctx, 3)
	log("gather: %s, child: %s", errName(g.Exception()), stateOf(t))
}

func oracleGatherNested(ctx context.Context, log logFunc) {
	leaf := func(who string) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			err := suspend(ctx, 100)
			log("%s got %s", who, errName(err))
			return who, err
		}
	}
	left := asyncio.Gather[string](ctx, leaf("a"), leaf("b"))
	right := asyncio.Gather[string](ctx, leaf("c"))
	left.AddDoneCallback(func(g *asyncio.Future[[]string]) { log("left done, cancelled %s", flag(g.Cancelled())) })
	right.AddDoneCallback(func(g *asyncio.Future[[]string]) { log("right done, cancelled %s", flag(g.Cancelled())) })
	both := asyncio.Gather[[]string](ctx, left, right)
	both.AddDoneCallback(func(g *asyncio.Future[[][]string]) { log("both done, cancelled %s", flag(g.Cancelled())) })
	suspend(ctx, 1)
	log("cancel %s", flag(both.Cancel("all")))
	suspend(ctx, 5)
	log("both: %s, left: %s, right: %s", errName(both.Exception()), errName(left.Exception()), errName(right.Exception()))
	log("cancel %s %s %s", flag(both.Cancel()), flag(left.Cancel()), flag(right.Cancel()))
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
		f, h := asyncio.NewFuture[string](loopOf(ctx)), asyncio.NewFuture[string](loopOf(ctx))
		a, b := child("a", f), child("b", h)
		g := asyncio.Gather[string](ctx, a, b)
		g.AddDoneCallback(func(*asyncio.Future[[]string]) { log("gather done") })
		suspend(ctx, 1)
		f.SetResult("one")
		if last {
			h.SetResult("two")
		}
		suspend(ctx, 1)
		log("a: %s, b: %s, gather: %s", stateOf(a), stateOf(b), stateOf(g))
		log("cancel %s", flag(g.Cancel("late")))
		if v, err := g.Await(ctx); err != nil {
			log("main got %s, b: %s", errName(err), stateOf(b))
		} else {
			log("value %s", valueName(v))
		}
	}
}

func oracleGatherFirstCleansUp(ctx context.Context, log logFunc) {
	fails := func(context.Context) error { return errBoom }
	sibling := func(ctx context.Context) error {
		err := suspend(ctx, 4)
		if err != nil {
			log("sibling cancelled")
		} else {
			log("sibling ends")
		}
		return err
	}
	t := start(ctx, func(ctx context.Context) error {
		if _, err := asyncio.Gather[asyncio.None](ctx, asyncio.Do(fails), asyncio.Do(sibling)).Await(ctx); err != nil {
			log("waiter got %s", errName(err))
			if err := suspend(ctx, 1); err != nil {
				return err
			}
			log("not reached")
		}
		return nil
	})
	suspend(ctx, 4)
	log("cancel %s", flag(t.Cancel()))
	suspend(ctx, 6)
	log("waiter: %s", stateOf(t))
}

func oracleGatherKeepsMessage(ctx context.Context, log logFunc) {
	t := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) { return "", suspend(ctx, 100) })
	g := asyncio.GatherResults[string](ctx, t)
	suspend(ctx, 1)
	t.Cancel("why")
	v, _ := g.Await(ctx)
	log("value %s", valueName(v))
}

// waitFor calls Wait and returns the states of those of tasks that are done, with the
// number of those that are not.
func waitFor[F typedFuture[T], T any](ctx context.Context, tasks []F, opts ...asyncio.WaitOption) (states []string, pending int) {
	var fs []asyncio.AnyFuture
	for _, t := range tasks {
		fs = append(fs, t)
	}
	done, rest, err := asyncio.Wait(ctx, fs, opts...)
	if err != nil {
		panic(err)
	}
	for _, f := range done {
		states = append(states, stateOf(f.(F)))
	}
	return states, len(rest)
}

func oracleWaitModes(ctx context.Context, log logFunc) {
	child := func(who string, n int) *asyncio.Task[string] {
		return asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			suspend(ctx, n)
			switch who {
			case "fails":
				return "", errBoom
			case "cancelled":
				return "", &asyncio.CancelledError{}
			}
			return who, nil
		})
	}
	for _, when := range []asyncio.When{asyncio.AllCompleted, asyncio.FirstCompleted, asyncio.FirstException} {
		children := []*asyncio.Task[string]{child("a", 4), child("cancelled", 1), child("fails", 2), child("b", 0)}
		done, pending := waitFor(ctx, children, asyncio.ReturnWhen(when))
		log("done %s, pending %d", valueName(done), pending)
		suspend(ctx, 6)
		log("%s", statesOf(children...))
	}
	children := []*asyncio.Task[string]{child("a", 1), child("cancelled", 0)}
	done, pending := waitFor(ctx, children, asyncio.ReturnWhen(asyncio.FirstException))
	log("nothing failed: done %d, pending %d", len(done), pending)
}

func oracleWaitDoneAlready(ctx context.Context, log logFunc) {
	l := loopOf(ctx)
	for _, when := range []asyncio.When{asyncio.AllCompleted, asyncio.FirstCompleted} {
		f, g, h := asyncio.NewFuture[any](l), asyncio.NewFuture[any](l), asyncio.NewFuture[any](l)
		f.SetResult(1)
		t := asyncio.CreateTask(ctx, func(context.Context) (any, error) { return asyncio.None{}, nil })
		l.CallSoon(func() { g.SetResult(2) })
		futures := []typedFuture[any]{f, g, t}
		if when == asyncio.FirstCompleted {
			futures[2] = h
		}
		done, pending := waitFor(ctx, futures, asyncio.ReturnWhen(when))
		log("done %s, pending %d", valueName(done), pending)
		t.Await(ctx)
	}
	f := asyncio.NewFuture[int](l)
	f.Cancel()
	for _, when := range []asyncio.When{asyncio.AllCompleted, asyncio.FirstException} {
		done, _ := waitFor(ctx, []*asyncio.Future[int]{f, f}, asyncio.ReturnWhen(when))
		log("%s", valueName(done))
	}
}

func oracleWaitCancelled(ctx context.Context, log logFunc) {
	for _, woken := range []int{0, 1, 2} {
		f, g := asyncio.NewFuture[int](loopOf(ctx)), asyncio.NewFuture[int](loopOf(ctx))
		t := start(ctx, func(ctx context.Context) error {
			done, pending, err := asyncio.Wait(ctx, []asyncio.AnyFuture{f, g}, asyncio.ReturnWhen(asyncio.FirstCompleted))
			if err != nil {
				log("waiter got %s", errName(err))
				return err
			}
			log("done %d, pending %d", len(done), len(pending))
			return nil
		})
		suspend(ctx, 1)
		if woken > 0 {
			f.SetResult(1)
			suspend(ctx, woken-1)
		}
		log("cancel %s", flag(t.Cancel("enough")))
		suspend(ctx, 3)
		log("waiter: %s, futures: %s %s", stateOf(t), stateOf(f), stateOf(g))
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
		log("done %s, pending %d", valueName(done), pending)
	}
	log("cancelling %d", slow.Cancelling())
	slow.Cancel()
	done, pending := waitFor(ctx, tasks, asyncio.WaitTimeout(time.Minute))
	log("done %s, pending %d", valueName(done), pending)
}

func oracleAsCompletedOrder(ctx context.Context, log logFunc) {
	create := func(who string, n int) *asyncio.Task[string] {
		return asyncio.CreateTask(ctx, countsTurns(log, who, n))
	}
	early := create("early", 0)
	suspend(ctx, 2)
	a, b, fails, c := create("a", 4), create("b", 1), create("fails", 2), create("c", 1)
	for _, r := range asyncio.AsCompleted[string](ctx, early, a, b, fails, c) {
		log("%s", outcome(r.Value, r.Err))
	}
	log("end")
}

func oracleAsCompletedResumed(ctx context.Context, log logFunc) {
	child := func(who string, n int) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) { return who, suspend(ctx, n) }
	}
	a, b := asyncio.CreateTask(ctx, child("a", 1)), asyncio.CreateTask(ctx, child("b", 5))
	steps := asyncio.AsCompleted(ctx, asyncio.Awaitable[string](a), b, a, child("c", 3))
	for _, r := range steps {
		log("%s", outcome(r.Value, r.Err))
		break
	}
	log("left")
	suspend(ctx, 1)
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
				log("interrupted by %s", errName(r.Err))
				break
			}
			log("value %s", r.Value)
		}
		return "left", nil
	})
	suspend(ctx, 5)
	t.Cancel("enough")
	v, _ := t.Await(ctx)
	log("value %s, a: %s, b: %s, cancelling %d", v, stateOf(a), stateOf(b), t.Cancelling())
	v, _ = b.Await(ctx)
	log("%s", v)
}

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

// gatherAndCancel is the body of the loop in gather_cancel.py: the two kinds of gather
// differ in type here.
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
