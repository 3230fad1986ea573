package asyncio

// A net.Listener on the loop. A Server accepts; its connections wait here until Accept
// takes them. If many wait the server pauses, and the kernel's backlog holds the peers.

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// acceptedConnsMax bounds the connections that wait for Accept. What the driver has
// accepted already when the server pauses comes on top.
const acceptedConnsMax = 64

// Listen is a net.Listener on the loop. Network, address and errors are those of
// CreateServer, and all its options count; WithStartServing(false) accepts from the first
// Accept on. It may be called in a task of the loop, and in a goroutine of no loop, which
// it blocks.
//
// The conns are as those of NetConn. Accept suspends a task of the loop, blocks any other
// goroutine, and is an error where to wait would hold a loop up. Close ends it, with
// net.ErrClosed, and closes the conns that nobody has accepted. A number of them may wait
// for Accept; beyond it the kernel's backlog holds the peers.
//
// http.Server.Serve works in a goroutine and in a task, which it suspends; either way it
// makes a goroutine for each connection, so that handlers run outside of the loop. Its
// Shutdown waits on a channel: in a task it belongs into ToThread.
// Suspends in a task. Cancelled: nothing listens.
func (l *Loop) Listen(ctx context.Context, network, address string, opts ...ServerOption) (net.Listener, error) {
	c := newServerConfig(opts)
	starts := c.startServing
	c.startServing, c.held = true, true // until ln knows the server
	ln := &netListener{loop: l, held: true}
	ln.accepts.mu = &ln.mu
	listen := func(ctx context.Context) (*netListener, error) {
		factory := func() Protocol {
			p := &acceptedConn{listener: ln}
			p.reader.init(l, c.limit)
			return p
		}
		s, err := l.createServer(ctx, factory, network, address, c)
		if err != nil {
			return nil, err
		}
		ln.begin(s, starts)
		return ln, nil
	}
	_, err := callFrom(ctx, l, "Listen on "+address, listen, (*netListener).drop)
	if err != nil {
		if asCancelled(err) == nil {
			err = &net.OpError{Op: "listen", Net: network, Err: err}
		}
		return nil, err
	}
	return ln, nil
}

// netListener is what Listen returns.
type netListener struct {
	loop   *Loop
	server *Server // its fields are the loop's
	addr   net.Addr

	mu      sync.Mutex
	conns   []*netConn // that nobody has accepted
	accepts netLine
	held    bool  // the server accepts nothing for now
	closed  error // net.ErrClosed: by Close; ErrLoopClosed: with the loop; nil: it is open
}

// acceptedConn is the protocol of a connection that Accept will return.
type acceptedConn struct {
	streamProtocol
	listener *netListener
}

// ConnectionMade implements BaseProtocol.
func (p *acceptedConn) ConnectionMade(t Transport) {
	p.streamProtocol.ConnectionMade(t)
	p.listener.accepted(newNetConn(&p.reader, newStreamWriter(&p.streamProtocol)))
}

// accepted brings a connection. It is for the loop's goroutine.
func (ln *netListener) accepted(c *netConn) {
	ln.mu.Lock()
	closed := ln.closed != nil
	if !closed {
		ln.conns = append(ln.conns, c)
		ln.serve(true)
	}
	hold := !ln.held && len(ln.conns) >= acceptedConnsMax
	ln.held = ln.held || hold
	ln.mu.Unlock()
	switch {
	case closed:
		c.drop()
	case hold:
		ln.hold(true)
	}
}

// hold makes the server pause, or go on. It is for the loop's goroutine.
func (ln *netListener) hold(on bool) {
	ln.server.held = on
	ln.server.adjust()
}

// begin gives the listener its server. It is for the loop's goroutine.
func (ln *netListener) begin(s *Server, starts bool) {
	ln.server, ln.addr = s, s.Addrs()[0]
	ln.loop.addOutsider(ln)
	if starts {
		ln.held = false
		ln.hold(false)
	}
}

// drop closes a listener that nobody wants. It is for the loop's goroutine.
func (ln *netListener) drop() { _ = ln.Close() }

