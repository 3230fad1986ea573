// Timers: never early, ordered by deadline and then by arming, cancelled without a trace.
package asyncio_test

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

func TestTimers(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TMR-01", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			const d = 50 * time.Millisecond
			l.CallLater(d, tr.mark("a"))
			l.CallLater(d, tr.mark("b")).Cancel()
			l.CallLater(d, func() { tr.add("c"); l.Stop() })
			l.CallLater(1000*time.Second, tr.mark("d"))
			took(t, d, 300*time.Millisecond, func() { require.NoError(t, l.RunForever()) })
			tr.equal(t, "a", "c")
		})
		t.Run("TMR-04", func(t *testing.T) {
			l := newLoop(t, opts...)
			const d = 100 * time.Millisecond
			var fired time.Duration
			start := l.Time()
			l.CallAt(start+d, func() { fired = l.Time(); l.Stop() })
			took(t, d-time.Millisecond, 5*time.Second, func() { require.NoError(t, l.RunForever()) })
			require.GreaterOrEqual(t, fired, start+d)
		})
		t.Run("TMR-06", func(t *testing.T) {
			l := newLoop(t, opts...)
			fail := func() { t.Error("a timer at the end of time fired") }
			for _, d := range []time.Duration{asyncio.Forever, math.MaxInt64 - 1, math.MaxInt64 / 2, 200 * 365 * 24 * time.Hour} {
				l.CallLater(d, fail).Cancel()
				l.CallAt(d, fail).Cancel()
				require.Greater(t, l.CallLater(d, fail).When(), l.Time())
				require.Equal(t, d, l.CallAt(d, fail).When())
			}
			l.CallLater(10*time.Millisecond, l.Stop)
			took(t, 10*time.Millisecond, 5*time.Second, func() { require.NoError(t, l.RunForever()) })
		})
		t.Run("TMR-07", func(t *testing.T) {
			l := newLoop(t, opts...)
			took(t, 21*time.Millisecond, 5*time.Second, func() {
				inTask(t, l, func(ctx context.Context) {
					require.NoError(t, asyncio.Sleep(ctx, time.Millisecond))
					time.Sleep(10 * time.Millisecond) // a task that blocks the loop is the case
					require.NoError(t, asyncio.Sleep(ctx, 10*time.Millisecond))
				})
			})
		})
	})
}

func TestTimerHandles(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TMR-11", func(t *testing.T) {
			l := newLoop(t, opts...)
			when := l.Time() + 12345678*time.Nanosecond
			h := l.CallAt(when, l.Stop)
			require.Equal(t, when, h.When())
			require.NoError(t, l.RunForever())
			require.Equal(t, when, h.When())
			before := l.Time()
			later := l.CallLater(time.Hour, l.Stop)
			require.GreaterOrEqual(t, later.When(), before+time.Hour)
			require.LessOrEqual(t, later.When(), l.Time()+time.Hour)
			later.Cancel()
			require.True(t, later.Cancelled())
			require.GreaterOrEqual(t, later.When(), before+time.Hour)
		})
		t.Run("TMR-16", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				task := asyncio.CreateTask(ctx, func(context.Context) (int, error) { return 3, nil })
				yield(t, ctx, 1)
				require.True(t, task.Done())
				v, err := asyncio.WaitFor(ctx, task, asyncio.Forever)
				require.NoError(t, err)
				require.Equal(t, 3, v)
			})
		})
		t.Run("never early", func(t *testing.T) {
			l := newLoop(t, opts...)
			const timers = 200
			left := timers
			random := rand.New(rand.NewPCG(1, 2))
			for range timers {
				d := time.Duration(random.Int64N(int64(20 * time.Millisecond)))
				var h *asyncio.TimerHandle
				start := time.Now()
				h = l.CallLater(d, func() {
					if now := l.Time(); now < h.When() || time.Since(start) < d {
						t.Errorf("a timer of %v fired %v early", d, h.When()-now)
					}
					if left--; left == 0 {
						l.Stop()
					}
				})
			}
			require.NoError(t, l.RunForever())
		})
	})
}

