//go:build cgo

package uvproactor

// Addresses, and what depends on their kind.

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/seed-a026a017/asyncio/uv"
)

// keepAliveDelay is when the first probe goes out on an idle connection that keeps alive.
const keepAliveDelay = 60 * time.Second

func unsupported(addr net.Addr) error {
	return fmt.Errorf("address %v of type %T: use *net.TCPAddr or *net.UnixAddr: %w", addr, addr, errors.ErrUnsupported)
}

func unsupportedListener(ln net.Listener) error {
	return fmt.Errorf("listener on %v of type %T: use *net.TCPListener or *net.UnixListener: %w", ln.Addr(), ln, errors.ErrUnsupported)
}

// addrPort converts an address, an IPv4 one in its short form. anyIP tells that it names
// no host; that is [::] then.
func addrPort(a *net.TCPAddr) (ap netip.AddrPort, anyIP bool) {
	if len(a.IP) == 0 {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(a.Port)), true
	}
	ap = a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), false
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
