//go:build cgo && unix

// TTY shows uv_tty_t: keys one by one, without Enter, and the size of the window.
//
// In a terminal it prints the keys that are pressed, and the size when it changes, until
// q. Elsewhere, as in a pipe, there is nothing to set, and it says so.
package main

import (
	"fmt"
	"log"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/uv"
)

func main() {
	stdin := os.Stdin.Fd()
	if uv.GuessHandle(stdin) != uv.TTYHandle {
		fmt.Println("the standard input is no terminal")
		return
	}
	l, err := uv.NewLoop()
	check(err)
	keys, err := l.NewTTY(stdin)
	check(err)
	check(keys.SetMode(uv.TTYRaw)) // Close sets it back, and so would a panic

	size := func(syscall.Signal) {
		cols, rows, err := keys.WinSize()
		check(err)
		fmt.Printf("%d columns, %d rows\r\n", cols, rows)
	}
	resized, err := l.NewSignal()
	check(err)
	check(resized.Start(syscall.SIGWINCH, size))
	size(syscall.SIGWINCH)

	check(keys.ReadStart(func(b []byte, err error) {
		check(err)
		fmt.Printf("%q\r\n", b)
		if b[0] == 'q' || b[0] == 3 { // Ctrl-C is a key like others now
			keys.Close()
			resized.Close()
		}
	}))
	_, err = l.Run(uv.RunDefault)
	check(err)
	check(l.Close())
}

func check(err error) {
	if err != nil {
		_ = uv.ResetTTY()
		log.Fatal(err)
	}
}
