package wait

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// netpoll is the runtime's network poller, as an epoll descriptor: -1 if it was not
// found. A loop that holds its P while it waits lets other goroutines run first, but as
// long as it does hold it, nobody polls the network for those that wait for it. So the
// loop looks before each wait whether the poller has something for them.
//
// The runtime does not tell the descriptor, but the kernel does: it is the epoll
// descriptor of this process that watches the gate.
type netpoll int

// ready reports whether the network has something for another goroutine.
func (p netpoll) ready() bool {
	const pollIn = 1
	fd := struct {
		fd              int32
		events, revents int16
	}{fd: int32(p), events: pollIn}
	var zero syscall.Timespec
	n, _, errno := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&fd)), 1, uintptr(unsafe.Pointer(&zero)), 0, 0, 0)
	return errno == 0 && n == 1
}

// knownNetpoll is the runtime's epoll descriptor plus one, once it is known. It stays the
// same as long as the process lives.
var knownNetpoll atomic.Int64

// findNetpoll finds the epoll descriptor that watches the one given. It does not where
// /proc cannot be read, for instance. It is sought when the first loop is made, since
// later a process may have many descriptors: 38 ms with 20,000.
func findNetpoll(watched int) netpoll {
	if known := knownNetpoll.Load(); known > 0 {
		return netpoll(known - 1)
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	for _, e := range fds {
		link, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || link != "anon_inode:[eventpoll]" {
			continue
		}
		if fd, err := strconv.Atoi(e.Name()); err == nil && watches(fd, watched) {
			knownNetpoll.Store(int64(fd) + 1)
			return netpoll(fd)
		}
	}
	return -1
}

// watches reports whether an epoll descriptor has another descriptor in its set. The
// kernel lists the set, a line for each.
func watches(epoll, fd int) bool {
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", epoll))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(info)) {
		f := strings.Fields(line)
		if len(f) > 1 && f[0] == "tfd:" && f[1] == strconv.Itoa(fd) {
			return true
		}
	}
	return false
}
