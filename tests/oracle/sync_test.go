// Twins of the oracle's programs about locks, events, conditions, semaphores and
// barriers.
package oracle_test

import (
	"context"
	"errors"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

var oracleSyncPrograms = twins{
	"barrier_abort":          oracleBarrierAbort,
	"barrier_cancel":         oracleBarrierCancel,
	"barrier_index":          oracleBarrierIndex,
	"barrier_phases":         oracleBarrierPhases,
	"barrier_reset":          oracleBarrierReset,
	"condition_cancel":       oracleConditionCancel,
	"condition_order":        oracleConditionOrder,
	"condition_passes_on":    oracleConditionPassesOn,
	"condition_wait_for":     oracleConditionWaitFor,
	"event_cancel":           oracleEventCancel,
	"event_wake":             oracleEventWake,
	"lock_cancel_waiters":    oracleLockCancelWaiters,
	"lock_fifo":              oracleLockFifo,
	"lock_handoff":           oracleLockHandoff,
	"lock_release_in_cancel": oracleLockReleaseInCancel,
	"semaphore_bounded":      oracleSemaphoreBounded,
	"semaphore_cancel":       oracleSemaphoreCancel,
	"semaphore_fifo":         oracleSemaphoreFifo,
	"semaphore_release_many": oracleSemaphoreReleaseMany,
}

// waitAll waits until all tasks are done.
func waitAll(ctx context.Context, tasks ...*asyncio.Task[asyncio.None]) {
	fs := make([]asyncio.AnyFuture, len(tasks))
	for i, t := range tasks {
		fs[i] = t
	}
	if _, _, err := asyncio.Wait(ctx, fs); err != nil {
		panic(err)
	}
}

func oracleLockFifo(ctx context.Context, log logFunc) {
	lock := asyncio.NewLock()
	user := func(who string, n int) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			lock.With(ctx, func() error {
				log("%s has the lock", who)
				return testkit.Suspend(ctx, n)
			})
			log("%s released, locked %s", who, testkit.Flag(lock.Locked()))
			if who == "a" {
				lock.With(ctx, func() error {
					log("a has the lock again")
					return nil
				})
			}
			return nil
		})
	}
	lock.Acquire(ctx)
	a, b, c := user("a", 0), user("b", 1), user("c", 0)
	testkit.Suspend(ctx, 1)
	lock.Release()
	log("locked %s", testkit.Flag(lock.Locked()))
	lock.With(ctx, func() error {
		log("main has the lock")
		return nil
	})
	waitAll(ctx, a, b, c)
	log("%s", attempt("released", lock.Release))
}

func oracleLockCancelWaiters(ctx context.Context, log logFunc) {
	lock := asyncio.NewLock()
	user := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			err := lock.With(ctx, func() error {
				log("%s has the lock", who)
				return nil
			})
			if errors.Is(err, asyncio.ErrCancelled) {
				log("%s got %s, locked %s", who, testkit.ErrName(err), testkit.Flag(lock.Locked()))
			}
			return err
		})
	}
	for _, when := range []string{"held", "released", "all"} {
		lock.Acquire(ctx)
		a, b, c := user(when+" a"), user(when+" b"), user(when+" c")
		testkit.Suspend(ctx, 1)
		if when == "held" {
			a.Cancel()
			b.Cancel()
		}
		lock.Release()
		if when != "held" {
			a.Cancel()
		}
		if when == "all" {
			b.Cancel()
			c.Cancel()
		}
		waitAll(ctx, a, b, c)
		log("%s, locked %s", statesOf(a, b, c), testkit.Flag(lock.Locked()))
	}
}

