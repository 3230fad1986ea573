//go:build cgo

// TCP shows uv_tcp_t: an echo and its client, in callbacks.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/netip"

	"github.com/seed-a026a017/asyncio/uv"
)

func main() {
	l, err := uv.NewLoop()
	check(err)
	server := listen(l)
	addr, err := server.LocalAddr()
	check(err)

	client, err := l.NewTCP()
	check(err)
	check(client.Connect(addr, func(err error) {
		check(err)
		fmt.Println("client: connected")
		check(client.Write([]byte("hello, world"), func(err error) {
			check(err)
			fmt.Println("client: the kernel has all of it")
		}))
		check(client.CloseWrite(nil)) // the end follows what was written
		check(client.ReadStart(func(b []byte, err error) {
			if errors.Is(err, io.EOF) {
				fmt.Println("client: the end")
				client.Close()
				server.Close() // so that nothing is alive any more
				return
			}
			check(err)
			fmt.Printf("client: %s\n", b)
		}))
	}))

	_, err = l.Run(uv.RunDefault)
	check(err)
	check(l.Close())
}

// listen serves an echo. b is valid until the callback returns, and Write takes no hold
// of it.
func listen(l *uv.Loop) *uv.TCP {
	server, err := l.NewTCP()
	check(err)
	check(server.Bind(netip.MustParseAddrPort("127.0.0.1:0"), 0))
	check(server.Listen(128, func(conn *uv.TCP, err error) {
		check(err)
		check(conn.ReadStart(func(b []byte, err error) {
			switch {
			case errors.Is(err, io.EOF):
				conn.Close() // what was written leaves first
			case err != nil:
				conn.Abort()
			default:
				check(conn.Write(b, nil))
			}
		}))
	}))
	return server
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
