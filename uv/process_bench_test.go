//go:build cgo

package uv_test

import (
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// median is that of what was measured, in a unit.
func median(all []time.Duration, unit time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2]) / float64(unit)
}

// A child that ends at once, from the call that starts it to its end. us/call is the
// median of the call alone, in which the loop does nothing else. It must not depend on
// how much memory the process has touched.
func BenchmarkSpawn(b *testing.B) {
	for _, c := range []struct {
		name    string
		ballast int
	}{{"", 0}, {" beside 256 MiB", 256 << 20}} {
		memory := make([]byte, c.ballast)
		for i := 0; i < len(memory); i += 4096 {
			memory[i] = 1
		}
		b.Run("uv"+c.name, func(b *testing.B) {
			l := newLoop(b)
			var calls []time.Duration
			for b.Loop() {
				var p *uv.Process
				start := time.Now()
				p, err := l.Spawn(uv.SpawnOptions{File: "/bin/true"}, func(uv.ExitStatus) { p.Close() })
				calls = append(calls, time.Since(start))
				require.NoError(b, err)
				_, err = l.Run(uv.RunDefault)
				require.NoError(b, err)
			}
			b.ReportMetric(median(calls, time.Microsecond), "us/call")
		})
		b.Run("os/exec"+c.name, func(b *testing.B) {
			var calls []time.Duration
			for b.Loop() {
				cmd := exec.Command("/bin/true")
				start := time.Now()
				require.NoError(b, cmd.Start())
				calls = append(calls, time.Since(start))
				require.NoError(b, cmd.Wait())
			}
			b.ReportMetric(median(calls, time.Microsecond), "us/call")
		})
		runtime.KeepAlive(memory)
	}
}

// The longest gap of a heartbeat of 5 ms while 100 children start, all in one callback or
// one in each turn; ms/gap is the median of the longest ones.
func BenchmarkSpawnHeartbeat(b *testing.B) {
	for name, atOnce := range map[string]int{"100 a turn": 100, "1 a turn": 1} {
		b.Run(name, func(b *testing.B) {
			l := newLoop(b)
			beat := newTimer(b, l)
			var last, longest time.Duration
			require.NoError(b, beat.Start(0, 5*time.Millisecond, func() {
				now := l.Clock()
				last, longest = now, max(longest, now-last)
			}))
			var all []time.Duration
			for b.Loop() {
				last, longest = l.Clock(), 0
				spawnMany(b, l, 100, atOnce)
				all = append(all, longest)
			}
			b.ReportMetric(median(all, time.Millisecond), "ms/gap")
		})
	}
}

// spawnMany starts so many children, some in each turn, and waits for their ends.
func spawnMany(b *testing.B, l *uv.Loop, left, atOnce int) {
	running := left
	var some func()
	some = func() {
		for range atOnce {
			var p *uv.Process
			p, err := l.Spawn(uv.SpawnOptions{File: "/bin/true"}, func(uv.ExitStatus) {
				p.Close()
				running--
			})
			require.NoError(b, err)
			left--
		}
		if left > 0 {
			require.NoError(b, l.Post(some))
		}
	}
	require.NoError(b, l.Post(some))
	until(b, l, "the children", func() bool { return running == 0 })
}
