package asyncio

// Lock. Release leaves the lock free and wakes the first in line, who takes it when it
// runs: until then Locked is false, and yet nobody else gets it.

import "context"

// Lock is a mutual exclusion between tasks, first come first served: asyncio.Lock. It is
// not owned: any task may release it. It is for tasks of one loop; goroutines share data
// with sync.Mutex. The zero value is free.
type Lock struct {
	loopBinding
	line   waitQueue
	locked bool
}

// NewLock makes a lock that is free: asyncio.Lock().
func NewLock() *Lock { return &Lock{} }

// Acquire takes the lock: Lock.acquire. If it is free and nobody stands in line, Acquire
// does not yield to the loop. The error is ErrNotCurrentTask outside a task, and
// ErrWrongLoop if tasks of another loop have waited for the lock.
// Suspends. Cancelled: the lock is not taken.
func (l *Lock) Acquire(ctx context.Context) error {
	a, err := enterTask(ctx, "Lock.Acquire")
	if err != nil || l.take() {
		return err
	}
	return l.acquire(a)
}

// take takes the lock, if it is free and nobody stands in line.
func (l *Lock) take() bool {
	if l.locked || l.line.live > 0 {
		return false
	}
	l.locked = true
	return true
}

// acquire takes the lock when it is the task's turn.
func (l *Lock) acquire(a awaiter) error {
	if err := l.bind(a.task.loop, "Lock"); err != nil {
		return err
	}
	if _, err := l.line.wait(a); err != nil {
		if !l.locked {
			l.line.wakeHead() // the wake that this task got, or stood in the way of
		}
		return err
	}
	l.locked = true
	return nil
}

// Release frees the lock and wakes the first in line: Lock.release. It panics with
// ErrNotLocked if the lock is free.
func (l *Lock) Release() {
	if !l.locked {
		if l.loop != nil && l.loop.IsClosed() {
			return // by a task that the end of the loop has thrown out of Condition.Wait
		}
		panic(misuse(ErrNotLocked, "Release of a Lock that is free; every Release needs an Acquire that returned nil"))
	}
	l.locked = false
	l.line.wakeHead()
}

// Locked reports whether the lock is taken: Lock.locked. It is false while the lock
// passes from one task to the next.
func (l *Lock) Locked() bool { return l.locked }

// With runs body while it holds the lock: async with lock. The error is Acquire's or
// body's.
// Suspends. Cancelled while it waits: body does not run.
func (l *Lock) With(ctx context.Context, body func() error) error {
	if err := l.Acquire(ctx); err != nil {
		return err
	}
	defer l.Release()
	return body()
}
