package asyncio

// Futures. A future goes from pending to finished or cancelled, once. Whoever waits for
// it stands in one list, tasks and done-callbacks alike, and is moved to the ready queue
// in that order: nothing runs inside SetResult.

import (
	"context"
	"fmt"
	"slices"
)

type futureState uint8

const (
	pending futureState = iota
	finished
	cancelled
)

// waiter stands in a future's list. When the future is done it joins the ready queue, and
// does there what it has waited to do. Two kinds differ: a task is woken, and a settler
// is told at once. It is a pointer, so that it can be found in the list.
type waiter interface{ runnable }

// settler is a waiter that hands the result to another goroutine. It runs no user code.
// One type, and no interface: to look for a method of each waiter is a call of the
// runtime.
type settler struct{ settle func() }

func (s *settler) run(*Loop) { s.settle() }

// future is the part of Future and Task that does not depend on the type of the result.
type future struct {
	loop     *Loop
	err      error  // finished: nil or the failure; cancelled: a *CancelledError
	waits    waiter // who waits; a *crowd where there are several; nil: nobody
	rare     *futureRare
	state    futureState
	shielded bool  // a failure is reported by a Shield
	ignored  bool  // a failure need not be looked at: a Gather that has failed did without it
	place    int32 // a task's, in Loop.tasks: here it costs no memory
}

// futureRare is what few futures have: it is made when first needed.
type futureRare struct {
	onCancel func(msg any) bool // overrides Cancel, for futures that stand for others; nil: nothing does
	lost     *unretrieved       // a failure that nobody has looked at
	source   *traceback         // debug mode: where it was made
}

// crowd is several waiters, in the order in which they came. It is never run itself.
type crowd struct {
	waiters []waiter
	room    [4]waiter // for the first of them
}

func (*crowd) run(*Loop) {}

func (f *future) base() *future { return f }

func (f *future) sealed() {}

// Done reports whether the future has a result, an error, or was cancelled: Future.done.
func (f *future) Done() bool { return f.state != pending }

// Cancelled reports whether the future was cancelled: Future.cancelled.
func (f *future) Cancelled() bool { return f.state == cancelled }

// Loop is the loop that the future belongs to: Future.get_loop. Any goroutine.
func (f *future) Loop() *Loop { return f.loop }

// Exception is the future's error: nil on success, a *CancelledError if cancelled,
// ErrInvalidState while pending: Future.exception. A failure that was asked for is not
// reported as lost.
func (f *future) Exception() error {
	if f.state == pending {
		return fmt.Errorf("%w: the exception of a pending future was asked for; await it first", ErrInvalidState)
	}
	f.retrieve()
	return f.err
}

// retrieve notes that somebody has seen the failure.
func (f *future) retrieve() {
	if r := f.rare; r != nil && r.lost != nil {
		r.lost.settle()
		r.lost = nil
	}
}

// rarely is where f keeps what few futures have.
func (f *future) rarely() *futureRare {
	if f.rare == nil {
		f.rare = &futureRare{}
	}
	return f.rare
}

// source is where f was made; nil unless in debug mode.
func (f *future) source() *traceback {
	if f.rare == nil {
		return nil
	}
	return f.rare.source
}

func (f *future) addWaiter(w waiter) {
	if f.waits == nil {
		f.waits = w
		return
	}
	c, ok := f.waits.(*crowd)
	if !ok {
		c = &crowd{}
		c.waiters = append(c.room[:0], f.waits)
		f.waits = c
	}
	c.waiters = append(c.waiters, w)
}

// waiters is who waits for f.
func (f *future) waiters() []waiter {
	switch w := f.waits.(type) {
	case nil:
		return nil
	case *crowd:
		return w.waiters
	}
	return []waiter{f.waits}
}

