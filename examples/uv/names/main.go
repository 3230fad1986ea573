//go:build cgo

// Names shows uv_getaddrinfo and uv_getnameinfo: requests, which can be cancelled while
// they wait for one of libuv's threads.
package main

import (
	"errors"
	"fmt"
	"log"
	"net/netip"
	"syscall"

	"github.com/seed-a026a017/asyncio/uv"
)

func main() {
	l, err := uv.NewLoop()
	check(err)

	hints := uv.AddrInfoHints{Family: syscall.AF_INET, SockType: syscall.SOCK_STREAM}
	_, err = l.GetAddrInfo("localhost", "80", hints, func(list []uv.AddrInfo, err error) {
		check(err)
		fmt.Println("localhost is", list[0].Addr)
	})
	check(err)
	_, err = l.Run(uv.RunDefault)
	check(err)

	_, err = l.GetNameInfo(netip.MustParseAddrPort("127.0.0.1:22"), 0, func(host, service string, err error) {
		check(err)
		fmt.Println("127.0.0.1:22 is", host, service)
	})
	check(err)
	_, err = l.Run(uv.RunDefault)
	check(err)

	for range 100 {
		req, err := l.GetAddrInfo("localhost", "", uv.AddrInfoHints{}, func(_ []uv.AddrInfo, err error) {
			if err != nil && !errors.Is(err, uv.ECANCELED) {
				log.Fatal(err)
			}
		})
		check(err)
		_ = req.Cancel() // EBUSY for those that run already
	}
	_, err = l.Run(uv.RunDefault)
	check(err)
	fmt.Println("a hundred requests have ended, most of them cancelled")
	check(l.Close())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
