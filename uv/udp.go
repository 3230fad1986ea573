//go:build cgo

package uv

// UDP sockets: making, binding, connecting, options. Receiving is in udp_recv.go, sending
// in udp_send.go, groups in udp_multicast.go, and Unix sockets in udp_unix.go.

import (
	"net/netip"
	"syscall"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// UDP is a UDP socket, uv_udp_t; a Handle.
type UDP struct {
	bridged
	receiver
	sender
	family    int // 0: there is no socket yet
	connected bool
}

// UDPOptions change how NewUDP makes a handle.
type UDPOptions struct {
	// Family is such as syscall.AF_INET6: the socket is there at once. 0: the first Bind,
	// Connect or Send makes it.
	Family int
	// Recvmmsg receives several datagrams by a system call, where the system can.
	Recvmmsg bool
	// RecvSize is how many bytes are taken of a datagram; the rest is lost: Partial. 0 is
	// 65,536; no more than 1 MiB are taken, which only a Unix socket could exceed.
	RecvSize int
}

const recvSize = 64 * 1024

// NewUDP makes a handle; uv_udp_init_ex. The errors are ErrClosed, EINVAL for a family
// other than IPv4 and IPv6 and for a negative RecvSize, and what the system says of a
// socket.
func (l *Loop) NewUDP(opt UDPOptions) (*UDP, error) {
	l.use("Loop.NewUDP")
	if l.state.Load() == loopClosed {
		return nil, ErrClosed
	}
	size := opt.RecvSize
	if size == 0 {
		size = recvSize
	}
	id, code := uint64(0), int(EINVAL)
	if size > 0 {
		id, code = l.b.NewUDP(opt.Family, opt.Recvmmsg, min(size, cbridge.DatagramMax))
	}
	if code != 0 {
		return nil, &Error{Op: "init", Kind: UDPHandle, Errno: Errno(code)}
	}
	u := &UDP{family: opt.Family}
	l.addBridged(u, UDPHandle, id)
	return u, nil
}

// record takes in what the bridge reports of the handle.
func (u *UDP) record(r cbridge.Record) {
	switch r.Kind {
	case cbridge.RecDatagrams:
		u.received(int(r.Value), int(r.Status), int(r.Aux))
		u.again(int(r.Status))
	case cbridge.RecRecvReady:
		u.pull()
	case cbridge.RecRecvError:
		u.recvFailed(u.fail("recv", int(r.Status)))
	case cbridge.RecUnsent:
		u.queued += int(r.Status)
		u.queuedBytes += int(r.Value)
	case cbridge.RecSent:
		u.sent(int(r.Status), int(r.Value))
	case cbridge.RecSendError:
		for i := range uint64(r.Aux) + 1 {
			u.sendFailed(r.Value+i, int(r.Status))
		}
	case cbridge.RecSendStuck:
		u.stuck()
	}
}

// ended ends what is outstanding.
func (u *UDP) ended() { u.cancelSends() }

// OpenFD takes ownership of a datagram socket; uv_udp_open. It may be connected. One of
// the Unix domain is taken too: see SendUnix and RecvStartUnix. The socket's SO_REUSEADDR
// stays as it is, which libuv would set. The numbers 0 to 2 are the program's: the handle
// takes a copy of such a descriptor, and Close leaves the original open. The errors are
// ErrClosed, EBUSY if there is a socket already, EEXIST if a handle of this loop has fd,
// ENOTSOCK, EBADF, EINVAL if it is not for datagrams, and EAFNOSUPPORT.
func (u *UDP) OpenFD(fd uintptr) error {
	if err := u.check("UDP.OpenFD"); err != nil {
		return err
	}
	family := u.loop.b.UDPOpen(u.id(), int(fd))
	if family < 0 {
		return u.fail("open", family)
	}
	u.family = family
	_, err := syscall.Getpeername(int(fd))
	u.connected = err == nil
	return nil
}

// Bind binds to an address; uv_udp_bind. A socket that cannot be bound is given up again,
// unless it was there before. The errors are ErrClosed, EADDRINUSE, EADDRNOTAVAIL,
// EACCES, EINVAL if it is bound already, for an address of another family than the
// socket's, for BindV6Only with an IPv4 address, and for unknown flags.
func (u *UDP) Bind(addr netip.AddrPort, flags BindFlags) error {
	if err := u.check("UDP.Bind"); err != nil {
		return err
	}
	u.sendGathered() // which binds
	var buf [cbridge.AddrBytes]byte
	sa, err := u.sockaddr("bind", addr, &buf)
	if err != nil {
		return err
	}
	const known = BindV6Only | BindReusePort | BindExclusive | BindReuseAddr | BindRecvErr
	if flags&^known != 0 {
		return u.addrResult("bind", addr, int(EINVAL))
	}
	if code := u.loop.b.UDPBind(u.id(), sa, uint(flags)); code != 0 {
		return u.addrResult("bind", addr, code)
	}
	u.family = sockaddrFamily(sa)
	return nil
}

// bindAny makes a socket of the family if there is none. It is bound to any address,
// and to a port of the system's, with SO_REUSEADDR if reuse.
func (u *UDP) bindAny(op string, family int, reuse bool) error {
	if u.family != 0 {
		return nil
	}
	if code := u.loop.b.UDPAny(u.id(), family, reuse); code != 0 {
		return u.fail(op, code)
	}
	u.family = family
	return nil
}

// Connect sets the peer: what is sent goes there, and only what comes from there is
// received; uv_udp_connect. It binds if need be. The errors are ErrClosed, EISCONN,
// EINVAL for an address of another family, and those of the system.
func (u *UDP) Connect(addr netip.AddrPort) error {
	if err := u.check("UDP.Connect"); err != nil {
		return err
	}
	if u.connected {
		return u.addrResult("connect", addr, int(EISCONN))
	}
	var buf [cbridge.AddrBytes]byte
	sa, err := u.sockaddr("connect", addr, &buf)
	if err != nil {
		return err
	}
	if err := u.bindAny("connect", sockaddrFamily(sa), false); err != nil {
		return err
	}
	u.sendGathered()
	if code := u.loop.b.UDPConnect(u.id(), sa); code != 0 {
		return u.addrResult("connect", addr, code)
	}
	u.connected = true
	return nil
}

// Disconnect undoes Connect; uv_udp_connect without an address. The errors are ErrClosed
// and ENOTCONN.
func (u *UDP) Disconnect() error {
	if err := u.check("UDP.Disconnect"); err != nil {
		return err
	}
	if !u.connected {
		return u.fail("disconnect", int(ENOTCONN))
	}
	u.sendGathered()
	if code := u.loop.b.UDPConnect(u.id(), nil); code != 0 {
		return u.fail("disconnect", code)
	}
	u.connected = false
	return nil
}

// LocalAddr is the socket's own address; uv_udp_getsockname. The error is ErrClosed,
// EBADF while there is no socket, or EAFNOSUPPORT of a Unix socket.
func (u *UDP) LocalAddr() (netip.AddrPort, error) { return u.name("getsockname", false) }

// RemoteAddr is the peer's address; uv_udp_getpeername. The error is ErrClosed, ENOTCONN,
// or EAFNOSUPPORT of a Unix socket.
func (u *UDP) RemoteAddr() (netip.AddrPort, error) { return u.name("getpeername", true) }

func (u *UDP) name(op string, peer bool) (netip.AddrPort, error) {
	if err := u.check(op); err != nil {
		return netip.AddrPort{}, err
	}
	if peer && !u.connected {
		return netip.AddrPort{}, u.fail(op, int(ENOTCONN))
	}
	u.sendGathered() // which binds
	var buf [cbridge.AddrBytes]byte
	n := u.loop.b.UDPName(u.id(), peer, buf[:])
	if n < 0 {
		return netip.AddrPort{}, u.fail(op, n)
	}
	return parseSockaddr(buf[:n]), nil
}

// SetBroadcast sets SO_BROADCAST; uv_udp_set_broadcast. The error is ErrClosed, or EBADF
// while there is no socket, as of the following.
func (u *UDP) SetBroadcast(on bool) error {
	return u.set("set_broadcast", cbridge.UDPBroadcast, number(on))
}

// SetTTL sets how many routers a datagram may pass; uv_udp_set_ttl. The error is EINVAL
// for n outside of 1 to 255.
func (u *UDP) SetTTL(n int) error {
	if n < 1 || n > 255 {
		return u.fail("set_ttl", int(EINVAL))
	}
	return u.set("set_ttl", cbridge.UDPTTL, n)
}

func (u *UDP) set(op string, option, value int) error {
	if err := u.check(op); err != nil {
		return err
	}
	u.sendGathered() // is not subject to the option
	return u.result(op, u.loop.b.UDPSet(u.id(), option, value))
}

func number(on bool) int {
	if on {
		return 1
	}
	return 0
}

// SendBufferSize is the size of the socket's send buffer, which Linux tells twice as
// large as it was set; uv_send_buffer_size.
func (u *UDP) SendBufferSize() (int, error) { return u.bufferSize("send_buffer_size", false, 0) }

// SetSendBufferSize sets the size of the socket's send buffer; uv_send_buffer_size.
func (u *UDP) SetSendBufferSize(n int) error { return u.setBufferSize("send_buffer_size", false, n) }

// RecvBufferSize is the size of the socket's receive buffer, which Linux tells twice as
// large as it was set; uv_recv_buffer_size.
func (u *UDP) RecvBufferSize() (int, error) { return u.bufferSize("recv_buffer_size", true, 0) }

// SetRecvBufferSize sets the size of the socket's receive buffer; uv_recv_buffer_size.
func (u *UDP) SetRecvBufferSize(n int) error { return u.setBufferSize("recv_buffer_size", true, n) }

// Close closes the socket at once. What was sent before is offered to the kernel; what it
// has no room for is dropped, and the callbacks of those sends get ECANCELED.
func (u *UDP) Close() { u.CloseWith(nil) }

// CloseWith is Close with a callback, which comes after everything else that the handle
// has to report.
func (u *UDP) CloseWith(closed func()) {
	if u.check("UDP.Close") != nil {
		return
	}
	u.bridged.CloseWith(closed)
	u.late = nil
	u.unstick()
}
