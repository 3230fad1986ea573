//go:build darwin && !goproactor_portable

package goproactor

import "syscall"

// vector is a list of pieces to write. Package syscall has no vectored write here, so
// they leave one after the other.
type vector struct {
	bufs [][]byte
}

// write writes bufs in order, as much as the kernel takes.
func (v *vector) write(fd int) (int, error) {
	sum := 0
	for _, b := range v.bufs {
		n, err := syscall.Write(fd, b)
		for err == syscall.EINTR {
			n, err = syscall.Write(fd, b)
		}
		if err != nil && sum == 0 {
			return 0, err
		}
		sum += max(n, 0)
		if n < len(b) {
			break
		}
	}
	return sum, nil
}
