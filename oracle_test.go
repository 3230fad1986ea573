// Programs whose order of events CPython decided.
//
// testdata/oracle holds small programs in Python, and for each the trace that CPython 3.13's asyncio left: what
// happened, and in which turn. Here is the Go twin of each, statement by statement. It has to leave the same trace, to
// the turn, on every driver. kit.py in that folder runs the Python side and says how a trace is written; the functions
// here that spell errors and futures follow it word for word.
package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

const oracleDir = "testdata/oracle"

// logFunc adds an event to a trace, with the turn in which it happened.
type logFunc func(format string, args ...any)

// oraclePrograms are the twins, named after their files in testdata/oracle.
var oraclePrograms = map[string]func(ctx context.Context, log logFunc){
	"cancel_before_start":     oracleCancelBeforeStart,
	"cancel_in_cleanup":       oracleCancelInCleanup,
	"cancel_shared_future":    oracleCancelSharedFuture,
	"cancel_twice":            oracleCancelTwice,
	"chain":                   oracleChain,
	"chain_swallowed":         oracleChainSwallowed,
	"done_callback_cancels":   oracleDoneCallbackCancels,
	"gather_cancel":           oracleGatherCancel,
	"gather_child_cancelled":  oracleGatherChildCancelled,
	"gather_swallowed":        oracleGatherSwallowed,
	"group_child_fails":       oracleGroupChildFails,
	"group_outside_cancel":    oracleGroupOutsideCancel,
	"lock_handoff":            oracleLockHandoff,
	"queue_handoff":           oracleQueueHandoff,
	"result_then_cancel":      oracleResultThenCancel,
	"self_cancel":             oracleSelfCancel,
	"self_cancel_awaits_task": oracleSelfCancelAwaitsTask,
	"shield_cancel":           oracleShieldCancel,
	"timeout_and_cancel":      oracleTimeoutAndCancel,
	"timeout_nested":          oracleTimeoutNested,
	"timeout_swallowed":       oracleTimeoutSwallowed,
	"uncancel_unstarted":      oracleUncancelUnstarted,
	"wait_for_race":           oracleWaitForRace,
	"wait_for_zero":           oracleWaitForZero,
	"woken_cancel_uncancel":   oracleWokenCancelUncancel,
}

func TestOracle(t *testing.T) {
	for _, name := range oracleNames(t) {
		t.Run(name, func(t *testing.T) {
			program := oraclePrograms[name]
			require.NotNil(t, program, "%s.py has no Go twin", name)
			golden, err := os.ReadFile(filepath.Join(oracleDir, name+".trace"))
			require.NoError(t, err)
			want := strings.Split(strings.TrimSpace(string(golden)), "\n")
			eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				require.Equal(t, want, oracleTrace(t, newLoop(t, opts...), program))
			})
		})
	}
}

// TestOracleHasNoOrphans proves that every twin has its Python program, so that none runs against nothing.
func TestOracleHasNoOrphans(t *testing.T) {
	var twins []string
	for name := range oraclePrograms {
		twins = append(twins, name)
	}
	sort.Strings(twins)
	require.Equal(t, oracleNames(t), twins)
}

// TestOracleIsCPython runs the Python programs again, where ASYNCIO_ORACLE_PYTHON names a CPython of at least 3.13.
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
		got, err := cmd.Output()
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	}
	for _, name := range oracleNames(t) {
		t.Run(name, func(t *testing.T) { rerun(t, name+".trace", "kit.py", name+".py") })
	}
	t.Run("random", func(t *testing.T) {
		rerun(t, "random/programs.json", "random/generate.py", strconv.Itoa(randomPrograms))
	})
}

// oracleNames lists the Python programs.
func oracleNames(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(oracleDir, "*.py"))
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".py"); name != "kit" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// oracleTrace runs program on l and returns its trace.
func oracleTrace(t *testing.T, l *asyncio.Loop, program func(ctx context.Context, log logFunc)) []string {
	t.Helper()
	var lines []string
	turn := countTurns(l)
	defer turn.stop()
	log := func(format string, args ...any) {
		lines = append(lines, fmt.Sprintf("%d ", turn.n)+fmt.Sprintf(format, args...))
	}
	l.SetExceptionHandler(func(_ *asyncio.Loop, c asyncio.ErrorContext) { log("handler: %s", errName(c.Exception)) })
	inTask(t, l, func(ctx context.Context) { program(ctx, log) })
	return lines
}

// errName is how a trace spells an error.
func errName(err error) string {
	var cancelled *asyncio.CancelledError
	var group *asyncio.ExceptionGroup
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
	case errors.Is(err, asyncio.ErrTimeout):
		return "TimeoutError"
	case errors.Is(err, asyncio.ErrInvalidState):
		return "InvalidStateError"
	case errors.As(err, &cancelled) && cancelled.Msg != nil:
		return fmt.Sprintf("CancelledError(%v)", cancelled.Msg)
	case errors.As(err, &cancelled):
		return "CancelledError"
	}
	return err.Error()
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
