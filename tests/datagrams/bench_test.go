package datagrams_test

import (
	"context"
	"net"
	"testing"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

// pingProtocol answers each datagram, until it has had n.
type pingProtocol struct {
	asyncio.NullDatagramProtocol
	transport *asyncio.DatagramTransport
	left      int
	done      *asyncio.Event
}

func (p *pingProtocol) ConnectionMade(t *asyncio.DatagramTransport) { p.transport = t }

func (p *pingProtocol) DatagramReceived(data []byte, addr net.Addr) {
	if p.left--; p.left <= 0 {
		p.done.Set()
		return
	}
	_ = p.transport.SendTo(data, addr)
}

// Round trips of 100 bytes between two endpoints of one loop.
func BenchmarkPing(b *testing.B) {
	for _, d := range asynciotest.Drivers() {
		b.Run(d.String(), func(b *testing.B) {
			b.ReportAllocs()
			_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
				l, err := asyncio.GetRunningLoop(ctx)
				if err != nil {
					return err
				}
				done := asyncio.NewEvent()
				var ends [2]*pingProtocol
				for i := range ends {
					ends[i] = &pingProtocol{left: b.N + 1, done: done}
					factory := func() asyncio.DatagramProtocol { return ends[i] }
					if _, _, err := l.CreateDatagramEndpoint(ctx, factory, "udp4", "127.0.0.1:0"); err != nil {
						return err
					}
					defer ends[i].transport.Close()
				}
				b.ResetTimer()
				if err := ends[0].transport.SendTo(make([]byte, 100), ends[1].transport.LocalAddr()); err != nil {
					return err
				}
				return done.Wait(ctx)
			}), asyncio.WithDriver(d))
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
