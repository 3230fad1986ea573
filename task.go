package asyncio

// Tasks. A task is a future whose result is made by a coroutine, which runs on a stack of
// its own whenever the loop steps the task. States and moves:
//
//	ready      waits in the ready queue
//	           -> running    a step
//	           -> done       it was cancelled, or the loop closed, before the first step
//	running    control was switched to it
//	           -> suspended  park
//	           -> ready      yield
//	           -> done       the coroutine has ended
//	suspended  something will wake it
//	           -> ready      wake
//	           -> running    the loop was closed: its Await returns
//	done
//
// become and takeControl make every move.
//
// Cancelling counts a request and interrupts one Await. If the task is suspended, the
// thing it waits for is cancelled or the wait is undone; otherwise the interrupt stays
// pending and makes the next suspension, or the end of the coroutine, a cancellation.

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync/atomic"

	"github.com/seed-a026a017/asyncio/internal/goid"
)

type taskPhase uint8

const (
	taskReady taskPhase = iota
	taskRunning
	taskSuspended
	taskDone
)

// task is the part of Task that does not depend on the type of the result. As a
// *taskContext the same memory is the context of its coroutine. With a result of one word
// it fills 160 bytes, which is a size class of the allocator.
type task struct {
	future
	self      typedTask
	parent    context.Context        // where the values come from that the context has
	name      atomic.Pointer[string] // nil or empty: Task- and its number
	number    uint64                 // names a task without a name
	co        *coroutine
	goroutine atomic.Uintptr // that runs the body, and stays when the task is done; 0: it has not begun
	ended     doneSignal

	interrupted *CancelledError // to be delivered; nil: none
	quiet       bool            // no report if it is pending when the loop closes
	passing     bool            // a cancellation is being passed on to what the task awaits
	phase       taskPhase
	requests    int32 // Cancel minus Uncancel
}

func (p taskPhase) String() string { return [...]string{"ready", "running", "suspended", "done"}[p] }

// become moves the task to another phase, and takeControl to running. They assert
// nothing, so that wake is inlined, which is worth 2 ns of a switch: in debug mode those
// who step and wake tasks call mustBe.
func (t *task) become(p taskPhase) { t.phase = p }

// takeControl makes the task the one that runs.
func (t *task) takeControl() {
	t.become(taskRunning)
	t.loop.current = t
}

// awaits is what the task waits for; nil: nothing.
func (t *task) awaits() aborter {
	if t.co == nil {
		return nil
	}
	return t.co.waiting
}

// mustBe asserts, in debug mode, the phase from which the task is about to move.
func (t *task) mustBe(p taskPhase) {
	if t.phase != p {
		panic(fmt.Sprintf("asyncio: %s is %s and not %s", t.Name(), t.phase, p))
	}
}

// typedTask is the *Task[T] around a task.
type typedTask interface {
	AnyTask
	call(ctx context.Context)
	frames() (*traceback, error)
	drop() // forgets the coroutine, which will not be called
}

// Task is a coroutine that the loop runs: asyncio.Task. Its methods are for its loop's
// goroutine; Await works everywhere.
type Task[T any] struct {
	task
	coro  Coro[T]
	value T
}

// taskNumber numbers the tasks of the process.
var taskNumber atomic.Uint64

// CreateTask starts coro as a task of ctx's loop: asyncio.create_task. Its first step is
// in the next turn, see EagerStart for another way. The task's context has ctx's values;
// ctx's end does not end the task. The loop holds the task until it is done. CreateTask
// panics if ctx belongs to no loop or to a closed one.
func CreateTask[T any](ctx context.Context, coro Coro[T], opts ...TaskOption) *Task[T] {
	l := loopOf(ctx)
	if l == nil {
		panic(misuse(ErrNoRunningLoop, "CreateTask needs the context of a task, or Loop.Context()"))
	}
	return newTask(l, ctx, coro, opts)
}

func newTask[T any](l *Loop, ctx context.Context, coro Coro[T], opts []TaskOption) *Task[T] {
	l.mustBeOpen("CreateTask")
	if coro == nil {
		panic(misuse(ErrInvalidArgument, "CreateTask was given a nil coroutine"))
	}
	t := &Task[T]{coro: coro}
	t.future.init(l)
	t.self, t.parent = t, valuesOf(ctx)
	eager := l.eager
	if len(opts) > 0 {
		c := taskConfig{eager: eager}
		for _, opt := range opts {
			opt(&c)
		}
		eager = c.eager
		if c.name != "" {
			t.name.Store(&c.name)
		}
	}
	t.number = taskNumber.Add(1)
	l.tasks.add(&t.task)
	if eager && l.mayStartNow() {
		t.startNow(l)
	} else {
		l.ready.push(&t.task)
	}
	return t
}

