package streams_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// requireReset fails the test unless err is what a connection may end with when the peer
// has gone.
func requireReset(t *testing.T, err error) {
	t.Helper()
	ok := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
	require.True(t, ok, "want a reset connection or a broken pipe, not %v", err)
}

func TestStreamWriter(t *testing.T) {
	t.Run("WRT-02", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			rec := asynciotest.RecordReports(l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				server, err := asyncio.StartServer(ctx, func(_ context.Context, _ *asyncio.StreamReader, w *asyncio.StreamWriter) error {
					return w.Close()
				}, "tcp", "127.0.0.1:0")
				require.NoError(t, err)
				_, w, err := asyncio.OpenConnection(ctx, "tcp", testkit.ServerAddr(t, server))
				require.NoError(t, err)
				err = asyncio.Timeout(ctx, asynciotest.HangLimit, func(ctx context.Context) error {
					for {
						if _, err := w.Write([]byte("ping")); err != nil {
							require.ErrorIs(t, err, net.ErrClosed)
						}
						if err := w.Drain(ctx); err != nil {
							return err
						}
					}
				})
				requireReset(t, err)
				require.NoError(t, w.Close())
				server.Close()
				require.NoError(t, server.WaitClosed(ctx))
			})
			rec.None(t)
		})
	})
	t.Run("WRT-03", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				_, w, _ := testkit.StreamToNet(t, ctx)
				require.NoError(t, w.Close())
				require.True(t, w.IsClosing())
				n, err := w.Write([]byte("data"))
				require.ErrorIs(t, err, net.ErrClosed)
				require.Zero(t, n)
				require.ErrorIs(t, w.Drain(ctx), syscall.ECONNRESET)
			})
		})
	})
	t.Run("WRT-04", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				for _, unread := range []bool{false, true} {
					r, w, peer := testkit.StreamToNet(t, ctx)
					_, err := peer.Write([]byte("line\nunread\n"))
					require.NoError(t, err)
					gives(t, "line\n")(r.ReadLine(ctx))
					if !unread {
						gives(t, "unread\n")(r.ReadExactly(ctx, 7))
					}
					require.NoError(t, w.Close())
					require.NoError(t, w.WaitClosed(ctx))
					require.NoError(t, w.WaitClosed(ctx), "once more")
					require.Equal(t, !unread, r.AtEOF())
					if unread {
						gives(t, "unread\n")(r.ReadAll(ctx))
					}
				}
			})
		})
	})
	t.Run("WRT-05", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				_, w, _ := testkit.StreamToNet(t, ctx)
				testkit.WriteUntilPaused(t, w)
				testkit.LoopOf(ctx).CallSoon(w.Transport().Abort)
				require.NoError(t, w.Drain(ctx), "lost without an error")

				_, w, peer := testkit.StreamToNet(t, ctx)
				testkit.WriteUntilPaused(t, w)
				testkit.LoopOf(ctx).CallSoon(func() {
					_ = peer.SetLinger(0)
					_ = peer.Close()
				})
				err := w.Drain(ctx)
				requireReset(t, err)
				require.Equal(t, err, w.Drain(ctx), "from now on it is the reader's error")
				require.Equal(t, err, w.WaitClosed(ctx))
				require.NoError(t, w.Close())
			})
		})
	})
	t.Run("WRT-08", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			log, logTo := testkit.RecordLog()
			asynciotest.InTask(t, asynciotest.New(t, append(opts, logTo)...), func(ctx context.Context) {
				_, w, peer := testkit.StreamToNet(t, ctx)
				require.NoError(t, w.Close())
				peers := []net.Conn{peer, dropWriter(t, ctx)}
				ends := asyncio.CreateTask(ctx, func(ctx context.Context) ([]byte, error) { return testkit.ReadAll(t, ctx, peers[1]), nil })
				for !ends.Done() {
					runtime.GC()
					asynciotest.Yield(t, ctx, 1)
				}
				require.Len(t, log.Matching("unclosed StreamWriter"), 1)
				require.Empty(t, testkit.ReadAll(t, ctx, peers[0]))
			})
			require.Len(t, log.Matching("unclosed"), 1)
		})
	})
}

// dropWriter opens a stream and forgets it.
//
//go:noinline
func dropWriter(t *testing.T, ctx context.Context) net.Conn {
	_, w, peer := testkit.StreamToNet(t, ctx)
	require.False(t, w.IsClosing())
	return peer
}

