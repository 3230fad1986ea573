package asyncio

// From a loop to other goroutines: functions that block run in an executor, a pool of
// goroutines, and their results come back as futures. A goroutine needs no pool to be
// cheap; the bound is there so that a burst of calls does not open a thousand files, or
// block a thousand threads of the system, at once.

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// Executor runs functions on other goroutines: concurrent.futures.Executor.
type Executor interface {
	// Submit runs fn later, on another goroutine. It does not block. The error is
	// ErrExecutorShutdown after Shutdown. A panic of fn ends the program, as in any
	// goroutine; RunInExecutor and ToThread recover those of their functions.
	Submit(fn func()) error
	// Shutdown refuses further functions. Those that were submitted still run; wait waits
	// for them.
	Shutdown(wait bool)
}

// threadPoolMax bounds the default executor, which has four workers more than there are
// processors: as many as CPython's.
const threadPoolMax = 32

// executorShutdownTimeout is how long a Runner waits for functions in the default
// executor.
const executorShutdownTimeout = 300 * time.Second

// threadPool runs at most max functions at once. A worker ends when nothing waits, so an
// idle pool holds no goroutine.
type threadPool struct {
	max     int
	mu      sync.Mutex
	queue   []func()
	workers int
	shut    bool
	idle    sync.Cond // workers fell to 0
}

// NewThreadPool makes an executor that runs at most workers functions at once:
// concurrent.futures.ThreadPoolExecutor. It panics with ErrInvalidArgument unless that is
// at least 1.
func NewThreadPool(workers int) Executor {
	if workers < 1 {
		panic(misuse(ErrInvalidArgument, "NewThreadPool needs at least one worker, not %d", workers))
	}
	p := &threadPool{max: workers}
	p.idle.L = &p.mu
	return p
}

func (p *threadPool) Submit(fn func()) error {
	if fn == nil {
		panic(misuse(ErrInvalidArgument, "Submit was given a nil function"))
	}
	return p.submit(fn, system.System{})
}

// submit is Submit for a caller that says where a new worker runs.
func (p *threadPool) submit(fn func(), on proactor.Worker) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		return fmt.Errorf("%w: it takes no more functions", ErrExecutorShutdown)
	}
	p.queue = append(p.queue, fn)
	if p.workers < p.max {
		p.workers++
		on.Work(func() { p.work(on) })
	}
	return nil
}

// work runs functions until none waits.
func (p *threadPool) work(on proactor.Worker) {
	for {
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.queue = nil
			if p.workers--; p.workers == 0 {
				p.idle.Broadcast()
			}
			p.mu.Unlock()
			return
		}
		fn := p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		p.mu.Unlock()
		p.call(fn, on)
	}
}

// call runs fn. If that ends the goroutine with runtime.Goexit, another one takes the
// worker's place.
func (p *threadPool) call(fn func(), on proactor.Worker) {
	returned := false
	defer func() {
		if !returned {
			on.Work(func() { p.work(on) })
		}
	}()
	fn()
	returned = true
}

func (p *threadPool) Shutdown(wait bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = true
	for wait && p.workers > 0 {
		p.idle.Wait()
	}
}

// SetDefaultExecutor sets the executor of ToThread and of RunInExecutor without one:
// loop.set_default_executor. The loop shuts it down when it closes.
func (l *Loop) SetDefaultExecutor(ex Executor) {
	if ex == nil {
		panic(misuse(ErrInvalidArgument, "SetDefaultExecutor was given nil"))
	}
	l.mustBeOpen("SetDefaultExecutor")
	featureOf[defaultExecutor](l).Executor = ex
}

// defaultExecutor is the feature of a loop that ToThread and RunInExecutor use.
type defaultExecutor struct{ Executor } // nil: not needed so far

// get makes the executor when it is first needed.
func (d *defaultExecutor) get() Executor {
	if d.Executor == nil {
		d.Executor = NewThreadPool(min(threadPoolMax, runtime.NumCPU()+4))
	}
	return d.Executor
}

func (d *defaultExecutor) loopClosed(l *Loop) {
	if d.Executor == nil {
		return
	}
	l.safely(func() { d.Shutdown(false) }, func(err error) {
		l.CallExceptionHandler(ErrorContext{Message: "Exception in the shutdown of the default executor", Exception: err})
	})
}

// ShutdownDefaultExecutor waits until the functions in the default executor have
// returned: loop.shutdown_default_executor. From then on RunInExecutor without an
// executor, and ToThread, fail with ErrExecutorShutdown. If ctx, derived by the caller,
// ends first, the functions run on.
// Suspends. Cancelled: the functions run on.
func (l *Loop) ShutdownDefaultExecutor(ctx context.Context) error {
	ex := featureOf[defaultExecutor](l).get()
	job := &executorJob[None]{future: NewFuture[None](l)}
	job.fn = func() (None, error) {
		ex.Shutdown(true)
		return None{}, nil
	}
	l.counters.pending++
	l.pro.Work(job.work)
	_, err := job.future.Await(ctx)
	return err
}

