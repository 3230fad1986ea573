package proactortest

import (
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// listenInfo asks the kernel about a listening socket, for which TCP_INFO has the
// connections that wait for accept in place of tcpi_unacked, its seventh word, and the
// backlog in place of tcpi_sacked, the eighth. Package syscall has no call for that
// option; this one gets eight words of any.
func listenInfo(t *testing.T, fd int) (waiting, backlog int) {
	t.Helper()
	info, err := syscall.GetsockoptICMPv6Filter(fd, syscall.IPPROTO_TCP, syscall.TCP_INFO)
	require.NoError(t, err)
	return int(info.Data[6]), int(info.Data[7])
}

func requireBacklog(t *testing.T, fd, want int) {
	t.Helper()
	if fd != -1 {
		_, backlog := listenInfo(t, fd)
		require.Equal(t, want, backlog)
	}
}

// requireWaiting requires that so many connections or more wait in the kernel.
func requireWaiting(t *testing.T, fd, atLeast int) {
	t.Helper()
	if fd != -1 {
		waiting, _ := listenInfo(t, fd)
		require.GreaterOrEqual(t, waiting, atLeast)
	}
}

// spoil puts a file in the place of the socket fd, where there is one, so that what the
// kernel is asked about the socket fails.
func spoil(t *testing.T, fd int) {
	t.Helper()
	if fd == -1 {
		return
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	require.NoError(t, syscall.Dup3(int(f.Fd()), fd, syscall.O_CLOEXEC))
	require.NoError(t, f.Close())
}

// makeDeaf lets ln's backlog hold no connection but one.
func makeDeaf(t *testing.T, ln net.Listener) {
	t.Helper()
	raw, err := ln.(*net.TCPListener).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { require.NoError(t, syscall.Listen(int(fd), 0)) }))
}

func requireReuseAddr(t *testing.T, fd int, want bool) {
	t.Helper()
	got, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR)
	require.NoError(t, err)
	require.Equal(t, want, got != 0)
}
