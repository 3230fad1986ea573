//go:build cgo

package uv

// TCP sockets.

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// TCP is a TCP connection or listener, uv_tcp_t.
type TCP struct {
	Stream
}

// NewTCP makes a handle without a socket; uv_tcp_init. The error is ErrClosed.
func (l *Loop) NewTCP() (*TCP, error) { return l.NewTCPFamily(syscall.AF_UNSPEC) }

// NewTCPFamily makes a handle with a socket of the family, such as syscall.AF_INET6;
// uv_tcp_init_ex.
func (l *Loop) NewTCPFamily(family int) (*TCP, error) {
	l.use("Loop.NewTCP")
	if l.state.Load() == loopClosed {
		return nil, ErrClosed
	}
	id, code := l.b.NewTCP(family)
	if code != 0 {
		return nil, &Error{Op: "init", Kind: TCPHandle, Errno: Errno(code)}
	}
	return l.adoptTCP(id), nil
}

// adoptTCP makes the Go side of a handle that the bridge has made.
func (l *Loop) adoptTCP(id uint64) *TCP {
	t := new(TCP)
	t.handle = handle{loop: l, slot: uint32(id), gen: uint32(id >> 32), kind: TCPHandle}
	l.register(&t.Stream)
	t.born()
	return t
}

func (l *Loop) register(s *Stream) {
	for int(s.slot) >= len(l.streams) {
		l.streams = append(l.streams, nil)
	}
	l.streams[s.slot] = s
}

// OpenFD takes ownership of a socket; uv_tcp_open. The kernel is asked what it is: one
// that is connected can be read and written, one that listens or is bound can Listen,
// another one Connect. The numbers 0 to 2 are the program's: Close leaves them open, as
// libuv does. The errors are ErrClosed, EBUSY if there is a socket already, EEXIST if a
// handle of this loop has fd, ENOTSOCK and EBADF.
func (t *TCP) OpenFD(fd uintptr) error { return t.open("TCP.OpenFD", fd) }

// BindFlags change what Bind does.
type BindFlags uint

const (
	BindV6Only    BindFlags = cbridge.BindV6Only    // an IPv6 socket does not serve IPv4; UV_TCP_IPV6ONLY
	BindReusePort BindFlags = cbridge.BindReusePort // SO_REUSEPORT
	BindExclusive BindFlags = cbridge.BindExclusive // without the SO_REUSEADDR that libuv always sets
	BindReuseAddr BindFlags = cbridge.BindReuseAddr // of UDP: SO_REUSEADDR, as UV_UDP_REUSEADDR does
	BindRecvErr   BindFlags = cbridge.BindRecvErr   // of UDP: IP_RECVERR on Linux; UV_UDP_LINUX_RECVERR
)

// Bind binds to an address; uv_tcp_bind. EADDRINUSE comes from here, or at the latest
// from Listen.
func (t *TCP) Bind(addr netip.AddrPort, flags BindFlags) error {
	if err := t.check("TCP.Bind"); err != nil {
		return err
	}
	var buf [cbridge.AddrBytes]byte
	sa, err := t.sockaddr("bind", addr, &buf)
	if err != nil {
		return err
	}
	return t.addrResult("bind", addr, t.loop.b.TCPBind(t.id(), sa, uint(flags)))
}

// Connect connects to an address; uv_tcp_connect. done is called once in a later turn.
// Writes may follow at once; they leave when the connection is there. If it returns an
// error, done is not called.
func (t *TCP) Connect(addr netip.AddrPort, done func(error)) error {
	if err := t.check("TCP.Connect"); err != nil {
		return err
	}
	if err := t.mayConnect(done); err != nil {
		return err
	}
	var buf [cbridge.AddrBytes]byte
	sa, err := t.sockaddr("connect", addr, &buf)
	if err != nil {
		return err
	}
	t.loop.flush()
	if code := t.loop.b.TCPConnect(t.id(), sa); code != 0 {
		return t.addrResult("connect", addr, code)
	}
	t.connecting(addr, done)
	return nil
}

// mayConnect refuses a second connect also while the end of the first is known to the
// bridge only.
func (s *Stream) mayConnect(done func(error)) error {
	if done == nil {
		return s.fail("connect", int(EINVAL))
	}
	if s.flags&streamConnecting != 0 {
		return s.fail("connect", int(EALREADY))
	}
	return nil
}

func (s *Stream) connecting(addr fmt.Stringer, done func(error)) {
	s.flags |= streamConnecting
	s.loop.stirred()
	s.reqs().connected = done
	s.requests.connectTo = addr
}

