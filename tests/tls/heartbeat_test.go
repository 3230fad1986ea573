package tls_test

// A task that ticks every millisecond goes on while peers ask much of the loop. How long
// the longest gap was is the machine's business too; the tests prove that there are many
// ticks, which one long turn would not let come.

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// gapMax is more than any gap should be, whatever else the machine does.
const gapMax = 5 * time.Second

// heartbeat counts ticks.
type heartbeat struct {
	ticks  int
	gap    time.Duration // the longest between two
	cancel func(msg ...any) bool
}

func startHeartbeat(ctx context.Context) *heartbeat {
	h := &heartbeat{}
	h.cancel = testkit.Start(ctx, func(ctx context.Context) error {
		for last := time.Now(); ; h.ticks++ {
			if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
				return nil
			}
			now := time.Now()
			h.gap = max(h.gap, now.Sub(last))
			last = now
		}
	}).Cancel
	return h
}

// stop checks that there were so many ticks.
func (h *heartbeat) stop(t *testing.T, ticksMin int) {
	t.Helper()
	h.cancel()
	t.Logf("%d ticks, the longest gap %v", h.ticks, h.gap)
	require.GreaterOrEqual(t, h.ticks, ticksMin)
	require.Less(t, h.gap, gapMax)
}

// eachServer runs test beside a heartbeat, with a server that echoes over TLS.
func eachServer(t *testing.T, test func(t *testing.T, ctx context.Context, s *asyncio.Server, h *heartbeat)) {
	t.Helper()
	eachTask(t, func(t *testing.T, ctx context.Context) {
		s, err := testkit.LoopOf(ctx).CreateServer(ctx, testkit.NewEchoes, "tcp", "127.0.0.1:0",
			asyncio.WithTLS(testkit.Certs().ServerConfig()), asyncio.WithBacklog(2000))
		require.NoError(t, err)
		test(t, ctx, s, startHeartbeat(ctx))
		s.AbortClients()
		s.Close()
		require.NoError(t, s.WaitClosed(ctx))
	})
}

func TestHeartbeat(t *testing.T) {
	t.Run("many handshakes of clients at once", func(t *testing.T) {
		const clients = 1000
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server, h *heartbeat) {
			conns := make([]net.Conn, clients)
			for i := range conns { // all have sent their first message before the loop sees one
				conns[i] = testkit.DialNet(t, s)
				_, err := conns[i].Write(clientHello(t))
				require.NoError(t, err)
			}
			asynciotest.Yield(t, ctx, 1)
			before := h.ticks
			var done sync.WaitGroup
			for _, c := range conns {
				done.Go(func() {
					_, err := io.ReadFull(c, make([]byte, 1000)) // the server's answer
					assert.NoError(t, err)
				})
			}
			_, err := asyncio.ToThread(ctx, func(context.Context) (int, error) { done.Wait(); return 0, nil })
			require.NoError(t, err)
			h.stop(t, before+10) // a turn makes ten steps at the most, of 0.2 ms
		})
	})
	t.Run("many handshakes of one's own at once", func(t *testing.T) {
		const clients = 200
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server, h *heartbeat) {
			var tasks []*asyncio.Task[asyncio.None]
			for range clients {
				tasks = append(tasks, testkit.Start(ctx, func(ctx context.Context) error {
					r, w, err := asyncio.OpenConnection(ctx, "tcp", testkit.ServerAddr(t, s), asyncio.WithTLS(testkit.Certs().ClientConfig()))
					if err != nil {
						return err
					}
					if _, err := w.Write([]byte("x")); err != nil {
						return err
					}
					if _, err := r.ReadExactly(ctx, 1); err != nil {
						return err
					}
					w.Close()
					return w.WaitClosed(ctx)
				}))
			}
			for _, task := range tasks {
				_, err := task.Await(ctx)
				require.NoError(t, err)
			}
			h.stop(t, 10)
		})
	})
	t.Run("peers that stop", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server, h *heartbeat) {
			hello := clientHello(t)
			for i := range 50 {
				c := testkit.DialNet(t, s)
				_, err := c.Write(hello[:i*len(hello)/50])
				require.NoError(t, err)
			}
			for range 20 { // in the middle of a record
				below := testkit.DialNet(t, s)
				c := tls.Client(below, clientConfig())
				_, err := asyncio.ToThread(ctx, func(context.Context) (int, error) { return 0, c.Handshake() })
				require.NoError(t, err)
				_, err = below.Write([]byte{23, 3, 3, 1, 0, 1, 2, 3})
				require.NoError(t, err)
			}
			require.NoError(t, asyncio.Sleep(ctx, 50*time.Millisecond))
			h.stop(t, 3)
			require.Equal(t, 70, s.Stats().Connections)
		})
	})
	t.Run("garbage", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server, h *heartbeat) {
			for i := range 100 {
				c := testkit.DialNet(t, s)
				_, err := c.Write(pattern(10 + 500*i))
				require.NoError(t, err)
				asynciotest.Yield(t, ctx, 1)
			}
			require.NoError(t, asynciotest.Until(ctx, func() bool { return s.Stats().Connections == 0 }))
			require.NoError(t, asynciotest.Until(ctx, func() bool { return h.ticks >= 3 }))
			h.stop(t, 3)
		})
	})
}
