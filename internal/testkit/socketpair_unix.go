//go:build unix

package testkit

import (
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// SocketPair is two connected Unix sockets without names, which end with the test.
func SocketPair(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	return connOf(t, fds[0]), connOf(t, fds[1])
}

func connOf(t *testing.T, fd int) *net.UnixConn {
	t.Helper()
	syscall.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "socketpair")
	c, err := net.FileConn(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.UnixConn)
}
