//go:build linux || darwin

package pipes_test

import (
	"context"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestRead(t *testing.T) {
	t.Run("PIP-01", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			in := reads(t, ctx, read)
			require.Equal(t, []string{"made"}, in.Events())
			_, err := write.WriteString("foobar\n")
			require.NoError(t, err)
			in.Receive(t, ctx, 7)
			require.NoError(t, write.Close())
			require.NoError(t, in.End(t, ctx))
			require.Equal(t, "foobar\n", string(in.Received))
			require.Equal(t, []string{"made", "data", "eof", "lost"}, in.Events())
		})
	})
	t.Run("it ends also if EOFReceived would keep it open", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			in := reads(t, ctx, read)
			in.KeepOpen = true
			require.NoError(t, write.Close())
			require.NoError(t, in.End(t, ctx))
			require.True(t, in.Transport.IsClosing())
		})
	})
	t.Run("pause and resume", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			in := reads(t, ctx, read)
			require.True(t, in.Transport.IsReading())
			in.Transport.PauseReading()
			in.Transport.PauseReading()
			require.False(t, in.Transport.IsReading())
			_, err := write.WriteString("later")
			require.NoError(t, err)
			require.NoError(t, write.Close())
			asynciotest.Yield(t, ctx, 10)
			require.Equal(t, []string{"made"}, in.Events())
			in.Transport.ResumeReading()
			in.Transport.ResumeReading()
			require.NoError(t, in.End(t, ctx))
			require.Equal(t, "later", string(in.Received))
		})
	})
	t.Run("pause in DataReceived", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			in := reads(t, ctx, read)
			in.OnData = func() {
				in.Transport.PauseReading()
				in.Loop.CallSoon(in.Transport.ResumeReading)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = write.Write(make([]byte, 1<<20))
				_ = write.Close()
			}()
			require.NoError(t, in.End(t, ctx))
			require.Len(t, in.Received, 1<<20)
			<-done
		})
	})
	t.Run("close", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			in := reads(t, ctx, read)
			_, err := write.WriteString("never read")
			require.NoError(t, err)
			in.Transport.Close()
			in.Transport.Close()
			require.True(t, in.Transport.IsClosing())
			require.False(t, in.Transport.IsReading())
			in.Transport.PauseReading()
			in.Transport.ResumeReading()
			require.False(t, in.Transport.IsReading())
			require.NoError(t, in.End(t, ctx))
			require.Equal(t, []string{"made", "lost"}, in.Events())
			out := writes(t, ctx, write)
			require.NoError(t, out.End(t, ctx), "nobody has the reading end")
		})
	})
	t.Run("close in ConnectionMade", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			read, _ := pipe(t)
			tap := testkit.NewTap(l)
			tap.OnMade = func() { tap.Transport.Close() }
			_, _, err := l.ConnectReadPipe(ctx, tap.Factory, read)
			require.NoError(t, err)
			require.NoError(t, tap.End(t, ctx))
		})
	})
	t.Run("a panic of DataReceived", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			reports := asynciotest.RecordReports(l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				read, write := pipe(t)
				in := reads(t, ctx, read)
				in.OnData = func() { panic("of the protocol") }
				_, err := write.WriteString("x")
				require.NoError(t, err)
				require.ErrorContains(t, in.End(t, ctx), "of the protocol")
			})
			require.Contains(t, reports.One(t).Message, "protocol.data_received() call failed")
		})
	})
	t.Run("it writes nothing", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			in := reads(t, ctx, read)
			transport := in.Transport
			require.False(t, transport.CanWriteEOF())
			for range 2 {
				_, err := transport.Write([]byte("x"))
				require.ErrorIs(t, err, asyncio.ErrInvalidState)
				require.ErrorContains(t, err, "ConnectReadPipe")
				require.ErrorIs(t, transport.WriteV([][]byte{{1}}), asyncio.ErrInvalidState)
				require.ErrorIs(t, transport.WriteEOF(), asyncio.ErrInvalidState)
				_, err = in.Loop.Sendfile(ctx, transport, write, 0, -1, true)
				require.ErrorIs(t, err, asyncio.ErrInvalidState)
				require.Zero(t, transport.WriteBufferSize())
				transport.Abort()
				require.NoError(t, in.End(t, ctx))
			}
		})
	})
	t.Run("a stream reader", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			l := testkit.LoopOf(ctx)
			r := asyncio.NewStreamReader(l, 1)
			feeds := &feeder{reader: r}
			transport, _, err := l.ConnectReadPipe(ctx, func() asyncio.Protocol { return feeds }, read)
			require.NoError(t, err)
			_, err = write.WriteString("data")
			require.NoError(t, err)
			got, err := r.ReadExactly(ctx, 4)
			require.NoError(t, err)
			require.Equal(t, "data", string(got))
			require.NoError(t, write.Close())
			got, err = r.ReadAll(ctx)
			require.NoError(t, err)
			require.Empty(t, got)
			_, err = r.Read(ctx, make([]byte, 1))
			require.ErrorIs(t, err, io.EOF)
			require.True(t, transport.IsClosing())
		})
	})
	t.Run("a BufferedProtocol", func(t *testing.T) {
		eachKind(t, func(t *testing.T, ctx context.Context, read, write *os.File) {
			l := testkit.LoopOf(ctx)
			in := &testkit.BufferedTap{Tap: testkit.NewTap(l), Size: 3}
			_, _, err := l.ConnectReadPipe(ctx, in.Factory, read)
			require.NoError(t, err)
			_, err = write.WriteString("in pieces of three")
			require.NoError(t, err)
			require.NoError(t, write.Close())
			require.NoError(t, in.End(t, ctx))
			require.Equal(t, "in pieces of three", string(in.Received))
		})
	})
}

// feeder feeds a stream reader.
type feeder struct {
	asyncio.NullProtocol
	reader *asyncio.StreamReader
}

func (f *feeder) DataReceived(b []byte) { f.reader.FeedData(b) }

func (f *feeder) EOFReceived() bool {
	f.reader.FeedEOF()
	return true
}
