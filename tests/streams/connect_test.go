package streams_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestCreateConnection(t *testing.T) {
	t.Run("CON-01", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				port := testkit.UnusedPort(t)
				_, _, err := l.CreateConnection(ctx, testkit.NewEchoes, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
				require.ErrorIs(t, err, syscall.ECONNREFUSED)
				require.NotContains(t, err.Error(), "Multiple")

				// No host is this one: ::1 and 127.0.0.1.
				_, _, err = l.CreateConnection(ctx, testkit.NewEchoes, "tcp", fmt.Sprintf(":%d", port))
				require.ErrorIs(t, err, syscall.ECONNREFUSED)
				testkit.ErrorSays(t, err, "Multiple exceptions: ")
				testkit.ErrorSays(t, err, fmt.Sprintf("127.0.0.1:%d", port))
				testkit.ErrorSays(t, err, fmt.Sprintf("[::1]:%d", port))
				var all interface{ Unwrap() []error }
				require.ErrorAs(t, err, &all)
				require.Len(t, all.Unwrap(), 2)

				_, _, err = l.CreateConnection(ctx, testkit.NewEchoes, "tcp4", fmt.Sprintf(":%d", port))
				require.ErrorIs(t, err, syscall.ECONNREFUSED)
				require.NotContains(t, err.Error(), "Multiple")
			})
		})
	})
	t.Run("the next address is tried", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				p := testkit.NewTap(l)
				port := testkit.ListenNet(t).Addr().(*net.TCPAddr).Port // on IPv4 alone
				tr, got, err := l.CreateConnection(ctx, p.Factory, "tcp", fmt.Sprintf(":%d", port))
				require.NoError(t, err)
				require.Equal(t, p, got)
				require.Equal(t, fmt.Sprintf("127.0.0.1:%d", port), tr.RemoteAddr().String())
				p.Equal(t, "made")
				tr.Close()
				require.NoError(t, p.End(t, ctx))
			})
		})
	})
	t.Run("names are resolved", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				s, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp4", "localhost:0")
				require.NoError(t, err)
				addr := s.Addrs()[0].(*net.TCPAddr)
				require.True(t, addr.IP.IsLoopback())
				_, w, err := asyncio.OpenConnection(ctx, "tcp", fmt.Sprintf("localhost:%d", addr.Port))
				require.NoError(t, err)
				require.NoError(t, w.Close())
				s.Close()
				require.NoError(t, s.WaitClosed(ctx))

				var dns *net.DNSError
				_, _, err = asyncio.OpenConnection(ctx, "tcp", "127.0.0.1:no-such-service")
				require.ErrorAs(t, err, &dns)
			})
		})
	})
	t.Run("CON-04", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			for turns := range 5 {
				asynciotest.InTask(t, l, func(ctx context.Context) {
					ln := testkit.ListenNet(t)
					p := testkit.NewTap(l)
					connects := testkit.Start(ctx, func(ctx context.Context) error {
						_, _, err := l.CreateConnection(ctx, p.Factory, "tcp", ln.Addr().String())
						return err
					})
					asynciotest.Yield(t, ctx, turns)
					if connects.Cancel() {
						_, err := connects.Await(ctx)
						require.ErrorIs(t, err, asyncio.ErrCancelled)
					} else {
						p.Transport.Close()
					}
					if p.Count("made") > 0 {
						require.NoError(t, p.End(t, ctx))
						p.Equal(t, "made", "lost")
					}
					for l.Stats().Handles > 0 {
						asynciotest.Yield(t, ctx, 1)
					}
				})
			}
		})
	})
	t.Run("a context that ends", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				derived, cancel := context.WithCancelCause(ctx)
				cancel(testkit.ErrBoom)
				_, _, err := l.CreateConnection(derived, testkit.NewEchoes, "tcp", testkit.ListenNet(t).Addr().String())
				require.Equal(t, testkit.ErrBoom, err)
			})
		})
	})
	t.Run("CON-07", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				ln := testkit.ListenNet(t)
				_, _, err := l.CreateConnection(ctx, testkit.NewEchoes, "tcp", ln.Addr().String(), asyncio.WithLocalAddr("[::1]:0"))
				testkit.ErrorSays(t, err, "no matching local address")

				local := fmt.Sprintf("127.0.0.1:%d", testkit.UnusedPort(t))
				p := testkit.NewTap(l)
				tr, _, err := l.CreateConnection(ctx, p.Factory, "tcp", ln.Addr().String(), asyncio.WithLocalAddr(local))
				require.NoError(t, err)
				require.Equal(t, local, tr.LocalAddr().String())
				tr.Abort()
				p.End(t, ctx)
			})
		})
	})
	t.Run("a local name with addresses of both families", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				ln := testkit.ListenNet(t)
				port := testkit.UnusedPort(t)
				local := asyncio.WithLocalAddr(fmt.Sprintf(":%d", port)) // ::1 and 127.0.0.1
				p := testkit.NewTap(l)
				tr, _, err := l.CreateConnection(ctx, p.Factory, "tcp", ln.Addr().String(), local)
				require.NoError(t, err)
				require.Equal(t, fmt.Sprintf("127.0.0.1:%d", port), tr.LocalAddr().String())
				tr.Abort()
				p.End(t, ctx)
			})
		})
	})
	t.Run("a local address that is taken", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				addr := testkit.ListenNet(t).Addr().String()
				_, _, err := l.CreateConnection(ctx, testkit.NewEchoes, "tcp", addr, asyncio.WithLocalAddr(addr))
				require.ErrorIs(t, err, syscall.EADDRINUSE)
				require.ErrorContains(t, err, addr)
				require.Zero(t, l.Stats().Handles)
			})
		})
	})
	t.Run("the factory panics", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				ln := testkit.ListenNet(t)
				panics := testkit.Start(ctx, func(ctx context.Context) error {
					_, _, err := l.CreateConnection(ctx, func() asyncio.Protocol { panic(testkit.ErrBoom) }, "tcp", ln.Addr().String())
					return err
				})
				_, err := panics.Await(ctx)
				require.ErrorIs(t, err, testkit.ErrBoom)
				peer, err := ln.Accept()
				require.NoError(t, err)
				require.Empty(t, testkit.ReadAll(t, ctx, peer), "the connection is closed")
				require.NoError(t, peer.Close())
				require.Zero(t, l.Stats().Handles)
			})
		})
	})
	t.Run("bad arguments", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { _, _, _ = l.CreateConnection(l.Context(), nil, "tcp", ":1") })
			_, _, err := l.CreateConnection(context.Background(), testkit.NewEchoes, "tcp", ":1")
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			_, _, err = asyncio.OpenConnection(l.Context(), "tcp", ":1")
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			other := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, _, err := other.CreateConnection(ctx, testkit.NewEchoes, "tcp", ":1")
				require.ErrorIs(t, err, asyncio.ErrWrongLoop)
				var unknown net.UnknownNetworkError
				_, _, err = l.CreateConnection(ctx, testkit.NewEchoes, "ip", ":1")
				require.ErrorAs(t, err, &unknown)
			})
		})
	})
	t.Run("on a closed loop", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.VerifyNoLeaks(t)
			l, err := asyncio.NewEventLoop(opts...)
			require.NoError(t, err)
			ctx := l.Context()
			require.NoError(t, l.Close())
			_, _, err = l.CreateConnection(ctx, testkit.NewEchoes, "tcp", ":1")
			require.True(t, errors.Is(err, asyncio.ErrLoopClosed) || errors.Is(err, asyncio.ErrNotCurrentTask))
		})
	})
}
