package asyncio

// Condition. A task that waits lets go of the lock, and has it again whatever way Wait
// ends. A wake that it got and cannot use, because it was cancelled, goes on to the next:
// so one may wake without cause, but none sleeps for want of a wake.

import "context"

// Condition lets tasks that hold a lock wait until another one that holds it says that
// something has changed: asyncio.Condition. It has the methods of its lock. Make it with
// NewCondition. It is for tasks of one loop.
type Condition struct {
	*Lock
	binding loopBinding
	line    waitQueue
}

// NewCondition makes a condition of lock l, or of a lock of its own if l is nil:
// asyncio.Condition(lock).
func NewCondition(l *Lock) *Condition {
	if l == nil {
		l = NewLock()
	}
	return &Condition{Lock: l}
}

// Wait lets go of the lock, waits for Notify, and takes the lock again: Condition.wait.
// It may return without cause, so that the caller has to look again whether what it waits
// for is there; WaitFor does so. The caller has the lock also after an error: that of a
// cancellation, ErrNotCurrentTask outside a task, or ErrWrongLoop if tasks of another
// loop have waited for the condition. Wait panics with ErrNotLocked if the lock is free.
// Suspends. Cancelled: no notification is lost. A cancellation that comes while Wait
// takes the lock again is returned then.
func (c *Condition) Wait(ctx context.Context) error {
	a, err := enterTask(ctx, "Condition.Wait")
	if err != nil {
		return err
	}
	c.mustBeLocked("Wait")
	if err := c.binding.bind(a.task.loop, "Condition"); err != nil {
		return err
	}
	if err := c.Lock.bind(a.task.loop, "Lock"); err != nil {
		return err
	}
	c.Release()
	_, err = c.line.wait(a)
	if e := c.reacquire(a); e != nil {
		err = e
	}
	if err != nil {
		c.line.wakeNext()
	}
	return err
}

// reacquire takes the lock, however often the task is cancelled meanwhile, and returns
// the last cancellation. The end of a derived context has been returned by the wait
// before, or will be by the next.
func (c *Condition) reacquire(a awaiter) (interruption error) {
	a.foreign = nil
	for !c.take() {
		err := c.acquire(a)
		if err == nil {
			break
		}
		interruption = err
		if a.task.loop.IsClosed() {
			break // without the lock; its Release knows
		}
	}
	return interruption
}

// WaitFor waits until pred is true: Condition.wait_for. It calls pred with the lock held,
// first at once and then after every Wait, whose errors and panic it has.
// Suspends. Cancelled: as for Wait.
func (c *Condition) WaitFor(ctx context.Context, pred func() bool) error {
	if _, err := enterTask(ctx, "Condition.WaitFor"); err != nil {
		return err
	}
	for !pred() {
		if err := c.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Notify wakes the first n tasks that wait: Condition.notify. They go on one after the
// other as they get the lock. It panics with ErrNotLocked if the lock is free.
func (c *Condition) Notify(n int) {
	c.mustBeLocked("Notify")
	for range n {
		if !c.line.wakeNext() {
			return
		}
	}
}

// NotifyAll wakes all tasks that wait: Condition.notify_all. It panics with ErrNotLocked
// if the lock is free.
func (c *Condition) NotifyAll() {
	c.mustBeLocked("NotifyAll")
	c.line.wakeAll()
}

func (c *Condition) mustBeLocked(method string) {
	if !c.locked {
		panic(misuse(ErrNotLocked, "Condition.%s needs the lock; acquire it first", method))
	}
}
