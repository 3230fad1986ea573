// Command asyncio_loops is an echo server of callbacks on several loops:
// asyncio_loops PORT LOOPS. Each loop listens on the port with a socket of its own, and
// the kernel shares the connections out.
package main

import (
	"context"
	"log"
	"os"
	"strconv"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/bench/servers/internal/echo"
	"github.com/seed-a026a017/asyncio/bench/servers/internal/serve"
)

func main() {
	network, address := serve.Place()
	if len(os.Args) != 3 {
		log.Fatalf("usage: %s PORT LOOPS", os.Args[0])
	}
	n, err := strconv.Atoi(os.Args[2])
	if err != nil || n < 1 {
		log.Fatalf("%s is not a number of loops", os.Args[2])
	}
	log.Fatal(asyncio.RunLoops(n, func(ctx context.Context, _ int) error {
		return echo.Serve(ctx, echo.New, network, address, asyncio.WithReusePort())
	}))
}
