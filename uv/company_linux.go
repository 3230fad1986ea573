//go:build cgo

package uv

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// company are the goroutines that may need the processor that a loop keeps while it waits. The loop lets those run that can,
// but meanwhile nobody asks the network for the others. So before each wait it looks whether the runtime's poller has
// something for them, and a timer of the kernel's ends a wait that lasts. The runtime does not say which descriptor its
// poller has, but the kernel does: it is the epoll descriptor of this process that watches the gate.
//
// The timer is set once a millisecond at most and seldom expires. A timeout of the wait itself would be set for every wait,
// and that costs 1.5 us: with it an echo over one connection took 1.4 times a C server's time, without it 1.2 times.
type company struct {
	poller int
	timer  int
	set    uint64 // when the timer was set, by libuv's clock
}

// keepMax is how long a wait may keep the processor.
const keepMax = 2 * time.Millisecond

func newCompany(l *Loop, gate int) (*company, error) {
	poller, err := runtimePoller(gate)
	if err != nil {
		return nil, err
	}
	timer := l.b.TickFD()
	if timer < 0 {
		return nil, Errno(timer)
	}
	return &company{poller: poller, timer: timer}, nil
}

// waits reports whether the network has something for another goroutine.
func (c *company) waits() bool {
	const pollIn = 1
	fd := struct {
		fd              int32
		events, revents int16
	}{fd: int32(c.poller), events: pollIn}
	var zero syscall.Timespec
	n, _, errno := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&fd)), 1, uintptr(unsafe.Pointer(&zero)), 0, 0, 0)
	return errno == 0 && n == 1
}

// limit sees to it that the next wait lasts keepMax at most. now is the time of the last turn in milliseconds. A timer that has
// expired since it was set either ends that wait at once, or was seen by a turn, whose time is another one.
func (c *company) limit(now uint64) {
	if now == c.set {
		return
	}
	c.set = now
	spec := struct{ interval, value syscall.Timespec }{value: syscall.NsecToTimespec(int64(keepMax))}
	syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, uintptr(c.timer), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
}

// knownPoller is the runtime's epoll descriptor plus one, once it is known. It stays the same as long as the process lives.
var knownPoller atomic.Int64

// runtimePoller finds the epoll descriptor that watches the one given.
func runtimePoller(watched int) (int, error) {
	if known := knownPoller.Load(); known > 0 {
		return int(known) - 1, nil
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1, err
	}
	for _, e := range fds {
		if link, err := os.Readlink("/proc/self/fd/" + e.Name()); err != nil || link != "anon_inode:[eventpoll]" {
			continue
		}
		fd, err := strconv.Atoi(e.Name())
		if err == nil && watches(fd, watched) {
			knownPoller.Store(int64(fd) + 1)
			return fd, nil
		}
	}
	return -1, fmt.Errorf("no epoll descriptor watches descriptor %d", watched)
}

// watches reports whether an epoll descriptor has another descriptor in its set. The kernel lists the set, a line for each.
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
