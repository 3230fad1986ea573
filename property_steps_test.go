package asyncio_test

// The steps of a random program that await, limit, group and cancel tasks.

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// tick is the unit of a program's time.
const tick = time.Millisecond

func (st step) limit() time.Duration {
	if st.ticks == noLimit {
		return asyncio.Forever
	}
	return time.Duration(st.ticks) * tick
}

// run does the steps up to the first that fails.
func (a *actor) run(ctx context.Context, steps []step) error {
	w := a.world
	for _, st := range steps {
		w.look()
		if err := w.over(); err != nil {
			return err
		}
		w.say(a, "%s", st)
		if st.what == "barrier" {
			w.race(st)
		}
		err := a.do(ctx, st)
		if err == nil && st.what != "barrier" {
			w.race(st)
		}
		w.must(!foreignPanic(err), "%s: %v", a, err)
		w.say(a, "%s: %v", st.what, err)
		w.look()
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *actor) do(ctx context.Context, st step) error {
	if err, ok := a.synchronise(ctx, st); ok {
		return err
	}
	if err, ok := a.block(ctx, st); ok {
		return err
	}
	switch st.what {
	case "yield":
		return a.sleep(ctx, 0)
	case "sleep":
		return a.sleep(ctx, time.Duration(max(0, st.ticks))*tick)
	case "await":
		return a.await(ctx, st.n, func(aw asyncio.Awaitable[int]) (int, error) { return aw.Await(ctx) })
	case "wait for":
		return a.await(ctx, st.n, func(aw asyncio.Awaitable[int]) (int, error) {
			a.unseen++
			a.asked++ // the request of a limit, if it comes to that
			defer func() { a.unseen-- }()
			return asyncio.WaitFor(ctx, aw, st.limit())
		})
	case "shield":
		return a.shield(ctx, st.n)
	case "gather":
		return a.gather(ctx, st)
	case "gather all":
		return a.gatherAll(ctx, st)
	case "wait":
		return a.wait(ctx, st)
	case "completed":
		return a.completed(ctx, st)
	case "uncancel":
		a.uncancel()
	case "raise":
		return testkit.ErrBoom
	case "panic":
		panic(testkit.ErrBoom)
	default:
		a.world.quick(a, st)
	}
	return nil
}

// quick does a step that does not suspend, for a task or, with a nil, for a callback.
func (w *world) quick(a *actor, st step) {
	switch st.what {
	case "cancel":
		if target := w.victim(st); target.task != nil {
			w.cancel(w, target)
		}
	case "set", "fail", "drop":
		w.settle(w.futures[st.n%len(w.futures)], st)
	case "later":
		w.loop.CallLater(st.limit()%asyncio.Forever, func() {
			if w.over() == nil {
				w.say(w, "%s", st.body[0])
				w.quick(nil, st.body[0])
				w.look()
			}
		})
	case "move":
		if a != nil && len(a.scopes) > 0 {
			w.move(a.scopes[len(a.scopes)-1].scope, st.flag)
		}
	case "end group":
		if a != nil && a.group() != nil {
			a.group().group.Cancel()
		}
	default:
		w.quickSync(st)
	}
}

// race cancels, now and then, a task that waits: for a barrier before another one comes,
// else after the step, which may just have woken it.
func (w *world) race(st step) {
	switch st.what {
	case "give", "ring", "put", "get", "put now", "get now", "event set", "barrier", "lock", "permit":
		if st.ticks <= 0 && w.over() == nil {
			st.flag = true
			if target := w.victim(st); target.waits {
				w.cancel(w, target)
			}
		}
	}
}

// victim is a task to cancel: any, or one that waits, or is about to stop doing so.
func (w *world) victim(st step) *actor {
	var waiting []*actor
	for _, a := range w.actors {
		if a.waits {
			waiting = append(waiting, a)
		}
	}
	if !st.flag || len(waiting) == 0 {
		waiting = w.actors
	}
	return waiting[st.n%len(waiting)]
}

// settle makes a future done, in one of three ways.
func (w *world) settle(f *asyncio.Future[int], st step) {
	done := f.Done()
	switch st.what {
	case "set":
		err := f.SetResult(slices.Index(w.futures, f))
		w.must(errors.Is(err, asyncio.ErrInvalidState) == done, "SetResult of a future, done %v: %v", done, err)
	case "fail":
		err := f.SetException(testkit.ErrBoom)
		w.must(errors.Is(err, asyncio.ErrInvalidState) == done, "SetException of a future, done %v: %v", done, err)
	case "drop":
		w.must(f.Cancel() == !done, "Cancel of a future, done %v", done)
	}
	w.must(f.Done(), "a future is pending after %q", st.what)
}

func (w *world) move(s *asyncio.TimeoutScope, now bool) {
	expired, when := s.Expired(), asyncio.Forever
	if now {
		when = w.loop.Time()
	}
	err := s.Reschedule(when)
	w.must(errors.Is(err, asyncio.ErrInvalidState) == expired, "Reschedule, expired %v: %v", expired, err)
	w.must(expired || s.When() == when, "a limit was moved to %v and is %v", when, s.When())
}

// group is the innermost group that a may start tasks in.
func (a *actor) group() *openGroup {
	if n := len(a.groups); n > 0 {
		return a.groups[n-1]
	}
	return a.member
}

func (a *actor) uncancel() {
	if a.unseen > 0 {
		return
	}
	a.count()
	a.takeBack()
	left := a.task.Uncancel()
	a.world.must(a.exposed || left == a.requests, "%s: Uncancel has returned %d, not %d", a, left, a.requests)
	a.requests = left
	if left == 0 {
		a.asked = a.interruptions // one that was not delivered is dropped
	}
}

func (a *actor) sleep(ctx context.Context, d time.Duration) error {
	w := a.world
	end, turn := w.loop.Time()+d, w.loop.Stats().Turns
	if err := asyncio.Sleep(ctx, d); err != nil {
		return a.interrupted(err)
	}
	w.must(w.loop.Time() >= end, "a Sleep of %v has ended %v early", d, end-w.loop.Time())
	w.must(w.loop.Stats().Turns > turn, "a Sleep of %v has ended in the same turn", d)
	return nil
}

// target is what the number n refers to, and its task, if it is one; nil if a must not
// wait for it.
func (a *actor) target(n int) (asyncio.Awaitable[int], *actor) {
	w := a.world
	if n%2 == 1 {
		return w.futures[n/2%len(w.futures)], nil
	}
	other := w.actors[n/2%len(w.actors)]
	if other.task == nil || other.reaches(a, map[*actor]bool{}) {
		return nil, nil
	}
	return other.task, other
}

// awaited makes a wait for a task known, until the function that it returns is called.
func (a *actor) awaited(others ...*actor) (over func()) {
	n := len(a.waitsFor)
	for _, other := range others {
		if other != nil {
			other.exposed = true
			a.waitsFor = append(a.waitsFor, other)
		}
	}
	return func() { a.waitsFor = a.waitsFor[:min(n, len(a.waitsFor))] }
}

// await waits for a task or future, and checks what comes of it.
func (a *actor) await(ctx context.Context, n int, how func(asyncio.Awaitable[int]) (int, error)) error {
	aw, other := a.target(n)
	if aw == nil {
		return nil
	}
	defer a.awaited(other)()
	v, err := how(aw)
	return a.outcome(aw, v, err)
}

// outcome compares what a wait has returned with what it waited for. An error may be the
// wait's own.
func (a *actor) outcome(aw asyncio.Awaitable[int], v int, err error) error {
	w, f := a.world, aw.(asyncio.AnyFuture)
	if err != nil || w.over() != nil {
		return err
	}
	w.must(f.Done() && !f.Cancelled() && f.Exception() == nil, "a wait has succeeded, and what it waited for has not")
	w.must(v == w.result(aw), "a wait has returned %d, not %d", v, w.result(aw))
	return nil
}

// result is what a task or future has if it succeeds.
func (w *world) result(aw asyncio.Awaitable[int]) int {
	if f, ok := aw.(*asyncio.Future[int]); ok {
		return slices.Index(w.futures, f)
	}
	return slices.IndexFunc(w.actors, func(a *actor) bool { return aw == asyncio.Awaitable[int](a.task) })
}

func (a *actor) shield(ctx context.Context, n int) error {
	aw, _ := a.target(n)
	if aw == nil {
		return nil
	}
	done := aw.(asyncio.AnyFuture).Done()
	v, err := asyncio.Shield(ctx, aw).Await(ctx)
	w := a.world
	w.must(!done || err != nil || v == w.result(aw), "a shield of something done has returned %d", v)
	return a.outcome(aw, v, err)
}

// targets are several of them.
func (a *actor) targets(numbers []int) (aws []asyncio.Awaitable[int], others []*actor) {
	for _, n := range numbers {
		if aw, other := a.target(n); aw != nil {
			aws, others = append(aws, aw), append(others, other)
		}
	}
	return aws, others
}

func (a *actor) gather(ctx context.Context, st step) error {
	aws, others := a.targets(st.of)
	defer a.awaited(others...)()
	w := a.world
	if st.flag {
		results, err := asyncio.GatherResults(ctx, aws...).Await(ctx)
		for i, r := range results {
			w.must(aws[i].(asyncio.AnyFuture).Done(), "a gather has ended before its children")
			w.must(r.Err == nil || r.Err == aws[i].(asyncio.AnyFuture).Exception(), "a gather has the wrong error: %v", r.Err)
			w.must(r.Err != nil || r.Value == w.result(aws[i]), "a gather has %d at index %d", r.Value, i)
		}
		return err
	}
	values, err := asyncio.Gather(ctx, aws...).Await(ctx)
	w.must(err != nil || len(values) == len(aws), "a gather of %d has %d values", len(aws), len(values))
	for i, v := range values {
		if err := a.outcome(aws[i], v, nil); err != nil {
			return err
		}
	}
	return err
}

// gatherAll runs two bodies side by side, as tasks of their own.
func (a *actor) gatherAll(ctx context.Context, st step) error {
	w := a.world
	if len(w.actors) >= actorsMax {
		return nil
	}
	_, err := asyncio.Gather[int](ctx, w.inline(a, st.body), w.inline(a, st.other)).Await(ctx)
	return err
}

func (a *actor) wait(ctx context.Context, st step) error {
	aws, _ := a.targets(st.of)
	if len(aws) == 0 {
		return nil
	}
	fs := make([]asyncio.AnyFuture, len(aws))
	for i, aw := range aws {
		fs[i] = aw.(asyncio.AnyFuture)
	}
	w, when := a.world, asyncio.When(st.n%3)
	end := asyncio.Forever
	if st.ticks != noLimit {
		end = w.loop.Time() + st.limit()
	}
	done, pending, err := asyncio.Wait(ctx, fs, asyncio.ReturnWhen(when), asyncio.WaitTimeout(st.limit()))
	if err != nil {
		return a.interrupted(err)
	}
	failed := func(f asyncio.AnyFuture) bool { return !f.Cancelled() && f.Exception() != nil }
	enough := len(pending) == 0 || when == asyncio.FirstCompleted && len(done) > 0 ||
		when == asyncio.FirstException && slices.ContainsFunc(done, failed)
	w.must(enough || w.loop.Time() >= end, "Wait for %v has returned too early with %d of %d", when, len(done), len(fs))
	for _, f := range fs {
		w.must(slices.Contains(done, f) != slices.Contains(pending, f), "Wait has put a future on both sides, or none")
		w.must(slices.Contains(done, f) == f.Done(), "Wait has put a future on the wrong side")
	}
	return nil
}

func (a *actor) completed(ctx context.Context, st step) error {
	aws, _ := a.targets(st.of)
	w, seen := a.world, map[asyncio.Awaitable[int]]bool{}
	for i, r := range asyncio.AsCompleted(ctx, aws...) {
		if i == -1 {
			return a.interrupted(r.Err)
		}
		w.must(!seen[aws[i]], "AsCompleted has yielded index %d again", i)
		seen[aws[i]] = true
		w.must(aws[i].(asyncio.AnyFuture).Done(), "AsCompleted has yielded something that is not done")
		if r.Err == nil {
			_ = a.outcome(aws[i], r.Value, nil)
		}
	}
	for _, aw := range aws {
		w.must(seen[aw] || w.over() != nil, "AsCompleted has left one out")
	}
	return nil
}

// block does a step that has steps inside; ok is false for others.
func (a *actor) block(ctx context.Context, st step) (err error, ok bool) {
	switch st.what {
	case "catch":
		a.catch(a.run(ctx, st.body))
	case "finally":
		err = a.run(ctx, st.body)
		if newer := a.run(ctx, st.other); newer != nil {
			err = newer
		}
	case "timeout":
		err = a.timeout(ctx, st)
	case "within":
		err = a.within(ctx, st)
	case "group":
		err = a.openGroup(ctx, st)
	case "join group":
		if g := a.group(); g != nil {
			a.world.spawnIn(g, st.body, asyncio.EagerStart(st.flag))
		}
	case "spawn":
		a.world.spawn(ctx, st.body, asyncio.EagerStart(st.flag))
	default:
		return nil, false
	}
	return err, true
}

// catch drops an error of the program.
func (a *actor) catch(error) {}

func (a *actor) timeout(ctx context.Context, st step) error {
	w := a.world
	s := &openScope{scope: asyncio.NewTimeout(st.limit())}
	depth := len(a.scopes)
	a.scopes = append(a.scopes, s)
	a.count()
	requests := a.requests
	var inner error
	returned := false
	leave := func() { // after the scope has taken its request back
		a.count()
		a.scopes = a.scopes[:depth]
		if s.seen {
			a.takeBack()
		}
	}
	defer func() {
		if !returned {
			leave()
		}
	}()
	err := s.scope.Run(ctx, func(ctx context.Context) error {
		inner = a.run(ctx, st.body)
		return inner
	})
	returned = true
	leave()
	if w.over() != nil {
		return err
	}
	var c *asyncio.CancelledError
	var group *asyncio.ExceptionGroup
	cancelled := errors.As(inner, &c) && !errors.As(inner, &group)
	switch {
	case s.scope.Expired() && cancelled && a.unseen == 0 && !a.exposed:
		w.must(errors.Is(err, asyncio.ErrTimeout) == (a.requests <= requests), "%s: a limit of %v, %d requests before and %d after, has made %v of %v",
			a, st.limit(), requests, a.requests, err, inner)
	case !s.scope.Expired() || !cancelled:
		w.must(err == inner, "%s: a limit has made %v of %v", a, err, inner)
	}
	w.must(!s.scope.Expired() || w.loop.Time() >= s.scope.When(), "a limit has expired early")
	return err
}

func (a *actor) within(ctx context.Context, st step) error {
	w := a.world
	entered, end := false, asyncio.Forever
	if st.ticks != noLimit {
		end = w.loop.Time() + st.limit()
	}
	a.asked++ // the request of a limit, if it comes to that
	_, err := asyncio.WaitFor(ctx, asyncio.Coro[int](func(ctx context.Context) (int, error) {
		entered = true
		if st.ticks == 0 { // an eager task, which is cancelled as soon as it suspends
			return 0, nil
		}
		a.unseen++
		defer func() { a.unseen-- }()
		return 0, a.run(ctx, st.body)
	}), st.limit())
	w.must(st.ticks != 0 || entered == w.eager, "WaitFor with no time: a coroutine was started: %v", entered)
	w.must(st.ticks == 0 || entered, "WaitFor has not started its coroutine")
	w.must(err == nil || st.ticks != 0 || !errors.Is(err, asyncio.ErrTimeout) || w.loop.Time() >= end, "WaitFor has timed out early")
	return err
}

func (a *actor) openGroup(ctx context.Context, st step) error {
	w := a.world
	g := &openGroup{group: new(asyncio.TaskGroup)}
	depth := len(a.groups)
	a.groups = append(a.groups, g)
	var inner error
	ended := false
	err := g.group.Run(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		w.must(tg == g.group, "a group has called its body with another")
		for i, child := range st.other {
			w.spawnIn(g, []step{child}, asyncio.EagerStart(st.flag && i%2 == 0))
		}
		inner = a.run(ctx, st.body)
		ended = true
		return inner
	})
	a.count()
	a.groups = a.groups[:depth]
	if g.seen {
		a.takeBack()
	}
	if w.over() != nil {
		return err
	}
	failures := 0
	if !ended || inner != nil && !isCancellation(inner) {
		failures++
	}
	for _, child := range g.children {
		w.must(child.done(), "a group was left before %s was done", child)
		if child.done() && !child.task.Cancelled() && child.task.Exception() != nil {
			failures++
		}
	}
	return a.leftGroup(g, failures, err)
}

// leftGroup checks the error of a group in which so many tasks, and the body among them,
// have failed.
func (a *actor) leftGroup(g *openGroup, failures int, err error) error {
	w := a.world
	_, aborted := asyncio.GroupRequests(g.group)
	group, grouped := err.(*asyncio.ExceptionGroup)
	switch {
	case failures > 0 && grouped:
		w.must(len(group.Errs) == failures, "a group with %d failures has returned %d errors", failures, len(group.Errs))
		a.asked++ // a request from outside comes again
	case failures > 0:
		w.fail("%s: a group with %d failures has returned %T: %v", a, failures, err, err)
	case err != nil:
		w.must(aborted && isCancellation(err), "%s: a group without failures has returned %T: %v", a, err, err)
	}
	return err
}

// isCancellation reports whether err means that a task was cancelled.
func isCancellation(err error) bool {
	_, ok := err.(*asyncio.CancelledError)
	return ok
}
