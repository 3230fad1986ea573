package asyncio

// Timeouts. When the time is over the body's task is cancelled once, by the timeout
// itself; at the end of the body that one request is taken back. The body's
// CancelledError becomes ErrTimeout only if no other request is left, so that of two
// nested timeouts, or of a timeout and a Cancel from outside, the outer one wins.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-a026a017/asyncio/internal/timerheap"
)

type timeoutState uint8

const (
	timeoutCreated timeoutState = iota
	timeoutEntered
	timeoutExpiring // the task was cancelled, the body has not ended
	timeoutExpired
	timeoutExited // the body ended in time
)

func (s timeoutState) String() string {
	return [...]string{"not entered", "active", "expiring", "expired", "finished"}[s]
}

// TimeoutScope is asyncio.Timeout: one body with a deadline that can be moved. It is used
// once.
type TimeoutScope struct {
	scope    scope
	timer    *timeoutTimer
	delay    time.Duration // of NewTimeout; Forever: none, or when is absolute
	when     time.Duration // Forever: none
	requests int           // of the task at entry
	state    timeoutState
}

// Timeout runs body with a limit of d: async with asyncio.timeout(d). Body's context is
// done when the time is over. The error is body's, or ErrTimeout if body gave up because
// of the limit. A body that never suspends is not interrupted.
// Suspends when body does. Cancelled: body is.
func Timeout(ctx context.Context, d time.Duration, body func(ctx context.Context) error) error {
	return NewTimeout(d).Run(ctx, body)
}

// NewTimeout makes a scope that ends d after its body was entered. Forever is no limit.
func NewTimeout(d time.Duration) *TimeoutScope { return &TimeoutScope{delay: d, when: Forever} }

// NewTimeoutAt makes a scope that ends at a moment of Loop.Time's clock:
// asyncio.timeout_at. Forever is no limit.
func NewTimeoutAt(when time.Duration) *TimeoutScope { return &TimeoutScope{delay: Forever, when: when} }

// Run runs body, once, in the task of ctx: again, the error is ErrInvalidState, and
// outside a task ErrNotCurrentTask.
// Suspends when body does. Cancelled: body is.
func (s *TimeoutScope) Run(ctx context.Context, body func(ctx context.Context) error) error {
	if s.state != timeoutCreated {
		return fmt.Errorf("%w: the Timeout has already been entered; make one for each body", ErrInvalidState)
	}
	a, err := enter(ctx)
	if err != nil {
		return err
	}
	if a.task == nil {
		return fmt.Errorf("%w: a Timeout needs the context of a task", ErrNotCurrentTask)
	}
	s.requests = a.task.Cancelling()
	s.state = timeoutEntered
	if s.delay != Forever {
		s.when = time.Duration(a.task.loop.deadline(s.delay))
	}
	a.openScope(ctx, &s.scope)
	s.arm()
	ended := false
	defer func() {
		if !ended { // a panic or Goexit of the body
			_ = s.exit(nil)
		}
	}()
	err = body(&s.scope)
	ended = true
	return s.exit(err)
}

// arm sets the timer for when. A moment that is past expires in the next turn, whatever
// timers wait.
func (s *TimeoutScope) arm() {
	s.disarm()
	s.scope.limit.Store(int64(Forever - s.when))
	if s.when == Forever {
		return
	}
	l := s.scope.task.loop
	s.timer = &timeoutTimer{s: s}
	if s.when <= l.pro.Now() {
		l.ready.push(s.timer)
	} else {
		l.timers.Arm(s.timer, int64(s.when))
	}
}

// disarm takes the timer back, also if it is in the ready queue already.
func (s *TimeoutScope) disarm() {
	if t := s.timer; t != nil {
		s.scope.task.loop.timers.Disarm(t)
		t.s, s.timer = nil, nil
	}
}

// timeoutTimer expires a scope.
type timeoutTimer struct {
	timerheap.Timer
	s *TimeoutScope
}

func (t *timeoutTimer) run(*Loop) {
	if t.s != nil && t.s.state == timeoutEntered {
		t.s.expire()
	}
}

func (s *TimeoutScope) expire() {
	s.state = timeoutExpiring
	s.scope.interrupt(context.DeadlineExceeded, nil)
}

// exit ends the scope with the body's error and says what Run returns.
func (s *TimeoutScope) exit(err error) error {
	t := s.scope.task
	s.disarm()
	s.scope.close()
	if s.state != timeoutExpiring {
		s.state = timeoutExited
		return err
	}
	s.state = timeoutExpired
	if t.Uncancel() > s.requests || err == nil {
		return err
	}
	if c := asCancelled(err); c != nil {
		return &timeoutError{cause: c}
	}
	if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrTimeout) {
		return &timeoutError{cause: err} // foreign code gave up because the scope's context ended
	}
	return err
}

// Reschedule moves the deadline; Forever takes it away: Timeout.reschedule. The error is
// ErrInvalidState unless the body runs and the time is not over.
func (s *TimeoutScope) Reschedule(when time.Duration) error {
	if s.state != timeoutEntered {
		return fmt.Errorf("%w: cannot change the state of a Timeout that is %s", ErrInvalidState, s.state)
	}
	s.when = when
	s.arm()
	return nil
}

// When is the deadline on Loop.Time's clock: Timeout.when. It is Forever if there is
// none, and before the body was entered if NewTimeout made the scope.
func (s *TimeoutScope) When() time.Duration { return s.when }

// Expired reports whether the time was over before the body ended: Timeout.expired.
func (s *TimeoutScope) Expired() bool { return s.state == timeoutExpiring || s.state == timeoutExpired }
