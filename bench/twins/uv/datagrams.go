package main

import (
	"net/netip"

	"github.com/seed-a026a017/asyncio/uv"
)

// udpPummel has pairs of sockets: a sender sends the next datagram when the last has
// left.
func udpPummel(n, pairs int) {
	datagram := make([]byte, datagramBytes)
	on(func(l *uv.Loop) {
		var all []*uv.UDP
		socket := func() *uv.UDP {
			u, err := l.NewUDP(uv.UDPOptions{})
			check(err)
			all = append(all, u)
			return u
		}
		closeAll := func() {
			for _, u := range all {
				u.Close()
			}
		}
		for range pairs {
			receiver, sender := socket(), socket()
			check(receiver.Bind(netip.AddrPortFrom(loopback, 0), 0))
			to, err := receiver.LocalAddr()
			check(err)
			check(receiver.RecvStart(func(_ uv.Datagram, err error) { check(err) }))
			var next func(error)
			next = func(err error) {
				if sender.IsClosing() || n == 0 {
					return
				}
				check(err)
				if n--; n == 0 {
					closeAll()
					return
				}
				check(sender.Send(datagram, to, next))
			}
			next(nil)
		}
	})
}
