//go:build !linux && !darwin

package goproactor

import (
	"errors"
	"fmt"
	"runtime"
)

// setListenOptions leaves SO_REUSEADDR alone: on Windows it would let others take the
// address.
func setListenOptions(_ int, _, reusePort bool) error {
	if reusePort {
		return fmt.Errorf("SO_REUSEPORT on %s: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	return nil
}

// setBacklog cannot change the backlog of a listening socket here.
func setBacklog(int, int) error { return nil }
