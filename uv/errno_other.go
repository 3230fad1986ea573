//go:build cgo && !linux

package uv

import "syscall"

// Errors that not all systems have. Where one is missing libuv gives it a number of its
// own.
const (
	ENONET    Errno = -4056
	EREMOTEIO Errno = -4030
	EFTYPE    Errno = -Errno(syscall.EFTYPE)
)
