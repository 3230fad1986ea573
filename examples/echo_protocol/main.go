// Echo_protocol shows an echo server and its client in callbacks, with back-pressure:
// Protocol, Transport, loop.create_server, loop.create_connection.
//
// A protocol is told what happens on its connection. That is asyncio's lower layer: no
// task, no suspension, the least that a connection can cost. Back-pressure is what is
// easily forgotten: a server that reads on while its client does not take the answers
// keeps them all in memory. echo_streams is the same with coroutines.
//
// Without flags it talks to itself. With -listen it serves until Ctrl-C:
//
//	go run ./examples/echo_protocol -listen 127.0.0.1:8888
//	nc 127.0.0.1 8888
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
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
)

func main() {
	listen := flag.String("listen", "", "serve on this `address` until Ctrl-C; port 0 picks one")
	flag.Parse()
	run := demo
	if *listen != "" {
		run = func() error { return serve(*listen) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "echo_protocol:", err)
		os.Exit(1)
	}
}

// start opens an echo server. It serves in the background, for as long as the loop runs.
func start(ctx context.Context, address string) (*asyncio.Server, error) {
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return nil, err
	}
	// The factory makes a protocol for each connection.
	factory := func() asyncio.Protocol { return new(serverProtocol) }
	server, err := loop.CreateServer(ctx, factory, "tcp", address, asyncio.WithBacklog(backlog))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return server, nil
}

// serverProtocol is the server's side of one connection, told in callbacks. The loop
// calls one at a time.
type serverProtocol struct {
	asyncio.NullProtocol // whatever we do not care for
	transport            asyncio.Transport
}

// ConnectionMade is the first call. Nothing is read before it.
func (p *serverProtocol) ConnectionMade(t asyncio.Transport) { p.transport = t }

// DataReceived sends the bytes back. It need not copy them: what the kernel does not take
// at once, Write keeps a copy of.
func (p *serverProtocol) DataReceived(data []byte) {
	if _, err := p.transport.Write(data); err != nil {
		p.transport.Abort() // the connection is lost; ConnectionLost hears why
	}
}

// PauseWriting is the back-pressure: the client sends faster than it reads, so we stop
// reading what it sends, or its bytes would pile up here.
func (p *serverProtocol) PauseWriting() { p.transport.PauseReading() }

// ResumeWriting goes on when the client has caught up.
func (p *serverProtocol) ResumeWriting() { p.transport.ResumeReading() }

// EOFReceived says what the client's last byte means to us: false closes the transport,
// once it has sent what is left.
func (p *serverProtocol) EOFReceived() bool { return false }

// clientProtocol sends one message and collects what comes back.
type clientProtocol struct {
	asyncio.NullProtocol
	message   []byte
	transport asyncio.Transport
	reply     bytes.Buffer
	failure   error
	ended     *asyncio.Event // where the callbacks meet the coroutine that waits
}

// ConnectionMade sends everything, and with it the end of the stream. Write does not
// wait: what the kernel does not take is sent when it does.
func (p *clientProtocol) ConnectionMade(t asyncio.Transport) {
	p.transport = t
	if _, err := t.Write(p.message); err != nil {
		p.fail(err)
		return
	}
	if err := t.WriteEOF(); err != nil {
		p.fail(err)
	}
}

// fail notes what went wrong and drops the connection; ConnectionLost will tell.
func (p *clientProtocol) fail(err error) {
	p.failure = err
	p.transport.Abort()
}

func (p *clientProtocol) DataReceived(data []byte) {
	p.reply.Write(data) // a copy: data is the loop's again when we return. A Buffer's Write has no error.
}

// ConnectionLost is the last call; err is nil after a normal end.
func (p *clientProtocol) ConnectionLost(err error) {
	p.failure = errors.Join(p.failure, err)
	p.ended.Set()
}

// ask sends a message to an echo server and returns what comes back.
func ask(ctx context.Context, address string, message []byte) ([]byte, error) {
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return nil, err
	}
	p := &clientProtocol{message: message, ended: asyncio.NewEvent()}
	t, _, err := loop.CreateConnection(ctx, func() asyncio.Protocol { return p }, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	defer t.Abort() // for the case that we are cancelled; after a normal end it does nothing
	if err := p.ended.Wait(ctx); err != nil {
		return nil, err
	}
	if p.failure != nil {
		return nil, fmt.Errorf("echo of %s: %w", address, p.failure)
	}
	return p.reply.Bytes(), nil
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
