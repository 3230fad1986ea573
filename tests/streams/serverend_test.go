//go:build unix

package streams_test

// How servers end while they have clients.

import (
	"bytes"
	"context"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// A handler cancels the task that serves, and still answers.
func TestServerIsCancelledByItsHandler(t *testing.T) {
	eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
		var serves *asyncio.Task[asyncio.None]
		s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
			if _, err := r.ReadLine(ctx); err != nil {
				return err
			}
			serves.Cancel()
			_, _ = w.Write([]byte("1"))
			_ = w.Close()
			return w.WaitClosed(ctx)
		}, network, address, asyncio.WithStartServing(false))
		require.NoError(t, err)
		require.Same(t, testkit.LoopOf(ctx), s.Loop())
		require.False(t, s.IsServing())
		serves = testkit.Start(ctx, func(ctx context.Context) error {
			if err := s.StartServing(ctx); err != nil {
				return err
			}
			return s.ServeForever(ctx)
		})
		require.NoError(t, asynciotest.Until(ctx, s.IsServing))
		peer := dial(t, s)
		_, err = peer.Write(append(bytes.Repeat([]byte("1"), 5<<10), '\n'))
		require.NoError(t, err)
		require.Equal(t, "1", string(testkit.ReadAll(t, ctx, peer)))
		_, err = serves.Await(ctx)
		require.ErrorIs(t, err, asyncio.ErrCancelled)
		require.Empty(t, s.Addrs())
		require.False(t, s.IsServing())
		err = s.ServeForever(ctx)
		require.ErrorIs(t, err, asyncio.ErrInvalidState)
		testkit.ErrorSays(t, err, "closed")
	})
}

func TestServerWaitsNoLongerThanItsClients(t *testing.T) {
	// serve returns a server of one client, whose handler waits for its end.
	serve := func(t *testing.T, ctx context.Context, network, address string) (s *asyncio.Server, client, accepted *asyncio.StreamWriter) {
		t.Helper()
		handled := asyncio.NewFuture[*asyncio.StreamWriter](testkit.LoopOf(ctx))
		s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
			defer w.Close()
			_ = handled.SetResult(w)
			_, err := r.ReadAll(ctx)
			return err
		}, network, address)
		require.NoError(t, err)
		_, client, err = asyncio.OpenConnection(ctx, network, testkit.ServerAddr(t, s), asyncio.WithLimit(4096))
		require.NoError(t, err)
		accepted, err = handled.Await(ctx)
		require.NoError(t, err)
		return s, client, accepted
	}
	ends := func(t *testing.T, ctx context.Context, s *asyncio.Server, end func()) {
		t.Helper()
		waits := testkit.Start(ctx, s.WaitClosed)
		asynciotest.Yield(t, ctx, 1)
		require.False(t, waits.Done())
		s.Close()
		end()
		asynciotest.Yield(t, ctx, 2)
		require.True(t, waits.Done(), "it does not wait for the peer")
		_, err := waits.Await(ctx)
		require.NoError(t, err)
	}
	t.Run("CloseClients", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
			s, client, _ := serve(t, ctx, network, address)
			ends(t, ctx, s, s.CloseClients)
			require.NoError(t, client.Close())
		})
	})
	t.Run("AbortClients with bytes that nobody takes", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
			s, client, accepted := serve(t, ctx, network, address)
			fd := accepted.Transport().ExtraInfo("socket").(asyncio.TransportSocket).FD()
			require.NoError(t, syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 64<<10))
			_, err := accepted.Write(make([]byte, 3*4096))
			require.NoError(t, err)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return !client.Transport().IsReading() }))
			testkit.Fill(t, accepted.Transport())
			ends(t, ctx, s, s.AbortClients)
			require.NoError(t, client.Close())
		})
	})
}
