package goproactor

// A listener accepts on a goroutine of its own.
//
// Invariants:
//   - At most acceptAheadMax connections are accepted and not handed over yet. They wait
//     in the driver's queue, and in kept when the listener is stopped.
//   - While kept holds any, others go behind them, so that they keep their order. Start
//     makes the next Poll hand over all of them.
//   - While stopped, a deadline in the past keeps the goroutine from accepting:
//     connections stay in the backlog. The one that it was accepting at the moment of
//     Stop is kept.
//   - The goroutine ends with the first error. The next Start runs another.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// acceptAheadMax lets one turn take several connections from a storm of them, and no more
// descriptors than that.
const acceptAheadMax = 64

// socketListener is what *net.TCPListener and *net.UnixListener have in common.
type socketListener interface {
	net.Listener
	syscall.Conn
	SetDeadline(time.Time) error
}

type listener struct {
	d       *driver
	ln      socketListener
	fd      int
	h       proactor.AcceptHandler
	started bool // the goroutine runs
	active  bool // between Start and Stop
	closed  bool
	kept    []*accepted

	foreign   bool // it came to ListenOn, so package net does not know about keepAlive
	keepAlive bool

	slots  chan struct{} // one for each connection accepted and not handed over; capacity acceptAheadMax
	resume chan struct{} // capacity 1: Start after Stop
	quit   chan struct{} // closed by release
}

// accepted is the completion of an accept.
type accepted struct {
	l    *listener
	conn net.Conn
	err  error
}

// keptEvent hands over what is kept after a Start.
type keptEvent listener

func (d *driver) Listen(addr net.Addr, opt proactor.ListenOptions) (proactor.Listener, error) {
	if d.closed {
		return nil, fmt.Errorf("listen on %v: the proactor is closed: %w", addr, net.ErrClosed)
	}
	network, err := networkOf(addr, opt.V6Only)
	if err != nil {
		return nil, err
	}
	if _, ok := addr.(*net.UnixAddr); ok {
		opt.ReusePort = false // there is no port, and Linux refuses the option
	}
	config := net.ListenConfig{
		KeepAlive:       -1,
		KeepAliveConfig: keepAlive(opt.KeepAlive),
		Control: func(_, _ string, c syscall.RawConn) (err error) {
			return errors.Join(c.Control(func(fd uintptr) {
				err = setListenOptions(int(fd), opt.ReuseAddr, opt.ReusePort)
			}), err)
		},
	}
	config.SetMultipathTCP(false) // the default costs every connection something, and nobody asked for it
	bound, err := config.Listen(context.Background(), network, addr.String())
	if err != nil {
		return nil, err
	}
	l, err := d.adopt(bound.(socketListener), opt.Backlog)
	if err != nil {
		return nil, errors.Join(err, bound.Close())
	}
	return l, nil
}

func (d *driver) ListenOn(ln net.Listener, opt proactor.ListenOptions) (proactor.Listener, error) {
	if d.closed {
		return nil, fmt.Errorf("listen on %v: the proactor is closed: %w", ln.Addr(), net.ErrClosed)
	}
	switch ln.(type) {
	case *net.TCPListener, *net.UnixListener:
	default:
		return nil, system.UnsupportedListener(ln)
	}
	l, err := d.adopt(ln.(socketListener), opt.Backlog)
	if err != nil {
		return nil, err
	}
	l.foreign, l.keepAlive = true, opt.KeepAlive
	return l, nil
}

// adopt makes a listener of a socket that listens.
func (d *driver) adopt(ln socketListener, backlog int) (*listener, error) {
	l := &listener{
		d: d, ln: ln, fd: -1,
		slots:  make(chan struct{}, acceptAheadMax),
		resume: make(chan struct{}, 1),
		quit:   make(chan struct{}),
	}
	raw, err := ln.SyscallConn()
	if err == nil {
		var failed error
		err = raw.Control(func(fd uintptr) {
			l.fd = int(fd)
			failed = setBacklog(l.fd, cmp.Or(backlog, proactor.BacklogMax))
		})
		err = errors.Join(err, failed)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %v: %w", ln.Addr(), err)
	}
	if unix, ok := ln.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false)
	}
	d.listeners[l] = struct{}{}
	d.descriptors.add(l.fd)
	return l, nil
}

