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

// company are the goroutines that may need the processor that a loop keeps while it
// waits. The loop lets those run that can, but meanwhile nobody asks the network for the
// others. So before each wait it looks whether the runtime's poller has something for
// them, and a timer of the kernel's ends a wait that lasts. The runtime does not say
// which descriptor its poller has, but the kernel does: it is the epoll descriptor of
// this process that watches the gate.
//
// The timer is set once a millisecond at most and seldom expires. A timeout of the wait
// itself would be set for every wait, and that costs 1.5 us: with it an echo over one
// connection took 1.45 times a C server's time, without it 1.25 times.
type company struct {
	loop   *Loop
	poller int
	tick   int    // the timer's descriptor, 0 until it is needed
	set    uint64 // when it was set, by libuv's clock
}

// keepMax is how long a wait may keep the processor.
const keepMax = 2 * time.Millisecond

// newCompany is nil if the runtime's poller is not found: where /proc is not to be read,
// for instance.
func newCompany(l *Loop, gate int) *company {
	poller := runtimePoller(gate)
	if poller < 0 {
		return nil
	}
	return &company{loop: l, poller: poller}
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

// limit sees to it that the next wait lasts keepMax at most. A tick that has come since
// it was set either ends that wait at once, or was seen by a turn, after which libuv's
// clock shows another time. Without a timer, which the system may refuse, the runtime's
// monitor ends what the loop keeps, after 10 or 20 ms.
func (c *company) limit() {
	now := c.loop.b.Now
	if now == c.set {
		return
	}
	c.set = now
	if c.tick == 0 {
		c.tick = c.loop.b.TickFD()
	}
	spec := struct{ interval, value syscall.Timespec }{value: syscall.NsecToTimespec(int64(keepMax))}
	syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, uintptr(c.tick), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
}

// knownPoller is the runtime's epoll descriptor plus one, once it is known. It stays the
// same as long as the process lives.
var knownPoller atomic.Int64

// runtimePoller finds the epoll descriptor that watches the one given; -1: there is none.
// It is sought when the first loop is made, since later a process may have many
// descriptors: 38 ms with 20,000.
func runtimePoller(watched int) int {
	if known := knownPoller.Load(); known > 0 {
		return int(known) - 1
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	for _, e := range fds {
		if link, err := os.Readlink("/proc/self/fd/" + e.Name()); err != nil || link != "anon_inode:[eventpoll]" {
			continue
		}
		if fd, err := strconv.Atoi(e.Name()); err == nil && watches(fd, watched) {
			knownPoller.Store(int64(fd) + 1)
			return fd
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
