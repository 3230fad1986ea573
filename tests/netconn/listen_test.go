package netconn_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// listen is a listener on the loop of ctx.
func listen(t *testing.T, ctx context.Context, opts ...asyncio.ServerOption) net.Listener {
	t.Helper()
	ln, err := testkit.LoopOf(ctx).Listen(ctx, "tcp", "127.0.0.1:0", opts...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

func TestAccept(t *testing.T) {
	worlds(t, func(t *testing.T, ctx context.Context, do func(fn func() outcome) outcome) {
		ln := listen(t, ctx)
		var conn net.Conn
		for range 3 {
			peer, err := net.Dial("tcp", ln.Addr().String())
			require.NoError(t, err)
			require.NoError(t, do(func() outcome {
				var err error
				conn, err = ln.Accept()
				return outcome{err: err}
			}).err)
			require.Equal(t, peer.LocalAddr().String(), conn.RemoteAddr().String())
			require.Equal(t, ln.Addr().String(), conn.LocalAddr().String())
			_, err = peer.Write([]byte("x"))
			require.NoError(t, err)
			require.Equal(t, outcome{"x", nil}, do(func() outcome { return readOnce(conn, 4) }))
			require.NoError(t, conn.Close())
			require.NoError(t, peer.Close())
		}
		require.NoError(t, ln.Close())
		again, err := net.Listen("tcp", ln.Addr().String())
		require.NoError(t, err, "the address is free")
		require.NoError(t, again.Close())
		require.ErrorIs(t, ln.Close(), net.ErrClosed)
		_, err = ln.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

func TestCloseEndsAccept(t *testing.T) {
	for _, waiter := range []string{"task", "goroutine"} {
		for _, closer := range []string{"task", "goroutine"} {
			t.Run(waiter+" by "+closer, func(t *testing.T) {
				inTask(t, func(t *testing.T, ctx context.Context) {
					ln := listen(t, ctx)
					accept := asyncio.CreateTask(ctx, func(ctx context.Context) (error, error) {
						if waiter == "task" {
							_, err := ln.Accept()
							return err, nil
						}
						return inGoroutine(t, ctx, func() error {
							_, err := ln.Accept()
							return err
						}), nil
					})
					asynciotest.Yield(t, ctx, 3)
					if closer == "task" {
						require.NoError(t, ln.Close())
					} else {
						require.NoError(t, inGoroutine(t, ctx, ln.Close))
					}
					err, failed := accept.Await(ctx)
					require.NoError(t, failed)
					require.ErrorIs(t, err, net.ErrClosed)
				})
			})
		}
	}
}

func TestCancelledAcceptLosesNoConnection(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		ln := listen(t, ctx)
		for i := range 20 {
			accept := asyncio.CreateTask(ctx, func(context.Context) (net.Conn, error) { return ln.Accept() })
			asynciotest.Yield(t, ctx, 1)
			peer, err := net.Dial("tcp", ln.Addr().String())
			require.NoError(t, err)
			asynciotest.Yield(t, ctx, i%4)
			accept.Cancel()
			conn, err := accept.Await(ctx)
			if err != nil {
				require.ErrorIs(t, err, context.Canceled)
				conn, err = ln.Accept()
				require.NoError(t, err)
			}
			require.Equal(t, peer.LocalAddr().String(), conn.RemoteAddr().String())
			require.NoError(t, conn.Close())
			require.NoError(t, peer.Close())
		}
	})
}

// More peers than may wait to be accepted: the server pauses, and goes on.
func TestAcceptedConnsAreBounded(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		ln := listen(t, ctx, asyncio.WithBacklog(500))
		const peers = 300
		conns := make([]net.Conn, peers)
		for i := range conns {
			peer, err := net.Dial("tcp", ln.Addr().String())
			require.NoError(t, err)
			defer peer.Close()
			conns[i] = peer
		}
		asynciotest.Yield(t, ctx, 100)
		handles := testkit.LoopOf(ctx).Stats().Handles
		require.Less(t, handles, peers)
		for i := range peers {
			accept := ln.Accept
			if i%2 == 0 {
				accept = func() (net.Conn, error) {
					return inGoroutine(t, ctx, func() net.Conn {
						c, err := ln.Accept()
						if err != nil {
							return nil
						}
						return c
					}), nil
				}
			}
			conn, err := accept()
			require.NoError(t, err)
			require.NotNil(t, conn)
			require.NoError(t, conn.Close())
		}
	})
}

func TestListenOptions(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		l := testkit.LoopOf(ctx)
		ln := listen(t, ctx, asyncio.WithMaxConnections(1), asyncio.WithStartServing(false))
		first, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(t, err)
		defer first.Close()
		asynciotest.Yield(t, ctx, 10)
		require.Equal(t, 1, l.Stats().Handles, "nothing is accepted before the first Accept")
		conn, err := ln.Accept()
		require.NoError(t, err)
		second, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(t, err)
		defer second.Close()
		asynciotest.Yield(t, ctx, 10)
		require.Equal(t, 2, l.Stats().Handles)
		require.NoError(t, conn.Close())
		conn, err = ln.Accept()
		require.NoError(t, err)
		require.Equal(t, second.LocalAddr().String(), conn.RemoteAddr().String())
		require.NoError(t, conn.Close())

		path := filepath.Join(t.TempDir(), "s")
		unix, err := l.Listen(ctx, "unix", path)
		require.NoError(t, err)
		require.Equal(t, path, unix.Addr().String())
		require.NoError(t, unix.Close())
		require.NoFileExists(t, path)
		_, err = l.Listen(ctx, "tcp", ln.Addr().String())
		require.ErrorIs(t, err, syscall.EADDRINUSE)
		var failed *net.OpError
		require.ErrorAs(t, err, &failed)
	})
}

