package asyncio

// Timers: one heap a loop, deadlines in nanoseconds of the loop's clock. A timer that is
// due joins the ready queue in the order of its deadline; it never does so early. Of
// equal deadlines the one armed first is first.

import (
	"context"
	"time"

	"github.com/seed-a026a017/asyncio/internal/timerheap"
)

// timed is what the heap holds: something to run at a time.
type timed interface {
	timerheap.Item
	runnable
}

// timerCall is a callback of CallLater or CallAt, with its handle in one piece of memory.
type timerCall struct {
	timerheap.Timer
	handle TimerHandle
	fn     func() // nil: cancelled
	traced *tracedCallback
}

func (t *timerCall) run(*Loop) {
	if fn := t.fn; fn != nil {
		t.fn = nil
		fn()
	}
}

// TimerHandle is a callback that waits for its time: asyncio.TimerHandle.
type TimerHandle struct{ Handle }

// When is the time, of Loop.Time's clock, at which the callback runs: TimerHandle.when.
// It stays readable afterwards.
func (h *TimerHandle) When() time.Duration { return time.Duration(h.timer.When()) }

// CallLater runs fn once d has passed: loop.call_later. A d of 0 or less is the next
// turn, ordered by deadline among the timers. It never runs early. For panics and
// goroutines it is like CallSoon.
func (l *Loop) CallLater(d time.Duration, fn func(), opts ...CallOption) *TimerHandle {
	return l.callAt("CallLater", l.deadline(d), fn, opts)
}

// CallAt runs fn at a moment of Loop.Time's clock: loop.call_at. The rest is as for
// CallLater.
func (l *Loop) CallAt(when time.Duration, fn func(), opts ...CallOption) *TimerHandle {
	return l.callAt("CallAt", int64(when), fn, opts)
}

func (l *Loop) callAt(method string, when int64, fn func(), opts []CallOption) *TimerHandle {
	l.mustBeOpen(method)
	t := &timerCall{fn: fn}
	t.handle.loop, t.handle.timer = l, t
	t.traced, _ = l.newCallback(method, fn, opts).(*tracedCallback)
	l.timers.Arm(t, when)
	return &t.handle
}

// deadline is d from now, or the end of time if that is too far.
func (l *Loop) deadline(d time.Duration) int64 {
	when := int64(l.pro.Now()) + int64(d)
	if d > 0 && when < 0 {
		return int64(Forever)
	}
	return when
}

// readyTimers moves what is due at now to the ready queue.
func (l *Loop) readyTimers(now int64) {
	for {
		t, ok := l.timers.PopDue(now)
		if !ok {
			return
		}
		l.ready.push(t)
	}
}

// idleSleepersMax bounds the sleepers kept for later sleeps.
const idleSleepersMax = 1024

// sleeper wakes a task at a time. It is reused once nothing refers to it.
type sleeper struct {
	timerheap.Timer
	t    *task // nil: the sleep was cancelled
	next *sleeper
}

func (s *sleeper) run(l *Loop) {
	if t := s.t; t != nil {
		s.t = nil
		t.wake(nil)
	}
	l.freeSleeper(s)
}

// abort implements aborter.
func (s *sleeper) abort(t *task) bool {
	s.t = nil
	if t.loop.timers.Disarm(s) {
		t.loop.freeSleeper(s) // else it is due, and its run frees it
	}
	return true
}

func (l *Loop) newSleeper(t *task) *sleeper {
	s := l.sleepers
	if s == nil {
		return &sleeper{t: t}
	}
	l.sleepers = s.next
	l.idleSleepers--
	s.t, s.next = t, nil
	return s
}

func (l *Loop) freeSleeper(s *sleeper) {
	if l.idleSleepers < idleSleepersMax {
		s.next, l.sleepers = l.sleepers, s
		l.idleSleepers++
	}
}

// Sleep suspends the task for d: asyncio.sleep. A d of 0 or less yields once to the loop.
// In a goroutine that is no task it blocks that goroutine. Errors are those of a
// cancellation, and ErrNotCurrentTask for the context of another task.
// Suspends. Cancelled: nothing is lost, the timer is gone.
func Sleep(ctx context.Context, d time.Duration) error {
	a, err := enter(ctx)
	if err != nil {
		return err
	}
	if a.task == nil {
		return sleepGoroutine(ctx, d)
	}
	if d <= 0 {
		t := a.task // this is a.yield, without its frame
		t.requeue()
		return t.resumed(t.standIn() || t.co.yield(struct{}{}))
	}
	l := a.task.loop
	s := l.newSleeper(a.task)
	l.timers.Arm(s, l.deadline(d))
	return a.park(s)
}

func sleepGoroutine(ctx context.Context, d time.Duration) error {
	if err := mayBlock(); err != nil {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
