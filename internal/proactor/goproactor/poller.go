package goproactor

// The runtime makes its network poller when the first socket is opened, and ends the
// process if the system has no descriptors for it. So the first driver makes it, when it
// has seen that there are enough.
//
// A file that the poller does not take, package os takes for one that is always ready,
// and does not say so. Reads of it would not wait.

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// pollerDescriptors is how many the making takes: those of the poller, on Linux epoll and
// an eventfd, and a pipe's.
const pollerDescriptors = 5

var pollerMade atomic.Bool

// makePoller returns an error where the runtime would end the process.
func makePoller() error {
	if pollerMade.Load() {
		return nil
	}
	if err := haveDescriptors(pollerDescriptors); err != nil {
		return fmt.Errorf("no descriptors for the network poller: %w", err)
	}
	r, w, err := os.Pipe() // which the poller takes
	if err != nil {
		return err
	}
	pollerMade.Store(true)
	_ = r.Close()
	return w.Close()
}

// haveDescriptors is nil if n more descriptors can be opened.
func haveDescriptors(n int) error {
	if n == 0 {
		return nil
	}
	fd, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("open", err)
	}
	defer syscall.Close(fd)
	return haveDescriptors(n - 1)
}

// isPolled is an error if the runtime's poller has not taken a file, whose descriptor is
// fd.
func isPolled(f *os.File, fd int) error {
	err := f.SetDeadline(time.Time{})
	if err == os.ErrNoDeadline {
		err = os.NewSyscallError("poll", whyRefused(fd))
	}
	return err
}
