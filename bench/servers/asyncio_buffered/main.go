// Command asyncio_buffered is an echo server of callbacks that reads into the memory of
// its protocols: asyncio_buffered PORT. ASYNCIO_DRIVER=purego in the environment makes
// it run without libuv.
package main

import (
	"context"
	"log"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/bench/servers/internal/serve"
)

const bufferBytes = 128 << 10

// echo sends back what it receives, and reads no more while the peer does not take it.
type echo struct {
	asyncio.NullProtocol
	transport asyncio.Transport
	buf       []byte
}

func (e *echo) ConnectionMade(t asyncio.Transport) { e.transport = t }
func (e *echo) BufferUpdated(n int)                { e.transport.Write(e.buf[:n]) }
func (e *echo) PauseWriting()                      { e.transport.PauseReading() }
func (e *echo) ResumeWriting()                     { e.transport.ResumeReading() }

func (e *echo) GetBuffer(int) []byte {
	if e.buf == nil {
		e.buf = make([]byte, bufferBytes)
	}
	return e.buf
}

func main() {
	addr := serve.Addr()
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		loop, err := asyncio.GetRunningLoop(ctx)
		if err != nil {
			return err
		}
		factory := func() asyncio.Protocol { return new(echo) }
		server, err := loop.CreateServer(ctx, factory, "tcp", addr, asyncio.WithBacklog(4096))
		if err != nil {
			return err
		}
		return server.ServeForever(ctx)
	}))
	if err != nil {
		log.Fatal(err)
	}
}
