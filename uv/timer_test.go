//go:build cgo

package uv_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

func TestTimer(t *testing.T) {
	t.Run("UV-023", func(t *testing.T) { // never early
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			timer := newTimer(t, l)
			start := time.Now()
			var elapsed time.Duration
			require.NoError(t, timer.Start(50*time.Millisecond, 0, func() { elapsed = time.Since(start) }))
			run(t, l, uv.RunDefault)
			require.GreaterOrEqual(t, elapsed, 50*time.Millisecond)
			for range 300 {
				start = time.Now()
				require.NoError(t, timer.Start(time.Millisecond, 0, func() { elapsed = time.Since(start) }))
				run(t, l, uv.RunDefault)
				require.GreaterOrEqual(t, elapsed, time.Millisecond)
			}
		})
		l := newLoop(t)
		fired, trials := 0, 9_000
		for range trials { // many at once, each with its own start
			timer := newTimer(t, l)
			start := time.Now()
			require.NoError(t, timer.Start(time.Millisecond, 0, func() {
				if time.Since(start) < time.Millisecond {
					t.Error("early")
				}
				fired++
				timer.Close()
			}))
		}
		run(t, l, uv.RunDefault)
		require.Equal(t, trials, fired)
	})
	t.Run("UV-024", func(t *testing.T) { // 0 is the next turn, behind what is ready
		l := newLoop(t)
		var order []string
		timer := newTimer(t, l)
		require.NoError(t, l.Post(func() {
			require.NoError(t, timer.Start(0, 0, func() { order = append(order, "timer") }))
			require.NoError(t, l.Post(func() { order = append(order, "post") }))
		}))
		run(t, l, uv.RunDefault)
		run(t, l, uv.RunNoWait)
		require.Contains(t, [][]string{{"timer", "post"}, {"post", "timer"}}, order)

		order = nil
		require.NoError(t, l.Post(func() { order = append(order, "post") }))
		require.NoError(t, timer.Start(0, 0, func() { order = append(order, "timer") }))
		run(t, l, uv.RunNoWait)
		require.Equal(t, []string{"post", "timer"}, order)
	})
	t.Run("a timer of 0 that starts itself leaves room for others", func(t *testing.T) {
		l := newLoop(t)
		timer, calls := newTimer(t, l), 0
		var f func()
		f = func() { calls++; timer.Start(0, 0, f) }
		require.NoError(t, timer.Start(0, 0, f))
		require.NoError(t, l.Poll(0))
		require.LessOrEqual(t, calls, 2)
	})
	t.Run("UV-025", func(t *testing.T) { // equal deadlines keep the order of their starts
		l := newLoop(t)
		var order []int
		for i := range 5 {
			require.NoError(t, newTimer(t, l).Start(5*time.Millisecond, 0, func() { order = append(order, i) }))
		}
		run(t, l, uv.RunDefault)
		require.Equal(t, []int{0, 1, 2, 3, 4}, order)
	})
	t.Run("UV-031", func(t *testing.T) { // DueIn
		l := newLoop(t)
		timer, other := newTimer(t, l), newTimer(t, l)
		require.NoError(t, timer.Start(200*time.Millisecond, 0, func() {}))
		require.NoError(t, other.Start(60*time.Millisecond, 0, func() {}))
		run(t, l, uv.RunOnce)
		require.LessOrEqual(t, timer.DueIn(), 140*time.Millisecond)
		require.Greater(t, timer.DueIn(), 100*time.Millisecond)
		run(t, l, uv.RunDefault)
		require.Zero(t, timer.DueIn())
	})
	t.Run("UV-032", func(t *testing.T) { // a start after a long callback counts from that start
		l := newLoop(t)
		var start time.Time
		var elapsed time.Duration
		timer := newTimer(t, l)
		require.NoError(t, l.Post(func() {
			spin(30 * time.Millisecond)
			start = time.Now()
			require.NoError(t, timer.Start(50*time.Millisecond, 0, func() { elapsed = time.Since(start) }))
		}))
		run(t, l, uv.RunDefault)
		require.GreaterOrEqual(t, elapsed, 50*time.Millisecond)
	})
	t.Run("UV-033", func(t *testing.T) { // a late loop does not make up for missed rounds
		l := newLoop(t)
		fired := 0
		timer := newTimer(t, l)
		require.NoError(t, timer.Start(10*time.Millisecond, 10*time.Millisecond, func() { fired++ }))
		spin(200 * time.Millisecond)
		run(t, l, uv.RunNoWait)
		require.Equal(t, 1, fired)
	})
	t.Run("UV-034", func(t *testing.T) { // far away is not soon
		l := newLoop(t)
		fired := false
		for _, d := range []time.Duration{1 << 62, uv.Forever, uv.Forever - 1} {
			timer := newTimer(t, l)
			require.NoError(t, timer.Start(d, d, func() { fired = true }))
			require.NoError(t, l.Poll(0))
			require.Greater(t, timer.DueIn(), time.Duration(1<<61))
		}
		require.False(t, fired)
	})
	t.Run("UV-035", func(t *testing.T) { // a million timers
		l := newLoop(t)
		before := heapInUse()
		rounds := 10
		if slow {
			rounds = 1
		}
		var spent time.Duration
		for range rounds {
			timers := make([]*uv.Timer, 100_000)
			for i := range timers {
				timers[i] = newTimer(t, l)
			}
			start := cpuTime(t)
			for i, timer := range timers {
				timer.Start(time.Hour+time.Duration(i*7919%1000)*time.Second, 0, func() {})
			}
			for _, timer := range timers {
				timer.Stop()
			}
			spent += cpuTime(t) - start
			for _, timer := range timers {
				timer.Close()
			}
			require.NoError(t, l.Poll(0))
		}
		if !slow {
			require.Less(t, spent, 2*time.Second)
		}
		require.NoError(t, l.Close())
		l = nil
		require.Less(t, heapInUse(), before+8<<20)
	})
	t.Run("UV-037", func(t *testing.T) { // closed is closed
		l := newLoop(t)
		timer := newTimer(t, l)
		var err error
		closed := false
		require.NoError(t, timer.Start(0, time.Millisecond, func() {
			timer.CloseWith(func() { closed = true })
			err = timer.Start(0, 0, func() { t.Error("called") })
		}))
		run(t, l, uv.RunDefault)
		require.ErrorIs(t, err, uv.ErrClosed)
		require.True(t, closed)
		require.ErrorIs(t, timer.Stop(), uv.ErrClosed)
		require.ErrorIs(t, timer.Again(), uv.ErrClosed)
	})
	t.Run("Again", func(t *testing.T) {
		l := newLoop(t)
		timer, fired := newTimer(t, l), 0
		require.ErrorIs(t, timer.Again(), uv.EINVAL)
		require.NoError(t, timer.Start(time.Hour, 0, func() { fired++ }))
		timer.SetRepeat(3 * time.Millisecond)
		require.Equal(t, 3*time.Millisecond, timer.Repeat())
		require.NoError(t, timer.Again())
		until(t, l, "two rounds", func() bool { return fired == 2 })
		timer.SetRepeat(0)
		until(t, l, "the round that was armed", func() bool { return fired == 3 })
		require.NoError(t, l.Poll(10*time.Millisecond))
		require.Equal(t, 3, fired)
		require.False(t, timer.IsActive())
	})
	t.Run("Again leaves one alone that does not repeat", func(t *testing.T) {
		l := newLoop(t)
		timer, fired := newTimer(t, l), 0
		require.NoError(t, timer.Start(5*time.Millisecond, 0, func() { fired++ }))
		due := timer.DueIn()
		require.NoError(t, timer.Again())
		require.True(t, timer.IsActive())
		require.LessOrEqual(t, timer.DueIn(), due)
		until(t, l, "the call", func() bool { return fired == 1 })
		require.NoError(t, timer.Again())
		require.False(t, timer.IsActive())
	})
	t.Run("Start without a function", func(t *testing.T) {
		require.ErrorIs(t, newTimer(t, newLoop(t)).Start(0, 0, nil), uv.EINVAL)
	})
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestPhases(t *testing.T) {
	t.Run("UV-038", func(t *testing.T) { // idle, prepare, check: once a turn each, in this order
		l := newLoop(t)
		idle, err := l.NewIdle()
		require.NoError(t, err)
		prepare, err := l.NewPrepare()
		require.NoError(t, err)
		check, err := l.NewCheck()
		require.NoError(t, err)
		var order []string
		client, server := connectedPair(t, l)
		require.NoError(t, server.ReadStart(func([]byte, error) { order = append(order, "io") }))
		require.NoError(t, check.Start(func() { order = append(order, "check") }))
		require.NoError(t, prepare.Start(func() { order = append(order, "prepare") }))
		require.NoError(t, idle.Start(func() { order = append(order, "idle") }))
		_, err = client.TryWrite([]byte("x"))
		require.NoError(t, err)
		require.NoError(t, l.Poll(0)) // starts the read
		order = nil
		_, err = client.TryWrite([]byte("x"))
		require.NoError(t, err)
		turns := 0
		for start := time.Now(); time.Since(start) < 20*time.Millisecond; turns++ {
			require.NoError(t, l.Poll(0))
		}
		require.Equal(t, []string{"idle", "prepare", "io", "check"}, order[:4])
		require.Len(t, order, 3*turns+1)
	})
	t.Run("UV-039", func(t *testing.T) { // idle keeps Once from waiting
		l := newLoop(t)
		idle, err := l.NewIdle()
		require.NoError(t, err)
		n := 0
		require.NoError(t, idle.Start(func() { n++ }))
		require.NoError(t, newTimer(t, l).Start(time.Minute, 0, func() {}))
		require.True(t, run(t, l, uv.RunOnce))
		require.Equal(t, 1, n)
	})
	t.Run("UV-040", func(t *testing.T) { // and no longer, once it is stopped
		l := newLoop(t)
		idle, err := l.NewIdle()
		require.NoError(t, err)
		require.NoError(t, idle.Start(func() { idle.Stop() }))
		start := time.Now()
		require.NoError(t, newTimer(t, l).Start(20*time.Millisecond, 0, func() {}))
		run(t, l, uv.RunOnce)
		require.False(t, run(t, l, uv.RunOnce))
		require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
	})
	t.Run("UV-041", func(t *testing.T) { // stopped by an earlier one of the same turn
		l := newLoop(t)
		var h [3]*uv.Prepare
		var calls [3]int
		for i := range h {
			var err error
			h[i], err = l.NewPrepare()
			require.NoError(t, err)
		}
		for i := range h {
			require.NoError(t, h[i].Start(func() {
				if calls[i]++; i == 0 {
					h[1].Stop()
				}
			}))
		}
		run(t, l, uv.RunNoWait)
		require.Equal(t, [3]int{1, 0, 1}, calls)
		require.NoError(t, h[1].Start(func() { calls[1]++ }))
		h[0].Close()
		run(t, l, uv.RunNoWait)
		require.Equal(t, [3]int{1, 1, 2}, calls)
	})
	t.Run("Start again changes nothing", func(t *testing.T) {
		l := newLoop(t)
		check, err := l.NewCheck()
		require.NoError(t, err)
		n := 0
		require.NoError(t, check.Start(func() { n++ }))
		require.NoError(t, check.Start(func() { t.Error("the second function") }))
		run(t, l, uv.RunNoWait)
		require.Equal(t, 1, n)
		require.ErrorIs(t, check.Start(nil), uv.EINVAL)
	})
}
