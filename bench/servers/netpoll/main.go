// Command netpoll is an echo server on cloudwego/netpoll: netpoll PLACE.
package main

import (
	"context"
	"io"
	"log"

	"github.com/cloudwego/netpoll"

	"github.com/seed-a026a017/asyncio/bench/servers/internal/serve"
)

func main() {
	netpoll.SetLoggerOutput(io.Discard) // it would log every connection that the client leaves in the middle of a message
	network, address := serve.Place()
	ln, err := netpoll.CreateListener(network, address)
	if err != nil {
		log.Fatal(err)
	}
	loop, err := netpoll.NewEventLoop(echo)
	if err != nil {
		log.Fatal(err)
	}
	if err := loop.Serve(ln); err != nil {
		log.Fatal(err)
	}
}

// echo answers with all that has arrived. A large message is written from where it was
// read.
func echo(_ context.Context, conn netpoll.Connection) error {
	r, w := conn.Reader(), conn.Writer()
	data, err := r.Next(r.Len())
	if err != nil {
		return err
	}
	if _, err := w.WriteBinary(data); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return r.Release()
}
