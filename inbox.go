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
	"sync"
	"sync/atomic"
)

type inbox struct {
	mu     sync.Mutex
	calls  []runnable
	spare  []runnable // the emptied slice of the last drain, to be filled again
	limit  int        // calls that may wait; 0: any number
	closed bool
	rests  int           // looks at other loops that this one waits for: see ask
	runEnd chan struct{} // made when first asked for

	filled atomic.Bool // calls is not empty
	asleep atomic.Bool // the loop is in a Poll that waits
}

// WithInboxLimit bounds the calls from other goroutines that wait for the loop:
// CallSoonThreadsafe and RunCoroutineThreadsafe refuse more than n with ErrInboxFull.
// Without it a loop that is too slow for its callers holds ever more of them. It panics
// with ErrInvalidArgument unless n is positive.
func WithInboxLimit(n int) Option {
	if n < 1 {
		panic(misuse(ErrInvalidArgument, "WithInboxLimit was given %d calls; it needs at least 1", n))
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
	if len(b.calls) == 1 {
		b.filled.Store(true)
	}
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
