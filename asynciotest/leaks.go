package asynciotest

// Leaks. What counts is what the process has at the end and did not have before:
// goroutines by their numbers, as the runtime prints their stacks, and descriptors by how
// many there are. Both get some time to end, since closing goes on in the background.

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-a026a017/asyncio"
)

// settleLimit is how long what a test leaves has to end. Only a test that fails waits
// for all of it. A variable for the tests of this package.
var settleLimit = 5 * time.Second

// VerifyTestMain runs the tests of a package and ends the process: with a failure also if
// the tests leave a goroutine or a descriptor. It is all that TestMain does:
//
//	func TestMain(m *testing.M) { asynciotest.VerifyTestMain(m) }
func VerifyTestMain(m interface{ Run() int }) {
	warmUp()
	before := takeCensus()
	code := m.Run()
	if code == 0 {
		if left := before.left(); left != "" {
			fmt.Fprintln(os.Stderr, "asynciotest: the tests have left", left)
			code = 1
		}
	}
	os.Exit(code)
}

var verified sync.Map // testing.TB: VerifyNoLeaks was called

// VerifyNoLeaks makes the test fail if it ends with a goroutine or descriptor that is not
// there now. New and Run do it; tests that make no loop with them call it first of all.
// Again, it does nothing.
func VerifyNoLeaks(t testing.TB) {
	t.Helper()
	if _, again := verified.LoadOrStore(t, true); again {
		return
	}
	warmUp()
	before := takeCensus()
	t.Cleanup(func() {
		verified.Delete(t)
		if left := before.left(); left != "" {
			t.Errorf("asynciotest: the test has left %s", left)
		}
	})
}

// warmUp opens what a process opens once and keeps: Go's network poller, and libuv's pipe
// for signals.
var warmUp = sync.OnceFunc(func() {
	if r, w, err := os.Pipe(); err == nil {
		_, _ = r.Close(), w.Close()
	}
	for _, driver := range Drivers() {
		if l, err := asyncio.NewEventLoop(asyncio.WithDriver(driver)); err == nil {
			_ = l.Close()
		}
	}
})

// census is what the process has at one moment.
type census struct {
	goroutines  map[string]string // stacks by numbers
	descriptors []string
}

func takeCensus() census { return census{goroutines(), descriptors()} }

// left says what the process has more than in the census; nothing if that is nothing, or
// ends in time.
func (before census) left() string {
	deadline := time.Now().Add(settleLimit)
	for pause := 10 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		left := before.leftNow()
		if left == "" || time.Now().After(deadline) {
			return left
		}
		time.Sleep(pause) // between two looks; what comes next does not depend on it
	}
}

func (before census) leftNow() string {
	var left []string
	now := goroutines()
	maps.DeleteFunc(now, func(number, _ string) bool { _, old := before.goroutines[number]; return old })
	if len(now) > 0 {
		stacks := slices.Sorted(maps.Values(now))
		left = append(left, fmt.Sprintf("%d goroutines:\n%s\n", len(now), strings.Join(stacks, "\n\n")))
	}
	if fds := descriptors(); len(fds) > len(before.descriptors) {
		left = append(left, fmt.Sprintf("%d descriptors: it had %v, and has %v", len(fds)-len(before.descriptors), before.descriptors, fds))
	}
	return strings.Join(left, "and ")
}

// goroutines is the stacks of all goroutines but the caller's, those of tests and those
// that the runtime and the standard library start once and keep.
func goroutines() map[string]string {
	buf := make([]byte, 64<<10)
	n := runtime.Stack(buf, true)
	for ; n == len(buf); n = runtime.Stack(buf, true) {
		buf = make([]byte, 2*len(buf))
	}
	found := map[string]string{}
	for i, stack := range strings.Split(strings.TrimSpace(string(buf[:n])), "\n\n") {
		if i > 0 && !kept(stack) {
			number, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
			found[number] = stack
		}
	}
	return found
}

// kept reports whether a goroutine is one that programs and tests have anyway.
func kept(stack string) bool {
	head, frames, _ := strings.Cut(stack, "\n")
	switch {
	case strings.HasPrefix(head, "goroutine 1 "): // main
		return true
	case strings.Contains(frames, "created by testing."): // another test
		return true
	case strings.HasPrefix(frames, "os/signal.signal_recv("), strings.Contains(frames, "runtime.ensureSigM"):
		return true
	case strings.HasPrefix(frames, "runtime.goexit"): // a thread of C's that has called Go
		return true
	}
	return strings.Contains(frames, "runtime/trace.Start")
}

// descriptors is number and target of every open descriptor; nothing where the system
// does not show them in /proc.
func descriptors() []string {
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var fds []string
	for _, e := range entries {
		// The descriptor that ReadDir itself used is closed by now, and has no target.
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			fds = append(fds, e.Name()+":"+target)
		}
	}
	return fds
}
