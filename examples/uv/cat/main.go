//go:build cgo

// Cat shows uv_fs_t: it prints files, or itself, as libuv's guide does: each step in the
// callback of the one before, each on a thread of libuv's while the loop serves others.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/seed-a026a017/asyncio/uv"
)

func main() {
	l, err := uv.NewLoop()
	check(err)
	if len(os.Args) > 1 {
		for _, name := range os.Args[1:] {
			show(l, name)
		}
	} else {
		demo(l)
	}
	check(l.Close())
}

func show(l *uv.Loop, name string) {
	l.FS().Open(name, os.O_RDONLY, 0, func(f *uv.File, err error) {
		check(err)
		read(f, make([]byte, 64<<10))
	})
	_, err := l.Run(uv.RunDefault)
	check(err)
}

// read prints the next bytes. p is the request's until its callback.
func read(f *uv.File, p []byte) {
	f.Read(p, func(n int, err error) {
		if errors.Is(err, io.EOF) {
			f.Close(check)
			return
		}
		check(err)
		_, err = os.Stdout.Write(p[:n])
		check(err)
		read(f, p)
	})
}

// demo makes a file, prints it, and removes it.
func demo(l *uv.Loop) {
	var name string
	l.FS().CreateTemp("cat-XXXXXX", func(f *uv.File, err error) {
		check(err)
		name = f.Name()
		f.Write([]byte("written and read on libuv's threads\n"), func(_ int, err error) {
			check(err)
			f.Close(check)
		})
	})
	_, err := l.Run(uv.RunDefault)
	check(err)
	show(l, name)
	l.FS().Remove(name, check)
	_, err = l.Run(uv.RunDefault)
	check(err)

	l.FS().Open(name, os.O_RDONLY, 0, func(_ *uv.File, err error) {
		fmt.Println("it is gone:", errors.Is(err, os.ErrNotExist))
	})
	_, err = l.Run(uv.RunDefault)
	check(err)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
