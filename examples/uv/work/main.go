//go:build cgo

// Work shows uv_work_t and uv_random: work that would hold the loop up runs beside it,
// and what has not begun can be cancelled.
package main

import (
	"errors"
	"fmt"
	"log"

	"github.com/seed-a026a017/asyncio/uv"
)

func main() {
	l, err := uv.NewLoop()
	check(err)

	sum := 0
	_, err = l.QueueWork(func() { // on a goroutine
		for i := range 1_000_001 {
			sum += i
		}
	}, func(err error) { // in the loop again
		check(err)
		fmt.Println("the sum is", sum)
	})
	check(err)
	run(l)

	// As many run at a time as the pool has threads; the rest may be cancelled.
	hold := make(chan struct{})
	for range uv.ThreadPoolSize() {
		_, err := l.QueueWork(func() { <-hold }, check)
		check(err)
	}
	late, err := l.QueueWork(func() { log.Fatal("it was cancelled") }, func(err error) {
		fmt.Println("cancelled:", errors.Is(err, uv.ECANCELED))
	})
	check(err)
	check(late.Cancel())
	close(hold)
	run(l)

	key := make([]byte, 16)
	_, err = l.Random(key, check)
	check(err)
	run(l)
	fmt.Println("a key of", len(key), "bytes")
	check(l.Close())
}

func run(l *uv.Loop) {
	_, err := l.Run(uv.RunDefault)
	check(err)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
