//go:build cgo

// Datagrams shows uv_udp_t: a server that is asked the time, and a client that asks again
// when no answer comes, because nobody tells of a datagram that was lost.
package main

import (
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/seed-a026a017/asyncio/uv"
)

const patience = time.Second

func main() {
	l, err := uv.NewLoop()
	check(err)
	server := socket(l)
	check(server.Bind(netip.MustParseAddrPort("127.0.0.1:0"), 0))
	addr, err := server.LocalAddr()
	check(err)

	asked := 0
	check(server.RecvStart(func(d uv.Datagram, err error) {
		check(err)
		if asked++; asked == 1 {
			fmt.Println("server: this one is lost")
			return
		}
		fmt.Printf("server: %s\n", d.Data)
		check(server.Send([]byte("twenty past eight"), d.Addr, nil))
	}))

	client := socket(l)
	check(client.Connect(addr)) // from then on only the server is heard
	again, err := l.NewTimer()
	check(err)
	ask := func() {
		fmt.Println("client: what time is it?")
		check(client.Send([]byte("what time is it?"), netip.AddrPort{}, nil))
	}
	check(again.Start(patience, patience, ask))
	check(client.RecvStart(func(d uv.Datagram, err error) {
		check(err)
		fmt.Printf("client: %s\n", d.Data)
		client.Close()
		server.Close()
		again.Close()
	}))
	ask()

	_, err = l.Run(uv.RunDefault)
	check(err)
	check(l.Close())
}

func socket(l *uv.Loop) *uv.UDP {
	u, err := l.NewUDP(uv.UDPOptions{})
	check(err)
	return u
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
