//go:build cgo

package uv_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// A loop without WithWait waits as a C program would: it opens nothing for Go's poller.
func TestWaitDefault(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // nowhere else are the descriptors known
	}
	opened := func(opts ...uv.Option) int {
		before := len(descriptors())
		newLoop(t, opts...)
		return len(descriptors()) - before
	}
	plain := opened()
	require.Equal(t, plain, opened(uv.WithWait(uv.WaitBlock)))
	require.Equal(t, plain+1, opened(uv.WithWait(uv.WaitNetpoll)))
	require.Equal(t, plain+1, opened(uv.WithWait(uv.WaitAdaptive)))
}

// A loop that is busy for some turns and then waits loses no event and no post, whenever
// they come.
func TestWaitLosesNothing(t *testing.T) {
	eachWait(t, func(t *testing.T, l *uv.Loop) {
		s, peer := peerOf(t, l)
		events, posts := 0, 0
		require.NoError(t, s.ReadStart(func(b []byte, err error) { events += len(b) }))
		next := make(chan int)
		var producer sync.WaitGroup
		producer.Go(func() {
			for i := range next {
				delay := time.Duration(i % 50 * 400) // up to 20 us, so that some come while the loop goes to sleep
				for start := time.Now(); time.Since(start) < delay; {
				}
				if i%4 == 3 {
					l.Post(func() { posts++ })
				} else {
					peer.Write([]byte("x"))
				}
			}
		})
		const rounds = 1000
		for i := range rounds {
			next <- i
			for range 9 {
				require.NoError(t, l.Poll(0))
			}
			for start := time.Now(); events+posts <= i; {
				require.Less(t, time.Since(start), patience, "round %d lost what it waited for", i)
				require.NoError(t, l.Poll(patience+time.Second))
			}
		}
		close(next)
		producer.Wait()
		require.Equal(t, rounds/4, posts)
	})
}
