package asyncio

// From other goroutines to a loop: coroutines that a goroutine runs on it, and results that any goroutine may wait for.

import (
	"context"
	"fmt"
	"sync"
)

// ConcurrentFuture is a result that any goroutine may wait for: concurrent.futures.Future.
type ConcurrentFuture[T any] struct {
	loop *Loop
	done chan struct{}

	mu        sync.Mutex
	unwatch   func() bool // the end of the loop
	result    Result[T]
	completed bool
	task      *task // runs the coroutine, once the loop has begun it
	watchers  []func()
}

// RunCoroutineThreadsafe starts coro as a task of l from any goroutine: asyncio.run_coroutine_threadsafe. On a closed loop
// the result is ErrLoopClosed.
func RunCoroutineThreadsafe[T any](l *Loop, coro Coro[T]) *ConcurrentFuture[T] {
	if coro == nil {
		panic(misuse(ErrInvalidState, "RunCoroutineThreadsafe was given a nil coroutine"))
	}
	f := &ConcurrentFuture[T]{loop: l, done: make(chan struct{})}
	f.mu.Lock() // abandon may run at once
	f.unwatch = l.ended.afterFunc(f.abandon)
	f.mu.Unlock()
	if !l.post(callback(func() { f.start(coro) })) {
		var zero T
		f.complete(zero, fmt.Errorf("%w: RunCoroutineThreadsafe needs an open loop", ErrLoopClosed))
	}
	return f
}

// abandon is called when the loop was closed.
func (f *ConcurrentFuture[T]) abandon() {
	var zero T
	f.complete(zero, fmt.Errorf("%w: the coroutine had not ended", ErrLoopClosed))
}

// start runs on the loop.
func (f *ConcurrentFuture[T]) start(coro Coro[T]) {
	f.mu.Lock()
	cancelled := f.completed
	f.mu.Unlock()
	if cancelled {
		return
	}
	t := newTask(f.loop, f.loop.context, coro, nil) // with the mutex free: an eager task runs in here
	f.mu.Lock()
	f.task, cancelled = &t.task, f.completed
	f.mu.Unlock()
	if cancelled {
		t.cancel(nil)
	}
	t.addDone(&DoneCallback{call: callback(func() { f.complete(t.Result()) })})
}

// complete sets the result, once.
func (f *ConcurrentFuture[T]) complete(v T, err error) bool {
	f.mu.Lock()
	if f.completed {
		f.mu.Unlock()
		return false
	}
	f.completed = true
	f.result = Result[T]{v, err}
	watchers, unwatch := f.watchers, f.unwatch
	f.watchers = nil
	f.mu.Unlock()
	close(f.done)
	unwatch()
	for _, w := range watchers {
		w()
	}
	return true
}

// Result blocks the goroutine until the result is there or ctx ends, which leaves the coroutine running. A loop that is
// closed first gives ErrLoopClosed. In a task or callback, which would block its loop, the error is ErrNotCurrentTask.
func (f *ConcurrentFuture[T]) Result(ctx context.Context) (T, error) {
	var zero T
	select {
	case <-f.done:
		return f.result.Value, f.result.Err
	default:
	}
	if err := mayBlock(); err != nil {
		return zero, fmt.Errorf("%w, or await WrapFuture", err)
	}
	select {
	case <-f.done:
		return f.result.Value, f.result.Err
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	}
}

// Done is closed when the result is there, or the loop was closed.
func (f *ConcurrentFuture[T]) Done() <-chan struct{} { return f.done }

// Cancel makes the result a *CancelledError and cancels the task; false if the result was there.
func (f *ConcurrentFuture[T]) Cancel() bool {
	var zero T
	if !f.complete(zero, &CancelledError{}) {
		return false
	}
	f.mu.Lock()
	t := f.task
	f.mu.Unlock()
	if t != nil {
		f.loop.post(callback(func() { t.cancel(nil) }))
	}
	return true
}

// Cancelled tells whether the result is a cancellation.
func (f *ConcurrentFuture[T]) Cancelled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.completed && asCancelled(f.result.Err) != nil
}

// watch calls fn, in whatever goroutine, once the result is there.
func (f *ConcurrentFuture[T]) watch(fn func()) {
	f.mu.Lock()
	if !f.completed {
		f.watchers = append(f.watchers, fn)
		f.mu.Unlock()
		return
	}
	f.mu.Unlock()
	fn()
}

// WrapFuture is a future of ctx's loop with f's result: asyncio.wrap_future. Cancelling either cancels the other.
func WrapFuture[T any](ctx context.Context, f *ConcurrentFuture[T]) *Future[T] {
	l := loopOf(ctx)
	if l == nil {
		panic(misuse(ErrNoRunningLoop, "WrapFuture needs the context of a task, or Loop.Context()"))
	}
	w := NewFuture[T](l)
	w.addDone(&DoneCallback{call: callback(func() {
		if w.Cancelled() {
			f.Cancel()
		}
	})})
	f.watch(func() {
		l.post(callback(func() {
			switch {
			case w.Done():
			case f.Cancelled():
				w.complete(cancelled, f.result.Err)
			case f.result.Err != nil:
				_ = w.SetException(f.result.Err)
			default:
				_ = w.SetResult(f.result.Value)
			}
		}))
	})
	return w
}
