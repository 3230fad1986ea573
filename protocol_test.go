package asyncio_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

// TestNullProtocol shows what a protocol does that implements nothing itself.
func TestNullProtocol(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := newLoop(t, opts...)
		inTask(t, l, func(ctx context.Context) {
			transport, peer := connectToNet(t, ctx, func() asyncio.Protocol { return asyncio.NullProtocol{} })
			fill(t, transport)
			transport.SetWriteBufferLimits(0, 0) // PauseWriting
			_, err := peer.Write([]byte("ignored"))
			require.NoError(t, err)
			require.NoError(t, peer.CloseWrite())
			got := readAll(t, ctx, peer)
			require.NotEmpty(t, got, "at the end of the stream it closes, and what was written arrives")
			for l.Stats().Handles > 0 {
				yield(t, ctx, 1)
			}
		})
	})
}
