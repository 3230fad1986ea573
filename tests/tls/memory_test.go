package tls_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// TestIdleMemory bounds what both ends of an idle connection take. The pure-Go driver has
// a goroutine besides for each. If this fails on a new version of Go, look whether
// crypto/tls still has the buffers that transport_tls_memory.go seeks.
func TestIdleMemory(t *testing.T) {
	const conns = 200
	limits := map[asyncio.Driver]int64{asyncio.Libuv: 13 << 10, asyncio.PureGo: 24 << 10}
	eachTask(t, func(t *testing.T, ctx context.Context) {
		l := testkit.LoopOf(ctx)
		s, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp", "127.0.0.1:0", asyncio.WithTLS(testkit.Certs().ServerConfig()))
		require.NoError(t, err)
		heap := func() int64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc + m.StackInuse)
		}
		var before int64
		secured := asyncio.WithTLS(testkit.Certs().ClientConfig())
		transports := make([]asyncio.Transport, 0, conns)
		for i := range conns + 10 {
			if i == 10 { // what the first ones need, the loop keeps
				before = heap()
			}
			tr, _, err := l.CreateConnection(ctx, func() asyncio.Protocol { return &asyncio.NullProtocol{} }, "tcp", testkit.ServerAddr(t, s), secured)
			require.NoError(t, err)
			transports = append(transports, tr)
		}
		asynciotest.Yield(t, ctx, 10)
		each := (heap() - before) / conns
		t.Logf("%d bytes for both ends", each)
		require.Less(t, each, limits[l.Driver()])
		for _, tr := range transports {
			tr.Abort()
		}
		s.Close()
		require.NoError(t, s.WaitClosed(ctx))
	})
}
