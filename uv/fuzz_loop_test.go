//go:build cgo

package uv_test

import (
	"context"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
	"github.com/seed-a026a017/asyncio/uv"
)

// options are the loop's that the sequence has. What they do is told elsewhere.
func (m *machine) options() []uv.Option {
	way := []uv.Wait{uv.WaitBlock, uv.WaitNetpoll, uv.WaitAdaptive}[len(m.program)%3]
	opts := []uv.Option{uv.WithChecks(), uv.WithWait(way)}
	if len(m.program)%5 == 0 {
		opts = append(opts, uv.WithIdleMetrics(), uv.WithBlockSIGPROF(), uv.WithLeakReport(func(uv.Leak) {}))
	}
	return opts
}

// loopCall calls the loop itself.
func (m *machine) loopCall() {
	l := m.l
	switch m.next() % 16 {
	case 0:
		l.Alive()
		l.BackendFD()
		l.BackendTimeout()
	case 1:
		l.Clock()
		l.Now()
		l.UpdateTime()
		l.Waited()
		l.IdleTime()
	case 2:
		l.Metrics()
		l.MetricsInfo()
	case 3:
		l.DumpHandles(io.Discard, m.next()%2 == 0)
		for h := range l.Handles() {
			h.Data()
			h.Loop()
		}
	case 4:
		f, begun := m.once("Post")
		begun(l.Post(func() { f(nil) }))
	case 5:
		l.Wake()
		l.SetValue(m.next())
		l.Value()
	case 6:
		l.Run(uv.RunNoWait)
	case 7: // from inside it refuses
		if l.Post(l.Stop) == nil {
			l.Run(uv.RunDefault)
		}
	case 8:
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		l.RunForever(ctx)
	case 9:
		if l.Close() == nil {
			m.closed = true
		}
	case 10:
		l.GetAddrInfo("127.0.0.1", "80", uv.AddrInfoHints{}, nil)
		l.GetNameInfo(netip.MustParseAddrPort("127.0.0.1:80"), m.next(), nil)
		l.Random(make([]byte, m.next()), nil)
		l.QueueWork(func() {}, nil)
	case 11:
		m.refuse()
	default:
		m.plain()
	}
}

// refuse has memory refused once, soon, or for a while.
func (m *machine) refuse() {
	if m.next()%2 == 0 {
		cbridge.FailAllocation(int64(m.next() % 40))
		return
	}
	cbridge.FailAllocations(1)
	for range m.next() % 4 {
		m.depth++
		m.step()
		m.depth--
	}
	cbridge.FailAllocation(0)
}

// plain calls what needs no loop.
func (m *machine) plain() {
	switch m.next() % 12 {
	case 0:
		uv.Version()
		uv.VersionString()
		uv.HRTime()
		uv.ClockGettime(uv.ClockID(m.next() % 4))
		uv.GetTimeOfDay()
	case 1:
		uv.TotalMemory()
		uv.FreeMemory()
		uv.AvailableMemory()
		uv.ConstrainedMemory()
		uv.RSS()
	case 2:
		uv.CPUInfo()
		uv.AvailableParallelism()
		uv.LoadAvg()
		uv.Uptime()
		uv.Rusage()
		uv.Uname()
	case 3:
		uv.InterfaceAddresses()
		uv.IfName(m.next() - 1)
		uv.IfID(m.next() - 1)
	case 4:
		uv.Cwd()
		uv.ExePath()
		uv.HomeDir()
		uv.TmpDir()
		uv.Hostname()
	case 5:
		uv.Passwd()
		uv.PasswdByUID(m.next() - 1)
		uv.GroupByGID(m.next() - 1)
	case 6:
		uv.GetAddrInfoSync([]string{"", "127.0.0.1", "::1%lo", "a\x00b"}[m.next()%4], "80", uv.AddrInfoHints{Flags: m.next()})
		uv.GetNameInfoSync(netip.MustParseAddrPort("127.0.0.1:80"), m.next())
	case 7:
		uv.RandomSync(make([]byte, m.next()))
		uv.ThreadPoolSize()
		uv.SetThreadPoolSize(m.next()%6 - 1)
	case 8:
		if p, err := uv.Priority(0); err == nil {
			uv.SetPriority(0, p)
		}
		uv.Priority(-1)
		uv.SetPriority(1<<30, 1000)
	case 9:
		uv.GuessHandle(uintptr(m.next()))
		uv.DisableStdioInheritance()
		uv.VTermState()
		uv.SetVTermState(uv.VTerm(m.next() % 3))
	case 10:
		if lib, err := uv.OpenLib([]string{"", "/nosuch", "a\x00b"}[m.next()%3]); err == nil {
			lib.Sym([]string{"getpid", "nosuch", "a\x00b", ""}[m.next()%4])
			lib.Close()
			lib.Close()
		}
	case 11:
		e := &uv.Error{Op: "any", Errno: uv.FromSyscall(syscall.Errno(m.next()))}
		_ = e.Errno.Name() + e.Error() + uv.Errno(-m.next()).Error()
		e.Timeout()
		e.Temporary()
		e.Unwrap()
		e.Errno.Is(fs.ErrNotExist)
	}
}

// handler is a StreamHandler.
type handler struct{ m *machine }

func (h *handler) OnRead([]byte, error) { h.m.inside() }
func (h *handler) OnWritten(int, error) { h.m.inside() }
func (h *handler) OnClosed()            { h.m.inside() }

// moreOfStream calls what only some programs want of a stream.
func (m *machine) moreOfStream(s stream) {
	ctx := context.Background()
	if m.next()%2 == 0 {
		with, cancel := context.WithTimeout(ctx, time.Duration(m.next())*time.Microsecond)
		defer cancel()
		ctx = with
	}
	var base *uv.Stream
	switch s := s.(type) {
	case *uv.TCP:
		base = &s.Stream
		switch m.next() % 6 {
		case 0:
			f, begun := m.once("TCP.ConnectContext")
			begun(s.ConnectContext(ctx, netip.MustParseAddrPort("127.0.0.1:1"), f))
		case 1:
			s.SetSimultaneousAccepts(m.next()%2 == 0)
			s.SetKeepAliveConfig(net.KeepAliveConfig{Enable: m.next()%2 == 0, Idle: time.Duration(m.next()-9) * time.Second, Count: m.next() - 9})
		case 2:
			s.Listen(m.next()-1, func(c *uv.TCP, err error) { m.accepted(c, err) })
		}
	case *uv.Pipe:
		base = &s.Stream
		switch m.next() % 6 {
		case 0:
			f, begun := m.once("Pipe.ConnectContext")
			begun(s.ConnectContext(ctx, m.path(), f))
		case 1:
			s.ListenWith(m.next(), uv.ListenOptions{MaxConns: m.next() % 3}, func(c *uv.Pipe, err error) { m.accepted(c, err) })
		}
	}
	if base == nil {
		return
	}
	switch m.next() % 6 {
	case 0:
		base.SetHandler(&handler{m})
		base.ReadStart(nil)
	case 1:
		base.SetBlocking(m.next()%8 == 0)
		base.SetBlocking(false)
	case 2:
		base.Pull(make([]byte, m.next()*100))
		base.Handle()
	case 3:
		base.RecvBufferSize()
		base.SetSendBufferSize(m.next() * 100)
	}
}
