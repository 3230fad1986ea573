//go:build cgo

package uv_test

import (
	"net/netip"
	"syscall"

	"github.com/seed-a026a017/asyncio/uv"
)

func (m *machine) makeUDP() uv.Handle {
	opt := uv.UDPOptions{Recvmmsg: m.next()%2 == 0}
	switch m.next() % 8 {
	case 0:
		opt.Family = m.next()
	case 1, 2:
		opt.Family = syscall.AF_INET
	case 3:
		opt.Family = syscall.AF_INET6
	case 4:
		opt.RecvSize = m.next()*1000 - 1000
	}
	u, err := m.l.NewUDP(opt)
	if err != nil {
		return nil
	}
	return u
}

// udpAddr is an address that some other handle may have, or none has, or nobody can have.
func (m *machine) udpAddr() netip.AddrPort {
	addr := []netip.AddrPort{noAddr, loopback, loopback6, netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("[::1%lo]:1")}[m.next()%5]
	if other, ok := m.handles[m.next()%len(m.handles)].(*uv.UDP); ok && m.next()%4 != 0 {
		if a, err := other.LocalAddr(); err == nil {
			addr = a
		}
	}
	return addr
}

func (m *machine) udp(u *uv.UDP) {
	switch m.next() % 16 {
	case 0:
		u.Bind(m.udpAddr(), uv.BindFlags(m.next()%64))
	case 1:
		u.Connect(m.udpAddr())
	case 2:
		u.Disconnect()
	case 3, 4:
		u.RecvStart(func(uv.Datagram, error) { m.inside() })
	case 5:
		u.RecvStop()
	case 6, 7, 8:
		f, begun := m.once("UDP.Send")
		begun(u.Send(make([]byte, m.next()*m.next()), m.udpAddr(), f))
	case 9:
		u.Send(make([]byte, m.next()), m.udpAddr(), nil)
	case 10:
		f, begun := m.once("UDP.SendV")
		begun(u.SendV([][]byte{{1}, make([]byte, m.next()*100), nil}, m.udpAddr(), f))
	case 11:
		m.tryUDP(u)
	case 12:
		m.openUDP(u)
	case 13:
		m.optionsOfUDP(u)
	case 14:
		m.unixUDP(u)
	case 15:
		m.peer()
	}
	if u.SendQueueCount() < 0 || u.SendQueueSize() < 0 {
		panic("a queue of less than nothing")
	}
}

func (m *machine) tryUDP(u *uv.UDP) {
	addr := m.udpAddr()
	if n, err := u.TrySend(make([]byte, m.next()*m.next()), addr); err != nil && n != 0 {
		panic("sent, and failed")
	}
	ps := make([][]byte, m.next())
	var addrs []netip.AddrPort
	for i := range ps {
		ps[i] = make([]byte, i*m.next())
		addrs = append(addrs, addr)
	}
	if m.next()%4 == 0 {
		addrs = nil
	}
	if n, err := u.TrySendBatch(ps, addrs); n > len(ps) || err != nil && n != 0 {
		panic("too many sent")
	}
}

// openUDP gives the handle a socket, or something that it must refuse.
func (m *machine) openUDP(u *uv.UDP) {
	typ := syscall.SOCK_DGRAM
	if m.next()%8 == 0 {
		typ = syscall.SOCK_STREAM
	}
	fds, err := syscall.Socketpair(syscall.AF_UNIX, typ|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		panic(err)
	}
	if other, ok := m.handles[m.next()%len(m.handles)].(*uv.UDP); ok && m.next()%4 == 0 {
		if fd, err := other.Fd(); err == nil && u.OpenFD(fd) == nil {
			panic("two handles have one descriptor")
		}
	}
	if u.OpenFD(uintptr(fds[0])) != nil {
		syscall.Close(fds[0])
		syscall.Close(fds[1])
		return
	}
	if typ == syscall.SOCK_STREAM {
		panic("a stream was taken for datagrams")
	}
	m.peers = append(m.peers, fds[1])
}

func (m *machine) optionsOfUDP(u *uv.UDP) {
	group, lo := netip.MustParseAddr("239.255.0.147"), netip.MustParseAddr("127.0.0.1")
	iface := []netip.Addr{{}, lo, netip.MustParseAddr("::1"), netip.MustParseAddr("::1%lo")}[m.next()%4]
	switch m.next() % 8 {
	case 0:
		u.Join(group, iface)
		u.JoinSource(group, iface, lo)
	case 1:
		u.Leave(group, iface)
		u.LeaveSource(group, iface, iface)
	case 2:
		u.Join(netip.MustParseAddr("ff02::1"), iface)
	case 3:
		u.SetMulticastInterface(iface)
		u.SetMulticastLoop(m.next()%2 == 0)
		u.SetMulticastTTL(m.next())
	case 4:
		u.SetBroadcast(m.next()%2 == 0)
		u.SetTTL(m.next())
	case 5:
		u.SetSendBufferSize(m.next() * 100)
		u.SetRecvBufferSize(m.next() * 100)
		u.SendBufferSize()
		u.RecvBufferSize()
	case 6:
		u.Flush()
		u.Fd()
		u.RemoteAddr()
		u.UsingRecvmmsg()
	}
}

func (m *machine) unixUDP(u *uv.UDP) {
	if m.next()%4 == 0 {
		u.RecvStartUnix(func(uv.Datagram, string, error) { m.inside() })
		return
	}
	to := []string{"", m.dir + "/nobody", "@uv-fuzz-nobody", "a\x00b", string(make([]byte, 200))}[m.next()%5]
	f, begun := m.once("UDP.SendUnix")
	begun(u.SendUnix(make([]byte, m.next()*100), to, f))
}
