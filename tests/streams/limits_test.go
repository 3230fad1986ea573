package streams_test

// WithIdleTimeout and WithMaxConnections.

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// eachNetwork runs test in a task on each driver, for TCP and for Unix.
func eachNetwork(t *testing.T, test func(t *testing.T, ctx context.Context, network, address string)) {
	t.Helper()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(network, func(t *testing.T) {
				address := "127.0.0.1:0"
				if network == "unix" {
					address = filepath.Join(t.TempDir(), "s")
				}
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) { test(t, ctx, network, address) })
			})
		}
	})
}

// dial connects to a server from outside the loop.
func dial(t *testing.T, s *asyncio.Server) net.Conn {
	t.Helper()
	addr := s.Addrs()[0]
	c, err := net.Dial(addr.Network(), addr.String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestWithIdleTimeout(t *testing.T) {
	const idle = 30 * time.Millisecond
	t.Run("a silent peer of a protocol", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
			l := testkit.LoopOf(ctx)
			p := testkit.NewTap(l)
			s, err := l.CreateServer(ctx, p.Factory, network, address, asyncio.WithIdleTimeout(idle))
			require.NoError(t, err)
			began := l.Time()
			peer := dial(t, s)
			lost, err := p.Lost.Await(ctx)
			require.NoError(t, err)
			require.ErrorIs(t, lost, asyncio.ErrTimeout)
			require.GreaterOrEqual(t, l.Time()-began, idle, "never early")
			require.Empty(t, testkit.ReadAll(t, ctx, peer), "the connection has ended")
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
	t.Run("a silent peer of a stream", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
			read := asyncio.NewFuture[error](testkit.LoopOf(ctx))
			s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
				_, err := r.ReadLine(ctx)
				_ = read.SetResult(err)
				return w.Close()
			}, network, address, asyncio.WithIdleTimeout(idle))
			require.NoError(t, err)
			dial(t, s)
			failed, err := read.Await(ctx)
			require.NoError(t, err)
			require.ErrorIs(t, failed, asyncio.ErrTimeout)
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
	t.Run("a client", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
			l := testkit.LoopOf(ctx)
			s, err := l.CreateServer(ctx, testkit.NewEchoes, network, address)
			require.NoError(t, err)
			addr := s.Addrs()[0]
			r, w, err := asyncio.OpenConnection(ctx, addr.Network(), addr.String(), asyncio.WithIdleTimeout(idle))
			require.NoError(t, err)
			_, err = w.Write([]byte("x"))
			require.NoError(t, err)
			_, err = r.ReadExactly(ctx, 1)
			require.NoError(t, err)
			_, err = r.ReadAll(ctx)
			require.ErrorIs(t, err, asyncio.ErrTimeout)
			require.ErrorIs(t, w.WaitClosed(ctx), asyncio.ErrTimeout)
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
	t.Run("bytes either way keep it open", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
			for !movesBytes(t, ctx, network, address) { // the machine has stood still
			}
		})
	})
	t.Run("what a peer does not take does not leave", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
			l := testkit.LoopOf(ctx)
			p := testkit.NewTap(l)
			s, err := l.CreateServer(ctx, p.Factory, network, address, asyncio.WithIdleTimeout(idle))
			require.NoError(t, err)
			dial(t, s)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return p.Transport != nil }))
			chunk := make([]byte, 1<<20)
			for !p.Lost.Done() { // the program goes on writing, and that alone keeps nothing open
				if _, err := p.Transport.Write(chunk); err != nil || p.Transport.WriteBufferSize() > 64<<20 {
					chunk = chunk[:1]
				}
				require.NoError(t, asyncio.Sleep(ctx, idle/10))
			}
			lost, err := p.Lost.Result()
			require.NoError(t, err)
			require.ErrorIs(t, lost, asyncio.ErrTimeout)
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
	t.Run("to write nothing keeps nothing open", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
			l := testkit.LoopOf(ctx)
			p := testkit.NewTap(l)
			s, err := l.CreateServer(ctx, p.Factory, network, address, asyncio.WithIdleTimeout(idle))
			require.NoError(t, err)
			dial(t, s)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return p.Transport != nil }))
			for !p.Lost.Done() {
				_, err := p.Transport.Write(nil)
				require.NoError(t, err)
				require.NoError(t, p.Transport.WriteV([][]byte{nil, {}}))
				require.NoError(t, asyncio.Sleep(ctx, idle/10))
			}
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
	t.Run("must be positive", func(t *testing.T) {
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { asyncio.WithIdleTimeout(0) })
	})
}

