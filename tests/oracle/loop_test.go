// Twins of the oracle's programs about the loop itself: turns, runs, timers, calls from
// other threads.
package oracle_test

import (
	"context"
	"errors"
	"time"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

var oracleLoopPrograms = twins{
	"threadsafe_cancel":    oracleThreadsafeCancel,
	"threadsafe_coroutine": oracleThreadsafeCoroutine,
	"threadsafe_order":     oracleThreadsafeOrder,
	"timer_cancels":        oracleTimerCancels,
	"timers_order":         oracleTimersOrder,
	"timers_sleep":         oracleTimersSleep,
	"to_thread":            oracleToThread,
}

// oracleLoopRuns are the twins of programs that run the loop themselves.
var oracleLoopRuns = map[string]func(l *asyncio.Loop, log logFunc){
	"call_soon_batch":    oracleCallSoonBatch,
	"loop_stop":          oracleLoopStop,
	"other_loop":         oracleOtherLoop,
	"run_leaves_tasks":   oracleRunLeavesTasks,
	"run_until_complete": oracleRunUntilComplete,
	"runner_leftovers":   oracleRunnerLeftovers,
}

func oracleCallSoonBatch(l *asyncio.Loop, log logFunc) {
	soon := func(event string) *asyncio.Handle { return l.CallSoon(func() { log("%s", event) }) }
	var third *asyncio.Handle
	l.CallSoon(func() {
		log("first")
		soon("added")
		third.Cancel()
		late := soon("not reached")
		late.Cancel()
		log("cancelled %s", testkit.Flag(late.Cancelled()))
	})
	soon("second")
	third = soon("not reached")
	l.CallSoon(func() {
		log("stop")
		l.CallSoon(l.Stop)
	})
	soon("last")
	l.RunForever()
	log("running %s", testkit.Flag(l.IsRunning()))
}

func oracleLoopStop(l *asyncio.Loop, log logFunc) {
	soon := func(event string) { l.CallSoon(func() { log("%s", event) }) }
	l.Stop()
	soon("one turn")
	l.CallSoon(func() { soon("second turn") })
	l.RunForever()
	log("first run has ended")
	l.CallSoon(func() {
		soon("after stop, next run")
		l.Stop()
		log("stopped")
		soon("later still")
	})
	soon("same turn as the stop")
	l.RunForever()
	log("second run has ended")
	l.Stop()
	l.RunForever()
	log("third run has ended")
}

func oracleRunUntilComplete(l *asyncio.Loop, log logFunc) {
	try := func(aw asyncio.Awaitable[string]) {
		if v, err := asyncio.RunUntilComplete(l, aw); errors.Is(err, asyncio.ErrLoopStopped) {
			log("stopped before")
		} else {
			log("%s", outcome(v, err))
		}
	}
	t := asyncio.CreateTask(l.Context(), func(ctx context.Context) (string, error) {
		testkit.Suspend(ctx, 1)
		l.Stop()
		return "value", testkit.Suspend(ctx, 2)
	})
	try(t)
	log("task: %s", testkit.StateOf(t))
	try(t)
	try(t)
	try(asyncio.Coro[string](func(context.Context) (string, error) { return "", testkit.ErrBoom }))
	f := asyncio.NewFuture[string](l)
	f.SetResult("ready")
	l.CallSoon(func() { log("callback") })
	try(f)
	f = asyncio.NewFuture[string](l)
	l.CallSoon(func() { f.Cancel("gone") })
	try(f)
	try(asyncio.Coro[string](func(context.Context) (string, error) {
		log("body")
		return "body", nil
	}))
}

func oracleRunLeavesTasks(l *asyncio.Loop, log logFunc) {
	body := func(n int) asyncio.Coro[asyncio.None] {
		return asyncio.Do(func(ctx context.Context) error {
			testkit.Suspend(ctx, n)
			log("body ends")
			return nil
		})
	}
	t := asyncio.CreateTask(l.Context(), func(ctx context.Context) (string, error) {
		for i := range 4 {
			log("background %d", i)
			testkit.Suspend(ctx, 1)
		}
		return "done", nil
	})
	asyncio.RunUntilComplete(l, body(1))
	log("background: %s", testkit.StateOf(t))
	asyncio.RunUntilComplete(l, body(0))
	log("background: %s", testkit.StateOf(t))
	v, _ := asyncio.RunUntilComplete(l, t)
	log("%s", v)
}

func oracleRunnerLeftovers(l *asyncio.Loop, log logFunc) {
	left := func(who string) func(context.Context) error {
		return func(ctx context.Context) error {
			log("%s starts", who)
			if err := testkit.Suspend(ctx, 100); errors.Is(err, asyncio.ErrCancelled) {
				log("%s cancelled", who)
				testkit.Suspend(ctx, 3)
				switch who {
				case "fails":
					return errors.New("clean-up")
				case "gives up":
					return err
				}
			}
			log("%s ends", who)
			return nil
		}
	}
	for _, who := range []string{"gives up", "fails", "keeps", "barely ran", "main fails"} {
		runner := asyncio.NewRunner(asyncio.WithDriver(l.Driver()))
		own, err := runner.Loop()
		if err != nil {
			panic(err)
		}
		own.SetExceptionHandler(func(_ *asyncio.Loop, c asyncio.ErrorContext) { log("handler: %s", testkit.ErrName(c.Exception)) })
		log("%s", outcome(asyncio.RunIn(runner, func(ctx context.Context) (string, error) {
			t := testkit.Start(ctx, left(who))
			if who != "barely ran" {
				testkit.Suspend(ctx, 1)
			}
			log("main ends")
			if who == "main fails" {
				return "", testkit.ErrBoom
			}
			return testkit.StateOf(t), nil
		})))
		runner.Close()
		log("closed")
	}
}

func oracleOtherLoop(l *asyncio.Loop, log logFunc) {
	lock, semaphore, event := asyncio.NewLock(), asyncio.NewSemaphore(0), asyncio.NewEvent()
	try := func(who string, wait func(context.Context) error) asyncio.Coro[asyncio.None] {
		return asyncio.Do(func(ctx context.Context) error {
			switch err := wait(ctx); {
			case errors.Is(err, asyncio.ErrWrongLoop):
				log("%s: refused", who)
			case errors.Is(err, asyncio.ErrCancelled):
				log("%s: cancelled", who)
			default:
				log("%s: done", who)
			}
			return nil
		})
	}
	other, err := asyncio.NewEventLoop(asyncio.WithDriver(l.Driver()))
	if err != nil {
		panic(err)
	}
	defer other.Close()
	asyncio.RunUntilComplete(other, asyncio.Do(func(ctx context.Context) error {
		log("not waited for: %s", testkit.Flag(lock.Acquire(ctx) == nil))
		waiters := []*asyncio.Task[asyncio.None]{
			asyncio.CreateTask(ctx, try("lock", lock.Acquire)),
			asyncio.CreateTask(ctx, try("semaphore", semaphore.Acquire)),
			asyncio.CreateTask(ctx, try("event", event.Wait)),
		}
		testkit.Suspend(ctx, 1)
		for _, t := range waiters {
			t.Cancel()
		}
		waitAll(ctx, waiters...)
		return nil
	}))
	f := asyncio.NewFuture[string](other)
	await := func(ctx context.Context) error { _, err := f.Await(ctx); return err }
	asyncio.RunUntilComplete(l, try("future", await))
	f.SetResult("value")
	asyncio.RunUntilComplete(l, try("done future", await))
	asyncio.RunUntilComplete(l, try("lock", lock.Acquire))
	lock.Release()
	asyncio.RunUntilComplete(l, try("free lock", lock.Acquire))
	asyncio.RunUntilComplete(l, try("semaphore", semaphore.Acquire))
	asyncio.RunUntilComplete(l, try("event", event.Wait))
	event.Set()
	asyncio.RunUntilComplete(l, try("set event", event.Wait))
}

func oracleThreadsafeOrder(ctx context.Context, log logFunc) {
	l := testkit.LoopOf(ctx)
	l.CallSoon(func() { log("first") })
	l.CallSoonThreadsafe(func() { log("threadsafe") })
	l.CallSoon(func() { log("last") })
	log("called")
	testkit.Suspend(ctx, 2)
}

func oracleThreadsafeCoroutine(ctx context.Context, log logFunc) {
	l := testkit.LoopOf(ctx)
	body := func(who string) asyncio.Coro[string] {
		return func(ctx context.Context) (string, error) {
			if err := testkit.Suspend(ctx, 2); err != nil {
				log("%s interrupted", who)
				return "", err
			}
			switch who {
			case "fails":
				return "", testkit.ErrBoom
			case "cancels itself":
				asyncio.CurrentTask(ctx).Cancel()
				return "", testkit.Suspend(ctx, 1)
			}
			return who, nil
		}
	}
	for _, who := range []string{"ends", "fails", "cancels itself"} {
		log("%s", outcome(asyncio.WrapFuture(ctx, asyncio.RunCoroutineThreadsafe(l, body(who))).Await(ctx)))
	}
	f := asyncio.RunCoroutineThreadsafe(l, body("cancelled"))
	testkit.Suspend(ctx, 3)
	log("cancel %s, done %s, cancelled %s", testkit.Flag(f.Cancel()), testkit.Flag(isClosed(f.Done())), testkit.Flag(f.Cancelled()))
	testkit.Suspend(ctx, 3)
	f = asyncio.RunCoroutineThreadsafe(l, body("wrapped"))
	w := asyncio.WrapFuture(ctx, f)
	testkit.Suspend(ctx, 3)
	w.Cancel()
	testkit.Suspend(ctx, 5)
	log("cancelled %s", testkit.Flag(f.Cancelled()))
}

// isClosed reports whether a channel that nobody sends to is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func oracleThreadsafeCancel(ctx context.Context, log logFunc) {
	f := asyncio.RunCoroutineThreadsafe(testkit.LoopOf(ctx), asyncio.Do(func(ctx context.Context) error {
		log("body starts")
		return testkit.Suspend(ctx, 5)
	}))
	log("cancel %s", testkit.Flag(f.Cancel()))
	testkit.Suspend(ctx, 5)
	log("cancelled %s, cancel %s", testkit.Flag(f.Cancelled()), testkit.Flag(f.Cancel()))
}

