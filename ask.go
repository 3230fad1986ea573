package asyncio

// A look at a loop from another goroutine: for AllTasks, CaptureCallGraph, Stack and
// Stats. The loop's fields belong to its goroutine. So the look is taken while the loop
// does not run, or by the loop itself, between two callbacks.
//
// A loop that looks at another one may have to wait, inside a callback. It rests
// meanwhile, and whoever wants to look at it does so himself. So loops that look at each
// other at the same time do not wait for each other: the last of them finds the next one
// at rest.

import "sync/atomic"

// ask calls fn where no other goroutine touches the loop's fields, and waits for that:
// here, if atRest can, else between two callbacks. It is false, and fn not called, if the
// loop is closed and not the caller's.
func (l *Loop) ask(fn func()) bool {
	if here := loopHere(); here != nil && here != l {
		here.rest(1)
		defer here.rest(-1)
	}
	for loopHere() == l || !l.IsClosed() {
		if l.atRest(fn) {
			return true
		}
		q := &question{fn: fn, answered: make(chan struct{})}
		ended := l.runEnd()
		if ended == nil || !l.post(q) {
			continue
		}
		select {
		case <-q.answered:
			return true
		case <-ended:
		}
		if !q.claimed.CompareAndSwap(false, true) {
			<-q.answered
			return true
		}
	}
	return false
}

// rest begins a rest of the loop, with 1, or ends it, with -1. Its goroutine calls it.
// The end waits for those who look at the loop.
func (l *Loop) rest(change int) {
	l.inbox.mu.Lock()
	defer l.inbox.mu.Unlock()
	l.inbox.rests += change
}

// question is a look at the loop that another goroutine wants to have.
type question struct {
	fn       func()
	claimed  atomic.Bool // by the loop, or by its asker, who does not wait any more
	answered chan struct{}
}

func (q *question) run(*Loop) {
	if q.claimed.CompareAndSwap(false, true) {
		defer close(q.answered)
		q.fn()
	}
}

// runEnd is closed when the run ends that is going on; nil: there is none.
func (l *Loop) runEnd() <-chan struct{} {
	b := &l.inbox
	b.mu.Lock()
	defer b.mu.Unlock()
	if !l.IsRunning() {
		return nil
	}
	if b.runEnd == nil {
		b.runEnd = make(chan struct{})
	}
	return b.runEnd
}

// runEnded is called after the end of every run.
func (b *inbox) runEnded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.runEnd != nil {
		close(b.runEnd)
		b.runEnd = nil
	}
}

// atRest calls fn while no other goroutine can touch the loop's fields: in one of the
// loop's callbacks or tasks; or while it rests; or, as it does not run, with all runs
// held off. It is false, and fn not called, if the loop runs, or is being closed,
// elsewhere.
func (l *Loop) atRest(fn func()) bool {
	if loopHere() == l {
		fn()
		return true
	}
	l.inbox.mu.Lock() // beginRun takes it, and rest
	defer l.inbox.mu.Unlock()
	if l.IsRunning() && l.inbox.rests == 0 || l.IsClosed() && l.ended.err() == nil {
		return false
	}
	fn()
	return true
}
