//go:build cgo

package uvproactor

// The driver: one loop's view of the outside world.

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
	"github.com/seed-a026a017/asyncio/uv"
)

// driver implements proactor.Proactor.
type driver struct {
	system.System
	system.Children

	loop    *uv.Loop
	watches map[*watch]struct{}
	signals system.Signals
	dirs    map[*dirWatch]struct{}
	polls   uint64   // calls of Poll, and one
	lookups int      // requests of libuv's that are not over
	changes struct { // of directories
		poll  uint64 // that has told the last one
		count int    // that it has told
	}
	closed bool
	left   bool // to a goroutine, which waits for lookups that run
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
	d := &driver{loop: l, watches: make(map[*watch]struct{}), dirs: make(map[*dirWatch]struct{}), polls: 1}
	d.Tell = d.later
	return d, nil
}

func (d *driver) Poll(timeout time.Duration) error {
	d.polls++
	if d.closed {
		if err := d.Close(); err != nil {
			return err
		}
		return uv.ErrClosed
	}
	err := d.loop.Poll(timeout)
	if d.closed { // by a handler
		err = d.Close()
	}
	return err
}

func (d *driver) Wake() { d.loop.Wake() }

func (d *driver) Now() time.Duration { return d.loop.Clock() }

func (d *driver) Waited() (total, until time.Duration) { return d.loop.Waited() }

// lookupGrace is how long Close waits for lookups. Most need less, as one in a file does;
// one that a name server does not answer may need half a minute.
const lookupGrace = 20 * time.Millisecond

// Close in a handler closes the streams, listeners and watches. The rest is left to the
// end of the Poll that has called the handler or, if the handler panics, to the next Poll
// or Close. A lookup that runs cannot be stopped, and keeps libuv's loop: that is left to
// a goroutine then, which ends with the lookup.
func (d *driver) Close() error {
	d.closed = true
	d.CloseChildren()
	if d.left {
		return nil
	}
	d.signals.Close()
	for w := range d.watches {
		w.Close()
	}
	for w := range d.dirs {
		w.Close()
	}
	ctx := context.Background()
	if d.lookups > 0 {
		limited, cancel := context.WithTimeout(ctx, lookupGrace)
		defer cancel()
		ctx = limited
	}
	err := d.loop.Shutdown(ctx)
	switch err {
	case uv.ErrClosed, uv.ErrLoopRunning:
		return nil
	case context.DeadlineExceeded:
		d.left = true
		go func() { _ = d.loop.Shutdown(context.Background()) }()
		return nil
	}
	return err
}

// check tells why op cannot begin.
func (d *driver) check(op string, addr net.Addr) error {
	if d.closed {
		return fmt.Errorf("%s %v: the proactor is closed: %w", op, addr, net.ErrClosed)
	}
	return nil
}

// later calls f from a later Poll.
func (d *driver) later(f func()) {
	d.loop.Post(func() { // it fails when the driver is closed, which calls no handler either
		if !d.closed {
			f()
		}
	})
}
