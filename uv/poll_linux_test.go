//go:build cgo

package uv_test

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// pollFD is struct pollfd.
type pollFD struct {
	fd              int32
	events, revents int16
}

// hungUp reports whether both directions of a socket have ended.
func hungUp(t testing.TB, fd uintptr) bool {
	t.Helper()
	const pollhup = 0x10
	p := pollFD{fd: int32(fd)}
	var none syscall.Timespec
	_, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&none)), 0, 0, 0)
	require.Zero(t, errno)
	return p.revents&pollhup != 0
}
