// Command asyncio_streams is an echo server with a task for each connection:
// asyncio_streams PLACE [CERT KEY]. With a certificate it speaks TLS.
// ASYNCIO_DRIVER=purego in the environment makes it run without libuv.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"syscall"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/bench/servers/internal/serve"
)

func main() {
	network, address := serve.Place()
	options := []asyncio.ServerOption{asyncio.WithBacklog(4096)}
	if cfg := serve.TLS(2); cfg != nil {
		options = append(options, asyncio.WithTLS(cfg))
	}
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		server, err := asyncio.StartServer(ctx, echo, network, address, options...)
		if err != nil {
			return err
		}
		return server.ServeForever(ctx)
	}))
	if err != nil {
		log.Fatal(err)
	}
}

func echo(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
	defer w.Close()
	err := copyBack(ctx, r, w)
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return nil // the client is gone: it may leave in the middle of a message
	}
	return err
}

func copyBack(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
	for buf := serve.NewBuffer(); ; {
		n, err := r.Read(ctx, buf)
		if err != nil {
			return err
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		if err := w.Drain(ctx); err != nil {
			return err
		}
		buf = serve.Grow(buf, n)
	}
}
