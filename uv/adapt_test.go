//go:build cgo

package uv

import (
	"context"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Some looks in a row change a crowd's opinion, more of them to the better than to the
// worse; a look that agrees begins the count anew, and looks that come too soon are not
// taken.
func TestCrowd(t *testing.T) {
	var now time.Duration
	var full load
	looks := 0
	c := crowd{probe: func() load { looks++; return full }, yield: func() time.Duration { return time.Millisecond }}
	look := func(crowded bool) bool {
		full = loadFull
		if crowded {
			full = loadCrowded
		}
		now += crowdLookInterval
		c.look(now)
		return c.crowded
	}
	require.False(t, look(false))
	for range 3 {
		require.False(t, look(true))
		require.False(t, look(false), "a moment decides nothing")
	}
	for range crowdedLooksMin - 1 {
		require.False(t, look(true))
	}
	require.True(t, look(true))
	for range freeLooksMin - 1 {
		require.True(t, look(false))
	}
	require.True(t, look(true), "a look that agrees begins the count anew")
	for range freeLooksMin - 1 {
		require.True(t, look(false))
	}
	require.False(t, look(false))
	before := looks
	for range 100 {
		c.look(now + crowdLookInterval - 1)
	}
	require.Equal(t, before, looks, "too soon")
	for _, found := range []load{loadSpare, loadFull, loadCrowded} {
		full, now = found, now+crowdLookInterval
		c.look(now)
		require.Equal(t, found == loadSpare, c.spare)
	}
}

// Goroutines that want to run, but not for long, are no crowd. Where there was one, that
// is found out by letting them run.
func TestCrowdOfShortWork(t *testing.T) {
	var now time.Duration
	yields, compute, waiting := 0, false, true
	c := crowd{}
	c.probe = func() load {
		if waiting {
			return loadCrowded
		}
		return loadFull
	}
	c.yield = func() time.Duration {
		yields++
		waiting = compute
		return 20 * time.Millisecond
	}
	look := func() bool {
		now += crowdLookInterval
		waiting = true // others have come
		c.look(now)
		return c.crowded
	}
	for range 100 {
		require.False(t, look())
	}
	require.Equal(t, 100, yields)
	compute = true
	for range crowdedLooksMin {
		require.False(t, c.crowded)
		look()
	}
	require.True(t, c.crowded)
	before := yields
	for since := now; now-since < 10*time.Second; {
		require.True(t, look())
	}
	require.LessOrEqual(t, yields-before, 5, "trying costs as much of the time as it is allowed to")
	compute = false
	looks := 0
	for since := now; look(); {
		require.Less(t, now-since, 3*time.Second)
		if c.against > 0 {
			looks++
		}
	}
	require.Equal(t, freeLooksMin-1, looks, "one try decides nothing")
}

func newAdaptiveLoop(t *testing.T, probe func() load) (*Loop, *adaptiveWaiter) {
	l, err := NewLoop()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Shutdown(context.Background())) })
	w := l.waiter.(*adaptiveWaiter)
	w.crowd.probe, w.crowd.yield = probe, func() time.Duration { return time.Millisecond }
	return l, w
}

// The loop blocks while the probe says so and parks again afterwards. Timeouts end both
// kinds of waits.
func TestAdaptiveWait(t *testing.T) {
	full, looks := loadCrowded, 0
	l, w := newAdaptiveLoop(t, func() load { looks++; return full })
	wait := func() {
		for before := looks; looks == before; {
			require.NoError(t, l.Poll(crowdLookInterval))
		}
	}
	for range crowdedLooksMin {
		require.False(t, w.blocks.Load())
		wait()
	}
	require.True(t, w.blocks.Load())
	full = loadFull
	for range freeLooksMin {
		require.True(t, w.blocks.Load())
		wait()
	}
	require.False(t, w.blocks.Load())
	wait()
}

