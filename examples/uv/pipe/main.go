//go:build cgo

// Pipe shows uv_pipe_t: a Unix socket, and both ends of a pipe.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/seed-a026a017/asyncio/uv"
)

func main() {
	l, err := uv.NewLoop()
	check(err)
	dir, err := os.MkdirTemp("", "pipe")
	check(err)
	defer os.RemoveAll(dir)
	socket(l, filepath.Join(dir, "s"))
	_, err = l.Run(uv.RunDefault)
	check(err)
	ends(l)
	_, err = l.Run(uv.RunDefault)
	check(err)
	check(l.Close())
}

// socket greets whoever connects to a path.
func socket(l *uv.Loop, path string) {
	server := pipe(l)
	check(server.Bind(path))
	check(server.Listen(128, func(conn *uv.Pipe, err error) {
		check(err)
		check(conn.Write([]byte("hello over a Unix socket"), nil))
		conn.Close()
		server.Close()
	}))
	client := pipe(l)
	check(client.Connect(path, func(err error) {
		check(err)
		printAll(client)
	}))
}

// ends opens the two descriptors of a pipe, which the handles own from then on.
func ends(l *uv.Loop) {
	fds, err := uv.PipePair(true, true)
	check(err)
	r, w := pipe(l), pipe(l)
	check(r.OpenFD(fds[0]))
	check(w.OpenFD(fds[1]))
	printAll(r)
	check(w.Write([]byte("hello through a pipe"), nil))
	w.Close()
}

func printAll(p *uv.Pipe) {
	check(p.ReadStart(func(b []byte, err error) {
		if errors.Is(err, io.EOF) {
			fmt.Println("the end")
			p.Close()
			return
		}
		check(err)
		fmt.Printf("%s\n", b)
	}))
}

func pipe(l *uv.Loop) *uv.Pipe {
	p, err := l.NewPipe()
	check(err)
	return p
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
