//go:build !linux && !darwin && !freebsd

package asyncio

// Systems on which the loop can watch no descriptors.

import (
	"errors"
	"fmt"
	"net"
	"runtime"
)

// sockBlocks is what every call begins with.
func sockBlocks(int) (bool, error) {
	return false, fmt.Errorf("descriptors of the program's cannot be waited for on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func sockIsStream(int) bool                           { return false }
func sockRecv(int, []byte) (int, error)               { return 0, errors.ErrUnsupported }
func sockRecvFrom(int, []byte) (int, net.Addr, error) { return 0, nil, errors.ErrUnsupported }
func sockSendTo(int, []byte, net.Addr) (int, error)   { return 0, errors.ErrUnsupported }
func sockConnect(int, net.Addr) error                 { return errors.ErrUnsupported }
func sockConnected(int) error                         { return errors.ErrUnsupported }
func sockAccept(int) (int, net.Addr, error)           { return -1, nil, errors.ErrUnsupported }
