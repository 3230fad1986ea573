//go:build cgo && !linux

package uv

// Errors that only Linux has; elsewhere libuv gives them numbers of its own.
const (
	ENONET    Errno = -4056
	EREMOTEIO Errno = -4030
)
