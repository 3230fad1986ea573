//go:build cgo

package uv

import "syscall"

// gate stands between libuv's epoll descriptor and the runtime's poller: an epoll
// descriptor of its own, which is readable when libuv's is and the gate is open. The
// runtime's poller watches the gate. It is closed while the loop is busy, because the
// poller would wake an idle processor for every event although nobody waits for it.
type gate struct {
	fd, behind int
	open       bool
}

// openGate makes an open gate before the descriptor.
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

// reopen opens the gate and reports whether libuv's descriptor is ready already. The
// kernel would not tell that by an edge: once an event has put the descriptor on the
// gate's list of ready ones, it stays there until somebody takes the list.
func (g *gate) reopen() (ready bool) {
	if g.open {
		return false
	}
	g.open = true
	g.modify(syscall.EPOLLIN)
	var events [1]syscall.EpollEvent
	n, _ := syscall.EpollWait(g.fd, events[:], 0)
	return n != 0 // an interrupted look has seen nothing, so look again
}

func (g *gate) modify(events uint32) {
	if err := g.control(syscall.EPOLL_CTL_MOD, events); err != nil {
		panic(&Error{Op: "wait", Errno: FromSyscall(err.(syscall.Errno))})
	}
}

func (g *gate) control(op int, events uint32) error {
	return syscall.EpollCtl(g.fd, op, g.behind, &syscall.EpollEvent{Events: events})
}
