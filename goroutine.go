package asyncio

// Which loop is this goroutine's? A loop runs on one, and each of its coroutines is one.
// What belongs to the loop may be touched there, and nobody may wait there.

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/seed-a026a017/asyncio/internal/goid"
)

// goroutineLoops is the *Loop of every goroutine that a loop runs on: its own while it
// runs, and its coroutines'.
var goroutineLoops sync.Map

// loopHere is the loop that called the caller, or nil.
func loopHere() *Loop {
	l, _ := goroutineLoops.Load(goid.Self())
	loop, _ := l.(*Loop)
	return loop
}

// isOwn reports whether the caller may touch the loop's fields: it is one of the loop's
// callbacks or tasks, or the loop does not run.
func (l *Loop) isOwn() bool { return !l.IsRunning() || loopHere() == l }

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
	l.goroutine.Store(goid.Self())
}

func (l *Loop) unlockThread() { runtime.UnlockOSThread() }
