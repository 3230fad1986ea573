package asyncio

// Stacks, as reports show them: the calls of the user's, without those of this module and
// what called the task or the turn.

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// Below these two on a stack there is nothing of the task or callback.
const (
	outermostOfTask = "github.com/seed-a026a017/asyncio.(*task).execute"
	outermostOfTurn = "github.com/seed-a026a017/asyncio.(*Loop).runTurns"
)

// tracebackMax bounds the frames that are kept.
const tracebackMax = 64

// traceback is a stack, newest frame first. nil is none.
type traceback struct{ frames []uintptr }

// callerTraceback is the stack of the caller.
func callerTraceback() *traceback {
	var pcs [tracebackMax]uintptr
	n := runtime.Callers(2, pcs[:])
	return &traceback{frames: append([]uintptr(nil), pcs[:n]...)}
}

// callerTraceback is nil unless the loop is in debug mode.
func (l *Loop) callerTraceback() *traceback {
	if !l.debug {
		return nil
	}
	return callerTraceback()
}

// user is the user's frames, newest first: those of this module are left out, and what
// called the task or the turn.
func (t *traceback) user() []FrameCallGraph {
	if t == nil {
		return nil
	}
	var calls []FrameCallGraph
	frames := runtime.CallersFrames(t.frames)
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if f.Function == outermostOfTask || f.Function == outermostOfTurn {
			break
		}
		if !ours(f.File) {
			calls = append(calls, FrameCallGraph{Function: f.Function, File: f.File, Line: f.Line})
		}
	}
	return calls
}

// sourceRoot is the folder of this file, as the runtime names it.
var sourceRoot = func() string {
	_, file, _, _ := runtime.Caller(0)
	return path.Dir(file)
}()

// ours reports whether a frame is one of this module's packages. The name of a function
// does not tell: a function literal that is inlined has its caller's.
func ours(file string) bool {
	rest, ok := strings.CutPrefix(file, sourceRoot+"/")
	if !ok || strings.HasSuffix(rest, "_test.go") {
		return false
	}
	top, _, below := strings.Cut(rest, "/")
	return !below || top == "internal" || top == "uv" || top == "cbridge"
}

// place is the line of the newest of the user's frames; "" if there is none.
func (t *traceback) place() string {
	calls := t.user()
	if len(calls) == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", calls[0].File, calls[0].Line)
}

// String is the user's frames as the runtime prints them.
func (t *traceback) String() string {
	var b strings.Builder
	for _, f := range t.user() {
		fmt.Fprintf(&b, "%s(...)\n\t%s:%d\n", f.Function, f.File, f.Line)
	}
	return b.String()
}

// FrameCallGraph is one call on a task's stack.
type FrameCallGraph struct {
	Function, File string
	Line           int
}
