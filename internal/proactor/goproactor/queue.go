package goproactor

// What has happened waits in a queue. Goroutines post, the loop takes everything at once.

import (
	"runtime"
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

// told is a completion that owns nothing.
type told func()

func (f told) complete() { f() }
func (f told) discard()  {}

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

// later queues c for the next Poll. For the loop's goroutine.
func (d *driver) later(c completion) { d.local = append(d.local, c) }

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