func TestTimerOrder(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TMR-08", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			l.CallLater(30*time.Millisecond, func() { tr.add("30"); l.Stop() })
			l.CallLater(10*time.Millisecond, tr.mark("10"))
			l.CallLater(20*time.Millisecond, tr.mark("20"))
			require.NoError(t, l.RunForever())
			tr.equal(t, "10", "20", "30")
		})
		t.Run("TMR-09", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			l.CallAt(l.Time(), tr.mark("timer"))
			l.CallSoon(tr.mark("ready"))
			turn(t, l)
			tr.equal(t, "ready", "timer")
		})
		t.Run("TMR-10", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			counter := countTurns(l)
			l.CallAt(l.Time(), func() {
				tr.addf("timer in %d", counter.n)
				l.CallSoon(func() { tr.addf("g in %d", counter.n) })
			})
			turns(t, l, 2)
			tr.equal(t, "timer in 1", "g in 2")
		})
		t.Run("a timer armed with nothing to wait for fires in the next turn", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			counter := countTurns(l)
			l.CallSoon(func() {
				l.CallLater(0, func() { tr.addf("zero in %d", counter.n) })
				l.CallAt(0, func() { tr.addf("past in %d", counter.n) })
			})
			turns(t, l, 3)
			tr.equal(t, "past in 2", "zero in 2")
		})
	})
}

func TestTimerOrderOfEquals(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TMR-13", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			when := l.Time() + 5*time.Millisecond
			var second *asyncio.TimerHandle
			l.CallAt(when, func() { tr.add("first"); second.Cancel() })
			second = l.CallAt(when, tr.mark("second"))
			l.CallAt(when, func() { tr.add("third"); l.Stop() })
			require.NoError(t, l.RunForever())
			turn(t, l)
			tr.equal(t, "first", "third")
		})
		t.Run("negative delays are ordered", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			l.CallLater(-time.Second, tr.mark("a"))
			l.CallLater(-2*time.Second, tr.mark("b"))
			turn(t, l)
			tr.equal(t, "b", "a")
		})
		t.Run("equal deadlines fire in the order of arming", func(t *testing.T) {
			l := newLoop(t, opts...)
			const timers = 500
			var fired, want []int
			var handles []*asyncio.TimerHandle
			when := l.Time() + time.Millisecond
			for i := range timers {
				handles = append(handles, l.CallAt(when, func() { fired = append(fired, i) }))
			}
			for i, h := range handles { // holes in the heap must not change the order of the rest
				if i%3 == 0 {
					h.Cancel()
				} else {
					want = append(want, i)
				}
			}
			l.CallAt(when, l.Stop)
			require.NoError(t, l.RunForever())
			require.Equal(t, want, fired)
		})
	})
}

func TestTimerCancel(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TMR-14", func(t *testing.T) {
			// The case counts in seconds; this is the same with milliseconds. The loop
			// must not wake at 100 for the timer that was cancelled, and must wake at 200
			// for the other.
			l := newLoop(t, opts...)
			l.CallLater(100*time.Millisecond, func() { t.Error("a cancelled timer fired") }).Cancel()
			l.CallLater(200*time.Millisecond, l.Stop)
			before := l.Stats()
			took(t, 200*time.Millisecond, 5*time.Second, func() { require.NoError(t, l.RunForever()) })
			turns := l.Stats().Turns - before.Turns
			require.Positive(t, turns)
			require.LessOrEqual(t, turns, uint64(3), "turns of a loop with one timer")
		})
		t.Run("TMR-15", func(t *testing.T) {
			l := newLoop(t, opts...)
			churn := func() {
				for range 10_000 {
					l.CallLater(time.Hour, func() { t.Error("a cancelled timer fired") }).Cancel()
				}
				turn(t, l)
			}
			churn() // what the loop keeps for good is there afterwards
			before := heapInUse()
			churn()
			require.Less(t, heapInUse(), before+before/10)
			require.Zero(t, l.Stats().Timers)
		})
		t.Run("many cancelled among the living", func(t *testing.T) {
			l := newLoop(t, opts...)
			var fired, want []int
			random := rand.New(rand.NewPCG(3, 4))
			base := l.Time()
			for i := range 2000 {
				h := l.CallAt(base+time.Duration(i)*time.Microsecond, func() { fired = append(fired, i) })
				if random.IntN(10) > 0 {
					h.Cancel()
				} else {
					want = append(want, i)
				}
			}
			l.CallAt(base+2*time.Millisecond, l.Stop)
			require.NoError(t, l.RunForever())
			require.Equal(t, want, fired)
		})
		t.Run("a timer that fired can be cancelled without harm", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			h := l.CallAt(0, tr.mark("fired"))
			turn(t, l)
			h.Cancel()
			turn(t, l)
			tr.equal(t, "fired")
			require.Zero(t, l.Stats().Timers)
		})
	})
}

// heapInUse is the memory of all objects that are still reachable.
func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
