package goproactor

import (
	"syscall"
	"unsafe"
)

// pollRdHup asks for the end of a socket's peer.
const pollRdHup = 0x2000

// pollZero is ppoll(2), which every architecture has. The kernel changes the timeout.
func pollZero(fds unsafe.Pointer, n int) syscall.Errno {
	var none syscall.Timespec
	_, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(fds), uintptr(n), uintptr(unsafe.Pointer(&none)), 0, 0, 0)
	return errno
}