// call runs the coroutine to its end. The value is set before finish, which hands it to
// goroutines that await the task, and not at all if the task ends cancelled.
func (t *Task[T]) call(ctx context.Context) {
	coro := t.coro
	t.coro = nil
	v, err := coro(ctx)
	if err == nil && t.interrupted == nil {
		t.value = v
	}
	t.finish(err)
}

func (t *Task[T]) drop() { t.coro = nil }

// run is a step: it switches to the coroutine until that suspends or ends.
func (t *task) run(l *Loop) {
	outer := l.current
	if c := t.begin(l); c != nil {
		c.resume()
		l.goOnUnwinding()
		l.current = outer
	}
}

// begin makes the task the one that runs and returns its coroutine to be resumed; nil:
// there is nothing to run.
func (t *task) begin(l *Loop) *coroutine {
	if t.co == nil {
		if t.interrupted != nil { // cancelled before its first step: the body never runs
			t.self.drop()
			t.finish(nil)
			return nil
		}
		t.co = l.coroutines.get(t)
	}
	if goid.ThreadLock() != l.coroutines.lock { // a callback has left it so
		l.coroutines.restoreLock()
	}
	t.takeControl()
	return t.co
}

// execute runs the body: whatever way that ends, the task is done.
func (t *task) execute() {
	t.goroutine.Store(t.co.goroutine)
	ended := false
	defer func() {
		if p := &t.loop.coroutines; goid.ThreadLock() != p.lock {
			p.restoreLock()
		}
		if ended {
			return
		}
		if v := recover(); v != nil {
			t.finish(&PanicError{Value: v, Stack: debug.Stack()})
			return
		}
		t.finish(errGoexit) // and the Goexit goes on through the loop, as t.FailNow expects
	}()
	if t.loop.labels {
		t.label() // which asks the parent for its values: code of the user's
	}
	t.self.call((*taskContext)(t))
	ended = true
}

var errGoexit = errors.New("asyncio: the task ended with runtime.Goexit")

// finish makes the task done.
func (t *task) finish(err error) {
	c := t.cancellation(err)
	t.become(taskDone)
	if c := t.co; c != nil {
		c.scopes, t.co = nil, nil
		if c.host != nil {
			c.task = nil
		}
	}
	t.loop.tasks.remove(t)
	switch {
	case c != nil:
		t.complete(cancelled, c)
	case err != nil:
		watchFailure(t, &t.future, t.self, err, "Task exception was never retrieved")
		t.complete(finished, err)
	default:
		t.complete(finished, nil)
	}
}

// cancellation decides whether a body that returned err ended cancelled: by a
// CancelledError of whatever origin; by foreign code that gave up because the task's
// context ended; or because a request was still to be delivered.
func (t *task) cancellation(err error) *CancelledError {
	if err == nil {
		return t.interrupted
	}
	if c := asCancelled(err); c != nil {
		return c
	}
	if t.requests > 0 && (err == context.Canceled || errors.Is(err, context.Canceled) && asGroup(err) == nil) {
		return &CancelledError{}
	}
	return nil
}

// Await waits until the task is done and returns its result: await task. A task that is
// done already does not yield to the loop. In a goroutine that is no task it blocks that
// goroutine. Errors of its own are ErrNotCurrentTask for the context of another task,
// ErrWrongLoop for a task of another loop, and ErrInvalidState in the task itself.
// Suspends. Cancelled: the task is cancelled too, see Shield; if ctx, derived by the
// caller, ends, the task lives on.
func (t *Task[T]) Await(ctx context.Context) (T, error) {
	a, err := enter(ctx)
	if err == nil {
		if a.task == nil {
			return awaitInGoroutine[T](ctx, t)
		}
		if err = t.wait(a, &t.task); err == nil {
			return t.Result()
		}
	}
	var zero T
	return zero, err
}

// Result is the task's value or error; ErrInvalidState while it is not done: Task.result.
func (t *Task[T]) Result() (T, error) {
	if t.future.state == pending {
		var zero T
		return zero, fmt.Errorf("%w: the result of %s, which is not done, was asked for; await it first", ErrInvalidState, t.Name())
	}
	t.retrieve()
	return t.value, t.err
}