func oracleLockReleaseInCancel(ctx context.Context, log logFunc) {
	lock := asyncio.NewLock()
	user := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			err := lock.With(ctx, func() error {
				log("%s has the lock", who)
				err := testkit.Suspend(ctx, 100)
				testkit.Suspend(ctx, 1)
				log("%s cleans up", who)
				return err
			})
			if errors.Is(err, asyncio.ErrCancelled) {
				log("%s got %s", who, testkit.ErrName(err))
			}
			return err
		})
	}
	a, b, c := user("a"), user("b"), user("c")
	testkit.Suspend(ctx, 1)
	a.Cancel("one")
	testkit.Suspend(ctx, 2)
	log("locked %s, a: %s", testkit.Flag(lock.Locked()), testkit.StateOf(a))
	b.Cancel("two")
	testkit.Suspend(ctx, 2)
	log("locked %s, b: %s", testkit.Flag(lock.Locked()), testkit.StateOf(b))
	c.Cancel("three")
	waitAll(ctx, a, b, c)
	log("locked %s", testkit.Flag(lock.Locked()))
}

func oracleEventWake(ctx context.Context, log logFunc) {
	event := asyncio.NewEvent()
	waiter := func(who string) func(context.Context) error {
		return func(ctx context.Context) error {
			err := event.Wait(ctx)
			log("%s goes on %s, set %s", who, testkit.Flag(err == nil), testkit.Flag(event.IsSet()))
			return err
		}
	}
	testkit.Start(ctx, waiter("a"))
	testkit.Start(ctx, waiter("b"))
	testkit.Suspend(ctx, 1)
	event.Set()
	waiter("main")(ctx)
	event.Clear()
	late := testkit.Start(ctx, waiter("late"))
	testkit.Suspend(ctx, 2)
	log("late: %s", testkit.StateOf(late))
	event.Set()
	event.Set()
	late.Await(ctx)
	log("%s", testkit.Flag(event.IsSet()))
	event.Clear()
	log("%s", testkit.Flag(event.IsSet()))
}

func oracleEventCancel(ctx context.Context, log logFunc) {
	event := asyncio.NewEvent()
	waiter := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			err := event.Wait(ctx)
			if err != nil {
				log("%s got %s", who, testkit.ErrName(err))
			} else {
				log("%s goes on", who)
			}
			return err
		})
	}
	a, b, c := waiter("a"), waiter("b"), waiter("c")
	testkit.Suspend(ctx, 1)
	a.Cancel("before")
	event.Set()
	b.Cancel("after")
	testkit.Suspend(ctx, 2)
	log("%s", statesOf(a, b, c))
}

func oracleConditionOrder(ctx context.Context, log logFunc) {
	condition := asyncio.NewCondition(nil)
	waiter := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			return condition.With(ctx, func() error {
				condition.Wait(ctx)
				log("%s woken, locked %s", who, testkit.Flag(condition.Locked()))
				return testkit.Suspend(ctx, 1)
			})
		})
	}
	tasks := []*asyncio.Task[asyncio.None]{waiter("a"), waiter("b"), waiter("c"), waiter("d")}
	testkit.Suspend(ctx, 1)
	condition.With(ctx, func() error {
		condition.Notify(2)
		log("notified 2")
		testkit.Suspend(ctx, 2)
		log("main lets go")
		return nil
	})
	testkit.Suspend(ctx, 5)
	log("%s", statesOf(tasks...))
	condition.With(ctx, func() error {
		condition.Notify(10)
		return nil
	})
	waitAll(ctx, tasks...)
	tasks = []*asyncio.Task[asyncio.None]{waiter("e"), waiter("f")}
	testkit.Suspend(ctx, 4)
	log("%s", statesOf(tasks...))
	condition.With(ctx, func() error {
		condition.NotifyAll()
		return nil
	})
	waitAll(ctx, tasks...)
	log("%s", attempt("notified", func() { condition.Notify(1) }))
	log("%s", attempt("notified", condition.NotifyAll))
}

