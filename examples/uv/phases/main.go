//go:build cgo

// Phases shows uv_idle_t, uv_prepare_t and uv_check_t: what runs before and after a turn
// looks for events, and what keeps the loop from waiting for them.
package main

import (
	"fmt"
	"log"

	"github.com/seed-a026a017/asyncio/uv"
)

func main() {
	l, err := uv.NewLoop()
	check(err)
	idle, err := l.NewIdle()
	check(err)
	before, err := l.NewPrepare()
	check(err)
	after, err := l.NewCheck()
	check(err)

	// Idle is for work in small pieces: the loop goes on to serve everything else between
	// them, and does not sleep.
	sum, next := 0, 1
	check(idle.Start(func() {
		sum += next
		fmt.Println("idle: a piece of work,", sum)
		if next++; next > 3 {
			idle.Close()
		}
	}))
	check(before.Start(func() { fmt.Println("prepare: the loop looks for events now") }))
	turns := 0
	check(after.Start(func() {
		turns++
		fmt.Println("check: it has looked", turns)
		if turns == 3 {
			before.Close()
			after.Close()
		}
	}))

	_, err = l.Run(uv.RunDefault)
	check(err)
	check(l.Close())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
