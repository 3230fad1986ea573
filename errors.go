package asyncio

// The errors of this package. Misuse panics with one of the sentinels below, wrapped in
// what was misused and what to do; what a correct program can meet is returned. A
// cancellation is a *CancelledError and nothing else: whether a task ended cancelled is
// decided by its error alone, as in asyncio.

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// CancelledError is what a cancelled Await returns: asyncio.CancelledError. Msg is what
// Cancel was given, nil for none. errors.Is(err, ErrCancelled) and errors.Is(err,
// context.Canceled) hold for it.
type CancelledError struct{ Msg any }

func (e *CancelledError) Error() string {
	if e.Msg == nil {
		return "asyncio: cancelled"
	}
	return fmt.Sprintf("asyncio: cancelled: %v", e.Msg)
}

// Is makes every CancelledError match ErrCancelled and context.Canceled.
func (e *CancelledError) Is(target error) bool {
	return target == ErrCancelled || target == context.Canceled
}

// PanicError is a panic of a task or callback, kept with the stack of the place that
// panicked. asyncio has no counterpart: there a task fails with the exception itself.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap gives the panic's value if that was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ExceptionGroup holds the errors of several tasks: ExceptionGroup. errors.Is and
// errors.As look into it.
type ExceptionGroup struct {
	Message string
	Errs    []error
}

