//go:build cgo

package uv_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// eachWait runs a test once for every way to wait.
func eachWait(t *testing.T, f func(t *testing.T, l *uv.Loop)) {
	for name, w := range waits {
		t.Run(name, func(t *testing.T) { f(t, newLoop(t, uv.WithWait(w), uv.WithChecks())) })
	}
}

func run(t testing.TB, l *uv.Loop, mode uv.RunMode) (more bool) {
	t.Helper()
	more, err := l.Run(mode)
	require.NoError(t, err)
	return more
}

func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestLoop(t *testing.T) {
	t.Run("UV-001", func(t *testing.T) { // a fresh loop has nothing to do
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			require.False(t, run(t, l, uv.RunDefault))
		})
	})
	t.Run("UV-002", func(t *testing.T) { // Close, and Close again
		l, err := uv.NewLoop()
		require.NoError(t, err)
		require.NoError(t, l.Close())
		require.ErrorIs(t, l.Close(), uv.ErrClosed)
		require.ErrorIs(t, l.Poll(0), uv.ErrClosed)
		_, err = l.NewTCP()
		require.ErrorIs(t, err, uv.ErrClosed)
		_, err = l.NewTimer()
		require.ErrorIs(t, err, uv.ErrClosed)
		require.ErrorIs(t, l.Post(func() {}), uv.ErrClosed)
		l.Wake()
		l.Stop()
		require.False(t, l.Alive())
	})
	t.Run("UV-005", func(t *testing.T) { // an unreferenced timer alone keeps nothing running
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			fired := 0
			timer := newTimer(t, l)
			require.NoError(t, timer.Start(time.Hour, time.Hour, func() { fired++ }))
			timer.Unref()
			run(t, l, uv.RunDefault)
			require.Zero(t, fired)
		})
	})
	t.Run("UV-006", func(t *testing.T) { // it runs as long as something else is alive
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			fired := 0
			repeating, once := newTimer(t, l), newTimer(t, l)
			require.NoError(t, repeating.Start(10*time.Millisecond, 10*time.Millisecond, func() { fired++ }))
			repeating.Unref()
			require.NoError(t, once.Start(55*time.Millisecond, 0, func() {}))
			require.False(t, run(t, l, uv.RunDefault))
			require.GreaterOrEqual(t, fired, 1)
			require.LessOrEqual(t, fired, 6)
		})
	})
	t.Run("UV-007", func(t *testing.T) { // Ref is a flag, not a counter
		l := newLoop(t)
		for _, h := range []uv.Handle{newTimer(t, l), newTCP(t, l)} {
			h.Ref()
			h.Ref()
			require.True(t, h.HasRef())
			h.Unref()
			require.False(t, h.HasRef())
		}
	})
	t.Run("UV-008", func(t *testing.T) { // NoWait does not wait
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			fired := 0
			require.NoError(t, newTimer(t, l).Start(20*time.Millisecond, 0, func() { fired++ }))
			start := time.Now()
			require.True(t, run(t, l, uv.RunNoWait))
			if time.Since(start) < 2*time.Millisecond {
				require.Zero(t, fired)
			}
		})
	})
	t.Run("UV-009", func(t *testing.T) { // Once waits for one thing
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			fired := 0
			start := time.Now()
			require.NoError(t, newTimer(t, l).Start(20*time.Millisecond, 0, func() { fired++ }))
			require.False(t, run(t, l, uv.RunOnce))
			require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
			require.Equal(t, 1, fired)
		})
	})
	t.Run("a run inside a run", func(t *testing.T) {
		l := newLoop(t)
		var err error
		require.NoError(t, l.Post(func() { _, err = l.Run(uv.RunNoWait) }))
		run(t, l, uv.RunNoWait)
		require.ErrorIs(t, err, uv.ErrLoopRunning)
		require.NoError(t, l.Post(func() { err = l.Close() }))
		run(t, l, uv.RunNoWait)
		require.ErrorIs(t, err, uv.ErrLoopRunning)
	})
	t.Run("Stop", func(t *testing.T) {
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			go l.Stop()
			require.NoError(t, l.RunForever(context.Background()))
			require.NoError(t, newTimer(t, l).Start(time.Hour, 0, func() {}))
			require.NoError(t, l.Post(l.Stop))
			require.True(t, run(t, l, uv.RunDefault))
			l.Stop()
			require.True(t, run(t, l, uv.RunDefault))
		})
	})
	t.Run("RunForever ends with its context", func(t *testing.T) {
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			ctx, cancel := context.WithCancelCause(context.Background())
			why := errors.New("why")
			require.NoError(t, l.Post(func() { cancel(why) }))
			require.ErrorIs(t, l.RunForever(ctx), why)
		})
	})
	t.Run("a panic loses one callback", func(t *testing.T) {
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			var got []int
			for i := range 4 {
				require.NoError(t, l.Post(func() {
					got = append(got, i)
					if i == 1 {
						panic("one")
					}
				}))
			}
			require.PanicsWithValue(t, "one", func() { l.Poll(uv.Forever) })
			require.NoError(t, l.Poll(uv.Forever))
			require.Equal(t, []int{0, 1, 2, 3}, got)
		})
	})
	t.Run("a panic loses no callback of the same stream", func(t *testing.T) {
		l := newLoop(t)
		s, _ := peerOf(t, l)
		var order []string
		say := func(what string) func(error) {
			return func(error) {
				order = append(order, what)
				panic(what)
			}
		}
		for _, what := range []string{"first", "second"} {
			require.NoError(t, s.Write([]byte(what), say(what)))
		}
		require.NoError(t, s.Flush())
		require.NoError(t, s.Write(make([]byte, 32<<20), say("large")))
		require.NoError(t, s.Write([]byte("x"), say("small")))
		require.NoError(t, s.CloseWrite(say("shutdown")))
		want := []string{"first", "second", "large", "small", "shutdown", "close"}
		for i, what := range want {
			if i == 2 {
				s.CloseWith(func() { say("close")(nil) })
			}
			require.PanicsWithValue(t, what, func() { until(t, l, what, func() bool { return false }) })
		}
		require.Equal(t, want, order)
		run(t, l, uv.RunDefault)
	})
	t.Run("what a callback begins keeps the loop running", func(t *testing.T) {
		l := newLoop(t)
		ln := listen(t, l, func(*uv.TCP, error) {})
		ln.Unref()
		connected, written := false, false
		require.NoError(t, l.Post(func() {
			c := newTCP(t, l)
			require.NoError(t, c.Connect(addrOf(t, ln), func(err error) {
				require.NoError(t, err)
				connected = true
				require.NoError(t, c.Write(make([]byte, 100_000), func(error) { written = true }))
			}))
		}))
		run(t, l, uv.RunDefault)
		require.True(t, connected)
		require.True(t, written)
	})
	t.Run("a busy loop cannot be closed", func(t *testing.T) {
		l := newLoop(t)
		c, timer := newTCP(t, l), newTimer(t, l)
		require.ErrorIs(t, l.Close(), uv.ErrBusy)
		require.ErrorIs(t, l.Close(), syscall.EBUSY)
		timer.Close()
		require.ErrorIs(t, l.Close(), uv.ErrBusy)
		c.Close()
		require.ErrorIs(t, l.Close(), uv.ErrBusy, "closing handles count")
		run(t, l, uv.RunDefault)
		require.NoError(t, l.Close())
	})
	t.Run("Walk", func(t *testing.T) {
		l := newLoop(t)
		made := []uv.Handle{newTimer(t, l), newTCP(t, l), newTimer(t, l)}
		var seen []uv.Handle
		l.Walk(func(h uv.Handle) { seen = append(seen, h); h.Close() })
		require.ElementsMatch(t, made, seen)
		run(t, l, uv.RunDefault)
		for range l.Handles() {
			t.Error("a handle is left")
		}
	})
	t.Run("Now", func(t *testing.T) {
		l := newLoop(t)
		before := l.Now()
		spin(3 * time.Millisecond)
		require.Equal(t, before, l.Now())
		l.UpdateTime()
		require.GreaterOrEqual(t, l.Now()-before, 2*time.Millisecond)
	})
}

