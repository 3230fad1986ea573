//go:build cgo && unix

// Poll shows uv_poll_t: a descriptor that a library of somebody else's owns is watched,
// and the library is called when there is something for it to do.
package main

import (
	"fmt"
	"log"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/uv"
)

func main() {
	l, err := uv.NewLoop()
	check(err)
	fds, err := uv.SocketPair(syscall.SOCK_STREAM, 0, true, true)
	check(err)
	defer syscall.Close(int(fds[0]))

	p, err := l.NewPoll(fds[0])
	check(err)
	check(p.Start(uv.Readable|uv.Disconnect, func(events uv.PollEvents, err error) {
		check(err)
		if events&uv.Readable != 0 {
			// It tells of that in each turn, until somebody has read what is there.
			b := make([]byte, 16)
			n, err := syscall.Read(int(fds[0]), b)
			check(err)
			if n > 0 {
				fmt.Printf("readable: %s\n", b[:n])
			}
		}
		if events&uv.Disconnect != 0 {
			fmt.Println("the peer is gone")
			p.Close() // before the owner closes the descriptor
		}
	}))

	t, err := l.NewTimer()
	check(err)
	words := []string{"one", "two", "three"}
	check(t.Start(0, 0, func() { send(t, fds[1], words) }))

	_, err = l.Run(uv.RunDefault)
	check(err)
	check(l.Close())
}

// send writes a word every 20 ms, and then closes the descriptor.
func send(t *uv.Timer, fd uintptr, words []string) {
	if len(words) == 0 {
		check(syscall.Close(int(fd)))
		t.Close()
		return
	}
	_, err := syscall.Write(int(fd), []byte(words[0]))
	check(err)
	check(t.Start(20*time.Millisecond, 0, func() { send(t, fd, words[1:]) }))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
