//go:build cgo

// FSPoll shows uv_fs_poll_t: a file is looked at again and again, where the kernel tells
// nothing, as on a network's file system.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-a026a017/asyncio/uv"
)

func main() {
	dir, err := os.MkdirTemp("", "fspoll")
	check(err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "log")
	check(os.WriteFile(path, []byte("one line\n"), 0o600))
	l, err := uv.NewLoop()
	check(err)

	watch, err := l.NewFSPoll()
	check(err)
	check(watch.Start(path, 20*time.Millisecond, func(prev, cur fs.FileInfo, err error) {
		if errors.Is(err, fs.ErrNotExist) {
			fmt.Println("the file is gone")
			watch.Close()
			return
		}
		check(err)
		fmt.Printf("%d bytes, before that %d\n", cur.Size(), prev.Size())
		check(os.Remove(path))
	}))
	// The first look is what later ones are compared with, so the file changes after it.
	write, err := l.NewTimer()
	check(err)
	check(write.Start(200*time.Millisecond, 0, func() {
		check(add(path, "and another\n"))
		write.Close()
	}))

	_, err = l.Run(uv.RunDefault)
	check(err)
	check(l.Close())
}

// add appends text in one step: a look in between sees all of it or nothing.
func add(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
