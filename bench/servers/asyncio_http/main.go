// Command asyncio_http is an HTTP server on asyncio: asyncio_http PLACE tasks|listen [CERT KEY].
//
// With tasks it is asynchttp.Server, whose handlers are tasks of the loop. With listen it is
// net/http's own server, with its goroutines, whose connections are the loop's.
// ASYNCIO_DRIVER=purego in the environment makes it run without libuv.
package main

import (
	"context"
	"crypto/tls"
	"log"
	"net/http"
	"os"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynchttp"
	"github.com/seed-a026a017/asyncio/bench/servers/internal/serve"
	"github.com/seed-a026a017/asyncio/bench/servers/internal/web"
)

// backlog is that of package net.
const backlog = 4096

func main() {
	network, address := serve.Place()
	if len(os.Args) < 3 {
		log.Fatalf("usage: %s PLACE tasks|listen [CERT KEY]", os.Args[0])
	}
	run := map[string]func(context.Context, string, string, *tls.Config) error{"tasks": tasks, "listen": listen}[os.Args[2]]
	if run == nil {
		log.Fatalf("%s is neither tasks nor listen", os.Args[2])
	}
	cfg := serve.TLS(3)
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error { return run(ctx, network, address, cfg) }))
	log.Fatal(err)
}

func tasks(ctx context.Context, network, address string, cfg *tls.Config) error {
	server := &asynchttp.Server{Handler: http.HandlerFunc(web.Handler), TLSConfig: cfg}
	return server.ListenAndServe(ctx, network, address, asyncio.WithBacklog(backlog))
}

func listen(ctx context.Context, network, address string, cfg *tls.Config) error {
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	options := []asyncio.ServerOption{asyncio.WithBacklog(backlog)}
	if cfg != nil {
		options = append(options, asyncio.WithTLS(cfg))
	}
	ln, err := loop.Listen(ctx, network, address, options...)
	if err != nil {
		return err
	}
	_, err = asyncio.ToThread(ctx, asyncio.Do(func(context.Context) error { return http.Serve(ln, http.HandlerFunc(web.Handler)) }))
	return err
}
