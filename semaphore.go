package asyncio

// Semaphore. A permit that is released goes to the first in line at once: it is no longer
// counted while its new owner has yet to run. So an owner that is cancelled in between
// gives it back.

import "context"

// Semaphore is a number of permits that tasks take and give back, first come first
// served: asyncio.Semaphore and BoundedSemaphore. It is for tasks of one loop.
type Semaphore struct {
	loopBinding
	line    waitQueue
	permits int
	bound   int // permits of a bounded semaphore; -1: not bounded
}

// NewSemaphore makes a semaphore with n permits: asyncio.Semaphore(n). It panics with
// ErrInvalidArgument if n is negative.
func NewSemaphore(n int) *Semaphore { return newSemaphore(n, -1) }

// NewBoundedSemaphore makes a semaphore with n permits that never has more:
// asyncio.BoundedSemaphore(n). It panics with ErrInvalidArgument if n is negative.
func NewBoundedSemaphore(n int) *Semaphore { return newSemaphore(n, n) }

func newSemaphore(n, bound int) *Semaphore {
	if n < 0 {
		panic(misuse(ErrInvalidArgument, "a Semaphore was made with %d permits; it needs 0 or more", n))
	}
	return &Semaphore{permits: n, bound: bound}
}

// Acquire takes a permit: Semaphore.acquire. If there is one and nobody stands in line,
// Acquire does not yield to the loop. The error is ErrNotCurrentTask outside a task, and
// ErrWrongLoop if tasks of another loop have waited for the semaphore.
// Suspends. Cancelled: no permit is taken.
func (s *Semaphore) Acquire(ctx context.Context) error {
	a, err := enterTask(ctx, "Semaphore.Acquire")
	if err != nil {
		return err
	}
	if !s.Locked() {
		s.permits--
		return nil
	}
	if err := s.bind(a.task.loop, "Semaphore"); err != nil {
		return err
	}
	woken, err := s.line.wait(a)
	if err != nil && woken {
		s.permits++
	}
	for s.permits > 0 && s.line.wakeNext() {
		s.permits--
	}
	return err
}

// Release gives a permit back, and to the first in line: Semaphore.release. A semaphore
// without a bound may get more than it began with; a bounded one panics with
// ErrNotLocked.
func (s *Semaphore) Release() {
	if s.bound >= 0 && s.permits >= s.bound {
		panic(misuse(ErrNotLocked, "Release of a BoundedSemaphore that has all its %d permits; it was released too many times", s.bound))
	}
	s.permits++
	if s.line.wakeNext() {
		s.permits--
	}
}

// Locked reports whether Acquire would wait, since there is no permit, or somebody stands
// in line: Semaphore.locked.
func (s *Semaphore) Locked() bool { return s.permits == 0 || s.line.live > 0 }

// With runs body while it holds a permit: async with semaphore. The error is Acquire's or
// body's.
// Suspends. Cancelled while it waits: body does not run.
func (s *Semaphore) With(ctx context.Context, body func() error) error {
	if err := s.Acquire(ctx); err != nil {
		return err
	}
	defer s.Release()
	return body()
}