func oracleTimersOrder(ctx context.Context, log logFunc) {
	l := testkit.LoopOf(ctx)
	now := l.Time()
	at := func(d time.Duration, event string) *asyncio.TimerHandle {
		return l.CallAt(now+d, func() { log("%s", event) })
	}
	done := asyncio.NewEvent()
	l.CallAt(now+30*time.Millisecond, done.Set)
	at(20*time.Millisecond, "in 20 ms")
	at(10*time.Millisecond, "in 10 ms")
	l.CallLater(-time.Second, func() { log("1 s ago") })
	l.CallLater(-2*time.Second, func() { log("2 s ago") })
	at(-1500*time.Millisecond, "1.5 s ago")
	cancelled := at(15*time.Millisecond, "not reached")
	l.CallAt(now, cancelled.Cancel)
	l.CallSoon(func() { log("soon") })
	log("armed")
	done.Wait(ctx)
	log("cancelled %s", testkit.Flag(cancelled.Cancelled()))
}

func oracleTimersSleep(ctx context.Context, log logFunc) {
	l := testkit.LoopOf(ctx)
	// All deadlines count from here, five times as long as in Python, so that a busy
	// machine does not change their order; one that is past is still a deadline, and no
	// yield.
	start := l.Time()
	sleeper := func(ms int) *asyncio.Task[asyncio.None] {
		return testkit.Start(ctx, func(ctx context.Context) error {
			left := start + time.Duration(5*ms)*time.Millisecond - l.Time()
			if ms > 0 {
				left = max(left, 1)
			}
			err := asyncio.Sleep(ctx, left)
			if err != nil {
				log("%d cancelled", ms)
			} else {
				log("%d slept enough", ms)
			}
			return err
		})
	}
	tasks := []*asyncio.Task[asyncio.None]{sleeper(120), sleeper(10), sleeper(60), sleeper(0), sleeper(60000)}
	waitAll(ctx, tasks[:4]...)
	tasks[4].Cancel()
	waitAll(ctx, tasks...)
	log("%s", statesOf(tasks...))
}

