// Package hostile_test has peers that do a server harm, out of malice or by mistake. Each
// meets a limit of docs/limits.md, the program hears of it by a documented error, the
// neighbours on the same loop are served meanwhile, and nothing is left.
package hostile_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// handler is what StartServer runs.
type handler func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error

// beside runs test in a task on each driver, while a well-behaved neighbour exchanges
// messages with a server on the same loop.
func beside(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	t.Helper()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		reports := asynciotest.RecordReports(l)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			s, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			end := startNeighbour(t, ctx, s)
			test(t, ctx)
			s.Close()
			_, err = asyncio.ToThread(ctx, func(context.Context) (int, error) { return 0, end() })
			require.NoError(t, err, "the neighbour")
			require.NoError(t, s.WaitClosed(ctx))
		})
		reports.None(t)
	})
}

// startNeighbour connects a neighbour to s, and waits for its first echo: then s has
// accepted it, and may close. Its end returns what has gone wrong with it.
func startNeighbour(t *testing.T, ctx context.Context, s *asyncio.Server) (end func() error) {
	t.Helper()
	peer := testkit.DialNet(t, s)
	_, err := asyncio.ToThread(ctx, func(context.Context) (int, error) { return 0, exchange(peer, "hello") })
	require.NoError(t, err)
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		defer peer.Close()
		for n := 0; ; n++ {
			if err := exchange(peer, fmt.Sprintf("message %d", n)); err != nil {
				ended <- err
				return
			}
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
		}
	}()
	return func() error { close(stop); return <-ended }
}

// exchange sends text and waits for its echo.
func exchange(peer net.Conn, text string) error {
	if _, err := io.WriteString(peer, text); err != nil {
		return err
	}
	echo := make([]byte, len(text))
	_, err := io.ReadFull(peer, echo)
	if err == nil && string(echo) != text {
		err = fmt.Errorf("%q came back as %q", text, echo)
	}
	return err
}

// serve starts a server. How each handler has ended goes to ended, and to nobody else.
func serve(t *testing.T, ctx context.Context, h handler, opts ...asyncio.ServerOption) (s *asyncio.Server, ended *asyncio.Queue[error]) {
	t.Helper()
	ended = asyncio.NewQueue[error](0)
	s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
		err := h(ctx, r, w)
		assert.NoError(t, ended.PutNowait(err))
		return w.Close()
	}, "tcp", "127.0.0.1:0", opts...)
	require.NoError(t, err)
	return s, ended
}

// next is how the next handler has ended.
func next(t *testing.T, ctx context.Context, ended *asyncio.Queue[error]) error {
	t.Helper()
	err, failed := ended.Get(ctx)
	require.NoError(t, failed)
	return err
}

// finish closes s, which is to be left by all by then.
func finish(t *testing.T, ctx context.Context, s *asyncio.Server) {
	t.Helper()
	s.Close()
	require.NoError(t, s.WaitClosed(ctx))
	stats := s.Stats()
	require.Zero(t, stats.Connections+stats.ReadBuffered+stats.WriteBuffered)
}

// reset ends a connection with a reset.
func reset(t *testing.T, peer *net.TCPConn) {
	t.Helper()
	require.NoError(t, peer.SetLinger(0))
	require.NoError(t, peer.Close())
}
