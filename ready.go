package asyncio

// The ready queue: what runs in the next turn, in order. It is a ring indexed by a
// running number, and a Handle knows the number of its callback, not the callback itself.
// So nothing in the queue refers to the Handle, and one that the caller drops is never
// allocated.

import (
	"context"
	"math"
)

// runnable is anything that waits in the ready queue: a callback, a task to step, a timer
// that is due.
type runnable interface{ run(l *Loop) }

const (
	readyInitialLen = 64
	readyKeepLen    = 1 << 16 // a longer ring shrinks when most of it is empty
)

// readyQueue holds the entries numbered head to tail-1; len(ring) is a power of two.
type readyQueue struct {
	ring       []runnable
	head, tail uint64
}

func (q *readyQueue) len() int { return int(q.tail - q.head) }

// push appends r and returns its number.
func (q *readyQueue) push(r runnable) uint64 {
	if q.len() == len(q.ring) {
		q.resize(max(2*len(q.ring), readyInitialLen))
	}
	seq := q.tail
	q.ring[seq&uint64(len(q.ring)-1)] = r
	q.tail++
	return seq
}

// pop takes the first entry out; nil if it was cancelled.
func (q *readyQueue) pop() runnable {
	slot := &q.ring[q.head&uint64(len(q.ring)-1)]
	r := *slot
	*slot = nil
	q.head++
	return r
}

// peek is the first entry; nil if it was cancelled.
func (q *readyQueue) peek() runnable { return q.ring[q.head&uint64(len(q.ring)-1)] }

// cancel makes entry seq a hole, if it is still waiting.
func (q *readyQueue) cancel(seq uint64) {
	if seq-q.head < q.tail-q.head {
		q.ring[seq&uint64(len(q.ring)-1)] = nil
	}
}

// remove makes the entry of r a hole, if there is one.
func (q *readyQueue) remove(r runnable) {
	for seq := q.head; seq != q.tail; seq++ {
		if q.ring[seq&uint64(len(q.ring)-1)] == r {
			q.cancel(seq)
		}
	}
}

// resize moves the entries to a ring of n places.
func (q *readyQueue) resize(n int) {
	ring := make([]runnable, n)
	for seq := q.head; seq != q.tail; seq++ {
		ring[seq&uint64(n-1)] = q.ring[seq&uint64(len(q.ring)-1)]
	}
	q.ring = ring
}

// trim gives the memory of a burst back.
func (q *readyQueue) trim() {
	if len(q.ring) > readyKeepLen && q.len() < len(q.ring)/8 {
		q.resize(len(q.ring) / 4)
	}
}

func (q *readyQueue) clear() {
	q.ring, q.head = nil, q.tail
}

// callback is a plain function in the ready queue. A func is one pointer, so it takes no
// allocation to queue it.
type callback func()

func (fn callback) run(*Loop) { fn() }

// tracedCallback is a callback with what reports about it shall say.
type tracedCallback struct {
	fn     func()
	code   uintptr // of the user's function, which fn may only call
	ctx    context.Context
	source *traceback
}

func (c *tracedCallback) run(*Loop) { c.fn() }

// Handle is a callback that waits to run: asyncio.Handle. It is for the loop's goroutine,
// unless CallSoonThreadsafe returned it.
type Handle struct {
	loop   *Loop
	seq    uint64      // its number in the ready queue; cancelledSeq: it was cancelled
	timer  *timerCall  // the timer behind it, or nil
	remote *remoteCall // the call from another goroutine, or nil
}

const cancelledSeq = math.MaxUint64

// Cancel keeps the callback from running: Handle.cancel. Again, or after it ran, it does
// nothing. On a handle of CallSoonThreadsafe it may be called from any goroutine, and
// returns only after a callback that had started has ended; in a callback or task, of
// whatever loop, it does not wait for that, since that loop would stand still.
func (h *Handle) Cancel() {
	if h.remote != nil {
		h.remote.cancel()
		return
	}
	if h.loop.debug {
		h.loop.checkGoroutine("Handle.Cancel")
	}
	switch {
	case h.seq == cancelledSeq:
	case h.timer != nil:
		h.loop.timers.Disarm(h.timer)
		h.timer.fn = nil
	default:
		h.loop.ready.cancel(h.seq)
	}
	h.seq = cancelledSeq
}

// Cancelled reports whether Cancel was called, in time or not: Handle.cancelled. For
// goroutines and waiting it is like Cancel.
func (h *Handle) Cancelled() bool {
	if h.remote != nil {
		return h.remote.isCancelled()
	}
	return h.seq == cancelledSeq
}

// CallSoon runs fn in the next turn, after the callbacks that wait already:
// loop.call_soon. A panic of fn goes to the exception handler. CallSoon panics with
// ErrLoopClosed on a closed loop, and with ErrInvalidArgument if fn is nil. It is for the
// loop's goroutine: others use CallSoonThreadsafe.
func (l *Loop) CallSoon(fn func(), opts ...CallOption) *Handle {
	// Inlined into the caller, this allocates only if the caller keeps the handle.
	return &Handle{loop: l, seq: l.callSoon(fn, opts)}
}

// callSoon returns the callback's number in the ready queue.
func (l *Loop) callSoon(fn func(), opts []CallOption) uint64 {
	l.mustBeOpen("CallSoon")
	return l.ready.push(l.newCallback("CallSoon", fn, opts))
}

// newCallback checks fn and dresses it with what reports shall say.
func (l *Loop) newCallback(method string, fn func(), opts []CallOption) runnable {
	if fn == nil {
		panic(misuse(ErrInvalidArgument, "%s was given a nil function", method))
	}
	if !l.debug && len(opts) == 0 {
		return callback(fn)
	}
	var c callConfig
	for _, opt := range opts {
		opt(&c)
	}
	return &tracedCallback{fn: fn, code: funcCode(fn), ctx: c.ctx, source: l.callerTraceback()}
}
