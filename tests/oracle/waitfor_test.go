// Twins of the oracle's programs about wait_for and shield.
package oracle_test

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

var oracleWaitForPrograms = twins{
	"shield_cancel":           oracleShieldCancel,
	"shield_coroutine":        oracleShieldCoroutine,
	"shield_done":             oracleShieldDone,
	"shield_ends_then_cancel": oracleShieldEndsThenCancel,
	"shield_fails_late":       oracleShieldFailsLate,
	"shield_in_timeout":       oracleShieldInTimeout,
	"shield_shared":           oracleShieldShared,
	"wait_for_cancelled":      oracleWaitForCancelled,
	"wait_for_inline":         oracleWaitForInline,
	"wait_for_keeps":          oracleWaitForKeeps,
	"wait_for_nested":         oracleWaitForNested,
	"wait_for_race":           oracleWaitForRace,
	"wait_for_zero":           oracleWaitForZero,
	"wait_for_zero_done":      oracleWaitForZeroDone,
}

func oracleWaitForInline(ctx context.Context, log logFunc) {
	body := func(n int) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			log("current %s", asyncio.CurrentTask(ctx).Name())
			return "value", testkit.Suspend(ctx, n)
		}
	}
	asyncio.CurrentTask(ctx).SetName("main")
	for _, limit := range []time.Duration{asyncio.Forever, time.Minute} {
		for _, n := range []int{0, 2} {
			v, _ := asyncio.WaitFor(ctx, body(n), limit)
			log("%s, %d tasks", v, len(asyncio.AllTasks(testkit.LoopOf(ctx))))
		}
		if _, err := asyncio.WaitFor(ctx, asyncio.Do(failsAfter(1, "boom")), limit); err != nil {
			log("error %s", testkit.ErrName(err))
		}
	}
	f := asyncio.NewFuture[string](testkit.LoopOf(ctx))
	f.SetResult("ready")
	v, _ := asyncio.WaitFor(ctx, f, time.Minute)
	log("%s", v)
}

func oracleWaitForKeeps(ctx context.Context, log logFunc) {
	body := func(who string) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			err := asyncio.Sleep(ctx, time.Minute)
			if errors.Is(err, asyncio.ErrCancelled) {
				log("%s got %s", who, testkit.ErrName(err))
				switch {
				case strings.HasPrefix(who, "keeps"):
					return "kept", nil
				case strings.HasPrefix(who, "fails"):
					return "", errors.New("instead")
				}
				testkit.Suspend(ctx, 5)
				log("%s has cleaned up", who)
			}
			return "", err
		}
	}
	for _, who := range []string{"keeps", "fails", "slow"} {
		for _, asTask := range []bool{false, true} {
			aw := asyncio.Awaitable[string](body(who))
			if asTask {
				aw = asyncio.CreateTask(ctx, body(who+" task"))
			}
			log("%s", outcome(asyncio.WaitFor(ctx, aw, 5*time.Millisecond)))
			if t, ok := aw.(*asyncio.Task[string]); ok {
				log("task: %s, cancelling %d", testkit.StateOf(t), t.Cancelling())
			}
			log("cancelling %d", asyncio.CurrentTask(ctx).Cancelling())
		}
	}
}

func oracleWaitForCancelled(ctx context.Context, log logFunc) {
	body := func(who string) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			err := testkit.Suspend(ctx, 100)
			if errors.Is(err, asyncio.ErrCancelled) {
				log("%s got %s", who, testkit.ErrName(err))
				testkit.Suspend(ctx, 1)
				switch who {
				case "keeps":
					return "kept", nil
				case "fails":
					return "", errors.New("instead")
				}
			}
			return "", err
		}
	}
	for _, who := range []string{"gives up", "keeps", "fails"} {
		for _, asTask := range []bool{false, true} {
			t := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
				aw := asyncio.Awaitable[string](body(who))
				if asTask {
					aw = asyncio.CreateTask(ctx, body(who))
				}
				return asyncio.WaitFor(ctx, aw, time.Minute)
			})
			t.AddDoneCallback(func(t *asyncio.Task[string]) { log("outer: %s", testkit.StateOf(t)) })
			testkit.Suspend(ctx, 3)
			t.Cancel("outside")
			asyncio.Wait(ctx, []asyncio.AnyFuture{t})
			log("cancelling %d", t.Cancelling())
		}
	}
}

