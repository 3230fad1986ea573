//go:build cgo

// FSEvent shows uv_fs_event_t: a directory is watched, the kernel tells what changes.
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/seed-a026a017/asyncio/uv"
)

func main() {
	dir, err := os.MkdirTemp("", "fsevent")
	check(err)
	defer os.RemoveAll(dir)
	l, err := uv.NewLoop()
	check(err)

	watch, err := l.NewFSEvent()
	check(err)
	seen := map[string]bool{}
	check(watch.Start(dir, 0, func(name string, events uv.FSEvents, err error) {
		check(err)
		what := "changed"
		if events&uv.FSRename != 0 {
			what = "came or went"
		}
		if seen[name+what] {
			return // a write may be told more than once
		}
		seen[name+what] = true
		fmt.Println(name, what)
		if name == "b" {
			watch.Close()
		}
	}))
	path := filepath.Join(dir, "a")
	check(os.WriteFile(path, []byte("text"), 0o600))
	check(os.Rename(path, filepath.Join(dir, "b")))

	_, err = l.Run(uv.RunDefault)
	check(err)
	check(l.Close())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
