//go:build linux || darwin

package system

import (
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// setDatagramOptions acts before bind. Package net has set SO_BROADCAST by then.
func setDatagramOptions(fd uintptr, opt proactor.DatagramOptions) error {
	on := 0
	if opt.Broadcast {
		on = 1
	}
	if err := syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, on); err != nil {
		return os.NewSyscallError("setsockopt SO_BROADCAST", err)
	}
	if !opt.ReusePort {
		return nil
	}
	return os.NewSyscallError("setsockopt SO_REUSEPORT", syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, SoReusePort(), 1))
}

// SoReusePort is SO_REUSEPORT, which package syscall leaves out on most Linux ports.
func SoReusePort() int {
	if runtime.GOOS == "linux" && !strings.HasPrefix(runtime.GOARCH, "mips") {
		return 0xf
	}
	return 0x200
}
