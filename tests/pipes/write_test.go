//go:build linux || darwin

package pipes_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// rest reads to the end in a goroutine.
func rest(ctx context.Context, read *os.File) *asyncio.Future[[]byte] {
	return asyncio.RunInExecutor(ctx, nil, func() ([]byte, error) { return io.ReadAll(read) })
}

func TestWrite(t *testing.T) {
	t.Run("PIP-01", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			out := writes(t, ctx, write)
			require.True(t, out.Transport.CanWriteEOF())
			require.False(t, out.Transport.IsReading())
			n, err := out.Transport.Write(nil)
			require.NoError(t, err)
			require.Zero(t, n)
			_, err = out.Transport.Write([]byte("1"))
			require.NoError(t, err)
			require.NoError(t, out.Transport.WriteV([][]byte{[]byte("23"), nil, []byte("45")}))
			want := append([]byte("12345"), bytes.Repeat([]byte("much"), 1<<18)...)
			_, err = out.Transport.Write(want[5:])
			require.NoError(t, err)
			require.Positive(t, out.Transport.WriteBufferSize(), "the kernel took a part of it")
			got := rest(ctx, read)
			require.NoError(t, out.Transport.WriteEOF())
			require.True(t, out.Transport.IsClosing())
			data, err := got.Await(ctx)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, data))
			require.NoError(t, out.End(t, ctx))
		})
	})
	t.Run("PIP-04", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			out := writes(t, ctx, write)
			block := make([]byte, 32<<10)
			for range 32 {
				n, err := out.Transport.Write(block)
				require.NoError(t, err)
				require.Equal(t, len(block), n)
			}
			require.Equal(t, []string{"made", "pause"}, out.Events())
			resumed := asyncio.NewEvent()
			out.OnResume = resumed.Set
			got := rest(ctx, read)
			require.NoError(t, resumed.Wait(ctx))
			out.Transport.Close()
			data, err := got.Await(ctx)
			require.NoError(t, err)
			require.Len(t, data, 32*len(block))
			require.NoError(t, out.End(t, ctx))
			require.Equal(t, []string{"made", "pause", "resume", "lost"}, out.Events())
		})
	})
	t.Run("the reader goes while nothing is to be written", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			out := writes(t, ctx, write)
			_, err := out.Transport.Write([]byte("1"))
			require.NoError(t, err)
			require.Zero(t, out.Transport.WriteBufferSize())
			_, err = read.Read(make([]byte, 1))
			require.NoError(t, err)
			require.NoError(t, read.Close())
			require.NoError(t, out.End(t, ctx))
			require.Equal(t, []string{"made", "lost"}, out.Events())
		})
	})
	t.Run("the reader goes while bytes wait", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			out := writes(t, ctx, write)
			_, err := out.Transport.Write(make([]byte, 1<<20))
			require.NoError(t, err)
			require.Positive(t, out.Transport.WriteBufferSize())
			require.NoError(t, read.Close())
			broken(t, out.End(t, ctx))
		})
	})
	t.Run("the reader goes while Close waits", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			out := writes(t, ctx, write)
			_, err := out.Transport.Write(make([]byte, 1<<20))
			require.NoError(t, err)
			out.Transport.Close()
			require.NoError(t, read.Close())
			broken(t, out.End(t, ctx))
		})
	})
	t.Run("a write after the reader has gone", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			out := writes(t, ctx, write)
			require.NoError(t, read.Close())
			_, err := out.Transport.Write([]byte("x"))
			require.NoError(t, err, "it is not known yet")
			err = out.End(t, ctx)
			require.True(t, err == nil || isBroken(err), err)
			_, err = out.Transport.Write([]byte("x"))
			require.ErrorIs(t, err, net.ErrClosed)
		})
	})
	t.Run("the reader has gone before", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			require.NoError(t, read.Close())
			out := writes(t, ctx, write)
			require.NoError(t, out.End(t, ctx))
		})
	})
	t.Run("WriteEOF", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			out := writes(t, ctx, write)
			_, err := out.Transport.Write([]byte("last"))
			require.NoError(t, err)
			require.NoError(t, out.Transport.WriteEOF())
			require.NoError(t, out.Transport.WriteEOF())
			_, err = out.Transport.Write([]byte("x"))
			require.ErrorIs(t, err, asyncio.ErrInvalidState)
			require.NoError(t, out.End(t, ctx))
			data, err := rest(ctx, read).Await(ctx)
			require.NoError(t, err)
			require.Equal(t, "last", string(data))
		})
	})
	t.Run("close", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			out := writes(t, ctx, write)
			out.Transport.Close()
			out.Transport.Close()
			require.NoError(t, out.Transport.WriteEOF())
			require.NoError(t, out.End(t, ctx))
			data, err := rest(ctx, read).Await(ctx)
			require.NoError(t, err)
			require.Empty(t, data)
		})
	})
	t.Run("abort", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			out := writes(t, ctx, write)
			_, err := out.Transport.Write(make([]byte, 1<<20))
			require.NoError(t, err)
			left := out.Transport.WriteBufferSize()
			out.Transport.Abort()
			require.NoError(t, out.End(t, ctx))
			data, err := rest(ctx, read).Await(ctx)
			require.NoError(t, err)
			require.Len(t, data, 1<<20-left)
		})
	})
	t.Run("it reads nothing", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			out := writes(t, ctx, write)
			out.Transport.PauseReading()
			out.Transport.ResumeReading()
			require.False(t, out.Transport.IsReading())
			if _, err := read.WriteString("x"); err == nil { // a socket
				asynciotest.Yield(t, ctx, 10)
				require.Equal(t, []string{"made"}, out.Events())
			}
			require.NoError(t, read.Close())
			require.NoError(t, out.End(t, ctx))
		})
	})
	t.Run("writes to a lost pipe are logged from the fifth on", func(t *testing.T) {
		log, toLog := testkit.RecordLog()
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			_, write := pipe(t)
			out := writes(t, ctx, write)
			out.Transport.Abort()
			before := len(log.Matching("write to a connection that is lost"))
			for i := range 6 {
				_, err := out.Transport.Write([]byte("x"))
				require.ErrorIs(t, err, net.ErrClosed)
				require.Len(t, log.Matching("write to a connection that is lost"), before+max(0, i-3))
			}
			require.NoError(t, out.End(t, ctx))
		}, toLog)
	})
	t.Run("a file", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			out := writes(t, ctx, write)
			f, err := os.CreateTemp(t.TempDir(), "")
			require.NoError(t, err)
			own(t, f)
			want := bytes.Repeat([]byte("file"), 1<<17)
			_, err = f.Write(want)
			require.NoError(t, err)
			got := rest(ctx, read)
			n, err := out.Loop.Sendfile(ctx, out.Transport, f, 0, -1, true)
			require.NoError(t, err)
			require.EqualValues(t, len(want), n)
			out.Transport.Close()
			data, err := got.Await(ctx)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, data))
			require.NoError(t, out.End(t, ctx))
		})
	})
}

func isBroken(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

func broken(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, syscall.EPIPE)
}
