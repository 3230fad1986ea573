//go:build cgo

package uv

// Timers. They live in Go, in one heap a loop, so that starting and stopping one never
// crosses into C.

import (
	"time"

	"github.com/seed-a026a017/asyncio/internal/timerheap"
)

type timerQueue struct {
	heap timerheap.Heap[*timerNode]
}

type timerNode struct {
	timerheap.Timer
	t *Timer
}

// Timer calls a function after a time, once or repeatedly; uv_timer_t. Times are whole
// milliseconds, rounded up. A timer is never early.
type Timer struct {
	local
	node   timerNode
	repeat time.Duration
	f      func()
}

// NewTimer makes a timer; uv_timer_init. The error is ErrClosed.
func (l *Loop) NewTimer() (*Timer, error) {
	t := new(Timer)
	t.node.t = t
	if err := l.addLocal(&t.local, t, TimerHandle); err != nil {
		return nil, err
	}
	return t, nil
}

// Start calls f after timeout, and then every repeat if that is not 0; uv_timer_start. A
// timer that runs begins anew. A timeout of 0 or less calls f in the next turn. The error
// is ErrClosed, or EINVAL without f.
func (t *Timer) Start(timeout, repeat time.Duration, f func()) error {
	if err := t.check("Timer.Start"); err != nil {
		return err
	}
	if f == nil || repeat < 0 {
		return t.fail("timer_start", int(EINVAL))
	}
	t.f, t.repeat = f, wholeMilliseconds(repeat)
	t.arm(wholeMilliseconds(max(timeout, 0)))
	return nil
}

func (t *Timer) arm(d time.Duration) {
	t.loop.timers.heap.Arm(&t.node, int64(t.loop.after(d)))
	t.setActive(true)
}

// wholeMilliseconds rounds up; what is too long to round stays.
func wholeMilliseconds(d time.Duration) time.Duration {
	if r := d % time.Millisecond; r != 0 && d < Forever-time.Millisecond {
		d += time.Millisecond - r
	}
	return d
}

// Stop stops the timer: f is not called any more; uv_timer_stop. The error is ErrClosed.
func (t *Timer) Stop() error {
	if err := t.check("Timer.Stop"); err != nil {
		return err
	}
	t.disarm()
	return nil
}

func (t *Timer) disarm() {
	if t.active {
		t.loop.timers.heap.Disarm(&t.node)
		t.setActive(false)
	}
}

// Again restarts a repeating timer with its repeat as timeout, and leaves one that does
// not repeat as it is; uv_timer_again, as libuv does it, whatever it says of it. The
// error is ErrClosed, or EINVAL if the timer was never started.
func (t *Timer) Again() error {
	if err := t.check("Timer.Again"); err != nil {
		return err
	}
	if t.f == nil {
		return t.fail("timer_again", int(EINVAL))
	}
	if t.repeat > 0 {
		t.arm(t.repeat)
	}
	return nil
}

// SetRepeat sets the time between calls from the one after the next on; 0 ends
// repetition; uv_timer_set_repeat.
func (t *Timer) SetRepeat(d time.Duration) {
	t.loop.use("Timer.SetRepeat")
	t.repeat = wholeMilliseconds(max(d, 0))
}

// Repeat is the time between calls; uv_timer_get_repeat.
func (t *Timer) Repeat() time.Duration { return t.repeat }

// DueIn is the time until f is called, 0 if that is over or the timer is stopped;
// uv_timer_get_due_in.
func (t *Timer) DueIn() time.Duration {
	t.loop.use("Timer.DueIn")
	if !t.active {
		return 0
	}
	return max(0, time.Duration(t.node.When())-t.loop.Clock())
}

// Close stops the timer and closes it.
func (t *Timer) Close() { t.CloseWith(nil) }

// CloseWith is Close with a callback.
func (t *Timer) CloseWith(closed func()) {
	if t.check("Timer.Close") != nil {
		return
	}
	t.disarm()
	t.f = nil
	t.close(closed)
}

// runTimers calls the timers that are due at this moment. A repeating one is armed again,
// from now, before its call, as libuv does; however late the loop is, it is called once.
func (l *Loop) runTimers() {
	now := l.Clock()
	for {
		n, ok := l.timers.heap.PopDue(int64(now))
		if !ok {
			return
		}
		t := n.t
		if t.repeat > 0 {
			l.timers.heap.Arm(n, int64(later(now, t.repeat)))
		} else {
			t.setActive(false)
		}
		l.calls++
		t.f()
	}
}
