package asyncio

// Which goroutine is this? A loop and each of its coroutines is tied to one, and a call
// from another would switch stacks under a running goroutine's feet, which the runtime
// cannot survive. So Await compares goroutines, on every call. The runtime keeps the
// current goroutine in a register or in thread-local storage; goroutineSelf reads it,
// which costs 1 ns.

import (
	"fmt"
	"path"
	"runtime"
	"strings"
	"sync"
)

// goroutineLoops is the *Loop of every goroutine that a loop runs on: its own while it
// runs, and its coroutines'.
var goroutineLoops sync.Map

// loopHere is the loop that called the caller, or nil.
func loopHere() *Loop {
	l, _ := goroutineLoops.Load(goroutineSelf())
	loop, _ := l.(*Loop)
	return loop
}

// inLoopGoroutine reports whether the caller is a callback of the loop, which runs.
func (l *Loop) inLoopGoroutine() bool { return l.goroutine.Load() == goroutineSelf() }

// isOwn reports whether the caller may touch the loop's fields: it is one of the loop's
// callbacks or tasks, or the loop does not run.
func (l *Loop) isOwn() bool { return !l.IsRunning() || loopHere() == l }

// atRest calls fn while no other goroutine can touch the loop's fields: in one of the
// loop's callbacks or tasks, or, as it does not run, with all runs held off. It is false,
// and fn not called, if the loop runs, or is being closed, elsewhere.
func (l *Loop) atRest(fn func()) bool {
	if loopHere() == l {
		fn()
		return true
	}
	l.inbox.mu.Lock() // beginRun takes it
	defer l.inbox.mu.Unlock()
	if l.IsRunning() || l.IsClosed() && l.ended.err() == nil {
		return false
	}
	fn()
	return true
}

// mayBlock is nil in a goroutine that may wait, as no loop stands still then.
func mayBlock() error {
	if loopHere() == nil {
		return nil
	}
	return fmt.Errorf("%w: the context has no task, and to wait here would block the loop; in a task await with the "+
		"context that its coroutine was given, in a callback create a task", ErrNotCurrentTask)
}

// checkGoroutine panics if another goroutine than the loop's calls.
func (l *Loop) checkGoroutine(method string) {
	if !l.isOwn() {
		panic(misuse(ErrWrongLoop, "Non-thread-safe operation: %s was called from a goroutine that is not the loop's; use CallSoonThreadsafe", method))
	}
}

func (l *Loop) lockThread() {
	runtime.LockOSThread()
	l.lockedThread = true
	l.goroutine.Store(goroutineSelf())
}

func (l *Loop) unlockThread() { runtime.UnlockOSThread() }

// Below these two on a stack there is nothing of the task or callback.
const (
	outermostOfTask = "github.com/seed-a026a017/asyncio.(*task).execute"
	outermostOfTurn = "github.com/seed-a026a017/asyncio.(*Loop).runTurns"
)

// tracebackMax bounds the frames that are kept.
const tracebackMax = 32

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
