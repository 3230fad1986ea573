// Unix shows an echo over a Unix socket that knows who its peer is:
// asyncio.start_unix_server, open_unix_connection, SO_PEERCRED.
//
// A Unix socket has a path in place of a host and a port, and file permissions in place
// of a firewall. The kernel also says which process and which user is at the other end,
// so a server can tell its clients apart without a password. The file of the socket goes
// when the server closes; one that a crash has left does not keep the next server out.
//
// Without flags it talks to itself. With -listen it serves until Ctrl-C:
//
//	go run ./examples/unix -listen /tmp/echo.sock
//	nc -U /tmp/echo.sock
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/seed-a026a017/asyncio"
)

func main() {
	listen := flag.String("listen", "", "serve on this `path` until Ctrl-C; @name is an abstract one of Linux")
	flag.Parse()
	run := demo
	if *listen != "" {
		run = func() error { return serve(*listen) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "unix:", err)
		os.Exit(1)
	}
}

// handle greets a client by what the kernel knows of it, and then sends back its lines.
func handle(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) (err error) {
	defer func() { err = errors.Join(err, w.Close()) }()
	fmt.Fprintf(w, "hello %s\n", who(w))
	for line, err := range r.Lines(ctx) {
		if err != nil {
			return err
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
		if err := w.Drain(ctx); err != nil {
			return err
		}
	}
	return nil
}

// who says who is at the other end. It asks the socket, not the peer, who could lie.
func who(w *asyncio.StreamWriter) string {
	peer, known := w.ExtraInfo("peercred").(asyncio.PeerCredentials)
	switch {
	case !known:
		return "somebody" // not every system tells
	case peer.PID == os.Getpid():
		return "me"
	}
	return fmt.Sprintf("process %d of user %d", peer.PID, peer.UID)
}

// serve runs the server until Ctrl-C or SIGTERM.
func serve(path string) error {
	stop, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer restore()
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		server, err := asyncio.StartServer(ctx, handle, "unix", path)
		if err != nil {
			return err
		}
		fmt.Println("listening on", server.Addrs()[0])
		return server.ServeForever(ctx)
	}), asyncio.WithContext(stop))
	if stop.Err() != nil && errors.Is(err, asyncio.ErrCancelled) {
		return nil // it was meant to end
	}
	return err
}

// demo serves, talks to itself, and looks at the socket's file.
func demo() error {
	dir, err := os.MkdirTemp("", "unix")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "echo.sock")
	_, err = asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		server, err := asyncio.StartServer(ctx, handle, "unix", path)
		if err != nil {
			return err
		}
		if err := talk(ctx, path); err != nil {
			return err
		}
		server.Close()
		if err := server.WaitClosed(ctx); err != nil {
			return err
		}
		_, err = os.Stat(path)
		fmt.Println("the file of the socket is gone:", errors.Is(err, fs.ErrNotExist))
		return nil
	}))
	return err
}

// talk is a client.
func talk(ctx context.Context, path string) (err error) {
	r, w, err := asyncio.OpenConnection(ctx, "unix", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close(), w.WaitClosed(ctx)) }()
	if _, err := w.Write([]byte("ping\n")); err != nil {
		return err
	}
	for range 2 {
		line, err := r.ReadLine(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("the server says: %s", line)
	}
	fmt.Println("the server is:", who(w))
	return nil
}
