//go:build unix

package streams_test

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// blackhole is a port at which connecting to ::1 hangs.
func blackhole(t *testing.T) int {
	t.Helper()
	return testkit.Blackhole(t, "tcp6").Port
}

// listenOnIPv4 listens on a port of 127.0.0.1 whose twin on ::1 may be in use.
func listenOnIPv4(t *testing.T, port int) {
	t.Helper()
	ln, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Skipf("another program has the port: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, ln.Close()) })
}

func TestHappyEyeballs(t *testing.T) {
	t.Run("HPY-01", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			port := blackhole(t)
			listenOnIPv4(t, port)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				p := testkit.NewTap(l)
				testkit.Took(t, 100*time.Millisecond, func() {
					tr, _, err := l.CreateConnection(ctx, p.Factory, "tcp", fmt.Sprintf(":%d", port), asyncio.WithHappyEyeballs(100*time.Millisecond, 1))
					require.NoError(t, err)
					require.Equal(t, fmt.Sprintf("127.0.0.1:%d", port), tr.RemoteAddr().String())
				})
				p.Transport.Abort()
				p.End(t, ctx)

				err := asyncio.Timeout(ctx, 200*time.Millisecond, func(ctx context.Context) error {
					_, _, err := asyncio.OpenConnection(ctx, "tcp", fmt.Sprintf(":%d", port))
					return err
				})
				require.ErrorIs(t, err, asyncio.ErrTimeout, "without happy eyeballs it hangs")
			})
		})
	})
	t.Run("HPY-03", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				for _, delay := range []time.Duration{0, time.Hour} {
					_, _, err := asyncio.OpenConnection(ctx, "tcp", fmt.Sprintf(":%d", testkit.UnusedPort(t)), asyncio.WithHappyEyeballs(delay, 1))
					require.ErrorIs(t, err, syscall.ECONNREFUSED)
					testkit.ErrorSays(t, err, "Multiple exceptions: ")
				}
			})
		})
	})
	t.Run("STG-02", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				port := testkit.ListenNet(t).Addr().(*net.TCPAddr).Port
				_, w, err := asyncio.OpenConnection(ctx, "tcp", fmt.Sprintf(":%d", port), asyncio.WithHappyEyeballs(time.Hour, 1))
				require.NoError(t, err)
				require.NoError(t, w.Close())
			})
		})
	})
	t.Run("STG-05", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			port := blackhole(t)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				connects := testkit.Start(ctx, func(ctx context.Context) error {
					_, _, err := asyncio.OpenConnection(ctx, "tcp", fmt.Sprintf("[::1]:%d", port), asyncio.WithHappyEyeballs(0, 1))
					return err
				})
				require.NoError(t, asyncio.Sleep(ctx, 20*time.Millisecond))
				connects.Cancel()
				_, err := connects.Await(ctx)
				require.ErrorIs(t, err, asyncio.ErrCancelled)
			})
		})
	})
}
