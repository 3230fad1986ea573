//go:build cgo && !386 && !s390x

package uv

import (
	"syscall"
	"unsafe"
)

// Bulk is read and written by system calls that the runtime does not hear of, as of any
// other quick piece of Go. They cannot wait, not even where another holder of the socket
// has made it block: the flag says so. A call into C that copies 64 KiB takes as long as
// the runtime's monitor thread lets one be before it takes the processor away; having
// done that it stays awake and looks every 20 us. Echoes of 100 KiB with streams cost
// 1.16 times a C server's time this way (with read and write, before the flag), 1.25
// through C.

// rawIO reports whether rawRead and rawWrite take the descriptor, which must be a socket
// for that.
func rawIO(fd int) bool {
	_, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	return err == nil
}

// rawRead is recv(2). It returns the number of bytes or libuv's code.
func rawRead(fd int, p []byte) int { return raw(syscall.SYS_RECVFROM, fd, p, syscall.MSG_DONTWAIT) }

// rawWrite is send(2). It returns the number of bytes or libuv's code.
func rawWrite(fd int, p []byte) int {
	return raw(syscall.SYS_SENDTO, fd, p, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
}

func raw(call uintptr, fd int, p []byte, flags uintptr) int {
	n, _, errno := syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
	if errno != 0 {
		return -int(errno)
	}
	return int(n)
}
