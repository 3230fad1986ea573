package asyncio

// Coroutines: stacks that the loop switches to and back. The mechanism is iter.Pull's, which switches goroutines without
// the scheduler: 87 ns for a resume and a suspend, where a hand-off through channels takes 326 ns. A coroutine whose task
// has ended is kept and runs the next task, which makes a spawn 90 ns instead of 220 to 370.
//
// The runtime's rules: coroutines are made and resumed only on the goroutine that runs the loop; a panic in one would
// surface in resume, so tasks recover theirs; a Goexit does surface there and unwinds the loop. Whether a goroutine is
// locked to its thread, to which one and how often, must be the same whenever a coroutine is made, suspends, is resumed or
// ends; else the runtime ends the process. So runs and tasks that differ are refused.

import (
	"fmt"
	"iter"
	"runtime"
)

// idleCoroutinesMax bounds the stacks kept for later tasks.
const idleCoroutinesMax = 1024

type coroutine struct {
	pool   *coroutinePool
	resume func() (struct{}, bool) // runs the coroutine until it suspends or its task has ended
	yield  func(struct{}) bool     // suspends it; false when it was stopped
	stop   func()
	task   *task
	next   *coroutine // in the pool

	nested    bool // resumed by the creator of its task, not by the loop
	inspect   bool // resumed only to look at its frames
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

// main runs one task after another.
func (c *coroutine) main(yield func(struct{}) bool) {
	c.yield, c.goroutine = yield, goroutineSelf()
	goroutineLoops.Store(c.goroutine, c.task.loop)
	defer goroutineLoops.Delete(c.goroutine)
	defer func() { c.pool.live-- }()
	for {
		t := c.task
		if t.loop.labels {
			t.label()
		}
		t.execute()
		if t.loop.labels {
			unlabel()
		}
		if c.task = t.loop.takeNewTask(c); c.task != nil {
			continue
		}
		if !c.pool.put(c) || !yield(struct{}{}) {
			return
		}
	}
}

// takeNewTask is the next entry of the turn's batch, if that is a task's first step: then the coroutine that calls it, whose
// own task has ended, runs the new task without a switch to the loop and back.
func (l *Loop) takeNewTask(c *coroutine) *task {
	if l.batch == 0 || l.debug || c.nested {
		return nil
	}
	t, ok := l.ready.peek().(*task)
	if !ok || t.co != nil || t.interrupted != nil {
		return nil
	}
	l.ready.pop()
	l.batch--
	t.co, t.phase = c, taskRunning
	l.current = t
	return t
}

type coroutinePool struct {
	free  *coroutine
	count int     // of free ones
	live  int     // free ones and those that run a task
	lock  uintptr // the thread that the goroutine was locked to in which they were made; 0: none
	shut  bool
}

// get gives t a coroutine.
func (p *coroutinePool) get(t *task) *coroutine {
	c := p.free
	if c == nil {
		if p.live == 0 {
			p.lock = threadLock()
		}
		p.live++
		c = &coroutine{pool: p, task: t}
		c.resume, c.stop = iter.Pull(c.main)
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
	if p.live == 0 || threadLock() == p.lock {
		return nil
	}
	if p.lock == 0 {
		return fmt.Errorf("%w: tasks of the loop have begun in a goroutine that was not locked to a thread, as this one is; "+
			"run the loop in another, or make it with WithLockedThread", ErrWrongLoop)
	}
	return fmt.Errorf("%w: tasks of the loop have begun in a goroutine that was locked to a thread; run and close the loop there, "+
		"locked as it was then", ErrWrongLoop)
}

// restoreLock makes good for a task that ends with its goroutine locked to a thread, or unlocked, unlike it began.
func (p *coroutinePool) restoreLock() {
	if p.lock != 0 {
		runtime.LockOSThread()
		return
	}
	for threadLock() != 0 {
		runtime.UnlockOSThread()
	}
}

// close ends the idle coroutines and keeps no more.
func (p *coroutinePool) close() {
	p.shut = true
	for p.free != nil {
		c := p.free
		p.free, c.next = c.next, nil
		c.stop()
	}
	p.count = 0
}
