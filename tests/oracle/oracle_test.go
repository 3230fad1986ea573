// Programs whose order of events CPython decided.
//
// testdata holds small programs in Python, and for each the trace that CPython's
// asyncio left: what happened, and in which turn. Here is the Go twin of each, statement
// by statement. It has to leave the same trace, to the turn, on every driver. kit.py in
// that folder runs the Python side and says how a trace is written; the functions here
// that spell errors and futures follow it word for word.
//
// Where a twin is meant to leave another trace, docs/divergences.md lists the program
// with the reason, and NAME.go.trace is what it leaves. If the two agree all the same,
// the list is wrong, and the test fails.
package oracle_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

const (
	oracleDir   = "testdata"
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
				asynciotest.InTask(t, l, func(ctx context.Context) { twin(ctx, log) })
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
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				program := oraclePrograms(t)[name]
				require.NotNil(t, program, "%s.py has no Go twin", name)
				got := runOracle(asynciotest.New(t, opts...), counted, program)
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
	t.Run("reader", func(t *testing.T) { rerun(t, "reader/cases.json", "reader/generate.py") })
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
	text, err := os.ReadFile("../../docs/divergences.md")
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
		c := asynciotest.CountTurns(l)
		defer c.Stop()
		turn = func() string { return fmt.Sprint(c.N()) }
	}
	log := func(format string, args ...any) {
		lines = append(lines, turn()+" "+fmt.Sprintf(format, args...))
	}
	l.SetExceptionHandler(func(_ *asyncio.Loop, c asyncio.ErrorContext) { log("handler: %s", testkit.ErrName(c.Exception)) })
	program(l, log)
	return lines
}

// outcome is how a trace spells what an await gave.
func outcome(v any, err error) string {
	if err != nil {
		return "error " + testkit.ErrName(err)
	}
	return "value " + testkit.ValueName(v)
}

// statesOf is how a trace spells several futures.
func statesOf[F testkit.TypedFuture[T], T any](fs ...F) string {
	var states []string
	for _, f := range fs {
		states = append(states, testkit.StateOf(f))
	}
	return testkit.ValueName(states)
}

// attempt calls fn and returns done, or "refused" if fn panics: what is misuse raises in
// asyncio.
func attempt(done string, fn func()) string {
	if testkit.Recovered(fn) != nil {
		return "refused"
	}
	return done
}
