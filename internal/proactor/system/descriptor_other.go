//go:build !linux && !darwin && !freebsd

package system

import (
	"errors"
	"fmt"
)

// Duplicate fails: here no descriptor can be watched.
func Duplicate(int) (int, error) {
	return -1, fmt.Errorf("watching descriptors: %w", errors.ErrUnsupported)
}

// NonBlocking is not reached.
func NonBlocking(_ int, f func() error) error { return f() }
