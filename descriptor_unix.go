//go:build linux || darwin || freebsd

package asyncio

import (
	"fmt"
	"os"
	"syscall"
)

// fileID names an open file, as well as the system does: sockets and pipes have names of
// their own, what the kernel makes for its own ends shares one.
type fileID struct{ device, inode uint64 }

func fileOf(fd int) (fileID, error) {
	var s syscall.Stat_t
	if err := syscall.Fstat(fd, &s); err != nil {
		return fileID{}, fmt.Errorf("asyncio: descriptor %d: %w", fd, os.NewSyscallError("fstat", err))
	}
	return fileID{uint64(s.Dev), uint64(s.Ino)}, nil
}
