// Command asyncio_protocol is an echo server of callbacks: asyncio_protocol PLACE.
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
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		return echo.Serve(ctx, echo.New, network, address)
	}))
	log.Fatal(err)
}
