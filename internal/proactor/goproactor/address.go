package goproactor

// Addresses, and what depends on their kind.

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// networkOf names the network of addr for package net, so that an IPv4 address stays
// IPv4.
func networkOf(addr net.Addr, v6Only bool) (string, error) {
	switch a := addr.(type) {
	case *net.UnixAddr:
		return "unix", nil
	case *net.TCPAddr:
		switch {
		case a.IP.To4() != nil:
			return "tcp4", nil
		case v6Only:
			return "tcp6", nil
		}
		return "tcp", nil
	}
	return "", unsupported(addr)
}

func unsupported(addr net.Addr) error {
	return fmt.Errorf("address %v of type %T: use *net.TCPAddr or *net.UnixAddr: %w", addr, addr, errors.ErrUnsupported)
}

// checkConn refuses what is no connected socket that brings a stream of bytes.
func checkConn(c net.Conn) error {
	stream := false
	switch c := c.(type) {
	case *net.TCPConn:
		stream = true
	case *net.UnixConn:
		a := c.LocalAddr()
		stream = a == nil || a.Network() == "unix"
	}
	if !stream {
		return fmt.Errorf("adopt %T on %v: a stream socket was expected, *net.TCPConn or *net.UnixConn of network \"unix\": %w",
			c, c.LocalAddr(), errors.ErrUnsupported)
	}
	if c.RemoteAddr() == nil {
		return fmt.Errorf("adopt %T on %v: %w", c, c.LocalAddr(), syscall.ENOTCONN)
	}
	return nil
}

func unsupportedListener(ln net.Listener) error {
	return fmt.Errorf("listener on %v of type %T: use *net.TCPListener or *net.UnixListener: %w", ln.Addr(), ln, errors.ErrUnsupported)
}

// addressOf is an address of package net's as the seam has it: the end of a Unix socket
// without a name is called "", where package net says "@".
func addressOf(a net.Addr) net.Addr {
	if unix, ok := a.(*net.UnixAddr); ok && unix != nil && unix.Name == "@" {
		return &net.UnixAddr{Net: unix.Net}
	}
	return a
}

// keepAlive switches SO_KEEPALIVE and leaves the system's times as they are.
func keepAlive(on bool) net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: on, Idle: -1, Interval: -1, Count: -1}
}
