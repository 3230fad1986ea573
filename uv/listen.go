//go:build cgo

package uv

// Listening. The bridge accepts; a record brings each connection.
//
// Accepting is paused while the listener was stopped, while as many connections are open
// as it may have, and for a while after an error such as EMFILE, which would come back at
// once. A paused listener still counts as active.

import (
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// acceptRetryDelay is how long a listener waits after an error before it accepts again.
// The error is mostly a lack of descriptors, which ends when others are closed; ten tries
// a second notice that soon and cost nothing.
const acceptRetryDelay = 100 * time.Millisecond

// ListenOptions change what Listen does.
type ListenOptions struct {
	NoDelay   bool          // TCP_NODELAY on every connection
	KeepAlive time.Duration // SO_KEEPALIVE on every connection, probing after so long; 0: not set
	MaxConns  int           // connections open at a time; the others wait in the kernel's backlog; 0: no limit
	Stopped   bool          // do not accept before AcceptStart
}

type listener struct {
	f       func(Handle, error)
	limited bool // by MaxConns
	stopped bool
	retry   *Timer   // runs after an error; nil before the first one
	held    []Handle // accepted, not handed over: stopped meanwhile, or the callback has panicked
}

// Listen listens, on any address and port if the handle is not bound; uv_listen. onConn
// is called with each connection, which is of the same loop, or with an error that kept
// one from being accepted; after that accepting goes on by itself. The errors are
// ErrClosed, EADDRINUSE and EINVAL.
func (t *TCP) Listen(backlog int, onConn func(conn *TCP, err error)) error {
	return t.ListenWith(backlog, ListenOptions{}, onConn)
}

// ListenWith is Listen with options.
func (t *TCP) ListenWith(backlog int, opt ListenOptions, onConn func(conn *TCP, err error)) error {
	if onConn == nil {
		return t.fail("listen", int(EINVAL))
	}
	return t.listen(backlog, opt, func(h Handle, err error) {
		conn, _ := h.(*TCP)
		onConn(conn, err)
	})
}

func (s *Stream) listen(backlog int, opt ListenOptions, f func(Handle, error)) error {
	if err := s.check("Stream.Listen"); err != nil {
		return err
	}
	if opt.MaxConns < 0 || opt.KeepAlive < 0 || s.flags&(streamConnected|streamConnecting) != 0 {
		return s.fail("listen", int(EINVAL))
	}
	if s.requests != nil && s.requests.listener != nil {
		return s.fail("listen", int(EALREADY))
	}
	room := -1
	if opt.MaxConns > 0 {
		room = opt.MaxConns
	}
	s.loop.flush()
	code := s.loop.b.Listen(s.id(), backlog, opt.NoDelay, seconds(opt.KeepAlive), room, opt.Stopped)
	if code != 0 {
		return s.fail("listen", code)
	}
	s.reqs().listener = &listener{f: f, limited: opt.MaxConns > 0, stopped: opt.Stopped}
	s.setActive(true)
	return nil
}

func (s *Stream) listening(method string) (*listener, error) {
	if err := s.check(method); err != nil {
		return nil, err
	}
	if s.requests == nil || s.requests.listener == nil {
		return nil, s.fail("accept", int(EINVAL))
	}
	return s.requests.listener, nil
}

// AcceptStop leaves new connections in the kernel's backlog. It ends the pause after an
// error too: AcceptStart then accepts at once. An error that is found after it is not
// told. The errors are ErrClosed, and EINVAL if
// the handle does not listen.
func (s *Stream) AcceptStop() error {
	ls, err := s.listening("Stream.AcceptStop")
	if err != nil {
		return err
	}
	ls.stopped = true
	if ls.retry != nil {
		ls.retry.disarm()
	}
	s.loop.submit(cbridge.OpAcceptStop, s.slot, s.gen, 0)
	return nil
}

// AcceptStart goes on after AcceptStop. The errors are ErrClosed, and EINVAL if the
// handle does not listen.
func (s *Stream) AcceptStart() error {
	ls, err := s.listening("Stream.AcceptStart")
	if err != nil {
		return err
	}
	ls.stopped = false
	if len(ls.held) > 0 {
		s.loop.later(func() { s.deliverHeld(ls) })
	}
	if ls.retry == nil || !ls.retry.active {
		s.loop.submit(cbridge.OpAcceptStart, s.slot, s.gen, 0)
	}
	return nil
}

// accepted makes the Go side of a connection. A listener that was closed meanwhile does
// not want it any more.
func (s *Stream) accepted(r cbridge.Record) {
	l := s.loop
	var h Handle
	var c *Stream
	if r.Aux == cbridge.KindTCP {
		t := l.adoptTCP(r.Value)
		h, c = t, &t.Stream
	} else {
		p := l.adoptPipe(r.Value)
		h, c = p, &p.Stream
	}
	c.flags = streamConnected
	if s.state != handleOpen {
		c.Close()
		return
	}
	ls := s.requests.listener
	if ls.limited {
		if l.counted == nil {
			l.counted = make(map[uint32]*Stream)
		}
		l.counted[c.slot] = s
	}
	ls.held = append(ls.held, h)
	s.deliverHeld(ls)
}

// deliverHeld hands over connections until the listener is stopped or closed. If the
// callback panics, the end of a turn goes on.
func (s *Stream) deliverHeld(ls *listener) {
	defer func() {
		if len(ls.held) > 0 && !ls.stopped && s.state == handleOpen {
			s.loop.later(func() { s.deliverHeld(ls) })
		}
	}()
	for len(ls.held) > 0 && !ls.stopped && s.state == handleOpen {
		h := ls.held[0]
		ls.held = ls.held[1:]
		s.loop.calls++
		ls.f(h, nil)
	}
}

// uncount tells the listener of a connection that it is closed.
func (l *Loop) uncount(slot uint32) {
	s := l.counted[slot]
	if s == nil {
		return
	}
	delete(l.counted, slot)
	if s.state == handleOpen {
		l.submit(cbridge.OpAcceptRoom, s.slot, s.gen, 1)
	}
}

func (s *Stream) acceptFailed(err error) {
	if s.state != handleOpen {
		return
	}
	ls := s.requests.listener
	if ls.stopped { // AcceptStart tries anew
		return
	}
	if ls.retry == nil {
		ls.retry = &Timer{local: local{handle{loop: s.loop, kind: TimerHandle, unreferenced: true}}}
		ls.retry.node.t = ls.retry
	}
	ls.retry.Start(acceptRetryDelay, 0, func() {
		if !ls.stopped {
			s.loop.submit(cbridge.OpAcceptStart, s.slot, s.gen, 0)
		}
	})
	s.loop.calls++
	ls.f(nil, err)
}

func (ls *listener) close(s *Stream) {
	s.setActive(false)
	for _, h := range ls.held {
		h.Close()
	}
	ls.held = nil
	if ls.retry != nil {
		ls.retry.disarm()
	}
}
