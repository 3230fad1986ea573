package asyncio

// Coroutines: stacks that the loop switches to and back. The mechanism is iter.Pull's,
// which switches goroutines without the scheduler: 87 ns for a resume and a suspend,
// where a hand-off through channels takes 326 ns. A coroutine whose task has ended is
// kept and runs the next task, which makes a spawn 90 ns instead of 220 to 370.
//
// Who resumes a coroutine waits for it to suspend or to end, so there is one thread of
// control, which is the loop's. It is resumed by the loop; for its task's first step by
// the creator, if the task is eager; or by the deputy, see there.
//
// The runtime's rules: a panic in a coroutine would surface in resume, so tasks recover
// theirs; a Goexit does surface there and unwinds the loop. Whether a goroutine is locked
// to its thread, to which one and how often, must be the same whenever a coroutine is
// made, suspends, is resumed or ends; else the runtime ends the process. So runs and
// tasks that differ are refused.

import (
	"fmt"
	"iter"
	"runtime"

	"github.com/seed-a026a017/asyncio/internal/goid"
)

// idleCoroutinesMax bounds the stacks kept for later tasks.
const idleCoroutinesMax = 1024

type coroutine struct {
	pool    *coroutinePool
	resume  func() (struct{}, bool) // runs the coroutine until it suspends or its task has ended
	yield   func(struct{}) bool     // suspends it; false when it was stopped
	stop    func()
	task    *task
	waiting aborter    // suspended: what to undo
	wakeErr error      // what park returns
	scopes  *scope     // the innermost context that Timeout or TaskGroup has open
	next    *coroutine // in the pool
	guest   *coroutine // of the task that runs on top of this one: see guest.go; nil: none was there yet
	host    *coroutine // a guest's: the coroutine on whose stack it is; nil: its own

	orphaned  int32 // Awaits of a closed loop that its task has ignored
	nested    bool  // its task is eager, and in its first step: the creator has resumed it, and goes on next
	watching  bool  // a context that the caller derived may end its task's wait
	inspect   bool  // it is to look at its own frames, and then to give control back
	frames    *traceback
	goroutine uintptr // whose stack this is
}

// stack resumes the suspended coroutine just long enough to look at its own frames.
func (c *coroutine) stack() *traceback {
	c.inspect = true
	c.resume()
	c.inspect = false
	frames := c.frames
	c.frames = nil
	return frames
}

// main is what the coroutine runs: one task after another. Its frame lies below all
// others on a stack of 2 KiB, so it is a small one.
func (c *coroutine) main() iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		c.begin(yield)
		returned := false
		defer func() { c.end(returned) }()
		for again := true; again; again = c.takeNext() || c.pool.put(c) && yield(struct{}{}) {
			c.task.execute()
		}
		returned = true
	}
}

func (c *coroutine) begin(yield func(struct{}) bool) {
	c.yield, c.goroutine = yield, goid.Self()
	goroutineLoops.Store(c.goroutine, c.task.loop)
}

// end is deferred: a Goexit, or a panic that is not the task's, goes on in whoever has
// resumed c.
func (c *coroutine) end(returned bool) {
	c.pool.live--
	goroutineLoops.Delete(c.goroutine)
	if !returned {
		c.task.loop.unwindLoop(c)
	}
}

// takeNext gives c, whose task has ended, the next one, if that is to begin now.
func (c *coroutine) takeNext() bool {
	l := c.task.loop
	if l.labels {
		unlabel()
	}
	c.task = l.takeNewTask(c)
	return c.task != nil
}

// takeNewTask is the next entry of the turn's batch, if that is a task's first step: then
// the coroutine that calls it, whose own task has ended, runs the new task without a
// switch to the loop and back.
func (l *Loop) takeNewTask(c *coroutine) *task {
	if l.batch == 0 || l.debug || c.nested {
		return nil
	}
	t, ok := l.ready.peek().(*task)
	if !ok || t.co != nil || t.interrupted != nil {
		return nil
	}
	t.co = c
	l.startStep(t)
	return t
}

// startStep takes t, which is the next entry, out of the turn's batch, and makes it the
// task that runs.
func (l *Loop) startStep(t *task) {
	l.ready.pop()
	l.batch--
	t.takeControl()
}

type coroutinePool struct {
	free  *coroutine
	count int     // of free ones
	live  int     // free ones, those that run a task, and sides
	lock  uintptr // the thread that the goroutine was locked to in which they were made; 0: none
	shut  bool
	sides map[*sideCoroutine]struct{}
}

// get gives t a coroutine.
func (p *coroutinePool) get(t *task) *coroutine {
	c := p.free
	if c == nil {
		if p.live == 0 {
			p.lock = goid.ThreadLock()
		}
		p.live++
		c = &coroutine{pool: p, task: t}
		c.resume, c.stop = iter.Pull(c.main())
		return c
	}
	p.free, c.next = c.next, nil
	p.count--
	c.task = t
	return c
}

// put keeps c for later; false if there are enough.
func (p *coroutinePool) put(c *coroutine) bool {
	if p.shut || p.count >= idleCoroutinesMax {
		return false
	}
	c.next, p.free = p.free, c
	p.count++
	return true
}

// switchable is nil if the calling goroutine may resume the coroutines.
func (p *coroutinePool) switchable() error {
	if p.live == 0 || goid.ThreadLock() == p.lock {
		return nil
	}
	if p.lock == 0 {
		return fmt.Errorf("%w: tasks of the loop have begun in a goroutine that was not locked to a thread, as this one is; "+
			"run the loop in another, or make it with WithLockedThread", ErrWrongLoop)
	}
	return fmt.Errorf("%w: tasks of the loop have begun in a goroutine that was locked to a thread; run and close the loop there, "+
		"locked as it was then", ErrWrongLoop)
}

// restoreLock makes good for a task that ends with its goroutine locked to a thread, or
// unlocked, unlike it began.
func (p *coroutinePool) restoreLock() {
	if p.lock != 0 {
		runtime.LockOSThread()
		return
	}
	for goid.ThreadLock() != 0 {
		runtime.UnlockOSThread()
	}
}

// close ends the idle coroutines and the sides, and keeps no more.
func (p *coroutinePool) close() {
	p.shut = true
	for c := range p.sides {
		c.end()
	}
	for p.free != nil {
		c := p.free
		p.free, c.next = c.next, nil
		c.stop()
	}
	p.count = 0
}
