// Multicore shows a server on several loops that share one port: RunLoops, WithReusePort.
// In asyncio it takes several processes.
//
// A loop runs on one processor. RunLoops runs one on each of several goroutines, and the
// sockets that they bind to one port with WithReusePort share what comes: the kernel
// gives each connection to one of them. Loops share no data without locks; what the tasks
// of one loop share needs none.
//
// Without flags it serves some clients of its own, counts, and ends. With -listen it
// serves until Ctrl-C:
//
//	go run ./examples/multicore -loops 4 -listen 127.0.0.1:8888
//	nc 127.0.0.1 8888
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/seed-a026a017/asyncio"
)

// clients is how many connections the demonstration makes.
const clients = 300

func main() {
	loops := flag.Int("loops", 3, "how many loops serve")
	listen := flag.String("listen", "", "serve on this `address` until Ctrl-C")
	flag.Parse()
	run := demo
	if *listen != "" {
		run = func(loops int) error { return serve(loops, *listen) }
	}
	if err := run(*loops); err != nil {
		fmt.Fprintln(os.Stderr, "multicore:", err)
		os.Exit(1)
	}
}

// start opens loop i's socket. Each connection is told which loop serves it.
func start(ctx context.Context, i int, address string, served *int) (*asyncio.Server, error) {
	greet := func(_ context.Context, _ *asyncio.StreamReader, w *asyncio.StreamWriter) error {
		*served++ // only this loop's tasks do so, one at a time
		_, err := fmt.Fprintf(w, "served by loop %d\n", i)
		return errors.Join(err, w.Close())
	}
	server, err := asyncio.StartServer(ctx, greet, "tcp", address, asyncio.WithReusePort())
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return server, nil
}

// serve runs the loops until Ctrl-C, which cancels all of them.
func serve(loops int, address string) error {
	err := asyncio.RunLoops(loops, func(ctx context.Context, i int) error {
		var served int
		server, err := start(ctx, i, address, &served)
		if err != nil {
			return err
		}
		defer func() { fmt.Printf("loop %d: %d connections\n", i, served) }()
		return server.ServeForever(ctx)
	})
	if errors.Is(err, asyncio.ErrInterrupted) {
		return nil
	}
	return err
}

// demo runs the loops until its clients have been served, and says by whom.
func demo(loops int) error {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	chosen := make(chan string, loops)    // the address of the first loop, for the others
	listening := make(chan string, loops) // each loop's address, once it listens
	heard := make(chan error, 1)          // how it went for the clients
	go func() {
		defer end() // cancels the loops
		heard <- askOften(ctx, loops, listening)
	}()
	served := make([]int, loops) // one for each loop; nobody else looks before all have ended
	err := asyncio.RunLoops(loops, func(ctx context.Context, i int) error {
		address := "127.0.0.1:0"
		if i > 0 {
			var err error
			if address, err = asyncio.ToThread(ctx, receive(chosen)); err != nil {
				return err
			}
		}
		server, err := start(ctx, i, address, &served[i])
		if err != nil {
			return err
		}
		address = server.Addrs()[0].String()
		for n := 1; i == 0 && n < loops; n++ {
			chosen <- address
		}
		listening <- address
		return server.ServeForever(ctx)
	}, asyncio.WithContext(ctx))
	if !errors.Is(err, asyncio.ErrCancelled) { // a loop has failed
		return err
	}
	if err := <-heard; err != nil {
		return err
	}
	sum := 0
	for i, n := range served {
		fmt.Printf("loop %d: %d connections\n", i, n)
		sum += n
	}
	fmt.Printf("%d loops on one port: %d connections\n", loops, sum)
	return nil
}

// receive takes a string from ch, unless its context ends before one comes.
func receive(ch chan string) func(ctx context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		select {
		case s := <-ch:
			return s, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// askOften connects to the loops, one client after the other, when all of them listen.
func askOften(ctx context.Context, loops int, listening chan string) error {
	var address string
	for range loops {
		var err error
		if address, err = receive(listening)(ctx); err != nil {
			return err
		}
	}
	for range clients {
		if err := ask(address); err != nil {
			return err
		}
	}
	return nil
}

// ask is a client that knows nothing of loops.
func ask(address string) (err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	told, err := io.ReadAll(c)
	if err == nil && len(told) == 0 {
		err = errors.New("nobody has served the client")
	}
	return err
}