func TestStreamWriterDrain(t *testing.T) {
	t.Run("many tasks wait, and all go on", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				_, w, peer := testkit.StreamToNet(t, ctx)
				require.NoError(t, w.Drain(ctx), "nothing is buffered")
				sent := testkit.Fill(t, w.Transport())
				_, high := w.Transport().WriteBufferLimits()
				more := high - w.Transport().WriteBufferSize() + 1
				_, err := w.Write(make([]byte, more))
				require.NoError(t, err)

				var drains []asyncio.Awaitable[asyncio.None]
				var tasks []*asyncio.Task[asyncio.None]
				for range 3 {
					task := asyncio.CreateTask(ctx, asyncio.Do(w.Drain))
					tasks = append(tasks, task)
					drains = append(drains, task)
				}
				cancelled := asyncio.CreateTask(ctx, asyncio.Do(w.Drain))
				asynciotest.Yield(t, ctx, 2)
				for _, task := range tasks {
					require.False(t, task.Done())
				}
				cancelled.Cancel()
				_, err = cancelled.Await(ctx)
				require.ErrorIs(t, err, asyncio.ErrCancelled)
				testkit.ReadFull(t, ctx, peer, sent+more)
				_, err = asyncio.Gather(ctx, drains...).Await(ctx)
				require.NoError(t, err)
				require.NoError(t, w.Close())
			})
		})
	})
	t.Run("the reader's error comes first", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				r, w, _ := testkit.StreamToNet(t, ctx)
				r.SetException(testkit.ErrBoom)
				require.NoError(t, w.Close())
				require.Equal(t, testkit.ErrBoom, w.Drain(ctx))
			})
		})
	})
	t.Run("while the stream is closing it yields once", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, w, peer := testkit.StreamToNet(t, ctx)
				sent := testkit.Fill(t, w.Transport())
				require.NoError(t, w.Close())
				turns := asynciotest.CountTurns(l)
				require.NoError(t, w.Drain(ctx))
				require.Equal(t, 1, turns.N())
				turns.Stop()
				testkit.ReadFull(t, ctx, peer, sent)
				require.NoError(t, w.WaitClosed(ctx))
			})
		})
	})
	t.Run("outside of a task", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				_, w, _ := testkit.StreamToNet(t, ctx)
				require.ErrorIs(t, w.Drain(context.Background()), asyncio.ErrNotCurrentTask)
				require.ErrorIs(t, w.WaitClosed(context.Background()), asyncio.ErrNotCurrentTask)
				require.NoError(t, w.Close())
			})
		})
	})
}

func TestStreamWriterSends(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
			r, w, peer := testkit.StreamToNet(t, ctx)
			require.True(t, w.CanWriteEOF())
			require.Equal(t, peer.LocalAddr().String(), fmt.Sprint(w.ExtraInfo("peername")))
			n, err := fmt.Fprintf(w, "%d,", 1)
			require.NoError(t, err)
			require.Equal(t, 2, n)
			require.NoError(t, w.WriteV([][]byte{[]byte("2,"), nil, []byte("3")}))
			require.NoError(t, w.WriteEOF())
			require.Equal(t, "1,2,3", string(testkit.ReadAll(t, ctx, peer)))
			_, err = w.Write([]byte("late"))
			require.ErrorIs(t, err, asyncio.ErrInvalidState)
			_, err = peer.Write([]byte("answer"))
			require.NoError(t, err)
			gives(t, "answer")(r.ReadExactly(ctx, 6))
			require.NoError(t, w.Close())
			require.NoError(t, w.WaitClosed(ctx))
		})
	})
}

func TestStreamsBothWays(t *testing.T) {
	eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
		rec := asynciotest.RecordReports(testkit.LoopOf(ctx))
		key := testkit.CtxKey("greeting")
		handler := func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
			defer w.Close()
			for line, err := range r.Lines(ctx) {
				if err != nil {
					return err
				}
				fmt.Fprintf(w, "%v %s", ctx.Value(key), bytes.ToUpper(line))
			}
			return w.Drain(ctx)
		}
		server, err := asyncio.StartServer(context.WithValue(ctx, key, "hello"), handler, network, address)
		require.NoError(t, err)
		r, w, err := asyncio.OpenConnection(ctx, network, testkit.ServerAddr(t, server))
		require.NoError(t, err)
		_, err = w.Write([]byte("ann\nbob\n"))
		require.NoError(t, err)
		gives(t, "hello ANN\n")(r.ReadLine(ctx))
		require.NoError(t, w.WriteEOF())
		gives(t, "hello BOB\n")(r.ReadAll(ctx))
		require.NoError(t, w.Close())
		require.NoError(t, w.WaitClosed(ctx))
		server.Close()
		require.NoError(t, server.WaitClosed(ctx))
		rec.None(t)
	})
}

