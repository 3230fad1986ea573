//go:build cgo

package uv

// Polls: watching descriptors of somebody else's.
//
// Start and Stop reach the kernel inside the call, so that the owner may close the
// descriptor right after Stop. A number counts the calls, and a record tells under which
// start it was made: one that comes from before a Stop or another Start is dropped.

import (
	"math"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// PollEvents is a set of what a Poll watches for, or has seen.
type PollEvents uint

// The events of a Poll; uv_poll_event.
const (
	Readable PollEvents = 1 << iota
	Writable
	Disconnect  // the peer has closed, or shut down its writing side
	Prioritized // out-of-band data, or what sysfs and the like tell
)

const anyPollEvent = Readable | Writable | Disconnect | Prioritized

// Poll watches a descriptor of somebody else's, who closes it after Stop or Close;
// uv_poll_t.
type Poll struct {
	bridged
	cb    func(events PollEvents, err error) // nil while stopped
	epoch uint64
}

// NewPoll makes a handle that watches fd, a socket, pipe or whatever else the system's
// poller knows, and makes fd non-blocking; uv_poll_init. The errors are ErrClosed, EBADF,
// EPERM for a regular file and its like, and EEXIST until another handle of this loop
// that has the descriptor is told to close.
func (l *Loop) NewPoll(fd uintptr) (*Poll, error) {
	l.use("Loop.NewPoll")
	if l.state.Load() == loopClosed {
		return nil, ErrClosed
	}
	if fd > math.MaxInt32 {
		return nil, &Error{Op: "init", Kind: PollHandle, Errno: EBADF}
	}
	id, code := l.b.NewPoll(int(fd))
	if code != 0 {
		return nil, &Error{Op: "init", Kind: PollHandle, Errno: Errno(code)}
	}
	p := new(Poll)
	l.addBridged(p, PollHandle, id)
	return p, nil
}

// Start calls cb in every turn in which one of the events holds; uv_poll_start. Called
// again it changes the events and the callback, and what was seen before is not told.
// With an error, EBADF for a descriptor that is none any more or that shows nothing but
// an error, the Poll has stopped. Whatever else was asked for, a system tells of a peer
// that is gone as of the events that were.
//
// The errors are ErrClosed, EINVAL without events or without cb, and those of the system,
// such as EBADF and ENOENT when the owner has closed the descriptor meanwhile; after
// those the Poll is stopped.
func (p *Poll) Start(events PollEvents, cb func(events PollEvents, err error)) error {
	if err := p.check("Poll.Start"); err != nil {
		return err
	}
	if events == 0 || events&^anyPollEvent != 0 || cb == nil {
		return p.fail("poll_start", int(EINVAL))
	}
	p.epoch++
	p.cb = cb
	code := p.loop.b.PollStart(p.id(), int(events), p.epoch)
	if code != 0 {
		p.cb = nil
	}
	p.loop.stirred()
	return p.result("poll_start", code)
}

// Stop ends the calls at once; uv_poll_stop. It is idempotent. The error is ErrClosed.
func (p *Poll) Stop() error {
	if err := p.check("Poll.Stop"); err != nil {
		return err
	}
	p.epoch++
	p.cb = nil
	return p.result("poll_stop", p.loop.b.PollStop(p.id()))
}

func (p *Poll) record(r cbridge.Record) {
	cb := p.cb
	if r.Value != p.epoch || cb == nil || p.state != handleOpen {
		return
	}
	p.loop.calls++
	if r.Status != 0 {
		p.cb = nil
		cb(0, p.fail("poll", int(r.Status)))
		return
	}
	cb(PollEvents(r.Aux), nil)
}

func (p *Poll) ended() { p.cb = nil }

// HandleOf is the handle of the loop that has a descriptor, nil if none has: a Poll that
// watches it, or what OpenFD would collide with. One that is told to close has none.
func (l *Loop) HandleOf(fd uintptr) Handle {
	l.use("Loop.HandleOf")
	if l.state.Load() == loopClosed || fd > math.MaxInt32 {
		return nil
	}
	id := l.b.FindFD(int(fd))
	if id == 0 {
		return nil
	}
	slot := uint32(id)
	if s := l.stream(slot); s != nil {
		return s.Handle()
	}
	if h := l.bridged[slot]; h != nil {
		return h
	}
	return nil // a connection that nobody has heard of yet
}
