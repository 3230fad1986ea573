package wait

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var ways = map[string]func(Loop, *Sleep) Waiter{"block": Block, "park": Park, "adapt": Adapt}

// eachWay runs a test once for every way to wait.
func eachWay(t *testing.T, name string, f func(t *testing.T, r *runner)) {
	for way, waiter := range ways {
		t.Run(name+"/"+way, func(t *testing.T) { f(t, newRunner(t, waiter)) })
	}
}

func TestWaiter(t *testing.T) {
	eachWay(t, "a timeout ends a wait, and not before", func(t *testing.T, r *runner) {
		for _, timeout := range []time.Duration{time.Millisecond, 15 * time.Millisecond, 3 * time.Millisecond} {
			var waited time.Duration
			for start := time.Now(); waited < timeout; waited = time.Since(start) { // a wait may end early
				r.poll(timeout - waited)
			}
		}
		require.Positive(t, r.turns)
		total, until := r.sleep.Total()
		require.Positive(t, total)
		require.LessOrEqual(t, total, until)
	})
	eachWay(t, "a timeout of 0 is one turn", func(t *testing.T, r *runner) {
		for i := range 3 * busyTurns {
			r.poll(0)
			require.Equal(t, i+1, r.turns)
		}
		require.Zero(t, r.blocking)
		total, _ := r.sleep.Total()
		require.Zero(t, total)
	})
	eachWay(t, "an event ends a wait", func(t *testing.T, r *runner) {
		for i := range 100 {
			done := make(chan struct{})
			go func() { defer close(done); r.event() }()
			for r.events <= i {
				r.poll(forever)
			}
			<-done
		}
	})
	eachWay(t, "an event that is there already", func(t *testing.T, r *runner) {
		for i := range 100 {
			r.event()
			for r.events <= i {
				r.poll(forever)
			}
		}
	})
	eachWay(t, "a wake-up ends a wait", func(t *testing.T, r *runner) {
		for i := range 100 {
			done := make(chan struct{})
			go func() { defer close(done); r.post() }()
			for r.posts <= i {
				r.poll(forever)
			}
			<-done
		}
	})
	eachWay(t, "a wake-up before the wait", func(t *testing.T, r *runner) {
		for i := range 100 {
			r.post()
			before := r.turns
			r.poll(forever)
			require.Equal(t, i+1, r.posts)
			require.Positive(t, r.turns-before, "events are looked for nevertheless")
		}
	})
	eachWay(t, "a wake-up that comes late", func(t *testing.T, r *runner) {
		for i := range 10 {
			r.w.Wake() // the one that it was for has ended
			before := r.turns
			r.poll(10 * time.Millisecond)
			require.Positive(t, r.turns-before)
			r.event()
			for r.events <= i {
				r.poll(forever)
			}
		}
	})
	eachWay(t, "nothing alive", func(t *testing.T, r *runner) {
		r.idle = true
		for range 3 * busyTurns {
			r.w.Wait(forever, true)
		}
		r.event()
		for r.events == 0 {
			r.w.Wait(forever, false)
		}
	})
	eachWay(t, "busy, and then waiting", func(t *testing.T, r *runner) {
		next := make(chan int)
		var producer sync.WaitGroup
		producer.Go(func() {
			for delay := range next {
				for start := time.Now(); time.Since(start) < time.Duration(delay); {
				}
				r.event()
			}
		})
		for i := range 1000 {
			next <- i % 50 * 400 // up to 20 us, so that some come while the gate is opened
			for range busyTurns + 1 {
				r.poll(0)
			}
			for start := time.Now(); r.events <= i; {
				require.Less(t, time.Since(start), 10*time.Second, "an event was lost in round %d", i)
				r.poll(11 * time.Second)
			}
		}
		close(next)
		producer.Wait()
	})
}

// A deadline of the file that is early enough stays as it is.
func TestParkMovesItsDeadlineSeldom(t *testing.T) {
	r := newRunner(t, Park)
	p := r.w.(*parker)
	wait := func(timeout time.Duration) {
		before := r.events
		done := make(chan struct{})
		go func() { defer close(done); r.event() }()
		for r.events == before {
			r.poll(timeout)
		}
		<-done
	}
	for p.deadline == forever { // an event that comes at once leaves no reason to park
		wait(time.Hour)
	}
	first := p.deadline
	for range 20 {
		wait(2 * time.Hour)
		require.Equal(t, first, p.deadline)
	}
	for p.deadline == first {
		wait(time.Minute)
	}
	require.Less(t, p.deadline, first)
	for p.deadline != forever {
		wait(forever)
	}
}

// noPoller is a loop whose descriptor the runtime's poller does not take.
type noPoller struct{ *epollLoop }

func (noPoller) BackendFD() int { return -1 }

func TestWithoutThePoller(t *testing.T) {
	l := noPoller{newEpollLoop(t)}
	s := Sleep{Base: time.Now()}
	before := descriptors()
	require.IsType(t, blocker{}, Park(l, &s))
	require.IsType(t, blocker{}, Adapt(l, &s))
	require.Equal(t, before, descriptors())
}

// A loop whose descriptor somebody else has closed fails loudly.
func TestGateOfAClosedDescriptor(t *testing.T) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	require.NoError(t, err)
	g, err := openGate(fd)
	require.NoError(t, err)
	defer syscall.Close(g.fd)
	require.NoError(t, syscall.Close(fd))
	require.PanicsWithError(t, "uv: wait: epoll_ctl: bad file descriptor", g.close)
}

func BenchmarkWaitFindsNothing(b *testing.B) {
	for name, way := range ways {
		b.Run(name, func(b *testing.B) {
			r := newRunner(b, way)
			b.ReportAllocs()
			for b.Loop() {
				r.poll(0)
			}
		})
	}
}
