//go:build linux || darwin || freebsd

package system

// Descriptors of the program's, which the drivers watch.

import (
	"math"
	"os"
	"syscall"
)

// CheckDescriptor refuses numbers that are none: of a larger one the kernel takes a part,
// which would be another descriptor's.
func CheckDescriptor(fd int) error {
	if fd < 0 || fd > math.MaxInt32 {
		return os.NewSyscallError("fcntl", syscall.EBADF)
	}
	return nil
}

// Duplicate is another descriptor of fd's file, close-on-exec and above those of the
// standard files.
func Duplicate(fd int) (int, error) {
	if err := CheckDescriptor(fd); err != nil {
		return -1, err
	}
	dup, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 3)
	if errno != 0 {
		return -1, os.NewSyscallError("dup", errno)
	}
	return int(dup), nil
}

// NonBlocking runs f while the file of fd is non-blocking.
func NonBlocking(fd int, f func() error) error {
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	if errno != 0 {
		return os.NewSyscallError("fcntl", errno)
	}
	if flags&syscall.O_NONBLOCK == 0 {
		if err := syscall.SetNonblock(fd, true); err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		defer syscall.SetNonblock(fd, false)
	}
	return f()
}
