package system

// Signals. All drivers hear of them through one hub, so that loops share a signal.

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/signals"
)

// Signals is the watches of a driver. The zero value has none. Nothing is posted once
// Close has returned.
type Signals struct {
	watches map[*signalWatch]struct{}
	mu      sync.Mutex
	closed  bool // under mu
}

type signalWatch struct {
	heard func()
	waits atomic.Bool // the loop is about to hear of it
	over  bool        // for the loop's goroutine
	stop  func()
}

// Watch is proactor.Signaler's. post runs a function on the loop, from any goroutine.
func (s *Signals) Watch(sig syscall.Signal, post func(func()), heard func()) (stop func(), err error) {
	w := &signalWatch{heard: heard}
	w.stop, err = signals.Watch(sig, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.closed && !w.waits.Swap(true) {
			post(w.tell)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("watch signal %d: %w", int(sig), os.NewSyscallError("sigaction", err))
	}
	if s.watches == nil {
		s.watches = make(map[*signalWatch]struct{})
	}
	s.watches[w] = struct{}{}
	return func() {
		delete(s.watches, w)
		w.end()
	}, nil
}

// Close ends all watches.
func (s *Signals) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for w := range s.watches {
		w.end()
	}
	s.watches = nil
}

func (w *signalWatch) end() {
	w.over = true
	w.stop()
}

func (w *signalWatch) tell() {
	w.waits.Store(false)
	if !w.over {
		w.heard()
	}
}