func oracleWaitForZeroDone(ctx context.Context, log logFunc) {
	attempt := func(ctx context.Context, aw asyncio.Awaitable[string]) {
		log("%s", outcome(asyncio.WaitFor(ctx, aw, 0)))
	}
	failed, gone := asyncio.NewFuture[string](testkit.LoopOf(ctx)), asyncio.NewFuture[string](testkit.LoopOf(ctx))
	failed.SetException(testkit.ErrBoom)
	gone.Cancel("gone")
	attempt(ctx, failed)
	attempt(ctx, gone)
	inner := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		err := testkit.Suspend(ctx, 100)
		log("body cleans up")
		if again := testkit.Suspend(ctx, 3); again != nil {
			log("again %s", testkit.ErrName(again))
			return "", again
		}
		log("body ends")
		return "", err
	})
	testkit.Suspend(ctx, 1)
	outer := testkit.Start(ctx, func(ctx context.Context) error {
		attempt(ctx, inner)
		return nil
	})
	testkit.Suspend(ctx, 2)
	log("cancel %s, inner cancelling %d", testkit.Flag(outer.Cancel("outside")), inner.Cancelling())
	testkit.Suspend(ctx, 5)
	log("outer: %s, inner: %s, cancelling %d", testkit.StateOf(outer), testkit.StateOf(inner), outer.Cancelling())
}

func oracleWaitForNested(ctx context.Context, log logFunc) {
	sleeps := asyncio.Do(func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Minute) })
	const soon = 5 * time.Millisecond
	for _, limits := range [][2]time.Duration{{time.Minute, soon}, {soon, time.Minute}} {
		_, err := asyncio.WaitFor(ctx, asyncio.Do(func(ctx context.Context) error {
			_, err := asyncio.WaitFor(ctx, sleeps, limits[1])
			log("inner %s", testkit.ErrName(err))
			return err
		}), limits[0])
		if errors.Is(err, asyncio.ErrTimeout) {
			log("outer %s, cancelling %d", testkit.ErrName(err), asyncio.CurrentTask(ctx).Cancelling())
		}
	}
	if testkit.Suspend(ctx, 1) == nil {
		log("next await works")
	}
}

func oracleShieldShared(ctx context.Context, log logFunc) {
	t := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		testkit.Suspend(ctx, 3)
		log("inner ends")
		return "value", nil
	})
	waiter := func(who string) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			v, err := asyncio.Shield[string](ctx, t).Await(ctx)
			if err != nil {
				log("%s got %s", who, testkit.ErrName(err))
				return err
			}
			log("%s got %s", who, v)
			return nil
		})
	}
	a, b := waiter("a"), waiter("b")
	testkit.Suspend(ctx, 2)
	a.Cancel("a only")
	asyncio.Wait(ctx, []asyncio.AnyFuture{a, b})
	log("inner: %s, cancelling %d, a: %s, b: %s", testkit.StateOf(t), t.Cancelling(), testkit.StateOf(a), testkit.StateOf(b))
}

func oracleShieldDone(ctx context.Context, log logFunc) {
	value, gone := asyncio.NewFuture[string](testkit.LoopOf(ctx)), asyncio.NewFuture[string](testkit.LoopOf(ctx))
	task := asyncio.CreateTask(ctx, func(context.Context) (string, error) { return "", testkit.ErrBoom })
	value.SetResult("value")
	gone.Cancel("gone")
	testkit.Suspend(ctx, 2)
	for _, f := range []asyncio.Awaitable[string]{value, gone, task} {
		outer := asyncio.Shield(ctx, f)
		log("outer: %s, cancel %s", testkit.StateOf(outer), testkit.Flag(outer.Cancel()))
		log("%s", outcome(outer.Await(ctx)))
	}
}