// removeWaiter takes out w and reports whether it was there.
func (f *future) removeWaiter(w waiter) bool {
	if f.waits == w && w != nil {
		f.waits = nil
		return true
	}
	c, ok := f.waits.(*crowd)
	if !ok {
		return false
	}
	switch i := slices.Index(c.waiters, w); {
	case i < 0:
		return false
	case len(c.waiters) == 1:
		f.waits = nil
	case i == 0: // many that wait for one thing give up in the order in which they came
		c.waiters[0] = nil
		c.waiters = c.waiters[1:]
	default:
		c.waiters = slices.Delete(c.waiters, i, i+1)
	}
	return true
}

// complete makes the one move out of pending and queues all waiters.
func (f *future) complete(state futureState, err error) {
	if l := f.loop; l != nil && l.debug {
		l.checkGoroutine("SetResult, SetException or Cancel of a future")
	}
	f.state, f.err = state, err
	if f.rare != nil {
		f.rare.onCancel = nil
	}
	w := f.waits
	if w == nil {
		return
	}
	f.waits = nil
	if c, ok := w.(*crowd); ok {
		for _, w := range c.waiters {
			f.notify(w)
		}
		return
	}
	f.notify(w)
}

// notify lets w know that f is done.
func (f *future) notify(w waiter) {
	switch w := w.(type) {
	case *task:
		w.wake(nil)
	case *settler:
		w.settle()
	default:
		f.loop.ready.push(w)
	}
}

func (f *future) cancel(msg any) bool {
	if f.state != pending {
		return false
	}
	if f.rare != nil && f.rare.onCancel != nil {
		return f.rare.onCancel(msg)
	}
	f.complete(cancelled, &CancelledError{Msg: msg})
	return true
}

// abort implements aborter: the task no longer waits, the future lives on.
func (f *future) abort(t *task) bool { return f.removeWaiter(t) }

// wait suspends the task of a until f is done. a waits on behalf of w, which is f or the
// task around it.
func (f *future) wait(a awaiter, w aborter) error {
	if f.state != pending {
		return nil
	}
	t := a.task
	if f.loop != t.loop || &t.future == f {
		return f.refuse(t)
	}
	f.addWaiter(t)
	return a.park(w)
}

// refuse tells why t cannot await f. It is no part of wait, whose frame stays on the
// stack of a task that waits.
//
//go:noinline
func (f *future) refuse(t *task) error {
	if f.loop != t.loop {
		return fmt.Errorf("%w: %s awaits a future of another one; use RunCoroutineThreadsafe to reach it", ErrWrongLoop, t.Name())
	}
	return fmt.Errorf("%w: %s awaits itself", ErrInvalidState, t.Name())
}

// Future is a result that is not there yet: asyncio.Future. Its methods are for its
// loop's goroutine; Await works everywhere.
type Future[T any] struct {
	future
	value T
}

// NewFuture makes a pending future of loop l: loop.create_future. It panics with
// ErrNoRunningLoop if l is nil.
func NewFuture[T any](l *Loop) *Future[T] {
	f := &Future[T]{}
	f.init(l)
	return f
}

func (f *future) init(l *Loop) {
	if l == nil {
		panic(misuse(ErrNoRunningLoop, "a future was made without a loop"))
	}
	f.loop = l
	if l.debug {
		f.rarely().source = l.callerTraceback()
	}
}

// Await waits until the future is done and returns its result: await future. A future
// that is done already does not yield to the loop. In a goroutine that is no task it
// blocks that goroutine until the result is there. Errors of its own are
// ErrNotCurrentTask for the context of another task, and ErrWrongLoop for a future of
// another loop.
// Suspends. Cancelled: the future is cancelled too, see Shield; if ctx, derived by the
// caller, ends, the future lives on.
func (f *Future[T]) Await(ctx context.Context) (T, error) {
	a, err := enter(ctx)
	if err == nil {
		if a.task == nil {
			return awaitInGoroutine[T](ctx, f)
		}
		if err = f.wait(a, &f.future); err == nil {
			return f.Result()
		}
	}
	var zero T
	return zero, err
}

