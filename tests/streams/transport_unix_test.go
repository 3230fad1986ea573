//go:build unix

package streams_test

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
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
func transportPair(t *testing.T, ctx context.Context, opts ...asyncio.StreamOption) (client, accepted *testkit.Tap) {
	t.Helper()
	l := testkit.LoopOf(ctx)
	client, accepted = testkit.NewTap(l), testkit.NewTap(l)
	var forServer []asyncio.ServerOption
	var forClient []asyncio.ConnectOption
	for _, opt := range opts {
		forServer, forClient = append(forServer, opt), append(forClient, opt)
	}
	made := asyncio.NewFuture[asyncio.None](l)
	accepted.OnMade = func() { _ = made.SetResult(asyncio.None{}) }
	s, err := l.CreateServer(ctx, accepted.Factory, "tcp", "127.0.0.1:0", forServer...)
	require.NoError(t, err)
	_, _, err = l.CreateConnection(ctx, client.Factory, "tcp", testkit.ServerAddr(t, s), forClient...)
	require.NoError(t, err)
	_, err = made.Await(ctx)
	require.NoError(t, err)
	s.Close()
	return client, accepted
}

func TestTransportSocketOptions(t *testing.T) {
	t.Run("TRN-25", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				client, accepted := transportPair(t, ctx)
				for _, p := range []*testkit.Tap{client, accepted} {
					require.NotZero(t, socketOption(t, p.Transport, syscall.IPPROTO_TCP, syscall.TCP_NODELAY))
					require.Zero(t, socketOption(t, p.Transport, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE))
					p.Transport.Close()
				}
			})
		})
	})
	t.Run("WithKeepAlive", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				client, accepted := transportPair(t, ctx, asyncio.WithKeepAlive(true))
				for _, p := range []*testkit.Tap{client, accepted} {
					require.NotZero(t, socketOption(t, p.Transport, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE))
					p.Transport.Close()
				}
			})
		})
	})
	t.Run("WithReuseAddr", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				for _, on := range []bool{true, false} {
					s, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp", "127.0.0.1:0", asyncio.WithReuseAddr(on))
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
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				t1, t2 := transportPair(t, ctx)
				for _, p := range []*testkit.Tap{t1, t2} {
					fd := p.Transport.ExtraInfo("socket").(asyncio.TransportSocket).FD()
					require.NoError(t, syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 1024))
				}
				t1.Transport.SetWriteBufferLimits(1024, 1023)
				t1.OnResume = func() { _, _ = t2.Transport.Write([]byte("hello")) }
				t2.Transport.PauseReading()
				for t1.Count("pause") == 0 {
					_, err := t1.Transport.Write(make([]byte, 512))
					require.NoError(t, err)
				}
				t2.Transport.ResumeReading()
				require.NoError(t, asyncio.Timeout(ctx, asynciotest.HangLimit, func(ctx context.Context) error {
					for range 20 {
						if _, err := t1.Transport.Write(make([]byte, 512)); err != nil {
							return err
						}
						if err := asyncio.Sleep(ctx, 0); err != nil {
							return err
						}
					}
					t1.Receive(t, ctx, 5)
					return nil
				}))
				require.Equal(t, "hello", string(t1.Received[:5]))
				t1.Transport.Abort()
				t2.Transport.Abort()
			})
		})
	})
}

func TestServerOutOfDescriptors(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		rec := asynciotest.RecordReports(l)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			s, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			converse(t, ctx, testkit.DialNet(t, s), "before")

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
			since := l.Time()
			require.NoError(t, syscall.Connect(fd, to))
			for len(rec.All()) == 0 {
				require.NoError(t, asyncio.Sleep(ctx, time.Millisecond))
			}
			restore()
			require.Equal(t, "socket.accept() out of system resource", rec.All()[0].Message)
			require.ErrorIs(t, rec.All()[0].Exception, syscall.EMFILE)
			require.Equal(t, s, rec.All()[0].Server)

			converse(t, ctx, testkit.DialNet(t, s), "after")
			require.Greater(t, l.Time()-since, 900*time.Millisecond, "the pause is a second")
			require.NoError(t, syscall.Close(fd))
			s.Close()
			s.AbortClients()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
}

// shrinkSendBuffer makes the kernel keep little of what is written.
func shrinkSendBuffer(t *testing.T, tr asyncio.Transport) {
	t.Helper()
	fd := tr.ExtraInfo("socket").(asyncio.TransportSocket).FD()
	require.NoError(t, syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 64<<10))
}
