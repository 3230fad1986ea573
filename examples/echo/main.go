// Echo shows a server and a client, with a Protocol and with streams. The program is in
// examples/internal/echo.
//
// Without flags it talks to itself. With -listen it serves until Ctrl-C:
//
//	go run ./examples/echo -listen 127.0.0.1:8888
//	nc 127.0.0.1 8888
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed-a026a017/asyncio/examples/internal/echo"
)

func main() {
	listen := flag.String("listen", "", "serve on this `address` until Ctrl-C; port 0 picks one")
	kind := flag.String("kind", string(echo.Streams), "how the server is written: protocol or streams")
	flag.Parse()
	if err := run(*listen, echo.Kind(*kind)); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

func run(listen string, kind echo.Kind) error {
	if listen == "" {
		return echo.Demo()
	}
	stop, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	context.AfterFunc(stop, restore) // a second Ctrl-C does not ask
	return echo.Serve(stop, listen, kind, func(addr net.Addr) { fmt.Println("listening on", addr) })
}
