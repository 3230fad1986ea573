package wait

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// holder is a loop whose events come quickly while no P is idle, so that it holds its P
// while it waits.
type holder struct {
	*runner
	*adaptive
	next chan struct{} // to the goroutine that makes the events
}

func newHolder(t *testing.T) *holder {
	r, w := newAdaptiveRunner(t, func() level { return levelFull })
	h := &holder{r, w, make(chan struct{})}
	var producer sync.WaitGroup
	producer.Go(func() {
		for range h.next {
			r.event()
		}
	})
	t.Cleanup(func() { close(h.next); producer.Wait() })
	h.hold()
	return h
}

// soon lets the loop wait for an event that comes soon, on however slow a machine.
func (h *holder) soon() {
	for range 10 * paceShare {
		h.pace.note(0)
	}
	h.next <- struct{}{}
	h.poll(time.Second)
}

// hold makes the loop hold its P.
func (h *holder) hold() {
	for start := time.Now(); !h.holdsP; h.soon() {
		require.Less(h.t, time.Since(start), time.Minute)
	}
}

// A loop that holds its P lets others run before each wait.
func TestHolderLetsOthersRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	h := newHolder(t)
	for range 100 {
		h.hold()
		var ran atomic.Bool
		go func() { ran.Store(true) }()
		for waits := 0; !ran.Load(); waits++ { // now and then the runtime takes the one first that gave way
			require.Less(t, waits, 10)
			h.event() // it is there before the wait, which does not take long
			h.poll(time.Second)
		}
	}
}

// A goroutine that waits for the network is not left waiting by a loop that holds the
// only P.
func TestHolderGivesWayToTheNetwork(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	h := newHolder(t)
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
			h.soon()
		}
		h.hold()
		_, err := peer.Write([]byte("x"))
		require.NoError(t, err)
		for waits := 0; got.Load() == i; waits++ {
			require.Less(t, waits, 5)
			h.soon()
		}
		require.False(t, h.netpoll.ready())
	}
	peer.Close()
	for h.netpoll.ready() {
		h.soon()
	}
	reader.Wait()
}

// A wait that lasts gives the P back, and ends the holding.
func TestHolderDoesNotHoldItsPForLong(t *testing.T) {
	h := newHolder(t)
	for range 20 {
		h.hold()
		for start := time.Now(); h.holdsP; {
			h.poll(time.Minute)
			require.Less(t, time.Since(start), 30*time.Second, "nothing has ended the wait")
		}
		require.False(t, h.blocks.Load())
	}
}

// A loop that cannot ask the runtime's poller parks, however quickly events come.
func TestHolderWithoutNetpoll(t *testing.T) {
	h := newHolder(t)
	h.netpoll, h.holdsP = -1, false
	h.choose(false)
	tiny := 0
	for range 20 {
		h.soon()
		if h.pace.tiny {
			tiny++
		}
		require.False(t, h.holdsP)
		require.False(t, h.blocks.Load())
	}
	require.Positive(t, tiny)
}

func BenchmarkNetpollReady(b *testing.B) {
	_, w := newAdaptiveRunner(b, func() level { return levelFull })
	require.GreaterOrEqual(b, int(w.netpoll), 0)
	for b.Loop() {
		w.netpoll.ready()
	}
}
