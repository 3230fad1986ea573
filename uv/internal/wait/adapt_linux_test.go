package wait

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newAdaptiveRunner(t testing.TB, probe func() level) (*runner, *adaptive) {
	r := newRunner(t, Adapt)
	w := r.w.(*adaptive)
	w.load.probe, w.load.yield = probe, func() time.Duration { return time.Millisecond }
	return r, w
}

// The loop blocks while the probe says so and parks again afterwards. Timeouts end both
// kinds of waits.
func TestAdaptiveWait(t *testing.T) {
	found, looks := levelQueued, 0
	r, w := newAdaptiveRunner(t, func() level { looks++; return found })
	wait := func() {
		for before := looks; looks == before; {
			r.poll(loadLookInterval)
		}
	}
	for range overloadLooksMin {
		require.False(t, w.blocks.Load())
		wait()
	}
	require.True(t, w.blocks.Load())
	found = levelFull
	for range overloadLooksLast {
		require.True(t, w.blocks.Load())
		wait()
	}
	require.False(t, w.blocks.Load())
	wait()
}

// Short waits for events make the loop block while a P is idle; long ones, and waits that
// another goroutine ends, make it park.
func TestAdaptiveWaitPace(t *testing.T) {
	found := levelIdle
	r, w := newAdaptiveRunner(t, func() level { return found })
	next := make(chan func())
	var producer sync.WaitGroup
	producer.Go(func() {
		for f := range next {
			f()
		}
	})
	until := func(blocks bool, wait func()) {
		for start := time.Now(); w.blocks.Load() != blocks; {
			require.Less(t, time.Since(start), time.Minute)
			wait()
		}
	}
	event := func() {
		next <- r.event
		r.poll(time.Second)
		for range 10 * paceShare { // the machine may be slow
			w.pace.note(tinyMeanEnd)
		}
	}
	until(true, event)
	until(false, func() { r.poll(2 * paceWaitMax) })
	until(true, event)
	until(false, func() {
		next <- r.wakeUp
		r.poll(time.Second)
	})
	until(true, event)
	found = levelFull
	until(false, event)
	close(next)
	producer.Wait()
}

// Nothing is lost while the way to wait changes after every wait: neither a wake-up nor
// an event of a descriptor.
func TestAdaptiveWaitChanges(t *testing.T) {
	var r *runner
	var w *adaptive
	r, w = newAdaptiveRunner(t, func() level {
		w.load.nextLook, w.load.against = 0, overloadLooksLast-1 // decide at once, and again after the next wait
		if !w.load.overloaded {
			w.load.against = overloadLooksMin - 1
		}
		if w.load.overloaded {
			return levelFull
		}
		return levelQueued
	})
	const rounds = 3000
	changes := 0
	next := make(chan bool)
	var producer sync.WaitGroup
	producer.Go(func() {
		delay := 0
		for post := range next {
			delay = (delay + 977) % 20_000
			for start := time.Now(); time.Since(start) < time.Duration(delay); {
			}
			if post {
				r.post()
			} else {
				r.event()
			}
		}
	})
	for i := range rounds {
		next <- i%2 == 0
		for start := time.Now(); r.posts+r.events <= i; {
			require.Less(t, time.Since(start), 10*time.Second, "round %d lost what it waited for", i)
			before := w.blocks.Load()
			r.poll(11 * time.Second)
			if w.blocks.Load() != before {
				changes++
			}
		}
	}
	close(next)
	producer.Wait()
	require.Equal(t, rounds/2, r.posts)
	require.Equal(t, rounds/2, r.events)
	require.Greater(t, changes, rounds/10, "the way to wait hardly ever changed")
}

// Goroutines that compute on every P make the loop block, and their end makes it
// park again.
func TestAdaptiveWaitUnderLoad(t *testing.T) {
	r, w := newAdaptiveRunner(t, newSchedStats().level)
	w.load.yield = yield
	var quit atomic.Bool
	var all sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for !quit.Load() {
			}
		})
	}
	until := func(blocks bool) {
		for start := time.Now(); w.blocks.Load() != blocks; {
			require.Less(t, time.Since(start), time.Minute)
			r.poll(loadLookInterval)
		}
	}
	until(true)
	quit.Store(true)
	all.Wait()
	until(false)
}

// A loop that never waits gives way all the same, if goroutines do not queue.
func TestAdaptiveTimeSlice(t *testing.T) {
	r, w := newAdaptiveRunner(t, func() level { return levelFull })
	spin := func(ms uint64) {
		for end := r.now + ms; r.now < end; {
			r.poll(0)
		}
	}
	spin(sliceMax)
	for range 3 {
		last := w.gaveWay
		spin(2 * sliceMax)
		require.Greater(t, w.gaveWay, last)
	}
	w.load.overloaded = true
	last := w.gaveWay
	spin(3 * sliceMax)
	require.Equal(t, last, w.gaveWay)
}
