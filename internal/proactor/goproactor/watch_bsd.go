//go:build darwin || freebsd

package goproactor

import (
	"syscall"
	"unsafe"
)

// pollRdHup is not known here: an end shows as pollHup, when both sides have ended.
const pollRdHup = 0

// pollZero is poll(2) with no timeout.
func pollZero(fds unsafe.Pointer, n int) syscall.Errno {
	_, _, errno := syscall.Syscall(syscall.SYS_POLL, uintptr(fds), uintptr(n), 0)
	return errno
}

// whyRefused is the usual reason.
func whyRefused(int) error { return syscall.EPERM }
