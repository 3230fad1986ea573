// Package chat shows many clients that depend on each other: what one says, all in the
// room hear.
//
// A client's first line is its name, or its name and a room, "ann@garden"; who names no
// room meets the others who did not. Every line after that goes to everybody in the room,
// the sender too, as "name: line". Lines that begin with "* " are the room's own.
//
// What becomes of a client that does not read as fast as the others talk? Its lines could
// be dropped, kept in memory without limit, or the others could wait. Here they wait, so
// that everybody gets every line, and memory stays bounded; but not for ever: a client
// that takes nothing for as long as the room's patience is disconnected. A client must
// therefore read while it writes.
package chat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/seed-a026a017/asyncio"
)

const (
	// Patience is how long a room usually waits for a client that does not read.
	Patience = 10 * time.Second

	backlog = 1024
	// greetTimeMax is how long a client may take to say its name.
	greetTimeMax = 10 * time.Second
	// stopTimeMax is how long a client may take to read its last lines when the house is
	// closed.
	stopTimeMax = 2 * time.Second
)

// handle serves one client. The server runs it as a task of its own for each connection.
func (h *house) handle(ctx context.Context, in *asyncio.StreamReader, out *asyncio.StreamWriter) (err error) {
	defer func() { err = errors.Join(err, out.Close()) }()
	var greeting string
	err = asyncio.Timeout(ctx, greetTimeMax, func(ctx context.Context) error {
		line, err := in.ReadLine(ctx)
		greeting = strings.TrimSpace(string(line))
		return err
	})
	name, where, _ := strings.Cut(greeting, "@")
	if err != nil || name == "" {
		return dropOut(err)
	}
	r := h.room(where)
	m, err := r.enter(ctx, name, out)
	defer func() { err = errors.Join(err, r.leave(ctx, m)) }()
	if err != nil {
		return err
	}
	for line, err := range in.Lines(ctx) {
		if err != nil {
			return dropOut(err)
		}
		if err := r.say(ctx, name+": "+strings.TrimRight(string(line), "\r\n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// dropOut tells what a server has to report from what is a client's own affair: that its
// connection broke, that it never said its name, that its line has no end.
func dropOut(err error) error {
	if errors.Is(err, asyncio.ErrCancelled) {
		return err
	}
	return nil
}

// start opens a house. It serves in the background, for as long as the loop runs.
func start(ctx context.Context, address string, patience time.Duration) (*house, *asyncio.Server, error) {
	h := &house{rooms: make(map[string]*room), patience: patience}
	server, err := asyncio.StartServer(ctx, h.handle, "tcp", address, asyncio.WithBacklog(backlog))
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return h, server, nil
}

// shut closes the house for good: nobody comes in, everybody is told, and whoever still
// has lines to read may do so. All rooms are told at once, so that one with a slow member
// does not hold up the others.
func (h *house) shut(ctx context.Context, server *asyncio.Server) error {
	server.Close()
	err := asyncio.WithTaskGroup(ctx, func(_ context.Context, group *asyncio.TaskGroup) error {
		for _, r := range h.rooms {
			group.Go(r.shut)
		}
		return nil
	})
	if err != nil {
		return err
	}
	server.CloseClients() // what is buffered still leaves
	err = asyncio.Timeout(ctx, stopTimeMax, server.WaitClosed)
	if errors.Is(err, asyncio.ErrTimeout) {
		server.AbortClients() // they do not read
		err = server.WaitClosed(ctx)
	}
	if err != nil {
		return fmt.Errorf("close the house: %w", err)
	}
	return nil
}

// Serve runs a house until stop is done. listening is told the address, which is news if
// the port was 0.
func Serve(stop context.Context, address string, patience time.Duration, listening func(net.Addr)) error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		h, server, err := start(ctx, address, patience)
		if err != nil {
			return err
		}
		listening(server.Addrs()[0])
		// WithContext below makes the end of stop a cancellation of this task. It ends
		// one await, this one; what comes after may suspend again.
		ended := asyncio.Sleep(ctx, asyncio.Forever)
		if err := h.shut(ctx, server); err != nil {
			return err
		}
		return ended
	}), asyncio.WithContext(stop))
	if stop.Err() != nil && errors.Is(err, asyncio.ErrCancelled) {
		return nil // it was meant to end
	}
	return err
}
