package chat

// The demo: clients that talk, one in a room of her own, one that is slow, one that is
// stuck, and the end.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio"
)

const (
	// The flood: more than the kernel keeps for a connection, so that a client that does
	// not read is noticed.
	floodLines     = 2000
	floodLineBytes = 16 << 10
	// demoPatience is short because somebody in the demo tries it to its end.
	demoPatience = 2 * time.Second
)

// Demo lets clients talk, flood their room while one of them is slow and another one is
// stuck, and then closes the house.
func Demo() error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		h, server, err := start(ctx, "127.0.0.1:0", demoPatience)
		if err != nil {
			return err
		}
		address := server.Addrs()[0].String()
		var clients [3]*client // ann, bob and dan
		for i, name := range []string{"ann", "bob", "dan"} {
			if clients[i], err = join(ctx, address, name, ""); err != nil {
				return err
			}
		}
		ann, bob, dan := clients[0], clients[1], clients[2]
		if err := talk(ctx, ann, bob, dan); err != nil {
			return fmt.Errorf("talk: %w", err)
		}
		if err := otherRoom(ctx, address, ann, bob, dan); err != nil {
			return fmt.Errorf("other room: %w", err)
		}
		if err := slowReader(ctx, ann, bob, dan); err != nil {
			return fmt.Errorf("slow reader: %w", err)
		}
		if err := stuckReader(ctx, address, ann, bob, dan); err != nil {
			return fmt.Errorf("stuck reader: %w", err)
		}
		return goodbye(ctx, h, server, clients[:])
	}))
	return err
}

// client is somebody in a room. The clients of the demo live in the same loop as the
// server.
type client struct {
	name     string
	r        *asyncio.StreamReader
	w        *asyncio.StreamWriter
	received int // lines of the flood
}

// join connects, says its name and its room, and waits until that has let it in.
func join(ctx context.Context, address, name, where string) (*client, error) {
	r, w, err := asyncio.OpenConnection(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s connects: %w", name, err)
	}
	c := &client{name: name, r: r, w: w}
	if err := c.say(ctx, name+"@"+where); err != nil {
		return nil, err
	}
	return c, c.hear(ctx, "* "+name+" joined")
}

// say sends a line.
func (c *client) say(ctx context.Context, line string) error {
	if _, err := io.WriteString(c.w, line+"\n"); err != nil {
		return fmt.Errorf("%s speaks: %w", c.name, err)
	}
	if err := c.w.Drain(ctx); err != nil {
		return fmt.Errorf("%s speaks: %w", c.name, err)
	}
	return nil
}

// hear reads the next line, which has to be the given one, and prints it.
func (c *client) hear(ctx context.Context, want string) error {
	line, err := c.r.ReadLine(ctx)
	if err != nil {
		return fmt.Errorf("%s listens: %w", c.name, err)
	}
	if got := strings.TrimSuffix(string(line), "\n"); got != want {
		return fmt.Errorf("%s heard %q, expected %q", c.name, got, want)
	}
	fmt.Printf("%s hears: %s\n", c.name, want)
	return nil
}

// talk is how it goes when everybody listens. Those who came first have heard the others
// come.
func talk(ctx context.Context, ann, bob, dan *client) error {
	for _, step := range []struct {
		who  *client
		line string
	}{{ann, "* bob joined"}, {ann, "* dan joined"}, {bob, "* dan joined"}} {
		if err := step.who.hear(ctx, step.line); err != nil {
			return err
		}
	}
	if err := exchange(ctx, ann, "hello", ann, bob, dan); err != nil {
		return err
	}
	return exchange(ctx, bob, "hi ann", ann, bob, dan)
}

// exchange has somebody say a line, and all who are in the same room hear it.
func exchange(ctx context.Context, speaker *client, line string, present ...*client) error {
	if err := speaker.say(ctx, line); err != nil {
		return err
	}
	for _, c := range present {
		if err := c.hear(ctx, speaker.name+": "+line); err != nil {
			return err
		}
	}
	return nil
}

// otherRoom has fay talk where nobody else is. That the others hear nothing of it shows
// in what they hear next.
func otherRoom(ctx context.Context, address string, ann, bob, dan *client) (err error) {
	fay, err := join(ctx, address, "fay", "garden")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fay.w.Close()) }()
	fmt.Println("fay is in the garden")
	if err := exchange(ctx, fay, "is anybody here?", fay); err != nil {
		return err
	}
	return exchange(ctx, ann, "where is fay?", ann, bob, dan)
}

