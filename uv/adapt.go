//go:build cgo

package uv

// The adaptive wait parks, except in three cases, in which the thread blocks in C.
// Figures are of an echo of 1 KiB on two processors, Go 1.26.
//
// Crowded: goroutines that compute queue for a processor. One that parks gives its
// processor away and gets one back when its turn has come; but where goroutines compute
// on all processors, nobody looks at the network poller for 10 ms, and then the loop
// stands in line for up to 10 ms more. With 10,000 requests a second and two such
// goroutines half of the answers took 5 to 10 ms, as with package net; ten connections
// that send, wait and send again got as few as 500 answers a second. A thread that blocks
// in C keeps its processor until the runtime's monitor takes it away, which is when
// nothing else was scheduled there for 10 ms. So half of the answers took less than 0.1
// ms on two processors, 1 to 4 ms on one, and the ten connections got 70,000 answers a
// second. One answer in a hundred still waits for a time slice, 10 to 20 ms. The price is
// paid by the goroutines that compute: they get none of the time for which the loop
// waits, half of that processor or a little more.
//
// Brisk: there is a processor to spare, and events come quickly one after the other. To
// block asks the kernel once where to park asks two or three times, and nobody needs the
// processor that the thread keeps meanwhile. Other loops that block keep theirs too:
// without counting them, two or three loops made whatever else ran wait 0.2 to 1 ms
// longer for a processor. With one connection a request costs 1.0 to 1.2 times what it
// costs a C server, instead of 1.6 to 1.9 times; with ten connections that are always
// busy there is no difference. With 100 requests a second the monitor's looks make
// blocking twice as dear as parking, so it is for short waits only; and not for those
// that another goroutine ends, which may want the processor that the loop would keep.
//
// Swift: there is no processor to spare, but waits are so short that keeping one costs
// nobody much. The monitor does not notice them either. On a single processor a request
// over one connection costs 1.26 times what it costs a C server, instead of 1.76 times,
// and at 25,000 requests a second over ten connections 1.3 instead of 1.9 times; at
// 12,000 there is no difference. The loop gives way to others before each wait, see
// company_linux.go: beside such a loop an echo of package net took 36 us where it takes
// 33 beside an idle one, and 480 us when the loop looked for the others twice a
// millisecond only.
//
// To poll for 30 us before blocking was no faster, and cost up to twice the CPU time.

