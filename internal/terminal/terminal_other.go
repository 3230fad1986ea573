//go:build !linux

package terminal

import (
	"errors"
	"os"
)

// Open fails.
func Open() (user, program int, err error) { return -1, -1, errors.ErrUnsupported }

// OpenPlain fails.
func OpenPlain(bool) (user, program *os.File, err error) { return nil, nil, errors.ErrUnsupported }
