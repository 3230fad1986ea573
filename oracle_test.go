// Programs whose order of events CPython decided.
//
// testdata/oracle holds small programs in Python, and for each the trace that CPython's
// asyncio left: what happened, and in which turn. Here is the Go twin of each, statement
// by statement. It has to leave the same trace, to the turn, on every driver. kit.py in
// that folder runs the Python side and says how a trace is written; the functions here
// that spell errors and futures follow it word for word.
//
// Where a twin is meant to leave another trace, docs/divergences.md lists the program
// with the reason, and NAME.go.trace is what it leaves. If the two agree all the same,
// the list is wrong, and the test fails.
package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

const (
	oracleDir   = "testdata/oracle"
	oracleTrace = ".trace"
	goTrace     = ".go.trace"
)

// logFunc adds an event to a trace, with the turn in which it happened.
type logFunc func(format string, args ...any)

// twins are Go programs by the names of their Python files; each is the main task of a
// loop.
type twins map[string]func(ctx context.Context, log logFunc)

// oraclePrograms are the twins of all programs, as functions that run a loop.
func oraclePrograms(t *testing.T) map[string]func(l *asyncio.Loop, log logFunc) {
	programs := maps.Clone(oracleLoopRuns)
	for _, theme := range []twins{
		oracleTaskPrograms, oracleFuturePrograms, oracleEagerPrograms, oracleGatherPrograms, oracleWaitForPrograms,
		oracleTimeoutPrograms, oracleGroupPrograms, oracleSyncPrograms, oracleQueuePrograms, oracleStreamPrograms,
		oracleLoopPrograms,
	} {
		for name, twin := range theme {
			require.NotContains(t, programs, name)
			programs[name] = func(l *asyncio.Loop, log logFunc) {
				inTask(t, l, func(ctx context.Context) { twin(ctx, log) })
			}
		}
	}
	return programs
}

func TestOracle(t *testing.T) {
	differs := oracleDivergences(t)
	for _, name := range oracleNames(t, ".py") {
		t.Run(name, func(t *testing.T) {
			want := readTrace(t, name+oracleTrace)
			counted := !strings.HasPrefix(want[0], "- ")
			eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				program := oraclePrograms(t)[name]
				require.NotNil(t, program, "%s.py has no Go twin", name)
				got := runOracle(newLoop(t, opts...), counted, program)
				if !slices.Contains(differs, name) {
					require.Equal(t, want, got)
					return
				}
				require.Equal(t, readTrace(t, name+goTrace), got)
				require.NotEqual(t, want, got, "docs/divergences.md says that this differs from asyncio")
			})
		})
	}
}

// TestOracleHasNoOrphans proves that programs, traces and twins belong together, so that
// none runs against nothing, and that every trace that differs is listed as such, and
// none that is not there.
func TestOracleHasNoOrphans(t *testing.T) {
	names := oracleNames(t, ".py")
	require.Equal(t, names, slices.Sorted(maps.Keys(oraclePrograms(t))))
	require.GreaterOrEqual(t, len(names), 80)
	traces := slices.DeleteFunc(oracleNames(t, oracleTrace), func(name string) bool { return strings.HasSuffix(name, ".go") })
	require.Equal(t, names, traces)
	require.Equal(t, oracleNames(t, goTrace), oracleDivergences(t))
}

// TestOracleIsCPython runs the Python programs again, where ASYNCIO_ORACLE_PYTHON names a
// CPython that is new enough.
func TestOracleIsCPython(t *testing.T) {
	python := os.Getenv("ASYNCIO_ORACLE_PYTHON")
	if python == "" {
		t.Skip("ASYNCIO_ORACLE_PYTHON is not set: the traces in testdata are trusted")
	}
	rerun := func(t *testing.T, golden string, args ...string) {
		want, err := os.ReadFile(filepath.Join(oracleDir, golden))
		require.NoError(t, err)
		cmd := exec.Command(python, args...)
		cmd.Dir = oracleDir
		cmd.Stderr = t.Output()
		got, err := cmd.Output()
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	}
	for _, name := range oracleNames(t, ".py") {
		t.Run(name, func(t *testing.T) { rerun(t, name+oracleTrace, "kit.py", name+".py") })
	}
	t.Run("random", func(t *testing.T) { rerun(t, "random/programs.json", "random/generate.py") })
}