// ConnectContext is Connect that ends with ctx: done then gets the cause of its end, and
// the handle is closed.
func (t *TCP) ConnectContext(ctx context.Context, addr netip.AddrPort, done func(error)) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := t.Connect(addr, done); err != nil {
		return err
	}
	t.watch(ctx)
	return nil
}

// watch ends the connect that is under way with ctx.
func (s *Stream) watch(ctx context.Context) {
	r := s.requests
	r.stopWatch = context.AfterFunc(ctx, func() {
		s.loop.Post(func() {
			if done := r.connected; done != nil && s.flags&streamConnecting != 0 {
				r.connected = nil
				s.Close()
				done(context.Cause(ctx))
			}
		})
	})
}

// SetNoDelay sets TCP_NODELAY; uv_tcp_nodelay.
func (t *TCP) SetNoDelay(on bool) error {
	if err := t.check("TCP.SetNoDelay"); err != nil {
		return err
	}
	return t.result("nodelay", t.loop.b.TCPNoDelay(t.id(), on))
}

// SetKeepAlive sets SO_KEEPALIVE and how long the connection is idle before the first
// probe, in whole seconds rounded up; uv_tcp_keepalive. The error is EINVAL for a delay
// of 0 or less, with every version of libuv.
func (t *TCP) SetKeepAlive(on bool, delay time.Duration) error {
	if err := t.check("TCP.SetKeepAlive"); err != nil {
		return err
	}
	if on && delay <= 0 {
		return t.fail("keepalive", int(EINVAL))
	}
	return t.result("keepalive", t.loop.b.TCPKeepAlive(t.id(), on, seconds(delay)))
}

// SetKeepAliveConfig sets SO_KEEPALIVE, how long the connection is idle before the first
// probe, the time between probes, and how many may stay without an answer;
// uv_tcp_keepalive_ex. As in package net 0 is 15 seconds, 15 seconds and 9, and what is
// negative stays as it is. The error is ErrNotSupported before libuv 1.52.
func (t *TCP) SetKeepAliveConfig(c net.KeepAliveConfig) error {
	if err := t.check("TCP.SetKeepAliveConfig"); err != nil {
		return err
	}
	every := func(d time.Duration) int {
		if d == 0 {
			return 15
		}
		return seconds(max(d, -time.Second))
	}
	count := c.Count
	if count == 0 {
		count = 9
	}
	return t.result("keepalive", t.loop.b.TCPKeepAliveEx(t.id(), c.Enable, every(c.Idle), every(c.Interval), count))
}

// seconds rounds up.
func seconds(d time.Duration) int {
	whole := d.Truncate(time.Second)
	return int(whole/time.Second) + number(d > whole)
}

// SetSimultaneousAccepts matters on Windows only; uv_tcp_simultaneous_accepts.
func (t *TCP) SetSimultaneousAccepts(on bool) error {
	if err := t.check("TCP.SetSimultaneousAccepts"); err != nil {
		return err
	}
	return t.result("simultaneous_accepts", t.loop.b.TCPSimultaneousAccepts(t.id(), on))
}

// LocalAddr is the socket's own address; uv_tcp_getsockname.
func (t *TCP) LocalAddr() (netip.AddrPort, error) { return t.name("getsockname", false) }

// RemoteAddr is the peer's address; uv_tcp_getpeername. Of an accepted connection it
// stays known after the peer is gone.
func (t *TCP) RemoteAddr() (netip.AddrPort, error) { return t.name("getpeername", true) }

func (t *TCP) name(op string, peer bool) (netip.AddrPort, error) {
	if err := t.check(op); err != nil {
		return netip.AddrPort{}, err
	}
	var buf [cbridge.AddrBytes]byte
	n := t.loop.b.TCPName(t.id(), peer, buf[:])
	if n < 0 {
		return netip.AddrPort{}, t.fail(op, n)
	}
	ap := parseSockaddr(buf[:n])
	if !ap.IsValid() { // OpenFD takes any socket
		return ap, t.fail(op, int(EAFNOSUPPORT))
	}
	return ap, nil
}

// CloseReset closes with a RST, dropping what is unsent on both sides;
// uv_tcp_close_reset. closed, which may be nil, is called as by CloseWith. The error is
// ErrClosed, or EINVAL after CloseWrite and of a listener; the handle is then as before.
func (t *TCP) CloseReset(closed func()) error {
	if err := t.check("TCP.CloseReset"); err != nil {
		return err
	}
	if t.flags&streamShutdown != 0 {
		return t.fail("close_reset", int(EINVAL))
	}
	t.loop.flush()
	if code := t.loop.b.CloseReset(t.id()); code != 0 {
		return t.fail("close_reset", code)
	}
	t.loop.stirred()
	t.closing(closed)
	return nil
}
