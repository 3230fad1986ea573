// Twins of the oracle's programs about wait_for and shield.
package asyncio_test

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/seed-a026a017/asyncio"
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
			return "value", suspend(ctx, n)
		}
	}
	asyncio.CurrentTask(ctx).SetName("main")
	for _, limit := range []time.Duration{asyncio.Forever, time.Minute} {
		for _, n := range []int{0, 2} {
			v, _ := asyncio.WaitFor(ctx, body(n), limit)
			log("%s, %d tasks", v, len(asyncio.AllTasks(loopOf(ctx))))
		}
		if _, err := asyncio.WaitFor(ctx, asyncio.Do(failsAfter(1, "boom")), limit); err != nil {
			log("error %s", errName(err))
		}
	}
	f := asyncio.NewFuture[string](loopOf(ctx))
	f.SetResult("ready")
	v, _ := asyncio.WaitFor(ctx, f, time.Minute)
	log("%s", v)
}

func oracleWaitForKeeps(ctx context.Context, log logFunc) {
	body := func(who string) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			err := asyncio.Sleep(ctx, time.Minute)
			if errors.Is(err, asyncio.ErrCancelled) {
				log("%s got %s", who, errName(err))
				switch {
				case strings.HasPrefix(who, "keeps"):
					return "kept", nil
				case strings.HasPrefix(who, "fails"):
					return "", errors.New("instead")
				}
				suspend(ctx, 5)
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
				log("task: %s, cancelling %d", stateOf(t), t.Cancelling())
			}
			log("cancelling %d", asyncio.CurrentTask(ctx).Cancelling())
		}
	}
}

func oracleWaitForCancelled(ctx context.Context, log logFunc) {
	body := func(who string) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			err := suspend(ctx, 100)
			if errors.Is(err, asyncio.ErrCancelled) {
				log("%s got %s", who, errName(err))
				suspend(ctx, 1)
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
			t.AddDoneCallback(func(t *asyncio.Task[string]) { log("outer: %s", stateOf(t)) })
			suspend(ctx, 3)
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
	failed, gone := asyncio.NewFuture[string](loopOf(ctx)), asyncio.NewFuture[string](loopOf(ctx))
	failed.SetException(errBoom)
	gone.Cancel("gone")
	attempt(ctx, failed)
	attempt(ctx, gone)
	inner := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		err := suspend(ctx, 100)
		log("body cleans up")
		if again := suspend(ctx, 3); again != nil {
			log("again %s", errName(again))
			return "", again
		}
		log("body ends")
		return "", err
	})
	suspend(ctx, 1)
	outer := start(ctx, func(ctx context.Context) error {
		attempt(ctx, inner)
		return nil
	})
	suspend(ctx, 2)
	log("cancel %s, inner cancelling %d", flag(outer.Cancel("outside")), inner.Cancelling())
	suspend(ctx, 5)
	log("outer: %s, inner: %s, cancelling %d", stateOf(outer), stateOf(inner), outer.Cancelling())
}

func oracleWaitForNested(ctx context.Context, log logFunc) {
	sleeps := asyncio.Do(func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Minute) })
	const soon = 5 * time.Millisecond
	for _, limits := range [][2]time.Duration{{time.Minute, soon}, {soon, time.Minute}} {
		_, err := asyncio.WaitFor(ctx, asyncio.Do(func(ctx context.Context) error {
			_, err := asyncio.WaitFor(ctx, sleeps, limits[1])
			log("inner %s", errName(err))
			return err
		}), limits[0])
		if errors.Is(err, asyncio.ErrTimeout) {
			log("outer %s, cancelling %d", errName(err), asyncio.CurrentTask(ctx).Cancelling())
		}
	}
	if suspend(ctx, 1) == nil {
		log("next await works")
	}
}

