package main

import (
	"net/netip"

	"github.com/seed-a026a017/asyncio/bench/internal/cost"
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
			cost.Check(err)
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
			cost.Check(receiver.Bind(netip.AddrPortFrom(loopback, 0), 0))
			to, err := receiver.LocalAddr()
			cost.Check(err)
			cost.Check(receiver.RecvStart(func(_ uv.Datagram, err error) { cost.Check(err) }))
			var next func(error)
			next = func(err error) {
				if sender.IsClosing() || n == 0 {
					return
				}
				cost.Check(err)
				if n--; n == 0 {
					closeAll()
					return
				}
				cost.Check(sender.Send(datagram, to, next))
			}
			next(nil)
		}
	})
}
