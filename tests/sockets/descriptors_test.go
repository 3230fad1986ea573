//go:build linux || darwin

package sockets_test

// Descriptors of the tests' own.

import (
	"context"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

// inTask runs a test as a task, on each driver.
func inTask(t *testing.T, test func(t *testing.T, ctx context.Context, l *asyncio.Loop)) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) { test(t, ctx, l) })
	})
}

// own closes a descriptor at the end of the test, unless the test has closed it, and
// makes it non-blocking.
func own(t *testing.T, fd int) int {
	t.Helper()
	syscall.CloseOnExec(fd)
	require.NoError(t, syscall.SetNonblock(fd, true))
	var opened syscall.Stat_t
	require.NoError(t, syscall.Fstat(fd, &opened))
	t.Cleanup(func() {
		var now syscall.Stat_t
		if syscall.Fstat(fd, &now) == nil && now.Ino == opened.Ino {
			_ = syscall.Close(fd)
		}
	})
	return fd
}

func pair(t *testing.T) (a, b int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	return own(t, fds[0]), own(t, fds[1])
}

func pipe(t *testing.T) (read, write int) {
	t.Helper()
	var fds [2]int
	require.NoError(t, syscall.Pipe(fds[:]))
	return own(t, fds[0]), own(t, fds[1])
}

func socket(t *testing.T, family, kind int) int {
	t.Helper()
	fd, err := syscall.Socket(family, kind, 0)
	require.NoError(t, err)
	return own(t, fd)
}

func closeFD(t *testing.T, fds ...int) {
	t.Helper()
	for _, fd := range fds {
		require.NoError(t, syscall.Close(fd))
	}
}

func write(t *testing.T, fd int, s string) {
	t.Helper()
	n, err := syscall.Write(fd, []byte(s))
	require.NoError(t, err)
	require.Equal(t, len(s), n)
}

// read is what there is to read, "" if that is nothing.
func read(t *testing.T, fd int) string {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := syscall.Read(fd, buf)
	if err == syscall.EAGAIN {
		return ""
	}
	require.NoError(t, err)
	return string(buf[:n])
}

// listening is a listening TCP socket on the loopback interface, and its address.
func listening(t *testing.T) (fd int, addr *net.TCPAddr) {
	t.Helper()
	fd = socket(t, syscall.AF_INET, syscall.SOCK_STREAM)
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 16))
	return fd, tcpAddr(t, fd)
}

func tcpAddr(t *testing.T, fd int) *net.TCPAddr {
	t.Helper()
	sa, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	in := sa.(*syscall.SockaddrInet4)
	return &net.TCPAddr{IP: net.IP(in.Addr[:]), Port: in.Port}
}

// watches counts the descriptors that the loop watches, connections and servers left
// aside.
func watches(l *asyncio.Loop) int { return l.Stats().Handles }
