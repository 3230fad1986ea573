//go:build check

package soak_test

// Long runs that show leaks: what is made a hundred thousand times and given back must
// leave no trace. They run with `make check`.

import (
	"context"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

// footprint is what a leak would show in.
type footprint struct {
	descriptors int
	goroutines  int
	rss         int // bytes
}

func measure(t *testing.T) footprint {
	t.Helper()
	debug.FreeOSMemory()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	text, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	require.NoError(t, err)
	return footprint{len(entries), runtime.NumGoroutine(), pages * os.Getpagesize()}
}

// requireFlat runs the first tenth of the work to fill caches and pools, and lets the
// rest leave nothing behind.
func requireFlat(t *testing.T, n, bytesMax int, work func(n int)) {
	t.Helper()
	work(n / 10)
	before := measure(t)
	work(n - n/10)
	after := measure(t)
	require.LessOrEqual(t, after.descriptors, before.descriptors)
	require.LessOrEqual(t, after.goroutines, before.goroutines)
	require.Less(t, after.rss-before.rss, bytesMax, "memory has grown: %+v, then %+v", before, after)
}

// echoOnce echoes what each connection sends.
type echoOnce struct {
	asyncio.NullProtocol
	transport asyncio.Transport
}

func (e *echoOnce) ConnectionMade(t asyncio.Transport) { e.transport = t }
func (e *echoOnce) DataReceived(b []byte)              { _, _ = e.transport.Write(b) }

func TestSoakConnections(t *testing.T) {
	const cycles, clients = 100_000, 8
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		address := make(chan string, 1)
		stop := make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			_, err := asyncio.RunUntilComplete[asyncio.None](l, asyncio.Do(func(ctx context.Context) error {
				s, err := l.CreateServer(ctx, func() asyncio.Protocol { return new(echoOnce) }, "tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				address <- s.Addrs()[0].String()
				_, err = asyncio.ToThread(ctx, func(context.Context) (asyncio.None, error) { <-stop; return asyncio.None{}, nil })
				s.Close()
				return err
			}))
			ended <- err
		}()
		to := <-address
		requireFlat(t, cycles, 16<<20, func(n int) {
			var wg sync.WaitGroup
			errs := make(chan error, clients)
			for range clients {
				wg.Go(func() {
					for range n / clients {
						if err := connectEchoClose(to); err != nil {
							errs <- err
							return
						}
					}
				})
			}
			wg.Wait()
			close(errs)
			for err := range errs {
				require.NoError(t, err)
			}
			require.Eventually(t, func() bool { return l.Stats().Handles == 1 }, asynciotest.HangLimit, time.Millisecond)
		})
		close(stop)
		require.NoError(t, <-ended)
	})
}

// connectEchoClose is one connection's life. It ends with a reset, so that a hundred
// thousand of them do not use up the ports.
func connectEchoClose(to string) error {
	c, err := net.Dial("tcp", to)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		return err
	}
	if _, err := c.Write([]byte("ping")); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 4))
	return err
}

func TestSoakLoops(t *testing.T) {
	const loops = 10_000
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		requireFlat(t, loops, 16<<20, func(n int) {
			for range n {
				v, err := asyncio.Run(func(ctx context.Context) (int, error) {
					child := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return 1, asyncio.Sleep(ctx, 0) })
					return child.Await(ctx)
				}, opts...)
				require.NoError(t, err)
				require.Equal(t, 1, v)
			}
		})
	})
}

func TestSoakTimers(t *testing.T) {
	const timers = 1_000_000
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		fired := false
		requireFlat(t, timers, 16<<20, func(n int) {
			handles := make([]*asyncio.TimerHandle, 0, n)
			for i := range n {
				handles = append(handles, l.CallLater(time.Hour+time.Duration(i%1000)*time.Millisecond, func() { fired = true }))
			}
			require.Equal(t, n, l.Stats().Timers)
			for _, h := range handles {
				h.Cancel()
			}
			require.Zero(t, l.Stats().Timers)
		})
		asynciotest.Turn(t, l)
		require.False(t, fired)
	})
}

func TestSoakTasks(t *testing.T) {
	const tasks = 1_000_000
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		requireFlat(t, tasks, 16<<20, func(n int) {
			_, err := asyncio.RunUntilComplete[asyncio.None](l, asyncio.Do(func(ctx context.Context) error {
				for range n {
					child := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return 1, asyncio.Sleep(ctx, 0) })
					if _, err := asyncio.WaitFor(ctx, child, time.Hour); err != nil {
						return err
					}
				}
				return nil
			}))
			require.NoError(t, err)
		})
	})
}
