package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

// unusedPort is a port of the loopback interface on which nobody listens.
func unusedPort(t *testing.T) int {
	t.Helper()
	ln := listenNet(t)
	require.NoError(t, ln.Close())
	return ln.Addr().(*net.TCPAddr).Port
}

func TestCreateConnection(t *testing.T) {
	t.Run("CON-01", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				port := unusedPort(t)
				_, _, err := l.CreateConnection(ctx, newEchoes, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
				require.ErrorIs(t, err, syscall.ECONNREFUSED)
				require.NotContains(t, err.Error(), "Multiple")

				// No host is this one: ::1 and 127.0.0.1.
				_, _, err = l.CreateConnection(ctx, newEchoes, "tcp", fmt.Sprintf(":%d", port))
				require.ErrorIs(t, err, syscall.ECONNREFUSED)
				errorSays(t, err, "Multiple exceptions: ")
				errorSays(t, err, fmt.Sprintf("127.0.0.1:%d", port))
				errorSays(t, err, fmt.Sprintf("[::1]:%d", port))
				var all interface{ Unwrap() []error }
				require.ErrorAs(t, err, &all)
				require.Len(t, all.Unwrap(), 2)

				_, _, err = l.CreateConnection(ctx, newEchoes, "tcp4", fmt.Sprintf(":%d", port))
				require.ErrorIs(t, err, syscall.ECONNREFUSED)
				require.NotContains(t, err.Error(), "Multiple")
			})
		})
	})
	t.Run("the next address is tried", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				p := newTap(l)
				port := listenNet(t).Addr().(*net.TCPAddr).Port // on IPv4 alone
				tr, got, err := l.CreateConnection(ctx, p.factory, "tcp", fmt.Sprintf(":%d", port))
				require.NoError(t, err)
				require.Equal(t, p, got)
				require.Equal(t, fmt.Sprintf("127.0.0.1:%d", port), tr.RemoteAddr().String())
				p.equal(t, "made")
				tr.Close()
				require.NoError(t, p.end(t, ctx))
			})
		})
	})
	t.Run("names are resolved", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				s, err := l.CreateServer(ctx, newEchoes, "tcp4", "localhost:0")
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
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			for turns := range 5 {
				inTask(t, l, func(ctx context.Context) {
					ln := listenNet(t)
					p := newTap(l)
					connects := start(ctx, func(ctx context.Context) error {
						_, _, err := l.CreateConnection(ctx, p.factory, "tcp", ln.Addr().String())
						return err
					})
					yield(t, ctx, turns)
					if connects.Cancel() {
						_, err := connects.Await(ctx)
						require.ErrorIs(t, err, asyncio.ErrCancelled)
					} else {
						p.transport.Close()
					}
					if p.count("made") > 0 {
						require.NoError(t, p.end(t, ctx))
						p.equal(t, "made", "lost")
					}
					for l.Stats().Handles > 0 {
						yield(t, ctx, 1)
					}
				})
			}
		})
	})
	t.Run("a context that ends", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				derived, cancel := context.WithCancelCause(ctx)
				cancel(errBoom)
				_, _, err := l.CreateConnection(derived, newEchoes, "tcp", listenNet(t).Addr().String())
				require.Equal(t, errBoom, err)
			})
		})
	})
	t.Run("CON-07", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				ln := listenNet(t)
				_, _, err := l.CreateConnection(ctx, newEchoes, "tcp", ln.Addr().String(), asyncio.WithLocalAddr("[::1]:0"))
				errorSays(t, err, "no matching local address")

				local := fmt.Sprintf("127.0.0.1:%d", unusedPort(t))
				p := newTap(l)
				tr, _, err := l.CreateConnection(ctx, p.factory, "tcp", ln.Addr().String(), asyncio.WithLocalAddr(local))
				require.NoError(t, err)
				require.Equal(t, local, tr.LocalAddr().String())
				tr.Abort()
				p.end(t, ctx)
			})
		})
	})
	t.Run("the factory panics", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				ln := listenNet(t)
				panics := start(ctx, func(ctx context.Context) error {
					_, _, err := l.CreateConnection(ctx, func() asyncio.Protocol { panic(errBoom) }, "tcp", ln.Addr().String())
					return err
				})
				_, err := panics.Await(ctx)
				require.ErrorIs(t, err, errBoom)
				peer, err := ln.Accept()
				require.NoError(t, err)
				require.Empty(t, readAll(t, ctx, peer), "the connection is closed")
				require.NoError(t, peer.Close())
				require.Zero(t, l.Stats().Handles)
			})
		})
	})
	t.Run("bad arguments", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			panicsWith(t, asyncio.ErrInvalidState, func() { _, _, _ = l.CreateConnection(l.Context(), nil, "tcp", ":1") })
			_, _, err := l.CreateConnection(context.Background(), newEchoes, "tcp", ":1")
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			_, _, err = asyncio.OpenConnection(l.Context(), "tcp", ":1")
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			other := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				_, _, err := other.CreateConnection(ctx, newEchoes, "tcp", ":1")
				require.ErrorIs(t, err, asyncio.ErrWrongLoop)
				var unknown net.UnknownNetworkError
				_, _, err = l.CreateConnection(ctx, newEchoes, "ip", ":1")
				require.ErrorAs(t, err, &unknown)
			})
		})
	})
	t.Run("on a closed loop", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			noLeaks(t)
			l, err := asyncio.NewEventLoop(opts...)
			require.NoError(t, err)
			ctx := l.Context()
			require.NoError(t, l.Close())
			_, _, err = l.CreateConnection(ctx, newEchoes, "tcp", ":1")
			require.True(t, errors.Is(err, asyncio.ErrLoopClosed) || errors.Is(err, asyncio.ErrNotCurrentTask))
		})
	})
}
