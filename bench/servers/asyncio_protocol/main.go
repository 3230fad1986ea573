// Command asyncio_protocol is an echo server of callbacks:
// asyncio_protocol PLACE [CERT KEY]. With a certificate it speaks TLS.
// ASYNCIO_DRIVER=purego in the environment makes it run without libuv.
package main

import (
	"context"
	"log"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/bench/servers/internal/echo"
	"github.com/seed-a026a017/asyncio/bench/servers/internal/serve"
)

func main() {
	network, address := serve.Place()
	var options []asyncio.ServerOption
	if cfg := serve.TLS(2); cfg != nil {
		options = append(options, asyncio.WithTLS(cfg))
	}
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		return echo.Serve(ctx, echo.New, network, address, options...)
	}))
	log.Fatal(err)
}
