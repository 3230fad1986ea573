package goproactor

// A dial is a pending Connect: a goroutine in package net's Dialer.

import (
	"context"
	"fmt"
	"net"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// dial is the completion of a Connect too.
type dial struct {
	d         *driver
	stop      context.CancelFunc
	done      func(proactor.Stream, error)
	cancelled bool

	conn net.Conn // the goroutine's until it has posted
	err  error    // likewise
}

func (d *driver) Connect(addr net.Addr, opt proactor.ConnectOptions, done func(proactor.Stream, error)) (cancel func()) {
	c := &dial{d: d, done: done}
	if d.closed {
		return func() {}
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	d.dials[c] = struct{}{}
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

func (c *dial) cancel() {
	c.cancelled = true
	c.stop()
}

func (c *dial) complete() {
	c.stop()
	delete(c.d.dials, c)
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
func (c *dial) discard() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
}
