package asyncio

// Several loops at once, for servers that want more than one processor. Each has a
// goroutine, a Runner and a main task of its own; what they share is a context, whose end
// cancels all mains. So whatever ends one of them in disorder ends the others in order.

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// RunLoops runs main on n loops, each on a goroutine of its own, with its number from 0
// on: a server over several cores, whose loops bind one port with WithReusePort. It
// returns when all have ended. asyncio has no counterpart; there one starts processes.
//
// A main that returns nil ends its own loop. The first that returns an error or panics, a
// loop that cannot be made, the end of WithContext's context, and SIGINT, see
// WithInterrupt, cancel the mains of the others, which may still await what their end
// needs. The error is the first one as it is; a *PanicError; a cancellation that mains
// have answered, which SIGINT makes ErrInterrupted too; or ErrLoopRunning inside a
// running loop. If a main calls runtime.Goexit, so does RunLoops in the end. It panics
// with ErrInvalidArgument if n is less than 1 or main is nil. Any goroutine.
func RunLoops(n int, main func(ctx context.Context, i int) error, opts ...Option) error {
	switch {
	case n < 1:
		panic(misuse(ErrInvalidArgument, "RunLoops was given %d loops; it needs at least 1", n))
	case main == nil:
		panic(misuse(ErrInvalidArgument, "RunLoops was given a nil main"))
	case loopHere() != nil:
		return fmt.Errorf("%w: RunLoops would block it; call it in a goroutine of its own", ErrLoopRunning)
	}
	c := newConfig(opts)
	base, cancel := context.WithCancelCause(c.base)
	defer cancel(nil)
	g := &loopGroup{main: main, base: base, cancel: cancel}
	g.opts = append(slices.Clip(opts), WithContext(base), WithInterrupt(false))
	interrupt := c.watchInterrupt(func() { cancel(ErrInterrupted) })
	defer interrupt.end()
	var loops sync.WaitGroup
	for i := range n {
		loops.Go(func() { g.run(i) })
	}
	loops.Wait()
	return g.result()
}

// loopGroup is the loops of one RunLoops.
type loopGroup struct {
	main   func(ctx context.Context, i int) error
	opts   []Option
	base   context.Context // of all loops
	cancel context.CancelCauseFunc

	mu        sync.Mutex
	failure   error // under mu: the first one
	cancelled error // under mu: the first answer to the end of base
	exited    bool  // under mu: by runtime.Goexit
}

// run is the goroutine of one loop.
func (g *loopGroup) run(i int) {
	err := errGoexit // stays if main leaves by runtime.Goexit
	defer func() { g.ended(err) }()
	_, err = Run(Do(func(ctx context.Context) error { return g.main(ctx, i) }), g.opts...)
}

// ended notes how a loop has ended, and ends the others if that was in disorder.
func (g *loopGroup) ended(err error) {
	if err == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err == errGoexit:
		g.exited = true
	case g.base.Err() != nil && asCancelled(err) != nil:
		if g.cancelled == nil {
			g.cancelled = err
		}
	case g.failure == nil:
		g.failure = err
	}
	g.cancel(err)
}

// result is what RunLoops returns, unless it leaves by runtime.Goexit.
func (g *loopGroup) result() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.exited:
		runtime.Goexit()
	case g.failure != nil:
		return g.failure
	case g.cancelled != nil && context.Cause(g.base) == ErrInterrupted:
		return fmt.Errorf("%w: SIGINT has cancelled the main tasks: %w", ErrInterrupted, g.cancelled)
	}
	return g.cancelled
}