func oracleConditionCancel(ctx context.Context, log logFunc) {
	condition := asyncio.NewCondition(nil)
	t := testkit.Start(ctx, func(ctx context.Context) error {
		return condition.With(ctx, func() error {
			err := condition.Wait(ctx)
			if errors.Is(err, asyncio.ErrCancelled) {
				log("waiter got %s, locked %s", testkit.ErrName(err), testkit.Flag(condition.Locked()))
			}
			return err
		})
	})
	testkit.Suspend(ctx, 1)
	condition.Acquire(ctx)
	t.Cancel("first")
	testkit.Suspend(ctx, 2)
	log("waiter: %s", testkit.StateOf(t))
	t.Cancel("second")
	testkit.Suspend(ctx, 2)
	log("waiter: %s, cancelling %d", testkit.StateOf(t), t.Cancelling())
	condition.Release()
	testkit.Suspend(ctx, 3)
	log("waiter: %s, locked %s", testkit.StateOf(t), testkit.Flag(condition.Locked()))
}

func oracleConditionPassesOn(ctx context.Context, log logFunc) {
	condition := asyncio.NewCondition(nil)
	waiter := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			return condition.With(ctx, func() error {
				err := condition.Wait(ctx)
				if err != nil {
					log("%s got %s", who, testkit.ErrName(err))
				} else {
					log("%s woken", who)
				}
				return err
			})
		})
	}
	for _, late := range []int{0, 2} {
		a, b, c := waiter("a"), waiter("b"), waiter("c")
		testkit.Suspend(ctx, 1)
		condition.With(ctx, func() error {
			condition.Notify(1)
			testkit.Suspend(ctx, late)
			a.Cancel("too late?")
			log("cancelled")
			return nil
		})
		testkit.Suspend(ctx, 6)
		log("%s", statesOf(a, b, c))
		condition.With(ctx, func() error {
			condition.NotifyAll()
			return nil
		})
		waitAll(ctx, a, b, c)
	}
}

func oracleConditionWaitFor(ctx context.Context, log logFunc) {
	condition, n := asyncio.NewCondition(nil), 0
	waiter := func(limit int) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			return condition.With(ctx, func() error {
				err := condition.WaitFor(ctx, func() bool {
					log("asked for %d: %d", limit, n)
					return n >= limit
				})
				if err != nil {
					log("%d got %s", limit, testkit.ErrName(err))
				} else {
					log("%d reached", limit)
				}
				return err
			})
		})
	}
	tasks := []*asyncio.Task[asyncio.None]{waiter(0), waiter(2), waiter(1), waiter(9)}
	testkit.Suspend(ctx, 1)
	for range 2 {
		condition.With(ctx, func() error {
			n++
			condition.NotifyAll()
			return nil
		})
		testkit.Suspend(ctx, 6)
	}
	tasks[3].Cancel("never")
	waitAll(ctx, tasks...)
	log("%s", statesOf(tasks...))
}

func oracleSemaphoreFifo(ctx context.Context, log logFunc) {
	semaphore := asyncio.NewSemaphore(2)
	user := func(who string, n int) func(context.Context) error {
		return func(ctx context.Context) error {
			semaphore.With(ctx, func() error {
				log("%s has a permit, locked %s", who, testkit.Flag(semaphore.Locked()))
				return testkit.Suspend(ctx, n)
			})
			log("%s is done, locked %s", who, testkit.Flag(semaphore.Locked()))
			return nil
		}
	}
	tasks := []*asyncio.Task[asyncio.None]{
		testkit.Start(ctx, user("a", 1)), testkit.Start(ctx, user("b", 1)), testkit.Start(ctx, user("c", 0)),
		testkit.Start(ctx, user("d", 2)), testkit.Start(ctx, user("e", 0)),
	}
	testkit.Suspend(ctx, 1)
	user("main", 0)(ctx)
	waitAll(ctx, tasks...)
	semaphore.Release()
	log("locked %s", testkit.Flag(semaphore.Locked()))
	for range 3 {
		semaphore.Acquire(ctx)
	}
	log("locked %s", testkit.Flag(semaphore.Locked()))
}