// AddDoneCallback calls fn in the turn after the task is done, also if it is done
// already, in order of registration: Task.add_done_callback. It panics with ErrLoopClosed
// on a closed loop, and with ErrInvalidArgument if fn is nil.
func (t *Task[T]) AddDoneCallback(fn func(*Task[T]), opts ...CallOption) *DoneCallback {
	if fn == nil {
		panic(misuse(ErrInvalidArgument, "AddDoneCallback was given a nil function"))
	}
	return t.addCallback(fn, func() { fn(t) }, opts)
}

// RemoveDoneCallback takes a registration back and returns how many were removed: 1, or 0
// if the task is done or it was removed before: Task.remove_done_callback.
func (t *Task[T]) RemoveDoneCallback(c *DoneCallback) int { return t.removeCallback(c) }

// Cancel asks the task to end: Task.cancel. It is true, and counts, whenever the task is
// not done. One Await of the task is interrupted with a *CancelledError whose Msg is the
// first msg: the one it is suspended in, else the next. The task may catch the error and
// go on. The task's context is done from now on.
func (t *task) Cancel(msg ...any) bool { return t.cancel(firstOf(msg)) }

func (t *task) cancel(msg any) bool {
	if t.loop.debug {
		t.loop.checkGoroutine("Task.Cancel")
	}
	if t.phase == taskDone {
		return false
	}
	t.requests++
	t.ended.end(context.Canceled)
	if t.co != nil {
		for s := t.co.scopes; s != nil; s = s.outer {
			s.ended.end(context.Canceled)
		}
	}
	t.interrupt(msg)
	return true
}

// canceller is an awaited thing that takes over the cancellation of who awaits it: a
// future, a task.
type canceller interface{ cancel(msg any) bool }

// interrupt delivers one CancelledError. It passes it on to a future or task that is
// awaited; where tasks await each other in a circle, it ends with the task where it
// began.
func (t *task) interrupt(msg any) {
	e := &CancelledError{Msg: msg}
	if t.phase == taskSuspended {
		if c, ok := t.co.waiting.(canceller); ok && !t.passing {
			t.passing = true
			passed := c.cancel(msg)
			t.passing = false
			if passed {
				return // its end wakes the task
			}
		} else if w := t.uppermost(); w.co.waiting.abort(w) {
			w.wake(e)
			return
		}
	}
	t.interrupted = e
}

// Cancelling counts the requests that are not taken back: Task.cancelling.
func (t *task) Cancelling() int { return int(t.requests) }

// Uncancel takes one request back and returns how many are left: Task.uncancel. At 0 an
// interrupt that was not delivered yet is dropped.
func (t *task) Uncancel() int {
	if t.loop.debug {
		t.loop.checkGoroutine("Task.Uncancel")
	}
	if t.requests > 0 {
		t.requests--
		if t.requests == 0 {
			t.interrupted = nil
		}
	}
	return int(t.requests)
}

// Name is the task's name: Task.get_name. Any goroutine.
func (t *task) Name() string {
	if name := t.name.Load(); name != nil && *name != "" {
		return *name
	}
	return "Task-" + strconv.FormatUint(t.number, 10)
}

// SetName names the task: Task.set_name.
func (t *task) SetName(name string) {
	t.name.Store(&name)
	if t.loop.labels && t.runsHere() {
		t.label()
	}
}

// Context is the context that the task's coroutine was started with: Task.get_context.
func (t *task) Context() context.Context { return (*taskContext)(t) }

// Stack tells where the task is suspended, newest frame first: Task.get_stack. It is ""
// when the task is done or has not begun.
func (t *task) Stack() string {
	var frames *traceback
	var err error
	if !t.loop.atRest(func() { frames, err = t.frames() }) {
		err = misuse(ErrWrongLoop, "Stack was called from a goroutine that is not the loop's; use CaptureCallGraph")
	}
	if err != nil {
		panic(err)
	}
	return frames.String()
}

// frames is the task's stack, or why it cannot be looked at.
func (t *task) frames() (*traceback, error) {
	switch {
	case t.phase == taskDone || t.co == nil:
		return nil, nil
	case t.runsHere():
		return callerTraceback(), nil
	case t.phase == taskRunning: // it is creating an eager task, or its loop is at rest inside it
		return nil, nil
	case t.co == t.loop.deputy && loopHere() != t.loop: // it waits for the task in which its loop is at rest
		return nil, nil
	}
	if err := t.loop.coroutines.switchable(); err != nil {
		return nil, err
	}
	if g := t.uppermost(); g != t {
		return g.hostFrames()
	}
	if t.co == t.loop.deputy {
		return t.loop.stackBelow(t.co), nil
	}
	return t.co.stack(), nil
}
