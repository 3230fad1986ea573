//go:build linux && !goproactor_portable

package goproactor

import (
	"syscall"
	"unsafe"
)

// vector is a list of pieces to write, with the scratch memory for it.
type vector struct {
	bufs [][]byte
	iov  []syscall.Iovec
}

// write writes bufs in order, as much as the kernel takes.
func (v *vector) write(fd int) (int, error) {
	v.iov = v.iov[:0]
	for _, b := range v.bufs {
		e := syscall.Iovec{Base: unsafe.SliceData(b)}
		e.SetLen(len(b))
		v.iov = append(v.iov, e)
	}
	n, errno := writev(fd, v.iov)
	for errno == syscall.EINTR {
		n, errno = writev(fd, v.iov)
	}
	clear(v.iov)
	if errno != 0 {
		return 0, errno
	}
	return n, nil
}

func writev(fd int, iov []syscall.Iovec) (int, syscall.Errno) {
	n, _, errno := syscall.Syscall(syscall.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(iov))), uintptr(len(iov)))
	return int(n), errno
}
