//go:build cgo

package uv

// The adaptive wait. A goroutine that parks gives its processor to whoever wants it, and gets one back when its turn has
// come. That is right while processors are free. But where goroutines compute on all of them, nobody looks at the network
// poller for 10 ms, and then the loop stands in line for another 10 ms; a request and its answer take 20 ms each time, as
// they do with package net.
//
// A thread that blocks in C keeps its processor until the runtime's monitor takes it away. The monitor looks every 10 ms on
// such a machine, so a loop with something to do more often than that mostly keeps it, and goes on at once when libuv
// returns. The computing goroutines still get their time slices, but none of the time that the loop waits in between. So
// the loop blocks only while others really queue for a processor, and looks again and again whether they still do.

import (
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// adaptiveWaiter is WaitAdaptive.
type adaptiveWaiter struct {
	net   *netWaiter
	block blockWaiter
	crowd crowd
	// blocks tells how the loop waits now. A wake-up may find that it has changed; then it ends a later wait in vain, for
	// the pending bit, which was set first, has ended the wait that it was for.
	blocks atomic.Bool
}

func newAdaptiveWaiter(n *netWaiter, crowded func() bool) *adaptiveWaiter {
	return &adaptiveWaiter{net: n, block: blockWaiter{n.l}, crowd: crowd{probe: crowded}}
}

func (w *adaptiveWaiter) wait(timeout time.Duration, ifAlive bool) {
	l := w.net.l
	before := l.waitEnd
	if w.blocks.Load() {
		w.block.wait(timeout, ifAlive)
	} else {
		w.net.wait(timeout, ifAlive)
	}
	if l.waitEnd == before {
		return
	}
	if blocks := w.crowd.look(l.waitEnd); blocks != w.blocks.Load() {
		w.net.gate.close() // parking opens it again
		w.blocks.Store(blocks)
	}
}

func (w *adaptiveWaiter) wake() {
	if w.blocks.Load() {
		w.block.wake()
	} else {
		w.net.wake()
	}
}

func (w *adaptiveWaiter) close() { w.net.close() }

// crowd is the opinion whether the processors are crowded. Single looks see a moment, so some in a row decide.
type crowd struct {
	probe   func() bool
	crowded bool
	against int           // looks in a row that were of another opinion
	next    time.Duration // when to look again
}

const (
	crowdLookInterval = 10 * time.Millisecond // the runtime's time slice; a look costs 0.2 us
	crowdedLooksMin   = 2
	freeLooksMin      = 8
)

// look is called after a wait. Whoever waits to run at that moment would have the processor if the loop had not woken up.
func (c *crowd) look(now time.Duration) bool {
	if now < c.next {
		return c.crowded
	}
	c.next = now + crowdLookInterval
	if c.probe() == c.crowded {
		c.against = 0
		return c.crowded
	}
	enough := crowdedLooksMin
	if c.crowded {
		enough = freeLooksMin
	}
	if c.against++; c.against == enough {
		c.crowded, c.against = !c.crowded, 0
	}
	return c.crowded
}

// processors counts the goroutines that run and those that want to.
type processors struct{ samples [3]metrics.Sample }

func newProcessors() *processors {
	p := new(processors)
	p.samples[0].Name = "/sched/goroutines/running:goroutines"
	p.samples[1].Name = "/sched/goroutines/runnable:goroutines"
	p.samples[2].Name = "/sched/gomaxprocs:threads"
	return p
}

// crowded reports whether somebody has to wait for a processor. A runtime that does not count tells no.
func (p *processors) crowded() bool {
	metrics.Read(p.samples[:])
	var n [3]uint64
	for i, s := range p.samples {
		if s.Value.Kind() != metrics.KindUint64 {
			return false
		}
		n[i] = s.Value.Uint64()
	}
	running, runnable, procs := n[0], n[1], n[2]
	return runnable > 0 && running+runnable > procs
}
