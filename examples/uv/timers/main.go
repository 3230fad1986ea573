//go:build cgo

// Timers shows uv_timer_t: one that fires once, one that repeats, and one that is put off
// for as long as something happens, like a time limit for silence.
package main

import (
	"fmt"
	"log"
	"time"

	"github.com/seed-a026a017/asyncio/uv"
)

func main() {
	l, err := uv.NewLoop()
	check(err)

	once := timer(l)
	check(once.Start(10*time.Millisecond, 0, func() {
		fmt.Println("once")
		once.Close()
	}))

	ticks := 0
	repeating := timer(l)
	check(repeating.Start(30*time.Millisecond, 30*time.Millisecond, func() {
		ticks++
		fmt.Println("tick", ticks)
		if ticks == 3 {
			repeating.Close()
		}
	}))

	// Again starts a repeating timer anew. As long as that happens more often than its
	// interval, it does not fire.
	silence := timer(l)
	check(silence.Start(200*time.Millisecond, 200*time.Millisecond, func() {
		fmt.Println("silence")
		silence.Close()
	}))
	noise, left := timer(l), 5
	check(noise.Start(20*time.Millisecond, 20*time.Millisecond, func() {
		check(silence.Again())
		if left--; left == 0 {
			fmt.Println("no more noise")
			noise.Close()
		}
	}))

	// The loop runs as long as anything of it is alive: now no timer is any more.
	_, err = l.Run(uv.RunDefault)
	check(err)
	check(l.Close())
}

func timer(l *uv.Loop) *uv.Timer {
	t, err := l.NewTimer()
	check(err)
	return t
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
