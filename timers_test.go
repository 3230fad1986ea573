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
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestTimers(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TMR-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			const d = 50 * time.Millisecond
			l.CallLater(d, tr.Mark("a"))
			l.CallLater(d, tr.Mark("b")).Cancel()
			l.CallLater(d, func() { tr.Add("c"); l.Stop() })
			l.CallLater(1000*time.Second, tr.Mark("d"))
			testkit.Took(t, d, func() { require.NoError(t, l.RunForever()) })
			tr.Equal(t, "a", "c")
		})
		t.Run("TMR-04", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			const d = 100 * time.Millisecond
			var fired time.Duration
			start := l.Time()
			l.CallAt(start+d, func() { fired = l.Time(); l.Stop() })
			testkit.Took(t, d-time.Millisecond, func() { require.NoError(t, l.RunForever()) })
			require.GreaterOrEqual(t, fired, start+d)
		})
		t.Run("TMR-06", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			fail := func() { t.Error("a timer at the end of time fired") }
			for _, d := range []time.Duration{asyncio.Forever, math.MaxInt64 - 1, math.MaxInt64 / 2, 200 * 365 * 24 * time.Hour} {
				l.CallLater(d, fail).Cancel()
				l.CallAt(d, fail).Cancel()
				require.Greater(t, l.CallLater(d, fail).When(), l.Time())
				require.Equal(t, d, l.CallAt(d, fail).When())
			}
			l.CallLater(10*time.Millisecond, l.Stop)
			testkit.Took(t, 10*time.Millisecond, func() { require.NoError(t, l.RunForever()) })
		})
		t.Run("TMR-07", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			testkit.Took(t, 21*time.Millisecond, func() {
				asynciotest.InTask(t, l, func(ctx context.Context) {
					require.NoError(t, asyncio.Sleep(ctx, time.Millisecond))
					time.Sleep(10 * time.Millisecond) // a task that blocks the loop is the case
					require.NoError(t, asyncio.Sleep(ctx, 10*time.Millisecond))
				})
			})
		})
	})
}

func TestTimerHandles(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TMR-11", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
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
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				task := asyncio.CreateTask(ctx, func(context.Context) (int, error) { return 3, nil })
				asynciotest.Yield(t, ctx, 1)
				require.True(t, task.Done())
				v, err := asyncio.WaitFor(ctx, task, asyncio.Forever)
				require.NoError(t, err)
				require.Equal(t, 3, v)
			})
		})
		t.Run("short sleeps take few turns", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				before := l.Stats().Turns
				sleeps := []time.Duration{10 * time.Millisecond, 100 * time.Microsecond, time.Microsecond, 10, 1}
				for _, d := range sleeps {
					require.NoError(t, asyncio.Sleep(ctx, d))
				}
				require.LessOrEqual(t, l.Stats().Turns-before, uint64(20), "no turn in vain for a rest of time")
			})
		})
		t.Run("never early", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
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
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TMR-08", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			start := l.Time()
			l.CallAt(start+30*time.Millisecond, func() { tr.Add("30"); l.Stop() })
			l.CallAt(start+10*time.Millisecond, tr.Mark("10"))
			l.CallAt(start+20*time.Millisecond, tr.Mark("20"))
			require.NoError(t, l.RunForever())
			tr.Equal(t, "10", "20", "30")
		})
		t.Run("TMR-09", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			l.CallAt(l.Time(), tr.Mark("timer"))
			l.CallSoon(tr.Mark("ready"))
			asynciotest.Turn(t, l)
			tr.Equal(t, "ready", "timer")
		})
		t.Run("TMR-10", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			counter := asynciotest.CountTurns(l)
			l.CallAt(l.Time(), func() {
				tr.Addf("timer in %d", counter.N())
				l.CallSoon(func() { tr.Addf("g in %d", counter.N()) })
			})
			asynciotest.Turns(t, l, 2)
			tr.Equal(t, "timer in 1", "g in 2")
		})
		t.Run("a timer armed with nothing to wait for fires in the next turn", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			counter := asynciotest.CountTurns(l)
			l.CallSoon(func() {
				l.CallLater(0, func() { tr.Addf("zero in %d", counter.N()) })
				l.CallAt(0, func() { tr.Addf("past in %d", counter.N()) })
			})
			asynciotest.Turns(t, l, 3)
			tr.Equal(t, "past in 2", "zero in 2")
		})
	})
}

func TestTimerOrderOfEquals(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TMR-13", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			when := l.Time() + 5*time.Millisecond
			var second *asyncio.TimerHandle
			l.CallAt(when, func() { tr.Add("first"); second.Cancel() })
			second = l.CallAt(when, tr.Mark("second"))
			l.CallAt(when, func() { tr.Add("third"); l.Stop() })
			require.NoError(t, l.RunForever())
			asynciotest.Turn(t, l)
			tr.Equal(t, "first", "third")
		})
		t.Run("negative delays are ordered", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			l.CallLater(-time.Second, tr.Mark("a"))
			l.CallLater(-2*time.Second, tr.Mark("b"))
			asynciotest.Turn(t, l)
			tr.Equal(t, "b", "a")
		})
		t.Run("equal deadlines fire in the order of arming", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
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
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TMR-14", func(t *testing.T) {
			// The case counts in seconds; this is the same with milliseconds. The loop
			// must not wake at 100 for the timer that was cancelled, and must wake at 200
			// for the other.
			l := asynciotest.New(t, opts...)
			l.CallLater(100*time.Millisecond, func() { t.Error("a cancelled timer fired") }).Cancel()
			l.CallLater(200*time.Millisecond, l.Stop)
			before := l.Stats()
			testkit.Took(t, 200*time.Millisecond, func() { require.NoError(t, l.RunForever()) })
			turns := l.Stats().Turns - before.Turns
			require.Positive(t, turns)
			require.LessOrEqual(t, turns, uint64(3), "turns of a loop with one timer")
		})
		t.Run("TMR-15", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			churn := func() {
				for range 10_000 {
					l.CallLater(time.Hour, func() { t.Error("a cancelled timer fired") }).Cancel()
				}
				asynciotest.Turn(t, l)
			}
			churn() // what the loop keeps for good is there afterwards
			before := heapInUse()
			churn()
			require.Less(t, heapInUse(), before+before/10)
			require.Zero(t, l.Stats().Timers)
		})
		t.Run("many cancelled among the living", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
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
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			h := l.CallAt(0, tr.Mark("fired"))
			asynciotest.Turn(t, l)
			h.Cancel()
			asynciotest.Turn(t, l)
			tr.Equal(t, "fired")
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
