// Package signals lets any number of watchers hear of a signal, by one channel of
// os/signal for each signal that somebody watches.
//
// Loops share a process, and a signal is sent to the process: whoever watches it is told.
// While nobody watches there is no channel and no goroutine, and the signal is Go's
// again: other channels of the program's hear it as ever, and if there are none, what it
// does by default happens.
package signals

import (
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
)

// watched is a signal that somebody watches. One goroutine tells its watchers.
type watched struct {
	sig      syscall.Signal
	heard    chan os.Signal // one place: signals that come at once are one
	over     chan struct{}
	watchers []*watcher // in the order in which they came
}

type watcher struct{ tell func() }

var (
	mu  sync.Mutex
	all = map[syscall.Signal]*watched{}
)

// Watch has tell called, on a goroutine of this package's, whenever sig has come. Signals
// that come before the watchers were told of the first are one. tell must not block; it
// may be called once more while stop is. stop is idempotent, and the stop of the last
// watcher gives the signal back before it returns.
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
	w := all[sig]
	if w == nil {
		w = &watched{sig: sig, heard: make(chan os.Signal, 1), over: make(chan struct{})}
		all[sig] = w
		signal.Notify(w.heard, sig)
		go w.run()
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
	if len(w.watchers) == 0 {
		signal.Stop(w.heard)
		close(w.over)
		delete(all, w.sig)
	}
}

func (w *watched) run() {
	for {
		select {
		case <-w.heard:
			mu.Lock()
			now := slices.Clone(w.watchers)
			mu.Unlock()
			for _, one := range now {
				one.tell()
			}
		case <-w.over:
			return
		}
	}
}