func TestStartServerHandlerEnds(t *testing.T) {
	type stream struct {
		r *asyncio.StreamReader
		w *asyncio.StreamWriter
	}
	// serve runs handler for one connection, and returns what the exception handler got
	// once the connection has ended.
	serve := func(t *testing.T, handler func(context.Context, stream) error, opts []asyncio.Option) *asynciotest.Reports {
		l := asynciotest.New(t, opts...)
		rec := asynciotest.RecordReports(l)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			server, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
				return handler(ctx, stream{r, w})
			}, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			require.Empty(t, testkit.ReadAll(t, ctx, testkit.DialNet(t, server)))
			server.Close()
			require.NoError(t, server.WaitClosed(ctx))
		})
		return rec
	}
	t.Run("with an error", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			var w *asyncio.StreamWriter
			got := serve(t, func(_ context.Context, s stream) error { w = s.w; return testkit.ErrBoom }, opts).One(t)
			require.Equal(t, "Unhandled exception in client_connected_cb", got.Message)
			require.Equal(t, testkit.ErrBoom, got.Exception)
			require.Equal(t, w.Transport(), got.Transport)
			require.NoError(t, w.Close())
		})
	})
	t.Run("with a panic", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			var w *asyncio.StreamWriter
			got := serve(t, func(_ context.Context, s stream) error { w = s.w; panic(testkit.ErrBoom) }, opts).One(t)
			require.Equal(t, "Unhandled exception in client_connected_cb", got.Message)
			require.ErrorIs(t, got.Exception, testkit.ErrBoom)
			require.NoError(t, w.Close())
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			var w *asyncio.StreamWriter
			serve(t, func(ctx context.Context, s stream) error {
				w = s.w
				asyncio.CurrentTask(ctx).Cancel()
				_, err := s.r.ReadLine(ctx)
				return err
			}, opts).None(t)
			require.NoError(t, w.Close())
		})
	})
	t.Run("without an error, the connection lives", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			var w *asyncio.StreamWriter
			serve(t, func(ctx context.Context, s stream) error {
				w = s.w
				loop := testkit.LoopOf(ctx)
				loop.CallSoon(func() { loop.CallSoon(func() { _ = w.Close() }) })
				return nil
			}, opts).None(t)
		})
	})
}

func TestStreamsEndWithTheLoop(t *testing.T) {
	// serve accepts one connection, whose handler waits for a line, and tells how it
	// ended.
	serve := func(t *testing.T, ctx context.Context, ended *error) net.Conn {
		s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
			defer w.Close()
			fmt.Fprintln(w, "hello")
			_, *ended = r.ReadLine(ctx)
			return *ended
		}, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		peer := testkit.DialNet(t, s)
		require.Equal(t, "hello\n", string(testkit.ReadFull(t, ctx, peer, 6)))
		return peer
	}
	t.Run("Run cancels the handlers", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.VerifyNoLeaks(t)
			var ended error
			var peer net.Conn
			_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
				peer = serve(t, ctx, &ended)
				return nil
			}), opts...)
			require.NoError(t, err)
			require.ErrorIs(t, ended, asyncio.ErrCancelled)
			_, err = peer.Read(make([]byte, 1))
			require.Error(t, err)
		})
	})
	t.Run("Close abandons them", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.VerifyNoLeaks(t)
			l, err := asyncio.NewEventLoop(opts...)
			require.NoError(t, err)
			rec := asynciotest.RecordReports(l)
			var ended error
			asynciotest.InTask(t, l, func(ctx context.Context) { serve(t, ctx, &ended) })
			require.NoError(t, l.Close())
			require.ErrorIs(t, ended, asyncio.ErrLoopClosed)
			require.Equal(t, "Task was destroyed but it is pending!", rec.All()[0].Message)
		})
	})
	t.Run("debug mode names transports that nobody has closed", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.VerifyNoLeaks(t)
			log, logTo := testkit.RecordLog()
			l, err := asyncio.NewEventLoop(append(opts, logTo, asyncio.WithDebug(true))...)
			require.NoError(t, err)
			asynciotest.InTask(t, l, func(ctx context.Context) { testkit.ConnectToNet(t, ctx, testkit.NewTap(l).Factory) })
			require.NoError(t, l.Close())
			require.Len(t, log.Matching("unclosed transport"), 1)
		})
	})
}
