//go:build cgo

package uv

import "syscall"

// Errors that only Linux has; elsewhere libuv gives them numbers of its own.
const (
	ENONET    Errno = -Errno(syscall.ENONET)
	EREMOTEIO Errno = -Errno(syscall.EREMOTEIO)
)