// take is what an Accept gets now; false: it has to wait.
func (ln *netListener) take() (c *netConn, err error, now bool) {
	if ln.closed != nil || len(ln.conns) == 0 {
		return nil, ln.closed, ln.closed != nil
	}
	c = ln.conns[0]
	ln.conns[0] = nil
	if ln.conns = ln.conns[1:]; len(ln.conns) == 0 {
		ln.conns = nil
	}
	return c, nil, true
}

// serve answers the Accepts that wait, as far as that can be done.
func (ln *netListener) serve(onLoop bool) {
	for e := ln.accepts.waiting(); e != nil; e = ln.accepts.waiting() {
		c, err, now := ln.take()
		if !now {
			return
		}
		e.conn, e.err = c, err
		e.answer(onLoop)
	}
}

// Accept implements net.Listener.
// Suspends in a task. Cancelled: no connection is lost.
func (ln *netListener) Accept() (net.Conn, error) {
	c, err := ln.accept(netCallerOf(ln.loop))
	switch {
	case err == nil:
		return c, nil
	case asCancelled(err) == nil:
		err = &net.OpError{Op: "accept", Net: ln.addr.Network(), Addr: ln.addr, Err: err}
	}
	return nil, err
}

func (ln *netListener) accept(c netCaller) (*netConn, error) {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	defer ln.release(c.onLoop)
	if ln.accepts.first == nil || ln.closed != nil {
		if conn, err, now := ln.take(); now {
			return conn, err
		}
	}
	if err := c.mayWait(); err != nil {
		return nil, err
	}
	ln.release(c.onLoop)
	e := ln.accepts.join(c.task)
	var err error
	if c.task == nil {
		e.block()
	} else if err = e.park(); err != nil && e.conn != nil {
		ln.conns = append([]*netConn{e.conn}, ln.conns...) // the next one's
	}
	ln.accepts.remove(e)
	ln.serve(c.onLoop)
	conn := e.conn
	if err == nil {
		err = e.err
	}
	e.free()
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// release lets the server go on if few connections wait.
func (ln *netListener) release(onLoop bool) {
	if !ln.held || len(ln.conns) > acceptedConnsMax/2 || ln.closed != nil {
		return
	}
	ln.held = false
	if !onLoop {
		ln.loop.post(ln)
		return
	}
	ln.mu.Unlock()
	ln.hold(false)
	ln.mu.Lock()
}

// run implements runnable: the server goes on, unless as much has come meanwhile.
func (ln *netListener) run(*Loop) {
	ln.mu.Lock()
	held := ln.held
	ln.mu.Unlock()
	ln.hold(held)
}

// Addr implements net.Listener. Where a name stands for several addresses it is the
// first.
func (ln *netListener) Addr() net.Addr { return ln.addr }

// Close implements net.Listener. When it returns the address is free, unless it was
// called in a task or callback of another loop: then the loop frees it soon.
func (ln *netListener) Close() error {
	c := netCallerOf(ln.loop)
	before := ln.shut(c.onLoop, net.ErrClosed)
	if before == net.ErrClosed {
		return &net.OpError{Op: "close", Net: ln.addr.Network(), Addr: ln.addr, Err: before}
	}
	ln.loop.removeOutsider(ln)
	if c.onLoop {
		ln.server.Close()
		return nil
	}
	freed := make(chan struct{})
	ended := ln.loop.runEnd()
	posted := ln.loop.post(callback(func() {
		ln.server.Close()
		close(freed)
	}))
	if posted && ended != nil && c.blocked == nil {
		select {
		case <-freed:
		case <-ended: // it was closed, or will be at the beginning of the next run
		}
	}
	return nil
}

// shut ends the Accepts that wait, and drops what none has taken. It returns why that was
// done before, or nil.
func (ln *netListener) shut(onLoop bool, why error) (before error) {
	ln.mu.Lock()
	before = ln.closed
	ln.closed = why
	left := ln.conns
	ln.conns = nil
	ln.serve(onLoop)
	ln.mu.Unlock()
	for _, c := range left {
		_ = c.Close()
	}
	return before
}

// loopClosed implements outsider.
func (ln *netListener) loopClosed() { ln.shut(false, errLoopOfConnClosed) }

// waits implements outsider.
func (ln *netListener) waits() []string {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return ln.accepts.describe(nil, "Accept", ln.addr)
}

func (ln *netListener) String() string { return fmt.Sprintf("<listener on %v>", ln.addr) }
