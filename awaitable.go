package asyncio

// What can be awaited: coroutines, futures and tasks.

import (
	"context"
	"fmt"
)

// Coro is a coroutine function. As an Awaitable it runs inline in the awaiting task;
// combinators start it as a task.
type Coro[T any] func(ctx context.Context) (T, error)

// None is the result of a coroutine that has none.
type None = struct{}

// Do makes a Coro of an error-only function.
func Do(fn func(ctx context.Context) error) Coro[None] {
	return func(ctx context.Context) (None, error) { return None{}, fn(ctx) }
}

// Await calls the coroutine in the awaiting task, like await on a coroutine object.
// Suspends when the coroutine does. Cancelled: what the coroutine says.
func (c Coro[T]) Await(ctx context.Context) (T, error) { return c(ctx) }

func (c Coro[T]) sealed() {}

// Awaitable is a Coro, a *Future or a *Task: what asyncio awaits, and its combinators
// take.
type Awaitable[T any] interface {
	// Await waits for the result: await. See Coro.Await, Future.Await and Task.Await.
	Await(ctx context.Context) (T, error)
	sealed()
}

// AnyFuture is a *Future or *Task of any type: what Wait takes and reports name. The
// methods are those of Future and Task.
type AnyFuture interface {
	Done() bool
	Cancelled() bool
	Exception() error // nil on success; ErrInvalidState while pending; *CancelledError if cancelled
	Cancel(msg ...any) bool
	Loop() *Loop
	sealed()
	base() *future
}

// AnyTask is a *Task of any type: what CurrentTask and AllTasks return. The methods are
// those of Task.
type AnyTask interface {
	AnyFuture
	Name() string
	SetName(name string)
	Cancelling() int
	Uncancel() int
	Context() context.Context
	Stack() string // where the task is suspended; "" when done
}

// promise is a *Future[T] or *Task[T].
type promise[T any] interface {
	AnyFuture
	Awaitable[T]
	Result() (T, error)
}

// ensureFuture is aw itself, or the task that it starts for a Coro:
// asyncio.ensure_future.
func ensureFuture[T any](l *Loop, ctx context.Context, aw Awaitable[T]) promise[T] {
	switch a := aw.(type) {
	case promise[T]:
		return a
	case Coro[T]:
		return newTask(l, ctx, a, nil)
	}
	panic(misuse(ErrInvalidArgument, "a Coro, Future or Task is required, not %T", aw))
}

// awaitInGoroutine blocks a goroutine that is no task until p is done.
func awaitInGoroutine[T any](ctx context.Context, p promise[T]) (T, error) {
	l := p.Loop()
	var result Result[T]
	done := make(chan struct{})
	ready := false
	l.atRest(func() {
		if ready = p.Done(); ready {
			result.Value, result.Err = p.Result()
		}
	})
	if ready {
		return result.Value, result.Err
	}
	if err := mayBlock(); err != nil {
		return result.Value, err
	}
	settle := &settler{func() {
		result.Value, result.Err = p.Result()
		close(done)
	}}
	if !l.post(callback(func() { p.base().addDone(settle) })) {
		return result.Value, nothingCompletes()
	}
	select {
	case <-done:
		return result.Value, result.Err
	case <-ctx.Done():
		l.post(callback(func() { p.base().removeWaiter(settle) }))
		var zero T
		return zero, context.Cause(ctx)
	case <-l.ended.done():
	}
	select {
	case <-done: // just before the end
		return result.Value, result.Err
	default:
		return result.Value, nothingCompletes()
	}
}

func nothingCompletes() error {
	return fmt.Errorf("%w: nothing will complete what is awaited", ErrLoopClosed)
}

// Result is a value or an error: what return_exceptions=True puts into the list of
// asyncio.gather.
type Result[T any] struct {
	Value T
	Err   error
}