func oracleTimerCancels(ctx context.Context, log logFunc) {
	l := testkit.LoopOf(ctx)
	now := l.Time()
	f := asyncio.NewFuture[string](l)
	t := testkit.Start(ctx, func(ctx context.Context) error {
		v, err := f.Await(ctx)
		if err != nil {
			log("waiter %s", testkit.ErrName(err))
		} else {
			log("got %s", v)
		}
		return err
	})
	var second *asyncio.TimerHandle
	l.CallAt(now-3*time.Second, func() {
		log("first")
		second.Cancel()
	})
	second = l.CallAt(now-2*time.Second, func() { log("not reached") })
	l.CallAt(now-time.Second, func() { f.SetResult("value") })
	l.CallAt(now-time.Second/2, func() { log("cancel %s", testkit.Flag(t.Cancel("late"))) })
	waitAll(ctx, t)
	log("%s", testkit.StateOf(t))
}

func oracleToThread(ctx context.Context, log logFunc) {
	l := testkit.LoopOf(ctx)
	release := make(chan struct{})
	began, finished := asyncio.NewEvent(), asyncio.NewEvent()
	thread := func(fn func() (string, error)) (string, error) {
		return asyncio.ToThread(ctx, func(context.Context) (string, error) { return fn() })
	}
	log("%s", outcome(thread(func() (string, error) { return "value", nil })))
	log("%s", outcome(thread(func() (string, error) { return "", testkit.ErrBoom })))
	t := testkit.Start(ctx, func(ctx context.Context) error {
		_, err := asyncio.ToThread(ctx, func(context.Context) (asyncio.None, error) {
			l.CallSoonThreadsafe(began.Set)
			<-release
			l.CallSoonThreadsafe(finished.Set)
			return asyncio.None{}, nil
		})
		if errors.Is(err, asyncio.ErrCancelled) {
			log("waiter got %s", testkit.ErrName(err))
		}
		return err
	})
	began.Wait(ctx)
	t.Cancel("enough")
	waitAll(ctx, t)
	log("waiter: %s, work finished %s", testkit.StateOf(t), testkit.Flag(finished.IsSet()))
	close(release)
	finished.Wait(ctx)
	log("work finished")
}
