package tls_test

// Random programs: two ends write, pause, resume and change their marks in any order, and
// one of them closes. What it has written arrives, every byte in its place.

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

const (
	randomPrograms = 60
	randomSteps    = 60
)

// randomEnd is an end of a random program.
type randomEnd struct {
	*testkit.Tap
	sent []byte
}

// step does something.
func (e *randomEnd) step(t *testing.T, random *rand.Rand) {
	tr := e.Transport
	switch random.IntN(8) {
	case 0:
		tr.PauseReading()
	case 1, 2:
		tr.ResumeReading()
	case 3:
		high := random.IntN(1 << random.IntN(20))
		tr.SetWriteBufferLimits(high, high/2)
	case 4:
		parts := [][]byte{e.next(random.IntN(100)), nil, e.next(random.IntN(10_000))}
		require.NoError(t, tr.WriteV(parts))
	default:
		_, err := tr.Write(e.next(random.IntN(1 << random.IntN(19))))
		require.NoError(t, err)
	}
}

// next is the next n bytes to send.
func (e *randomEnd) next(n int) []byte {
	for range n {
		i := len(e.sent)
		e.sent = append(e.sent, byte(i^i>>8^i>>16))
	}
	return e.sent[len(e.sent)-n:]
}

// factory makes e the protocol, or one that has buffers of its own.
func (e *randomEnd) factory(random *rand.Rand) func() asyncio.Protocol {
	if random.IntN(2) == 0 {
		return e.Factory
	}
	size := 1 + random.IntN(1<<random.IntN(18))
	return (&testkit.BufferedTap{Tap: e.Tap, Size: size}).Factory
}

func TestRandomPrograms(t *testing.T) {
	for seed := range uint64(randomPrograms) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			random := rand.New(rand.NewPCG(seed, 7))
			l := testkit.LoopOf(ctx)
			a, b := &randomEnd{Tap: testkit.NewTap(l)}, &randomEnd{Tap: testkit.NewTap(l)}
			s, err := l.CreateServer(ctx, b.factory(random), "tcp", "127.0.0.1:0", asyncio.WithTLS(testkit.Certs().ServerConfig()))
			require.NoError(t, err)
			_, _, err = l.CreateConnection(ctx, a.factory(random), "tcp", testkit.ServerAddr(t, s), asyncio.WithTLS(testkit.Certs().ClientConfig()))
			require.NoError(t, err)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return b.Transport != nil }))
			s.Close()
			twice := random.IntN(3) == 0
			if twice {
				second := testkit.Start(ctx, func(ctx context.Context) (err error) {
					b.Transport, err = l.StartTLS(ctx, b.Transport, b.Transport.Protocol(), testkit.Certs().ServerConfig(), true)
					return err
				})
				a.Transport, err = l.StartTLS(ctx, a.Transport, a.Transport.Protocol(), clientConfig(), false)
				require.NoError(t, err)
				_, err = second.Await(ctx)
				require.NoError(t, err)
			}
			for range randomSteps {
				[]*randomEnd{a, b}[random.IntN(2)].step(t, random)
				asynciotest.Yield(t, ctx, random.IntN(3))
			}
			a.Transport.Close()
			asynciotest.Yield(t, ctx, random.IntN(5))
			b.Transport.ResumeReading()
			require.NoError(t, a.End(t, ctx), "seed %d", seed)
			require.NoError(t, b.End(t, ctx), "seed %d", seed)
			require.True(t, bytes.Equal(a.sent, b.Received), "seed %d: %d of %d bytes", seed, len(b.Received), len(a.sent))
			require.True(t, bytes.HasPrefix(b.sent, a.Received), "seed %d", seed)
			for _, e := range []*randomEnd{a, b} {
				require.LessOrEqual(t, e.Count("pause")-e.Count("resume"), 1)
				require.Zero(t, e.Transport.WriteBufferSize())
			}
		})
	}
}
