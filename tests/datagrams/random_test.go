package datagrams_test

// Random programs: endpoints that send to each other and to nobody, are closed in the
// middle of it, and whose callbacks panic. Nothing may be left, and nothing may be told
// after the end.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// wild is a protocol that does something at random whenever it is called.
type wild struct {
	t         *testing.T
	world     *world
	transport *asyncio.DatagramTransport
	lost      bool
}

// world is one program.
type world struct {
	random *rand.Rand
	all    []*wild
	nobody map[string]net.Addr // by network
	steps  int                 // that are left
}

func (p *wild) check() {
	if p.lost {
		p.t.Error("a callback after ConnectionLost")
	}
	if p.transport != nil && p.world.steps > 0 && p.world.random.IntN(4) == 0 {
		p.world.step(p.t)
	}
	if p.world.steps > 0 && p.world.random.IntN(50) == 0 {
		panic(testkit.ErrBoom)
	}
}

func (p *wild) ConnectionMade(t *asyncio.DatagramTransport) { p.transport = t }
func (p *wild) DatagramReceived([]byte, net.Addr)           { p.check() }
func (p *wild) ErrorReceived(error)                         { p.check() }
func (p *wild) PauseWriting()                               { p.check() }
func (p *wild) ResumeWriting()                              { p.check() }

func (p *wild) ConnectionLost(error) {
	p.check()
	p.lost = true
}

// step does something with one of the endpoints.
func (w *world) step(t *testing.T) {
	w.steps--
	p := w.all[w.random.IntN(len(w.all))]
	tr := p.transport
	if tr == nil {
		return
	}
	switch w.random.IntN(12) {
	case 0:
		tr.Close()
	case 1:
		tr.Abort()
	case 2:
		high := w.random.IntN(3000)
		tr.SetWriteBufferLimits(high, w.random.IntN(high+1))
	case 3:
		_ = tr.WriteBufferSize()
	case 4:
		_ = tr.SendTo([]byte("to nobody"), w.nobody[tr.LocalAddr().Network()])
	default:
		to := w.all[w.random.IntN(len(w.all))]
		if to.transport == nil {
			return
		}
		for range w.random.IntN(20) {
			size := []int{0, 10, 1000, 5000, 70_000}[w.random.IntN(5)]
			_ = tr.SendTo(make([]byte, size), to.transport.LocalAddr())
		}
	}
}

func TestRandomPrograms(t *testing.T) {
	const programs, endpoints, steps = 15, 8, 400
	networks := []string{"udp4", "unixgram"}
	needs(t, "unixgram")
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		for seed := range uint64(programs) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				l := asynciotest.New(t, append(opts, asyncio.WithDebug(seed%2 == 0))...)
				l.SetExceptionHandler(func(_ *asyncio.Loop, c asyncio.ErrorContext) {
					require.ErrorIs(t, c.Exception, testkit.ErrBoom)
				})
				w := &world{random: rand.New(rand.NewPCG(seed, 1)), nobody: make(map[string]net.Addr)}
				for _, network := range networks {
					c := peer(t, network)
					require.NoError(t, c.Close())
					w.nobody[c.LocalAddr().Network()] = c.LocalAddr()
				}
				asynciotest.InTask(t, l, func(ctx context.Context) {
					for i := range endpoints {
						p := &wild{t: t, world: w}
						network := networks[i%len(networks)]
						_, _, err := l.CreateDatagramEndpoint(ctx, func() asyncio.DatagramProtocol { return p }, network, freeAddr(t, network))
						require.NoError(t, err)
						w.all = append(w.all, p)
					}
					for w.steps = steps; w.steps > 0; {
						w.step(t)
						if w.random.IntN(5) == 0 {
							asynciotest.Yield(t, ctx, 1)
						}
					}
					if seed%3 == 0 {
						return // the loop's Close ends what is left
					}
					for _, p := range w.all {
						p.transport.Abort()
					}
					require.NoError(t, asynciotest.Until(ctx, func() bool { return l.Stats().Handles == 0 }))
				})
				if seed%3 == 0 {
					require.NoError(t, l.Close())
				}
			})
		}
	})
}
