package streams_test

// Server.Stats and Loop.Buffered: what connections hold, and the limits on it.

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// readBytesMax is what a driver may read at once: so much may come beyond a limit.
const readBytesMax = 64 << 10

func TestServerStatsShowTheLimits(t *testing.T) {
	eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
		require.Equal(t, asyncio.ServerStats{ReadLimit: 64 << 10, WriteHigh: 64 << 10, WriteLow: 16 << 10}, s.Stats())
	})
	eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
		require.Equal(t, asyncio.ServerStats{
			ConnectionsMax: 7, ReadLimit: 100, WriteHigh: 2000, WriteLow: 500, IdleTimeout: time.Hour,
		}, s.Stats())
		converse(t, ctx, testkit.DialNet(t, s), "hello")
		require.Equal(t, 1, s.Stats().Connections)
	}, asyncio.WithMaxConnections(7), asyncio.WithLimit(100), asyncio.WithWriteBufferLimits(2000, -1), asyncio.WithIdleTimeout(time.Hour))
}

func TestWithWriteBufferLimits(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			p := testkit.NewTap(l)
			p.KeepOpen = true
			s, err := l.CreateServer(ctx, p.Factory, "tcp", "127.0.0.1:0", asyncio.WithWriteBufferLimits(-1, 1000))
			require.NoError(t, err)
			r, w, err := asyncio.OpenConnection(ctx, "tcp", testkit.ServerAddr(t, s), asyncio.WithWriteBufferLimits(77, 7))
			require.NoError(t, err)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return p.Transport != nil }))
			marks := func(tr asyncio.Transport) [2]int {
				low, high := tr.WriteBufferLimits()
				return [2]int{low, high}
			}
			require.Equal(t, [2]int{1000, 4000}, marks(p.Transport))
			require.Equal(t, [2]int{7, 77}, marks(w.Transport()))
			p.Transport.Abort()
			_, err = r.ReadAll(ctx)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
	testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { asyncio.WithWriteBufferLimits(1, 2) })
	testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { asyncio.WithWriteBufferLimits(-2, -1) })
}

// allEmpty waits until nothing is buffered any more.
func allEmpty(t *testing.T, ctx context.Context, s *asyncio.Server) {
	t.Helper()
	require.NoError(t, asynciotest.Until(ctx, func() bool {
		now := s.Stats()
		return now.ReadBuffered == 0 && now.WriteBuffered == 0 && now.ReadsPaused == 0 && now.WritesPaused == 0
	}))
	read, write := s.Loop().Buffered()
	require.Zero(t, read+write)
}

func TestServerStatsOfWhatIsWritten(t *testing.T) {
	eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
		l := testkit.LoopOf(ctx)
		p := testkit.NewTap(l)
		s, err := l.CreateServer(ctx, p.Factory, network, address)
		require.NoError(t, err)
		peer := dial(t, s)
		require.NoError(t, asynciotest.Until(ctx, func() bool { return p.Transport != nil }))
		written := testkit.Fill(t, p.Transport)
		chunk := make([]byte, 100<<10)
		_, err = p.Transport.Write(chunk)
		require.NoError(t, err)
		held := p.Transport.WriteBufferSize()
		require.GreaterOrEqual(t, held, len(chunk))
		got := s.Stats()
		require.Equal(t, []int{1, held, 1, 0}, []int{got.Connections, got.WriteBuffered, got.WritesPaused, got.ReadsPaused})
		_, write := l.Buffered()
		require.Equal(t, held, write)
		testkit.ReadFull(t, ctx, peer, written+len(chunk))
		allEmpty(t, ctx, s)
		testkit.Fill(t, p.Transport)
		p.Transport.Abort()
		got = s.Stats()
		require.Equal(t, []int{1, 0}, []int{got.Connections, got.WriteBuffered}, "it is lost, and that was not told yet")
		require.NoError(t, p.End(t, ctx))
		require.Zero(t, s.Stats().Connections)
		s.Close()
		require.NoError(t, s.WaitClosed(ctx))
	})
}

func TestServerStatsOfWhatHasCome(t *testing.T) {
	t.Run("in the reader of a stream", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
			const limit, sent = 10_000, 4 << 20
			l := testkit.LoopOf(ctx)
			goOn := asyncio.NewEvent()
			var all []byte
			s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) (err error) {
				defer w.Close()
				if _, err := r.ReadExactly(ctx, 1); err != nil {
					return err
				}
				if err := goOn.Wait(ctx); err != nil {
					return err
				}
				all, err = r.ReadExactly(ctx, sent)
				return err
			}, network, address, asyncio.WithLimit(limit))
			require.NoError(t, err)
			idle, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			peer := dial(t, s)
			sending := asyncio.RunInExecutor(ctx, nil, func() (int, error) { return peer.Write(make([]byte, sent+1)) })
			require.NoError(t, asynciotest.Until(ctx, func() bool { return s.Stats().ReadsPaused == 1 }))
			asynciotest.Yield(t, ctx, 20)
			held := s.Stats().ReadBuffered
			require.Greater(t, held, 2*limit)
			require.LessOrEqual(t, held, 2*limit+readBytesMax)
			read, _ := l.Buffered()
			require.Equal(t, held, read)
			require.Zero(t, idle.Stats().ReadBuffered, "another server's")
			elsewhere := make(chan int, 1)
			go func() { read, _ := l.Buffered(); elsewhere <- read }()
			require.NoError(t, asynciotest.Until(ctx, func() bool { return len(elsewhere) > 0 }))
			require.Equal(t, held, <-elsewhere, "from another goroutine")
			goOn.Set()
			_, err = sending.Await(ctx)
			require.NoError(t, err)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return len(all) == sent }))
			allEmpty(t, ctx, s)
			s.Close()
			idle.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
	t.Run("left by a BufferedProtocol that has paused", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
			l := testkit.LoopOf(ctx)
			p := &testkit.BufferedTap{Tap: testkit.NewTap(l), Size: 100}
			p.OnUpdated = func() {
				if len(p.Received) == 200 {
					p.Transport.PauseReading()
				}
			}
			s, err := l.CreateServer(ctx, p.Factory, network, address)
			require.NoError(t, err)
			peer := dial(t, s)
			_, err = peer.Write(make([]byte, 900))
			require.NoError(t, err)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return s.Stats().ReadsPaused == 1 }))
			require.Equal(t, 700, s.Stats().ReadBuffered)
			p.Transport.ResumeReading()
			p.Receive(t, ctx, 900)
			allEmpty(t, ctx, s)
			require.NoError(t, peer.Close())
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
}

func TestBufferedOfAClosedLoop(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		read, write := l.Buffered()
		require.Zero(t, read+write)
		require.NoError(t, l.Close())
		read, write = l.Buffered()
		require.Zero(t, read+write)
	})
}
