//go:build cgo && !linux && !darwin

package uv

import "syscall"

// Errors that not all systems have. Where one is missing libuv gives it a number of its
// own.
const (
	ENONET    Errno = -4056
	EREMOTEIO Errno = -4030
	EFTYPE    Errno = -Errno(syscall.EFTYPE)
	ENODATA   Errno = -9919 // told by 1.45 and later
	EUNATCH   Errno = -4023 // told by 1.46 and later
)