func oracleShieldCoroutine(ctx context.Context, log logFunc) {
	tasks := func() int { return len(asyncio.AllTasks(testkit.LoopOf(ctx))) }
	inner := asyncio.Do(func(ctx context.Context) error {
		log("inner starts")
		testkit.Suspend(ctx, 3)
		log("inner ends")
		return nil
	})
	t := testkit.Start(ctx, func(ctx context.Context) error {
		_, err := asyncio.Shield[asyncio.None](ctx, inner).Await(ctx)
		log("waiter ends")
		return err
	})
	testkit.Suspend(ctx, 1)
	t.Cancel()
	log("%d tasks", tasks())
	testkit.Suspend(ctx, 2)
	log("%d tasks, waiter: %s", tasks(), testkit.StateOf(t))
	testkit.Suspend(ctx, 4)
	log("%d tasks", tasks())
}

func oracleShieldEndsThenCancel(ctx context.Context, log logFunc) {
	for _, late := range []int{0, 1} {
		f := asyncio.NewFuture[string](testkit.LoopOf(ctx))
		i := asyncio.CreateTask(ctx, asyncio.Coro[string](f.Await))
		outer := asyncio.Shield[string](ctx, i)
		w := testkit.Start(ctx, func(ctx context.Context) error {
			v, err := outer.Await(ctx)
			if err != nil {
				log("waiter got %s", testkit.ErrName(err))
				return err
			}
			log("waiter got %s", v)
			return nil
		})
		testkit.Suspend(ctx, 2)
		f.SetResult("value")
		testkit.Suspend(ctx, 1+late)
		log("inner: %s, outer: %s, cancel %s", testkit.StateOf(i), testkit.StateOf(outer), testkit.Flag(w.Cancel("late")))
		testkit.Suspend(ctx, 3)
		log("outer: %s, waiter: %s", testkit.StateOf(outer), testkit.StateOf(w))
	}
}

func oracleShieldInTimeout(ctx context.Context, log logFunc) {
	inner := func(ctx context.Context) (string, error) {
		if err := testkit.Suspend(ctx, 5); err != nil {
			return "", err
		}
		log("inner ends")
		return "value", nil
	}
	t := asyncio.CreateTask(ctx, inner)
	err := asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
		_, err := asyncio.Shield[string](ctx, t).Await(ctx)
		return err
	})
	log("%s, inner: %s, cancelling %d", testkit.ErrName(err), testkit.StateOf(t), t.Cancelling())
	v, _ := t.Await(ctx)
	log("%s", v)
	t = asyncio.CreateTask(ctx, inner)
	err = asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
		_, err := t.Await(ctx)
		return err
	})
	log("%s, inner: %s, cancelling %d", testkit.ErrName(err), testkit.StateOf(t), t.Cancelling())
}

func oracleShieldFailsLate(ctx context.Context, log logFunc) {
	t := testkit.Start(ctx, func(ctx context.Context) error {
		testkit.Suspend(ctx, 4)
		log("inner fails")
		return testkit.ErrBoom
	})
	w := testkit.Start(ctx, func(ctx context.Context) error {
		_, err := asyncio.Shield[asyncio.None](ctx, t).Await(ctx)
		return err
	})
	testkit.Suspend(ctx, 2)
	w.Cancel()
	testkit.Suspend(ctx, 6)
	log("end")
	log("inner: %s, waiter: %s", testkit.StateOf(t), testkit.StateOf(w))
}

