//go:build !linux && !darwin && !freebsd

package system

import (
	"errors"
	"fmt"
	"os"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// TakeFile fails: here no pipe can be waited for.
func TakeFile(f *os.File, _ proactor.PipeUse, _ func(fd int) error) error {
	return fmt.Errorf("open pipe %s: %w", f.Name(), errors.ErrUnsupported)
}

// EndWriting is not reached.
func EndWriting(uintptr) error { return errors.ErrUnsupported }