func oracleShieldShared(ctx context.Context, log logFunc) {
	t := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		suspend(ctx, 3)
		log("inner ends")
		return "value", nil
	})
	waiter := func(who string) *asyncio.Task[asyncio.None] {
		return start(ctx, func(ctx context.Context) error {
			v, err := asyncio.Shield[string](ctx, t).Await(ctx)
			if err != nil {
				log("%s got %s", who, errName(err))
				return err
			}
			log("%s got %s", who, v)
			return nil
		})
	}
	a, b := waiter("a"), waiter("b")
	suspend(ctx, 2)
	a.Cancel("a only")
	asyncio.Wait(ctx, []asyncio.AnyFuture{a, b})
	log("inner: %s, cancelling %d, a: %s, b: %s", stateOf(t), t.Cancelling(), stateOf(a), stateOf(b))
}

func oracleShieldDone(ctx context.Context, log logFunc) {
	value, gone := asyncio.NewFuture[string](loopOf(ctx)), asyncio.NewFuture[string](loopOf(ctx))
	task := asyncio.CreateTask(ctx, func(context.Context) (string, error) { return "", errBoom })
	value.SetResult("value")
	gone.Cancel("gone")
	suspend(ctx, 2)
	for _, f := range []asyncio.Awaitable[string]{value, gone, task} {
		outer := asyncio.Shield(ctx, f)
		log("outer: %s, cancel %s", stateOf(outer), flag(outer.Cancel()))
		log("%s", outcome(outer.Await(ctx)))
	}
}

func oracleShieldCoroutine(ctx context.Context, log logFunc) {
	tasks := func() int { return len(asyncio.AllTasks(loopOf(ctx))) }
	inner := asyncio.Do(func(ctx context.Context) error {
		log("inner starts")
		suspend(ctx, 3)
		log("inner ends")
		return nil
	})
	t := start(ctx, func(ctx context.Context) error {
		_, err := asyncio.Shield[asyncio.None](ctx, inner).Await(ctx)
		log("waiter ends")
		return err
	})
	suspend(ctx, 1)
	t.Cancel()
	log("%d tasks", tasks())
	suspend(ctx, 2)
	log("%d tasks, waiter: %s", tasks(), stateOf(t))
	suspend(ctx, 4)
	log("%d tasks", tasks())
}

func oracleShieldEndsThenCancel(ctx context.Context, log logFunc) {
	for _, late := range []int{0, 1} {
		f := asyncio.NewFuture[string](loopOf(ctx))
		i := asyncio.CreateTask(ctx, asyncio.Coro[string](f.Await))
		outer := asyncio.Shield[string](ctx, i)
		w := start(ctx, func(ctx context.Context) error {
			v, err := outer.Await(ctx)
			if err != nil {
				log("waiter got %s", errName(err))
				return err
			}
			log("waiter got %s", v)
			return nil
		})
		suspend(ctx, 2)
		f.SetResult("value")
		suspend(ctx, 1+late)
		log("inner: %s, outer: %s, cancel %s", stateOf(i), stateOf(outer), flag(w.Cancel("late")))
		suspend(ctx, 3)
		log("outer: %s, waiter: %s", stateOf(outer), stateOf(w))
	}
}

func oracleShieldInTimeout(ctx context.Context, log logFunc) {
	inner := func(ctx context.Context) (string, error) {
		if err := suspend(ctx, 5); err != nil {
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
	log("%s, inner: %s, cancelling %d", errName(err), stateOf(t), t.Cancelling())
	v, _ := t.Await(ctx)
	log("%s", v)
	t = asyncio.CreateTask(ctx, inner)
	err = asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
		_, err := t.Await(ctx)
		return err
	})
	log("%s, inner: %s, cancelling %d", errName(err), stateOf(t), t.Cancelling())
}

func oracleShieldFailsLate(ctx context.Context, log logFunc) {
	t := start(ctx, func(ctx context.Context) error {
		suspend(ctx, 4)
		log("inner fails")
		return errBoom
	})
	w := start(ctx, func(ctx context.Context) error {
		_, err := asyncio.Shield[asyncio.None](ctx, t).Await(ctx)
		return err
	})
	suspend(ctx, 2)
	w.Cancel()
	suspend(ctx, 6)
	log("end")
	log("inner: %s, waiter: %s", stateOf(t), stateOf(w))
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
