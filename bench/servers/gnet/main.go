// Command gnet is an echo server on panjf2000/gnet with one event loop: gnet PLACE.
// GNET_LOGGING_LEVEL=2 in the environment keeps it from telling on stdout that it starts.
package main

import (
	"log"

	"github.com/panjf2000/gnet/v2"

	"github.com/seed-a026a017/asyncio/bench/servers/internal/serve"
)

type server struct{ gnet.BuiltinEventEngine }

// OnTraffic answers with all that has arrived, from where it lies.
func (*server) OnTraffic(c gnet.Conn) gnet.Action {
	data, err := c.Next(-1)
	if err != nil {
		return gnet.Close
	}
	if _, err := c.Write(data); err != nil {
		return gnet.Close
	}
	return gnet.None
}

func main() {
	network, address := serve.Place()
	log.Fatal(gnet.Run(new(server), network+"://"+address, gnet.WithNumEventLoop(1), gnet.WithTCPNoDelay(gnet.TCPNoDelay),
		gnet.WithReadBufferCap(serve.BufferBytesMax)))
}
