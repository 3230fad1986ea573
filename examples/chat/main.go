// Chat shows many clients that depend on each other, a slow reader, and a graceful end:
// asyncio.start_server, StreamWriter.drain, timeout, Server.close_clients, TaskGroup.
//
// What one client says, all in the room hear. A client's first line is its name, or its
// name and a room, "ann@garden"; who names no room meets the others who did not. Every
// line after that goes to everybody in the room, the sender too, as "name: line". Lines
// that begin with "* " are the room's own.
//
// What becomes of a client that does not read as fast as the others talk? Its lines could
// be dropped, kept in memory without limit, or the others could wait. Here they wait, so
// that everybody gets every line, and memory stays bounded; but not for ever: a client
// that takes nothing for as long as the room waits is disconnected. A client must
// therefore read while it writes.
//
// Without flags it talks to itself. With -listen it serves until Ctrl-C:
//
//	go run ./examples/chat -listen 127.0.0.1:8889
//	nc 127.0.0.1 8889
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
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio"
)

const (
	backlog      = 1024             // clients that may wait to be accepted
	greetTimeMax = 10 * time.Second // for a client to say its name
	stopTimeMax  = 2 * time.Second  // for a client to read its last lines when the house is closed
)

func main() {
	listen := flag.String("listen", "", "serve on this `address` until Ctrl-C; port 0 picks one")
	waitMax := flag.Duration("wait", 10*time.Second, "how long the others wait for a client that does not read")
	flag.Parse()
	run := demo
	if *listen != "" {
		run = func() error { return serve(*listen, *waitMax) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

// serve runs a house until Ctrl-C or SIGTERM.
func serve(address string, waitMax time.Duration) error {
	stop, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	context.AfterFunc(stop, restore) // a second Ctrl-C does not ask
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		h, server, err := start(ctx, address, waitMax)
		if err != nil {
			return err
		}
		fmt.Println("listening on", server.Addrs()[0])
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

// start opens a house. It serves in the background, for as long as the loop runs.
func start(ctx context.Context, address string, waitMax time.Duration) (*house, *asyncio.Server, error) {
	h := &house{rooms: make(map[string]*room), waitMax: waitMax}
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

// house is the rooms that somebody is in. All tasks of the loop share it without a lock:
// only one runs at a time, and none of the methods below is interrupted except where it
// awaits.
type house struct {
	rooms   map[string]*room // by name
	waitMax time.Duration
}

// room is where everybody hears everybody.
type room struct {
	name    string
	house   *house
	members []*member // in the order in which they came
}

type member struct {
	name string
	w    *asyncio.StreamWriter
}

// room finds a room, or opens it for the one who comes first.
func (h *house) room(name string) *room {
	r := h.rooms[name]
	if r == nil {
		r = &room{name: name, house: h}
		h.rooms[name] = r
	}
	return r
}

// enter lets somebody in.
func (r *room) enter(ctx context.Context, name string, w *asyncio.StreamWriter) (*member, error) {
	m := &member{name, w}
	r.members = append(r.members, m)
	return m, r.say(ctx, "* "+name+" joined\n")
}

// leave takes somebody out and tells the others. Nothing is kept of a room that all have
// left.
func (r *room) leave(ctx context.Context, m *member) error {
	r.members = slices.DeleteFunc(r.members, func(other *member) bool { return other == m })
	if len(r.members) == 0 {
		delete(r.house.rooms, r.name)
	}
	return r.say(ctx, "* "+m.name+" left\n")
}

// shut tells everybody that it is over. After that nobody hears how the others leave.
func (r *room) shut(ctx context.Context) error {
	err := r.say(ctx, "* the room is closed\n")
	r.members = nil
	return err
}

// say sends a line to everybody in the room, and then waits until nobody is far behind.
//
// Writing does not suspend, so the line goes to all members before any other task can say
// something: everybody sees the same lines in the same order. The waiting is the
// back-pressure. Who calls say does not read from its own client meanwhile, so that
// client cannot send either: the room talks as fast as its slowest member listens.
func (r *room) say(ctx context.Context, line string) error {
	present := slices.Clone(r.members) // others may come and go while we wait
	for _, m := range present {
		if m.w.IsClosing() {
			continue // on its way out
		}
		if _, err := io.WriteString(m.w, line); err != nil {
			m.w.Transport().Abort() // its connection broke; its own task takes it out
		}
	}
	for _, m := range present {
		if m.w.IsClosing() {
			continue
		}
		err := asyncio.Timeout(ctx, r.house.waitMax, m.w.Drain)
		switch {
		case errors.Is(err, asyncio.ErrTimeout):
			m.w.Transport().Abort() // the room has waited long enough
		case errors.Is(err, asyncio.ErrCancelled):
			return err // it is we who are to end
		case err != nil:
			m.w.Transport().Abort() // its connection broke; its own task takes it out
		}
	}
	return nil
}

// From here on: clients that talk, one in a room of her own, one that is slow, one that
// is stuck, and the end.

const (
	// The flood is more than the kernel keeps for a connection that does not read.
	floodLines     = 2000
	floodLineBytes = 16 << 10
	demoWaitMax    = 2 * time.Second // short, because somebody tries it to its end
)

// demo lets clients talk, flood their room while one of them is slow and another one is
// stuck, and then closes the house.
func demo() error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		h, server, err := start(ctx, "127.0.0.1:0", demoWaitMax)
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
		for _, act := range []func(ctx context.Context, address string, ann, bob, dan *client) error{
			talk, otherRoom, slowReader, stuckReader,
		} {
			if err := act(ctx, address, ann, bob, dan); err != nil {
				return err
			}
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
	_, err := io.WriteString(c.w, line+"\n")
	if err == nil {
		err = c.w.Drain(ctx)
	}
	if err != nil {
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
func talk(ctx context.Context, _ string, ann, bob, dan *client) error {
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

// floodTail is what all lines of the flood end with, behind their number.
var floodTail = strings.Repeat("x", floodLineBytes-len("000000 "))

// floodLine is line i of the flood.
func floodLine(i int) string { return fmt.Sprintf("%06d ", i) + floodTail }

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
func slowReader(ctx context.Context, _ string, ann, bob, dan *client) error {
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

// standstill waits until somebody has received something, and then no more for a while.
func standstill(ctx context.Context, c *client) error {
	for before := -1; c.received == 0 || c.received != before; {
		before = c.received
		if err := asyncio.Sleep(ctx, demoWaitMax/20); err != nil {
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