func oracleShieldCancel(ctx context.Context, log logFunc) {
	inner := func(who string) *asyncio.Task[string] {
		return asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			if err := testkit.Suspend(ctx, 4); err != nil {
				log("%s got %s", who, testkit.ErrName(err))
				return "", err
			}
			log("%s ends", who)
			return who, nil
		})
	}
	waiter := func(who string, inner *asyncio.Task[string]) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			v, err := asyncio.Shield[string](ctx, inner).Await(ctx)
			if err != nil {
				log("waiter of %s got %s, %s: %s", who, testkit.ErrName(err), who, testkit.StateOf(inner))
				return err
			}
			log("waiter got %s", v)
			return nil
		})
	}
	kept, hit := inner("kept"), inner("hit")
	waitsKept, waitsHit := waiter("kept", kept), waiter("hit", hit)
	testkit.Suspend(ctx, 2)
	log("cancel waiter of kept: %s", testkit.Flag(waitsKept.Cancel("outer")))
	log("cancel hit: %s", testkit.Flag(hit.Cancel("inner")))
	testkit.Suspend(ctx, 3)
	log("waiters: %s %s", testkit.StateOf(waitsKept), testkit.StateOf(waitsHit))
	testkit.Suspend(ctx, 2)
	log("inner: %s %s", testkit.StateOf(kept), testkit.StateOf(hit))
}

func oracleWaitForRace(ctx context.Context, log logFunc) {
	outer := func(aw asyncio.Awaitable[string]) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			v, err := asyncio.WaitFor(ctx, aw, time.Minute)
			if err != nil {
				log("wait_for ended with %s", testkit.ErrName(err))
				return err
			}
			log("wait_for gave %s", v)
			return nil
		})
	}
	f := asyncio.NewFuture[string](testkit.LoopOf(ctx))
	i := asyncio.CreateTask(ctx, asyncio.Coro[string](f.Await))
	o := outer(i)
	testkit.Suspend(ctx, 2)
	f.SetResult("done")
	testkit.Suspend(ctx, 1)
	log("inner: %s, outer: %s", testkit.StateOf(i), testkit.StateOf(o))
	o.Cancel("late")
	testkit.Suspend(ctx, 2)
	log("inner: %s, outer: %s", testkit.StateOf(i), testkit.StateOf(o))

	f = asyncio.NewFuture[string](testkit.LoopOf(ctx))
	o = outer(f)
	testkit.Suspend(ctx, 1)
	o.Cancel("outer")
	log("future: %s, outer: %s", testkit.StateOf(f), testkit.StateOf(o))
	testkit.Suspend(ctx, 1)
	log("outer: %s, cancelling %d", testkit.StateOf(o), o.Cancelling())
}

func oracleWaitForZero(ctx context.Context, log logFunc) {
	body := func(who string, cleanup int) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			log("%s starts", who)
			err := testkit.Suspend(ctx, 100)
			log("%s interrupted", who)
			testkit.Suspend(ctx, cleanup)
			if who == "keeps" {
				return "kept", nil
			}
			log("%s ends", who)
			return "", err
		}
	}
	attempt := func(aw asyncio.Awaitable[string], timeout time.Duration) {
		if v, err := asyncio.WaitFor(ctx, aw, timeout); err != nil {
			log("error %s", testkit.ErrName(err))
		} else {
			log("value %s", v)
		}
	}
	done := asyncio.NewFuture[string](testkit.LoopOf(ctx))
	done.SetResult("ready")
	attempt(done, 0)
	attempt(done, -1)
	attempt(body("never", 0), 0)
	attempt(body("never", 0), -1)
	for _, who := range []string{"slow", "keeps"} {
		t := asyncio.CreateTask(ctx, body(who, 3))
		testkit.Suspend(ctx, 1)
		attempt(t, 0)
		log("%s: %s", who, testkit.StateOf(t))
	}
	f := asyncio.NewFuture[string](testkit.LoopOf(ctx))
	attempt(f, 0)
	log("future: %s, cancelling %d", testkit.StateOf(f), asyncio.CurrentTask(ctx).Cancelling())
}
