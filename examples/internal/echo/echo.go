// Package echo shows a server and its client twice: with a Protocol, which is told what
// happens in callbacks, and with streams, where a coroutine reads and writes.
//
// Protocols are asyncio's lower layer: no task, no suspension, the least that a
// connection can cost. Streams are built on them, and read like a program. Both have
// back-pressure, and in both it is the point that is easily forgotten: a server that
// reads on while its client does not take the answers keeps them all in memory.
package echo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/seed-a026a017/asyncio"
)

// Kind says how the server is written.
type Kind string

// The two kinds of server.
const (
	Protocol Kind = "protocol"
	Streams  Kind = "streams"
)

const (
	// backlog is how many clients may wait to be accepted: as many as connect at once.
	backlog = 1024
	// stopTimeMax is how long a client may take to read what is still buffered for it
	// when the server stops.
	stopTimeMax = 2 * time.Second
)

// start opens an echo server. It serves in the background, for as long as the loop runs.
func start(ctx context.Context, address string, kind Kind) (*asyncio.Server, error) {
	switch kind {
	case Protocol:
		loop, err := asyncio.GetRunningLoop(ctx)
		if err != nil {
			return nil, err
		}
		// The factory makes a protocol for each connection.
		factory := func() asyncio.Protocol { return new(serverProtocol) }
		return loop.CreateServer(ctx, factory, "tcp", address, asyncio.WithBacklog(backlog))
	case Streams:
		return asyncio.StartServer(ctx, handleStreams, "tcp", address, asyncio.WithBacklog(backlog))
	}
	return nil, fmt.Errorf("there is no echo server of kind %q: use %q or %q", kind, Protocol, Streams)
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

// Serve runs an echo server until stop is done. listening is told the address, which is
// news if the port was 0.
func Serve(stop context.Context, address string, kind Kind, listening func(net.Addr)) error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		server, err := start(ctx, address, kind)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", address, err)
		}
		listening(server.Addrs()[0])
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

// Demo has a client of each kind talk to a server of the same kind.
func Demo() error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		if err := demo(ctx, Protocol, askProtocol); err != nil {
			return fmt.Errorf("protocol: %w", err)
		}
		if err := demo(ctx, Streams, askStreams); err != nil {
			return fmt.Errorf("streams: %w", err)
		}
		return nil
	}))
	return err
}

func demo(ctx context.Context, kind Kind, ask func(context.Context, string, []byte) ([]byte, error)) (err error) {
	server, err := start(ctx, "127.0.0.1:0", kind)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer func() { err = errors.Join(err, shut(ctx, server)) }()
	address := server.Addrs()[0].String()

	for _, message := range []string{"hello", "how are you?"} {
		reply, err := ask(ctx, address, []byte(message))
		if err != nil {
			return err
		}
		fmt.Printf("%s: sent %q, got %q\n", kind, message, reply)
	}

	// Ten clients at once, each with more than a transport keeps: the back-pressure has
	// something to do.
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
	fmt.Printf("%s: %d clients at once: %v bytes each came back unchanged\n", kind, len(sizes), sizes[0])
	return nil
}
