//go:build cgo

package uv_test

import (
	"context"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/uv"
)

// makeSystem makes a handle for signals or a child.
func (m *machine) makeSystem() uv.Handle {
	if m.next()%8 == 0 {
		return m.spawn()
	}
	if s, err := m.l.NewSignal(); err == nil {
		return s
	}
	return nil
}

func (m *machine) signal(s *uv.Signal) {
	numbers := []syscall.Signal{syscall.SIGWINCH, syscall.SIGUSR1, syscall.SIGCHLD, 0, -1, syscall.SIGKILL, syscall.SIGSEGV, 32, 65, 1 << 30}
	var cb func(syscall.Signal)
	if m.next()%8 != 0 {
		cb = func(syscall.Signal) { m.inside() }
	}
	switch m.next() % 6 {
	case 0, 1:
		s.Start(numbers[m.next()%len(numbers)], cb)
	case 2:
		s.StartOneshot(numbers[m.next()%len(numbers)], cb)
	case 3:
		s.Stop()
	case 4: // without a handler it does nothing
		uv.Kill(os.Getpid(), syscall.SIGWINCH)
	case 5:
		s.Num()
		uv.Kill(os.Getpid(), 1000)
		uv.Kill(1<<40, 0)
	}
}

// spawn begins a child, or tries one that there cannot be.
func (m *machine) spawn() uv.Handle {
	opt := uv.SpawnOptions{
		File:     []string{"true", "true", "cat", "", "/nosuch", "tr\x00ue", m.dir}[m.next()%7],
		Dir:      []string{"", "", m.dir, "/nosuch", "\x00"}[m.next()%5],
		Detached: m.next()%4 == 0,
	}
	if m.next()%8 == 0 {
		opt.Args = []string{"a\x00b"}
	}
	if m.next()%8 == 0 {
		opt.Env = []string{"=", "A", "B=\x00"}[m.next()%3:]
	}
	for range m.next() % 5 {
		c := uv.StdioContainer{Kind: uv.StdioKind(m.next()%6 - 1), FD: uintptr(m.next()), Flags: uv.StdioFlags(m.next() % 16)}
		if c.Kind == uv.StdioInheritFD && m.next()%4 == 0 {
			c.FD = ^uintptr(0)
		}
		switch h := m.handles[m.next()%len(m.handles)].(type) {
		case *uv.Pipe:
			c.Stream = &h.Stream
		case *uv.TCP:
			c.Stream = &h.Stream
		}
		opt.Stdio = append(opt.Stdio, c)
	}
	var exited func(uv.ExitStatus)
	if m.next()%4 != 0 {
		calls := 0
		exited = func(uv.ExitStatus) {
			if calls++; calls > 1 {
				panic("a child has ended twice")
			}
			m.inside()
		}
	}
	p, err := m.l.Spawn(opt, exited)
	if err != nil {
		return nil
	}
	return p
}

func (m *machine) child(p *uv.Process) {
	switch m.next() % 4 {
	case 0:
		p.Kill(0)
	case 1:
		p.Kill(syscall.SIGKILL)
	case 2:
		p.Kill([]syscall.Signal{-1, 65, 1 << 30}[m.next()%3])
	case 3:
		p.PID()
	}
}

// background begins a request for random bytes or for a function's end.
func (m *machine) background(ctx context.Context) *uv.Req {
	if m.next()%2 == 0 {
		f, begun := m.once("Random")
		r, err := m.l.RandomContext(ctx, make([]byte, m.next()*m.next()), f)
		begun(err)
		return r
	}
	work := func(context.Context) {}
	if m.next()%8 == 0 {
		work = nil
	}
	f, begun := m.once("QueueWork")
	r, err := m.l.QueueWorkContext(ctx, work, f)
	begun(err)
	return r
}
