//go:build cgo

package uv

// Signals, by os/signal: libuv's own handlers are not made for Go's stacks, and take the
// signal from Go for good. All loops of the process share one hub. What it hears it hands
// to each loop as a post, one at a time for each start of a Signal.

import (
	"sync/atomic"
	"syscall"
	"weak"

	"github.com/seed-a026a017/asyncio/internal/signals"
)

// Signal hears of a signal that is sent to the process; uv_signal_t. All handles of all
// loops that watch a signal hear of it, once for what comes at once. While one does, the
// signal does not do what it does by default; channels of signal.Notify hear of it too.
type Signal struct {
	local
	watch *signalWatch // nil while stopped
}

// signalWatch is one start of a Signal.
type signalWatch struct {
	s       *Signal
	num     syscall.Signal
	cb      func(sig syscall.Signal)
	oneshot bool
	posted  atomic.Bool // heard, and not yet delivered
	stop    func()      // tells the hub
}

// NewSignal makes a stopped handle; uv_signal_init. The error is ErrClosed.
func (l *Loop) NewSignal() (*Signal, error) {
	s := new(Signal)
	if err := l.addLocal(&s.local, s, SignalHandle); err != nil {
		return nil, err
	}
	return s, nil
}

// Start calls cb whenever sig has come, until Stop; uv_signal_start. Called again it
// watches the signal that it is given then, with that cb.
//
// The errors are ErrClosed, and EINVAL without cb and for what Go or the kernel keeps: 0,
// SIGKILL, SIGSTOP, SIGURG, SIGPROF, SIGSEGV and its kind, 32, 33, and beyond 64; they
// change nothing.
func (s *Signal) Start(sig syscall.Signal, cb func(sig syscall.Signal)) error {
	return s.start("Signal.Start", sig, cb, false)
}

// StartOneshot is Start that stops before it calls cb; uv_signal_start_oneshot.
func (s *Signal) StartOneshot(sig syscall.Signal, cb func(sig syscall.Signal)) error {
	return s.start("Signal.StartOneshot", sig, cb, true)
}

func (s *Signal) start(method string, sig syscall.Signal, cb func(sig syscall.Signal), oneshot bool) error {
	if err := s.check(method); err != nil {
		return err
	}
	if cb == nil {
		return s.fail("start", int(EINVAL))
	}
	if w := s.watch; w != nil && w.num == sig { // what has come already is not lost
		w.cb, w.oneshot = cb, oneshot
		return nil
	}
	w := &signalWatch{s: s, num: sig, cb: cb, oneshot: oneshot}
	hears := weak.Make(w) // the hub keeps no loop that is garbage otherwise
	stop, err := signals.Watch(sig, func() {
		if w := hears.Value(); w != nil {
			w.heard()
		}
	})
	if err != nil {
		return s.fail("start", int(EINVAL))
	}
	w.stop = stop
	s.end()
	s.watch = w
	s.setActive(true)
	return nil
}

// heard is called by the hub. A loop that is closed meanwhile has stopped the watch.
func (w *signalWatch) heard() {
	if !w.posted.Swap(true) {
		_ = w.s.loop.inbox.add(post{f: w.deliver})
	}
}

func (w *signalWatch) deliver() {
	w.posted.Store(false)
	if w.s.watch != w {
		return
	}
	if w.oneshot {
		w.s.end()
	}
	w.cb(w.num)
}

// end stops the watch, if there is one.
func (s *Signal) end() {
	if s.watch == nil {
		return
	}
	s.watch.stop()
	s.watch = nil
	s.setActive(false)
}

// Stop ends the calls at once; uv_signal_stop. The last handle that stops watching a
// signal gives it back to Go: channels of signal.Notify hear of it as ever, and if there
// are none, what it does by default happens. It is idempotent; the error is ErrClosed.
func (s *Signal) Stop() error {
	if err := s.check("Signal.Stop"); err != nil {
		return err
	}
	s.end()
	return nil
}

// Num is the signal that the handle watches, 0 while it is stopped.
func (s *Signal) Num() syscall.Signal {
	if s.watch == nil {
		return 0
	}
	return s.watch.num
}

// Close stops the handle and closes it; uv_close.
func (s *Signal) Close() { s.CloseWith(nil) }

// CloseWith is Close with a callback.
func (s *Signal) CloseWith(closed func()) {
	if s.check("Signal.Close") != nil {
		return
	}
	s.end()
	s.close(closed)
}
