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

// whyRefused asks another poller what the runtime's has been told.
func whyRefused(fd int) error {
	set, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	defer syscall.Close(set)
	if err := syscall.EpollCtl(set, syscall.EPOLL_CTL_ADD, fd, new(syscall.EpollEvent)); err != nil {
		return err
	}
	return syscall.ENOMEM // there is some again
}
