//go:build linux || darwin

package sockets_test

// SockSendfile: what CPython's test_sendfile.py and test_unix_events.py have of it.

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

const fileBytes = 1024*17*64 + 1

// fileData repeats with a prime period, so that bytes out of place show.
func fileData() []byte {
	data := make([]byte, fileBytes)
	for i := range data {
		data[i] = byte(i % 251)
	}
	return data
}

func dataFile(t *testing.T) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, fileData(), 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func position(t *testing.T, f *os.File) int {
	t.Helper()
	at, err := f.Seek(0, io.SeekCurrent)
	require.NoError(t, err)
	return int(at)
}

// receiving is a task that receives n bytes.
func receiving(ctx context.Context, l *asyncio.Loop, fd, n int) *asyncio.Task[[]byte] {
	return asyncio.CreateTask(ctx, func(ctx context.Context) ([]byte, error) {
		all := make([]byte, n)
		for got := 0; got < n; {
			m, err := l.SockRecv(ctx, fd, all[got:])
			if err != nil {
				return all[:got], err
			}
			got += m
		}
		return all, nil
	})
}

// receives requires that the task has received want.
func receives(t *testing.T, ctx context.Context, task *asyncio.Task[[]byte], want ...[]byte) {
	t.Helper()
	got, err := task.Await(ctx)
	require.NoError(t, err)
	for _, w := range want {
		require.True(t, string(w) == string(got[:len(w)]), "every byte in its place")
		got = got[len(w):]
	}
	require.Empty(t, got)
}

// smallPair is two connected sockets of which the kernel keeps little.
func smallPair(t *testing.T) (a, b int) {
	t.Helper()
	a, b = pair(t)
	require.NoError(t, syscall.SetsockoptInt(a, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 16<<10))
	return a, b
}

func TestSockSendfile(t *testing.T) {
	t.Run("success", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := smallPair(t)
			f := dataFile(t)
			received := receiving(ctx, l, b, fileBytes)
			n, err := l.SockSendfile(ctx, a, f, 0, -1)
			require.NoError(t, err)
			require.EqualValues(t, fileBytes, n)
			require.Equal(t, fileBytes, position(t, f))
			receives(t, ctx, received, fileData())
			require.Zero(t, watches(l))
		})
	})
	t.Run("offset and count", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := pair(t)
			f := dataFile(t)
			n, err := l.SockSendfile(ctx, a, f, 1000, 2000)
			require.NoError(t, err)
			require.EqualValues(t, 2000, n)
			require.Equal(t, 3000, position(t, f))
			receives(t, ctx, receiving(ctx, l, b, 2000), fileData()[1000:3000])
		})
	})
	t.Run("nothing", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := pair(t)
			f := dataFile(t)
			empty, err := os.Create(filepath.Join(t.TempDir(), "empty"))
			require.NoError(t, err)
			defer empty.Close()
			n, err := l.SockSendfile(ctx, a, empty, 0, -1)
			require.NoError(t, err)
			require.Zero(t, n)
			n, err = l.SockSendfile(ctx, a, f, 2*fileBytes, -1)
			require.NoError(t, err)
			require.Zero(t, n)
			require.Zero(t, position(t, f))
			require.Empty(t, read(t, b))
		})
	})
	t.Run("between SockSendAlls", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := smallPair(t)
			f := dataFile(t)
			buf := fileData()[7 : 7+64<<10]
			received := receiving(ctx, l, b, 2*len(buf)+fileBytes)
			require.NoError(t, l.SockSendAll(ctx, a, buf))
			n, err := l.SockSendfile(ctx, a, f, 0, -1)
			require.NoError(t, err)
			require.EqualValues(t, fileBytes, n)
			require.NoError(t, l.SockSendAll(ctx, a, buf))
			receives(t, ctx, received, buf, fileData(), buf)
		})
	})
	t.Run("a pipe", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := smallPair(t)
			r, w, err := os.Pipe()
			require.NoError(t, err)
			defer r.Close()
			go func() {
				_, _ = w.Write(fileData())
				_ = w.Close()
			}()
			received := receiving(ctx, l, b, fileBytes)
			n, err := l.SockSendfile(ctx, a, r, 0, -1)
			require.NoError(t, err)
			require.EqualValues(t, fileBytes, n)
			receives(t, ctx, received, fileData())
		})
	})
}

func TestSockSendfileEnds(t *testing.T) {
	t.Run("cancelled", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := smallPair(t)
			f := dataFile(t)
			sent := int64(0)
			task := asyncio.CreateTask(ctx, func(ctx context.Context) (_ int64, err error) {
				sent, err = l.SockSendfile(ctx, a, f, 0, -1)
				return sent, err
			})
			waiting(t, ctx, l, task)
			cancelled(t, ctx, l, task)
			require.Positive(t, sent)
			require.EqualValues(t, sent, position(t, f))
			received := receiving(ctx, l, b, fileBytes)
			n, err := l.SockSendfile(ctx, a, f, sent, -1)
			require.NoError(t, err)
			require.EqualValues(t, fileBytes-sent, n)
			receives(t, ctx, received, fileData())
		})
	})
	t.Run("the peer goes", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := smallPair(t)
			f := dataFile(t)
			sent := int64(0)
			task := asyncio.CreateTask(ctx, func(ctx context.Context) (_ int64, err error) {
				sent, err = l.SockSendfile(ctx, a, f, 0, -1)
				return sent, err
			})
			waiting(t, ctx, l, task)
			require.NoError(t, syscall.Close(b))
			_, err := task.Await(ctx)
			require.ErrorIs(t, err, syscall.EPIPE)
			require.Positive(t, sent)
			require.EqualValues(t, sent, position(t, f))
			require.Zero(t, watches(l))
		})
	})
}

func TestSockSendfileRefuses(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		a, b := pair(t)
		f := dataFile(t)
		for _, c := range [][2]int64{{-1, -1}, {0, 0}, {0, -2}} {
			_, err := l.SockSendfile(ctx, a, f, c[0], c[1])
			require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
		}
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _, _ = l.SockSendfile(ctx, a, nil, 0, -1) })
		_, err := l.SockSendfile(ctx, socket(t, syscall.AF_INET, syscall.SOCK_DGRAM), f, 0, -1)
		require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
		_, w := pipe(t)
		_, err = l.SockSendfile(ctx, w, f, 0, -1)
		require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
		require.NoError(t, syscall.SetNonblock(a, false))
		_, err = l.SockSendfile(ctx, a, f, 0, -1)
		require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
		require.NoError(t, syscall.SetNonblock(a, true))
		_, err = l.SockSendfile(ctx, -1, f, 0, -1)
		require.ErrorIs(t, err, net.ErrClosed)
		tr, _ := testkit.ConnectToNet(t, ctx, testkit.NewEchoes)
		_, err = l.SockSendfile(ctx, tr.ExtraInfo("socket").(asyncio.TransportSocket).FD(), f, 0, -1)
		require.ErrorIs(t, err, asyncio.ErrInvalidState)
		tr.Abort()
		asynciotest.Yield(t, ctx, 2)
		require.Zero(t, position(t, f))
		require.Empty(t, read(t, b))
	})
}
