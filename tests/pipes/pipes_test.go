//go:build linux || darwin

package pipes_test

// Pipes of the tests' own, and what holds for both ends.

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// inTask runs a test as a task, on each driver.
func inTask(t *testing.T, test func(t *testing.T, ctx context.Context, l *asyncio.Loop), more ...asyncio.Option) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, append(opts, more...)...)
		asynciotest.InTask(t, l, func(ctx context.Context) { test(t, ctx, l) })
	})
}

// own closes f at the end of the test.
func own(t *testing.T, files ...*os.File) {
	t.Helper()
	for _, f := range files {
		t.Cleanup(func() { _ = f.Close() })
	}
}

func pipe(t *testing.T) (read, write *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	own(t, read, write)
	return read, write
}

func fifo(t *testing.T) (read, write *os.File) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	read, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	require.NoError(t, err)
	write, err = os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	own(t, read, write)
	return read, write
}

func socketPair(t *testing.T) (a, b *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	var files [2]*os.File
	for i, fd := range fds {
		syscall.CloseOnExec(fd)
		files[i] = os.NewFile(uintptr(fd), "socketpair")
	}
	own(t, files[:]...)
	return files[0], files[1]
}

// kinds are what is like a pipe.
var kinds = []struct {
	name string
	open func(t *testing.T) (read, write *os.File)
}{
	{"pipe", pipe}, {"fifo", fifo}, {"socketpair", socketPair},
}

func eachKind(t *testing.T, test func(t *testing.T, ctx context.Context, read, write *os.File)) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
				read, write := kind.open(t)
				test(t, ctx, read, write)
			})
		})
	}
}

// reads gives read to a tap.
func reads(t *testing.T, ctx context.Context, read *os.File) *testkit.Tap {
	t.Helper()
	l := testkit.LoopOf(ctx)
	tap := testkit.NewTap(l)
	transport, p, err := l.ConnectReadPipe(ctx, tap.Factory, read)
	require.NoError(t, err)
	require.Same(t, tap, p)
	require.Equal(t, tap.Transport, transport)
	return tap
}

// writes gives write to a tap.
func writes(t *testing.T, ctx context.Context, write *os.File) *testkit.Tap {
	t.Helper()
	l := testkit.LoopOf(ctx)
	tap := testkit.NewTap(l)
	transport, p, err := l.ConnectWritePipe(ctx, tap.Factory, write)
	require.NoError(t, err)
	require.Same(t, tap, p)
	require.Equal(t, tap.Transport, transport)
	return tap
}

func TestEnds(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			testkit.CheckEnds(t, testkit.ConnectPipes(kind.open), "the peer's Close wakes who reads")
		})
	}
}

func TestFromPipeToPipe(t *testing.T) {
	eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
		in, out := reads(t, ctx, read), writes(t, ctx, write)
		_, err := out.Transport.Write([]byte("foobar\n"))
		require.NoError(t, err)
		out.Transport.Close()
		require.NoError(t, in.End(t, ctx))
		require.NoError(t, out.End(t, ctx))
		require.Equal(t, "foobar\n", string(in.Received))
		require.Equal(t, []string{"made", "data", "eof", "lost"}, in.Events())
		require.Equal(t, []string{"made", "lost"}, out.Events())
	})
}

func TestRefused(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		never := func() asyncio.Protocol {
			t.Error("a factory was called for a pipe that is none")
			return asyncio.NullProtocol{}
		}
		read, write := pipe(t)
		regular, err := os.CreateTemp(t.TempDir(), "regular")
		require.NoError(t, err)
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		require.NoError(t, err)
		own(t, regular, null)
		closed, _ := pipe(t)
		require.NoError(t, closed.Close())
		for _, f := range []*os.File{regular, null} {
			_, _, err = l.ConnectReadPipe(ctx, never, f)
			require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
			require.ErrorIs(t, err, syscall.EPERM)
			require.ErrorContains(t, err, "pipes, FIFOs, sockets and terminals")
			require.ErrorContains(t, err, f.Name())
			_, _, err = l.ConnectWritePipe(ctx, never, f)
			require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
			_, err = f.Stat()
			require.NoError(t, err, "it is open")
		}
		_, _, err = l.ConnectReadPipe(ctx, never, write)
		require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
		require.ErrorIs(t, err, syscall.EBADF)
		_, _, err = l.ConnectWritePipe(ctx, never, read)
		require.ErrorIs(t, err, syscall.EBADF)
		_, _, err = l.ConnectReadPipe(ctx, never, closed)
		require.ErrorIs(t, err, os.ErrClosed)
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _, _, _ = l.ConnectReadPipe(ctx, nil, read) })
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _, _, _ = l.ConnectWritePipe(ctx, never, nil) })
		_, _, err = l.ConnectReadPipe(context.Background(), never, read)
		require.Error(t, err, "it is for a task")
	})
}

