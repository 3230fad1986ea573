package asyncio

// Task groups. The body and its children end together: WithTaskGroup returns when all
// have ended. States and moves:
//
//	created  -> open      Run was called
//	open     -> closing   the body has ended, children may still run and start others
//	closing  -> finished  the last child has ended
//
// The group aborts once, when a child fails, when the body ends with an error, when the
// parent is cancelled while it waits for children, or on Cancel: then all children are
// cancelled, and no new ones are accepted. If the cause is a child or Cancel, the parent
// gets one request of the group's own, which interrupts the body; it is taken back at the
// end. So the number of requests that are left reports whether somebody outside wanted
// the parent to end.

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

type groupState uint8

const (
	groupCreated groupState = iota
	groupOpen
	groupClosing
	groupFinished
)

// TaskGroup is a set of tasks that end before the function that opened it goes on:
// asyncio.TaskGroup. The zero value is a group that was not entered. Its methods are for
// the goroutine of its loop.
type TaskGroup struct {
	scope       scope // the body's context; its task is the parent
	first, last *groupChild
	empty       waitPoint // the parent waits here for the last child
	errs        []error   // of children
	state       groupState
	aborting    bool
	requested   bool // the group has cancelled the parent
	unwound     bool // a child has ended with Goexit
	cancelEarly bool // Cancel came before Run
	cancelMsg   any  // of that Cancel
}

// groupChild is a task of a group that has not ended.
type groupChild struct {
	group      *TaskGroup
	task       AnyTask
	prev, next *groupChild
}

// WithTaskGroup runs body and waits for all tasks that were started with tg: async with
// asyncio.TaskGroup(). If one of them fails, the others and the body are cancelled. A
// task that is merely cancelled does no harm. The errors of the tasks and the body,
// cancellations left out, are returned as one *ExceptionGroup; a panic of the body is one
// of them. If there are none and the body was cancelled from outside, that error is
// returned. If there are some and a request to cancel the parent is left, the parent's
// next Await is cancelled.
// Suspends. Cancelled: so are body and all tasks, which are still waited for.
func WithTaskGroup(ctx context.Context, body func(ctx context.Context, tg *TaskGroup) error) error {
	return new(TaskGroup).Run(ctx, body)
}

// Run is WithTaskGroup with a group that others can be given, or cancel, before it is
// entered. It runs once: again, the error is ErrGroupClosed. Outside a task it is
// ErrNotCurrentTask.
// Suspends. Cancelled: so are body and all tasks, which are still waited for.
func (tg *TaskGroup) Run(ctx context.Context, body func(ctx context.Context, tg *TaskGroup) error) error {
	if tg.state != groupCreated {
		return fmt.Errorf("%w: the TaskGroup has already been entered; make one for each body", ErrGroupClosed)
	}
	a, err := enterTask(ctx, "TaskGroup.Run, which needs a parent task,")
	if err != nil {
		return err
	}
	tg.state = groupOpen
	a.openScope(ctx, &tg.scope)
	if tg.cancelEarly {
		tg.cancel(tg.cancelMsg)
	}
	ended := false
	defer func() {
		if !ended { // Goexit, which goes on when the children have ended
			_ = tg.close(a, errGoexit)
		}
	}()
	err = tg.call(body)
	ended = true
	return tg.close(a, err)
}

// call runs the body and makes an error of its panic.
func (tg *TaskGroup) call(body func(ctx context.Context, tg *TaskGroup) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return body(&tg.scope, tg)
}

// close waits for the children of a body that ended with err, and says what Run returns.
func (tg *TaskGroup) close(a awaiter, err error) error {
	tg.state = groupClosing
	t := a.task
	cancellation := tg.cancellation(err)
	if err != nil && !tg.aborting {
		tg.abort(nil)
	}
	for tg.first != nil {
		interruption := tg.empty.wait(a)
		if t.loop.IsClosed() {
			tg.scope.close()
			return interruption
		}
		if interruption != nil && !tg.aborting {
			cancellation = interruption
			tg.abort(nil)
		}
		if a.foreign != nil && a.foreign.Err() != nil {
			a.foreign = nil // it has said what it had to say
		}
	}
	tg.state = groupFinished
	tg.scope.close()
	if tg.unwound {
		return errGoexit
	}
	ownRequestOnly := tg.requested && t.Uncancel() == 0
	switch {
	case err != nil && cancellation == nil:
		tg.errs = append(tg.errs, err)
	case len(tg.errs) == 0 && ownRequestOnly:
		return nil
	case len(tg.errs) == 0:
		return cancellation
	}
	if t.requests > 0 {
		t.interrupt(nil) // the request from outside was not answered: it comes again
	}
	return &ExceptionGroup{Message: "unhandled errors in a TaskGroup", Errs: tg.errs}
}

