//go:build (linux || darwin) && !goproactor_portable

package goproactor

// What the driver does to sockets of datagrams, on systems that have non-blocking
// descriptors and edge-triggered readiness. The same functions in the same order are in
// packet_portable.go.

import (
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// receiver receives for one endpoint, on the endpoint's goroutine.
type receiver struct {
	g       *datagram
	emptied bool // the last look found nothing more
	closed  bool
	step    func(fd uintptr) bool // the method try
	peek    [1]byte
	zone    zone
}

func newReceiver(g *datagram) *receiver {
	r := &receiver{g: g}
	r.step = r.try
	g.inbox.longest = proactor.DatagramMax
	if g.IsUnix() {
		g.inbox.longest = proactor.UnixDatagramMax
	}
	return r
}

// receive waits until the gate is open and there is something to receive, and fills the
// inbox.
func (r *receiver) receive() error {
	if err := r.g.raw.Read(r.step); err != nil {
		return err
	}
	if r.closed {
		return net.ErrClosed
	}
	return nil
}

// try is false if there is nothing to receive. As for a stream's reader, that must be
// sure, and a look ahead while the loop has the last result spares waking the goroutine
// twice.
func (r *receiver) try(fd uintptr) bool {
	g := r.g
	var failed error // told by the look, and by it alone: the kernel tells an error once
	if r.emptied && g.gate.state.Load() != gateOpen {
		_, _, failed = syscall.Recvfrom(int(fd), r.peek[:], syscall.MSG_PEEK)
		switch failed {
		case syscall.EAGAIN:
			return false
		case syscall.EINTR:
			failed = nil
		}
	}
	if !g.gate.enter() {
		r.closed = true
		return true
	}
	r.emptied = false
	b := &g.inbox
	if failed != nil {
		b.addError(failed)
	}
	for room := b.room(); room != nil; room = b.room() {
		n, from, err := syscall.Recvfrom(int(fd), room, 0)
		switch err {
		case nil:
			b.add(n, r.peer(from))
			continue
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			r.emptied = true
		default: // one for each look: an error that lasts must leave time for others
			b.addError(err)
		}
		break
	}
	if len(b.parts) > 0 {
		return true
	}
	b.drop()
	g.gate.leave()
	return false
}

// peer converts what the kernel says.
func (r *receiver) peer(from syscall.Sockaddr) system.Peer {
	switch a := from.(type) {
	case *syscall.SockaddrInet4:
		return system.Peer{AddrPort: netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))}
	case *syscall.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr)
		if a.ZoneId != 0 {
			ip = ip.WithZone(r.zone.of(a.ZoneId))
		}
		return system.Peer{AddrPort: netip.AddrPortFrom(ip, uint16(a.Port))}
	case *syscall.SockaddrUnix:
		return system.Peer{Name: a.Name}
	}
	return system.Peer{}
}

// zone is the name of an interface: to ask for it takes longer than to receive.
type zone struct {
	id   uint32
	name string
}

func (z *zone) of(id uint32) string {
	if z.id == id {
		return z.name
	}
	z.id, z.name = id, strconv.FormatUint(uint64(id), 10)
	if ifi, err := net.InterfaceByIndex(int(id)); err == nil {
		z.name = ifi.Name
	}
	return z.name
}

// trySend sends p, and returns EAGAIN if that would have to wait. An address with a zone
// is left to waitSend, since package net knows zones.
func (g *datagram) trySend(p []byte, to system.Peer) error {
	var dest syscall.Sockaddr
	a := &g.d.sendTo
	ip := to.AddrPort.Addr()
	switch {
	case ip.Zone() != "":
		return syscall.EAGAIN
	case to.Name != "":
		a.unix = syscall.SockaddrUnix{Name: to.Name}
		dest = &a.unix
	case ip.Is4():
		a.inet4.Port, a.inet4.Addr = int(to.AddrPort.Port()), ip.As4()
		dest = &a.inet4
	case ip.Is6():
		a.inet6.Port, a.inet6.Addr = int(to.AddrPort.Port()), ip.As16()
		dest = &a.inet6
	}
	err := syscall.EINTR
	for err == syscall.EINTR {
		err = errnoOf(syscall.Sendto(g.fd, p, 0, dest))
	}
	if err == 0 {
		return nil
	}
	return err
}

// sockaddrs is scratch memory of trySend.
type sockaddrs struct {
	inet4 syscall.SockaddrInet4
	inet6 syscall.SockaddrInet6
	unix  syscall.SockaddrUnix
}

func errnoOf(err error) syscall.Errno {
	errno, _ := err.(syscall.Errno)
	return errno
}
