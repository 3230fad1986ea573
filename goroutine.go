package asyncio

// Which goroutine is this? The runtime does not say, except in the text of a stack. That costs a microsecond, so it is
// asked once a run, in debug mode, and where a mistake would otherwise block for ever.

import (
	"bytes"
	"runtime"
	"strconv"
	"strings"
)

// goroutineID is the number in the first line of the goroutine's stack: "goroutine 17 [running]:".
func goroutineID() uint64 {
	var buf [64]byte
	text := buf[:runtime.Stack(buf[:], false)]
	text = bytes.TrimPrefix(text, []byte("goroutine "))
	if i := bytes.IndexByte(text, ' '); i > 0 {
		text = text[:i]
	}
	id, _ := strconv.ParseUint(string(text), 10, 64)
	return id
}

// inLoopGoroutine tells whether the caller is a callback of the loop, which runs.
func (l *Loop) inLoopGoroutine() bool { return l.goroutine.Load() == goroutineID() }

// insideLoop tells whether the caller was called by a loop: by its turn, or by a coroutine's first frame.
func insideLoop() bool {
	pcs := make([]uintptr, 128)
	for skip := 2; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs)
		frames := runtime.CallersFrames(pcs[:n])
		for {
			frame, more := frames.Next()
			if name, ours := strings.CutPrefix(frame.Function, packagePath+"."); ours {
				if name == "(*Loop).runTurns" || name == "(*coroutine).main" {
					return true
				}
			}
			if !more {
				break
			}
		}
		if n < len(pcs) {
			return false
		}
	}
}

const packagePath = "github.com/seed-a026a017/asyncio"

// checkGoroutine panics if the caller runs neither in the loop's goroutine nor in its current task.
func (l *Loop) checkGoroutine(method string) {
	if !l.IsRunning() {
		return
	}
	id := goroutineID()
	if id == l.goroutine.Load() {
		return
	}
	if t := l.current; t != nil && t.co != nil && t.co.goroutine == id {
		return
	}
	panic(misuse(ErrWrongLoop, "Non-thread-safe operation: %s was called from a goroutine that is not the loop's; use CallSoonThreadsafe", method))
}

func (l *Loop) lockThread() {
	runtime.LockOSThread()
	l.lockedThread = true
	l.goroutine.Store(goroutineID())
}

func (l *Loop) unlockThread() { runtime.UnlockOSThread() }

// traceback is a stack, newest frame first. nil is none.
type traceback struct{ frames []uintptr }

const tracebackMax = 32

// callerTraceback is the stack of the caller's caller, skip frames left out.
func callerTraceback(skip int) *traceback {
	var pcs [tracebackMax]uintptr
	n := runtime.Callers(skip+2, pcs[:])
	return &traceback{frames: append([]uintptr(nil), pcs[:n]...)}
}

// callerTraceback is nil unless the loop is in debug mode.
func (l *Loop) callerTraceback(skip int) *traceback {
	if !l.debug {
		return nil
	}
	return callerTraceback(skip + 1)
}

// String is the frames, newest first, as the runtime prints them. Frames of this package and the runtime below the
// caller's own are left out.
func (t *traceback) String() string {
	if t == nil {
		return ""
	}
	var b strings.Builder
	frames := runtime.CallersFrames(t.frames)
	for {
		f, more := frames.Next()
		if name, ours := strings.CutPrefix(f.Function, packagePath+"."); ours && (name == "(*task).execute" || name == "(*Loop).runTurns") {
			break
		}
		b.WriteString(f.Function)
		b.WriteString("(...)\n\t")
		b.WriteString(f.File)
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(f.Line))
		b.WriteByte('\n')
		if !more {
			break
		}
	}
	return b.String()
}