// floodTail is what all lines of the flood end with.
var floodTail = strings.Repeat("x", floodLineBytes)

// floodLine is line i of the flood.
func floodLine(i int) string {
	number := fmt.Sprintf("%06d ", i)
	return number + floodTail[len(number):]
}

// flood is a coroutine that says all lines of the flood.
func (c *client) flood(ctx context.Context) error {
	for i := range floodLines {
		if err := c.say(ctx, floodLine(i)); err != nil {
			return err
		}
	}
	return nil
}

// listen makes a coroutine that hears the whole flood of somebody and checks each line.
// Notices come between, as they will.
func (c *client) listen(sender *client) asyncio.Coro[asyncio.None] {
	return asyncio.Do(func(ctx context.Context) error {
		for c.received = 0; c.received < floodLines; {
			line, err := c.r.ReadLine(ctx)
			if err != nil {
				return fmt.Errorf("%s listens to line %d: %w", c.name, c.received, err)
			}
			if bytes.HasPrefix(line, []byte("* ")) {
				continue
			}
			if string(line) != sender.name+": "+floodLine(c.received)+"\n" {
				return fmt.Errorf("%s heard a wrong line in place of line %d", c.name, c.received)
			}
			c.received++
		}
		return nil
	})
}

// slowReader has ann flood the room while dan does not read at first.
func slowReader(ctx context.Context, ann, bob, dan *client) error {
	// A task group awaits its tasks when its body has ended, and cancels them if one of
	// them fails.
	err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, group *asyncio.TaskGroup) error {
		group.Go(ann.flood)
		asyncio.GroupTask(group, ann.listen(ann))
		asyncio.GroupTask(group, bob.listen(ann))
		if err := standstill(ctx, bob); err != nil {
			return err
		}
		if bob.received == floodLines {
			return errors.New("the room did not wait for dan")
		}
		fmt.Println("dan does not read: the others wait")
		asyncio.GroupTask(group, dan.listen(ann))
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("dan reads: everybody got %d lines, dan too: %t\n", floodLines, dan.received == floodLines)
	return nil
}

// standstill waits until somebody has received something, and then nothing more for a
// while.
func standstill(ctx context.Context, c *client) error {
	for before := -1; c.received == 0 || c.received != before; {
		before = c.received
		if err := asyncio.Sleep(ctx, demoPatience/20); err != nil {
			return err
		}
	}
	return nil
}

// stuckReader has bob flood the room while eve never reads.
func stuckReader(ctx context.Context, address string, ann, bob, dan *client) error {
	eve, err := join(ctx, address, "eve", "")
	if err != nil {
		return err
	}
	for _, c := range []*client{ann, bob, dan} {
		if err := c.hear(ctx, "* eve joined"); err != nil {
			return err
		}
	}
	err = asyncio.WithTaskGroup(ctx, func(_ context.Context, group *asyncio.TaskGroup) error {
		group.Go(bob.flood)
		for _, c := range []*client{ann, bob, dan} {
			asyncio.GroupTask(group, c.listen(bob))
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("eve never reads: everybody else got %d lines\n", floodLines)
	heard, err := eve.r.ReadAll(ctx) // what was on its way to her
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("eve reads after all: %w", err)
	}
	if len(heard) >= floodLines*floodLineBytes {
		return errors.New("eve was not disconnected")
	}
	fmt.Println("eve was disconnected")
	return eve.w.Close()
}

// goodbye closes the house under its clients.
func goodbye(ctx context.Context, h *house, server *asyncio.Server, clients []*client) error {
	closing := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error { return h.shut(ctx, server) }))
	for _, c := range clients {
		if err := c.hear(ctx, "* the room is closed"); err != nil {
			return err
		}
		if rest, err := c.r.ReadAll(ctx); err != nil || len(rest) > 0 {
			return fmt.Errorf("%s heard more after the end: %q %w", c.name, rest, err)
		}
		if err := errors.Join(c.w.Close(), c.w.WaitClosed(ctx)); err != nil {
			return fmt.Errorf("%s leaves: %w", c.name, err)
		}
	}
	if _, err := closing.Await(ctx); err != nil {
		return err
	}
	fmt.Println("everybody left")
	return nil
}
