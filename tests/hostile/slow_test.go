package hostile_test

// Peers that take nothing, send nothing, or send without an end.

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// idle is a limit that passes while a test waits for it.
const idle = 60 * time.Millisecond

func TestPeerThatReadsNothing(t *testing.T) {
	const high, chunk = 200_000, 100 << 10
	t.Run("Drain waits, and what is buffered stays within the marks", func(t *testing.T) {
		beside(t, func(t *testing.T, ctx context.Context) {
			s, ended := serve(t, ctx, writeOn, asyncio.WithWriteBufferLimits(high, -1))
			peer := testkit.DialNet(t, s)
			most := 0
			for full := 0; full < 50; {
				stats := s.Stats()
				most = max(most, stats.WriteBuffered)
				if stats.WritesPaused == 1 {
					full++
				}
				require.NoError(t, asyncio.Sleep(ctx, time.Millisecond))
			}
			require.Greater(t, most, high)
			require.LessOrEqual(t, most, high+chunk)
			reset(t, peer)
			require.True(t, isReset(next(t, ctx, ended)))
			finish(t, ctx, s)
		})
	})
	t.Run("the idle timeout ends it", func(t *testing.T) {
		beside(t, func(t *testing.T, ctx context.Context) {
			s, ended := serve(t, ctx, writeOn, asyncio.WithWriteBufferLimits(high, -1), asyncio.WithIdleTimeout(idle))
			began := testkit.LoopOf(ctx).Time()
			testkit.DialNet(t, s)
			require.ErrorIs(t, next(t, ctx, ended), asyncio.ErrTimeout)
			require.GreaterOrEqual(t, testkit.LoopOf(ctx).Time()-began, idle)
			finish(t, ctx, s)
		})
	})
}

// sendEndlessly sends the same byte for as long as somebody takes it.
func sendEndlessly(ctx context.Context, peer net.Conn) *asyncio.Future[error] {
	return asyncio.RunInExecutor(ctx, nil, func() (error, error) {
		for chunk := slices.Repeat([]byte{'x'}, 64<<10); ; {
			if _, err := peer.Write(chunk); err != nil {
				return err, nil
			}
		}
	})
}

func TestLineWithoutEnd(t *testing.T) {
	const limit = 10_000
	for name, read := range map[string]func(ctx context.Context, r *asyncio.StreamReader) error{
		"ReadLine": func(ctx context.Context, r *asyncio.StreamReader) error {
			_, err := r.ReadLine(ctx)
			return err
		},
		"ReadUntil": func(ctx context.Context, r *asyncio.StreamReader) error {
			_, err := r.ReadUntil(ctx, []byte("\r\n\r\n"))
			return err
		},
		"Lines": func(ctx context.Context, r *asyncio.StreamReader) error {
			for _, err := range r.Lines(ctx) {
				return err
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			beside(t, func(t *testing.T, ctx context.Context) {
				stay := asyncio.NewEvent()
				overrun := asyncio.NewFuture[error](testkit.LoopOf(ctx))
				s, ended := serve(t, ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
					_ = overrun.SetResult(read(ctx, r))
					return stay.Wait(ctx)
				}, asyncio.WithLimit(limit))
				sent := sendEndlessly(ctx, testkit.DialNet(t, s))
				err, failed := overrun.Await(ctx)
				require.NoError(t, failed)
				var tooLong *asyncio.LimitOverrunError
				require.ErrorAs(t, err, &tooLong)
				require.Greater(t, tooLong.Consumed, limit)
				require.NoError(t, asynciotest.Until(ctx, func() bool { return s.Stats().ReadsPaused == 1 }))
				asynciotest.Yield(t, ctx, 20)
				require.LessOrEqual(t, s.Stats().ReadBuffered, 2*limit+readBytesMax)
				stay.Set()
				require.NoError(t, next(t, ctx, ended))
				err, failed = sent.Await(ctx)
				require.NoError(t, failed)
				require.Error(t, err, "its connection has ended")
				finish(t, ctx, s)
			})
		})
	}
}

// readBytesMax is what a driver may read at once, beyond a limit.
const readBytesMax = 64 << 10

// A flood of clients that send nothing fills what WithMaxConnections leaves, and no more.
func TestSilentFlood(t *testing.T) {
	const clients, most, ahead = 300, 10, 64
	beside(t, func(t *testing.T, ctx context.Context) {
		l := testkit.LoopOf(ctx)
		timeouts := 0
		s, ended := serve(t, ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
			line, err := r.ReadLine(ctx)
			if errors.Is(err, asyncio.ErrTimeout) {
				timeouts++
				return nil
			}
			_, writeErr := w.Write(line)
			return errors.Join(err, writeErr)
		}, asyncio.WithMaxConnections(most), asyncio.WithIdleTimeout(idle), asyncio.WithBacklog(clients+1))
		before := l.Stats().Handles
		for range clients {
			testkit.DialNet(t, s)
		}
		healthy := testkit.DialNet(t, s) // behind all of them
		answered := asyncio.RunInExecutor(ctx, nil, func() (int, error) { return 0, exchange(healthy, "hello\n") })
		for !answered.Done() {
			stats := s.Stats()
			require.LessOrEqual(t, stats.Connections, most)
			require.LessOrEqual(t, l.Stats().Handles, before+most+ahead)
			require.True(t, s.IsServing())
			require.NoError(t, asyncio.Sleep(ctx, time.Millisecond))
		}
		_, err := answered.Result()
		require.NoError(t, err)
		require.NoError(t, healthy.Close())
		for range clients + 1 {
			require.NoError(t, next(t, ctx, ended))
		}
		require.Equal(t, clients, timeouts)
		finish(t, ctx, s)
	})
}

// A client that sends a byte now and then is never idle: a deadline for the request ends
// it.
func TestDeadlineOfARequest(t *testing.T) {
	beside(t, func(t *testing.T, ctx context.Context) {
		s, ended := serve(t, ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
			return asyncio.Timeout(ctx, 5*idle, func(ctx context.Context) error {
				_, err := r.ReadLine(ctx)
				return err
			})
		}, asyncio.WithIdleTimeout(asynciotest.HangLimit))
		end := drip([]net.Conn{testkit.DialNet(t, s)}, idle)
		testkit.WantTimeout(t, next(t, ctx, ended))
		end()
		finish(t, ctx, s)
	})
}

// drip sends a byte on every peer in each interval, until end.
func drip(peers []net.Conn, interval time.Duration) (end func()) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(interval / time.Duration(len(peers)))
		defer tick.Stop()
		for i := 0; ; i = (i + 1) % len(peers) {
			select {
			case <-tick.C:
				_, _ = peers[i].Write([]byte{'x'}) // some have ended
			case <-stop:
				return
			}
		}
	}()
	return func() { close(stop); <-ended }
}
