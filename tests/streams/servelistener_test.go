package streams_test

// ServeListener: listeners that somebody else has made.

import (
	"context"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// handedOver is a listener as systemd passes it: a descriptor, of which package net makes
// a listener.
func handedOver(t *testing.T, ln net.Listener) net.Listener {
	t.Helper()
	f, err := ln.(interface{ File() (*os.File, error) }).File()
	require.NoError(t, err)
	if unix, ok := ln.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false)
	}
	require.NoError(t, ln.Close())
	passed, err := net.FileListener(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return passed
}

func TestServeListener(t *testing.T) {
	t.Run("made here", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
			ln, err := net.Listen(network, address)
			require.NoError(t, err)
			serveOn(t, ctx, ln)
		})
	})
	t.Run("handed over", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
			ln, err := net.Listen(network, address)
			require.NoError(t, err)
			serveOn(t, ctx, handedOver(t, ln))
			if network == "unix" {
				require.FileExists(t, address, "it belongs to who has made it")
			}
		})
	})
}

// serveOn serves on ln, first a client that came before anybody accepted.
func serveOn(t *testing.T, ctx context.Context, ln net.Listener) {
	t.Helper()
	addr := ln.Addr()
	waits, err := net.Dial(addr.Network(), addr.String())
	require.NoError(t, err)
	s, err := testkit.LoopOf(ctx).ServeListener(ctx, testkit.NewEchoes, ln, asyncio.WithBacklog(5))
	require.NoError(t, err)
	require.Equal(t, addr.String(), s.Addrs()[0].String())
	for _, peer := range []net.Conn{waits, dial(t, s)} {
		converse(t, ctx, peer, "hello")
		require.NoError(t, peer.Close())
	}
	require.True(t, s.IsServing())
	s.Close()
	require.NoError(t, s.WaitClosed(ctx))
	_, err = net.Dial(addr.Network(), addr.String())
	require.Error(t, err, "nobody listens any more")
}

func TestServeListenerRefuses(t *testing.T) {
	eachTask := func(t *testing.T, test func(t *testing.T, ctx context.Context, l *asyncio.Loop)) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) { test(t, ctx, l) })
		})
	}
	t.Run("SRV-10", func(t *testing.T) { // neither, and what is no socket that streams come from
		eachTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _, _ = l.ServeListener(ctx, testkit.NewEchoes, nil) })
			testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() {
				_, _ = l.ServeListener(ctx, testkit.NewEchoes, (*net.TCPListener)(nil))
			})
			ln := testkit.ListenNet(t)
			_, err := l.ServeListener(ctx, testkit.NewEchoes, struct{ net.Listener }{ln})
			require.Error(t, err, "only a socket can be taken over")
			isAsItWas(t, ln)
		})
	})
	t.Run("the wrong place, and a closed one", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			ln := testkit.ListenNet(t)
			testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _, _ = l.ServeListener(ctx, nil, ln) })
			_, err := l.ServeListener(context.Background(), testkit.NewEchoes, ln)
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			isAsItWas(t, ln)
			closed := testkit.ListenNet(t)
			require.NoError(t, closed.Close())
			_, err = l.ServeListener(ctx, testkit.NewEchoes, closed)
			require.ErrorIs(t, err, net.ErrClosed)
		})
	})
}

// isAsItWas fails the test unless ln, which was refused, listens.
func isAsItWas(t *testing.T, ln net.Listener) {
	t.Helper()
	peer, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	require.NoError(t, peer.Close())
}

func TestServeListenerCancelled(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			serving := testkit.Start(ctx, func(ctx context.Context) error {
				_, err := l.ServeListener(ctx, testkit.NewEchoes, ln)
				return err
			})
			asynciotest.Yield(t, ctx, 1)
			serving.Cancel()
			_, err = serving.Await(ctx)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
			refused(t, ln.Addr().String())
			require.Zero(t, l.Stats().Handles)
		})
	})
}
