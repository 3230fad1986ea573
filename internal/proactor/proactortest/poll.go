package proactortest

// Cases about Poll, Wake and Now.

import (
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// earlyPollsMax is how often a driver may return early from one wait. More would be a
// loop that burns the processor.
const earlyPollsMax = 5

var pollCases = []testCase{
	{name: "zero timeout does not wait", run: func(r *rig) {
		for range 1000 {
			r.poll(0)
		}
		require.Positive(r.t, time.Until(r.deadline), "only the watchdog ended it")
	}},
	{name: "timeout is never early", run: func(r *rig) {
		for _, d := range []time.Duration{1, time.Microsecond, 300 * time.Microsecond, 999 * time.Microsecond,
			time.Millisecond, 1500 * time.Microsecond, 10 * time.Millisecond, 30*time.Millisecond + 1} {
			for range 5 {
				before, start := time.Now(), r.p.Now()
				polls := 0
				for left := d; left > 0; left = d - (r.p.Now() - start) {
					r.poll(left)
					polls++
				}
				require.GreaterOrEqual(r.t, time.Since(before), d, "the driver's clock and the system's disagree")
				require.LessOrEqual(r.t, polls, earlyPollsMax, "polls for a wait of %v", d)
			}
		}
	}},
	{name: "very long timeouts are long", run: func(r *rig) {
		for _, d := range []time.Duration{proactor.Forever, proactor.Forever - 1, 1 << 62, 1000 * time.Hour} {
			polls := 0
			woken := r.spawn(func() {})
			for ; !woken(); polls++ {
				r.poll(d)
			}
			r.p.Wake()
			r.poll(d)
			require.LessOrEqual(r.t, polls, earlyPollsMax)
		}
	}},
	{name: "Now never goes back", run: func(r *rig) {
		start := r.p.Now()
		begin, last := time.Now(), start
		for time.Since(begin) < 20*time.Millisecond {
			now := r.p.Now()
			require.GreaterOrEqual(r.t, now, last)
			last = now
		}
		elapsed := time.Since(begin)
		require.GreaterOrEqual(r.t, r.p.Now()-start, elapsed)
	}},
	{name: "Waited counts the waits", run: func(r *rig) {
		const wait = 20 * time.Millisecond
		start := r.p.Now()
		before, _ := r.p.Waited()
		for left := wait; left > 0; left = wait - (r.p.Now() - start) {
			r.poll(left)
		}
		after, until := r.p.Waited()
		end := r.p.Now()
		require.GreaterOrEqual(r.t, after-before, wait/2)
		require.LessOrEqual(r.t, after-before, end-start)
		require.Greater(r.t, until, start)
		require.LessOrEqual(r.t, until, end)
		for start = r.p.Now(); r.p.Now()-start < wait; {
			spin.Add(1)
		}
		for range 100 {
			r.poll(0)
		}
		total, _ := r.p.Waited()
		require.Less(r.t, total-after, wait, "no wait, so no time waited")
	}},
	{name: "Wake before Poll", run: func(r *rig) {
		r.p.Wake()
		r.poll(proactor.Forever)
	}},
	{name: "Wake before Poll, from another goroutine", run: func(r *rig) {
		for range 100 {
			done := make(chan struct{})
			go func() { r.p.Wake(); close(done) }()
			<-done
			r.poll(proactor.Forever)
		}
	}},
	{name: "Wakes coalesce", run: func(r *rig) {
		for range 1000 {
			r.p.Wake()
		}
		r.poll(proactor.Forever)
		start, polls := r.p.Now(), 0
		for r.p.Now()-start < 20*time.Millisecond {
			r.poll(20*time.Millisecond - (r.p.Now() - start))
			polls++
		}
		require.LessOrEqual(r.t, polls, earlyPollsMax, "old wakes ended new polls")
	}},
	{name: "Wake ends a wait", run: func(r *rig) {
		// Whether the wake comes before, at, or after the begin of the wait differs from
		// round to round.
		ready := make(chan int)
		r.spawn(func() {
			for n := range ready {
				for range n {
					spin.Add(1)
				}
				r.p.Wake()
			}
		})
		defer close(ready)
		for i := range 2000 {
			ready <- i * 10
			r.poll(proactor.Forever)
		}
		require.Positive(r.t, time.Until(r.deadline), "only the watchdog ended it")
	}},
	{name: "no Wake of many goroutines is lost", run: func(r *rig) {
		const goroutines, wakes = 8, 2000
		var sent atomic.Int64
		for range goroutines {
			r.spawn(func() {
				for range wakes {
					sent.Add(1)
					r.p.Wake()
				}
			})
		}
		for sent.Load() < goroutines*wakes {
			require.Positive(r.t, time.Until(r.deadline), "a wake was lost")
			r.poll(proactor.Forever)
		}
	}},
	{name: "Wake in a handler makes the next Poll not wait", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		_, err := peer.Write([]byte("x"))
		require.NoError(r.t, err)
		heard := false
		rec.onData = func([]byte) { heard = true; r.p.Wake() }
		r.until("data", func() bool { return heard })
		r.poll(proactor.Forever)
	}},
	{name: "Wake after Close", run: func(r *rig) {
		r.close()
		r.p.Wake()
		for range 4 {
			r.spawn(r.p.Wake)
		}
	}},
	{name: "data ends a wait", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		ready := make(chan struct{})
		r.spawn(func() {
			for range ready {
				_, _ = peer.Write([]byte("x"))
			}
		})
		defer close(ready)
		for i := range 200 {
			ready <- struct{}{}
			for len(rec.got) <= i {
				require.Positive(r.t, time.Until(r.deadline), "data did not end the wait")
				r.poll(proactor.Forever)
			}
		}
	}},
}

// spin is something to do that takes time.
var spin atomic.Int64
