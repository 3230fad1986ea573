//go:build cgo

package uv

// What a loop tells of itself: counters, the time that it was idle, and its handles.

import (
	"fmt"
	"io"
	"time"
)

// Metrics are counters since the loop was made.
type Metrics struct {
	ReadsPutOff uint64 // reads that waited for the next turn because the buffer of this one was full
	WriteCalls  uint64 // calls of write(2) and writev(2)
	RecvCalls   uint64 // of datagrams: calls of recvmsg(2) and recvmmsg(2)
	SendCalls   uint64 // of datagrams: calls of sendto(2) and sendmmsg(2), but for libuv's own
}

// Metrics returns the loop's counters.
func (l *Loop) Metrics() Metrics {
	l.use("Loop.Metrics")
	if l.state.Load() == loopClosed {
		return Metrics{}
	}
	return Metrics{ReadsPutOff: l.b.ReadShort, WriteCalls: l.b.WriteCalls, RecvCalls: l.b.RecvCalls, SendCalls: l.b.SendCalls}
}

// IdleTime is how long the loop has waited for something to happen, the wait that lasts
// included; uv_metrics_idle_time. It is 0 without WithIdleMetrics. Any goroutine, also
// when the loop is closed.
func (l *Loop) IdleTime() time.Duration { return l.sleep.Metered() }

// MetricsInfo are counters of libuv's own, uv_metrics_t.
type MetricsInfo struct {
	LoopCount     uint64 // runs of libuv's loop
	Events        uint64 // that it has handled
	EventsWaiting uint64 // that were there already when it polled
}

// MetricsInfo returns libuv's counters; uv_metrics_info. The error is ErrClosed, or
// ErrNotSupported before libuv 1.45.
func (l *Loop) MetricsInfo() (MetricsInfo, error) {
	l.use("Loop.MetricsInfo")
	if l.state.Load() == loopClosed {
		return MetricsInfo{}, ErrClosed
	}
	n, code := l.b.MetricsInfo()
	if code != 0 {
		return MetricsInfo{}, since("metrics_info", 45, code)
	}
	return MetricsInfo{LoopCount: n[0], Events: n[1], EventsWaiting: n[2]}, nil
}

// DumpHandles writes a line for each handle, or for each that is active, of the form
// "[RAI] type address"; uv_print_all_handles and uv_print_active_handles. R stands for
// one that keeps the loop alive while it is active, A for one that is active; no handle
// that Go knows is internal. The error is ErrClosed, EINVAL without w, or w's.
func (l *Loop) DumpHandles(w io.Writer, activeOnly bool) error {
	l.use("Loop.DumpHandles")
	if l.state.Load() == loopClosed {
		return ErrClosed
	}
	if w == nil {
		return &Error{Op: "print_handles", Errno: EINVAL}
	}
	for h := range l.Handles() {
		if activeOnly && !h.IsActive() {
			continue
		}
		mark := func(letter byte, on bool) byte {
			if on {
				return letter
			}
			return '-'
		}
		if _, err := fmt.Fprintf(w, "[%c%c-] %-8s %p\n", mark('R', h.HasRef()), mark('A', h.IsActive()), h.Type(), h); err != nil {
			return err
		}
	}
	return nil
}