// movesBytes moves bytes for longer than the idle timeout, first one way and then the
// other, and requires that the connection lives. It is false if a pause was as long as
// the timeout, which makes the timeout right.
func movesBytes(t *testing.T, ctx context.Context, network, address string) bool {
	t.Helper()
	const idle, pause, bytes = 400 * time.Millisecond, 40 * time.Millisecond, 12
	l := testkit.LoopOf(ctx)
	p := testkit.NewTap(l)
	s, err := l.CreateServer(ctx, p.Factory, network, address, asyncio.WithIdleTimeout(idle))
	require.NoError(t, err)
	defer func() {
		s.Close()
		s.AbortClients()
		require.NoError(t, s.WaitClosed(ctx))
	}()
	peer := dial(t, s)
	require.NoError(t, asynciotest.Until(ctx, func() bool { return p.Transport != nil }))
	for _, write := range []func([]byte) (int, error){peer.Write, func(b []byte) (int, error) { return p.Transport.Write(b) }} {
		began := l.Time()
		for range bytes {
			last := l.Time()
			if _, err := write([]byte("x")); err == nil {
				require.NoError(t, asyncio.Sleep(ctx, pause))
			}
			if l.Time()-last > idle/2 {
				return false
			}
			require.False(t, p.Lost.Done())
		}
		require.Greater(t, l.Time()-began, idle)
	}
	return true
}

func TestWithMaxConnections(t *testing.T) {
	eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
		l := testkit.LoopOf(ctx)
		const limit, clients = 3, 10
		open, most, served := 0, 0, 0
		s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
			open++
			most = max(most, open)
			_, err := r.ReadAll(ctx)
			open--
			served++
			return errors.Join(err, w.Close())
		}, network, address, asyncio.WithMaxConnections(limit))
		require.NoError(t, err)
		peers := make([]net.Conn, clients)
		for i := range peers {
			peers[i] = dial(t, s)
		}
		require.NoError(t, asynciotest.Until(ctx, func() bool { return open == limit }))
		asynciotest.Yield(t, ctx, 50)
		require.Equal(t, limit, open, "the others wait in the backlog")
		require.True(t, s.IsServing())
		for i, peer := range peers {
			require.NoError(t, peer.Close())
			require.NoError(t, asynciotest.Until(ctx, func() bool { return served > i && open == min(limit, clients-i-1) }))
		}
		require.Equal(t, limit, most)
		require.Equal(t, clients, served)
		s.Close()
		require.NoError(t, s.WaitClosed(ctx))
		require.Zero(t, l.Stats().Handles)
	})
	testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { asyncio.WithMaxConnections(0) })
}

// The limit is the server's, not a socket's.
func TestWithMaxConnectionsOnTwoSockets(t *testing.T) {
	requireIPv6(t)
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			s, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp", ":0", asyncio.WithMaxConnections(1))
			require.NoError(t, err)
			port := strconv.Itoa(s.Addrs()[0].(*net.TCPAddr).Port)
			first, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
			require.NoError(t, err)
			converse(t, ctx, first, "IPv4")
			second, err := net.Dial("tcp", net.JoinHostPort("::1", port))
			require.NoError(t, err)
			_, err = second.Write([]byte("IPv6"))
			require.NoError(t, err)
			asynciotest.Yield(t, ctx, 50)
			require.Equal(t, 1, s.Stats().Connections)
			require.NoError(t, first.Close())
			require.Equal(t, "IPv6", string(testkit.ReadFull(t, ctx, second, 4)))
			require.NoError(t, second.Close())
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
}

func TestNilOptions(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() {
				_, _ = l.CreateServer(ctx, testkit.NewEchoes, "tcp", "127.0.0.1:0", nil)
			})
			testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() {
				_, _, _ = l.CreateConnection(ctx, testkit.NewEchoes, "tcp", "127.0.0.1:1", asyncio.WithLimit(1), nil)
			})
		})
	})
}
