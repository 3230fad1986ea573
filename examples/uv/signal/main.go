//go:build cgo && unix

// Signal shows uv_signal_t: two handles that hear of the same signal, one of them once.
//
// Signals come through package os/signal, so they are also Go's: when the last handle has
// stopped, a signal does again what it does in any Go program.
package main

import (
	"fmt"
	"log"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/uv"
)

func main() {
	l, err := uv.NewLoop()
	check(err)

	once, err := l.NewSignal()
	check(err)
	check(once.StartOneshot(syscall.SIGUSR1, func(sig syscall.Signal) {
		fmt.Println("once:", sig)
		once.Close()
	}))

	heard := 0
	always, err := l.NewSignal()
	check(err)
	raise := func() { check(uv.Kill(os.Getpid(), syscall.SIGUSR1)) }
	check(always.Start(syscall.SIGUSR1, func(sig syscall.Signal) {
		heard++
		fmt.Println("always:", sig, heard)
		if heard == 3 {
			always.Close()
			return
		}
		raise()
	}))
	raise()

	_, err = l.Run(uv.RunDefault)
	check(err)
	check(l.Close())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
