package hostile_test

// Peers that end a connection in the middle.

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// isReset reports whether err is what a connection's reset is told as.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// writeOn writes until the connection ends, and heeds back-pressure.
func writeOn(ctx context.Context, _ *asyncio.StreamReader, w *asyncio.StreamWriter) error {
	for chunk := make([]byte, 100<<10); ; {
		if _, err := w.Write(chunk); err != nil {
			return err
		}
		if err := w.Drain(ctx); err != nil {
			return err
		}
	}
}

func TestResetWhileTheServerWrites(t *testing.T) {
	t.Run("a stream", func(t *testing.T) {
		beside(t, func(t *testing.T, ctx context.Context) {
			s, ended := serve(t, ctx, writeOn)
			peer := testkit.DialNet(t, s)
			testkit.ReadFull(t, ctx, peer, 200<<10)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return s.Stats().WritesPaused == 1 }))
			reset(t, peer)
			err := next(t, ctx, ended)
			require.True(t, isReset(err), "%v", err)
			finish(t, ctx, s)
		})
	})
	t.Run("a protocol that heeds nothing", func(t *testing.T) {
		beside(t, func(t *testing.T, ctx context.Context) {
			l := testkit.LoopOf(ctx)
			p := testkit.NewTap(l)
			s, err := l.CreateServer(ctx, p.Factory, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			peer := testkit.DialNet(t, s)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return p.Transport != nil }))
			for s.Stats().WriteBuffered < 4<<20 {
				_, err := p.Transport.Write(make([]byte, 1<<20))
				require.NoError(t, err)
				require.NoError(t, asyncio.Sleep(ctx, 0))
			}
			reset(t, peer)
			require.True(t, isReset(p.End(t, ctx)))
			p.Equal(t, "made", "pause", "lost")
			_, err = p.Transport.Write([]byte("x"))
			require.ErrorIs(t, err, net.ErrClosed)
			finish(t, ctx, s)
		})
	})
}

func TestResetInTheAcceptQueue(t *testing.T) {
	beside(t, func(t *testing.T, ctx context.Context) {
		const each = 20
		l := testkit.LoopOf(ctx)
		taps := make([]*testkit.Tap, 0, 2*each)
		s, err := l.CreateServer(ctx, func() asyncio.Protocol {
			p := testkit.NewTap(l)
			p.OnData = func() { _, _ = p.Transport.Write([]byte("served")) }
			taps = append(taps, p)
			return p
		}, "tcp", "127.0.0.1:0", asyncio.WithStartServing(false))
		require.NoError(t, err)
		var stay []*net.TCPConn
		for range each {
			reset(t, testkit.DialNet(t, s))
			peer := testkit.DialNet(t, s)
			_, err := peer.Write([]byte("hello"))
			require.NoError(t, err)
			stay = append(stay, peer)
		}
		require.NoError(t, s.StartServing(ctx))
		for _, peer := range stay {
			require.Equal(t, "served", string(testkit.ReadFull(t, ctx, peer, len("served"))))
			require.NoError(t, peer.Close())
		}
		served := 0
		for _, p := range taps {
			err := p.End(t, ctx)
			if p.Count("data") > 0 {
				served++
				continue
			}
			require.True(t, err == nil || isReset(err), "one that was reset may be told, as such: %v", err)
		}
		require.Equal(t, each, served)
		finish(t, ctx, s)
	})
}

func TestEndOfThePeerBeforeTheAnswer(t *testing.T) {
	const size = 1 << 20
	answer := func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
		if _, err := r.ReadAll(ctx); err != nil {
			return err
		}
		for range 100 {
			if _, err := w.Write(make([]byte, size/16)); err != nil {
				return err
			}
			if err := w.Drain(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	t.Run("of one direction: it gets all", func(t *testing.T) {
		beside(t, func(t *testing.T, ctx context.Context) {
			s, ended := serve(t, ctx, answer)
			peer := testkit.DialNet(t, s)
			_, err := io.WriteString(peer, "a question")
			require.NoError(t, err)
			require.NoError(t, peer.CloseWrite())
			require.Len(t, testkit.ReadAll(t, ctx, peer), 100*size/16)
			require.NoError(t, next(t, ctx, ended))
			finish(t, ctx, s)
		})
	})
	t.Run("of both: a reset answers", func(t *testing.T) {
		beside(t, func(t *testing.T, ctx context.Context) {
			s, ended := serve(t, ctx, answer)
			peer := testkit.DialNet(t, s)
			_, err := io.WriteString(peer, "a question")
			require.NoError(t, err)
			require.NoError(t, peer.Close())
			err = next(t, ctx, ended)
			require.True(t, isReset(err) || errors.Is(err, net.ErrClosed), "%v", err)
			finish(t, ctx, s)
		})
	})
}
