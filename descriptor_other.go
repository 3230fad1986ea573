//go:build !linux && !darwin && !freebsd

package asyncio

import "errors"

// fileID has no use here, where no driver can watch a descriptor.
type fileID struct{}

func fileOf(int) (fileID, error) { return fileID{}, errors.ErrUnsupported }
