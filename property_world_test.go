package asyncio_test

// The world in which a random program runs: its tasks, what they share, and what is known
// of both.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// Bounds of a program. They are far above what any program takes that ends.
const (
	actorsMax = 60     // no more tasks are started
	pollsMax  = 20_000 // it runs for ever
	roundsMax = 100    // its tasks do not end, however often they are cancelled
)

// errFault ends the tasks of a world in which something is wrong.
var errFault = errors.New("the program has failed")

// world is a program that runs.
type world struct {
	program
	loop    *asyncio.Loop
	actors  []*actor
	futures []*asyncio.Future[int]
	sync    *synchronisation

	fault  string // the first that was found
	trace  []string
	looks  int // a call during which this does not change has not suspended
	polls  int
	rounds int // how often all tasks were cancelled
}

// actor is a task, and what it may expect.
type actor struct {
	world *world
	id    int // also its result
	task  *asyncio.Task[int]
	began bool
	ended bool
	waits bool  // it is in a step that waits for a primitive
	err   error // what its body returned, if it ended

	requests      int // that were made and not taken back: Cancelling
	asked         int // that were made
	interruptions int // cancellations that its waits have returned

	// exposed: it is awaited by others without a shield, or gathered, so that their
	// cancellations are requests too, and its own are not all known.
	exposed bool
	unseen  int // limits around it whose requests cannot be seen

	scopes   []*openScope
	groups   []*openGroup
	member   *openGroup // whose child it is
	aborted  bool       // the group has cancelled it
	creating bool       // it runs inside the call that makes it
	waitsFor []*actor   // whom it awaits without a shield, and its gathered children
}

// openScope is a timeout whose body runs.
type openScope struct {
	scope *asyncio.TimeoutScope
	seen  bool // its request was counted
}

// openGroup is a task group that has not been left.
type openGroup struct {
	group    *asyncio.TaskGroup
	children []*actor
	seen     bool // its request to the parent was counted
}

// runProgram runs p and tells what was wrong, "" for nothing, and what happened.
func runProgram(p program, opts ...asyncio.Option) (fault string, trace []string) {
	opts = append(opts, asyncio.WithLogger(slog.New(slog.DiscardHandler)))
	if p.eager {
		opts = append(opts, asyncio.WithEagerTasks())
	}
	l, err := asyncio.NewEventLoop(opts...)
	if err != nil {
		return err.Error(), nil
	}
	w := &world{program: p, loop: l, sync: newSynchronisation(p)}
	for range 3 {
		w.futures = append(w.futures, asyncio.NewFuture[int](l))
	}
	asyncio.VirtualTime(l, w.observe, w.idle)
	l.SetExceptionHandler(w.report)
	for _, steps := range p.tasks {
		w.spawn(l.Context(), steps)
	}
	if err := l.RunForever(); err != nil {
		w.fail("RunForever: %v", err)
	}
	w.close()
	return w.fault, w.trace
}

// fail notes the first fault, and ends the run.
func (w *world) fail(format string, args ...any) {
	if w.fault == "" {
		w.fault = fmt.Sprintf(format, args...)
		w.trace = append(w.trace, "FAULT: "+w.fault)
		if w.loop.IsRunning() {
			w.loop.Stop()
		}
	}
}

func (w *world) must(ok bool, format string, args ...any) {
	if !ok {
		w.fail(format, args...)
	}
}

func (w *world) say(who fmt.Stringer, format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%v %s: ", w.loop.Time(), who)+fmt.Sprintf(format, args...))
}

// over tells that the program is not to go on.
func (w *world) over() error {
	switch {
	case w.fault != "":
		return errFault
	case w.loop.IsClosed():
		return asyncio.ErrLoopClosed
	}
	return nil
}

// observe runs before each poll.
func (w *world) observe() {
	w.polls++
	w.must(w.polls < pollsMax, "the loop turns for ever")
	w.look()
}

