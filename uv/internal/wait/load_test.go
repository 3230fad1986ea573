//go:build unix

package wait

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Some looks in a row change the opinion, more of them to the better than to the worse; a
// look that agrees begins the count anew, and looks that come too soon are not taken.
func TestLoad(t *testing.T) {
	var now time.Duration
	var full level
	looks := 0
	o := load{probe: func() level { looks++; return full }, yield: func() time.Duration { return time.Millisecond }}
	look := func(queued bool) bool {
		full = levelFull
		if queued {
			full = levelQueued
		}
		now += loadLookInterval
		o.look(now)
		return o.overloaded
	}
	require.False(t, look(false))
	for range 3 {
		require.False(t, look(true))
		require.False(t, look(false), "a moment decides nothing")
	}
	for range overloadLooksMin - 1 {
		require.False(t, look(true))
	}
	require.True(t, look(true))
	for range overloadLooksLast - 1 {
		require.True(t, look(false))
	}
	require.True(t, look(true), "a look that agrees begins the count anew")
	for range overloadLooksLast - 1 {
		require.True(t, look(false))
	}
	require.False(t, look(false))
	before := looks
	for range 100 {
		o.look(now + loadLookInterval - 1)
	}
	require.Equal(t, before, looks, "too soon")
	for _, found := range []level{levelIdle, levelFull, levelQueued} {
		full, now = found, now+loadLookInterval
		o.look(now)
		require.Equal(t, found == levelIdle, o.idleP)
	}
}

// Goroutines that want to run, but not for long, are no overload. Where there was one,
// letting them run shows that it is over.
func TestLoadOfShortWork(t *testing.T) {
	var now time.Duration
	yields, compute, waiting := 0, false, true
	o := load{}
	o.probe = func() level {
		if waiting {
			return levelQueued
		}
		return levelFull
	}
	o.yield = func() time.Duration {
		yields++
		waiting = compute
		return 20 * time.Millisecond
	}
	look := func() bool {
		now += loadLookInterval
		waiting = true // others have come
		o.look(now)
		return o.overloaded
	}
	for range 100 {
		require.False(t, look())
	}
	require.Equal(t, 100, yields)
	compute = true
	for range overloadLooksMin {
		require.False(t, o.overloaded)
		look()
	}
	require.True(t, o.overloaded)
	before := yields
	for since := now; now-since < 10*time.Second; {
		require.True(t, look())
	}
	require.LessOrEqual(t, yields-before, 5, "trying costs as much of the time as it is allowed to")
	compute = false
	looks := 0
	for since := now; look(); {
		require.Less(t, now-since, 3*time.Second)
		if o.against > 0 {
			looks++
		}
	}
	require.Equal(t, overloadLooksLast-1, looks, "one try decides nothing")
}

func BenchmarkLevel(b *testing.B) {
	p := newSchedStats()
	b.ReportAllocs()
	for b.Loop() {
		p.level()
	}
}
