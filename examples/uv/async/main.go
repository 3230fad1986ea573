//go:build cgo

// Async shows uv_async_t: a goroutine computes, and tells the loop how far it is.
//
// Everything of a loop belongs to the goroutine that runs it, but for Async.Send and
// Loop.Post. Sends that come before the loop has looked are one: so the callback takes
// all that is there, and not one thing for each call.
package main

import (
	"fmt"
	"log"
	"sync/atomic"

	"github.com/seed-a026a017/asyncio/uv"
)

const goal = 1_000_000

func main() {
	l, err := uv.NewLoop()
	check(err)
	var done atomic.Int64
	var progress *uv.Async
	progress, err = l.NewAsync(func() {
		if done.Load() == goal {
			fmt.Println("all done")
			progress.Close()
		}
	})
	check(err)

	go func() {
		for i := range int64(goal) {
			done.Store(i + 1)
			if i%1000 == 0 {
				check(progress.Send())
			}
		}
		check(progress.Send())
		check(l.Post(func() { fmt.Println("this function runs in the loop, too") }))
	}()

	_, err = l.Run(uv.RunDefault)
	check(err)
	check(l.Close())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
