//go:build !(linux || darwin) || goproactor_portable

package goproactor

// What the driver does to sockets of datagrams where it can only wait, which is Windows.
// A goroutine that waits holds memory for the longest datagram.

import (
	"net"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// receiver receives for one endpoint, on the endpoint's goroutine.
type receiver struct{ g *datagram }

func newReceiver(g *datagram) *receiver {
	g.inbox.longest = proactor.UnixDatagramMax
	return &receiver{g: g}
}

// receive waits until the gate is open, and then for a datagram.
func (r *receiver) receive() error {
	g := r.g
	if !g.gate.enter() {
		return net.ErrClosed
	}
	b := &g.inbox
	room := b.room()
	var from system.Peer
	var n int
	var err error
	switch c := g.conn.(type) {
	case *net.UDPConn:
		n, from.AddrPort, err = c.ReadFromUDPAddrPort(room)
	case *net.UnixConn:
		var addr *net.UnixAddr
		n, addr, err = c.ReadFromUnix(room)
		if addr != nil {
			from.Name = addr.Name
		}
	}
	if err != nil {
		if g.gate.state.Load() == gateClosed {
			b.drop()
			return net.ErrClosed
		}
		return err
	}
	b.add(n, from)
	return nil
}

// trySend cannot try without waiting here.
func (g *datagram) trySend([]byte, system.Peer) error { return syscall.EAGAIN }

// sockaddrs is not needed here.
type sockaddrs struct{}
