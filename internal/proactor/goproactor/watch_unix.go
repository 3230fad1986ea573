//go:build linux || darwin || freebsd

package goproactor

// A look at descriptors: poll(2).

import (
	"syscall"
	"unsafe"
)

// pollFD is struct pollfd.
type pollFD struct {
	fd              int32
	events, revents int16
}

// The events of poll(2), which are the same on these systems.
const (
	pollIn   = 0x1
	pollOut  = 0x4
	pollErr  = 0x8
	pollHup  = 0x10
	pollNval = 0x20
)

// newPollFD looks for readiness to go in the directions. The kernel skips a negative
// number.
func newPollFD(fd int, in directions) pollFD {
	p := pollFD{fd: int32(fd)}
	if in&toRead != 0 {
		p.events |= pollIn
	}
	if in&toWrite != 0 {
		p.events |= pollOut
	}
	if p.events == 0 {
		p.fd = -1
	}
	return p
}

// ready is the directions that were found ready, of those looked for. An end or an error
// is told by both.
func (p *pollFD) ready() directions {
	found := p.revents
	if found&(pollErr|pollHup|pollNval) != 0 {
		found |= p.events
	}
	var ready directions
	if found&pollIn != 0 {
		ready |= toRead
	}
	if found&pollOut != 0 {
		ready |= toWrite
	}
	return ready
}

// hungUp reports whether nobody is at the other end any more.
func hungUp(fd int) bool {
	p := [1]pollFD{{fd: int32(fd), events: pollRdHup}}
	pollNow(p[:])
	return p[0].revents != 0
}

// pollNow does not wait. A failure finds nothing: then goroutines look.
func pollNow(fds []pollFD) {
	if len(fds) == 0 {
		return
	}
	for pollZero(unsafe.Pointer(&fds[0]), len(fds)) == syscall.EINTR {
	}
}
