package goproactor

// Connecting: a pending Connect is a goroutine in package net's Dialer.

import (
	"context"
	"fmt"
	"net"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// connect is one call of Connect, and its completion.
type connect struct {
	d         *driver
	stop      context.CancelFunc
	done      func(proactor.Stream, error)
	cancelled bool

	conn net.Conn // the goroutine's until it has posted
	err  error    // likewise
}

func (d *driver) Connect(addr net.Addr, opt proactor.ConnectOptions, done func(proactor.Stream, error)) (cancel func()) {
	c := &connect{d: d, done: done}
	if d.closed {
		return func() {}
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	d.connects[c] = struct{}{}
	network, err := networkOf(addr, false)
	if err != nil {
		c.err = err
		d.later(c)
		return c.cancel
	}
	d.goroutines.Add(1)
	go func() {
		defer d.goroutines.Done()
		dialer := net.Dialer{LocalAddr: opt.Local, KeepAlive: -1, KeepAliveConfig: keepAlive(opt.KeepAlive)}
		c.conn, c.err = dialer.DialContext(ctx, network, addr.String())
		d.post(c)
	}()
	return c.cancel
}

func (d *driver) Adopt(theirs net.Conn, keepsAlive bool) (proactor.Stream, error) {
	if d.closed {
		return nil, fmt.Errorf("adopt the connection to %v: the proactor is closed: %w", theirs.RemoteAddr(), net.ErrClosed)
	}
	if err := system.CheckConn(theirs); err != nil {
		return nil, err
	}
	own, err := takeOver(theirs.(conn))
	if err != nil {
		return nil, fmt.Errorf("adopt: %w", err)
	}
	s, err := newStream(d, own)
	if err != nil {
		return nil, fmt.Errorf("adopt: %w", err)
	}
	if tcp, ok := own.(*net.TCPConn); ok {
		// A connection that was reset meanwhile refuses options; its read says so.
		_ = tcp.SetNoDelay(true)
		_ = tcp.SetKeepAliveConfig(keepAlive(keepsAlive))
	}
	if own != theirs {
		_ = theirs.Close()
	}
	return s, nil
}

func (c *connect) cancel() {
	c.cancelled = true
	c.stop()
}

func (c *connect) complete() {
	c.stop()
	delete(c.d.connects, c)
	if c.cancelled {
		c.discard()
		c.done(nil, context.Canceled)
		return
	}
	if c.err != nil {
		c.done(nil, c.err)
		return
	}
	s, err := newStream(c.d, c.conn)
	if err != nil {
		c.done(nil, fmt.Errorf("connect: %w", err))
		return
	}
	c.done(s, nil)
}

// discard closes a connection that nobody will hear of.
func (c *connect) discard() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
}
