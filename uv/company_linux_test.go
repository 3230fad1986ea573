//go:build cgo

package uv

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// swiftLoop is a loop without a spare processor whose events come quickly, so that it
// keeps its processor while it waits.
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
	for start := time.Now(); !s.keeps; s.event() {
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

// A goroutine that waits for the network is not left waiting by a loop that keeps the
// only processor.
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

// A wait that lasts keeps the processor back, and ends the haste.
func TestSwiftLoopDoesNotKeepItsProcessorForLong(t *testing.T) {
	l := newSwiftLoop(t)
	for range 20 {
		l.hurry()
		for start := time.Now(); l.keeps; {
			require.NoError(t, l.Poll(time.Minute))
			require.Less(t, time.Since(start), 30*time.Second, "nothing has ended the wait")
		}
		require.False(t, l.blocks.Load())
	}
}

// A loop that cannot know its company parks, however quickly events come.
func TestSwiftLoopOfUnknownCompany(t *testing.T) {
	l := newSwiftLoop(t)
	l.company, l.keeps = nil, false
	l.choose(false)
	swift := 0
	for range 20 {
		l.event()
		if l.pace.swift {
			swift++
		}
		require.False(t, l.keeps)
		require.False(t, l.blocks.Load())
	}
	require.Positive(t, swift)
}

func BenchmarkCompanyWaits(b *testing.B) {
	l, err := NewLoop()
	require.NoError(b, err)
	c := l.waiter.(*adaptiveWaiter).company
	require.NotNil(b, c)
	for b.Loop() {
		c.waits()
	}
	require.NoError(b, l.Close())
}
