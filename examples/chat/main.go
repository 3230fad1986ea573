// Chat shows a server whose clients depend on each other: back-pressure, a slow reader,
// and a graceful end. The program is in examples/internal/chat.
//
// Without flags it talks to itself. With -listen it serves until Ctrl-C. The first line
// that a client sends is its name, or its name and a room, such as ann@garden:
//
//	go run ./examples/chat -listen 127.0.0.1:8889
//	nc 127.0.0.1 8889
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/examples/internal/chat"
)

func main() {
	listen := flag.String("listen", "", "serve on this `address` until Ctrl-C; port 0 picks one")
	patience := flag.Duration("patience", chat.Patience, "how long the others wait for a client that does not read")
	flag.Parse()
	if err := run(*listen, *patience); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

func run(listen string, patience time.Duration) error {
	if listen == "" {
		return chat.Demo()
	}
	stop, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	context.AfterFunc(stop, restore) // a second Ctrl-C does not ask
	return chat.Serve(stop, listen, patience, func(addr net.Addr) { fmt.Println("listening on", addr) })
}
