// Command nbio is an echo server on lesismal/nbio with one poller: nbio PLACE.
package main

import (
	"log"

	"github.com/lesismal/nbio"
	"github.com/lesismal/nbio/logging"

	"github.com/seed-a026a017/asyncio/bench/servers/internal/serve"
)

func main() {
	network, address := serve.Place()
	logging.SetLevel(logging.LevelError)
	engine := nbio.NewEngine(nbio.Config{Network: network, Addrs: []string{address}, NPoller: 1, ReadBufferSize: serve.BufferBytesMax})
	engine.OnData(func(c *nbio.Conn, data []byte) {
		if _, err := c.Write(data); err != nil {
			_ = c.Close() // it is gone
		}
	})
	if err := engine.Start(); err != nil {
		log.Fatal(err)
	}
	select {}
}
