package netconn_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// A Write that waits for room is ended at once by what another task or goroutine does.
func TestWaitingWriteIsEnded(t *testing.T) {
	acts := map[string]struct {
		act  func(conn net.Conn) error
		want error
	}{
		"past deadline": {func(conn net.Conn) error { return conn.SetWriteDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		"close":         {net.Conn.Close, net.ErrClosed},
		"end":           {func(conn net.Conn) error { return conn.(interface{ CloseWrite() error }).CloseWrite() }, asyncio.ErrInvalidState},
	}
	for name, c := range acts {
		for _, writer := range []string{"task", "goroutine"} {
			for _, actor := range []string{"task", "goroutine"} {
				t.Run(name+" by a "+actor+" for a "+writer, func(t *testing.T) {
					inTask(t, func(t *testing.T, ctx context.Context) {
						conn, _ := connToNet(t, ctx)
						fill := func() error {
							for {
								if _, err := conn.Write(make([]byte, 32<<10)); err != nil {
									return err
								}
							}
						}
						waits := make(chan struct{})
						write := asyncio.CreateTask(ctx, func(ctx context.Context) (error, error) {
							if writer == "task" {
								return fill(), nil
							}
							return inGoroutine(t, ctx, func() error {
								close(waits)
								return fill()
							}), nil
						})
						asynciotest.Yield(t, ctx, 5)
						if writer == "goroutine" {
							<-waits
							require.NoError(t, asynciotest.Until(ctx, func() bool { _, w := testkit.LoopOf(ctx).Buffered(); return w > 64<<10 }))
						}
						if actor == "task" {
							require.NoError(t, c.act(conn))
						} else {
							require.NoError(t, inGoroutine(t, ctx, func() error { return c.act(conn) }))
						}
						err, failed := write.Await(ctx)
						require.NoError(t, failed)
						require.ErrorIs(t, err, c.want)
						_ = conn.Close()
					})
				})
			}
		}
	}
}

// A deadline that is moved on does not end a call at its old time.
func TestDeadlineThatIsMoved(t *testing.T) {
	worlds(t, func(t *testing.T, ctx context.Context, do func(fn func() outcome) outcome) {
		conn, peer := connToNet(t, ctx)
		const first = 500 * time.Millisecond
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(first)))
		testkit.LoopOf(ctx).CallSoon(func() { _ = conn.SetReadDeadline(time.Now().Add(time.Hour)) })
		testkit.LoopOf(ctx).CallLater(first+50*time.Millisecond, func() { _, _ = peer.Write([]byte("x")) })
		require.Equal(t, outcome{"x", nil}, do(func() outcome { return readOnce(conn, 1) }))
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Hour)))
		testkit.LoopOf(ctx).CallLater(5*time.Millisecond, func() { _ = conn.SetDeadline(time.Now().Add(time.Millisecond)) })
		requireTimeout(t, do(func() outcome { return readOnce(conn, 1) }).err)
	})
}

func TestResetByPeer(t *testing.T) {
	worlds(t, func(t *testing.T, ctx context.Context, do func(fn func() outcome) outcome) {
		conn, peer := connToNet(t, ctx)
		require.NoError(t, peer.SetLinger(0))
		require.NoError(t, peer.Close())
		err := do(func() outcome { return readOnce(conn, 1) }).err
		require.ErrorIs(t, err, syscall.ECONNRESET)
		var failed *net.OpError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, "read", failed.Op)
		err = do(func() outcome {
			for {
				if _, err := conn.Write([]byte("x")); err != nil {
					return outcome{err: err}
				}
			}
		}).err
		require.True(t, errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE), err)
	})
}

func TestNetConnMisuse(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		r, w, peer := testkit.StreamToNet(t, ctx)
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { asyncio.NetConn(nil, w) })
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { asyncio.NetConn(r, nil) })
		read := asyncio.CreateTask(ctx, func(ctx context.Context) ([]byte, error) { return r.ReadExactly(ctx, 3) })
		asynciotest.Yield(t, ctx, 1)
		testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.NetConn(r, w) })
		_, err := peer.Write([]byte("abcdef"))
		require.NoError(t, err)
		_, err = read.Await(ctx)
		require.NoError(t, err)
		conn := asyncio.NetConn(r, w)
		require.Equal(t, outcome{"def", nil}, readOnce(conn, 10), "what was buffered comes first")
		testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.NetConn(r, w) })
		_, err = r.ReadLine(ctx)
		require.ErrorIs(t, err, asyncio.ErrInvalidState)
		_, err = w.Write([]byte("direct "))
		require.NoError(t, err)
		_, err = conn.Write([]byte("and not"))
		require.NoError(t, err)
		require.NoError(t, w.Drain(ctx))
		require.NoError(t, conn.Close())
		require.NoError(t, w.WaitClosed(ctx))
		require.Equal(t, "direct and not", string(testkit.ReadAll(t, ctx, peer)))
	})
}