// executorJob is one function in an executor.
type executorJob[T any] struct {
	fn      func() (T, error)
	result  Result[T]
	future  *Future[T]
	claimed atomic.Bool // it has begun, or was cancelled before
	dropped bool        // it was cancelled: nobody asks for the result
}

// RunInExecutor runs fn in ex, or in the loop's default executor if ex is nil:
// loop.run_in_executor. Cancelling the future keeps fn from beginning, but does not stop
// it. A panic of fn is the future's *PanicError. fn sees nothing of ctx; see ToThread.
func RunInExecutor[T any](ctx context.Context, ex Executor, fn func() (T, error)) *Future[T] {
	l := loopOf(ctx)
	if l == nil {
		panic(misuse(ErrNoRunningLoop, "RunInExecutor needs the context of a task, or Loop.Context()"))
	}
	l.mustBeOpen("RunInExecutor")
	if fn == nil {
		panic(misuse(ErrInvalidArgument, "RunInExecutor was given a nil function"))
	}
	if ex == nil {
		ex = featureOf[defaultExecutor](l).get()
	}
	if l.labels {
		fn = labelled(ctx, fn)
	}
	job := &executorJob[T]{fn: fn, future: NewFuture[T](l)}
	job.future.rarely().onCancel = job.cancel
	if err := l.submit(ex, job.work); err != nil {
		_ = job.future.SetException(err)
		return job.future
	}
	l.counters.pending++
	return job.future
}

// submit gives fn to ex. A pool's workers are goroutines of the driver, like everything
// that the loop waits for; those of a foreign executor are its own.
func (l *Loop) submit(ex Executor, fn func()) error {
	if p, ok := ex.(*threadPool); ok {
		return p.submit(fn, l.pro)
	}
	return ex.Submit(fn)
}

// work runs on the executor's goroutine.
func (j *executorJob[T]) work() {
	if !j.claimed.CompareAndSwap(false, true) {
		return
	}
	j.result.Err = errGoexit // stays if fn leaves by runtime.Goexit
	defer func() {
		if v := recover(); v != nil {
			j.result.Err = &PanicError{Value: v, Stack: debug.Stack()}
		}
		if p, ok := j.result.Err.(*PanicError); !j.future.loop.post(j) && ok {
			j.future.loop.log().Error("Exception in a function of an executor whose loop was closed", "exception", p, "stack", string(p.Stack))
		}
	}()
	j.result.Value, j.result.Err = j.fn()
}

// run brings the result to the loop. A panic is told even if nobody asks for the result.
func (j *executorJob[T]) run(l *Loop) {
	if !j.dropped {
		l.counters.pending--
	}
	switch {
	case j.future.Done():
		if p, ok := j.result.Err.(*PanicError); ok {
			l.CallExceptionHandler(ErrorContext{Message: "Exception in a function of an executor whose future was cancelled", Exception: p})
		}
	case j.result.Err != nil:
		_ = j.future.SetException(j.result.Err)
	default:
		_ = j.future.SetResult(j.result.Value)
	}
}

func (j *executorJob[T]) cancel(msg any) bool {
	j.claimed.Store(true)
	j.dropped = true
	j.future.loop.counters.pending--
	j.future.complete(cancelled, &CancelledError{Msg: msg})
	return true
}

// ToThread runs fn in the loop's default executor and awaits it: asyncio.to_thread. fn's
// context has the values of ctx and ends when the await is cancelled; an Await with it
// blocks fn's goroutine. A panic of fn is returned as a *PanicError. In a goroutine that
// is no task it calls fn.
// Suspends. Cancelled: fn runs on until it heeds its context, and its result is dropped.
func ToThread[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) (T, error) {
	a, err := enter(ctx)
	if err == nil && a.task == nil {
		return fn(ctx)
	}
	if err != nil {
		var zero T
		return zero, err
	}
	threadCtx, cancel := context.WithCancel(threadContext{context.WithoutCancel(ctx)})
	defer cancel()
	f := RunInExecutor(ctx, nil, func() (T, error) { return fn(threadCtx) })
	defer f.Cancel() // if ctx, derived by the caller, has ended: nobody asks for the result any more
	return f.Await(ctx)
}

// threadContext hides the task from a goroutine that is not it.
type threadContext struct{ context.Context }

func (c threadContext) Value(key any) any {
	if _, ok := key.(ownKey); ok {
		return nil
	}
	return c.Context.Value(key)
}
