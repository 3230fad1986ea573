package asyncio

// The inbox: the one door through which other goroutines reach a loop. They append under
// a mutex and wake the loop only if it sleeps; the loop raises its sleeping flag before
// it looks into the inbox for the last time, so either the producer sees the flag or the
// loop sees the call. What was accepted runs exactly once, unless the loop is closed
// first.
//
// A limit on the calls that wait holds for what programs send. What completes something,
// such as the result of a function in an executor, is always accepted: it is bounded by
// what was begun.

import (
	"fmt"
	"sync"
	"sync/atomic"
)

type inbox struct {
	mu     sync.Mutex
	calls  []runnable
	spare  []runnable // the emptied slice of the last drain, to be filled again
	limit  int        // calls that may wait; 0: any number
	closed bool
	runEnd chan struct{} // made when first asked for

	filled atomic.Bool // calls is not empty
	asleep atomic.Bool // the loop is in a Poll that waits
}

// WithInboxLimit bounds the calls from other goroutines that wait for the loop:
// CallSoonThreadsafe and RunCoroutineThreadsafe refuse more than n with ErrInboxFull.
// Without it a loop that is too slow for its callers holds ever more of them. It panics
// with ErrInvalidState unless n is positive.
func WithInboxLimit(n int) Option {
	if n < 1 {
		panic(misuse(ErrInvalidState, "WithInboxLimit was given %d calls; it needs at least 1", n))
	}
	return func(c *config) { c.inboxLimit = n }
}

// post appends r, whatever the limit; false if the loop is closed.
func (l *Loop) post(r runnable) bool { return l.accept(r, 0) == nil }

// accept appends r, unless limit calls wait already; 0 is no limit.
func (l *Loop) accept(r runnable, limit int) error {
	b := &l.inbox
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrLoopClosed
	}
	if limit > 0 && len(b.calls) >= limit {
		b.mu.Unlock()
		return ErrInboxFull
	}
	b.calls = append(b.calls, r)
	b.filled.Store(true)
	b.mu.Unlock()
	if b.asleep.Load() && b.asleep.CompareAndSwap(true, false) {
		l.pro.Wake()
	}
	return nil
}

// drainInbox moves what other goroutines sent to the ready queue.
func (l *Loop) drainInbox() {
	b := &l.inbox
	if !b.filled.Load() {
		return
	}
	b.mu.Lock()
	calls := b.calls
	b.calls = b.spare[:0]
	b.filled.Store(false)
	b.mu.Unlock()
	for i, r := range calls {
		l.ready.push(r)
		calls[i] = nil
	}
	if cap(calls) <= readyKeepLen {
		b.spare = calls
	} else {
		b.spare = nil
	}
}

// close refuses further calls and drops those that wait.
func (b *inbox) close() {
	b.mu.Lock()
	b.closed, b.calls, b.spare = true, nil, nil
	b.filled.Store(false)
	b.mu.Unlock()
}

// ask calls fn where no other goroutine touches the loop's fields, and waits for that:
// here, if atRest can, else between two callbacks. It is false, and fn not called, if the
// loop is closed and not the caller's.
func (l *Loop) ask(fn func()) bool {
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

// CallSoonThreadsafe runs fn on the loop's goroutine in its next turn and may be called
// from any goroutine: loop.call_soon_threadsafe. Calls of one goroutine run in their
// order. The error is ErrLoopClosed, or ErrInboxFull where WithInboxLimit says so. A fn
// that was accepted runs exactly once, unless it is cancelled or the loop is closed
// first.
func (l *Loop) CallSoonThreadsafe(fn func(), opts ...CallOption) (*Handle, error) {
	r := &remoteCall{call: l.newCallback("CallSoonThreadsafe", fn, opts)}
	r.handle.loop, r.handle.remote = l, r
	if err := l.accept(r, l.inbox.limit); err != nil {
		advice := "make a new loop, or stop its callers before you close it"
		if err == ErrInboxFull {
			advice = "the loop is too slow for its callers: wait, or call less"
		}
		return nil, fmt.Errorf("%w: CallSoonThreadsafe: %s", err, advice)
	}
	return &r.handle, nil
}

type remoteState uint8

const (
	remoteWaiting remoteState = iota
	remoteRunning
	remoteEnded
	remoteCancelled
)

// remoteCall is a callback of another goroutine, with its handle in one piece of memory.
// Waiting moves to running and then ended, or to cancelled.
type remoteCall struct {
	handle Handle
	call   runnable

	mu    sync.Mutex
	state remoteState
	late  bool          // Cancel came after the start
	ended chan struct{} // made by a Cancel that has to wait
}

func (r *remoteCall) run(l *Loop) {
	r.mu.Lock()
	if r.state == remoteCancelled {
		r.mu.Unlock()
		return
	}
	r.state = remoteRunning
	r.mu.Unlock()
	defer r.end()
	r.call.run(l)
}

func (r *remoteCall) end() {
	r.mu.Lock()
	r.state = remoteEnded
	if r.ended != nil {
		close(r.ended)
	}
	r.mu.Unlock()
}

func (r *remoteCall) cancel() {
	r.mu.Lock()
	if r.state == remoteWaiting {
		r.state = remoteCancelled
	} else if r.state != remoteCancelled {
		r.late = true
	}
	r.settle()
}

func (r *remoteCall) isCancelled() bool {
	r.mu.Lock()
	cancelled := r.state == remoteCancelled || r.late
	r.settle()
	return cancelled
}

// settle unlocks r and waits until a callback that runs has ended, unless the caller is
// inside that callback.
func (r *remoteCall) settle() {
	if r.state != remoteRunning || r.handle.loop.inLoopGoroutine() {
		r.mu.Unlock()
		return
	}
	if r.ended == nil {
		r.ended = make(chan struct{})
	}
	ended := r.ended
	r.mu.Unlock()
	<-ended
}
