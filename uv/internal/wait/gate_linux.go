package wait

import (
	"os"
	"syscall"
)

// gate stands between the loop's epoll descriptor and the runtime's poller. It is an
// epoll descriptor too, and readable when the loop's is and the gate is open. The
// runtime's poller watches the gate. It is closed while the loop is busy, because the
// poller would wake an idle P for every event although nobody waits for it.
type gate struct {
	fd     int
	behind int // the loop's descriptor
	open   bool
}

// openGate makes an open gate before a descriptor.
func openGate(behind int) (gate, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return gate{}, err
	}
	g := gate{fd: fd, behind: behind}
	err = syscall.SetNonblock(fd, true)
	if err == nil {
		err = g.control(syscall.EPOLL_CTL_ADD, syscall.EPOLLIN)
	}
	if err != nil {
		syscall.Close(fd)
		return gate{}, err
	}
	g.open = true
	return g, nil
}

// close closes the gate.
func (g *gate) close() {
	if g.open {
		g.open = false
		g.modify(0)
	}
}

// reopen opens the gate and reports whether the loop's descriptor is ready already. No
// edge would tell that: once an event has put the descriptor on the gate's list of ready
// ones, it stays there until somebody takes the list.
func (g *gate) reopen() (ready bool) {
	if g.open {
		return false
	}
	g.open = true
	g.modify(syscall.EPOLLIN)
	var events [1]syscall.EpollEvent
	n, _ := syscall.EpollWait(g.fd, events[:], 0)
	return n != 0 // an interrupted look has seen nothing: the loop looks again
}

// modify panics if the kernel refuses, which only a descriptor that somebody else has
// closed makes it do.
func (g *gate) modify(events uint32) {
	if err := g.control(syscall.EPOLL_CTL_MOD, events); err != nil {
		panic(os.NewSyscallError("uv: wait: epoll_ctl", err))
	}
}

func (g *gate) control(op int, events uint32) error {
	return syscall.EpollCtl(g.fd, op, g.behind, &syscall.EpollEvent{Events: events})
}
