//go:build !linux && !darwin

package system

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// setDatagramOptions leaves SO_BROADCAST as package net sets it.
func setDatagramOptions(_ uintptr, opt proactor.DatagramOptions) error {
	if opt.ReusePort {
		return fmt.Errorf("SO_REUSEPORT on %s: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	return nil
}
