// Echo_streams shows an echo server and its client as coroutines, with back-pressure:
// asyncio.start_server, open_connection, StreamReader, StreamWriter.drain.
//
// A coroutine reads and writes, and suspends where it has to wait. Streams are built on
// protocols, and read like a program. Back-pressure is what is easily forgotten: a server
// that reads on while its client does not take the answers keeps them all in memory.
// echo_protocol is the same with callbacks.
//
// Without flags it talks to itself. With -listen it serves until Ctrl-C:
//
//	go run ./examples/echo_streams -listen 127.0.0.1:8888
//	nc 127.0.0.1 8888
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio"
)

const (
	// backlog is how many clients may wait to be accepted: as many as connect at once.
	backlog = 1024
	// stopTimeMax is how long a client may take to read what is still buffered for it
	// when the server stops.
	stopTimeMax = 2 * time.Second
	// readBytesMax is how much one Read takes.
	readBytesMax = 64 << 10
)

func main() {
	listen := flag.String("listen", "", "serve on this `address` until Ctrl-C; port 0 picks one")
	flag.Parse()
	run := demo
	if *listen != "" {
		run = func() error { return serve(*listen) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "echo_streams:", err)
		os.Exit(1)
	}
}

// start opens an echo server. It serves in the background, for as long as the loop runs.
func start(ctx context.Context, address string) (*asyncio.Server, error) {
	server, err := asyncio.StartServer(ctx, handle, "tcp", address, asyncio.WithBacklog(backlog))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return server, nil
}

// handle is the server's side of one connection as a coroutine. The server runs it
// as a task of its own for each connection; an error that it returns goes to the loop's
// exception handler.
func handle(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) (err error) {
	defer func() { err = errors.Join(err, w.Close()) }() // sends what is left, then closes
	buf := make([]byte, readBytesMax)
	for {
		n, err := r.Read(ctx, buf) // suspends until there is something
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read from %v: %w", w.Transport().RemoteAddr(), err)
		}
		if _, err := w.Write(buf[:n]); err != nil { // does not suspend: the rest is buffered
			return fmt.Errorf("write to %v: %w", w.Transport().RemoteAddr(), err)
		}
		if err := w.Drain(ctx); err != nil { // suspends while too much is buffered: this is the back-pressure
			return fmt.Errorf("write to %v: %w", w.Transport().RemoteAddr(), err)
		}
	}
}

// ask sends a message to an echo server and returns what comes back.
func ask(ctx context.Context, address string, message []byte) (reply []byte, err error) {
	r, w, err := asyncio.OpenConnection(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	defer func() { err = errors.Join(err, w.Close(), w.WaitClosed(ctx)) }()
	// Writing and reading at the same time: with a message larger than all the buffers on
	// the way, the server would otherwise wait for us to read, and we for it.
	sending := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
		if _, err := w.Write(message); err != nil {
			return err
		}
		if err := w.Drain(ctx); err != nil {
			return err
		}
		return w.WriteEOF() // now the server's Read returns io.EOF
	}))
	reply, err = r.ReadAll(ctx)
	if err != nil {
		sending.Cancel() // nobody is going to await it
		return nil, fmt.Errorf("read from %s: %w", address, err)
	}
	if _, err := sending.Await(ctx); err != nil {
		return nil, fmt.Errorf("write to %s: %w", address, err)
	}
	return reply, nil
}

// serve runs an echo server until Ctrl-C or SIGTERM.
func serve(address string) error {
	stop, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	context.AfterFunc(stop, restore) // a second Ctrl-C does not ask
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		server, err := start(ctx, address)
		if err != nil {
			return err
		}
		fmt.Println("listening on", server.Addrs()[0])
		// WithContext below makes the end of stop a cancellation of this task. It ends
		// one await, this one; what comes after may suspend again.
		ended := asyncio.Sleep(ctx, asyncio.Forever)
		if err := shut(ctx, server); err != nil {
			return err
		}
		return ended
	}), asyncio.WithContext(stop))
	if stop.Err() != nil && errors.Is(err, asyncio.ErrCancelled) {
		return nil // it was meant to end
	}
	return err
}

// shut closes a server for good: no new connections, then the end of the old ones.
func shut(ctx context.Context, server *asyncio.Server) error {
	server.Close()
	server.CloseClients() // what is buffered still leaves
	err := asyncio.Timeout(ctx, stopTimeMax, server.WaitClosed)
	if errors.Is(err, asyncio.ErrTimeout) {
		server.AbortClients() // they do not read
		err = server.WaitClosed(ctx)
	}
	if err != nil {
		return fmt.Errorf("close the server: %w", err)
	}
	return nil
}

// demo has clients talk to a server of the same loop.
func demo() error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) (err error) {
		server, err := start(ctx, "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, shut(ctx, server)) }()
		address := server.Addrs()[0].String()
		for _, message := range []string{"hello", "how are you?"} {
			reply, err := ask(ctx, address, []byte(message))
			if err != nil {
				return err
			}
			fmt.Printf("sent %q, got %q\n", message, reply)
		}
		return manyAtOnce(ctx, address)
	}))
	return err
}

// manyAtOnce has ten clients talk at once, each with more than a transport keeps: the
// back-pressure has something to do.
func manyAtOnce(ctx context.Context, address string) error {
	var clients []asyncio.Awaitable[int]
	for i := range 10 {
		clients = append(clients, asyncio.Coro[int](func(ctx context.Context) (int, error) {
			message := bytes.Repeat([]byte{byte('a' + i)}, 1<<20)
			reply, err := ask(ctx, address, message)
			if err != nil {
				return 0, fmt.Errorf("client %d: %w", i, err)
			}
			if !bytes.Equal(reply, message) {
				return 0, fmt.Errorf("client %d: the echo differs", i)
			}
			return len(reply), nil
		}))
	}
	sizes, err := asyncio.Gather(ctx, clients...).Await(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%d clients at once: %v bytes each came back unchanged\n", len(sizes), sizes[0])
	return nil
}
