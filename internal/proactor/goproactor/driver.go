package goproactor

// The driver: one loop's view of the outside world.

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// driver implements proactor.Proactor.
type driver struct {
	system.System
	system.Children

	mu       sync.Mutex
	queue    []completion // under mu: what has happened since the last take, in order
	sleeping bool         // under mu: the loop waits for the bell; who clears this rings it, once
	woken    bool         // under mu: Wake was called since the last take

	bell       chan struct{} // capacity 1, so that the ringer never waits
	goroutines sync.WaitGroup

	batch       []completion // what was taken from queue and not completed yet starts at batch[next]
	next        int
	local       []completion  // what the loop itself has caused, for the next Poll
	dirty       []*stream     // streams with something to flush
	sends       []*datagram   // endpoints with something to flush
	looks       []*watch      // watches to look at
	vector      vector        // scratch of direct writes
	sendTo      sockaddrs     // scratch of direct sends
	pollFDs     []pollFD      // scratch of looks
	descriptors descriptorSet // of streams, endpoints and listeners

	timer     *time.Timer
	start     time.Time
	waited    time.Duration // in sleep, all in all
	wokenAt   time.Duration // when the last sleep ended
	yielded   time.Duration // when the loop last let others run
	streams   map[*stream]struct{}
	listeners map[*listener]struct{}
	connects  map[*connect]struct{}
	watches   map[*watch]struct{}
	signals   system.Signals
	datagrams map[*datagram]struct{}
	lookups   map[*lookup]struct{} // that have a goroutine
	dirs      map[*dirWatch]struct{}
	inotify   *inotify // or nil
	closed    bool
}

// New returns a proactor that needs neither cgo nor libuv.
func New() (proactor.Proactor, error) {
	if err := makePoller(); err != nil {
		return nil, err
	}
	d := &driver{
		bell:      make(chan struct{}, 1),
		timer:     time.NewTimer(time.Hour),
		start:     time.Now(),
		streams:   make(map[*stream]struct{}),
		listeners: make(map[*listener]struct{}),
		connects:  make(map[*connect]struct{}),
		watches:   make(map[*watch]struct{}),
		datagrams: make(map[*datagram]struct{}),
		lookups:   make(map[*lookup]struct{}),
		dirs:      make(map[*dirWatch]struct{}),
	}
	d.Tell = func(f func()) { d.post(told(f)) }
	d.timer.Stop()
	return d, nil
}

// Poll completes a batch even when a handler has panicked out of the Poll before: the
// rest of that batch comes first.
func (d *driver) Poll(timeout time.Duration) error {
	if d.closed {
		return fmt.Errorf("poll: the proactor is closed: %w", net.ErrClosed)
	}
	for i, s := range d.dirty {
		d.dirty[i] = nil
		s.dirty = false
		s.flush()
	}
	d.dirty = d.dirty[:0]
	for i, g := range d.sends {
		d.sends[i] = nil
		g.dirty = false
		g.flush()
	}
	d.sends = d.sends[:0]
	if d.next == len(d.batch) {
		if len(d.looks) > 0 {
			d.look()
		}
		d.take(timeout)
	}
	for d.next < len(d.batch) && !d.closed {
		c := d.batch[d.next]
		d.batch[d.next] = nil
		d.next++
		c.complete()
	}
	return nil
}

func (d *driver) Wake() {
	d.mu.Lock()
	d.woken = true
	ring := d.sleeping
	d.sleeping = false
	d.mu.Unlock()
	if ring {
		d.bell <- struct{}{}
	}
}

func (d *driver) Now() time.Duration { return time.Since(d.start) }

func (d *driver) Waited() (total, until time.Duration) { return d.waited, d.wokenAt }

// Close waits for every goroutine, so none is left when it returns, and nothing is posted
// after that. Those of children go on, and post nothing.
func (d *driver) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	d.CloseChildren()
	var errs []error
	for s := range d.streams {
		errs = append(errs, s.release())
	}
	for l := range d.listeners {
		errs = append(errs, l.release())
	}
	for g := range d.datagrams {
		errs = append(errs, g.release())
	}
	for c := range d.connects {
		c.stop()
	}
	for w := range d.watches {
		w.release()
	}
	for k := range d.lookups {
		k.cancel()
	}
	d.signals.Close()
	for w := range d.dirs {
		w.release()
	}
	d.goroutines.Wait()
	for _, c := range d.batch[d.next:] {
		c.discard()
	}
	for _, c := range d.queue {
		c.discard()
	}
	for _, c := range d.local {
		c.discard()
	}
	d.batch, d.queue, d.local, d.dirty, d.sends, d.looks, d.next = nil, nil, nil, nil, nil, nil, 0
	clear(d.streams)
	clear(d.listeners)
	clear(d.connects)
	clear(d.watches)
	clear(d.datagrams)
	clear(d.lookups)
	clear(d.dirs)
	return errors.Join(errs...)
}
