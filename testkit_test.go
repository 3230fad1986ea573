// The tools that all tests of the package share.
//
// Every test of a loop runs once for each driver (eachDriver), on a loop of its own
// (newLoop) that is closed when the test ends. Then no goroutine and no descriptor may be
// left that the test did not find (noLeaks); TestMain asks the same of the whole run. A
// loop that hangs is stopped by a watchdog, so that it fails its own test and no other.
//
// Tests never sleep to synchronise. turn and turns run a loop for an exact number of
// passes, countTurns counts the passes of a loop that runs, and trace keeps the order in
// which things happened.
package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-a026a017/asyncio"
)

// hangLimit is how long one test may keep a loop before the watchdog stops it.
const hangLimit = 20 * time.Second

// settleLimit is how long a descriptor may stay open after the test that opened it.
const settleLimit = 2 * time.Second

// errBoom is the failure that tests cause on purpose.
var errBoom = errors.New("boom")

// ctxKey is the type of the keys under which tests put values into contexts.
type ctxKey string

func TestMain(m *testing.M) {
	warmUp()
	fdsBefore := openDescriptors()
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines left by the tests:", err)
			code = 1
		}
		if fds := openDescriptors(); len(fds) > len(fdsBefore) {
			fmt.Fprintf(os.Stderr, "descriptors left by the tests: %d before, %d after: %v\n", len(fdsBefore), len(fds), fds)
			code = 1
		}
	}
	os.Exit(code)
}

// warmUp opens what a process opens once and keeps: Go's network poller, and libuv's pipe
// for signals.
func warmUp() {
	if r, w, err := os.Pipe(); err == nil {
		_, _ = r.Close(), w.Close()
	}
	for _, d := range drivers() {
		if l, err := asyncio.NewEventLoop(asyncio.WithDriver(d.driver)); err == nil {
			_ = l.Close()
		}
	}
}

type namedDriver struct {
	name   string
	driver asyncio.Driver
}

// drivers lists the drivers that this build has.
func drivers() []namedDriver {
	ds := []namedDriver{{"purego", asyncio.PureGo}}
	if asyncio.LibuvVersion() != "" {
		ds = append([]namedDriver{{"libuv", asyncio.Libuv}}, ds...)
	}
	return ds
}

// eachDriver runs test as a subtest for each driver, named after it. opts are for
// newLoop, Run and NewRunner: the driver, and a logger that shows with the test what its
// loops report.
func eachDriver(t *testing.T, test func(t *testing.T, opts ...asyncio.Option)) {
	t.Helper()
	for _, d := range drivers() {
		t.Run(d.name, func(t *testing.T) {
			logger := slog.New(slog.NewTextHandler(t.Output(), nil))
			test(t, asyncio.WithDriver(d.driver), asyncio.WithLogger(logger))
		})
	}
}

// newLoop makes a loop that is closed at the end of the test, and stopped if the test
// hangs.
func newLoop(t *testing.T, opts ...asyncio.Option) *asyncio.Loop {
	t.Helper()
	noLeaks(t)
	l, err := asyncio.NewEventLoop(opts...)
	require.NoError(t, err)
	watchdog := time.AfterFunc(hangLimit, func() {
		t.Errorf("the loop still ran after %v", hangLimit)
		_, _ = l.CallSoonThreadsafe(l.Stop)
	})
	t.Cleanup(func() {
		watchdog.Stop()
		assert.NoError(t, l.Close(), "Close at the end of the test")
	})
	return l
}

var leakChecked sync.Map // *testing.T: noLeaks was called

// noLeaks makes the test fail if it ends with a goroutine or descriptor that is not there
// now. Idempotent. Tests that make no loop with newLoop call it first of all.
func noLeaks(t *testing.T) {
	t.Helper()
	if _, again := leakChecked.LoadOrStore(t, true); again {
		return
	}
	ignoreEarlier := goleak.IgnoreCurrent()
	fdsBefore := openDescriptors()
	t.Cleanup(func() {
		leakChecked.Delete(t)
		assert.NoError(t, goleak.Find(ignoreEarlier), "goroutines left by the test")
		deadline := time.Now().Add(settleLimit)
		fds := openDescriptors()
		for len(fds) > len(fdsBefore) && time.Now().Before(deadline) {
			runtime.Gosched()
			fds = openDescriptors()
		}
		assert.LessOrEqual(t, len(fds), len(fdsBefore), "descriptors left by the test: before %v, after %v", fdsBefore, fds)
	})
}

// openDescriptors tells number and target of every open descriptor; nothing where there
// is no /proc.
func openDescriptors() []string {
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

// run runs coro as a task of l and returns its result; its error fails the test.
func run[T any](t *testing.T, l *asyncio.Loop, coro asyncio.Coro[T]) T {
	t.Helper()
	v, err := asyncio.RunUntilComplete(l, coro)
	require.NoError(t, err)
	return v
}

// inTask runs body as a task of l.
func inTask(t *testing.T, l *asyncio.Loop, body func(ctx context.Context)) {
	t.Helper()
	finished := false
	_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
		body(ctx)
		finished = true
		return nil
	}))
	require.NoError(t, err)
	require.True(t, finished, "the body of the task did not reach its end")
}

// turn runs l for exactly one turn, which may wait for I/O only if nothing is ready.
func turn(t *testing.T, l *asyncio.Loop) { t.Helper(); turns(t, l, 1) }

// turns runs l for exactly n turns, one after the other.
func turns(t *testing.T, l *asyncio.Loop, n int) {
	t.Helper()
	for range n {
		l.CallSoon(l.Stop)
		require.NoError(t, l.RunForever())
	}
}