// look checks all that holds between two steps.
func (w *world) look() {
	if w.over() != nil {
		return
	}
	w.looks++
	shared := w.sync.all()
	for _, f := range w.futures {
		shared = append(shared, f)
	}
	if err := asyncio.Audit(w.loop, shared...); err != nil {
		w.fail("%v", err)
	}
	for _, a := range w.actors {
		a.look()
	}
	w.sync.look(w)
}

// idle is called when nothing will happen any more: then whoever still waits is
// cancelled, again and again.
func (w *world) idle() {
	left := len(asyncio.AllTasks(w.loop))
	if left == 0 || w.abrupt || w.over() != nil {
		w.loop.Stop()
		return
	}
	w.rounds++
	w.must(w.rounds < roundsMax, "%d tasks do not end", left)
	for _, a := range w.actors {
		if a.task != nil {
			w.cancel(w, a)
		}
	}
}

func (w *world) String() string { return "loop" }

// close closes the loop, and checks what is left of it and of the tasks.
func (w *world) close() {
	if !w.abrupt && w.fault == "" {
		s := w.loop.Stats()
		w.must(s.Tasks+s.Ready+s.Timers+s.Handles == 0, "at the end the loop has %+v", s)
		w.sync.end(w)
	}
	if err := w.loop.Close(); err != nil {
		w.fail("Close: %v", err)
	}
	w.must(asyncio.LiveCoroutines(w.loop) == 0, "%d coroutines are left", asyncio.LiveCoroutines(w.loop))
	for _, a := range w.actors {
		a.end()
	}
}

// report is the loop's exception handler. That a failure was never looked at, or a task
// never finished, is the program's affair; a panic that it did not ask for is not.
func (w *world) report(_ *asyncio.Loop, c asyncio.ErrorContext) {
	w.must(!foreignPanic(c.Exception), "%s: %v", c.Message, c.Exception)
}

// foreignPanic finds a panic that is not a step of the program.
func foreignPanic(err error) bool {
	var p *asyncio.PanicError
	return errors.As(err, &p) && p.Value != testkit.ErrBoom
}

func (w *world) newActor() *actor {
	a := &actor{world: w, id: len(w.actors)}
	w.actors = append(w.actors, a)
	return a
}

func (a *actor) String() string { return fmt.Sprintf("task %d", a.id) }

// spawn starts a task. It is nil if there are too many.
func (w *world) spawn(ctx context.Context, steps []step, opts ...asyncio.TaskOption) *actor {
	if len(w.actors) >= actorsMax {
		return nil
	}
	a := w.newActor()
	task := asyncio.CreateTask(ctx, a.coroutine(steps), append(opts, asyncio.WithName(a.String()))...)
	w.must(a.task == nil || a.task == task, "%s runs as another task", a)
	a.task = task
	return a
}

// spawnIn starts a task of a group.
func (w *world) spawnIn(g *openGroup, steps []step, opts ...asyncio.TaskOption) {
	if len(w.actors) >= actorsMax {
		return
	}
	a := w.newActor()
	_, aborting := asyncio.GroupRequests(g.group)
	if !aborting {
		a.member, a.creating = g, true
		g.children = append(g.children, a)
	}
	task := asyncio.GroupTask(g.group, a.coroutine(steps), append(opts, asyncio.WithName(a.String()))...)
	a.task, a.creating = task, false
	w.must(!aborting || !a.began && errors.Is(task.Exception(), asyncio.ErrGroupClosed), "a group that shuts down has started %s", a)
}

// inline is a coroutine that becomes a task of its own, a child of a, if it is started at
// all.
func (w *world) inline(a *actor, steps []step) asyncio.Coro[int] {
	return func(ctx context.Context) (int, error) {
		child := w.newActor()
		child.exposed = true
		a.waitsFor = append(a.waitsFor, child)
		return child.coroutine(steps)(ctx)
	}
}

