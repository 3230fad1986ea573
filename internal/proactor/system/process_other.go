//go:build !unix

package system

import (
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// processAttributes has none: there are no sessions here.
func processAttributes(proactor.SpawnOptions) *syscall.SysProcAttr { return nil }
