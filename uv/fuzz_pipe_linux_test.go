//go:build cgo

package uv_test

import (
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/terminal"
	"github.com/seed-a026a017/asyncio/uv"
)

// makeIPC makes a pipe that passes handles, mostly with a plain socket at its other end,
// or with another one.
func (m *machine) makeIPC() uv.Handle {
	p, err := m.l.NewPipeIPC()
	if err != nil || m.next()%8 == 0 {
		return made(p, err)
	}
	fds, err := uv.SocketPair(syscall.SOCK_STREAM, 0, true, true)
	if err != nil {
		panic(err)
	}
	if p.OpenFD(fds[0]) != nil { // a Poll may still have the number
		syscall.Close(int(fds[0]))
		syscall.Close(int(fds[1]))
		return p
	}
	if m.next()%2 == 0 {
		m.peers = append(m.peers, int(fds[1]))
		return p
	}
	q, err := m.l.NewPipeIPC()
	if err != nil { // memory is refused
		syscall.Close(int(fds[1]))
		return p
	}
	if q.OpenFD(fds[1]) != nil {
		syscall.Close(int(fds[1]))
	}
	m.handles[m.next()%len(m.handles)] = q
	return p
}

// makeTTY makes a terminal, from either end.
func (m *machine) makeTTY() uv.Handle {
	if len(m.peers) > 8 {
		return nil
	}
	user, program, err := terminal.Open()
	if err != nil {
		return nil
	}
	syscall.SetNonblock(user, true)
	m.peers = append(m.peers, user)
	defer syscall.Close(program)
	fd := program
	if m.next()%4 == 0 {
		fd = user
	}
	tty, err := m.l.NewTTY(uintptr(fd))
	if err != nil {
		return nil
	}
	return tty
}

func (m *machine) ipc(p *uv.Pipe) {
	other := m.handles[m.next()%len(m.handles)]
	switch m.next() % 8 {
	case 0, 1, 2:
		f, begun := m.once("Pipe.WriteHandle")
		begun(p.WriteHandle(make([]byte, m.next()*m.next()), other, f))
	case 3:
		p.TryWriteHandle(make([]byte, m.next()), other)
	case 4, 5:
		p.ReadStartHandles(func(_ []byte, handles []uv.Handle, _ error) {
			for _, h := range handles {
				if m.next()%2 == 0 {
					h.Close()
				} else {
					m.handles[m.next()%len(m.handles)] = h
				}
			}
			m.inside()
		})
	case 6:
		p.Chmod(uv.PipeMode(m.next() % 5))
		p.SetPendingInstances(m.next() - 1)
	case 7:
		m.sendFDs()
	}
}

// sendFDs sends descriptors of any kind from the other end.
func (m *machine) sendFDs() {
	if len(m.peers) == 0 || len(m.foreign) == 0 {
		return
	}
	fds := make([]int, m.next()%4)
	for i := range fds {
		fds[i] = m.foreign[m.next()%len(m.foreign)]
	}
	syscall.Sendmsg(m.peers[m.next()%len(m.peers)], make([]byte, 1+m.next()), syscall.UnixRights(fds...), nil, syscall.MSG_DONTWAIT)
}

func (m *machine) tty(t *uv.TTY) {
	switch m.next() % 12 {
	case 0, 1:
		t.ReadStart(func([]byte, error) { m.inside() })
	case 2:
		t.ReadStop()
	case 3, 4:
		f, begun := m.once("TTY.Write")
		begun(t.Write(make([]byte, m.next()), f))
	case 5:
		t.TryWriteV([][]byte{make([]byte, m.next()), {4}})
	case 6, 7:
		t.SetMode(uv.TTYMode(m.next()%6 - 1))
	case 8:
		t.WinSize()
		t.Fd()
		t.Pull(make([]byte, m.next()))
	case 9:
		f, begun := m.once("TTY.CloseWrite")
		begun(t.CloseWrite(f))
	case 10:
		m.peer()
	case 11:
		uv.ResetTTY()
	}
}
