//go:build cgo

package uvproactor

// An endpoint of datagrams is a handle of libuv's, on a duplicate of a descriptor that
// package net has opened. uv gathers what is sent, and keeps what the kernel does not
// take.

import (
	"fmt"
	"net"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
	"github.com/seed-a026a017/asyncio/uv"
)

// datagram implements proactor.Datagram.
type datagram struct {
	system.Endpoint
	d    *driver
	u    *uv.UDP
	h    proactor.DatagramHandler
	done func(error) // the method sent

	since    uint64 // the Poll before which what is buffered now began to be; 0: it was left behind
	buffered int    // after the last call that may have changed it
}

func (d *driver) OpenDatagram(local, remote net.Addr, opt proactor.DatagramOptions) (proactor.Datagram, error) {
	if d.closed {
		return nil, fmt.Errorf("datagrams: the proactor is closed: %w", net.ErrClosed)
	}
	conn, err := system.OpenDatagram(local, remote, opt)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	g := &datagram{Endpoint: system.EndpointOf(conn), d: d}
	g.done = g.sent
	size := proactor.DatagramMax
	if g.IsUnix() {
		size = proactor.UnixDatagramMax
	}
	if g.u, err = d.loop.NewUDP(uv.UDPOptions{Recvmmsg: true, RecvSize: size}); err != nil {
		return nil, err
	}
	if err := openConn(conn, g.u.OpenFD); err != nil {
		g.u.Close()
		return nil, err
	}
	return g, nil
}

func (g *datagram) SetHandler(h proactor.DatagramHandler) { g.h = h }

func (g *datagram) ReadStart() {
	var err error
	if g.IsUnix() {
		err = g.u.RecvStartUnix(func(d uv.Datagram, from string, err error) {
			g.received(d.Data, system.Peer{Name: from}, err)
		})
	} else {
		err = g.u.RecvStart(func(d uv.Datagram, err error) {
			g.received(d.Data, system.Peer{AddrPort: d.Addr}, err)
		})
	}
	if err != nil && !g.u.IsClosing() {
		g.fail("read", nil, err)
	}
}

func (g *datagram) ReadStop() { _ = g.u.RecvStop() } // it fails on a closed endpoint only

func (g *datagram) received(b []byte, from system.Peer, err error) {
	switch {
	case g.d.closed:
	case err != nil:
		g.h.Failed(g.Error("read", nil, err))
	case g.Remote != nil:
		g.h.Received(b, g.Remote)
	default:
		g.h.Received(b, from.Addr())
	}
}

func (g *datagram) SendTo(p []byte, addr net.Addr) {
	if g.u.IsClosing() {
		return
	}
	to, err := g.Peer(addr)
	if err != nil {
		g.fail("write", addr, err)
		return
	}
	if g.u.SendQueueCount() == 0 {
		g.since = g.d.polls
	}
	if g.IsUnix() {
		err = g.u.SendUnix(p, to.Name, g.done)
	} else {
		err = g.u.Send(p, to.AddrPort, g.done)
	}
	if err != nil {
		g.fail("write", addr, err)
	}
	g.buffered = g.Buffered()
}

func (g *datagram) Flush() {
	_ = g.u.Flush() // it fails on a closed endpoint only
	g.buffered = g.Buffered()
	if g.buffered > 0 {
		g.since = 0
	}
}

func (g *datagram) Buffered() int {
	if g.u.IsClosing() {
		return 0
	}
	return g.u.SendQueueSize() + g.u.SendQueueCount()*proactor.DatagramOverheadBytes
}

// sent is the end of each datagram. Its error is told later, so that what a handler sends
// then does not hide that there was less.
func (g *datagram) sent(err error) {
	if g.d.closed || g.u.IsClosing() {
		return
	}
	if err != nil {
		g.fail("write", nil, err)
	}
	now := g.Buffered()
	if g.since+1 < g.d.polls && now < g.buffered {
		g.buffered = now
		g.h.Drained()
	}
}

// fail tells the error of a method, from a later Poll.
func (g *datagram) fail(op string, to net.Addr, err error) {
	err = g.Error(op, to, err)
	g.d.later(func() {
		if !g.u.IsClosing() {
			g.h.Failed(err)
		}
	})
}

func (g *datagram) Close() {
	if g.u.IsClosing() {
		return
	}
	g.u.CloseWith(func() {
		if g.h != nil && !g.d.closed {
			g.h.Closed()
		}
	})
}

func (g *datagram) LocalAddr() net.Addr  { return g.Local }
func (g *datagram) RemoteAddr() net.Addr { return g.Remote }

func (g *datagram) FD() int {
	fd, err := g.u.Fd()
	if err != nil {
		return -1
	}
	return int(fd)
}
