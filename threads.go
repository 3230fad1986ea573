package asyncio

// From other goroutines to a loop: coroutines that a goroutine runs on it, and results
// that any goroutine may wait for.

import (
	"context"
	"fmt"
	"sync"
)

// ConcurrentFuture is a result that any goroutine may wait for:
// concurrent.futures.Future.
type ConcurrentFuture[T any] struct {
	loop *Loop
	done chan struct{}

	mu        sync.Mutex
	unwatch   func() bool // the end of the loop
	result    Result[T]
	completed bool
	task      *task        // runs the coroutine, once the loop has begun it
	lost      *unretrieved // a failure that nobody has looked at
	readers   int          // goroutines in Result
	watchers  []func()
}

// RunCoroutineThreadsafe starts coro as a task of l from any goroutine:
// asyncio.run_coroutine_threadsafe. On a closed loop the result is ErrLoopClosed, on one
// whose inbox is full ErrInboxFull. A failure that nobody asks for is reported by the
// loop once the future can no longer be reached, and at the latest when the loop closes.
func RunCoroutineThreadsafe[T any](l *Loop, coro Coro[T]) *ConcurrentFuture[T] {
	if coro == nil {
		panic(misuse(ErrInvalidArgument, "RunCoroutineThreadsafe was given a nil coroutine"))
	}
	f := &ConcurrentFuture[T]{loop: l, done: make(chan struct{})}
	f.mu.Lock() // abandon may run at once
	f.unwatch = l.ended.afterFunc(f.abandon)
	f.mu.Unlock()
	if err := l.accept(callback(func() { f.start(coro) }), l.inbox.limit); err != nil {
		var zero T
		err = fmt.Errorf("%w: RunCoroutineThreadsafe did not start the coroutine", err)
		if f.complete(zero, err) && !l.IsClosed() {
			f.lost = &unretrieved{loop: l, report: ErrorContext{Message: "A coroutine was not started, and nobody has looked", Exception: err}}
			watch(f, f.lost)
		}
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
	t.addDone(&DoneCallback{call: callback(func() { f.inherit(t) })})
}

// inherit takes over the outcome of the task. A failure counts as looked at when somebody
// looks at f, which keeps the task alive until then.
func (f *ConcurrentFuture[T]) inherit(t *Task[T]) {
	f.mu.Lock()
	if !f.completed {
		if t.rare != nil {
			f.lost = t.rare.lost
		}
	}
	f.mu.Unlock()
	f.complete(t.value, t.err)
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
	watchers, unwatch, read := f.watchers, f.unwatch, f.readers > 0
	f.watchers = nil
	f.mu.Unlock()
	if read {
		f.retrieve()
	}
	close(f.done)
	unwatch()
	for _, w := range watchers {
		w()
	}
	return true
}

// Result blocks the goroutine until the result is there or ctx ends, which leaves the
// coroutine running. A loop that is closed first gives ErrLoopClosed. In a task or
// callback, which would block its loop, the error is ErrNotCurrentTask.
func (f *ConcurrentFuture[T]) Result(ctx context.Context) (T, error) {
	var zero T
	if f.read(1) {
		return f.retrieve()
	}
	if err := mayBlock(); err != nil {
		f.read(-1)
		return zero, fmt.Errorf("%w, or await WrapFuture", err)
	}
	select {
	case <-f.done:
		return f.retrieve()
	case <-ctx.Done():
	}
	if f.read(-1) {
		return f.retrieve() // just before the end of ctx
	}
	return zero, context.Cause(ctx)
}

// read changes the number of readers by n, and reports whether there is a result to read:
// then nobody is counted any more.
func (f *ConcurrentFuture[T]) read(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.completed {
		f.readers += n
	}
	return f.completed
}

// retrieve is the result, which somebody has looked at now.
func (f *ConcurrentFuture[T]) retrieve() (T, error) {
	f.mu.Lock()
	lost := f.lost
	f.lost = nil
	f.mu.Unlock()
	if lost != nil {
		lost.settle()
	}
	return f.result.Value, f.result.Err
}

// Done is closed when the result is there, or the loop was closed.
func (f *ConcurrentFuture[T]) Done() <-chan struct{} { return f.done }

// Cancel makes the result a *CancelledError and cancels the task; false if the result was
// there.
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

// Cancelled reports whether the result is a cancellation.
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

// WrapFuture is a future of ctx's loop with f's result: asyncio.wrap_future. Cancelling
// either cancels the other.
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
			if w.Done() {
				return
			}
			v, err := f.retrieve()
			switch {
			case f.Cancelled():
				w.complete(cancelled, err)
			case err != nil:
				_ = w.SetException(err)
			default:
				_ = w.SetResult(v)
			}
		}))
	})
	return w
}
