package files_test

// How calls on files end before they are over: by cancellation, by Close, with the loop.
// A named pipe is what a call is stuck in: to open it waits for the other end, and so
// does a read.

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// callsMax is as many calls as a loop has running.
const callsMax = 32

func namedPipe(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(name, 0o600))
	return name
}

// otherEnd opens the writing end of a named pipe, once somebody opens it for reading.
func otherEnd(t *testing.T, ctx context.Context, name string) *os.File {
	t.Helper()
	var w *os.File
	require.NoError(t, asynciotest.Until(ctx, func() bool {
		var err error
		w, err = os.OpenFile(name, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		return err == nil
	}))
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// stuckRead is a task that reads from a pipe in which there is nothing, and the file.
func stuckRead(t *testing.T, ctx context.Context, p []byte) (f *asyncio.File, w *os.File, read *asyncio.Task[int]) {
	t.Helper()
	name := namedPipe(t)
	opening := asyncio.CreateTask(ctx, func(ctx context.Context) (*asyncio.File, error) { return asyncio.Open(ctx, name) })
	asynciotest.Yield(t, ctx, 1)
	w = otherEnd(t, ctx, name)
	f, err := opening.Await(ctx)
	require.NoError(t, err)
	read = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return f.Read(ctx, p) })
	running(t, ctx, "os.(*File).Read(", 1)
	return f, w, read
}

// running waits until so many goroutines are inside a function.
func running(t *testing.T, ctx context.Context, function string, n int) {
	t.Helper()
	require.NoError(t, asynciotest.Until(ctx, func() bool { return calls(function) == n }), function)
}

// calls is how many goroutines are in calls of a function.
func calls(function string) int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "\n"+function)
}

func wantCancelled[T any](t *testing.T, ctx context.Context, task *asyncio.Task[T]) {
	t.Helper()
	task.Cancel()
	_, err := task.Await(ctx)
	require.ErrorIs(t, err, asyncio.ErrCancelled)
}

func TestCancelOpen(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		name := namedPipe(t)
		before := descriptorsOf(name)
		opening := asyncio.CreateTask(ctx, func(ctx context.Context) (*asyncio.File, error) { return asyncio.Open(ctx, name) })
		running(t, ctx, "os.OpenFile(", 1)
		wantCancelled(t, ctx, opening)
		require.Zero(t, l.Stats().Handles)
		w := otherEnd(t, ctx, name) // the late file
		require.NoError(t, asynciotest.Until(ctx, func() bool { return descriptorsOf(name) == before+1 }), "it is closed")
		require.NoError(t, w.Close())
	})
}

// A result that has come when the cancellation does is given up too.
func TestCancelOpenThatHasCome(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		name := filepath.Join(t.TempDir(), "f")
		require.NoError(t, os.WriteFile(name, nil, 0o600))
		for turns := range 40 {
			opening := asyncio.CreateTask(ctx, func(ctx context.Context) (*asyncio.File, error) { return asyncio.Open(ctx, name) })
			asynciotest.Yield(t, ctx, turns)
			opening.Cancel()
			if f, err := opening.Await(ctx); err == nil {
				closeFile(t, ctx, f)
			}
		}
		require.Zero(t, l.Stats().Handles)
		require.NoError(t, asynciotest.Until(ctx, func() bool { return descriptorsOf(name) == 0 }))
	})
}

func TestCancelRead(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, _ *asyncio.Loop) {
		p := make([]byte, 10)
		f, w, read := stuckRead(t, ctx, p)
		next := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
			q := make([]byte, 10)
			n, err := f.Read(ctx, q)
			return string(q[:n]), err
		})
		asynciotest.Yield(t, ctx, 1)
		wantCancelled(t, ctx, read)
		for i := range p {
			p[i] = 'x' // it is the task's again, which the race detector would tell
		}
		_, err := w.WriteString("lost")
		require.NoError(t, err)
		require.NoError(t, asynciotest.Until(ctx, func() bool { return pipeIsEmpty(t, w) }))
		require.False(t, next.Done())
		_, err = w.WriteString("next")
		require.NoError(t, err)
		got, err := next.Await(ctx)
		require.NoError(t, err)
		require.Equal(t, "next", got)
		require.Equal(t, "xxxxxxxxxx", string(p))
		closeFile(t, ctx, f)
	})
}

func TestCancelWhatHasNotBegun(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, _ *asyncio.Loop) {
		pipe := namedPipe(t)
		var stuck []*asyncio.Task[*asyncio.File]
		for range callsMax {
			stuck = append(stuck, asyncio.CreateTask(ctx, func(ctx context.Context) (*asyncio.File, error) { return asyncio.Open(ctx, pipe) }))
		}
		running(t, ctx, "os.OpenFile(", callsMax)
		name := filepath.Join(t.TempDir(), "f")
		write := testkit.Start(ctx, func(ctx context.Context) error { return asyncio.WriteFile(ctx, name, []byte("x"), 0o600) })
		asynciotest.Yield(t, ctx, 1)
		wantCancelled(t, ctx, write)
		w := otherEnd(t, ctx, pipe)
		for _, task := range stuck {
			f, err := task.Await(ctx)
			require.NoError(t, err)
			closeFile(t, ctx, f)
		}
		_, err := asyncio.Stat(ctx, name)
		require.ErrorIs(t, err, os.ErrNotExist)
		require.NoError(t, w.Close())
	})
}

