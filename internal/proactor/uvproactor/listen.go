//go:build cgo

package uvproactor

// Listening: a listener is a handle of libuv's that listens.

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
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
	switch a := addr.(type) {
	case *net.TCPAddr:
		return d.listenTCP(a, opt)
	case *net.UnixAddr:
		return d.listenUnix(a, opt)
	}
	return nil, &net.AddrError{Err: fmt.Sprintf("listen: unsupported address type %T", addr), Addr: fmt.Sprint(addr)}
}

func (d *driver) listenTCP(a *net.TCPAddr, opt proactor.ListenOptions) (proactor.Listener, error) {
	ap, anyIP := addrPort(a)
	t, err := d.bindTCP(ap, opt)
	if anyIP && errors.Is(err, syscall.EAFNOSUPPORT) { // a system without IPv6
		ap = netip.AddrPortFrom(netip.IPv4Unspecified(), ap.Port())
		t, err = d.bindTCP(ap, opt)
	}
	if err != nil {
		return nil, err
	}
	ln := &listener{d: d, s: &t.Stream}
	lo := uv.ListenOptions{NoDelay: true, Stopped: true}
	if opt.KeepAlive {
		lo.KeepAlive = keepAliveDelay
	}
	err = t.ListenWith(opt.Backlog, lo, func(c *uv.TCP, err error) {
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

func (d *driver) listenUnix(a *net.UnixAddr, opt proactor.ListenOptions) (proactor.Listener, error) {
	p, err := d.loop.NewPipe()
	if err != nil {
		return nil, err
	}
	ln := &listener{d: d, s: &p.Stream, addr: a}
	err = p.Bind(a.Name)
	if err == nil {
		err = p.ListenWith(opt.Backlog, uv.ListenOptions{Stopped: true}, func(c *uv.Pipe, err error) {
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
