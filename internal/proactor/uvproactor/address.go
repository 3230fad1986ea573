//go:build cgo

package uvproactor

// Addresses, and what depends on their kind.

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"time"

	"github.com/seed-a026a017/asyncio/uv"
)

// keepAliveDelay is when the first probe goes out on an idle connection that keeps alive.
const keepAliveDelay = 60 * time.Second

// mismatched is for a local address of another type than the peer's.
func mismatched(local net.Addr) error {
	return fmt.Errorf("connect from %w", &net.AddrError{Err: "mismatched local address type", Addr: local.String()})
}

// addrPort converts an address, an IPv4 one in its short form. One that names no host is
// host.
func addrPort(a *net.TCPAddr, host netip.Addr) (netip.AddrPort, error) {
	if a.Port < 0 || a.Port > math.MaxUint16 {
		return netip.AddrPort{}, &net.AddrError{Err: "invalid port", Addr: a.String()}
	}
	if len(a.IP) > 0 {
		host = a.AddrPort().Addr().Unmap()
	}
	return netip.AddrPortFrom(host, uint16(a.Port)), nil
}

// addresses are those of a stream. A socket that is gone has none.
func addresses(h uv.Handle) (local, remote net.Addr) {
	switch c := h.(type) {
	case *uv.TCP:
		local, _ = tcpAddr(c.LocalAddr())
		remote, _ = tcpAddr(c.RemoteAddr())
	case *uv.Pipe:
		local, _ = unixAddr(c.LocalAddr())
		remote, _ = unixAddr(c.RemoteAddr())
	}
	return local, remote
}

func unixAddr(name string, err error) (net.Addr, error) {
	if err != nil {
		return nil, err
	}
	return &net.UnixAddr{Net: "unix", Name: name}, nil
}

// tcpAddr converts an address as package net does: an IPv4 peer of an IPv6 socket is an
// IPv4 address.
func tcpAddr(ap netip.AddrPort, err error) (net.Addr, error) {
	if err != nil {
		return nil, err
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())), nil
}
