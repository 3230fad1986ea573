//go:build cgo

package cbridge

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// compiler is the C compiler that cgo uses.
func compiler(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "CC").Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// compileHeader compiles a file that includes bridge.h, with no other directory for
// headers than dirs, and returns what the compiler says.
func compileHeader(t *testing.T, dirs ...string) (string, error) {
	t.Helper()
	src := filepath.Join(t.TempDir(), "x.c")
	here, err := filepath.Abs(".")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(src, []byte(`#include "`+here+`/bridge.h"`+"\n"), 0o600))
	args := []string{"-std=gnu11", "-fsyntax-only", "-nostdinc"}
	for _, d := range dirs {
		args = append(args, "-I"+d)
	}
	out, err := exec.Command(compiler(t), append(args, src)...).CombinedOutput()
	return string(out), err
}

func TestHeaders(t *testing.T) {
	t.Run("libuv is missing", func(t *testing.T) {
		out, err := compileHeader(t, t.TempDir())
		require.Error(t, err)
		for _, want := range []string{"libuv is missing", "make deps", "libuv1-dev", "libuv-devel", "LIBUV_PREFIX"} {
			require.Contains(t, out, want)
		}
	})
	t.Run("libuv is too old", func(t *testing.T) {
		for version, want := range map[string]bool{"1, 44, 1": false, "2, 0, 0": false, "1, 44, 2": true, "1, 51, 0": true} {
			dir := t.TempDir()
			v := strings.Split(version, ", ")
			header := "#define UV_VERSION_MAJOR " + v[0] + "\n#define UV_VERSION_HEX ((" + v[0] + " << 16) | (" + v[1] + " << 8) | " + v[2] + ")\n"
			require.NoError(t, os.WriteFile(filepath.Join(dir, "uv.h"), []byte(header), 0o600))
			out, err := compileHeader(t, dir)
			require.Error(t, err, "there are no other headers")
			require.Equal(t, !want, strings.Contains(out, "1.44.2 or later"), out)
		}
	})
}

// The C side alone, driven by a C program through its queues.
func TestHarness(t *testing.T) {
	for name, flags := range map[string][]string{
		"plain":      {"-O2"},
		"sanitizers": {"-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.Command(buildHarness(t, flags...)).CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Contains(t, string(out), "ok anything")
		})
	}
	t.Run("valgrind", func(t *testing.T) {
		valgrind, err := exec.LookPath("valgrind")
		if err != nil {
			t.Skip("valgrind is not installed")
		}
		exe := buildHarness(t, "-O1")
		cmd := exec.Command(valgrind, "-q", "--leak-check=full", "--errors-for-leak-kinds=definite", "--error-exitcode=9", exe)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "ok anything")
	})
}

func buildHarness(t *testing.T, flags ...string) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "harness")
	cmd := exec.Command("ctest/build.sh", append([]string{exe}, flags...)...)
	cmd.Env = append(os.Environ(), "CC="+compiler(t))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return exe
}

// One crossing that does nothing in C but look at the queue, and one whole turn.
func BenchmarkCrossing(b *testing.B) {
	l := newLoop(b)
	b.Run("Flush", func(b *testing.B) {
		for b.Loop() {
			l.Flush(0)
		}
	})
	b.Run("Turn", func(b *testing.B) {
		for b.Loop() {
			l.Turn(0, 0, 0, false)
		}
	})
}

func newLoop(t testing.TB) *Loop {
	t.Helper()
	l, code := NewLoop()
	require.Zero(t, code)
	t.Cleanup(func() {
		require.Zero(t, l.Close())
		require.NoError(t, os.NewFile(uintptr(l.WakeRead), "wake").Close())
	})
	return l
}

// The queues as Go sees them.
func TestQueues(t *testing.T) {
	l := newLoop(t)
	require.Len(t, l.Ops, OpsMax)
	require.Len(t, l.Slab, SlabBytes)
	require.NotEmpty(t, VersionString())
	id, code := l.NewTCP(0)
	require.Zero(t, code)
	require.Equal(t, uint32(1), l.Handles)
	op := Op{Kind: OpClose, Slot: uint32(id), Gen: uint32(id >> 32)}
	stale := op
	stale.Gen++
	l.Ops[0], l.Ops[1], l.Ops[2] = stale, op, op
	l.Turn(3, 0, 0, false)
	require.Equal(t, uint32(1), l.NRec)
	r := *l.Rec(0)
	require.Equal(t, Record{Kind: RecClosed, Slot: op.Slot, Gen: op.Gen}, r)
	require.NotZero(t, l.Close(), "the slot is Go's until it is acknowledged")
	op.Kind = OpAck
	l.Ops[0] = op
	l.Flush(1)
	require.Zero(t, l.Handles)
	again, code := l.NewTCP(0)
	require.Zero(t, code)
	require.Equal(t, uint32(id), uint32(again))
	require.NotEqual(t, id, again, "a slot never has the same generation twice")
	l.Ops[0] = Op{Kind: OpClose, Slot: uint32(again), Gen: uint32(again >> 32)}
	l.Turn(1, 1, 0, false)
	l.Ops[0].Kind = OpAck
	l.Flush(1)
}
