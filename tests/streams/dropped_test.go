package streams_test

// Handlers that return and leave their writer open.

import (
	"context"
	"io"
	"net"
	"runtime"
	"testing"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func forgetful(_ context.Context, _ *asyncio.StreamReader, w *asyncio.StreamWriter) error {
	_, err := w.Write([]byte("bye"))
	return err
}

func TestAForgottenWriterIsClosed(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		log, logger := testkit.RecordLog()
		l := asynciotest.New(t, append(opts, logger)...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			s, err := asyncio.StartServer(ctx, forgetful, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			for range 3 { // the later ones come soon after a look
				peer := testkit.DialNet(t, s)
				require.Equal(t, "bye", string(testkit.ReadAll(t, ctx, peer)), "and then the end")
				require.NoError(t, peer.Close())
			}
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
		warnings := log.Matching("unclosed StreamWriter")
		require.Len(t, warnings, 3)
		require.Contains(t, warnings[0], "streams_test.forgetful", "the warning names the handler")
	})
}

func TestAWriterThatIsKeptStaysOpen(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			kept := asyncio.NewFuture[*asyncio.StreamWriter](l)
			s, err := asyncio.StartServer(ctx, func(_ context.Context, _ *asyncio.StreamReader, w *asyncio.StreamWriter) error {
				return kept.SetResult(w)
			}, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			peer := testkit.DialNet(t, s)
			w, err := kept.Await(ctx)
			require.NoError(t, err)
			runtime.GC()
			runtime.GC()
			asynciotest.Yield(t, ctx, 3)
			_, err = w.Write([]byte("still here"))
			require.NoError(t, err)
			require.Equal(t, "still here", string(testkit.ReadFull(t, ctx, peer, len("still here"))))
			require.False(t, w.IsClosing())
			require.NoError(t, w.Close())
			_, err = asyncio.ToThread(ctx, func(context.Context) (int, error) { return peer.Read(make([]byte, 1)) })
			require.ErrorIs(t, err, io.EOF)
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
}

// A handler that only reads has its writer as long as it runs.
func TestAHandlerThatOnlyReads(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			began, got := asyncio.NewFuture[asyncio.None](l), asyncio.NewFuture[string](l)
			s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, _ *asyncio.StreamWriter) error {
				first, err := r.ReadExactly(ctx, len("first "))
				if err != nil {
					return err
				}
				_ = began.SetResult(asyncio.None{})
				rest, err := r.ReadAll(ctx)
				_ = got.SetResult(string(first) + string(rest))
				return err
			}, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			peer := testkit.DialNet(t, s)
			_, err = peer.Write([]byte("first "))
			require.NoError(t, err)
			_, err = began.Await(ctx)
			require.NoError(t, err)
			runtime.GC()
			runtime.GC()
			asynciotest.Yield(t, ctx, 10)
			_, err = peer.Write([]byte("second"))
			require.NoError(t, err)
			require.NoError(t, peer.CloseWrite())
			text, err := got.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, "first second", text)
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
}

// The end of the loop has closed the connection: there is nothing to warn of.
func TestAWriterThatOutlivesItsLoop(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		log, logger := testkit.RecordLog()
		l := asynciotest.New(t, append(opts, logger)...)
		dropped := outliving(t, l)
		for dropped.Value() != nil {
			runtime.GC()
		}
		finalized := make(chan struct{})
		runtime.SetFinalizer(new([64]byte), func(*[64]byte) { close(finalized) }) // behind the writer's
		runtime.GC()
		asynciotest.Eventually(t, finalized)
		require.Empty(t, log.Matching(""))
	})
}

// outliving opens a stream, closes the loop, and forgets the writer.
//
//go:noinline
func outliving(t *testing.T, l *asyncio.Loop) weak.Pointer[asyncio.StreamWriter] {
	var w *asyncio.StreamWriter
	asynciotest.InTask(t, l, func(ctx context.Context) { _, w, _ = testkit.StreamToNet(t, ctx) })
	require.NoError(t, l.Close())
	_, err := w.Write([]byte("late"))
	require.ErrorIs(t, err, net.ErrClosed)
	require.NoError(t, w.Close())
	return weak.Make(w)
}
