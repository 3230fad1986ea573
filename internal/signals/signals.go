// Package signals lets any number of watchers hear of a signal.
//
// Loops share a process, and a signal is sent to the process: whoever watches it is told.
// While nobody watches there is no channel and no goroutine, and the signal is Go's
// again: other channels of the program's hear it as ever, and if there are none, what it
// does by default happens.
//
// One goroutine tells of all signals, in the order in which os/signal does, which one
// channel keeps. Each signal has a channel of its own besides, with one place, which says
// that it has come and was not told. So what comes several times is told once, and what
// the first channel had no place for is not lost.
package signals

import (
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
)

// heardMax is how many signals are kept in their order.
const heardMax = 64

// watched is a signal that somebody watches.
type watched struct {
	sig      syscall.Signal
	came     chan os.Signal // one place: it has come since it was told
	watchers []*watcher     // in the order in which they came
}

type watcher struct{ tell func() }

// teller is the goroutine, while there is one.
type teller struct {
	heard chan os.Signal
	look  chan struct{} // capacity 1: heard was away for a moment
	over  chan struct{}
}

var (
	mu      sync.Mutex
	all     = map[syscall.Signal]*watched{} // under mu
	telling *teller                         // under mu
)

// Watch has tell called, on a goroutine of this package's, whenever sig has come. Signals
// that come before the watchers were told of the first are one; others are told in the
// order in which they come. tell must not block; it may be called once more while stop
// is. stop is idempotent, and the stop of the last watcher gives the signal back before
// it returns.
//
// The error is EINVAL for a number that no program can hear of, because the kernel or Go
// keeps it for itself: 0, SIGKILL, SIGSTOP, SIGURG, SIGPROF, those that tell of a fault
// in the program, those of the C library, and what is no signal.
func Watch(sig syscall.Signal, tell func()) (stop func(), err error) {
	if sig <= 0 || sig > last || kept(sig) {
		return nil, syscall.EINVAL
	}
	mu.Lock()
	defer mu.Unlock()
	if telling == nil {
		telling = &teller{heard: make(chan os.Signal, heardMax), look: make(chan struct{}, 1), over: make(chan struct{})}
		go telling.run()
	}
	w := all[sig]
	if w == nil {
		w = &watched{sig: sig, came: make(chan os.Signal, 1)}
		all[sig] = w
		signal.Notify(w.came, sig)
		signal.Notify(telling.heard, sig)
	}
	one := &watcher{tell}
	w.watchers = append(w.watchers, one)
	return func() { w.stop(one) }, nil
}

func (w *watched) stop(one *watcher) {
	mu.Lock()
	defer mu.Unlock()
	i := slices.Index(w.watchers, one)
	if i < 0 {
		return
	}
	w.watchers = slices.Delete(w.watchers, i, i+1)
	if len(w.watchers) > 0 {
		return
	}
	delete(all, w.sig)
	signal.Stop(telling.heard) // of all signals; those that are left have channels of their own meanwhile
	for sig := range all {
		signal.Notify(telling.heard, sig)
	}
	signal.Stop(w.came)
	if len(all) == 0 {
		close(telling.over)
		telling = nil
		return
	}
	select {
	case telling.look <- struct{}{}:
	default:
	}
}

func (t *teller) run() {
	for {
		select {
		case sig := <-t.heard:
			t.tell(sig.(syscall.Signal))
		case <-t.look:
		case <-t.over:
			return
		}
		if len(t.heard) == 0 {
			t.tellDropped()
		}
	}
}

// settle waits until a signal that os/signal is sending is in all its channels: to ask
// for one again changes nothing, and waits for that. mu is held.
func (w *watched) settle() { signal.Notify(w.came, w.sig) }

// tell tells the watchers of a signal, unless they know.
func (t *teller) tell(sig syscall.Signal) {
	mu.Lock()
	w := all[sig]
	var now []*watcher
	if w != nil {
		w.settle()
		select {
		case <-w.came:
			now = slices.Clone(w.watchers)
		default:
		}
	}
	mu.Unlock()
	for _, one := range now {
		one.tell()
	}
}

// tellDropped tells of signals for which there was no place.
func (t *teller) tellDropped() {
	var dropped []syscall.Signal
	mu.Lock()
	for sig, w := range all {
		w.settle()
		if len(t.heard) == 0 && len(w.came) > 0 {
			dropped = append(dropped, sig)
		}
	}
	mu.Unlock()
	for _, sig := range dropped {
		t.tell(sig)
	}
}
