//go:build cgo && unix

// Process shows uv_process_t: a child that sorts what it is given through pipes, one that
// is not there, and one that is ended by a signal.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"syscall"

	"github.com/seed-a026a017/asyncio/uv"
)

func main() {
	l, err := uv.NewLoop()
	check(err)

	sort(l, "pear\napple\nquince\n")
	_, err = l.Run(uv.RunDefault)
	check(err)

	_, err = l.Spawn(uv.SpawnOptions{File: "no-such-program"}, nil)
	fmt.Println("no-such-program is not there:", errors.Is(err, fs.ErrNotExist))

	var sleeper *uv.Process
	sleeper, err = l.Spawn(uv.SpawnOptions{File: "sleep", Args: []string{"sleep", "60"}}, func(s uv.ExitStatus) {
		fmt.Println("sleep was ended by:", s.Signal)
		sleeper.Close()
	})
	check(err)
	check(sleeper.Kill(syscall.SIGTERM))
	_, err = l.Run(uv.RunDefault)
	check(err)
	check(l.Close())
}

// sort gives a child its standard input and prints its standard output. Its exit may come
// before the last of the output.
func sort(l *uv.Loop, text string) {
	in, out := pipe(l), pipe(l)
	var child *uv.Process
	child, err := l.Spawn(uv.SpawnOptions{
		File: "sort",
		Stdio: []uv.StdioContainer{
			{Kind: uv.StdioCreatePipe, Stream: &in.Stream, Flags: uv.StdioReadable},
			{Kind: uv.StdioCreatePipe, Stream: &out.Stream, Flags: uv.StdioWritable},
			{Kind: uv.StdioInheritFD, FD: uintptr(syscall.Stderr)},
		},
	}, func(s uv.ExitStatus) {
		if s != (uv.ExitStatus{}) {
			log.Fatalf("sort has failed: %+v", s)
		}
		child.Close()
	})
	check(err)
	check(out.ReadStart(func(b []byte, err error) {
		if errors.Is(err, io.EOF) {
			out.Close()
			return
		}
		check(err)
		fmt.Printf("%s", b)
	}))
	check(in.Write([]byte(text), nil))
	in.Close() // what was written leaves first
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
