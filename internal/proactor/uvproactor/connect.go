//go:build cgo

package uvproactor

// Connecting: a pending Connect is a handle of libuv's that connects.

import (
	"context"
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

// connect is one call of Connect.
type connect struct {
	d         *driver
	conn      *uv.Stream // nil when it could not be made
	done      func(proactor.Stream, error)
	cancelled bool
}

func (d *driver) Connect(addr net.Addr, opt proactor.ConnectOptions, done func(proactor.Stream, error)) (cancel func()) {
	c := &connect{d: d, done: done}
	if d.closed {
		return func() {}
	}
	var err error
	switch a := addr.(type) {
	case *net.TCPAddr:
		err = c.tcp(a, opt)
	case *net.UnixAddr:
		err = c.unix(a, opt)
	default:
		err = fmt.Errorf("connect: %w", system.Unsupported(addr))
	}
	if err != nil {
		d.later(func() { c.finish(err) })
	}
	return c.cancel
}

// Adopt goes on with a duplicate of theirs' descriptor, as ListenOn does.
func (d *driver) Adopt(theirs net.Conn, keepAlive bool) (proactor.Stream, error) {
	if err := d.check("adopt the connection to", theirs.RemoteAddr()); err != nil {
		return nil, err
	}
	if err := system.CheckConn(theirs); err != nil {
		return nil, err
	}
	var s *uv.Stream
	var err error
	switch c := theirs.(type) {
	case *net.TCPConn:
		s, err = d.openTCP(c, keepAlive)
	case *net.UnixConn:
		s, err = d.openUnix(c)
	}
	if err != nil {
		return nil, fmt.Errorf("adopt: %w", err)
	}
	_ = theirs.Close()
	return newStream(d, s), nil
}

func (d *driver) openTCP(c *net.TCPConn, keepAlive bool) (*uv.Stream, error) {
	t, err := d.loop.NewTCP()
	if err != nil {
		return nil, err
	}
	if err := openConn(c, t.OpenFD); err != nil {
		t.Close()
		return nil, err
	}
	// A connection that was reset meanwhile refuses options; its read says so.
	_ = t.SetNoDelay(true)
	_ = t.SetKeepAlive(keepAlive, keepAliveDelay)
	return &t.Stream, nil
}

func (d *driver) openUnix(c *net.UnixConn) (*uv.Stream, error) {
	p, err := d.loop.NewPipe()
	if err != nil {
		return nil, err
	}
	if err := openConn(c, p.OpenFD); err != nil {
		p.Close()
		return nil, err
	}
	return &p.Stream, nil
}

func (c *connect) tcp(a *net.TCPAddr, opt proactor.ConnectOptions) error {
	peer, err := addrPort(a, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	t, err := c.d.loop.NewTCP()
	if err != nil {
		return err
	}
	c.conn = &t.Stream
	if opt.Local != nil {
		if err := bindTCP(t, opt.Local, peer.Addr()); err != nil {
			return err
		}
	}
	if err := t.SetNoDelay(true); err != nil {
		return err
	}
	return t.Connect(peer, func(err error) {
		if err == nil && opt.KeepAlive {
			err = t.SetKeepAlive(true, keepAliveDelay)
		}
		c.finish(err)
	})
}

// bindTCP binds to an address of peer's family.
func bindTCP(t *uv.TCP, addr net.Addr, peer netip.Addr) error {
	local, ok := addr.(*net.TCPAddr)
	if !ok {
		return mismatched(addr)
	}
	host := netip.IPv6Unspecified()
	if peer.Is4() {
		host = netip.IPv4Unspecified()
	}
	ap, err := addrPort(local, host)
	if err != nil {
		return fmt.Errorf("connect from %w", err)
	}
	return t.Bind(ap, 0)
}

func (c *connect) unix(a *net.UnixAddr, opt proactor.ConnectOptions) error {
	p, err := c.d.loop.NewPipe()
	if err != nil {
		return err
	}
	c.conn = &p.Stream
	if opt.Local != nil {
		if err := bindUnix(p, opt.Local); err != nil {
			return err
		}
	}
	return p.Connect(a.Name, c.finish)
}

// bindUnix binds without libuv, which would remove the path at the end.
func bindUnix(p *uv.Pipe, addr net.Addr) error {
	local, ok := addr.(*net.UnixAddr)
	if !ok {
		return mismatched(addr)
	}
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	err = os.NewSyscallError("bind "+local.Name, syscall.Bind(fd, &syscall.SockaddrUnix{Name: local.Name}))
	if err == nil {
		err = openDup(uintptr(fd), p.OpenFD)
	}
	return errors.Join(err, syscall.Close(fd))
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