import (
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// adaptiveWaiter is WaitAdaptive.
type adaptiveWaiter struct {
	net     *netWaiter
	block   blockWaiter
	crowd   crowd
	pace    pace
	company *company // nil if it cannot be known
	keeps   bool     // the loop keeps its processor through waits, and gives way to the company before each
	// blocks tells how the loop waits now. A wake-up may find that it has changed; then
	// it ends a later wait in vain, for the pending bit, which was set first, has ended
	// the wait that it was for.
	blocks atomic.Bool
}

func newAdaptiveWaiter(n *netWaiter, probe func() load) *adaptiveWaiter {
	return &adaptiveWaiter{
		net: n, block: blockWaiter{n.l}, company: newCompany(n.l, n.gate.fd),
		crowd: crowd{probe: probe, yield: yield}, pace: pace{mean: paceWaitMax},
	}
}

func (w *adaptiveWaiter) wait(timeout time.Duration, ifAlive bool) {
	l := w.net.l
	before := l.waited
	if w.keeps && timeout != 0 {
		w.giveWay()
	}
	if w.blocks.Load() {
		blockedLoops.Add(1)
		w.block.wait(timeout, ifAlive)
		blockedLoops.Add(-1)
	} else {
		w.net.wait(timeout, ifAlive)
	}
	took := l.waited - before
	if took == 0 {
		return
	}
	if l.wakeState.Load()&wakePending != 0 {
		took = paceWaitMax
	}
	w.pace.note(took)
	w.crowd.look(l.waitEnd)
	w.keeps = !w.crowd.crowded && !w.crowd.spare && w.pace.swift && w.company != nil
	w.choose(w.crowd.crowded || w.crowd.spare && w.pace.brisk || w.keeps)
}

// choose blocks or parks from now on.
func (w *adaptiveWaiter) choose(block bool) {
	if block != w.blocks.Load() {
		w.net.gate.close() // parking opens it again
		w.blocks.Store(block)
	}
}

// giveWay lets others run before the loop keeps the processor: those that can, and by
// parking those for whom the network has something. A loop that finds something to do
// before it parks goes on with that, and the next time with those that can run. If it
// always finds something, the runtime's monitor asks the network for the others, every 10
// ms.
func (w *adaptiveWaiter) giveWay() {
	parks := w.blocks.Load() && w.company.waits()
	w.choose(!parks)
	if !parks {
		w.company.limit()
		runtime.Gosched()
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

// pace is the opinion how quickly events come.
type pace struct {
	mean  time.Duration // of the waits, the recent ones counting most
	brisk bool
	swift bool
}

const (
	briskWaitMax = 500 * time.Microsecond // on average, to begin to be brisk
	slowWaitMin  = time.Millisecond       // to end
	swiftWaitMax = 50 * time.Microsecond  // the same for swift
	unhurriedMin = 100 * time.Microsecond
	paceWaitMax  = 4 * time.Millisecond // a longer wait counts as one like this, so that two of them end it
	paceShare    = 8                    // one wait's share in the mean
)

func (p *pace) note(took time.Duration) {
	p.mean += (min(took, paceWaitMax) - p.mean) / paceShare
	p.brisk = p.below(p.brisk, briskWaitMax, slowWaitMin)
	p.swift = p.below(p.swift, swiftWaitMax, unhurriedMin)
}

// below is an opinion on the mean that begins below one value and ends at another, larger
// one.
func (p *pace) below(is bool, begin, end time.Duration) bool {
	if is {
		return p.mean < end
	}
	return p.mean < begin
}

// load is how many goroutines run or want to, compared with the processors.
type load int

const (
	loadSpare   load = iota // a processor is idle
	loadFull                // none is idle, nobody waits for one
	loadCrowded             // goroutines wait for one
)

// crowd is the opinion whether the processors are crowded with goroutines that compute.
// Single looks see a moment, so some in a row decide. A goroutine that waits for a
// processor may have little to do. So a look that finds one lets all of them run that
// wait, and looks again: those that compute wait again then. A loop that blocks seldom
// lets others run, and whatever they have to do waits; so it goes on to try, as often as
// costs it a hundredth of the time.
type crowd struct {
	probe    func() load
	yield    func() time.Duration // lets others run and tells for how long
	crowded  bool
	spare    bool          // the last look found an idle processor
	against  int           // looks in a row that were of another opinion
	nextLook time.Duration // when to look again
	nextTry  time.Duration // when to let others run again
}

const (
	crowdLookInterval = 10 * time.Millisecond // the runtime's time slice; a look costs 0.2 us
	crowdTryShare     = 100                   // what a try has taken, times this, is when the next one comes
	crowdedLooksMin   = 2
	freeLooksMin      = 8
)

// look is called after a wait. Whoever waits to run at that moment would have the
// processor if the loop had not woken up.
func (c *crowd) look(now time.Duration) {
	if now < c.nextLook {
		return
	}
	c.nextLook = now + crowdLookInterval
	found := c.probe()
	if found == loadCrowded && (!c.crowded || c.against > 0 || now >= c.nextTry) {
		c.nextTry = now + crowdTryShare*c.yield()
		found = c.probe()
	}
	c.spare = found == loadSpare
	if c.crowded == (found == loadCrowded) {
		c.against = 0
		return
	}
	enough := crowdedLooksMin
	if c.crowded {
		enough = freeLooksMin
	}
	if c.against++; c.against == enough {
		c.crowded, c.against = !c.crowded, 0
	}
}

// yield lets other goroutines run and tells for how long they did.
func yield() time.Duration {
	start := time.Now()
	runtime.Gosched()
	return time.Since(start)
}

// blockedLoops counts the loops of this process that block now. Their processors are not
// to spare, though nothing runs there.
var blockedLoops atomic.Int64

// processors counts the goroutines that run and those that want to.
type processors struct{ samples [3]metrics.Sample }

func newProcessors() *processors {
	p := new(processors)
	p.samples[0].Name = "/sched/goroutines/running:goroutines"
	p.samples[1].Name = "/sched/goroutines/runnable:goroutines"
	p.samples[2].Name = "/sched/gomaxprocs:threads"
	return p
}

// load is the load of this moment. A runtime that does not count has no answer, and then
// the loop parks.
func (p *processors) load() load {
	metrics.Read(p.samples[:])
	var n [3]uint64
	for i, s := range p.samples {
		if s.Value.Kind() != metrics.KindUint64 {
			return loadFull
		}
		n[i] = s.Value.Uint64()
	}
	running, runnable, procs := n[0], n[1], n[2]
	switch {
	case running+runnable+uint64(blockedLoops.Load()) < procs:
		return loadSpare
	case runnable > 0 && running+runnable > procs:
		return loadCrowded
	}
	return loadFull
}