// spin keeps the processor for a time.
func spin(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

func TestPost(t *testing.T) {
	t.Run("UV-014", func(t *testing.T) { // from eight goroutines, in the order of each
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			const goroutines, each = 8, 10_000
			var next [goroutines]int
			total := 0
			for g := range goroutines {
				go func() {
					for i := range each {
						assert.NoError(t, l.Post(func() {
							if next[g] != i {
								t.Errorf("goroutine %d: %d came for %d", g, i, next[g])
							}
							next[g]++
							total++
						}))
					}
				}()
			}
			until(t, l, "all posts", func() bool { return total == goroutines*each })
		})
	})
	t.Run("UV-015", func(t *testing.T) { // wakes a loop that has nothing else to wake it
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			came := make(chan struct{}, 1)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range 1000 {
					assert.NoError(t, l.Post(func() { came <- struct{}{} }))
					<-came
				}
				l.Stop()
			}()
			require.NoError(t, l.RunForever(context.Background()))
			<-done
		})
	})
	t.Run("UV-016", func(t *testing.T) { // running for ever with nothing to do costs nothing
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			turns := 0
			prepare, err := l.NewPrepare()
			require.NoError(t, err)
			require.NoError(t, prepare.Start(func() { turns++ }))
			time.AfterFunc(100*time.Millisecond, l.Stop)
			require.NoError(t, l.RunForever(context.Background()))
			require.Less(t, turns, 20, "a loop that does not wait makes thousands")
		})
	})
	t.Run("UV-018", func(t *testing.T) { // two loops post to each other
		eachWait(t, func(t *testing.T, a *uv.Loop) {
			b := newLoop(t)
			const rounds = 50_000
			n := 0
			var there, back func()
			there = func() { assert.NoError(t, a.Post(back)) }
			back = func() {
				if n++; n == rounds {
					a.Stop()
					return
				}
				assert.NoError(t, b.Post(there))
			}
			done := make(chan struct{})
			go func() { defer close(done); b.RunForever(context.Background()) }()
			require.NoError(t, b.Post(there))
			require.NoError(t, a.RunForever(context.Background()))
			b.Stop()
			<-done
			require.Equal(t, rounds, n)
		})
	})
	t.Run("nil", func(t *testing.T) {
		require.ErrorIs(t, newLoop(t).Post(nil), uv.EINVAL)
	})
	t.Run("what a callback posts waits for the next turn", func(t *testing.T) {
		l := newLoop(t)
		turn, at := 0, []int{}
		var f func()
		f = func() {
			if at = append(at, turn); len(at) < 3 {
				l.Post(f)
			}
		}
		l.Post(f)
		for turn = 0; turn < 3; turn++ {
			require.NoError(t, l.Poll(0))
		}
		require.Equal(t, []int{0, 1, 2}, at)
	})
}

