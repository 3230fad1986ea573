package asyncio

// Gather: several awaitables at once, results in the order of the arguments. The rules are asyncio's, and easily got wrong:
//
//   - the first failure completes the gathering future at once; the siblings run on, and their failures are not reported;
//   - a child that was cancelled counts as one that failed with a CancelledError: the gathering future is not "cancelled";
//   - cancelling the gathering future only asks every child to end; it completes as its children's ends make it, and
//     then with a CancelledError, whatever they returned.

import "context"

// Result is a value or an error.
type Result[T any] struct {
	Value T
	Err   error
}

// Gather starts every Coro as a task and returns a future of all results, in order: asyncio.gather. One future or task
// given twice is one child. Without arguments the future is done. A future of another loop panics with ErrWrongLoop.
func Gather[T any](ctx context.Context, aws ...Awaitable[T]) *Future[[]T] {
	return gather(ctx, aws, true, func(children []promise[T]) []T {
		values := make([]T, len(children))
		for i, c := range children {
			values[i], _ = c.Result()
		}
		return values
	})
}

// GatherResults is Gather that waits for every child and keeps its error beside its value: asyncio.gather with
// return_exceptions=True. Its future fails only if it is cancelled itself.
func GatherResults[T any](ctx context.Context, aws ...Awaitable[T]) *Future[[]Result[T]] {
	return gather(ctx, aws, false, func(children []promise[T]) []Result[T] {
		results := make([]Result[T], len(children))
		for i, c := range children {
			results[i].Value, results[i].Err = c.Result()
		}
		return results
	})
}

// gather makes the children and their links to the gathering future, whose result collect makes.
func gather[T, R any](ctx context.Context, aws []Awaitable[T], failFast bool, collect func([]promise[T]) R) *Future[R] {
	l := loopOf(ctx)
	if l == nil {
		panic(misuse(ErrNoRunningLoop, "Gather needs the context of a task, or Loop.Context()"))
	}
	outer := NewFuture[R](l)
	if len(aws) == 0 {
		outer.value = collect(nil)
		outer.complete(finished, nil)
		return outer
	}
	for i, aw := range aws {
		checkAwaitable(l, i, aw)
	}
	children := make([]promise[T], len(aws))
	g := &gathering{failFast: failFast, outer: &outer.future, links: make([]gatherLink, 0, len(aws))}
	for i, aw := range aws {
		children[i] = ensureFuture(l, ctx, aw)
		if t, isTask := children[i].(*Task[T]); isTask && promise[T](t) != any(aw) {
			t.quiet = true
			g.link(children[i])
		} else if !g.has(children[i]) {
			g.link(children[i])
		}
	}
	g.succeed = func() { _ = outer.SetResult(collect(children)) }
	g.fail = func(err error) { _ = outer.SetException(err) }
	outer.onCancel = g.cancel
	g.watch()
	return outer
}

// checkAwaitable panics before anything was started, so that nothing is left half done.
func checkAwaitable[T any](l *Loop, i int, aw Awaitable[T]) {
	switch a := aw.(type) {
	case promise[T]:
		if a.Loop() != l {
			panic(misuse(ErrWrongLoop, "argument %d is a future of a different loop", i+1))
		}
	case Coro[T]:
		if a == nil {
			panic(misuse(ErrInvalidState, "argument %d is a nil coroutine", i+1))
		}
	default:
		panic(misuse(ErrInvalidState, "argument %d: a Coro, Future or Task is required, not %T", i+1, aw))
	}
}

// gathering is a gathering future's view of its children.
type gathering struct {
	outer     *future
	links     []gatherLink
	left      int
	failFast  bool
	cancelled bool // Cancel of the outer future reached a child
	succeed   func()
	fail      func(error)
}

// gatherLink waits for one child.
type gatherLink struct {
	g     *gathering
	child AnyFuture
}

func (g *gathering) link(child AnyFuture) { g.links = append(g.links, gatherLink{g, child}) }

func (g *gathering) has(child AnyFuture) bool {
	for i := range g.links {
		if g.links[i].child == child {
			return true
		}
	}
	return false
}

// watch begins to wait. Children that are done already count at once, the others in a turn after they are done.
func (g *gathering) watch() {
	g.left = len(g.links)
	for i := range g.links {
		if link := &g.links[i]; !link.child.Done() {
			link.child.base().addWaiter(link)
		}
	}
	for i := range g.links {
		if link := &g.links[i]; link.child.Done() {
			g.childDone(link.child)
		}
	}
}

func (link *gatherLink) futureDone(f *future) { f.loop.ready.push(link) }

func (link *gatherLink) run(*Loop) { link.g.childDone(link.child) }

func (g *gathering) childDone(child AnyFuture) {
	g.left--
	err := child.Exception() // also notes that it was looked at
	switch {
	case g.outer.Done():
	case g.failFast && err != nil:
		g.fail(err)
	case g.left == 0 && g.cancelled:
		c := asCancelled(err)
		if c == nil {
			c = &CancelledError{}
		}
		g.fail(c)
	case g.left == 0:
		g.succeed()
	}
}

// cancel asks every child to end; true if one of them was not done.
func (g *gathering) cancel(msg any) bool {
	asked := false
	for i := range g.links {
		if cancelFuture(g.links[i].child, msg) {
			asked = true
		}
	}
	g.cancelled = g.cancelled || asked
	return asked
}

// cancelFuture is f.Cancel with a message that may be nil.
func cancelFuture(f AnyFuture, msg any) bool {
	if msg == nil {
		return f.Cancel()
	}
	return f.Cancel(msg)
}

// Gather2 awaits two awaitables of different types at once, with the rules of Gather.
// Suspends. Cancelled: so are both.
func Gather2[A, B any](ctx context.Context, a Awaitable[A], b Awaitable[B]) (A, B, error) {
	var va A
	var vb B
	_, err := Gather[None](ctx, storeIn(a, &va), storeIn(b, &vb)).Await(ctx)
	return va, vb, err
}

// Gather3 is Gather2 of three.
// Suspends. Cancelled: so are all.
func Gather3[A, B, C any](ctx context.Context, a Awaitable[A], b Awaitable[B], c Awaitable[C]) (A, B, C, error) {
	var va A
	var vb B
	var vc C
	_, err := Gather[None](ctx, storeIn(a, &va), storeIn(b, &vb), storeIn(c, &vc)).Await(ctx)
	return va, vb, vc, err
}

// Gather4 is Gather2 of four.
// Suspends. Cancelled: so are all.
func Gather4[A, B, C, D any](ctx context.Context, a Awaitable[A], b Awaitable[B], c Awaitable[C], d Awaitable[D]) (A, B, C, D, error) {
	var va A
	var vb B
	var vc C
	var vd D
	_, err := Gather[None](ctx, storeIn(a, &va), storeIn(b, &vb), storeIn(c, &vc), storeIn(d, &vd)).Await(ctx)
	return va, vb, vc, vd, err
}

// storeIn makes a child without a result that leaves aw's in a variable.
func storeIn[T any](aw Awaitable[T], v *T) Awaitable[None] {
	return Do(func(ctx context.Context) (err error) {
		*v, err = aw.Await(ctx)
		return err
	})
}
