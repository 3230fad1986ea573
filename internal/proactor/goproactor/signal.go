package goproactor

// Signals: package os/signal's.

import (
	"fmt"
	"net"
	"syscall"
)

// signalEvent tells of a signal.
type signalEvent func()

func (e signalEvent) complete() { e() }
func (e signalEvent) discard()  {}

func (d *driver) WatchSignal(sig syscall.Signal, heard func()) (stop func(), err error) {
	if d.closed {
		return nil, fmt.Errorf("watch signal %d: the proactor is closed: %w", int(sig), net.ErrClosed)
	}
	return d.signals.Watch(sig, func(tell func()) { d.post(signalEvent(tell)) }, heard)
}
