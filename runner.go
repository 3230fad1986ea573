package asyncio

// Running a program: Run for one main coroutine, Runner for several on one loop.

import (
	"context"
	"errors"
	"fmt"
)

// RunUntilComplete runs l until aw is done and returns its result:
// loop.run_until_complete. A Coro becomes a task. The error is ErrLoopStopped if the loop
// was stopped first, ErrWrongLoop for a future of another loop, or what RunForever
// returns.
func RunUntilComplete[T any](l *Loop, aw Awaitable[T]) (T, error) {
	var zero T
	if err := l.beginRun(); err != nil {
		return zero, err
	}
	defer l.endRun()
	if main, ok := aw.(Coro[T]); ok {
		return runUntilDone(l, promise[T](newMain(l, main)))
	}
	p := ensureFuture(l, l.context, aw)
	if p.Loop() != l {
		return zero, fmt.Errorf("%w: run the loop that it was made with", ErrWrongLoop)
	}
	return runUntilDone(l, p)
}

// newMain makes the task that a run is for. It is not eager: the run is still to begin.
func newMain[T any](l *Loop, main Coro[T]) *Task[T] {
	t := newTask(l, l.context, main, []TaskOption{EagerStart(false)})
	t.quiet = true
	return t
}

// runUntilDone goes on with a run that has begun.
func runUntilDone[T any](l *Loop, p promise[T]) (T, error) {
	var zero T
	ended := false // else stop may be in the ready queue, and end the next run
	stop := &DoneCallback{call: callback(func() {
		if !ended {
			l.Stop()
		}
	})}
	p.base().addDone(stop)
	defer func() {
		ended = true
		p.base().removeWaiter(stop)
	}()
	if err := l.run(); err != nil {
		return zero, err
	}
	if !p.Done() {
		return zero, fmt.Errorf("%w", ErrLoopStopped)
	}
	return p.Result()
}

// Run is asyncio.run: a new loop runs main to its end; what main left is cancelled and
// awaited; the loop is closed. The errors are main's, ErrLoopRunning inside a running
// loop, or ErrInterrupted after SIGINT, see WithInterrupt. Any goroutine.
func Run[T any](main Coro[T], opts ...Option) (result T, err error) {
	r := NewRunner(opts...)
	defer func() { // also when main calls runtime.Goexit
		if closeErr := r.Close(); err == nil {
			err = closeErr
		}
	}()
	return RunIn(r, main)
}

// Runner runs several main coroutines, one after another, on one loop: asyncio.Runner.
// The loop is made when it is first needed. It is for one goroutine at a time. The zero
// value is a Runner whose loop has no options.
type Runner struct {
	opts   []Option
	loop   *Loop
	closed bool
}

// NewRunner makes a Runner whose loop will have opts.
func NewRunner(opts ...Option) *Runner { return &Runner{opts: opts} }

// Loop is the runner's loop: Runner.get_loop. The error is ErrRunnerClosed, or why no
// loop could be made.
func (r *Runner) Loop() (*Loop, error) {
	if r.closed {
		return nil, fmt.Errorf("%w: make a new one", ErrRunnerClosed)
	}
	if r.loop == nil {
		l, err := NewEventLoop(r.opts...)
		if err != nil {
			return nil, err
		}
		r.loop = l
	}
	return r.loop, nil
}

// RunIn runs main on r's loop: Runner.run. The end of the context of WithContext cancels
// main, and so does SIGINT, see WithInterrupt. The errors are main's, those of
// Runner.Loop and RunUntilComplete, and ErrInterrupted.
func RunIn[T any](r *Runner, main Coro[T]) (result T, err error) {
	l, err := r.Loop()
	if err != nil {
		return result, err
	}
	if err := l.beginRun(); err != nil {
		return result, err
	}
	defer l.endRun()
	t := newMain(l, main)
	stop := context.AfterFunc(l.context, func() {
		l.post(callback(func() { t.cancel(context.Cause(l.context)) }))
	})
	defer stop()
	config, interrupted := newConfig(r.opts), false // by SIGINT, which has cancelled main
	interrupt := config.watchInterrupt(func() {
		l.post(callback(func() { interrupted = t.cancel(nil) }))
	})
	defer func() { // also when main calls runtime.Goexit
		interrupt.end()
		// If somebody else has cancelled main as well, that stays a cancellation.
		if interrupted && t.Cancelled() && t.Uncancel() == 0 {
			var zero T
			result, err = zero, fmt.Errorf("%w: SIGINT has cancelled the main task", ErrInterrupted)
		}
	}()
	return runUntilDone(l, promise[T](t))
}

// Close cancels the tasks that are left, waits until they have ended and until functions
// in threads have returned, and closes the loop: Runner.close. Failures of those tasks go
// to the exception handler. The error is ErrLoopRunning while the loop runs. Again, it
// does nothing.
func (r *Runner) Close() (err error) {
	l := r.loop
	if l != nil && l.IsRunning() {
		return fmt.Errorf("%w: close the Runner when its run has ended", ErrLoopRunning)
	}
	if r.closed || l == nil {
		r.closed = true
		return nil
	}
	r.closed = true
	defer func() { // also when the clean-up of a task calls runtime.Goexit
		if closeErr := l.Close(); err == nil {
			err = closeErr
		}
	}()
	err = cancelAll(l)
	if joinErr := joinExecutor(l); err == nil {
		err = joinErr
	}
	return err
}

// joinExecutor waits for functions in the default executor, with a limit.
func joinExecutor(l *Loop) error {
	if featureOf[defaultExecutor](l).Executor == nil {
		return nil
	}
	_, err := RunUntilComplete[None](l, Do(func(ctx context.Context) error {
		limited, cancel := context.WithTimeout(ctx, executorShutdownTimeout)
		defer cancel()
		err := l.ShutdownDefaultExecutor(limited)
		if errors.Is(err, context.DeadlineExceeded) {
			l.log().Warn("The executor did not finish joining its threads within its limit", "limit", executorShutdownTimeout)
			return nil
		}
		return err
	}))
	return err
}

// cancelAll cancels every task and runs the loop until all have ended.
func cancelAll(l *Loop) error {
	tasks := l.tasks.all()
	if len(tasks) == 0 {
		return nil
	}
	if err := l.beginRun(); err != nil {
		return err
	}
	defer l.endRun()
	left := len(tasks)
	for _, t := range tasks {
		t.cancel(nil)
		t.addDone(&DoneCallback{call: callback(func() {
			if left--; left == 0 {
				l.Stop()
			}
		})})
	}
	for left > 0 { // a task may stop the loop in its clean-up
		if err := l.run(); err != nil {
			return err
		}
	}
	for _, t := range tasks {
		if t.Done() && !t.Cancelled() {
			if err := t.Exception(); err != nil {
				l.CallExceptionHandler(ErrorContext{
					Message:   "unhandled exception during asyncio.Run shutdown",
					Exception: err,
					Task:      t.self,
					Future:    t.self,
				})
			}
		}
	}
	return nil
}