// The line before the position goes on if a call in it is cancelled, begun or not.
func TestCancelInTheLine(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, _ *asyncio.Loop) {
		f, w, read := stuckRead(t, ctx, make([]byte, 1))
		seek := asyncio.CreateTask(ctx, func(ctx context.Context) (int64, error) { return f.Seek(ctx, 0, io.SeekStart) })
		last := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return f.Read(ctx, make([]byte, 1)) })
		asynciotest.Yield(t, ctx, 2)
		wantCancelled(t, ctx, seek)
		_, err := w.WriteString("12")
		require.NoError(t, err)
		for _, task := range []*asyncio.Task[int]{read, last} {
			n, err := task.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		closeFile(t, ctx, f)
	})
}

func TestCloseWhileACallRuns(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		f, w, read := stuckRead(t, ctx, make([]byte, 1))
		inLine := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return f.Read(ctx, make([]byte, 1)) })
		asynciotest.Yield(t, ctx, 1)
		closeFile(t, ctx, f)
		for _, task := range []*asyncio.Task[int]{read, inLine} {
			_, err := task.Await(ctx)
			require.ErrorIs(t, err, os.ErrClosed)
		}
		require.Zero(t, l.Stats().Handles)
		require.ErrorIs(t, f.Close(ctx), os.ErrClosed)
		require.NoError(t, w.Close())

		name := filepath.Join(t.TempDir(), "f")
		data := pattern(8 << 20)
		require.NoError(t, os.WriteFile(name, data, 0o600))
		f = open(t, ctx, name, os.O_RDONLY)
		got := make([]byte, len(data))
		whole := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return f.ReadAt(ctx, got, 0) })
		asynciotest.Yield(t, ctx, 1)
		closeFile(t, ctx, f)
		require.Zero(t, descriptorsOf(name), "Close has waited")
		n, err := whole.Await(ctx)
		if err == nil {
			require.Equal(t, len(data), n)
		} else {
			require.ErrorIs(t, err, os.ErrClosed)
		}
		require.True(t, bytes.Equal(data[:n], got[:n]))
	})
}

func TestCancelClose(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		name := filepath.Join(t.TempDir(), "f")
		require.NoError(t, os.WriteFile(name, nil, 0o600))
		f := open(t, ctx, name, os.O_RDONLY)
		closing := testkit.Start(ctx, f.Close)
		asynciotest.Yield(t, ctx, 1)
		closing.Cancel()
		_, err := closing.Await(ctx)
		if err != nil {
			require.ErrorIs(t, err, asyncio.ErrCancelled)
		}
		require.ErrorIs(t, f.Close(ctx), os.ErrClosed)
		require.NoError(t, asynciotest.Until(ctx, func() bool { return l.Stats().Handles == 0 }))
		require.Zero(t, descriptorsOf(name))

		f = open(t, ctx, name, os.O_RDONLY)
		over, cancel := context.WithCancel(ctx)
		cancel()
		require.ErrorIs(t, f.Close(over), context.Canceled)
		require.NoError(t, asynciotest.Until(ctx, func() bool { return l.Stats().Handles == 0 }), "the file is closed nevertheless")
	})
}

func TestLoopClosesWithFiles(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.VerifyNoLeaks(t)
		log, logged := testkit.RecordLog()
		opts = append(opts, asyncio.WithDebug(true), logged)
		l, err := asyncio.NewEventLoop(opts...)
		require.NoError(t, err)
		pipe := namedPipe(t)
		name := filepath.Join(t.TempDir(), "f")
		var left *asyncio.File
		asynciotest.InTask(t, l, func(ctx context.Context) {
			_, w, _ := stuckRead(t, ctx, make([]byte, 1))
			defer w.Close()
			left = open(t, ctx, name, os.O_RDWR|os.O_CREATE)
			testkit.Start(ctx, func(ctx context.Context) error {
				_, err := asyncio.Open(ctx, pipe)
				return err
			})
			running(t, ctx, "os.OpenFile(", 1)
		})
		require.NoError(t, l.Close())
		runtime.KeepAlive(left)
		require.Contains(t, strings.Join(log.Lines, "\n"), "WARN unclosed File what=<file "+name+">")
		w, err := os.OpenFile(pipe, os.O_RDWR, 0) // frees the one that opens it, be it later
		require.NoError(t, err)
		for calls("os.OpenFile(") > 0 {
			runtime.Gosched()
		}
		require.NoError(t, w.Close())
		require.Zero(t, descriptorsOf(name))
	})
}

func TestDroppedFile(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		log, logged := testkit.RecordLog()
		l := asynciotest.New(t, append(opts, logged)...)
		name := filepath.Join(t.TempDir(), "f")
		asynciotest.InTask(t, l, func(ctx context.Context) { open(t, ctx, name, os.O_RDWR|os.O_CREATE) })
		testkit.CollectUntil(t, l, func() bool { return l.Stats().Handles == 0 })
		require.Len(t, log.Lines, 1)
		require.Contains(t, log.Lines[0], "WARN unclosed File: it was dropped")
		require.Zero(t, descriptorsOf(name))
	})
}

// pipeIsEmpty reports whether all that was written has been read.
func pipeIsEmpty(t *testing.T, w *os.File) bool {
	t.Helper()
	var waiting int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, w.Fd(), syscall.TIOCINQ, uintptr(unsafe.Pointer(&waiting)))
	require.Zero(t, errno)
	return waiting == 0
}

// descriptorsOf counts the descriptors of a file, where the system shows them.
func descriptorsOf(name string) int {
	n := 0
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); err == nil && target == name {
			n++
		}
	}
	return n
}
