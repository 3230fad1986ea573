// Command bare starts children with os/exec and reads files with package os, each in a
// goroutine: bare SECONDS.
package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"

	"github.com/seed-a026a017/asyncio/bench/internal/cost"
)

const (
	children = 10
	readers  = 10
)

func main() {
	small, large := cost.File(4<<10), cost.File(1<<20)
	defer os.Remove(small)
	defer os.Remove(large)
	cost.Main(
		cost.Work{Name: "a child", Do: one, From: 20},
		cost.Work{Name: "a child of ten at once", Do: ten, From: 20},
		cost.Work{Name: "64 KiB from a child", Do: output, From: 100},
		cost.Work{Name: "a file of 4 KiB", Do: func(n int) { read(small, n) }, From: 100},
		cost.Work{Name: "a file of 1 MiB", Do: func(n int) { read(large, n) }, From: 100},
	)
}

func one(n int) {
	for range n {
		cost.Check(exec.Command("/bin/true").Run())
	}
}

func ten(n int) {
	for ; n > 0; n -= children {
		var wg sync.WaitGroup
		for range children {
			wg.Go(func() { one(1) })
		}
		wg.Wait()
	}
}

// output reads n pieces that a child writes.
func output(n int) {
	c := exec.Command("head", "-c", strconv.Itoa(n<<16), "/dev/zero")
	out, err := c.StdoutPipe()
	cost.Check(err)
	cost.Check(c.Start())
	b := make([]byte, 64<<10)
	for all := 0; ; {
		k, err := out.Read(b)
		all += k
		if err == io.EOF && all == n<<16 {
			break
		}
		cost.Check(err)
	}
	cost.Check(c.Wait())
}

var errShort = errors.New("a file is too short")

// read has ten goroutines, each of which reads the file as often.
func read(name string, n int) {
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for range n / readers {
				b, err := os.ReadFile(name)
				cost.Check(err)
				if len(b) < 4<<10 {
					cost.Check(errShort)
				}
			}
		})
	}
	wg.Wait()
}
