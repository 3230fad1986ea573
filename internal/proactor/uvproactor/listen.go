//go:build cgo

package uvproactor

// Listening: a listener is a handle of libuv's that listens.

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
	"github.com/seed-a026a017/asyncio/uv"
)

// listener implements proactor.Listener.
type listener struct {
	d      *driver
	s      *uv.Stream
	h      proactor.AcceptHandler
	addr   net.Addr
	active bool // between Start and Stop
}

func (d *driver) Listen(addr net.Addr, opt proactor.ListenOptions) (proactor.Listener, error) {
	if err := d.check("listen on", addr); err != nil {
		return nil, err
	}
	switch a := addr.(type) {
	case *net.TCPAddr:
		return d.listenTCP(a, opt)
	case *net.UnixAddr:
		return d.listenUnix(a, opt)
	}
	return nil, fmt.Errorf("listen: %w", system.Unsupported(addr))
}

// ListenOn goes on with a duplicate of ln's descriptor, so that package net's poller
// knows nothing of it any more. Until that listens, ln is left alone.
func (d *driver) ListenOn(ln net.Listener, opt proactor.ListenOptions) (proactor.Listener, error) {
	if err := d.check("listen on", ln.Addr()); err != nil {
		return nil, err
	}
	switch ln := ln.(type) {
	case *net.TCPListener:
		return d.adoptTCP(ln, opt)
	case *net.UnixListener:
		return d.adoptUnix(ln, opt)
	}
	return nil, system.UnsupportedListener(ln)
}

// openConn gives a duplicate of c's descriptor to open, which owns it unless it fails.
func openConn(c syscall.Conn, open func(fd uintptr) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(own uintptr) { failed = openDup(own, open) })
	return errors.Join(err, failed)
}

// openDup gives a duplicate of own to open. Its number is above those of the standard
// files, which libuv does not close.
func openDup(own uintptr, open func(fd uintptr) error) error {
	fd, _, errno := syscall.Syscall(syscall.SYS_FCNTL, own, syscall.F_DUPFD_CLOEXEC, 3)
	if errno != 0 {
		return os.NewSyscallError("dup", errno)
	}
	if err := open(fd); err != nil {
		return errors.Join(err, syscall.Close(int(fd)))
	}
	return nil
}

func (d *driver) listenTCP(a *net.TCPAddr, opt proactor.ListenOptions) (proactor.Listener, error) {
	ap, err := addrPort(a, netip.IPv6Unspecified())
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	t, err := d.bindTCP(ap, opt)
	if len(a.IP) == 0 && errors.Is(err, syscall.EAFNOSUPPORT) { // a system without IPv6
		ap = netip.AddrPortFrom(netip.IPv4Unspecified(), ap.Port())
		t, err = d.bindTCP(ap, opt)
	}
	if err != nil {
		return nil, err
	}
	return d.serveTCP(t, opt)
}

func (d *driver) adoptTCP(from *net.TCPListener, opt proactor.ListenOptions) (proactor.Listener, error) {
	t, err := d.loop.NewTCP()
	if err != nil {
		return nil, err
	}
	if err := openConn(from, t.OpenFD); err != nil {
		t.Close()
		return nil, err
	}
	ln, err := d.serveTCP(t, opt)
	if err != nil {
		return nil, err
	}
	_ = from.Close()
	return ln, nil
}

// serveTCP listens on t, which it closes when it fails.
func (d *driver) serveTCP(t *uv.TCP, opt proactor.ListenOptions) (proactor.Listener, error) {
	ln := &listener{d: d, s: &t.Stream}
	lo := uv.ListenOptions{NoDelay: true, Stopped: true}
	if opt.KeepAlive {
		lo.KeepAlive = keepAliveDelay
	}
	err := t.ListenWith(cmp.Or(opt.Backlog, proactor.BacklogMax), lo, func(c *uv.TCP, err error) {
		if err != nil {
			ln.failed(err)
			return
		}
		ln.accepted(newStream(d, &c.Stream))
	})
	if err == nil {
		ln.addr, err = tcpAddr(t.LocalAddr())
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	return ln, nil
}

// listenUnix lets package net bind: libuv would remove the path of what it has bound.
func (d *driver) listenUnix(a *net.UnixAddr, opt proactor.ListenOptions) (proactor.Listener, error) {
	bound, err := net.ListenUnix("unix", a)
	if err != nil {
		return nil, err
	}
	ln, err := d.adoptUnix(bound, opt)
	if err != nil {
		return nil, errors.Join(err, bound.Close()) // which removes the path
	}
	return ln, nil
}

func (d *driver) adoptUnix(from *net.UnixListener, opt proactor.ListenOptions) (proactor.Listener, error) {
	p, err := d.loop.NewPipe()
	if err != nil {
		return nil, err
	}
	ln := &listener{d: d, s: &p.Stream, addr: from.Addr()}
	err = openConn(from, p.OpenFD)
	if err == nil {
		err = p.ListenWith(cmp.Or(opt.Backlog, proactor.BacklogMax), uv.ListenOptions{Stopped: true}, func(c *uv.Pipe, err error) {
			if err != nil {
				ln.failed(err)
				return
			}
			ln.accepted(newStream(d, &c.Stream))
		})
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	from.SetUnlinkOnClose(false)
	_ = from.Close()
	return ln, nil
}

func (d *driver) bindTCP(ap netip.AddrPort, opt proactor.ListenOptions) (*uv.TCP, error) {
	t, err := d.loop.NewTCP()
	if err != nil {
		return nil, err
	}
	var flags uv.BindFlags
	if opt.V6Only && ap.Addr().Is6() { // libuv refuses the flag for IPv4
		flags |= uv.BindV6Only
	}
	if opt.ReusePort {
		flags |= uv.BindReusePort
	}
	if !opt.ReuseAddr {
		flags |= uv.BindExclusive
	}
	if err := t.Bind(ap, flags); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func (l *listener) Start(h proactor.AcceptHandler) error {
	if err := l.s.AcceptStart(); err != nil {
		return err
	}
	l.h = h
	l.active = true
	return nil
}

func (l *listener) Stop() {
	l.active = false
	_ = l.s.AcceptStop() // it fails on a closed listener only
}

func (l *listener) Addr() net.Addr { return l.addr }

func (l *listener) FD() int { return fd(l.s) }

func (l *listener) Close() { l.s.Close() }

func (l *listener) accepted(s *stream) {
	if l.d.closed {
		s.Close()
		return
	}
	l.h.Accepted(s)
}

// failed stops, and tells why unless the listener was stopped before. It takes libuv's
// own pause away: AcceptStop ends it.
func (l *listener) failed(err error) {
	if l.active && !l.d.closed {
		l.Stop()
		l.h.AcceptFailed(err)
	}
}
