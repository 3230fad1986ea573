// Websocket_chat shows a chat over WebSockets whose room lives on a loop: net/http and
// coder/websocket, unmodified, on both ends.
//
// The server is an http.Server on Loop.Listen. Its handlers run in goroutines, as ever,
// and wait there for their peers, fast or slow. What they share is the loop's: the room
// is a map without a lock, and every change of it a callback or task. The clients are
// tasks, which the library suspends where it waits.
//
// Without flags it talks to itself. With -listen it serves until Ctrl-C:
//
//	go run ./examples/websocket_chat -listen localhost:8080
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/coder/websocket"

	"github.com/seed-a026a017/asyncio"
)

func main() {
	listen := flag.String("listen", "", "serve on this `address` until Ctrl-C")
	flag.Parse()
	stop, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	main := demo
	if *listen != "" {
		main = func(ctx context.Context) error {
			return serve(ctx, *listen, func(ctx context.Context, address net.Addr) error {
				fmt.Println("listening on", address)
				return asyncio.Sleep(ctx, asyncio.Forever)
			})
		}
	}
	_, err := asyncio.Run(asyncio.Do(main), asyncio.WithContext(stop))
	if err != nil && stop.Err() == nil {
		fmt.Fprintln(os.Stderr, "websocket_chat:", err)
		os.Exit(1)
	}
}

// room is the members by their names, each with the lines that it has yet to get. It is
// the loop's: only its tasks and callbacks touch it.
type room map[string]chan string

// linesMax is how many lines a member may be behind.
const linesMax = 100

// tell gives everybody a line. Who does not keep up misses some.
func (r room) tell(line string) {
	for _, lines := range r {
		select {
		case lines <- line:
		default:
		}
	}
}

func (r room) join(name string) (<-chan string, error) {
	if r[name] != nil {
		return nil, fmt.Errorf("%s is here already", name)
	}
	r[name] = make(chan string, linesMax)
	r.tell("* " + name + " has come")
	return r[name], nil
}

func (r room) leave(name string) {
	close(r[name])
	delete(r, name)
	r.tell("* " + name + " has left")
}

// member is a session, from the name in the first message to the end. It runs in the
// goroutine of a handler.
func (r room) member(ctx context.Context, loop *asyncio.Loop, ws *websocket.Conn) error {
	_, name, err := ws.Read(ctx)
	if err != nil {
		return err
	}
	me := string(name)
	join := func(context.Context) (<-chan string, error) { return r.join(me) }
	lines, err := asyncio.RunCoroutineThreadsafe(loop, join).Result(ctx)
	if err != nil {
		return err
	}
	defer loop.CallSoonThreadsafe(func() { r.leave(me) })
	go func() {
		for line := range lines {
			if ws.Write(ctx, websocket.MessageText, []byte(line)) != nil {
				return
			}
		}
	}()
	for {
		_, line, err := ws.Read(ctx)
		if err != nil {
			return err
		}
		if _, err := loop.CallSoonThreadsafe(func() { r.tell(me + ": " + string(line)) }); err != nil {
			return err
		}
	}
}

// serve has a room at address while body runs.
func serve(ctx context.Context, address string, body func(ctx context.Context, address net.Addr) error) error {
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	ln, err := loop.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	r := make(room)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ws, err := websocket.Accept(w, req, nil)
		if err != nil {
			return // it has answered
		}
		defer ws.CloseNow()
		err = r.member(req.Context(), loop, ws)
		if websocket.CloseStatus(err) == -1 { // the peer has not ended it
			_ = ws.Close(websocket.StatusPolicyViolation, err.Error())
		}
	})}
	go func() { _ = server.Serve(ln) }()
	err = body(ctx, ln.Addr())
	return errors.Join(err, server.Close()) // not Shutdown, which would wait for the loop
}

// demo is two people who talk, and a third who takes a name that is taken.
func demo(ctx context.Context) error {
	return serve(ctx, "127.0.0.1:0", func(ctx context.Context, address net.Addr) error {
		ann, err := enter(ctx, address, "ann", "* ann has come")
		if err != nil {
			return err
		}
		bob, err := enter(ctx, address, "bob", "* bob has come")
		if err != nil {
			return err
		}
		if err := ann.say(ctx, "hello, bob"); err != nil {
			return err
		}
		if err := bob.hears(ctx, "ann: hello, bob"); err != nil {
			return err
		}
		if _, err = enter(ctx, address, "ann", ""); err == nil {
			return errors.New("two are called ann")
		}
		fmt.Println("the other ann:", websocket.CloseStatus(err))
		if err := bob.leave(ctx); err != nil {
			return err
		}
		for _, line := range []string{"* bob has come", "ann: hello, bob", "* bob has left"} {
			if err := ann.hears(ctx, line); err != nil {
				return err
			}
		}
		return ann.leave(ctx)
	})
}

// client is one who takes part.
type client struct {
	name string
	ws   *websocket.Conn
}

// enter connects, takes a name and hears the first line. To dial is left to a thread:
// package http makes goroutines for it, which wait for the loop.
func enter(ctx context.Context, address net.Addr, name, first string) (*client, error) {
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return nil, err
	}
	ws, err := asyncio.ToThread(ctx, func(ctx context.Context) (*websocket.Conn, error) {
		transport := &http.Client{Transport: &http.Transport{DialContext: loop.DialContext}}
		ws, _, err := websocket.Dial(ctx, "ws://"+address.String(), &websocket.DialOptions{HTTPClient: transport})
		return ws, err
	})
	if err != nil {
		return nil, err
	}
	c := &client{name, ws}
	if err := c.say(ctx, name); err != nil {
		return nil, err
	}
	return c, c.hears(ctx, first)
}

func (c *client) say(ctx context.Context, line string) error {
	return c.ws.Write(ctx, websocket.MessageText, []byte(line))
}

// hears waits for the next line, which is to be this one.
func (c *client) hears(ctx context.Context, want string) error {
	_, line, err := c.ws.Read(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%s hears %q\n", c.name, line)
	if string(line) != want {
		return fmt.Errorf("%s hears %q and not %q", c.name, line, want)
	}
	return nil
}

// leave closes the connection, and waits for the answer: in a thread, as the library
// waits for that with a lock.
func (c *client) leave(ctx context.Context) error {
	_, err := asyncio.ToThread(ctx, func(context.Context) (asyncio.None, error) {
		return asyncio.None{}, c.ws.Close(websocket.StatusNormalClosure, "")
	})
	return err
}
