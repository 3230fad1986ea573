package streams_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// TestNullProtocol shows what a protocol does that implements nothing itself.
func TestNullProtocol(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			transport, peer := testkit.ConnectToNet(t, ctx, func() asyncio.Protocol { return asyncio.NullProtocol{} })
			testkit.Fill(t, transport)
			transport.SetWriteBufferLimits(0, 0) // PauseWriting
			_, err := peer.Write([]byte("ignored"))
			require.NoError(t, err)
			require.NoError(t, peer.CloseWrite())
			got := testkit.ReadAll(t, ctx, peer)
			require.NotEmpty(t, got, "at the end of the stream it closes, and what was written arrives")
			for l.Stats().Handles > 0 {
				asynciotest.Yield(t, ctx, 1)
			}
		})
	})
}
