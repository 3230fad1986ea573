package asyncio

// Gather: several awaitables at once, results in the order of the arguments. The rules
// are asyncio's, and easily got wrong:
//
//   - the first failure completes the gathering future at once; the siblings run on, and
//     their failures are not reported;
//   - a child that was cancelled counts as one that failed with a CancelledError: the
//     gathering future is not "cancelled";
//   - cancelling the gathering future only asks every child to end; it completes as its
//     children's ends make it, and then with a CancelledError, whatever they returned.

import "context"

// Gather starts every Coro as a task and returns a future of all results, in order:
// asyncio.gather. The first child that fails or is cancelled makes the future fail with
// its error at once; the others run on, and what becomes of them is not reported. To
// cancel the future cancels all children that are not done; it then fails with a
// *CancelledError when the first of them has ended so, or all have ended. One future or
// task given twice is one child. Without arguments the future is done. Gather panics with
// ErrWrongLoop for a future of another loop, with ErrNoRunningLoop if ctx belongs to
// none, and with ErrInvalidArgument for a nil argument.
func Gather[T any](ctx context.Context, aws ...Awaitable[T]) *Future[[]T] {
	g := newGathering(ctx, len(aws))
	children := addChildren(g, ctx, aws)
	g.children = func(i int) AnyFuture { return children[i] }
	return gather(g, true, func() []T {
		values := make([]T, len(children))
		for i, c := range children {
			values[i], _ = c.Result()
		}
		return values
	})
}

// GatherResults is Gather that waits for every child and keeps its error beside its
// value: asyncio.gather with return_exceptions=True. Its future fails only if it is
// cancelled itself, and then when all children have ended.
func GatherResults[T any](ctx context.Context, aws ...Awaitable[T]) *Future[[]Result[T]] {
	g := newGathering(ctx, len(aws))
	children := addChildren(g, ctx, aws)
	g.children = func(i int) AnyFuture { return children[i] }
	return gather(g, false, func() []Result[T] {
		results := make([]Result[T], len(children))
		for i, c := range children {
			results[i].Value, results[i].Err = c.Result()
		}
		return results
	})
}

// newGathering begins to gather n children on ctx's loop.
func newGathering(ctx context.Context, n int) *gathering {
	l := loopOf(ctx)
	if l == nil {
		panic(misuse(ErrNoRunningLoop, "Gather needs the context of a task, or Loop.Context()"))
	}
	return &gathering{loop: l, links: make([]gatherLink, 0, n)}
}

// addChildren checks all awaitables before it starts the first, so that a panic leaves
// nothing half done.
func addChildren[T any](g *gathering, ctx context.Context, aws []Awaitable[T]) []promise[T] {
	for i, aw := range aws {
		checkAwaitable(g.loop, i, aw)
	}
	children := make([]promise[T], len(aws))
	for i, aw := range aws {
		children[i] = addChild(g, ctx, aw)
	}
	return children
}

// addChild makes aw a child, or finds that it is one already.
func addChild[T any](g *gathering, ctx context.Context, aw Awaitable[T]) promise[T] {
	if coro, ok := aw.(Coro[T]); ok {
		t := newTask(g.loop, ctx, coro, nil)
		t.quiet = true
		g.links = append(g.links, gatherLink{g, &t.future})
		return t
	}
	p := ensureFuture(g.loop, ctx, aw)
	if !g.given[p] {
		if g.given == nil {
			g.given = make(map[AnyFuture]bool)
		}
		g.given[p] = true
		g.links = append(g.links, gatherLink{g, p.base()})
	}
	return p
}

// gather makes the gathering future, whose result collect makes.
func gather[R any](g *gathering, failFast bool, collect func() R) *Future[R] {
	outer := NewFuture[R](g.loop)
	g.outer, g.failFast, g.given = outer, failFast, nil
	if len(g.links) == 0 {
		_ = outer.SetResult(collect())
		return outer
	}
	g.succeed = func() { _ = outer.SetResult(collect()) }
	g.fail = func(err error) { _ = outer.SetException(err) }
	outer.rarely().onCancel = g.cancel
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
			panic(misuse(ErrInvalidArgument, "argument %d is a nil coroutine", i+1))
		}
	default:
		panic(misuse(ErrInvalidArgument, "argument %d: a Coro, Future or Task is required, not %T", i+1, aw))
	}
}

// gathering is a gathering future's view of its children.
type gathering struct {
	loop      *Loop
	outer     AnyFuture
	links     []gatherLink
	children  func(i int) AnyFuture // the arguments as futures
	given     map[AnyFuture]bool    // while the children are added: those that came as futures
	left      int
	failFast  bool
	cancelled *CancelledError // Cancel of the outer future reached a child; nil: it did not
	succeed   func()
	fail      func(error)
}