func (a *actor) coroutine(steps []step) asyncio.Coro[int] {
	return func(ctx context.Context) (int, error) {
		a.task = asyncio.CurrentTask(ctx).(*asyncio.Task[int])
		a.task.SetName(a.String()) // a fault has to read alike whenever it is found, to be shortened
		a.world.must(!a.began, "%s has begun twice", a)
		a.began = true
		err := a.run(ctx, steps)
		a.ended, a.err = true, err
		return a.id, err
	}
}

func (a *actor) done() bool { return a.task != nil && a.task.Done() }

// look counts the requests that scopes and groups have made meanwhile, and compares.
func (a *actor) look() {
	if a.task == nil || a.task.Done() {
		return
	}
	a.count()
	if !a.exposed && a.unseen == 0 {
		a.world.must(a.task.Cancelling() == a.requests, "%s has %d requests to cancel, and should have %d", a, a.task.Cancelling(), a.requests)
	}
}

func (a *actor) count() {
	for _, s := range a.scopes {
		if !s.seen && s.scope.Expired() {
			s.seen = true
			a.request()
		}
	}
	for _, g := range a.groups {
		if parent, _ := asyncio.GroupRequests(g.group); parent && !g.seen {
			g.seen = true
			a.request()
		}
	}
	if !a.aborted && !a.creating && !a.done() && a.inAbortedGroup() {
		a.aborted = true
		a.request()
	}
}

func (a *actor) request() {
	a.requests++
	a.asked++
}

// takeBack is Uncancel.
func (a *actor) takeBack() { a.requests = max(0, a.requests-1) }

// cancel asks target to end.
func (w *world) cancel(who fmt.Stringer, target *actor) {
	target.count()
	done := target.task.Done()
	asked := target.task.Cancel(who.String())
	w.must(asked == !done, "Cancel of %s, done %v, has returned %v", target, done, asked)
	if asked {
		target.request()
	}
}

// interrupted checks the error of a wait that has nothing to fail for but a cancellation,
// and returns it.
func (a *actor) interrupted(err error) error {
	w := a.world
	if w.over() != nil {
		return err
	}
	_, cancelled := err.(*asyncio.CancelledError)
	w.must(cancelled, "%s: a wait has failed with %T: %v", a, err, err)
	a.count()
	a.interruptions++
	w.must(a.exposed || a.interruptions <= a.asked, "%s was interrupted %d times for %d requests", a, a.interruptions, a.asked)
	return err
}

// reaches reports whether a's end has to wait, in the end, for that of target.
func (a *actor) reaches(target *actor, seen map[*actor]bool) bool {
	if a == target {
		return true
	}
	if seen[a] || a.done() {
		return false
	}
	seen[a] = true
	others := slices.Clone(a.waitsFor)
	for _, g := range a.groups {
		others = append(others, g.children...)
	}
	return slices.ContainsFunc(others, func(other *actor) bool { return other.reaches(target, seen) })
}

func (a *actor) inAbortedGroup() bool {
	if a.member == nil {
		return false
	}
	_, aborted := asyncio.GroupRequests(a.member.group)
	return aborted
}

// end checks what has become of the task.
func (a *actor) end() {
	w := a.world
	if w.fault != "" || a.task == nil {
		return
	}
	if !a.task.Done() {
		w.fail("%s is not done after the end", a)
		return
	}
	v, err := a.task.Result()
	w.must(!foreignPanic(err), "%s: %v", a, err)
	switch {
	case a.task.Cancelled():
		var c *asyncio.CancelledError
		w.must(errors.As(a.err, &c) || a.asked > 0 || a.exposed || a.inAbortedGroup() || w.abrupt, "%s is cancelled, and nobody asked for it", a)
	case !a.began:
		w.must(err != nil, "%s has succeeded without running", a)
	case a.ended:
		w.must(err == a.err, "%s has returned %v, and its task has %v", a, a.err, err)
		w.must(err != nil || v == a.id, "%s has returned %d", a, v)
	}
}
