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

// Some looks in a row change a crowd's opinion, more of them to the better than to the worse; a look that agrees begins
// the count anew, and looks that come too soon are not taken.
func TestCrowd(t *testing.T) {
	var now time.Duration
	var full load
	looks := 0
	c := crowd{probe: func() load { looks++; return full }, yield: func() time.Duration { return computeMin }}
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

// Goroutines that want to run, but not for long, are no crowd. Where there was one, that is found out by letting them run.
func TestCrowdOfShortWork(t *testing.T) {
	var now, took time.Duration
	yields := 0
	c := crowd{probe: func() load { return loadCrowded }, yield: func() time.Duration { yields++; return took }}
	look := func() bool {
		now += crowdLookInterval
		c.look(now)
		return c.crowded
	}
	took = computeMin - 1
	for range 100 {
		require.False(t, look())
	}
	require.Equal(t, 100, yields)
	took = computeMin
	for range crowdedLooksMin {
		require.False(t, c.crowded)
		look()
	}
	require.True(t, c.crowded)
	before := yields
	for since := now; now-since < 3*crowdTryInterval; {
		require.True(t, look())
	}
	require.Equal(t, before+3, yields, "trying costs a time slice")
	took = 0
	for since := now; look(); {
		require.LessOrEqual(t, now-since, crowdTryInterval)
	}
}

func newAdaptiveLoop(t *testing.T, probe func() load) (*Loop, *adaptiveWaiter) {
	l, err := NewLoop()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Shutdown(context.Background())) })
	w := l.waiter.(*adaptiveWaiter)
	w.crowd.probe, w.crowd.yield = probe, func() time.Duration { return computeMin }
	return l, w
}

// The loop blocks while the probe says so and parks again afterwards. Timeouts end both kinds of waits.
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

// Short waits for events make the loop block where a processor is to spare; long ones, and waits that another goroutine
// ends, make it park.
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
			w.pace.note(leisureMin)
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

// swiftLoop is a loop without a spare processor whose events come quickly, so that it keeps its processor while it waits.
type swiftLoop struct {
	*Loop
	*adaptiveWaiter
	t      *testing.T
	theirs *os.File
	next   chan struct{} // to the goroutine that makes the events
}

func newSwiftLoop(t *testing.T) *swiftLoop {
	l, w := newAdaptiveLoop(t, func() load { return loadFull })
	ours, theirs := testPipe(t, l)
	s := &swiftLoop{l, w, t, theirs, make(chan struct{})}
	require.NoError(t, ours.ReadStart(func([]byte, error) {}))
	var producer sync.WaitGroup
	producer.Go(func() {
		for range s.next {
			theirs.Write([]byte("x"))
		}
	})
	t.Cleanup(func() { close(s.next); producer.Wait() })
	s.hurry()
	return s
}

// event lets the loop wait for an event that comes soon, on however slow a machine.
func (s *swiftLoop) event() {
	for range 10 * paceShare {
		s.pace.note(0)
	}
	s.next <- struct{}{}
	require.NoError(s.t, s.Poll(time.Second))
}

// hurry makes the loop swift.
func (s *swiftLoop) hurry() {
	for start := time.Now(); !s.gives; s.event() {
		require.Less(s.t, time.Since(start), time.Minute)
	}
}

// A loop that keeps its processor lets others run before each wait.
func TestSwiftLoopLetsOthersRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	l := newSwiftLoop(t)
	for range 100 {
		l.hurry()
		var ran atomic.Bool
		go func() { ran.Store(true) }()
		for waits := 0; !ran.Load(); waits++ { // now and then the runtime takes the one first that gave way
			require.Less(t, waits, 10)
			_, err := l.theirs.Write([]byte("x")) // an event that is there before the wait: it does not take long
			require.NoError(t, err)
			require.NoError(t, l.Poll(time.Second))
		}
	}
}

// A goroutine that waits for the network is not left waiting by a loop that keeps the only processor.
func TestSwiftLoopGivesWayToTheNetwork(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	l := newSwiftLoop(t)
	r, peer, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer peer.Close()
	var got atomic.Int64
	var reader sync.WaitGroup
	reader.Go(func() {
		b := make([]byte, 1)
		for {
			if _, err := r.Read(b); err != nil {
				return
			}
			got.Add(1)
		}
	})
	for i := range int64(100) {
		for range 3 { // the reader waits after these
			l.event()
		}
		l.hurry()
		_, err := peer.Write([]byte("x"))
		require.NoError(t, err)
		for waits := 0; got.Load() == i; waits++ {
			require.Less(t, waits, 5)
			l.event()
		}
		require.False(t, l.company.waits())
	}
	peer.Close()
	for l.company.waits() {
		l.event()
	}
	reader.Wait()
}

// A wait that lasts gives the processor back, and ends the haste.
func TestSwiftLoopDoesNotKeepItsProcessorForLong(t *testing.T) {
	l := newSwiftLoop(t)
	for range 20 {
		l.hurry()
		for start := time.Now(); l.gives; {
			require.NoError(t, l.Poll(time.Minute))
			require.Less(t, time.Since(start), 30*time.Second, "nothing has ended the wait")
		}
		require.False(t, l.blocks.Load())
	}
}

// A loop that cannot know its company parks.
func TestSwiftLoopAlone(t *testing.T) {
	l, w := newAdaptiveLoop(t, func() load { return loadFull })
	w.alone = true
	for range 100 {
		w.pace.note(0)
	}
	time.AfterFunc(time.Millisecond, l.Wake)
	require.NoError(t, l.Poll(time.Minute))
	require.False(t, w.gives)
	require.False(t, w.blocks.Load())
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
		p.note(leisureMin - 1)
	}
	require.True(t, p.swift)
	p.note(time.Millisecond)
	require.False(t, p.swift, "one long wait is enough")
	require.True(t, p.brisk)
}

// Nothing is lost while the way to wait changes after every wait: neither a wake-up nor an event of a descriptor.
func TestAdaptiveWaitChanges(t *testing.T) {
	var l *Loop
	var w *adaptiveWaiter
	l, w = newAdaptiveLoop(t, func() load {
		w.crowd.next, w.crowd.against = 0, freeLooksMin-1 // decide at once, and again after the next wait
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

// Goroutines that compute on every processor make the loop block, and their end makes it park again.
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
