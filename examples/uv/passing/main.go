//go:build cgo && unix

// Passing shows uv_write2: one end of a pipe hands a listening socket to the other, as a
// server does that is replaced without a moment in which nobody listens.
package main

import (
	"fmt"
	"log"
	"net/netip"
	"syscall"

	"github.com/seed-a026a017/asyncio/uv"
)

func main() {
	l, err := uv.NewLoop()
	check(err)
	fds, err := uv.SocketPair(syscall.SOCK_STREAM, 0, true, true)
	check(err)
	older, newer := ipc(l, fds[0]), ipc(l, fds[1])

	// The older server has a socket that clients connect to.
	socket, err := l.NewTCP()
	check(err)
	check(socket.Bind(netip.MustParseAddrPort("127.0.0.1:0"), 0))
	check(socket.Listen(128, func(*uv.TCP, error) { log.Fatal("the older server was asked to stop") }))
	addr, err := socket.LocalAddr()
	check(err)

	check(newer.ReadStartHandles(func(b []byte, handles []uv.Handle, err error) {
		check(err)
		fmt.Printf("the newer server has got %q and %d socket\n", b, len(handles))
		serve(handles[0].(*uv.TCP))
		older.Close()
		newer.Close()
	}))
	check(older.WriteHandle([]byte("take over"), socket, func(err error) {
		check(err)
		socket.Close() // the newer server's is another one of the same
		client(l, addr)
	}))

	_, err = l.Run(uv.RunDefault)
	check(err)
	check(l.Close())
}

func ipc(l *uv.Loop, fd uintptr) *uv.Pipe {
	p, err := l.NewPipeIPC()
	check(err)
	check(p.OpenFD(fd))
	return p
}

// serve answers one client.
func serve(socket *uv.TCP) {
	check(socket.Listen(128, func(conn *uv.TCP, err error) {
		check(err)
		check(conn.Write([]byte("hello from the newer server"), nil))
		conn.Close()
		socket.Close()
	}))
}

func client(l *uv.Loop, addr netip.AddrPort) {
	c, err := l.NewTCP()
	check(err)
	check(c.Connect(addr, func(err error) {
		check(err)
		check(c.ReadStart(func(b []byte, err error) {
			if err == nil {
				fmt.Printf("client: %s\n", b)
				c.Close()
			}
		}))
	}))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