// Short waits for events make the loop block where a processor is to spare; long ones,
// and waits that another goroutine ends, make it park.
func TestAdaptiveWaitPace(t *testing.T) {
	found := loadSpare
	l, w := newAdaptiveLoop(t, func() load { return found })
	ours, theirs := testPipe(t, l)
	require.NoError(t, ours.ReadStart(func([]byte, error) {}))
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
		next <- func() { theirs.Write([]byte("x")) }
		require.NoError(t, l.Poll(time.Second))
		for range 10 * paceShare { // the machine may be slow
			w.pace.note(unhurriedMin)
		}
	}
	until(true, event)
	until(false, func() { require.NoError(t, l.Poll(2*paceWaitMax)) })
	until(true, event)
	until(false, func() {
		next <- l.Wake
		require.NoError(t, l.Poll(time.Second))
	})
	until(true, event)
	found = loadFull
	until(false, event)
	close(next)
	producer.Wait()
}

func TestPace(t *testing.T) {
	p := pace{mean: paceWaitMax}
	for range 100 {
		p.note(slowWaitMin - 1)
	}
	require.False(t, p.brisk, "not short enough to begin")
	for range 100 {
		p.note(0)
	}
	require.True(t, p.brisk)
	p.note(time.Hour)
	require.True(t, p.brisk, "one long wait")
	for range 2 * paceShare {
		p.note(slowWaitMin - 1)
	}
	require.True(t, p.brisk, "short enough to go on")
	p.note(time.Hour)
	p.note(time.Hour)
	require.False(t, p.brisk)
	for range 100 {
		p.note(swiftWaitMax / 2)
	}
	require.True(t, p.swift)
	for range 100 {
		p.note(unhurriedMin - 1)
	}
	require.True(t, p.swift)
	p.note(time.Millisecond)
	require.False(t, p.swift, "one long wait is enough")
	require.True(t, p.brisk)
}

// Nothing is lost while the way to wait changes after every wait: neither a wake-up nor
// an event of a descriptor.
func TestAdaptiveWaitChanges(t *testing.T) {
	var l *Loop
	var w *adaptiveWaiter
	l, w = newAdaptiveLoop(t, func() load {
		w.crowd.nextLook, w.crowd.against = 0, freeLooksMin-1 // decide at once, and again after the next wait
		if !w.crowd.crowded {
			w.crowd.against = crowdedLooksMin - 1
		}
		if w.crowd.crowded {
			return loadFull
		}
		return loadCrowded
	})
	ours, theirs := testPipe(t, l)
	const rounds = 3000
	events, posts, changes := 0, 0, 0
	require.NoError(t, ours.ReadStart(func(b []byte, err error) { events += len(b) }))
	next := make(chan bool)
	var producer sync.WaitGroup
	producer.Go(func() {
		delay := 0
		for post := range next {
			delay = (delay + 977) % 20_000
			for start := time.Now(); time.Since(start) < time.Duration(delay); {
			}
			if post {
				l.Post(func() { posts++ })
			} else {
				theirs.Write([]byte("x"))
			}
		}
	})
	for i := range rounds {
		next <- i%2 == 0
		for start := time.Now(); posts+events <= i; {
			require.Less(t, time.Since(start), 10*time.Second, "round %d lost what it waited for", i)
			before := w.blocks.Load()
			require.NoError(t, l.Poll(11*time.Second))
			if w.blocks.Load() != before {
				changes++
			}
		}
	}
	close(next)
	producer.Wait()
	require.Equal(t, rounds/2, posts)
	require.Equal(t, rounds/2, events)
	require.Greater(t, changes, rounds/10, "the way to wait hardly ever changed")
}

// Goroutines that compute on every processor make the loop block, and their end makes it
// park again.
func TestAdaptiveWaitUnderLoad(t *testing.T) {
	l, w := newAdaptiveLoop(t, newProcessors().load)
	w.crowd.yield = yield
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
			require.NoError(t, l.Poll(crowdLookInterval))
		}
	}
	until(true)
	quit.Store(true)
	all.Wait()
	until(false)
}

func BenchmarkLoad(b *testing.B) {
	p := newProcessors()
	b.ReportAllocs()
	for b.Loop() {
		p.load()
	}
}

// testPipe is a pipe of the loop and its peer.
func testPipe(t *testing.T, l *Loop) (*Pipe, *os.File) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	theirs := os.NewFile(uintptr(fds[1]), "peer")
	t.Cleanup(func() { theirs.Close() })
	ours, err := l.NewPipe()
	require.NoError(t, err)
	require.NoError(t, ours.OpenFD(uintptr(fds[0])))
	return ours, theirs
}