func oracleSemaphoreReleaseMany(ctx context.Context, log logFunc) {
	semaphore := asyncio.NewSemaphore(0)
	user := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			err := semaphore.Acquire(ctx)
			log("%s has a permit", who)
			return err
		})
	}
	tasks := []*asyncio.Task[asyncio.None]{user("a"), user("b"), user("c")}
	testkit.Suspend(ctx, 1)
	semaphore.Release()
	semaphore.Release()
	log("locked %s", testkit.Flag(semaphore.Locked()))
	tasks = append(tasks, user("late"))
	testkit.Suspend(ctx, 3)
	log("%s", statesOf(tasks...))
	semaphore.Release()
	semaphore.Release()
	semaphore.Release()
	waitAll(ctx, tasks...)
	log("locked %s", testkit.Flag(semaphore.Locked()))
}

func oracleSemaphoreCancel(ctx context.Context, log logFunc) {
	semaphore := asyncio.NewSemaphore(1)
	user := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			err := semaphore.Acquire(ctx)
			if err != nil {
				log("%s got %s, locked %s", who, testkit.ErrName(err), testkit.Flag(semaphore.Locked()))
			} else {
				log("%s has a permit", who)
			}
			return err
		})
	}
	for _, when := range []string{"before", "after", "both"} {
		semaphore.Acquire(ctx)
		a, b := user(when+" a"), user(when+" b")
		testkit.Suspend(ctx, 1)
		if when != "after" {
			a.Cancel()
		}
		semaphore.Release()
		if when == "after" {
			a.Cancel()
		}
		if when == "both" {
			b.Cancel()
		}
		waitAll(ctx, a, b)
		log("%s, locked %s", statesOf(a, b), testkit.Flag(semaphore.Locked()))
		if when != "both" {
			semaphore.Release()
		}
	}
	log("locked %s", testkit.Flag(semaphore.Locked()))
}

func oracleSemaphoreBounded(ctx context.Context, log logFunc) {
	semaphore := asyncio.NewBoundedSemaphore(1)
	release := func() string { return attempt("released", semaphore.Release) }
	log("%s", release())
	semaphore.Acquire(ctx)
	t := testkit.Start(ctx, func(ctx context.Context) error {
		err := semaphore.Acquire(ctx)
		log("a has the permit, locked %s", testkit.Flag(semaphore.Locked()))
		return err
	})
	testkit.Suspend(ctx, 1)
	log("%s, locked %s", release(), testkit.Flag(semaphore.Locked()))
	log("while a is about to have it: %s", release())
	waitAll(ctx, t)
	log("locked %s", testkit.Flag(semaphore.Locked()))
	log("%s", release())
}

func oracleBarrierPhases(ctx context.Context, log logFunc) {
	barrier := asyncio.NewBarrier(2)
	party := func(who string, rounds int) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			for i := range rounds {
				n, err := barrier.Wait(ctx)
				if err != nil {
					return err
				}
				log("%s round %d is number %d, waiting %d", who, i, n, barrier.NWaiting())
			}
			return nil
		})
	}
	a, b := party("a", 2), party("b", 2)
	testkit.Suspend(ctx, 1)
	log("waiting %d, broken %s", barrier.NWaiting(), testkit.Flag(barrier.Broken()))
	waitAll(ctx, a, b, party("c", 1), party("d", 1))
	log("waiting %d", barrier.NWaiting())
	n, _ := asyncio.NewBarrier(1).Wait(ctx)
	log("alone %d", n)
}

// joinBarrier waits at the barrier and says how that went.
func joinBarrier(log logFunc, barrier *asyncio.Barrier, who string, broken bool) func(context.Context) error {
	return func(ctx context.Context) error {
		n, err := barrier.Wait(ctx)
		switch {
		case err == nil:
			log("%s is number %d", who, n)
		case errors.Is(err, asyncio.ErrCancelled):
			return err
		case broken:
			log("%s got %s, broken %s", who, testkit.ErrName(err), testkit.Flag(barrier.Broken()))
		default:
			log("%s got %s", who, testkit.ErrName(err))
		}
		return nil
	}
}

