package proactortest

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireBacklog asks the kernel: for a listening socket TCP_INFO has the backlog in place of tcpi_sacked, its eighth word.
// Package syscall has no call for that option; this one gets eight words of any.
func requireBacklog(t *testing.T, fd, want int) {
	t.Helper()
	if fd == -1 {
		return
	}
	info, err := syscall.GetsockoptICMPv6Filter(fd, syscall.IPPROTO_TCP, syscall.TCP_INFO)
	require.NoError(t, err)
	require.EqualValues(t, want, info.Data[7])
}
