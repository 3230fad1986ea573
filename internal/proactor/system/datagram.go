package system

// The sockets of datagrams. Package net makes them for both drivers, so that addresses
// mean the same.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// PacketConn is what *net.UDPConn and *net.UnixConn have in common.
type PacketConn interface {
	net.Conn
	net.PacketConn
	syscall.Conn
}

// OpenDatagram is proactor.DatagramOpener's, as a conn of package net.
func OpenDatagram(local, remote net.Addr, opt proactor.DatagramOptions) (PacketConn, error) {
	network, err := datagramNetwork(local, remote, opt.V6Only)
	if err != nil {
		return nil, err
	}
	control := func(_, _ string, c syscall.RawConn) (err error) {
		if network == "unixgram" {
			return nil
		}
		return errors.Join(c.Control(func(fd uintptr) { err = setDatagramOptions(fd, opt) }), err)
	}
	var conn any
	if remote == nil {
		config := net.ListenConfig{Control: control}
		conn, err = config.ListenPacket(context.Background(), network, local.String())
	} else {
		dialer := net.Dialer{Control: control, LocalAddr: local}
		conn, err = dialer.Dial(network, remote.String())
	}
	if err != nil {
		return nil, err
	}
	return conn.(PacketConn), nil
}

// datagramNetwork names the network for package net, so that an IPv4 address stays IPv4.
func datagramNetwork(local, remote net.Addr, v6Only bool) (string, error) {
	first := local
	if remote != nil {
		first = remote
	}
	switch a := first.(type) {
	case *net.UDPAddr:
		switch {
		case a.Port < 0 || a.Port > math.MaxUint16:
			return "", &net.AddrError{Err: "invalid port", Addr: a.String()}
		case a.IP.To4() != nil:
			return "udp4", nil
		case v6Only:
			return "udp6", nil
		}
		return "udp", nil
	case *net.UnixAddr:
		if a.Net == "unixgram" {
			return "unixgram", nil
		}
	}
	return "", fmt.Errorf("datagrams of the address %v of type %T: use *net.UDPAddr or a *net.UnixAddr of unixgram: %w",
		first, first, errors.ErrUnsupported)
}

// Peer is an address of datagrams as the calls of a system take it. The zero Peer is the
// one that a connected endpoint has.
type Peer struct {
	AddrPort netip.AddrPort // in the family of the socket
	Name     string         // of a Unix socket
}

// Endpoint is what a driver knows of a datagram socket.
type Endpoint struct {
	Local, Remote net.Addr // Remote: nil if it is not connected
	is4           bool     // an IPv4 socket
}

// EndpointOf asks conn for its addresses.
func EndpointOf(conn PacketConn) Endpoint {
	e := Endpoint{Local: conn.LocalAddr(), Remote: conn.RemoteAddr()}
	if v, ok := e.Local.(*net.UDPAddr); ok {
		e.is4 = v.IP.To4() != nil
	}
	return e
}

// IsUnix reports whether the endpoint is a Unix socket.
func (e *Endpoint) IsUnix() bool {
	_, ok := e.Local.(*net.UnixAddr)
	return ok
}

// Error makes err say what failed, and on what: to, or the peer if that is nil.
func (e *Endpoint) Error(op string, to net.Addr, err error) error {
	var known *net.OpError
	if errors.As(err, &known) {
		return err
	}
	if errno, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError(op, errno)
	}
	if to == nil {
		to = e.Remote
	}
	return &net.OpError{Op: op, Net: e.Local.Network(), Source: e.Local, Addr: to, Err: err}
}

// Peer is addr as the endpoint's system calls take it. The error tells why the endpoint
// cannot send there.
func (e *Endpoint) Peer(addr net.Addr) (Peer, error) {
	switch {
	case addr == nil && e.Remote != nil:
		return Peer{}, nil
	case addr == nil:
		return Peer{}, syscall.EDESTADDRREQ
	case e.Remote != nil:
		return Peer{}, syscall.EISCONN
	}
	switch a := addr.(type) {
	case *net.UDPAddr:
		if !e.IsUnix() && a != nil {
			return e.udpPeer(a)
		}
	case *net.UnixAddr:
		if e.IsUnix() && a != nil && a.Name != "" {
			return Peer{Name: a.Name}, nil
		}
	}
	return Peer{}, &net.AddrError{Err: fmt.Sprintf("a %s endpoint cannot send to an address of type %T", e.Local.Network(), addr), Addr: fmt.Sprint(addr)}
}

func (e *Endpoint) udpPeer(a *net.UDPAddr) (Peer, error) {
	if a.Port < 0 || a.Port > math.MaxUint16 {
		return Peer{}, &net.AddrError{Err: "invalid port", Addr: a.String()}
	}
	ip := a.AddrPort().Addr()
	switch {
	case len(a.IP) == 0 && e.is4: // this host, as for package net
		ip = netip.IPv4Unspecified()
	case len(a.IP) == 0:
		ip = netip.IPv6Unspecified()
	case e.is4:
		ip = ip.Unmap()
		if !ip.Is4() {
			return Peer{}, &net.AddrError{Err: "non-IPv4 address", Addr: a.String()}
		}
	case ip.Is4():
		ip = netip.AddrFrom16(ip.As16())
	}
	if !ip.IsValid() {
		return Peer{}, &net.AddrError{Err: "invalid address", Addr: a.String()}
	}
	return Peer{AddrPort: netip.AddrPortFrom(ip, uint16(a.Port))}, nil
}

// udpAddr is an address with its bytes, so that it takes one allocation: 64 bytes for a
// datagram, where package net takes two. To keep the addresses of peers and compare
// instead saves that, and costs the same time (60 ns against 70).
type udpAddr struct {
	net.UDPAddr
	ip [16]byte
}

// Addr is a Peer as package net writes it; nil for the zero one.
func (p Peer) Addr() net.Addr {
	switch {
	case p.Name != "":
		return &net.UnixAddr{Net: "unixgram", Name: p.Name}
	case p.AddrPort.IsValid():
		a := new(udpAddr)
		ip := p.AddrPort.Addr().Unmap()
		a.Port, a.Zone, a.ip = int(p.AddrPort.Port()), ip.Zone(), ip.As16()
		a.IP = a.ip[:]
		if ip.Is4() {
			a.IP = a.ip[12:16:16]
		}
		return &a.UDPAddr
	}
	return nil
}
