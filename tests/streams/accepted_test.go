package streams_test

// ConnectAccepted: connections that somebody else has made.

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// acceptedPair is a connection that package net has accepted, and its peer.
func acceptedPair(t *testing.T, network string) (conn, peer net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	switch network {
	case "socketpair":
		return testkit.SocketPair(t)
	case "tcp6":
		address = "[::1]:0"
	case "unix":
		address = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, address)
	require.NoError(t, err)
	defer ln.Close()
	peer, err = net.Dial(network, ln.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = peer.Close() })
	conn, err = ln.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn, peer
}

// eachAccepted runs test with a connection of every kind on every driver.
func eachAccepted(t *testing.T, test func(t *testing.T, ctx context.Context, conn, peer net.Conn)) {
	t.Helper()
	eachAcceptedOver(t, []string{"tcp4", "tcp6", "unix", "socketpair"}, test)
}

func eachAcceptedOver(t *testing.T, networks []string, test func(t *testing.T, ctx context.Context, conn, peer net.Conn)) {
	t.Helper()
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					conn, peer := acceptedPair(t, network)
					test(t, ctx, conn, peer)
				})
			})
		})
	}
}

func TestConnectAccepted(t *testing.T) {
	t.Run("CON-08", func(t *testing.T) {
		eachAccepted(t, func(t *testing.T, ctx context.Context, conn, peer net.Conn) {
			l := testkit.LoopOf(ctx)
			p := testkit.NewTap(l)
			p.OnData = func() { _, _ = p.Transport.Write([]byte("roger")) }
			_, err := peer.Write([]byte("test data"))
			require.NoError(t, err)
			tr, protocol, err := l.ConnectAccepted(ctx, p.Factory, conn)
			require.NoError(t, err)
			require.Equal(t, p, protocol)
			require.Equal(t, tr, p.Transport)
			require.Equal(t, conn.LocalAddr().Network(), tr.LocalAddr().Network())
			p.Receive(t, ctx, len("test data"))
			require.Equal(t, "roger", string(testkit.ReadFull(t, ctx, peer, len("roger"))))
			require.NoError(t, peer.Close())
			require.NoError(t, p.End(t, ctx))
			p.Equal(t, "made", "data", "eof", "lost")
			_, err = conn.Write([]byte("x"))
			require.Error(t, err, "it was taken over")
			require.Zero(t, l.Stats().Handles)
		})
		t.Run("refused", func(t *testing.T) {
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) { refusesOthers(t, ctx, l) })
			})
		})
	})
}

// refusesOthers gives ConnectAccepted what is no socket of a stream.
func refusesOthers(t *testing.T, ctx context.Context, l *asyncio.Loop) {
	t.Helper()
	udp, err := net.Dial("udp", "127.0.0.1:9")
	require.NoError(t, err)
	a, b := net.Pipe()
	tcp, peer := acceptedPair(t, "tcp")
	for _, conn := range []net.Conn{udp, a, b, tls.Server(tcp, &tls.Config{}), struct{ net.Conn }{tcp}} {
		_, _, err := l.ConnectAccepted(ctx, testkit.NewEchoes, conn)
		require.ErrorIs(t, err, asyncio.ErrInvalidArgument, "%T", conn)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		testkit.ErrorSays(t, err, "a stream socket was expected")
		require.NoError(t, conn.SetDeadline(time.Time{}), "%T is as it was", conn)
	}
	for _, conn := range []net.Conn{udp, a, b} {
		require.NoError(t, conn.Close())
	}
	_, err = peer.Write([]byte("hello"))
	require.NoError(t, err)
	require.Equal(t, "hello", string(testkit.ReadFull(t, ctx, tcp, 5)))
}

func TestConnectAcceptedRefuses(t *testing.T) {
	eachAccepted(t, func(t *testing.T, ctx context.Context, conn, peer net.Conn) {
		l := testkit.LoopOf(ctx)
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _, _, _ = l.ConnectAccepted(ctx, testkit.NewEchoes, nil) })
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() {
			_, _, _ = l.ConnectAccepted(ctx, testkit.NewEchoes, (*net.TCPConn)(nil))
		})
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _, _, _ = l.ConnectAccepted(ctx, nil, conn) })
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() {
			_, _, _ = l.ConnectAccepted(ctx, testkit.NewEchoes, conn, nil)
		})
		_, _, err := l.ConnectAccepted(context.Background(), testkit.NewEchoes, conn)
		require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
		other := asynciotest.New(t)
		_, _, err = other.ConnectAccepted(ctx, testkit.NewEchoes, conn)
		require.ErrorIs(t, err, asyncio.ErrWrongLoop)
		_, err = peer.Write([]byte("hello"))
		require.NoError(t, err)
		require.Equal(t, "hello", string(testkit.ReadFull(t, ctx, conn, 5)), "what was refused is as it was")
		require.NoError(t, conn.Close())
		_, _, err = l.ConnectAccepted(ctx, testkit.NewEchoes, conn)
		require.ErrorIs(t, err, net.ErrClosed)
		require.Zero(t, l.Stats().Handles)
	})
}

func TestConnectAcceptedCancelled(t *testing.T) {
	eachAccepted(t, func(t *testing.T, ctx context.Context, conn, peer net.Conn) {
		l := testkit.LoopOf(ctx)
		p := testkit.NewTap(l)
		connecting := testkit.Start(ctx, func(ctx context.Context) error {
			asyncio.CurrentTask(ctx).Cancel()
			_, _, err := l.ConnectAccepted(ctx, p.Factory, conn)
			return err
		})
		_, err := connecting.Await(ctx)
		require.ErrorIs(t, err, asyncio.ErrCancelled)
		require.NoError(t, p.End(t, ctx))
		require.Empty(t, testkit.ReadAll(t, ctx, peer), "it is closed")
		require.Error(t, conn.SetDeadline(time.Time{}))
	})
}

func TestConnectAcceptedFactoryPanics(t *testing.T) {
	eachAccepted(t, func(t *testing.T, ctx context.Context, conn, peer net.Conn) {
		l := testkit.LoopOf(ctx)
		require.PanicsWithError(t, testkit.ErrBoom.Error(), func() {
			_, _, _ = l.ConnectAccepted(ctx, func() asyncio.Protocol { panic(testkit.ErrBoom) }, conn)
		})
		require.Empty(t, testkit.ReadAll(t, ctx, peer), "it is closed")
		require.Zero(t, l.Stats().Handles)
	})
}

func TestConnectAcceptedOptions(t *testing.T) {
	t.Run("WithIdleTimeout", func(t *testing.T) {
		eachAccepted(t, func(t *testing.T, ctx context.Context, conn, _ net.Conn) {
			p := testkit.NewTap(testkit.LoopOf(ctx))
			_, _, err := p.Loop.ConnectAccepted(ctx, p.Factory, conn, asyncio.WithIdleTimeout(20*time.Millisecond))
			require.NoError(t, err)
			require.ErrorIs(t, p.End(t, ctx), asyncio.ErrTimeout)
		})
	})
	t.Run("a reset that came before", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				conn, peer := acceptedPair(t, "tcp")
				reset(t, peer.(*net.TCPConn))
				p := testkit.NewTap(l)
				_, _, err := l.ConnectAccepted(ctx, p.Factory, conn)
				require.NoError(t, err)
				require.ErrorIs(t, p.End(t, ctx), syscall.ECONNRESET)
			})
		})
	})
}