func (e *ExceptionGroup) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%d sub-exception", e.Message, len(e.Errs))
	if len(e.Errs) != 1 {
		b.WriteByte('s')
	}
	b.WriteByte(')')
	for _, err := range e.Errs {
		b.WriteString("\n  ")
		b.WriteString(strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	return b.String()
}

// Unwrap gives the errors of the group.
func (e *ExceptionGroup) Unwrap() []error { return e.Errs }

// Split parts the group into the errors that match and the rest, nested groups included:
// ExceptionGroup.split. A part without errors is nil.
func (e *ExceptionGroup) Split(match func(error) bool) (matched, rest *ExceptionGroup) {
	var yes, no []error
	for _, err := range e.Errs {
		if sub, ok := err.(*ExceptionGroup); ok {
			m, r := sub.Split(match)
			if m != nil {
				yes = append(yes, m)
			}
			if r != nil {
				no = append(no, r)
			}
		} else if match(err) {
			yes = append(yes, err)
		} else {
			no = append(no, err)
		}
	}
	return e.derive(yes), e.derive(no)
}

func (e *ExceptionGroup) derive(errs []error) *ExceptionGroup {
	if len(errs) == 0 {
		return nil
	}
	return &ExceptionGroup{Message: e.Message, Errs: errs}
}

// timeoutError is what a scope returns whose time is over. It matches ErrTimeout but is
// no cancellation, although one caused it.
type timeoutError struct{ cause error }

func (e *timeoutError) Error() string { return "asyncio: timed out" }

// Timeout marks the error for code that tests for net.Error.
func (e *timeoutError) Timeout() bool { return true }

// Temporary completes net.Error.
func (e *timeoutError) Temporary() bool { return true }

// Cause is the *CancelledError that interrupted the body.
func (e *timeoutError) Cause() error { return e.cause }

func (e *timeoutError) Is(target error) bool {
	return target == ErrTimeout || target == context.DeadlineExceeded
}

// argumentError is ErrInvalidArgument.
type argumentError struct{}

func (*argumentError) Error() string { return "asyncio: invalid argument" }

func (*argumentError) Is(target error) bool { return target == ErrInvalidState }

// Sentinels for errors.Is. Those without a name of asyncio's stand for its RuntimeErrors
// and ValueErrors.
var (
	// ErrCancelled matches every *CancelledError: except asyncio.CancelledError.
	ErrCancelled = errors.New("asyncio: cancelled")
	// ErrTimeout matches every timeout of this package; context.DeadlineExceeded does so
	// too: TimeoutError.
	ErrTimeout error = &timeoutError{}
	// ErrInvalidState: a future was asked for what its state does not allow,
	// asyncio.InvalidStateError; or another object's state does not allow it, where
	// asyncio has RuntimeError.
	ErrInvalidState = errors.New("asyncio: invalid state")
	// ErrInvalidArgument: a nil function, or a number out of range, where asyncio has
	// TypeError and ValueError. errors.Is finds it to be ErrInvalidState too, which stood
	// for both in the first edition.
	ErrInvalidArgument error = &argumentError{}
	// ErrLoopClosed: the loop was closed.
	ErrLoopClosed = errors.New("asyncio: event loop is closed")
	// ErrInboxFull: as many calls from other goroutines as WithInboxLimit allows wait for
	// the loop.
	ErrInboxFull = errors.New("asyncio: inbox is full")
	// ErrLoopRunning: the loop, or another one in this goroutine, runs already.
	ErrLoopRunning = errors.New("asyncio: event loop is running")
	// ErrLoopStopped: the loop was stopped before the future that it ran for was done.
	ErrLoopStopped = errors.New("asyncio: event loop stopped before Future completed")
	// ErrNoRunningLoop: the context belongs to no running loop.
	ErrNoRunningLoop = errors.New("asyncio: no running event loop")
	// ErrWrongLoop: what belongs to one loop was used with another, or in a goroutine
	// that is not the loop's.
	ErrWrongLoop = errors.New("asyncio: wrong event loop")
	// ErrNotCurrentTask: a call that suspends was given the context of a task that is not
	// running.
	ErrNotCurrentTask = errors.New("asyncio: not the current task")
	// ErrNotLocked: a lock or semaphore was released, or a condition used, that was not
	// acquired.
	ErrNotLocked = errors.New("asyncio: not locked")
	// ErrBrokenBarrier: the barrier was aborted, or reset while tasks waited:
	// asyncio.BrokenBarrierError.
	ErrBrokenBarrier = errors.New("asyncio: barrier is broken")
	// ErrQueueFull: PutNowait found no free place: asyncio.QueueFull.
	ErrQueueFull = errors.New("asyncio: queue is full")
	// ErrQueueEmpty: GetNowait found no item: asyncio.QueueEmpty.
	ErrQueueEmpty = errors.New("asyncio: queue is empty")
	// ErrQueueShutDown: the queue takes no more items, and has none left to give:
	// asyncio.QueueShutDown.
	ErrQueueShutDown = errors.New("asyncio: queue is shut down")
	// ErrGroupClosed: a task group takes no tasks, because it was not entered, is
	// shutting down or is finished.
	ErrGroupClosed = errors.New("asyncio: task group is not open")
	// ErrExecutorShutdown: an executor was given a function after its Shutdown.
	ErrExecutorShutdown = errors.New("asyncio: executor was shut down")
	// ErrRunnerClosed: the runner was closed.
	ErrRunnerClosed = errors.New("asyncio: runner is closed")
)

// asCancelled finds a cancellation in err's chain. A group that holds a cancellation
// among other errors is not one; a join of one error is that error. An error whose Unwrap
// panics, as a typed nil may, is not one.
func asCancelled(err error) *CancelledError {
	if err == nil {
		return nil
	}
	defer func() { _ = recover() }()
	for err != nil {
		switch e := err.(type) {
		case *CancelledError:
			return e
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		case interface{ Unwrap() []error }:
			errs := e.Unwrap()
			if _, isGroup := err.(*ExceptionGroup); isGroup || len(errs) != 1 {
				return nil
			}
			err = errs[0]
		default:
			return nil
		}
	}
	return nil
}

// misuse is the value of a panic that only a programming error can cause.
func misuse(sentinel error, format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{sentinel}, args...)...)
}

func asGroup(err error) *ExceptionGroup {
	var g *ExceptionGroup
	errors.As(err, &g)
	return g
}
