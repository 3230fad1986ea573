//go:build cgo

package uv_test

import (
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// A child that ends at once, from the call that starts it to its end. The metric is the
// call alone, in which the loop does nothing else. A fork copies the tables of pages, so
// it costs more the more memory the process has touched; os/exec does not copy them.
func BenchmarkSpawn(b *testing.B) {
	for name, ballast := range map[string]int{"": 0, " 256 MiB": 256 << 20} {
		memory := make([]byte, ballast)
		for i := 0; i < len(memory); i += 4096 {
			memory[i] = 1
		}
		b.Run("uv"+name, func(b *testing.B) {
			l := newLoop(b)
			var calls time.Duration
			for b.Loop() {
				var p *uv.Process
				start := time.Now()
				p, err := l.Spawn(uv.SpawnOptions{File: "/bin/true"}, func(uv.ExitStatus) { p.Close() })
				calls += time.Since(start)
				require.NoError(b, err)
				_, err = l.Run(uv.RunDefault)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(calls.Microseconds())/float64(b.N), "us/call")
		})
		b.Run("exec"+name, func(b *testing.B) {
			var calls time.Duration
			for b.Loop() {
				cmd := exec.Command("/bin/true")
				start := time.Now()
				require.NoError(b, cmd.Start())
				calls += time.Since(start)
				require.NoError(b, cmd.Wait())
			}
			b.ReportMetric(float64(calls.Microseconds())/float64(b.N), "us/call")
		})
		runtime.KeepAlive(memory)
	}
}

// The longest gap of a heartbeat of 5 ms while 100 children start: all in one callback,
// or one in each turn.
func BenchmarkSpawnHeartbeat(b *testing.B) {
	for name, atOnce := range map[string]int{"100 a turn": 100, "1 a turn": 1} {
		b.Run(name, func(b *testing.B) {
			l := newLoop(b)
			beat, err := l.NewTimer()
			require.NoError(b, err)
			last, longest := l.Clock(), time.Duration(0)
			require.NoError(b, beat.Start(0, 5*time.Millisecond, func() {
				now := l.Clock()
				last, longest = now, max(longest, now-last)
			}))
			for b.Loop() {
				left, ended := 100, 0
				var some func()
				some = func() {
					for range atOnce {
						_, err := l.Spawn(uv.SpawnOptions{File: "/bin/true"}, func(uv.ExitStatus) { ended++ })
						require.NoError(b, err)
						left--
					}
					if left > 0 {
						require.NoError(b, l.Post(some))
					}
				}
				require.NoError(b, l.Post(some))
				until(b, l, "the children", func() bool { return ended == 100 })
				for h := range l.Handles() {
					if h.Type() == uv.ProcessHandle {
						h.Close()
					}
				}
			}
			b.ReportMetric(float64(longest.Microseconds())/1000, "ms/gap")
		})
	}
}