func (l *listener) Start(h proactor.AcceptHandler) error {
	if l.closed {
		return fmt.Errorf("accept on %v: the listener is closed: %w", l.Addr(), net.ErrClosed)
	}
	l.h = h
	if l.active {
		return nil
	}
	if err := l.ln.SetDeadline(time.Time{}); err != nil {
		return err
	}
	l.active = true
	if !l.started {
		l.started = true
		l.d.goroutines.Add(1)
		go l.acceptAll()
	}
	if len(l.kept) > 0 {
		l.d.later((*keptEvent)(l))
	}
	select {
	case l.resume <- struct{}{}:
	default: // the goroutine has not seen the Start before
	}
	return nil
}

func (l *listener) Stop() {
	if l.closed || !l.active {
		return
	}
	l.active = false
	// Fails only if the socket is closed, and then nothing is accepted anyway.
	_ = l.ln.SetDeadline(time.Unix(1, 0))
}

func (l *listener) Addr() net.Addr { return l.ln.Addr() }
func (l *listener) FD() int        { return l.fd }

// Close cannot report an error to anyone; the socket is gone in any case.
func (l *listener) Close() {
	if l.closed {
		return
	}
	_ = l.release()
	delete(l.d.listeners, l)
}

func (l *listener) release() error {
	l.closed = true
	l.active = false
	l.d.descriptors.remove(l.fd)
	close(l.quit)
	err := l.ln.Close()
	if errors.Is(err, net.ErrClosed) { // by the caller of ListenOn
		err = nil
		for s := range l.d.streams {
			if s.fd == l.fd { // the number has come back
				l.d.descriptors.add(s.fd)
			}
		}
	}
	l.fd = -1
	for _, a := range l.kept {
		a.discard()
	}
	l.kept = nil
	return err
}

// acceptAll is the goroutine. A resume that it finds stale costs it one more look at the
// deadline.
func (l *listener) acceptAll() {
	defer l.d.goroutines.Done()
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.quit:
			return
		}
		c, err := l.ln.Accept()
		switch {
		case err == nil:
			l.d.post(&accepted{l: l, conn: c})
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			<-l.slots
			select {
			case <-l.resume:
			case <-l.quit:
				return
			}
		case ofOne(err):
			<-l.slots
		default:
			l.d.post(&accepted{l: l, err: err})
			return
		}
	}
}

// ofOne reports whether an error of accept(2) is that of one connection, which is gone
// with it, and not the listener's. Linux passes on what the network has told. Package net
// knows ECONNABORTED only.
func ofOne(err error) bool {
	for _, gone := range []syscall.Errno{
		syscall.EPROTO, syscall.ENETDOWN, syscall.ENOPROTOOPT, syscall.EHOSTDOWN,
		syscall.EHOSTUNREACH, syscall.EOPNOTSUPP, syscall.ENETUNREACH,
	} {
		if errors.Is(err, gone) {
			return true
		}
	}
	return false
}

func (a *accepted) complete() {
	l := a.l
	switch {
	case l.closed:
		a.discard()
		return
	case a.err != nil:
		<-l.slots
		l.started = false
		l.failed(a.err)
		return
	case !l.active || len(l.kept) > 0:
		l.kept = append(l.kept, a)
		return
	}
	a.handOver()
}

// complete hands over until the listener is stopped or closed. If a handler panics, the
// next Poll goes on.
func (k *keptEvent) complete() {
	l := (*listener)(k)
	defer func() {
		if l.active && len(l.kept) > 0 {
			l.d.later(k)
		}
	}()
	for l.active && len(l.kept) > 0 {
		a := l.kept[0]
		l.kept = l.kept[1:]
		a.handOver()
	}
}

func (k *keptEvent) discard() {} // release does

func (a *accepted) handOver() {
	l := a.l
	<-l.slots
	if tcp, ok := a.conn.(*net.TCPConn); ok && l.foreign {
		// A connection that was reset meanwhile refuses options; its read says so.
		_ = tcp.SetKeepAliveConfig(keepAlive(l.keepAlive))
	}
	s, err := newStream(l.d, a.conn)
	if err != nil {
		l.failed(err)
		return
	}
	l.h.Accepted(s)
}

// failed stops, and tells why unless the listener was stopped before.
func (l *listener) failed(err error) {
	if l.active {
		l.Stop()
		l.h.AcceptFailed(err)
	}
}

// discard closes a connection that nobody will hear of.
func (a *accepted) discard() {
	if a.conn != nil {
		_ = a.conn.Close()
	}
}
