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

	"github.com/seed-a026a017/asyncio/internal/goid"
)

// ErrInterrupted: SIGINT has ended the run. asyncio has KeyboardInterrupt for it.
var ErrInterrupted = errors.New("asyncio: interrupted")

// WithInterrupt says whether the first SIGINT cancels the main task of Run and RunIn, and
// all those of RunLoops, and so ends the run with ErrInterrupted. A second SIGINT has the
// effect that the first would have had without the run. The default is true in the
// program's main goroutine, unless SIGINT is ignored or WithContext was given a context
// that can end. A program that asks for SIGINT itself in another way wants false; else
// both hear of the first.
func WithInterrupt(on bool) Option {
	rule := interruptNever
	if on {
		rule = interruptAlways
	}
	return func(c *config) { c.interrupt = rule }
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
	signal.Notify(i.signals, os.Interrupt)
	go i.watch(heard)
	return i
}

func (i *interruption) watch(heard func()) {
	defer close(i.over)
	select {
	case <-i.signals:
		signal.Stop(i.signals) // before anybody can know of the first SIGINT
		heard()
	case <-i.quit:
		signal.Stop(i.signals)
	}
}

// end ends the watch when the run is over.
func (i *interruption) end() {
	if i != nil {
		close(i.quit)
		<-i.over
	}
}