// yield gives way to the loop n times: the task goes on in the n-th turn from now.
func yield(t *testing.T, ctx context.Context, n int) {
	t.Helper()
	for range n {
		require.NoError(t, asyncio.Sleep(ctx, 0))
	}
}

// turnCounter counts the turns of a running loop with a callback that schedules itself.
type turnCounter struct {
	n      int
	loop   *asyncio.Loop
	handle *asyncio.Handle
}

// countTurns starts a counter: n is 1 in the first turn from now on, for callbacks that
// were scheduled later than it. A loop with a counter never waits in its poll; stop ends
// that.
func countTurns(l *asyncio.Loop) *turnCounter {
	c := &turnCounter{loop: l}
	c.handle = l.CallSoon(c.tick)
	return c
}

func (c *turnCounter) tick() {
	c.n++
	c.handle = c.loop.CallSoon(c.tick)
}

func (c *turnCounter) stop() { c.handle.Cancel() }

// trace is the order in which things happened, for the loop's goroutine only.
type trace struct{ events []string }

func (tr *trace) add(event string) { tr.events = append(tr.events, event) }

func (tr *trace) addf(format string, args ...any) { tr.add(fmt.Sprintf(format, args...)) }

// mark returns a callback that adds event.
func (tr *trace) mark(event string) func() { return func() { tr.add(event) } }

// equal fails the test unless exactly these events happened, in this order.
func (tr *trace) equal(t *testing.T, want ...string) {
	t.Helper()
	require.Equal(t, want, tr.events)
}

// count tells how often event happened.
func (tr *trace) count(event string) int {
	n := 0
	for _, e := range tr.events {
		if e == event {
			n++
		}
	}
	return n
}

// errorRecorder is an exception handler that keeps what it gets.
type errorRecorder struct{ got []asyncio.ErrorContext }

// recordErrors makes a recorder the exception handler of l.
func recordErrors(l *asyncio.Loop) *errorRecorder {
	r := &errorRecorder{}
	l.SetExceptionHandler(func(_ *asyncio.Loop, c asyncio.ErrorContext) { r.got = append(r.got, c) })
	return r
}

// none fails the test if the handler was called.
func (r *errorRecorder) none(t *testing.T) {
	t.Helper()
	require.Empty(t, r.got, "the exception handler was called")
}

// one returns the only call that the handler got.
func (r *errorRecorder) one(t *testing.T) asyncio.ErrorContext {
	t.Helper()
	require.Len(t, r.got, 1, "calls of the exception handler")
	return r.got[0]
}

// logRecorder is a slog.Handler that keeps messages with their attributes, as text, one
// string a record.
type logRecorder struct {
	mu    sync.Mutex
	lines []string
	fail  func(line string) // called before line is kept, if set; may panic
}

// recordLog returns a recorder, and the option that makes it a loop's logger.
func recordLog() (*logRecorder, asyncio.Option) {
	r := &logRecorder{}
	return r, asyncio.WithLogger(slog.New(r))
}

func (r *logRecorder) Enabled(context.Context, slog.Level) bool { return true }

func (r *logRecorder) Handle(_ context.Context, rec slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", rec.Level, rec.Message)
	rec.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	})
	if r.fail != nil {
		r.fail(b.String())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, b.String())
	return nil
}

func (r *logRecorder) WithAttrs([]slog.Attr) slog.Handler { return r }
func (r *logRecorder) WithGroup(string) slog.Handler      { return r }

// matching returns the records that contain text, whatever the case of its letters.
func (r *logRecorder) matching(text string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.lines), func(line string) bool {
		return !strings.Contains(strings.ToLower(line), strings.ToLower(text))
	})
}

// took runs fn and fails the test unless that lasted between atLeast and atMost.
func took(t *testing.T, atLeast, atMost time.Duration, fn func()) {
	t.Helper()
	start := time.Now()
	fn()
	elapsed := time.Since(start)
	require.GreaterOrEqual(t, elapsed, atLeast, "it took too short a time")
	require.LessOrEqual(t, elapsed, atMost, "it took too long")
}

// panicError runs fn, which must panic with an error value, and returns that error.
func panicError(t *testing.T, fn func()) error {
	t.Helper()
	v := recovered(fn)
	require.NotNil(t, v, "it did not panic")
	err, ok := v.(error)
	require.True(t, ok, "it panicked with a %T, not with an error: %v", v, v)
	var fault runtime.Error
	require.False(t, errors.As(err, &fault), "it panicked by accident: %v", err)
	return err
}

// panicsWith runs fn, which must panic with an error that errors.Is finds to be target.
func panicsWith(t *testing.T, target error, fn func()) {
	t.Helper()
	require.ErrorIs(t, panicError(t, fn), target)
}

// recovered runs fn and returns the value of its panic, nil if there was none.
func recovered(fn func()) (v any) {
	defer func() { v = recover() }()
	fn()
	return nil
}

// unwinds runs fn on a goroutine of its own, which fn must end with runtime.Goexit, and
// waits for that end. Goexit is to Go what KeyboardInterrupt and SystemExit are to
// Python: no handler may keep it.
func unwinds(t *testing.T, fn func()) {
	t.Helper()
	returned, panicked := false, any(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		fn()
		returned = true
	}()
	<-done
	require.Nil(t, panicked, "it panicked")
	require.False(t, returned, "Goexit did not unwind the goroutine")
}

// onGoroutine runs fn on another goroutine and waits for it.
func onGoroutine(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
}

// errorSays fails the test unless the text of err contains want, whatever the case of the
// letters.
func errorSays(t *testing.T, err error, want string) {
	t.Helper()
	require.Error(t, err)
	require.Contains(t, strings.ToLower(err.Error()), strings.ToLower(want))
}
