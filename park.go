package asyncio

// The one way to sleep. Whatever suspends a task calls enter, which finds the task and
// checks that it may suspend, registers somewhere that will call wake, and parks. Exactly
// one of three things ends the park:
//
//   - wake, by whoever the wait was registered with;
//   - Task.Cancel, which cancels the awaited future or undoes the registration with
//     abort;
//   - the end of a context that the caller derived, which undoes the registration with
//     abort.
//
// abort is called at most once for a park.

import (
	"context"
	"fmt"

	"github.com/seed-a026a017/asyncio/internal/goid"
)

// aborter is a wait that can be undone.
type aborter interface {
	// abort undoes the registration of t: true means that nobody will wake t, false that
	// the wake is on its way.
	abort(t *task) bool
}

// awaiter is a task that is about to suspend.
type awaiter struct {
	task    *task           // nil: the caller is a goroutine that is no task
	foreign context.Context // a context derived with package context, whose end ends the wait; nil: none
}

// enter finds out who suspends. A context that is a task's or scope's own is recognised
// by its type, which costs 2 ns; one that the caller derived is asked for the task.
func enter(ctx context.Context) (awaiter, error) {
	var a awaiter
	switch c := ctx.(type) {
	case *taskContext:
		a.task = (*task)(c)
	case *scope:
		a.task, a.foreign = c.task, c.foreign
	case nil:
		panic(misuse(ErrInvalidArgument, "a call that may suspend was given a nil context; pass on the one that your coroutine was given"))
	default:
		own, _ := ctx.Value(ownKey{}).(ownContext)
		if own == nil {
			return a, nil
		}
		a.task, a.foreign = own.ownTask(), own.ownForeign()
		if ctx.Done() != own.Done() {
			a.foreign = ctx
		}
	}
	self, lock := goid.SelfAndLock()
	if a.task.goroutine.Load() != self || a.task.loop.current != a.task { // runsHere, without its call
		return a, notCurrent(a.task)
	}
	if lock != a.task.loop.coroutines.lock {
		return a, a.task.lockedThread()
	}
	if a.foreign != nil && a.foreign.Err() != nil {
		return a, context.Cause(a.foreign)
	}
	return a, nil
}

// runsHere reports whether the caller is the coroutine of the task. The goroutine comes
// first: others may not look at the loop.
func (t *task) runsHere() bool { return t.goroutine.Load() == goid.Self() && t.loop.current == t }

func notCurrent(t *task) error {
	running := "another goroutine awaits"
	if l := t.loop; loopHere() == l {
		running = "no task runs"
		if l.current != nil {
			running = l.current.Name() + " runs"
		}
	}
	return fmt.Errorf("%w: the context is that of %s, but %s; await with the context that your own coroutine was given",
		ErrNotCurrentTask, t.Name(), running)
}

// lockedThread refuses to suspend: the runtime would end the process.
func (t *task) lockedThread() error {
	return fmt.Errorf("%w: %s cannot suspend: since it began its goroutine was locked to a thread, unlocked, or called back by C; "+
		"undo that before you await, or leave such work to ToThread", ErrInvalidState, t.Name())
}

// park suspends the task until it is woken, and returns what it was woken with.
func (a awaiter) park(w aborter) error { return a.task.park(a.foreign, w) }

// parkWatching is park with a context that the caller derived.
func (t *task) parkWatching(foreign context.Context, w aborter) error {
	watch := &contextWatch{task: t, ctx: foreign}
	watches, pending := false, 0
	defer func() {
		if !watches { // a context of the caller's own making has panicked
			w.abort(t)
		}
		t.co.watching = false
		t.loop.counters.pending -= pending
	}()
	if _, limited := foreign.Deadline(); limited {
		pending = 1
		t.loop.counters.pending += pending
	}
	stop := context.AfterFunc(foreign, func() { t.loop.post(watch) })
	watches, t.co.watching = true, true
	var err error
	if t.phase == taskReady { // the caller's context has done what was to be waited for
		err = t.resumed(t.standIn() || t.co.yield(struct{}{}))
	} else {
		err = awaiter{task: t}.park(w)
	}
	stop()
	watch.task = nil
	return err
}

// yield lets the loop run what is ready, once.
func (a awaiter) yield() error {
	t := a.task
	t.requeue()
	return t.resumed(t.standIn() || t.co.yield(struct{}{}))
}

// contextWatch ends a park when a context ends.
type contextWatch struct {
	task *task // nil: the park is over
	ctx  context.Context
}