// Result is the future's value or error; ErrInvalidState while it is pending:
// Future.result.
func (f *Future[T]) Result() (T, error) {
	if f.state == pending {
		var zero T
		return zero, fmt.Errorf("%w: the result of a pending future was asked for; await it first", ErrInvalidState)
	}
	f.retrieve()
	return f.value, f.err
}

// SetResult makes the future finished with v: Future.set_result. Who awaits it runs in
// the next turn. The error is ErrInvalidState if it was done.
func (f *Future[T]) SetResult(v T) error {
	if f.state != pending {
		return f.doneAlready("SetResult")
	}
	f.value = v
	f.complete(finished, nil)
	return nil
}

// SetException makes the future finished with err: Future.set_exception. If nobody ever
// looks at it, the exception handler hears of err. The error is ErrInvalidState if the
// future was done; a nil err panics with ErrInvalidArgument.
func (f *Future[T]) SetException(err error) error {
	if err == nil {
		panic(misuse(ErrInvalidArgument, "SetException was given a nil error; use SetResult"))
	}
	if f.state != pending {
		return f.doneAlready("SetException")
	}
	watchFailure(f, &f.future, f, err, "Future exception was never retrieved")
	f.complete(finished, err)
	return nil
}

func (f *future) doneAlready(method string) error {
	how := "finished"
	if f.state == cancelled {
		how = "cancelled"
	}
	return fmt.Errorf("%w: %s on a future that is %s", ErrInvalidState, method, how)
}

// Cancel makes a pending future cancelled and wakes who awaits it: Future.cancel. It is
// false if the future was done. The first msg is the Msg of the CancelledError. A future
// of Gather passes the request on, as described there.
func (f *Future[T]) Cancel(msg ...any) bool { return f.cancel(firstOf(msg)) }

func firstOf(msg []any) any {
	if len(msg) == 0 {
		return nil
	}
	return msg[0]
}

// AddDoneCallback calls fn in the turn after the future is done, also if it is done
// already, in order of registration: Future.add_done_callback. It panics with
// ErrLoopClosed on a closed loop, and with ErrInvalidArgument if fn is nil.
func (f *Future[T]) AddDoneCallback(fn func(*Future[T]), opts ...CallOption) *DoneCallback {
	if fn == nil {
		panic(misuse(ErrInvalidArgument, "AddDoneCallback was given a nil function"))
	}
	return f.addCallback(fn, func() { fn(f) }, opts)
}

// RemoveDoneCallback takes a registration back and returns how many were removed: 1, or 0
// if the future is done or it was removed before: Future.remove_done_callback.
func (f *Future[T]) RemoveDoneCallback(c *DoneCallback) int { return f.removeCallback(c) }

// DoneCallback is one registration of a done-callback. asyncio has none: it compares
// functions.
type DoneCallback struct{ call runnable }

func (c *DoneCallback) run(l *Loop) { c.call.run(l) }

func (c *DoneCallback) describe() subject { return describe(c.call) }

// addCallback registers call, which calls the user's function fn.
func (f *future) addCallback(fn any, call func(), opts []CallOption) *DoneCallback {
	f.loop.mustBeOpen("AddDoneCallback")
	c := &DoneCallback{call: f.loop.newCallback("AddDoneCallback", call, opts)}
	if traced, ok := c.call.(*tracedCallback); ok {
		traced.code = funcCode(fn)
	}
	f.addDone(c)
	return c
}

// addDone lets w know when f is done, or has been.
func (f *future) addDone(w waiter) {
	if f.state == pending {
		f.addWaiter(w)
	} else {
		f.notify(w)
	}
}

func (f *future) removeCallback(c *DoneCallback) int {
	if f.loop.debug {
		f.loop.checkGoroutine("RemoveDoneCallback")
	}
	if c == nil || !f.removeWaiter(c) {
		return 0
	}
	return 1
}
