//go:build cgo

package uv

import "syscall"

// Errors that not all systems have. Where one is missing libuv gives it a number of its
// own.
const (
	ENONET    Errno = -Errno(syscall.ENONET)
	EREMOTEIO Errno = -Errno(syscall.EREMOTEIO)
	EFTYPE    Errno = -4028
)
