package system

// What every driver refuses in the same words.

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Unsupported is the error for an address that is not of a stream.
func Unsupported(addr net.Addr) error {
	return fmt.Errorf("address %v of type %T: use *net.TCPAddr or *net.UnixAddr: %w", addr, addr, errors.ErrUnsupported)
}

// UnsupportedListener is the error for a listener that no driver can take over.
func UnsupportedListener(ln net.Listener) error {
	return fmt.Errorf("listener on %v of type %T: use *net.TCPListener or *net.UnixListener: %w", ln.Addr(), ln, errors.ErrUnsupported)
}

// CheckConn refuses what is no connected socket that brings a stream of bytes.
func CheckConn(c net.Conn) error {
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
