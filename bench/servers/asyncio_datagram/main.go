// Command asyncio_datagram is an echo of datagrams: asyncio_datagram PORT.
// ASYNCIO_DRIVER=purego in the environment makes it run without libuv.
package main

import (
	"context"
	"log"
	"net"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/bench/servers/internal/serve"
)

type echo struct{ transport *asyncio.DatagramTransport }

func (e *echo) ConnectionMade(t *asyncio.DatagramTransport) { e.transport = t }
func (e *echo) DatagramReceived(data []byte, addr net.Addr) { _ = e.transport.SendTo(data, addr) }
func (e *echo) ErrorReceived(error)                         {} // a lost datagram
func (e *echo) ConnectionLost(error)                        {}
func (e *echo) PauseWriting()                               {}
func (e *echo) ResumeWriting()                              {}

func main() {
	_, address := serve.Place()
	factory := func() asyncio.DatagramProtocol { return new(echo) }
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		loop, err := asyncio.GetRunningLoop(ctx)
		if err != nil {
			return err
		}
		if _, _, err := loop.CreateDatagramEndpoint(ctx, factory, "udp", address); err != nil {
			return err
		}
		return asyncio.Sleep(ctx, asyncio.Forever)
	}))
	log.Fatal(err)
}
