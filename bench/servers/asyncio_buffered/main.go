// Command asyncio_buffered is an echo server of callbacks that reads into the memory of
// its protocols: asyncio_buffered PLACE. ASYNCIO_DRIVER=purego in the environment makes
// it run without libuv.
package main

import (
	"context"
	"log"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/bench/servers/internal/echo"
	"github.com/seed-a026a017/asyncio/bench/servers/internal/serve"
)

const bufferBytes = 128 << 10

// buffered sends back what it receives, and reads no more while the peer does not take it.
type buffered struct {
	asyncio.NullProtocol
	transport asyncio.Transport
	buf       []byte
}

func (b *buffered) ConnectionMade(t asyncio.Transport) { b.transport = t }
func (b *buffered) BufferUpdated(n int)                { b.transport.Write(b.buf[:n]) }
func (b *buffered) PauseWriting()                      { b.transport.PauseReading() }
func (b *buffered) ResumeWriting()                     { b.transport.ResumeReading() }

func (b *buffered) GetBuffer(int) []byte {
	if b.buf == nil {
		b.buf = make([]byte, bufferBytes)
	}
	return b.buf
}

func main() {
	network, address := serve.Place()
	factory := func() asyncio.Protocol { return new(buffered) }
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		return echo.Serve(ctx, factory, network, address)
	}))
	log.Fatal(err)
}
