package asyncio

// Ctrl-C. The first SIGINT of a run cancels its main task, which so gets to clean up; the
// run then ends with ErrInterrupted. From that moment on SIGINT has the effect that it
// had before the run: a second one ends the program at once, whatever its tasks do,
// unless the program has asked for the signal itself.
//
// In Python this is so in the main thread, unless a handler was set before. Here it is so
// in the program's main goroutine, unless SIGINT is ignored or the program has given its
// runs a context that can end, which is how Go programs that have a handler end them. To
// ask is not possible: os/signal does not tell who wants a signal, and hands it to all
// who do.

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"

	"github.com/seed-a026a017/asyncio/internal/goid"
)

// ErrInterrupted: SIGINT has ended the run. asyncio has KeyboardInterrupt for it.
var ErrInterrupted = errors.New("asyncio: interrupted")

// WithInterrupt says whether the first SIGINT cancels the main task of Run and RunIn, and
// all those of RunLoops, and so ends the run with ErrInterrupted. A second SIGINT has the
// effect that the first would have had without the run. The default is true in the
// program's main goroutine, unless SIGINT is ignored or WithContext was given a context
// that can end. A program that asks for SIGINT itself in another way wants false; else
// both hear of the first. A handler that AddSignalHandler has added, to any loop, takes
// the place of all that.
func WithInterrupt(on bool) Option {
	rule := interruptNever
	if on {
		rule = interruptAlways
	}
	return func(c *config) { c.interrupt = rule }
}

// interrupts is the runs that watch for SIGINT, and the number of loops that have a
// handler of their own for it. While there is one, a SIGINT is nothing to runs: their
// channels are not asked for, so that they cannot hear late of one that a handler got.
var interrupts struct {
	mu       sync.Mutex
	watches  map[*interruption]struct{} // under mu: that have not heard of one
	handlers int                        // under mu
}

// handleInterrupt tells that a handler hears of SIGINT from now on.
func handleInterrupt() {
	interrupts.mu.Lock()
	defer interrupts.mu.Unlock()
	interrupts.handlers++
	for i := range interrupts.watches {
		signal.Stop(i.signals)
		select {
		case <-i.signals:
		default:
		}
	}
}

// unhandleInterrupt tells that a handler is about to end.
func unhandleInterrupt() {
	interrupts.mu.Lock()
	defer interrupts.mu.Unlock()
	if interrupts.handlers--; interrupts.handlers > 0 {
		return
	}
	for i := range interrupts.watches {
		signal.Notify(i.signals, os.Interrupt)
	}
}

// mainGoroutine is the one that initialises packages, and then runs main.main.
var mainGoroutine = goid.Self()

// interruption is the watch of one run for SIGINT.
type interruption struct {
	signals chan os.Signal
	quit    chan struct{}
	over    chan struct{} // closed at the end of watch
}

// applies reports whether the caller may run with a watch.
func (r interruptRule) applies(base context.Context) bool {
	if r != interruptDefault {
		return r == interruptAlways
	}
	return goid.Self() == mainGoroutine && base.Done() == nil && !signal.Ignored(os.Interrupt)
}

// watchInterrupt begins to watch for SIGINT, which calls heard in another goroutine; nil
// if that is to be left alone.
func (c *config) watchInterrupt(heard func()) *interruption {
	if !c.interrupt.applies(c.base) {
		return nil
	}
	i := &interruption{signals: make(chan os.Signal, 1), quit: make(chan struct{}), over: make(chan struct{})}
	i.begin()
	go i.watch(heard)
	return i
}

func (i *interruption) begin() {
	interrupts.mu.Lock()
	defer interrupts.mu.Unlock()
	if interrupts.watches == nil {
		interrupts.watches = make(map[*interruption]struct{})
	}
	interrupts.watches[i] = struct{}{}
	if interrupts.handlers == 0 {
		signal.Notify(i.signals, os.Interrupt)
	}
}

func (i *interruption) watch(heard func()) {
	defer close(i.over)
	select {
	case <-i.signals:
		i.stop() // before anybody can know of the first SIGINT
		heard()
	case <-i.quit:
		i.stop()
	}
}

func (i *interruption) stop() {
	interrupts.mu.Lock()
	defer interrupts.mu.Unlock()
	delete(interrupts.watches, i)
	signal.Stop(i.signals)
}

// end ends the watch when the run is over.
func (i *interruption) end() {
	if i != nil {
		close(i.quit)
		<-i.over
	}
}
