//go:build unix

package wait

import (
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// level is how many goroutines run or want to, compared with GOMAXPROCS.
type level int

const (
	levelIdle   level = iota // a P is idle
	levelFull                // none is idle, nobody waits for one
	levelQueued              // goroutines wait for a P
)

// load is the opinion whether the Ps are overloaded by goroutines that compute.
//
// A single look sees a moment only, so some in a row decide. A goroutine that waits for a
// P may have little to do: so a look that finds one lets all of them run, and looks
// again, for those that compute wait again then. A loop that blocks seldom lets others
// run, and whatever they have to do waits meanwhile. So it goes on to try, as often as
// costs it a hundredth of the time.
type load struct {
	probe      func() level
	yield      func() time.Duration // lets others run and returns for how long
	overloaded bool                 // goroutines queue for a P, look after look
	idleP      bool                 // the last look found an idle P
	against    int                  // looks in a row that spoke against overloaded as it is
	nextLook   time.Duration
	nextTry    time.Duration // when to let others run again
}

const (
	loadLookInterval  = 10 * time.Millisecond // the runtime's time slice; a look costs 0.2 us
	loadTryShare      = 100                   // a try comes this many times as late as the last one took
	overloadLooksMin  = 2                     // looks that begin an overload
	overloadLooksLast = 8                     // looks that end it
)

// look is called after a wait. Whoever waits for a P at that moment would have it if the
// loop had not woken up.
func (o *load) look(now time.Duration) {
	if now < o.nextLook {
		return
	}
	o.nextLook = now + loadLookInterval
	found := o.probe()
	if found == levelQueued && (!o.overloaded || o.against > 0 || now >= o.nextTry) {
		o.nextTry = now + loadTryShare*o.yield()
		found = o.probe()
	}
	o.idleP = found == levelIdle
	if o.overloaded == (found == levelQueued) {
		o.against = 0
		return
	}
	enough := overloadLooksMin
	if o.overloaded {
		enough = overloadLooksLast
	}
	if o.against++; o.against == enough {
		o.overloaded, o.against = !o.overloaded, 0
	}
}

// yield lets other goroutines run and returns for how long they did.
func yield() time.Duration {
	start := time.Now()
	runtime.Gosched()
	return time.Since(start)
}

// blockedLoops counts the loops of this process that block now. Their Ps are not idle,
// though nothing runs there.
var blockedLoops atomic.Int64

// schedStats counts the goroutines that run and those that want to.
type schedStats struct{ samples [3]metrics.Sample }

func newSchedStats() *schedStats {
	p := new(schedStats)
	p.samples[0].Name = "/sched/goroutines/running:goroutines"
	p.samples[1].Name = "/sched/goroutines/runnable:goroutines"
	p.samples[2].Name = "/sched/gomaxprocs:threads"
	return p
}

// level is the level of this moment. It is levelFull for a runtime that does not count,
// and then the loop parks.
func (p *schedStats) level() level {
	metrics.Read(p.samples[:])
	var n [3]uint64
	for i, s := range p.samples {
		if s.Value.Kind() != metrics.KindUint64 {
			return levelFull
		}
		n[i] = s.Value.Uint64()
	}
	running, runnable, procs := n[0], n[1], n[2]
	switch {
	case running+runnable+uint64(blockedLoops.Load()) < procs:
		return levelIdle
	case runnable > 0 && running+runnable > procs:
		return levelQueued
	}
	return levelFull
}
