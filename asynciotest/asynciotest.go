// Package asynciotest tests programs that use asyncio.
//
// A test that needs a loop calls [Run], which is to tests what asyncio.Run is to
// programs:
//
//	func TestGreeting(t *testing.T) {
//		asynciotest.Run(t, func(ctx context.Context) error {
//			return greet(ctx)
//		})
//	}
//
// [New] makes a loop that the test runs itself, turn by turn if it likes, and
// [EachDriver] repeats a test on every driver. Each of these loops is closed when its
// test ends. Then the test fails if it leaves a goroutine or a descriptor that it did not
// find; Run looks for tasks and connections as well. [VerifyTestMain] asks the same of a
// whole package. A loop that hangs is stopped after [HangLimit], so that it fails its own
// test and no other.
//
// Tests need not sleep to be in step with a loop:
//
//   - [Turns] runs a loop for an exact number of turns, and [Yield] suspends a task for
//     some;
//   - [Until] suspends a task until something is true;
//   - [Eventually] takes what a goroutine sends;
//   - a [Trace] keeps the order in which things happen, and [CountTurns] says in which
//     turn;
//   - [Reports] keeps what goes to a loop's exception handler.
//
// Checks of goroutines and descriptors count those of the whole process. A test that runs
// in parallel with others is blamed for theirs.
package asynciotest

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed-a026a017/asyncio"
)

// HangLimit is how long a loop may run for one test, and how long waiting may take. It
// only bounds a test that hangs, and is long enough for a machine that is busy with other
// things.
const HangLimit = time.Minute

// hangLimit is HangLimit, but for tests of this package that hang on purpose.
var hangLimit = HangLimit

// Option configures the loop of a test. Every option of a loop is one. The loop logs to
// the test's output unless an option says otherwise.
type Option = asyncio.Option

// New makes a loop, to be run by the test itself. At the end of the test it is closed, if
// it is not by then; a connection or server that is still open fails the test, and so
// does what VerifyNoLeaks finds.
func New(t testing.TB, opts ...Option) *asyncio.Loop {
	t.Helper()
	VerifyNoLeaks(t)
	l, err := asyncio.NewEventLoop(append([]Option{logTo(t)}, opts...)...)
	if err != nil {
		t.Fatalf("asynciotest: there is no loop: %v", err)
	}
	watchdog := time.AfterFunc(hangLimit, func() {
		t.Errorf("asynciotest: the loop still ran after %v", hangLimit)
		_, _ = l.CallSoonThreadsafe(func() {
			t.Logf("its tasks: %s", describeTasks(asyncio.AllTasks(l)))
			l.Stop()
		})
	})
	t.Cleanup(func() {
		watchdog.Stop()
		if l.IsRunning() {
			t.Error("asynciotest: the loop still runs at the end of the test")
			stopRunning(l)
		}
		if n := openAtEnd(l); n > 0 {
			t.Errorf("asynciotest: the test has left %s", describeHandles(n))
		}
		if err := l.Close(); err != nil {
			t.Errorf("asynciotest: the loop does not close at the end of the test: %v", err)
		}
	})
	return l
}

// Run runs body as the main task of a new loop, and fails the test if body returns an
// error, or leaves a task that goes on, an open connection or an open server. What body
// ended without waiting for it has time to end. The body may end the test: t.FailNow and
// its kin unwind the loop too.
func Run(t testing.TB, body func(ctx context.Context) error, opts ...Option) {
	t.Helper()
	l := New(t, opts...)
	if _, err := asyncio.RunUntilComplete(l, asyncio.Do(body)); err != nil {
		t.Fatalf("asynciotest: %v", err)
	}
	if left := leftOn(l); left != "" {
		t.Errorf("asynciotest: the test has left %s", left)
	}
}

// leftOn says what l still has to do, once that has had time to end.
func leftOn(l *asyncio.Loop) string {
	var tasks []asyncio.AnyTask
	_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
		me := asyncio.CurrentTask(ctx)
		return until(ctx, settleLimit, func() bool {
			tasks = tasks[:0]
			for _, task := range asyncio.AllTasks(l) {
				if task != me {
					tasks = append(tasks, task)
				}
			}
			return len(tasks) == 0 && l.Stats().Handles == 0
		})
	}))
	if err == nil {
		return ""
	}
	var left []string
	if len(tasks) > 0 {
		left = append(left, describeTasks(tasks))
	}
	if n := l.Stats().Handles; n > 0 {
		left = append(left, describeHandles(n))
	}
	return strings.Join(left, ", and ")
}

// stopRunning stops a loop that runs in another goroutine, and waits until it has.
func stopRunning(l *asyncio.Loop) {
	for l.IsRunning() {
		_, _ = l.CallSoonThreadsafe(l.Stop)
		runtime.Gosched()
	}
}

// openAtEnd counts the connections and servers that l still has once they have had time
// to end: the kernel tells of a peer that has gone when it likes. A loop that the test
// has closed has none.
func openAtEnd(l *asyncio.Loop) int {
	for deadline := time.Now().Add(settleLimit); !l.IsClosed(); {
		n := l.Stats().Handles
		if n == 0 || time.Now().After(deadline) {
			return n
		}
		l.CallLater(time.Millisecond, l.Stop)
		if err := l.RunForever(); err != nil {
			return n
		}
	}
	return 0
}

func describeHandles(n int) string {
	return fmt.Sprintf("%d open connections, servers and watched descriptors", n)
}

func describeTasks(tasks []asyncio.AnyTask) string {
	names := make([]string, len(tasks))
	for i, task := range tasks {
		names[i] = task.Name()
	}
	return fmt.Sprintf("%d tasks (%s)", len(tasks), strings.Join(names, ", "))
}

// InTask runs body as a task of l, which must not be running, and fails the test unless
// the body reaches its end.
func InTask(t testing.TB, l *asyncio.Loop, body func(ctx context.Context)) {
	t.Helper()
	finished := false
	_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
		body(ctx)
		finished = true
		return nil
	}))
	if err != nil {
		t.Fatalf("asynciotest: the task failed: %v", err)
	}
	if !finished {
		t.Fatal("asynciotest: the task did not reach its end")
	}
}

// Drivers lists the drivers that this build has.
func Drivers() []asyncio.Driver {
	if asyncio.LibuvVersion() == "" {
		return []asyncio.Driver{asyncio.PureGo}
	}
	return []asyncio.Driver{asyncio.Libuv, asyncio.PureGo}
}

// EachDriver runs test as a subtest for each driver, named after it. opts are for New and
// Run, and for asyncio's own ways to make a loop: the driver, and a logger that shows
// with the test what its loops log.
func EachDriver(t *testing.T, test func(t *testing.T, opts ...Option)) {
	t.Helper()
	for _, driver := range Drivers() {
		t.Run(driver.String(), func(t *testing.T) {
			test(t, asyncio.WithDriver(driver), logTo(t))
		})
	}
}

func logTo(t testing.TB) Option {
	return asyncio.WithLogger(slog.New(slog.NewTextHandler(t.Output(), nil)))
}