func oracleBarrierReset(ctx context.Context, log logFunc) {
	barrier := asyncio.NewBarrier(3)
	party := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, joinBarrier(log, barrier, who, false))
	}
	a, b := party("a"), party("b")
	testkit.Suspend(ctx, 1)
	log("waiting %d", barrier.NWaiting())
	barrier.Reset()
	log("waiting %d, broken %s", barrier.NWaiting(), testkit.Flag(barrier.Broken()))
	waitAll(ctx, a, b, party("c"), party("d"), party("e"))
	barrier.Reset()
	log("waiting %d, broken %s", barrier.NWaiting(), testkit.Flag(barrier.Broken()))
}

func oracleBarrierAbort(ctx context.Context, log logFunc) {
	barrier := asyncio.NewBarrier(2)
	party := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, joinBarrier(log, barrier, who, true))
	}
	a := party("a")
	testkit.Suspend(ctx, 1)
	barrier.Abort()
	log("waiting %d, broken %s", barrier.NWaiting(), testkit.Flag(barrier.Broken()))
	joinBarrier(log, barrier, "main", true)(ctx)
	a.Await(ctx)
	barrier.Reset()
	log("broken %s", testkit.Flag(barrier.Broken()))
	waitAll(ctx, party("b"), party("c"))
}

func oracleBarrierCancel(ctx context.Context, log logFunc) {
	barrier := asyncio.NewBarrier(2)
	party := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			_, err := barrier.Wait(ctx)
			if err != nil {
				log("%s got %s, waiting %d", who, testkit.ErrName(err), barrier.NWaiting())
			} else {
				log("%s passes", who)
			}
			return err
		})
	}
	a := party("a")
	testkit.Suspend(ctx, 1)
	a.Cancel("enough")
	testkit.Suspend(ctx, 1)
	log("a: %s, waiting %d, broken %s", testkit.StateOf(a), barrier.NWaiting(), testkit.Flag(barrier.Broken()))
	b, c := party("b"), party("c")
	testkit.Suspend(ctx, 1)
	log("cancel %s", testkit.Flag(b.Cancel("as all go")))
	waitAll(ctx, b, c)
	log("b: %s, c: %s, waiting %d", testkit.StateOf(b), testkit.StateOf(c), barrier.NWaiting())
	waitAll(ctx, party("d"), party("e"))
}

func oracleBarrierIndex(ctx context.Context, log logFunc) {
	barrier := asyncio.NewBarrier(3)
	party := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, joinBarrier(log, barrier, who, false))
	}
	a, b := party("a"), party("b")
	testkit.Suspend(ctx, 1)
	a.Cancel()
	testkit.Suspend(ctx, 1)
	waitAll(ctx, b, party("c"), party("d"))
}

func oracleLockHandoff(ctx context.Context, log logFunc) {
	lock := asyncio.NewLock()
	user := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			err := lock.Acquire(ctx)
			if err != nil {
				log("%s got %s", who, testkit.ErrName(err))
				return err
			}
			defer lock.Release()
			log("%s has the lock", who)
			return testkit.Suspend(ctx, 1)
		})
	}
	lock.Acquire(ctx)
	a, b := user("a"), user("b")
	testkit.Suspend(ctx, 1)
	lock.Release()
	log("released, locked %s", testkit.Flag(lock.Locked()))
	a.Cancel("too late?")
	c := user("c")
	testkit.Suspend(ctx, 1)
	log("locked %s", testkit.Flag(lock.Locked()))
	asyncio.Wait(ctx, []asyncio.AnyFuture{a, b, c})
	log("a: %s, b: %s, c: %s, locked %s", testkit.StateOf(a), testkit.StateOf(b), testkit.StateOf(c), testkit.Flag(lock.Locked()))
}
