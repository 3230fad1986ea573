package asyncio

import (
	"errors"
	"os"
	"syscall"
)

// sendfile is one sendfile(2): size bytes of in, from offset on, to the socket out, or as
// many as that takes at once. It moves no position.
func sendfile(out int, in *os.File, offset int64, size int) (n int, err error) {
	raw, err := in.SyscallConn()
	if err != nil {
		return 0, err
	}
	failed := raw.Control(func(fd uintptr) {
		n, err = syscall.Sendfile(out, int(fd), &offset, size)
		for err == syscall.EINTR {
			n, err = syscall.Sendfile(out, int(fd), &offset, size)
		}
	})
	return max(n, 0), errors.Join(err, failed)
}

// sendfileSupports reports whether sendfile(2) can read a file.
func sendfileSupports(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}
