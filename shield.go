package asyncio

// Shield: a wait whose cancellation stops at the waiter.

import (
	"context"
	"fmt"
)

// Shield returns a future with aw's outcome whose cancellation does not reach aw:
// asyncio.shield. A cancelled aw cancels the future. If the future was cancelled and aw
// fails later, the exception handler hears of it. A future of another loop panics with
// ErrWrongLoop.
func Shield[T any](ctx context.Context, aw Awaitable[T]) *Future[T] {
	l := loopOf(ctx)
	if l == nil {
		panic(misuse(ErrNoRunningLoop, "Shield needs the context of a task, or Loop.Context()"))
	}
	checkAwaitable(l, 0, aw)
	inner := ensureFuture(l, ctx, aw)
	if f, ok := inner.(*Future[T]); ok && f.Done() {
		return f
	}
	s := &shielding[T]{inner: inner, outer: NewFuture[T](l)}
	if inner.Done() {
		s.pass()
		return s.outer
	}
	inner.base().addDone(s)
	s.outer.addDone(&DoneCallback{call: callback(s.outerDone)})
	return s.outer
}

type shielding[T any] struct {
	inner promise[T]
	outer *Future[T]
}

// run is called when the inner one is done.
func (s *shielding[T]) run(*Loop) { s.pass() }

// pass gives the inner outcome to the outer future.
func (s *shielding[T]) pass() {
	switch {
	case s.outer.Done():
	case s.inner.Cancelled():
		s.inner.base().retrieve()
		s.outer.cancel(nil)
	default:
		v, err := s.inner.Result()
		if err != nil {
			_ = s.outer.SetException(err)
		} else {
			_ = s.outer.SetResult(v)
		}
	}
}

// outerDone runs after the outer future was done: if it was cancelled, a later failure of
// the inner one has to be told to somebody, once for all shields of it.
func (s *shielding[T]) outerDone() {
	if s.inner.Done() {
		return
	}
	f := s.inner.base()
	f.removeWaiter(s)
	if !f.shielded {
		f.shielded = true
		f.addDone(&DoneCallback{call: callback(s.reportFailure)})
	}
}

func (s *shielding[T]) reportFailure() {
	if s.inner.Cancelled() {
		return
	}
	if err := s.inner.Exception(); err != nil {
		s.inner.Loop().CallExceptionHandler(ErrorContext{
			Message:         fmt.Sprintf("%T exception in shielded future", err),
			Exception:       err,
			Future:          s.inner,
			SourceTraceback: s.inner.base().source().String(),
		})
	}
}