// oracleNames lists the programs that have a file with this suffix.
func oracleNames(t *testing.T, suffix string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(oracleDir, "*"+suffix))
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), suffix); name != "kit" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// oracleDivergences lists the programs in the table of traces in docs/divergences.md: "|
// `name` | ...".
func oracleDivergences(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("docs/divergences.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "\n## Traces\n")
	require.True(t, found, "docs/divergences.md has no table of traces")
	table, _, _ = strings.Cut(table, "\n## ")
	var names []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(table, -1) {
		names = append(names, row[1])
	}
	slices.Sort(names)
	return names
}

func readTrace(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(oracleDir, file))
	require.NoError(t, err)
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// runOracle runs program on l and returns its trace, whose turns are counted or "-".
func runOracle(l *asyncio.Loop, counted bool, program func(l *asyncio.Loop, log logFunc)) []string {
	var lines []string
	turn := func() string { return "-" }
	if counted {
		c := countTurns(l)
		defer c.stop()
		turn = func() string { return fmt.Sprint(c.n) }
	}
	log := func(format string, args ...any) {
		lines = append(lines, turn()+" "+fmt.Sprintf(format, args...))
	}
	l.SetExceptionHandler(func(_ *asyncio.Loop, c asyncio.ErrorContext) { log("handler: %s", errName(c.Exception)) })
	program(l, log)
	return lines
}

// errName is how a trace spells an error.
func errName(err error) string {
	var cancelled *asyncio.CancelledError
	var group *asyncio.ExceptionGroup
	var incomplete *asyncio.IncompleteReadError
	var overrun *asyncio.LimitOverrunError
	switch {
	case err == nil:
		return "nil"
	case errors.As(err, &group):
		var names []string
		for _, e := range group.Errs {
			names = append(names, errName(e))
		}
		sort.Strings(names)
		return "group[" + strings.Join(names, " ") + "]"
	case errors.As(err, &incomplete):
		return "IncompleteReadError(" + string(incomplete.Partial) + ")"
	case errors.As(err, &overrun):
		return fmt.Sprintf("LimitOverrunError(%d)", overrun.Consumed)
	case errors.As(err, &cancelled) && cancelled.Msg != nil:
		return fmt.Sprintf("CancelledError(%v)", cancelled.Msg)
	case errors.As(err, &cancelled):
		return "CancelledError"
	}
	for _, known := range namedErrors {
		if errors.Is(err, known.err) {
			return known.name
		}
	}
	var panicked *asyncio.PanicError
	if errors.As(err, &panicked) {
		return fmt.Sprint(panicked.Value)
	}
	return err.Error()
}

var namedErrors = []struct {
	err  error
	name string
}{
	{asyncio.ErrTimeout, "TimeoutError"},
	{asyncio.ErrInvalidState, "InvalidStateError"},
	{asyncio.ErrQueueEmpty, "QueueEmpty"},
	{asyncio.ErrQueueFull, "QueueFull"},
	{asyncio.ErrQueueShutDown, "QueueShutDown"},
	{asyncio.ErrBrokenBarrier, "BrokenBarrierError"},
}

// outcome is how a trace spells what an await gave.
func outcome(v any, err error) string {
	if err != nil {
		return "error " + errName(err)
	}
	return "value " + valueName(v)
}

// statesOf is how a trace spells several futures.
func statesOf[F typedFuture[T], T any](fs ...F) string {
	var states []string
	for _, f := range fs {
		states = append(states, stateOf(f))
	}
	return valueName(states)
}

// attempt calls fn and returns done, or "refused" if fn panics: what is misuse raises in
// asyncio.
func attempt(done string, fn func()) string {
	if recovered(fn) != nil {
		return "refused"
	}
	return done
}

// typedFuture is a *Future or *Task of T.
type typedFuture[T any] interface {
	asyncio.AnyFuture
	Result() (T, error)
}

// stateOf is how a trace spells a future.
func stateOf[T any](f typedFuture[T]) string {
	switch {
	case !f.Done():
		return "pending"
	case f.Cancelled():
		return "cancelled"
	}
	v, err := f.Result()
	if err != nil {
		return errName(err)
	}
	return valueName(v)
}

// valueName is how a trace spells a result.
func valueName(v any) string {
	switch v := v.(type) {
	case asyncio.None:
		return "nil"
	case error:
		return errName(v)
	case []string:
		return "[" + strings.Join(v, " ") + "]"
	case []asyncio.Result[string]:
		var parts []string
		for _, r := range v {
			if r.Err != nil {
				r.Value = errName(r.Err)
			}
			parts = append(parts, r.Value)
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	return fmt.Sprint(v)
}

// flag is how a trace spells a bool.
func flag(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// suspend suspends the task for exactly n turns.
func suspend(ctx context.Context, n int) error {
	for range n {
		if err := asyncio.Sleep(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// start creates a task of a function without a result.
func start(ctx context.Context, fn func(ctx context.Context) error) *asyncio.Task[asyncio.None] {
	return asyncio.CreateTask(ctx, asyncio.Do(fn))
}

// loopOf is the loop that runs the task of ctx.
func loopOf(ctx context.Context) *asyncio.Loop {
	l, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		panic(err)
	}
	return l
}
