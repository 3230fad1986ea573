//go:build unix

package processes_test

// Many children at once.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// heartbeat beats every 5 ms until it is stopped, and knows the largest gap.
type heartbeat struct {
	loop    *asyncio.Loop
	last    time.Duration
	largest time.Duration
	next    *asyncio.TimerHandle
}

func startHeartbeat(l *asyncio.Loop) *heartbeat {
	h := &heartbeat{loop: l, last: l.Time()}
	h.next = l.CallLater(5*time.Millisecond, h.beat)
	return h
}

func (h *heartbeat) beat() {
	now := h.loop.Time()
	h.largest = max(h.largest, now-h.last)
	h.last = now
	h.next = h.loop.CallLater(5*time.Millisecond, h.beat)
}

func (h *heartbeat) stop() time.Duration {
	h.next.Cancel()
	return max(h.largest, h.loop.Time()-h.last)
}

// A busy machine makes gaps of its own: so one quiet attempt of several is enough. Starts
// that stall the loop spoil all of them.
func TestStartsDoNotStallTheLoop(t *testing.T) {
	t.Run("SUB-13", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			const children, attempts, gapMax = 100, 20, 50 * time.Millisecond
			var gaps []time.Duration
			for range attempts {
				beat := startHeartbeat(testkit.LoopOf(ctx))
				var all []asyncio.Awaitable[int]
				for range children {
					all = append(all, asyncio.Coro[int](func(ctx context.Context) (int, error) {
						p, err := asyncio.CreateSubprocess(ctx, asyncio.ProcessOptions{Args: []string{"true"}})
						if err != nil {
							return 0, err
						}
						return p.Wait(ctx)
					}))
				}
				codes, err := asyncio.Gather(ctx, all...).Await(ctx)
				gap := beat.stop()
				require.NoError(t, err)
				require.Equal(t, make([]int, children), codes)
				if gap < gapMax {
					t.Logf("the largest gap of the heartbeat was %v, after %v", gap, gaps)
					return
				}
				gaps = append(gaps, gap)
			}
			require.Failf(t, "the loop stalled", "the largest gaps were %v", gaps)
		})
	})
}

// crowd is children at once, with pipes and without, beside others of package os/exec,
// goroutines that compute in deep stacks, and signals, so many of each number.
type crowd struct{ children, others, busy, signals int }

func (c crowd) run(t *testing.T, ctx context.Context) {
	require.NoError(t, crowdChild(ctx, 0)) // libuv keeps a descriptor from a loop's first pipe on
	require.NoError(t, asynciotest.Until(ctx, func() bool { return testkit.LoopOf(ctx).Stats().Handles == 0 }))
	before := descriptors(t)
	stop := make(chan struct{})
	var beside sync.WaitGroup
	told := c.signal(t, ctx, &beside)
	for range c.busy {
		beside.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					deep(200)
					runtime.Gosched()
				}
			}
		})
	}
	for i := range c.others {
		beside.Go(func() {
			var failed *exec.ExitError
			err := exec.Command("/bin/sh", "-c", fmt.Sprintf("exit %d", 1+i%200)).Run()
			if !errors.As(err, &failed) || failed.ExitCode() != 1+i%200 {
				t.Errorf("os/exec: %v", err)
			}
		})
	}
	var all []asyncio.Awaitable[asyncio.None]
	for i := range c.children {
		all = append(all, asyncio.Do(func(ctx context.Context) error { return crowdChild(ctx, i) }))
	}
	_, err := asyncio.Gather(ctx, all...).Await(ctx)
	close(stop)
	beside.Wait()
	require.NoError(t, err)
	require.NoError(t, asynciotest.Until(ctx, told), "signals")
	require.NoError(t, asynciotest.Until(ctx, func() bool { return descriptors(t) <= before }), "descriptors are back")
	require.Empty(t, testkit.HandlersOffStack())
}

// signal sends the signals to this process, which handles them until the test is over.
// told reports whether it has heard of both numbers, of which many are one.
func (c crowd) signal(t *testing.T, ctx context.Context, beside *sync.WaitGroup) (told func() bool) {
	var times [2]int
	l := testkit.LoopOf(ctx)
	for i, sig := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGWINCH} {
		require.NoError(t, l.AddSignalHandler(sig, func() { times[i]++ }))
		beside.Go(func() {
			for range c.signals {
				if err := syscall.Kill(os.Getpid(), sig); err != nil {
					t.Errorf("send %v: %v", sig, err)
				}
				runtime.Gosched()
			}
		})
	}
	return func() bool { return times[0] > 0 && times[1] > 0 }
}

// crowdChild runs child i, whose code and output tell which it is.
func crowdChild(ctx context.Context, i int) error {
	code, opts := i%256, asyncio.ProcessOptions{Shell: fmt.Sprintf("exit %d", i%256)}
	if i%3 == 0 {
		opts = shell(fmt.Sprintf("cat; exit %d", code))
	}
	p, err := asyncio.CreateSubprocess(ctx, opts)
	if err != nil {
		return err
	}
	want := ""
	if i%3 == 0 {
		want = fmt.Sprintf("child %d", i)
	}
	out, _, err := p.Communicate(ctx, []byte(want))
	if err != nil {
		return err
	}
	if got, _ := p.ReturnCode(); got != code || string(out) != want {
		return fmt.Errorf("child %d has ended with %d and %q", i, got, out)
	}
	return nil
}

// deep uses some stack.
func deep(n int) int {
	var room [64]byte
	if n == 0 {
		return int(room[0])
	}
	return deep(n-1) + int(room[n%len(room)])
}

func TestCrowd(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		crowd{children: 100, others: 20, busy: 4, signals: 200}.run(t, ctx)
	})
	require.Empty(t, testkit.HandlersOffStack(), "and afterwards")
}