func (w *contextWatch) run(*Loop) {
	t := w.task
	if t != nil && t.phase == taskSuspended && t.co.waiting.abort(t) {
		t.wake(context.Cause(w.ctx))
	}
}

// park is one frame, and a small one: a coroutine that waits at a usual depth fits 2 KiB
// of stack, and just so.
func (t *task) park(foreign context.Context, w aborter) error {
	if foreign != nil {
		return t.parkWatching(foreign, w)
	}
	t.become(taskSuspended)
	t.co.waiting = w
	if e := t.interrupted; e != nil {
		t.interrupted = nil
		t.interrupt(e.Msg)
	}
	return t.resumed(t.standIn() || t.co.yield(struct{}{}))
}

// requeue makes a running task ready, to go on in the next turn.
func (t *task) requeue() {
	t.become(taskReady)
	t.loop.ready.push(t)
}

// resumed is called with what the coroutine's yield has answered, and is what the
// suspended call returns. Yield is called as near to the user's code as can be: the
// processor predicts the first return after a switch, and each one up from there, by the
// stack that it has left, so every frame between costs 6 to 10 ns.
func (t *task) resumed(alive bool) error {
	if !alive || t.co.inspect || t.co.wakeErr != nil || t.interrupted != nil {
		return t.resumedWith(alive)
	}
	return nil
}

func (t *task) resumedWith(alive bool) error {
	c := t.co
	for alive && c.inspect { // resumed only to be looked at
		c.frames = callerTraceback()
		alive = c.yield(struct{}{})
	}
	if !alive {
		return t.orphaned()
	}
	err := t.co.wakeErr
	t.co.wakeErr = nil
	if e := t.interrupted; e != nil { // it came after the wake, and wins
		t.interrupted = nil
		return e
	}
	return err
}

// orphanedAwaitsMax is how many Awaits of a closed loop a task may ignore before it is
// ended by a panic.
const orphanedAwaitsMax = 1000

// orphaned is what park returns when the loop was closed.
func (t *task) orphaned() error {
	if t.co.waiting != nil {
		t.co.waiting.abort(t)
		t.co.waiting = nil
	}
	t.takeControl()
	err := misuse(ErrLoopClosed, "%s was suspended when its loop was closed", t.Name())
	t.co.orphaned++
	if t.co.orphaned > orphanedAwaitsMax {
		panic(err)
	}
	return err
}

// wake makes a suspended task ready; park returns err.
func (t *task) wake(err error) {
	t.become(taskReady)
	c := t.co
	c.waiting, c.wakeErr = nil, err
	t.loop.ready.push(t)
}

// waitPoint is a place where at most one task waits. Its zero value is empty.
type waitPoint struct{ task *task }

// wait suspends a's task until wake.
func (p *waitPoint) wait(a awaiter) error {
	p.task = a.task
	return a.park(p)
}

// wake ends the wait, if there is one.
func (p *waitPoint) wake(err error) {
	if t := p.task; t != nil {
		if t.loop.debug {
			t.loop.checkGoroutine("wake")
			t.mustBe(taskSuspended)
		}
		p.task = nil
		t.wake(err)
	}
}

// taken reports whether a task waits.
func (p *waitPoint) taken() bool { return p.task != nil }

func (p *waitPoint) abort(*task) bool {
	waits := p.task != nil
	p.task = nil
	return waits
}

// enterTask is enter for calls that only a task can make.
func enterTask(ctx context.Context, method string) (awaiter, error) {
	a, err := enter(ctx)
	if err == nil && a.task == nil {
		err = notInTask(method)
	}
	return a, err
}

func notInTask(method string) error {
	return fmt.Errorf("%w: %s was called outside of a task; use the context that a coroutine was given", ErrNotCurrentTask, method)
}

// enterOn is enter for calls that only a task of the loop can make.
func (l *Loop) enterOn(ctx context.Context, method string) (awaiter, error) {
	a, err := enter(ctx)
	if err == nil && (a.task == nil || a.task.loop != l || l.IsClosed()) {
		err = l.refuse(a, method)
	}
	return a, err
}

// refuse tells why a cannot make a call on the loop.
func (l *Loop) refuse(a awaiter, method string) error {
	switch {
	case l.IsClosed():
		return fmt.Errorf("%w: %s needs an open loop", ErrLoopClosed, method)
	case a.task == nil:
		return notInTask(method)
	}
	return fmt.Errorf("%w: %s was called by a task of another loop", ErrWrongLoop, method)
}
