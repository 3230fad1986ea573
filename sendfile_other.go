//go:build !linux

package asyncio

import (
	"errors"
	"os"
)

// Other systems have a sendfile too, each its own; files are copied there.
func sendfile(int, *os.File, int64, int) (int, error) { return 0, errors.ErrUnsupported }

func sendfileSupports(*os.File) bool { return false }
