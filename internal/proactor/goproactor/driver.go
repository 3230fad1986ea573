// Package goproactor is the proactor in pure Go: package net below, no cgo.
//
// Goroutines wait, the loop acts. A connection that reads has one goroutine, parked in
// the runtime's poller until there is something to read; a connection that the kernel
// takes no more bytes from has a second one until it does. A listener and a pending
// connect have one each. They put what has happened into one queue, which Poll takes as a
// whole.
//
// Invariants:
//   - Every field belongs to the loop's goroutine unless its comment names another owner.
//   - A completion in the queue owns what it carries (a buffer, a connection) until
//     complete is called or Close drops it.
//   - Only the loop closes descriptors, so it may use one that it has not closed.
//   - A goroutine never waits for the loop while it holds something that Close needs.
package goproactor

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// yieldEvery is how long Poll may be called without waiting before it lets other
// goroutines run. With GOMAXPROCS=1 a loop that always has something to do would
// otherwise keep the goroutines that do its I/O off the processor until the runtime
// preempts it, which takes 10 ms.
const yieldEvery = time.Millisecond

// completion is something that has happened. complete tells the handler; discard releases
// what the completion owns when the driver closes before that.
type completion interface {
	complete()
	discard()
}

// driver implements proactor.Proactor.
type driver struct {
	mu       sync.Mutex
	queue    []completion // under mu: what has happened since the last take, in order
	sleeping bool         // under mu: the loop waits for the bell; who clears this rings it, once
	woken    bool         // under mu: Wake was called since the last take

	bell       chan struct{} // capacity 1, so that the ringer never waits
	goroutines sync.WaitGroup

	batch  []completion // what was taken from queue and not completed yet starts at batch[next]
	next   int
	local  []completion // what the loop itself has caused, for the next Poll
	dirty  []*stream    // streams with something to flush
	vector vector       // scratch of direct writes

	timer     *time.Timer
	start     time.Time
	waited    time.Duration // in sleep, all in all
	wokenAt   time.Duration // when the last sleep ended
	yielded   time.Duration // when the loop last let others run
	streams   map[*stream]struct{}
	listeners map[*listener]struct{}
	dials     map[*dial]struct{}
	closed    bool
}

// New returns a proactor that needs neither cgo nor libuv.
func New() (proactor.Proactor, error) {
	d := &driver{
		bell:      make(chan struct{}, 1),
		timer:     time.NewTimer(time.Hour),
		start:     time.Now(),
		streams:   make(map[*stream]struct{}),
		listeners: make(map[*listener]struct{}),
		dials:     make(map[*dial]struct{}),
	}
	d.timer.Stop()
	return d, nil
}

func (d *driver) Now() time.Duration { return time.Since(d.start) }

func (d *driver) Waited() (total, until time.Duration) { return d.waited, d.wokenAt }

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
	if d.next == len(d.batch) {
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

// take fills batch with everything that has happened. If that is nothing, it waits first.
func (d *driver) take(timeout time.Duration) {
	d.mu.Lock()
	if timeout > 0 && len(d.local) == 0 && len(d.queue) == 0 && !d.woken {
		began := d.Now()
		d.sleep(timeout)
		d.wokenAt = d.Now()
		d.waited += d.wokenAt - began
		d.yielded = d.wokenAt
	} else if now := d.Now(); now-d.yielded > yieldEvery {
		d.mu.Unlock()
		runtime.Gosched()
		d.yielded = now
		d.mu.Lock()
	}
	d.batch, d.queue = d.queue, d.batch[:0]
	d.next = 0
	d.woken = false
	d.mu.Unlock()

	d.batch = append(d.batch, d.local...)
	clear(d.local)
	d.local = d.local[:0]
}

// sleep waits for the bell or the end of timeout. It is called and returns with mu held.
func (d *driver) sleep(timeout time.Duration) {
	d.sleeping = true
	d.mu.Unlock()
	if timeout == proactor.Forever {
		<-d.bell
		d.mu.Lock()
		return
	}
	d.timer.Reset(timeout)
	select {
	case <-d.bell:
		d.timer.Stop()
		d.mu.Lock()
	case <-d.timer.C:
		d.mu.Lock()
		if !d.sleeping {
			<-d.bell // whoever cleared the flag has rung or is about to: leave no stale ring behind
		}
		d.sleeping = false
	}
}

// post queues c. Any goroutine may call it.
func (d *driver) post(c completion) {
	d.mu.Lock()
	d.queue = append(d.queue, c)
	ring := d.sleeping
	d.sleeping = false
	d.mu.Unlock()
	if ring {
		d.bell <- struct{}{}
	}
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

// later queues c for the next Poll. For the loop's goroutine.
func (d *driver) later(c completion) { d.local = append(d.local, c) }

// Close waits for every goroutine, so none is left when it returns, and nothing is posted
// after that.
func (d *driver) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	var errs []error
	for s := range d.streams {
		errs = append(errs, s.release())
	}
	for l := range d.listeners {
		errs = append(errs, l.release())
	}
	for c := range d.dials {
		c.stop()
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
	d.batch, d.queue, d.local, d.dirty, d.next = nil, nil, nil, nil, 0
	clear(d.streams)
	clear(d.listeners)
	clear(d.dials)
	return errors.Join(errs...)
}
