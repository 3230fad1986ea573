//go:build cgo

package uvproactor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/uv"
)

// keepAliveDelay is when the first probe goes out on an idle connection that keeps alive.
const keepAliveDelay = 60 * time.Second

// driver implements proactor.Proactor.
type driver struct {
	loop   *uv.Loop
	closed bool
}

// New returns a proactor on libuv. lockedThread tells that the goroutine which polls is
// locked to its thread: parking such a goroutine costs two switches of threads, so it
// blocks in libuv instead.
func New(lockedThread bool) (proactor.Proactor, error) {
	wait := uv.WaitAdaptive
	if lockedThread {
		wait = uv.WaitBlock
	}
	l, err := uv.NewLoop(uv.WithWait(wait))
	if err != nil {
		return nil, err
	}
	return &driver{loop: l}, nil
}

// Version is the version of libuv.
func Version() string { return uv.VersionString() }

func (d *driver) Poll(timeout time.Duration) error { return d.loop.Poll(timeout) }

func (d *driver) Wake() { d.loop.Wake() }

func (d *driver) Now() time.Duration { return d.loop.Clock() }

func (d *driver) Waited() (total, until time.Duration) { return d.loop.Waited() }

func (d *driver) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	return d.loop.Shutdown(context.Background())
}

// later calls f from a later Poll.
func (d *driver) later(f func()) {
	d.loop.Post(func() { // it fails when the driver is closed, which calls no handler either
		if !d.closed {
			f()
		}
	})
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

func (d *driver) Connect(addr net.Addr, opt proactor.ConnectOptions, done func(proactor.Stream, error)) (cancel func()) {
	c := &connect{d: d, done: done}
	var err error
	switch a := addr.(type) {
	case *net.TCPAddr:
		err = c.tcp(a, opt)
	case *net.UnixAddr:
		err = c.unix(a, opt)
	default:
		err = &net.AddrError{Err: fmt.Sprintf("connect: unsupported address type %T", addr), Addr: fmt.Sprint(addr)}
	}
	if err != nil {
		d.later(func() { c.finish(err) })
	}
	return c.cancel
}

// connect is one call of Connect.
type connect struct {
	d         *driver
	conn      *uv.Stream // nil when it could not be made
	done      func(proactor.Stream, error)
	cancelled bool
}

func (c *connect) tcp(a *net.TCPAddr, opt proactor.ConnectOptions) error {
	t, err := c.d.loop.NewTCP()
	if err != nil {
		return err
	}
	c.conn = &t.Stream
	if opt.Local != nil {
		local, ok := opt.Local.(*net.TCPAddr)
		if !ok {
			return &net.AddrError{Err: fmt.Sprintf("connect: local address of type %T", opt.Local), Addr: opt.Local.String()}
		}
		ap, _ := addrPort(local)
		if err := t.Bind(ap, 0); err != nil {
			return err
		}
	}
	if err := t.SetNoDelay(true); err != nil {
		return err
	}
	ap, anyIP := addrPort(a)
	if anyIP {
		ap = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), ap.Port())
	}
	return t.Connect(ap, func(err error) {
		if err == nil && opt.KeepAlive {
			err = t.SetKeepAlive(true, keepAliveDelay)
		}
		c.finish(err)
	})
}

func (c *connect) unix(a *net.UnixAddr, opt proactor.ConnectOptions) error {
	p, err := c.d.loop.NewPipe()
	if err != nil {
		return err
	}
	c.conn = &p.Stream
	if opt.Local != nil {
		if err := p.Bind(opt.Local.String()); err != nil {
			return err
		}
	}
	return p.Connect(a.Name, c.finish)
}

// finish reports the end of the attempt, unless the driver is closing.
func (c *connect) finish(err error) {
	done := c.done
	if done == nil {
		return
	}
	c.done = nil
	if c.cancelled {
		err = context.Canceled
	}
	if err != nil && c.conn != nil {
		c.conn.Close()
	}
	switch {
	case c.d.closed:
	case err != nil:
		done(nil, err)
	default:
		done(newStream(c.d, c.conn), nil)
	}
}

// cancel closes the handle, which ends a connect that is under way.
func (c *connect) cancel() {
	if c.done == nil || c.cancelled {
		return
	}
	c.cancelled = true
	if c.conn != nil {
		c.conn.Close()
	}
}

// addrPort converts an address, an IPv4 one in its short form. anyIP tells that it names
// no host; that is [::] then.
func addrPort(a *net.TCPAddr) (ap netip.AddrPort, anyIP bool) {
	if len(a.IP) == 0 {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(a.Port)), true
	}
	ap = a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), false
}

// addresses are those of a stream. A socket that is gone has none.
func addresses(h uv.Handle) (local, remote net.Addr) {
	switch c := h.(type) {
	case *uv.TCP:
		local, _ = tcpAddr(c.LocalAddr())
		remote, _ = tcpAddr(c.RemoteAddr())
	case *uv.Pipe:
		local, _ = unixAddr(c.LocalAddr())
		remote, _ = unixAddr(c.RemoteAddr())
	}
	return local, remote
}

func unixAddr(name string, err error) (net.Addr, error) {
	if err != nil {
		return nil, err
	}
	return &net.UnixAddr{Net: "unix", Name: name}, nil
}

// tcpAddr converts an address as package net does: an IPv4 peer of an IPv6 socket is an
// IPv4 address.
func tcpAddr(ap netip.AddrPort, err error) (net.Addr, error) {
	if err != nil {
		return nil, err
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())), nil
}