func TestGoroutines(t *testing.T) {
	t.Run("UV-019", func(t *testing.T) { // with checks, a call from the wrong goroutine names itself
		l := newLoop(t, uv.WithChecks())
		timer, c := newTimer(t, l), newTCP(t, l)
		calls := map[string]func(){
			"Timer.Start":  func() { timer.Start(0, 0, func() {}) },
			"Stream.Write": func() { c.Write(nil, nil) },
			"Stream.Close": func() { c.Close() },
			"Loop.NewTCP":  func() { l.NewTCP() },
			"Loop.Alive":   func() { l.Alive() },
			"Unref":        func() { c.Unref() },
		}
		require.NoError(t, l.Post(func() {
			for name, f := range calls {
				caught := make(chan any)
				go func() {
					defer func() { caught <- recover() }()
					f()
				}()
				err, _ := (<-caught).(error)
				if assert.ErrorIs(t, err, uv.ErrWrongGoroutine) {
					assert.True(t, strings.HasPrefix(err.Error(), name), "%v for %s", err, name)
				}
			}
			timer.Start(0, 0, func() {}) // and from the right one it is allowed
		}))
		require.NoError(t, l.Poll(0))
	})
	t.Run("UV-021", func(t *testing.T) { // a busy loop lets others run on one processor
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		l := newLoop(t)
		var ticks atomic.Int32
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			ticker := time.NewTicker(10 * time.Millisecond)
			defer ticker.Stop()
			for {
				select {
				case <-ticker.C:
					ticks.Add(1)
				case <-stop:
					return
				}
			}
		})
		idle, err := l.NewIdle()
		require.NoError(t, err)
		require.NoError(t, idle.Start(func() { spin(time.Millisecond) }))
		for start := time.Now(); ticks.Load() < 5; {
			require.Less(t, time.Since(start), patience, "the ticker's goroutine never ran")
			require.NoError(t, l.Poll(0))
		}
		close(stop)
		wg.Wait()
	})
	t.Run("UV-022", func(t *testing.T) { // one goroutine after another runs the loop
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			fired := 0
			for range 100 {
				done := make(chan struct{})
				go func() {
					defer close(done)
					timer, err := l.NewTimer()
					assert.NoError(t, err)
					assert.NoError(t, timer.Start(2*time.Millisecond, 0, func() { fired++; timer.Close() }))
					_, err = l.Run(uv.RunOnce)
					assert.NoError(t, err)
				}()
				<-done
			}
			until(t, l, "all timers", func() bool { return fired == 100 })
		})
	})
}

// A loop inside another poller: its descriptor tells when to run a turn.
func TestEmbedding(t *testing.T) {
	l := newLoop(t)
	fd, err := l.BackendFD()
	require.NoError(t, err)
	require.NoError(t, l.Poll(0))
	require.Equal(t, time.Duration(0), l.BackendTimeout(), "nothing is alive")
	timer := newTimer(t, l)
	require.NoError(t, timer.Start(time.Hour, 0, func() {}))
	require.LessOrEqual(t, l.BackendTimeout(), time.Hour)
	require.Greater(t, l.BackendTimeout(), time.Hour-patience)
	ran := false
	go l.Post(func() { ran = true })
	require.True(t, readable(t, fd, patience))
	require.NoError(t, l.Poll(0))
	require.True(t, ran)
	require.False(t, readable(t, fd, 0))
}

// readable waits until fd is readable, by an epoll of its own.
func readable(t *testing.T, fd int, timeout time.Duration) bool {
	t.Helper()
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	require.NoError(t, err)
	defer syscall.Close(ep)
	require.NoError(t, syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN}))
	var events [1]syscall.EpollEvent
	for {
		n, err := syscall.EpollWait(ep, events[:], int(timeout.Milliseconds()))
		if err != syscall.EINTR {
			require.NoError(t, err)
			return n > 0
		}
	}
}