// cancellation is the body's error if it means that the body was cancelled, else nil.
// Foreign code that gave up because the body's context has ended was cancelled too.
func (tg *TaskGroup) cancellation(err error) error {
	switch ended := tg.scope.ended.err(); {
	case asCancelled(err) != nil:
		return err
	case err == nil || asGroup(err) != nil:
		return nil
	case ended != nil && errors.Is(err, ended) && !errors.Is(err, ErrTimeout): // which a limit inside the body has made
		return &CancelledError{}
	}
	if f := tg.scope.foreign; f != nil && f.Err() != nil && errors.Is(err, context.Cause(f)) {
		return err
	}
	return nil
}

// abort cancels the children.
func (tg *TaskGroup) abort(msg any) {
	tg.aborting = true
	for c := tg.first; c != nil; c = c.next {
		cancelFuture(c.task, msg)
	}
}

// cancel aborts the group and interrupts its body.
func (tg *TaskGroup) cancel(msg any) {
	tg.abort(msg)
	tg.requested = true
	tg.scope.interrupt(context.Canceled, msg)
}

// Cancel ends the group without an error: body and tasks are cancelled, and Run returns
// nil unless there is another reason to fail: TaskGroup.cancel. The first msg is the Msg
// of their CancelledErrors. Before Run it takes effect when the body is entered; while
// the group aborts, and after its end, it does nothing.
func (tg *TaskGroup) Cancel(msg ...any) {
	switch {
	case tg.state == groupCreated:
		tg.cancelEarly, tg.cancelMsg = true, firstOf(msg)
	case tg.state == groupClosing && tg.first == nil || tg.state == groupFinished || tg.aborting:
	default:
		tg.cancel(firstOf(msg))
	}
}

// Go starts fn as a task of the group, with the values of the body's context. If the
// group is shutting down, because it was cancelled or something failed, fn does not run
// and the task has failed with ErrGroupClosed. Go panics with ErrGroupClosed if the group
// was not entered or is finished.
func (tg *TaskGroup) Go(fn func(ctx context.Context) error, opts ...TaskOption) *Task[None] {
	if fn == nil {
		panic(misuse(ErrInvalidArgument, "TaskGroup.Go was given a nil function"))
	}
	return GroupTask(tg, Do(fn), opts...)
}

// GroupTask is TaskGroup.Go for a coroutine that has a result: TaskGroup.create_task.
func GroupTask[T any](tg *TaskGroup, coro Coro[T], opts ...TaskOption) *Task[T] {
	switch {
	case tg.state == groupCreated:
		panic(misuse(ErrGroupClosed, "the TaskGroup has not been entered; use it in the body of Run or WithTaskGroup"))
	case tg.state == groupFinished || tg.state == groupClosing && tg.first == nil:
		panic(misuse(ErrGroupClosed, "the TaskGroup is finished; start tasks before its last one has ended"))
	case tg.aborting:
		return failedTask[T](&tg.scope, fmt.Errorf("%w: the TaskGroup is shutting down; the task was not started", ErrGroupClosed))
	}
	t := newTask(tg.scope.task.loop, &tg.scope, coro, opts)
	tg.add(&groupChild{group: tg, task: t})
	t.addDone(tg.last)
	if tg.aborting {
		t.Cancel() // an eager task, which has cancelled its group
	}
	return t
}

// failedTask is a task that never ran. If nobody looks at its error, the exception
// handler hears of it.
func failedTask[T any](s *scope, err error) *Task[T] {
	t := &Task[T]{}
	t.future.init(s.task.loop)
	t.self, t.parent = t, s
	t.number = taskNumber.Add(1)
	t.loop.tasks.add(&t.task)
	t.finish(err)
	return t
}

// run tells the group that the child has ended.
func (c *groupChild) run(*Loop) {
	tg := c.group
	tg.remove(c)
	if tg.first == nil {
		tg.empty.wake(nil)
	}
	if c.task.Cancelled() {
		return
	}
	err := c.task.Exception()
	if err == nil {
		return
	}
	tg.errs = append(tg.errs, err)
	tg.unwound = tg.unwound || err == errGoexit
	if !tg.aborting {
		tg.cancel(nil)
	}
}

func (tg *TaskGroup) add(c *groupChild) {
	c.prev = tg.last
	if tg.last == nil {
		tg.first = c
	} else {
		tg.last.next = c
	}
	tg.last = c
}

func (tg *TaskGroup) remove(c *groupChild) {
	if c.prev == nil {
		tg.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		tg.last = c.prev
	} else {
		c.next.prev = c.prev
	}
}
