//go:build cgo

package uvproactor

// Signals: not libuv's, whose handlers Go's runtime cannot live with.

import (
	"fmt"
	"net"
	"syscall"
)

func (d *driver) WatchSignal(sig syscall.Signal, heard func()) (stop func(), err error) {
	if d.closed {
		return nil, fmt.Errorf("watch signal %d: the proactor is closed: %w", int(sig), net.ErrClosed)
	}
	return d.signals.Watch(sig, d.later, heard)
}