// Whoever waits for a loop that is closed is told; nobody waits for one that does not run
// to close a conn or listener.
func TestLoopClosedEndsAllCalls(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l, err := asyncio.NewEventLoop(opts...)
		require.NoError(t, err)
		var ln, idle net.Listener
		var conn, other net.Conn
		var endOfRead outcome
		_, err = asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) (err error) {
			conn, _ = connToNet(t, ctx)
			other, _ = connToNet(t, ctx)
			if idle, err = l.Listen(ctx, "tcp", "127.0.0.1:0"); err == nil {
				ln, err = l.Listen(ctx, "tcp", "127.0.0.1:0")
			}
			return err
		}))
		require.NoError(t, err)
		require.NoError(t, idle.Close())
		asyncio.CreateTask(l.Context(), func(ctx context.Context) (asyncio.None, error) {
			read := make(chan outcome)
			go func() { read <- readOnce(other, 1) }()
			defer func() { endOfRead = <-read }()
			return asyncio.None{}, testkit.SleepsLong(ctx)
		})
		asynciotest.Turn(t, l)
		n, err := conn.Write([]byte("x"))
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.NoError(t, conn.Close())
		ended := make(chan error, 2)
		go func() {
			_, err := ln.Accept()
			ended <- err
		}()
		go func() {
			_, err := l.DialContext(context.Background(), "tcp", ln.Addr().String())
			ended <- err
		}()
		require.NoError(t, l.Close())
		require.ErrorIs(t, endOfRead.err, asyncio.ErrLoopClosed, "tasks that end may wait for goroutines")
		for range cap(ended) {
			require.ErrorIs(t, asynciotest.Eventually(t, ended), asyncio.ErrLoopClosed)
		}
		_, err = ln.Accept()
		require.ErrorIs(t, err, asyncio.ErrLoopClosed)
		_, err = l.Listen(context.Background(), "tcp", "127.0.0.1:0")
		require.ErrorIs(t, err, asyncio.ErrLoopClosed)
		require.NoError(t, ln.Close())
	})
}

func TestListenAndDialWhereToWaitWouldHoldALoopUp(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			ln := listen(t, ctx)
			calls := map[string]func() error{
				"Listen": func() error {
					_, err := l.Listen(context.Background(), "tcp", "127.0.0.1:0")
					return err
				},
				"DialContext": func() error {
					_, err := l.DialContext(context.Background(), "tcp", ln.Addr().String())
					return err
				},
				"Accept": func() error {
					_, err := ln.Accept()
					return err
				},
			}
			for name, call := range calls {
				called := asyncio.NewFuture[error](l)
				l.CallSoon(func() { _ = called.SetResult(call()) })
				err, failed := called.Await(ctx)
				require.NoError(t, failed, name)
				require.ErrorIs(t, err, asyncio.ErrNotCurrentTask, name)
				err = inGoroutine(t, ctx, func() error {
					err, _ := asyncio.Run(func(context.Context) (error, error) { return call(), nil }, opts...)
					return err
				})
				require.ErrorIs(t, err, asyncio.ErrWrongLoop, name)
			}
			peer, err := net.Dial("tcp", ln.Addr().String())
			require.NoError(t, err)
			defer peer.Close()
			conn, err := ln.Accept()
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			_, err = io.ReadAll(peer)
			require.NoError(t, err)
		})
	})
}

// A task that is cancelled while it accepts ends with that.
func TestCancelledAccept(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		ln := listen(t, ctx)
		waits := asyncio.CreateTask(ctx, func(context.Context) (net.Conn, error) { return ln.Accept() })
		asynciotest.Yield(t, ctx, 3)
		waits.Cancel()
		_, err := waits.Await(ctx)
		require.ErrorIs(t, err, asyncio.ErrCancelled)
	})
}
