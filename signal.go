package asyncio

// Signals that a loop handles.
//
// A signal is sent to the process, which may have several loops and other code that
// listens. Every loop with a handler hears of it. A handler of SIGINT takes the place of
// what a SIGINT does to runs, in all of them, since the program has said what it is to
// do.

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// signalHandlers is the feature of a loop: its handlers by signal.
type signalHandlers struct {
	of map[syscall.Signal]*signalHandler
}

type signalHandler struct {
	call runnable
	stop func() // of the watch
}

// AddSignalHandler calls fn, as a callback of the loop, whenever the process gets sig:
// loop.add_signal_handler. What sig does by default does not happen meanwhile; a SIGINT
// ends no run. Called again for the same signal it puts fn in the place of the function
// that was there. A panic of fn is reported, and fn stays. Of signals that come at once,
// those of one number may be told as one, as the system does. The handlers of a loop end
// with its Close; until then they do not keep it running.
//
// In Python only the main thread's loop may have handlers, here any loop may, and all
// that handle a signal hear of it, as do channels of os/signal. The error is
// ErrInvalidArgument for what is no signal, and for those that no program can handle:
// SIGKILL and SIGSTOP, and what the Go runtime keeps for itself, such as SIGSEGV and
// SIGURG; or ErrLoopClosed. It panics with ErrInvalidArgument if fn is nil. It is for the
// loop's goroutine.
func (l *Loop) AddSignalHandler(sig os.Signal, fn func()) error {
	if l.debug {
		l.checkGoroutine("AddSignalHandler")
	}
	call := l.newCallback("AddSignalHandler", fn, nil)
	if l.IsClosed() {
		return fmt.Errorf("%w: AddSignalHandler needs an open loop", ErrLoopClosed)
	}
	number, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("%w: AddSignalHandler of %v, a %T; it takes a syscall.Signal", ErrInvalidArgument, sig, sig)
	}
	all := featureOf[signalHandlers](l)
	if h := all.of[number]; h != nil {
		h.call = call
		return nil
	}
	h := &signalHandler{call: call}
	stop, err := l.pro.WatchSignal(number, func() { l.ready.push(h.call) })
	if errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("%w: signal %d (%v) cannot be caught: %w", ErrInvalidArgument, int(number), number, err)
	}
	if err != nil {
		return fmt.Errorf("asyncio: %w", err)
	}
	h.stop = stop
	if all.of == nil {
		all.of = make(map[syscall.Signal]*signalHandler)
	}
	all.of[number] = h
	if number == syscall.SIGINT {
		handleInterrupt()
	}
	return nil
}

// RemoveSignalHandler ends the calls of the function that AddSignalHandler was given, and
// reports whether there was one: loop.remove_signal_handler. With the last handler of a
// signal, its default is back: SIGINT interrupts runs, SIGTERM ends the process. A call
// that is ready already is still made. On a closed loop there is no handler.
func (l *Loop) RemoveSignalHandler(sig os.Signal) bool {
	if l.debug {
		l.checkGoroutine("RemoveSignalHandler")
	}
	number, ok := sig.(syscall.Signal)
	if !ok || l.IsClosed() {
		return false
	}
	all := featureOf[signalHandlers](l)
	h := all.of[number]
	if h == nil {
		return false
	}
	delete(all.of, number)
	h.end(number)
	return true
}

func (h *signalHandler) end(sig syscall.Signal) {
	if sig == syscall.SIGINT {
		unhandleInterrupt() // first, so that no SIGINT between the two ends the process
	}
	h.stop()
}

func (s *signalHandlers) loopClosed(*Loop) {
	for sig, h := range s.of {
		h.end(sig)
	}
	s.of = nil
}