// A plain http.Server and http.Client over the loop, in goroutines.
func TestHTTP(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		testkit.Besides(t, l, func() {
			ln, err := l.Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				fmt.Fprintf(w, "%s %d", body, len(body))
			})}
			served := make(chan error, 1)
			go func() { served <- server.Serve(ln) }()
			transport := &http.Transport{DialContext: l.DialContext}
			client := &http.Client{Transport: transport, Timeout: asynciotest.HangLimit}
			for _, n := range []int{0, 1, 100, 5000, 3 << 20} {
				got, err := client.Post("http://"+ln.Addr().String(), "text/plain", strings.NewReader(strings.Repeat("x", n)))
				require.NoError(t, err)
				body, err := io.ReadAll(got.Body)
				require.NoError(t, err)
				require.NoError(t, got.Body.Close())
				require.Equal(t, n+len(fmt.Sprintf(" %d", n)), len(body))
			}
			transport.CloseIdleConnections()
			require.NoError(t, server.Shutdown(t.Context()))
			require.ErrorIs(t, asynciotest.Eventually(t, served), http.ErrServerClosed)
		})
	})
}

func TestServeInATask(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		l := testkit.LoopOf(ctx)
		ln := listen(t, ctx)
		server := &http.Server{Handler: http.NotFoundHandler()}
		serve := asyncio.CreateTask(ctx, func(context.Context) (error, error) { return server.Serve(ln), nil })
		status := inGoroutine(t, ctx, func() string {
			transport := &http.Transport{DialContext: l.DialContext, DisableKeepAlives: true}
			got, err := (&http.Client{Transport: transport}).Get("http://" + ln.Addr().String())
			if err != nil {
				return err.Error()
			}
			defer got.Body.Close()
			return got.Status
		})
		require.Equal(t, "404 Not Found", status)
		require.NoError(t, inGoroutine(t, ctx, func() error { return server.Shutdown(context.Background()) }))
		err, failed := serve.Await(ctx)
		require.NoError(t, failed)
		require.ErrorIs(t, err, http.ErrServerClosed)
	})
}

func TestDialContext(t *testing.T) {
	worlds(t, func(t *testing.T, ctx context.Context, do func(fn func() outcome) outcome) {
		l := testkit.LoopOf(ctx)
		ln := listen(t, ctx)
		dial := func(ctx context.Context, address string) (conn net.Conn, err error) {
			do(func() outcome {
				conn, err = l.DialContext(ctx, "tcp", address)
				return outcome{}
			})
			return conn, err
		}
		for _, ctx := range []context.Context{ctx, context.Background()} {
			conn, err := dial(ctx, ln.Addr().String())
			require.NoError(t, err)
			accepted, err := ln.Accept()
			require.NoError(t, err)
			require.Equal(t, conn.LocalAddr().String(), accepted.RemoteAddr().String())
			require.NoError(t, conn.Close())
			require.Equal(t, outcome{"", io.EOF}, readOnce(accepted, 1))
			require.NoError(t, accepted.Close())
		}

		_, err := dial(context.Background(), fmt.Sprintf("127.0.0.1:%d", testkit.UnusedPort(t)))
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		var failed *net.OpError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, "dial", failed.Op)

		limited, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
		defer cancel()
		<-limited.Done()
		_, err = dial(limited, ln.Addr().String())
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
