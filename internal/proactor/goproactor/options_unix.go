//go:build linux || darwin

package goproactor

import (
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// setListenOptions acts before bind. Package net has set SO_REUSEADDR by then.
func setListenOptions(fd int, reuseAddr, reusePort bool) error {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, asInt(reuseAddr)); err != nil {
		return os.NewSyscallError("setsockopt SO_REUSEADDR", err)
	}
	if reusePort {
		if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, system.SoReusePort(), 1); err != nil {
			return os.NewSyscallError("setsockopt SO_REUSEPORT", err)
		}
	}
	return nil
}

// setBacklog acts after listen, for which package net has used the system's maximum.
func setBacklog(fd, backlog int) error {
	return os.NewSyscallError("listen", syscall.Listen(fd, backlog))
}

func asInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
