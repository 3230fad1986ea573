//go:build unix

package testkit

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Blackhole is an address of the loopback interface, of the family, at which connecting
// hangs, since the backlog of who listens there is full.
func Blackhole(t *testing.T, network string) *net.TCPAddr {
	t.Helper()
	family, bind := syscall.AF_INET, syscall.Sockaddr(&syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if network == "tcp6" {
		family, bind = syscall.AF_INET6, &syscall.SockaddrInet6{Addr: [16]byte{15: 1}}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, syscall.Close(fd)) })
	if err := syscall.Bind(fd, bind); err != nil {
		t.Skipf("this host has no loopback interface for %s: %v", network, err)
	}
	require.NoError(t, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1).To4()}
	switch name := name.(type) {
	case *syscall.SockaddrInet4:
		addr.Port = name.Port
	case *syscall.SockaddrInet6:
		addr.IP, addr.Port = net.IPv6loopback, name.Port
	}
	for range 10 {
		c, err := net.DialTimeout("tcp", addr.String(), 250*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { require.NoError(t, c.Close()) })
	}
	t.Skip("this system accepts more connections than the backlog has room for")
	return nil
}
