package main

import (
	"errors"
	"io/fs"

	"github.com/seed-a026a017/asyncio/bench/internal/cost"
	"github.com/seed-a026a017/asyncio/uv"
)

// fsStat has peers requests under way, each of which asks again when it is answered.
func fsStat(n int) {
	on(func(l *uv.Loop) {
		files := l.FS()
		var next func(fs.FileInfo, error)
		next = func(_ fs.FileInfo, err error) {
			cost.Check(err)
			if n == 0 {
				return
			}
			n--
			files.Stat(".", next)
		}
		for range peers {
			next(nil, nil)
		}
	})
}

var errChild = errors.New("the child has failed")

// spawn has one child after the other.
func spawn(n int) {
	on(func(l *uv.Loop) {
		var next func()
		next = func() {
			var child *uv.Process
			child, err := l.Spawn(uv.SpawnOptions{File: "/bin/true"}, func(s uv.ExitStatus) {
				if s != (uv.ExitStatus{}) {
					cost.Check(errChild)
				}
				child.Close()
				if n--; n > 0 {
					next()
				}
			})
			cost.Check(err)
		}
		next()
	})
}