func TestOwner(t *testing.T) {
	t.Run("the file is taken over", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			in, out := reads(t, ctx, read), writes(t, ctx, write)
			for tap, f := range map[*testkit.Tap]*os.File{in: read, out: write} {
				require.Same(t, f, tap.Transport.ExtraInfo("pipe"))
				for _, key := range []string{"socket", "sockname", "peername", "peercred", "unknown"} {
					require.Nil(t, tap.Transport.ExtraInfo(key), key)
				}
				require.Nil(t, tap.Transport.LocalAddr())
				require.Nil(t, tap.Transport.RemoteAddr())
				require.ErrorIs(t, f.Close(), os.ErrClosed)
			}
			in.Transport.Close()
			out.Transport.Close()
			require.NoError(t, in.End(t, ctx))
			require.NoError(t, out.End(t, ctx))
			require.Same(t, read, in.Transport.ExtraInfo("pipe"))
		})
	})
	t.Run("no finalizer closes what came after", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			for range 20 {
				read, write, err := os.Pipe()
				require.NoError(t, err)
				in, out := reads(t, ctx, read), writes(t, ctx, write)
				_, err = out.Transport.Write([]byte("x"))
				require.NoError(t, err)
				runtime.GC()
				in.Receive(t, ctx, 1)
				out.Transport.Close()
				require.NoError(t, in.End(t, ctx))
			}
		})
	})
	t.Run("the loop closes", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			log, toLog := testkit.RecordLog()
			l, err := asyncio.NewEventLoop(append(opts, asyncio.WithDebug(true), toLog)...)
			require.NoError(t, err)
			read, write := pipe(t)
			var in, out *testkit.Tap
			_, err = asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
				in, out = reads(t, ctx, read), writes(t, ctx, write)
				return nil
			}))
			require.NoError(t, err)
			require.NoError(t, l.Close())
			require.Len(t, log.Matching("unclosed transport"), 2)
			require.Contains(t, in.Transport.(interface{ String() string }).String(), "pipe transport from |0 lost")
			require.Contains(t, out.Transport.(interface{ String() string }).String(), "pipe transport to |1 lost")
			require.Equal(t, []string{"made"}, in.Events())
			require.Equal(t, []string{"made"}, out.Events())
			_, err = out.Transport.Write([]byte("x"))
			require.ErrorIs(t, err, net.ErrClosed)
		})
	})
	t.Run("the factory panics", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			read, write := pipe(t)
			failure := errors.New("no protocol")
			require.PanicsWithValue(t, failure, func() {
				_, _, _ = l.ConnectWritePipe(ctx, func() asyncio.Protocol { panic(failure) }, write)
			})
			in := reads(t, ctx, read)
			require.NoError(t, in.End(t, ctx), "nobody has the writing end any more")
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			read, write := pipe(t)
			task := testkit.Start(ctx, func(ctx context.Context) error {
				_, _, err := l.ConnectWritePipe(ctx, testkit.NewTap(l).Factory, write)
				return err
			})
			asynciotest.Yield(t, ctx, 1)
			task.Cancel()
			_, err := task.Await(ctx)
			if err == nil {
				t.Skip("it was connected before")
			}
			require.ErrorIs(t, err, asyncio.ErrCancelled)
			in := reads(t, ctx, read)
			require.NoError(t, in.End(t, ctx))
		})
	})
}
