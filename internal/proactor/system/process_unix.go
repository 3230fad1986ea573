//go:build unix

package system

import (
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

func processAttributes(opt proactor.SpawnOptions) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: opt.NewSession}
}
