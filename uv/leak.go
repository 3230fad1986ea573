//go:build cgo

package uv

// Finding what was forgotten. A loop keeps its handles, so a handle alone is never
// garbage: Loop.Handles shows it, and Shutdown closes it. What can get lost is a loop
// with all that is on it. Its descriptors and its memory in C are then gone for good, and
// only a report tells whose they were.

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// Leak is a loop that became garbage without Close, or a handle that such a loop had.
type Leak struct {
	What  string // "loop", or the kind of the handle
	Stack string // where it was made
}

// String tells the leak over several lines.
func (l Leak) String() string {
	return fmt.Sprintf("uv: a %s was dropped without Close; it was made at\n%s", l.What, l.Stack)
}

// WithLeakReport has report called, on a goroutine of the runtime, for the loop and each
// of its handles if the garbage collector finds the loop before Close or Shutdown.
// Keeping the stacks costs about 1 us and 1 KiB for each handle.
func WithLeakReport(report func(Leak)) Option { return func(c *config) { c.leak = report } }

// leakTracker knows where the loop and its handles were made. It must not lead to the
// loop, or that would never be garbage.
type leakTracker struct {
	report  func(Leak)
	made    map[uint64]creation // by number, in the order of making; 0 is the loop
	next    uint64
	cleanup runtime.Cleanup
}

type creation struct {
	what  string
	stack []uintptr
}

func trackLeaks(l *Loop, report func(Leak)) *leakTracker {
	t := &leakTracker{report: report, made: make(map[uint64]creation)}
	t.add("loop")
	t.cleanup = runtime.AddCleanup(l, (*leakTracker).tell, t)
	return t
}

func (t *leakTracker) add(what string) uint64 {
	var pcs [32]uintptr
	n := runtime.Callers(3, pcs[:])
	id := t.next
	t.next++
	t.made[id] = creation{what, slices.Clone(pcs[:n])}
	return id
}

func (t *leakTracker) tell() {
	for id := range t.next {
		if c, ok := t.made[id]; ok {
			t.report(Leak{c.what, stackText(c.stack)})
		}
	}
}

func stackText(pcs []uintptr) string {
	var b strings.Builder
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		fmt.Fprintf(&b, "%s\n\t%s:%d\n", f.Function, f.File, f.Line)
		if !more {
			return b.String()
		}
	}
}

// born and gone keep the tracker's list.
func (h *handle) born() {
	if t := h.loop.leaks; t != nil {
		h.extra().leakID = t.add(h.kind.String())
	}
}

func (h *handle) gone() {
	if t := h.loop.leaks; t != nil {
		delete(t.made, h.x.leakID)
	}
}
