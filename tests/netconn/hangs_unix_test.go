//go:build unix

package netconn_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// A dial to a host that does not answer ends with its context, and with its task.
func TestDialThatHangs(t *testing.T) {
	worlds(t, func(t *testing.T, ctx context.Context, do func(fn func() outcome) outcome) {
		l := testkit.LoopOf(ctx)
		hangs := testkit.Blackhole(t, "tcp4").String()
		limited, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		dial := func() outcome {
			_, err := l.DialContext(limited, "tcp", hangs)
			return outcome{err: err}
		}
		err := do(dial).err
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var failed *net.OpError
		require.ErrorAs(t, err, &failed)
		require.True(t, failed.Timeout())

		waits := asyncio.CreateTask(ctx, func(context.Context) (net.Conn, error) { return l.DialContext(context.Background(), "tcp", hangs) })
		asynciotest.Yield(t, ctx, 3)
		waits.Cancel()
		_, err = waits.Await(ctx)
		require.ErrorIs(t, err, asyncio.ErrCancelled)
	})
}
