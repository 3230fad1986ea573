//go:build linux || darwin

package goproactor

import (
	"os"
	"runtime"
	"strings"
	"syscall"
)

// setListenOptions acts before bind. Package net has set SO_REUSEADDR by then.
func setListenOptions(fd int, reuseAddr, reusePort bool) error {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, asInt(reuseAddr)); err != nil {
		return os.NewSyscallError("setsockopt SO_REUSEADDR", err)
	}
	if reusePort {
		if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, soReusePort(), 1); err != nil {
			return os.NewSyscallError("setsockopt SO_REUSEPORT", err)
		}
	}
	return nil
}

// soReusePort is SO_REUSEPORT, which package syscall leaves out on most Linux ports.
func soReusePort() int {
	if runtime.GOOS == "linux" && !strings.HasPrefix(runtime.GOARCH, "mips") {
		return 0xf
	}
	return 0x200
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
