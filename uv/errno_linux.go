//go:build cgo

package uv

import "syscall"

// Errors that not all systems have. Where one is missing libuv gives it a number of its
// own.
const (
	ENONET    Errno = -Errno(syscall.ENONET)
	EREMOTEIO Errno = -Errno(syscall.EREMOTEIO)
	EFTYPE    Errno = -4028
	ENODATA   Errno = -Errno(syscall.ENODATA) // told by 1.45 and later
	EUNATCH   Errno = -Errno(syscall.EUNATCH) // told by 1.46 and later
)
