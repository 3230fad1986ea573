package streams_test

// Who is at the other end of a Unix socket.

import (
	"context"
	"net"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestPeerCredentials(t *testing.T) {
	self := any(asyncio.PeerCredentials{PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid()})
	if runtime.GOOS != "linux" {
		self = nil
	}
	t.Run("ConnectAccepted", func(t *testing.T) {
		eachAccepted(t, func(t *testing.T, ctx context.Context, conn, _ net.Conn) {
			p := testkit.NewTap(testkit.LoopOf(ctx))
			tr, _, err := p.Loop.ConnectAccepted(ctx, p.Factory, conn)
			require.NoError(t, err)
			if tr.LocalAddr().Network() == "unix" {
				require.Equal(t, self, tr.ExtraInfo("peercred"))
			} else {
				require.Nil(t, tr.ExtraInfo("peercred"))
			}
			tr.Close()
			require.NoError(t, p.End(t, ctx))
			require.Nil(t, tr.ExtraInfo("peercred"), "there is no descriptor to ask")
		})
	})
	t.Run("both ends of a server", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
			want := self
			if network != "unix" {
				want = nil
			}
			told := asyncio.NewFuture[any](testkit.LoopOf(ctx))
			s, err := asyncio.StartServer(ctx, func(_ context.Context, _ *asyncio.StreamReader, w *asyncio.StreamWriter) error {
				_ = told.SetResult(w.ExtraInfo("peercred"))
				return w.Close()
			}, network, address)
			require.NoError(t, err)
			_, w, err := asyncio.OpenConnection(ctx, network, s.Addrs()[0].String())
			require.NoError(t, err)
			require.Equal(t, want, w.ExtraInfo("peercred"))
			require.NoError(t, w.Close())
			got, err := told.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, want, got)
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
}
