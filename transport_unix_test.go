//go:build unix

package asyncio_test

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

// socketOption reads an option of the socket below a transport.
func socketOption(t *testing.T, tr asyncio.Transport, level, option int) int {
	t.Helper()
	v, err := syscall.GetsockoptInt(tr.ExtraInfo("socket").(asyncio.TransportSocket).FD(), level, option)
	require.NoError(t, err)
	return v
}

// transportPair is two transports of one loop, connected to each other, with their
// protocols.
func transportPair(t *testing.T, ctx context.Context, opts ...asyncio.StreamOption) (client, accepted *tap) {
	t.Helper()
	l := loopOf(ctx)
	client, accepted = newTap(l), newTap(l)
	var forServer []asyncio.ServerOption
	var forClient []asyncio.ConnectOption
	for _, opt := range opts {
		forServer, forClient = append(forServer, opt), append(forClient, opt)
	}
	made := asyncio.NewFuture[asyncio.None](l)
	accepted.onMade = func() { _ = made.SetResult(asyncio.None{}) }
	s, err := l.CreateServer(ctx, accepted.factory, "tcp", "127.0.0.1:0", forServer...)
	require.NoError(t, err)
	_, _, err = l.CreateConnection(ctx, client.factory, "tcp", serverAddr(t, s), forClient...)
	require.NoError(t, err)
	_, err = made.Await(ctx)
	require.NoError(t, err)
	s.Close()
	return client, accepted
}

func TestTransportSocketOptions(t *testing.T) {
	t.Run("TRN-25", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			inTask(t, newLoop(t, opts...), func(ctx context.Context) {
				client, accepted := transportPair(t, ctx)
				for _, p := range []*tap{client, accepted} {
					require.NotZero(t, socketOption(t, p.transport, syscall.IPPROTO_TCP, syscall.TCP_NODELAY))
					require.Zero(t, socketOption(t, p.transport, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE))
					p.transport.Close()
				}
			})
		})
	})
	t.Run("WithKeepAlive", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			inTask(t, newLoop(t, opts...), func(ctx context.Context) {
				client, accepted := transportPair(t, ctx, asyncio.WithKeepAlive(true))
				for _, p := range []*tap{client, accepted} {
					require.NotZero(t, socketOption(t, p.transport, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE))
					p.transport.Close()
				}
			})
		})
	})
	t.Run("WithReuseAddr", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				for _, on := range []bool{true, false} {
					s, err := l.CreateServer(ctx, newEchoes, "tcp", "127.0.0.1:0", asyncio.WithReuseAddr(on))
					require.NoError(t, err)
					got, err := syscall.GetsockoptInt(s.Sockets()[0].FD(), syscall.SOL_SOCKET, syscall.SO_REUSEADDR)
					require.NoError(t, err)
					require.Equal(t, on, got != 0)
					s.Close()
				}
			})
		})
	})
}

func TestTransportWritesInsideResume(t *testing.T) {
	t.Run("TRN-28", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			inTask(t, newLoop(t, opts...), func(ctx context.Context) {
				t1, t2 := transportPair(t, ctx)
				for _, p := range []*tap{t1, t2} {
					fd := p.transport.ExtraInfo("socket").(asyncio.TransportSocket).FD()
					require.NoError(t, syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 1024))
				}
				t1.transport.SetWriteBufferLimits(1024, 1023)
				t1.onResume = func() { _, _ = t2.transport.Write([]byte("hello")) }
				t2.transport.PauseReading()
				for t1.count("pause") == 0 {
					_, err := t1.transport.Write(make([]byte, 512))
					require.NoError(t, err)
				}
				t2.transport.ResumeReading()
				require.NoError(t, asyncio.Timeout(ctx, 5*time.Second, func(ctx context.Context) error {
					for range 20 {
						if _, err := t1.transport.Write(make([]byte, 512)); err != nil {
							return err
						}
						if err := asyncio.Sleep(ctx, 0); err != nil {
							return err
						}
					}
					t1.receive(t, ctx, 5)
					return nil
				}))
				require.Equal(t, "hello", string(t1.received[:5]))
				t1.transport.Abort()
				t2.transport.Abort()
			})
		})
	})
}

func TestServerOutOfDescriptors(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := newLoop(t, opts...)
		rec := recordErrors(l)
		inTask(t, l, func(ctx context.Context) {
			s, err := l.CreateServer(ctx, newEchoes, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			converse(t, ctx, dialNet(t, s), "before")

			fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
			require.NoError(t, err)
			var was syscall.Rlimit
			require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was))
			none := was
			none.Cur = 1
			require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none))
			restore := func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was)) }
			defer restore()
			to := &syscall.SockaddrInet4{Port: s.Addrs()[0].(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
			require.NoError(t, syscall.Connect(fd, to))
			for len(rec.got) == 0 {
				require.NoError(t, asyncio.Sleep(ctx, time.Millisecond))
			}
			since := l.Time()
			restore()
			require.Equal(t, "socket.accept() out of system resource", rec.got[0].Message)
			require.ErrorIs(t, rec.got[0].Exception, syscall.EMFILE)
			require.Equal(t, s, rec.got[0].Server)

			converse(t, ctx, dialNet(t, s), "after")
			require.Greater(t, l.Time()-since, 900*time.Millisecond, "the pause is a second")
			require.NoError(t, syscall.Close(fd))
			s.Close()
			s.AbortClients()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
}