// gatherLink waits for one child.
type gatherLink struct {
	g     *gathering
	child *future
}

// watch begins to wait. Children that are done already count at once, the others in a
// turn after they are done.
func (g *gathering) watch() {
	g.left = len(g.links)
	for i := range g.links {
		if link := &g.links[i]; link.child.state == pending {
			link.child.addWaiter(link)
		}
	}
	for i := range g.links {
		if link := &g.links[i]; link.child.state != pending {
			g.childDone(link.child)
		}
	}
}

func (link *gatherLink) run(*Loop) { link.g.childDone(link.child) }

func (g *gathering) childDone(child *future) {
	g.left--
	err := child.Exception() // also notes that it was looked at
	switch {
	case g.outer.Done():
	case g.failFast && err != nil:
		g.fail(err)
		g.letGo()
	case g.left == 0 && g.cancelled != nil:
		c := asCancelled(err)
		if c == nil {
			c = g.cancelled
		}
		g.fail(c)
	case g.left == 0:
		g.succeed()
	}
}

// letGo stops waiting for the children that run on, so that one which lives long does not
// hold what the others have returned.
func (g *gathering) letGo() {
	for i := range g.links {
		if child := g.links[i].child; child.removeWaiter(&g.links[i]) {
			child.ignored = true
		}
	}
}

// cancel asks every child to end; true if one of them was not done.
func (g *gathering) cancel(msg any) bool {
	asked := false
	for i, n := 0, 0; n < len(g.links); i++ {
		child := g.children(i)
		if child.base() != g.links[n].child {
			continue // given for the second time
		}
		n++
		if cancelFuture(child, msg) {
			asked = true
		}
	}
	if asked {
		g.cancelled = &CancelledError{Msg: msg}
	}
	return asked
}

// cancelFuture is f.Cancel with a message that may be nil.
func cancelFuture(f AnyFuture, msg any) bool {
	if msg == nil {
		return f.Cancel()
	}
	return f.Cancel(msg)
}

// Gather2 awaits two awaitables of different types at once, with the rules of Gather:
// await asyncio.gather(a, b).
// Suspends. Cancelled: so are both.
func Gather2[A, B any](ctx context.Context, a Awaitable[A], b Awaitable[B]) (va A, vb B, err error) {
	g := newGathering(ctx, 2)
	checkAwaitable(g.loop, 0, a)
	checkAwaitable(g.loop, 1, b)
	pa, pb := addChild(g, ctx, a), addChild(g, ctx, b)
	if err = g.await(ctx, pa, pb); err == nil {
		va, _ = pa.Result()
		vb, _ = pb.Result()
	}
	return va, vb, err
}

// Gather3 is Gather2 of three.
// Suspends. Cancelled: so are all.
func Gather3[A, B, C any](ctx context.Context, a Awaitable[A], b Awaitable[B], c Awaitable[C]) (va A, vb B, vc C, err error) {
	g := newGathering(ctx, 3)
	checkAwaitable(g.loop, 0, a)
	checkAwaitable(g.loop, 1, b)
	checkAwaitable(g.loop, 2, c)
	pa, pb, pc := addChild(g, ctx, a), addChild(g, ctx, b), addChild(g, ctx, c)
	if err = g.await(ctx, pa, pb, pc); err == nil {
		va, _ = pa.Result()
		vb, _ = pb.Result()
		vc, _ = pc.Result()
	}
	return va, vb, vc, err
}

// Gather4 is Gather2 of four.
// Suspends. Cancelled: so are all.
func Gather4[A, B, C, D any](ctx context.Context, a Awaitable[A], b Awaitable[B], c Awaitable[C], d Awaitable[D]) (va A, vb B, vc C, vd D, err error) {
	g := newGathering(ctx, 4)
	checkAwaitable(g.loop, 0, a)
	checkAwaitable(g.loop, 1, b)
	checkAwaitable(g.loop, 2, c)
	checkAwaitable(g.loop, 3, d)
	pa, pb, pc, pd := addChild(g, ctx, a), addChild(g, ctx, b), addChild(g, ctx, c), addChild(g, ctx, d)
	if err = g.await(ctx, pa, pb, pc, pd); err == nil {
		va, _ = pa.Result()
		vb, _ = pb.Result()
		vc, _ = pc.Result()
		vd, _ = pd.Result()
	}
	return va, vb, vc, vd, err
}

// await waits for all children.
func (g *gathering) await(ctx context.Context, children ...AnyFuture) error {
	g.children = func(i int) AnyFuture { return children[i] }
	_, err := gather(g, true, func() None { return None{} }).Await(ctx)
	return err
}
