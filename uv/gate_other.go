//go:build cgo && !linux

package uv

import "syscall"

// gate is a duplicate of libuv's descriptor, always open.
type gate struct {
	fd int
}

func openGate(behind int) (gate, error) {
	fd, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(behind), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return gate{}, errno
	}
	return gate{int(fd)}, syscall.SetNonblock(int(fd), true)
}

func (g *gate) close() {}

func (g *gate) reopen() bool { return false }
