package goproactor

// Addresses, and what depends on their kind.

import (
	"net"

	"github.com/seed-a026a017/asyncio/internal/proactor/system"
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
	return "", system.Unsupported(addr)
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
