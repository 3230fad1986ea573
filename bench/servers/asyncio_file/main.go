// Command asyncio_file answers every byte of a connection with a file:
// asyncio_file PLACE FILE. ASYNCIO_DRIVER=purego in the environment makes it run without
// libuv.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/bench/servers/internal/serve"
)

func main() {
	network, address := serve.Place()
	if len(os.Args) != 3 {
		log.Fatalf("usage: %s PLACE FILE", os.Args[0])
	}
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		server, err := asyncio.StartServer(ctx, answer, network, address, asyncio.WithBacklog(4096))
		if err != nil {
			return err
		}
		return server.ServeForever(ctx)
	}))
	log.Fatal(err)
}

func answer(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
	defer w.Close()
	file, err := os.Open(os.Args[2])
	if err != nil {
		return err
	}
	defer file.Close()
	err = sendOver(ctx, r, w, file)
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return nil // the client is gone: it may leave in the middle of a file
	}
	return err
}

func sendOver(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter, file *os.File) error {
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	for request := make([]byte, 1); ; {
		if _, err := r.Read(ctx, request); err != nil {
			return err
		}
		if _, err := loop.Sendfile(ctx, w.Transport(), file, 0, -1, false); err != nil {
			return err
		}
	}
}
