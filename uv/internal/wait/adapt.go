//go:build unix

package wait

// The adaptive wait parks, except in three states, in which the thread blocks in C.
//
//	state     how it is known                  why it blocks
//	overload  goroutines queue for a P         whoever parks gives its P away and stands
//	                                           in line for the next one
//	short     a P is idle, waits are below     blocking asks the kernel once, parking
//	          0.5 ms on average                two or three times
//	tiny      no P is idle, waits are below    the same; and nobody misses the P
//	          50 us on average
//
// Figures are of an echo of 1 KiB on two processors, Go 1.26.
//
// Overload: where goroutines compute on all Ps, nobody polls the network for 10 ms, and
// then a parked loop stands in line for up to 10 ms more. With 10,000 requests a second
// and two such goroutines half of the answers took 5 to 10 ms, as with package net; ten
// connections that send, wait and send again got as few as 500 answers a second. A thread
// that blocks in C keeps its P until the runtime's monitor takes it away, which is when
// nothing else was scheduled there for 10 ms. So half of the answers took less than
// 0.1 ms on two processors, 1 to 4 ms on one, and the ten connections got 70,000 answers
// a second. One answer in a hundred still waits for a time slice, 10 to 20 ms. The
// goroutines that compute pay for it: they get none of the time for which the loop waits,
// half of that P or a little more.
//
// Short: nobody needs the P that the thread keeps meanwhile. Other loops that block keep
// theirs too: when these were not counted, two or three loops made whatever else ran wait
// 0.2 to 1 ms longer for a P. With one connection a request costs 1.0 to 1.2 times what
// it costs a C server, instead of 1.6 to 1.9 times; with ten connections that are always
// busy there is no difference. With 100 requests a second the monitor's looks make
// blocking twice as dear as parking, so it is for short waits only. Nor is it for waits
// that another goroutine ends, which may want the P that the loop would keep.
//
// Tiny: the monitor does not notice such waits either. On a single processor a request
// over one connection costs 1.26 times what it costs a C server, instead of 1.76 times,
// and at 25,000 requests a second over ten connections 1.3 instead of 1.9 times; at
// 12,000 there is no difference. The loop gives way to others before each wait: beside
// such a loop an echo of package net took 36 us where it takes 33 beside an idle one, and
// 480 us when the loop looked for the others twice a millisecond only.
//
// Whichever it is, the loop gives way once in sliceMax, if goroutines do not queue. The
// runtime's monitor takes the P from whoever has run for a time slice of 10 ms, also from
// a thread that is in C for a moment; to get it back costs futex calls, and for the next
// 4 ms the monitor looks every 20 us (80 us, with what the kernel adds). On a single
// processor an echo over 10 or 100 connections costs 3.5 % less so.
//
// To poll for 30 us before blocking was no faster, and cost up to twice the CPU time.

import (
	"runtime"
	"sync/atomic"
	"time"
)

// sliceMax is in milliseconds, and well below the runtime's time slice.
const sliceMax = 4

// adaptive parks or blocks, whichever is quicker at the time.
type adaptive struct {
	loop    Loop
	park    *parker
	block   blocker
	sleep   *Sleep
	load    load
	pace    pace
	netpoll netpoll
	tick    tick
	gaveWay uint64 // when it last did, by the loop's cached clock
	holdsP  bool   // the state is tiny: give way to others before each wait
	// blocks is how the loop waits now. A wake-up may find that it has changed; then it
	// ends a later wait in vain, for the woken bit, which was set first, has ended the
	// wait that it was for.
	blocks atomic.Bool
}

func newAdaptive(p *parker, probe func() level) *adaptive {
	return &adaptive{
		loop: p.loop, park: p,
		block: blocker{p.loop, p.sleep}, sleep: p.sleep,
		load: load{probe: probe, yield: yield}, pace: pace{mean: paceWaitMax},
		netpoll: findNetpoll(p.gate.fd), tick: tick{loop: p.loop},
	}
}

func (w *adaptive) Wait(timeout time.Duration, ifAlive bool) {
	before := w.sleep.total
	if w.holdsP && timeout != 0 {
		w.giveWay()
	} else if now := w.loop.Now(); now-w.gaveWay >= sliceMax && !w.load.overloaded {
		w.gosched()
	}
	if w.blocks.Load() {
		blockedLoops.Add(1)
		w.block.Wait(timeout, ifAlive)
		blockedLoops.Add(-1)
	} else {
		w.park.Wait(timeout, ifAlive)
	}
	took := w.sleep.total - before
	if took == 0 {
		return
	}
	if w.sleep.Woken() {
		took = paceWaitMax
	}
	w.pace.note(took)
	w.load.look(w.sleep.until)
	w.holdsP = !w.load.overloaded && !w.load.idleP && w.pace.tiny && w.netpoll >= 0
	w.choose(w.load.overloaded || w.load.idleP && w.pace.short || w.holdsP)
}

// choose blocks or parks from now on.
func (w *adaptive) choose(block bool) {
	if block != w.blocks.Load() {
		w.park.gate.close() // parking opens it again
		w.blocks.Store(block)
	}
}

// giveWay lets others run before the loop holds its P: those that can, and, by parking,
// those for whom the network has something. A loop that finds something to do before it
// parks goes on with that, and the next time with those that can run. If it always finds
// something, the runtime's monitor polls the network for the others, every 10 ms.
func (w *adaptive) giveWay() {
	parks := w.blocks.Load() && w.netpoll.ready()
	w.choose(!parks)
	if !parks {
		w.tick.set()
		w.gosched()
	}
}

// gosched begins another time slice.
func (w *adaptive) gosched() {
	w.gaveWay = w.loop.Now()
	runtime.Gosched()
}

func (w *adaptive) Wake() {
	if w.blocks.Load() {
		w.block.Wake()
	} else {
		w.park.Wake()
	}
}

func (w *adaptive) Close() { w.park.Close() }
