// The loop itself: what one turn runs and in which order, stop, close, running again,
// entry from other goroutines, and the exception handler.
package asyncio_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

func TestLoopTurns(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-02", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			counter := countTurns(l)
			l.CallSoon(func() {
				tr.addf("a in %d", counter.n)
				l.CallSoon(func() {
					tr.addf("b in %d", counter.n)
					l.Stop()
				})
			})
			l.CallSoon(func() { tr.addf("c in %d", counter.n) })
			require.NoError(t, l.RunForever())
			tr.equal(t, "a in 1", "c in 1", "b in 2")
		})
		t.Run("LOOP-04", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			h := l.CallSoon(tr.mark("f"))
			require.False(t, h.Cancelled())
			h.Cancel()
			h.Cancel()
			require.True(t, h.Cancelled())
			turns(t, l, 2)
			require.Empty(t, tr.events)
		})
		t.Run("LOOP-05", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			var b *asyncio.Handle
			l.CallSoon(func() { tr.add("a"); b.Cancel() })
			b = l.CallSoon(tr.mark("b"))
			l.CallSoon(tr.mark("c"))
			turns(t, l, 2)
			tr.equal(t, "a", "c")
		})
		t.Run("LOOP-38", func(t *testing.T) {
			l := newLoop(t, opts...)
			const width, levels = 100, 100
			ran, last := 0, 0
			counter := countTurns(l)
			var callback func(level int)
			callback = func(level int) {
				ran++
				last = counter.n
				if level < levels {
					l.CallSoon(func() { callback(level + 1) })
				}
			}
			for range width {
				l.CallSoon(func() { callback(1) })
			}
			turns(t, l, levels-1)
			require.Equal(t, width*(levels-1), ran)
			turns(t, l, 2)
			require.Equal(t, width*levels, ran)
			require.Equal(t, levels, last)
		})
		t.Run("a handle that ran can be cancelled without harm", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			h := l.CallSoon(tr.mark("f"))
			turn(t, l)
			h.Cancel()
			turn(t, l)
			tr.equal(t, "f")
		})
	})
}

func TestLoopStop(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("stop lets the batch finish and keeps what it scheduled", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			l.CallSoon(func() {
				l.Stop()
				l.CallSoon(tr.mark("next run"))
				tr.add("a")
			})
			l.CallSoon(tr.mark("b"))
			require.NoError(t, l.RunForever())
			tr.equal(t, "a", "b")
			turn(t, l)
			tr.equal(t, "a", "b", "next run")
		})
		t.Run("LOOP-06", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			l.CallSoon(func() {
				tr.add("a")
				l.CallSoon(tr.mark("b"))
			})
			l.CallLater(time.Hour, tr.mark("timer"))
			l.Stop()
			require.NoError(t, l.RunForever())
			tr.equal(t, "a")
			l.CallLater(10*time.Millisecond, l.Stop) // the first Stop is used up: only this one ends the run
			took(t, 10*time.Millisecond, 5*time.Second, func() { require.NoError(t, l.RunForever()) })
			tr.equal(t, "a", "b")
		})
		t.Run("stop before the run does not wait when nothing is ready", func(t *testing.T) {
			l := newLoop(t, opts...)
			l.Stop()
			took(t, 0, 5*time.Second, func() { require.NoError(t, l.RunForever()) })
		})
	})
}

// arrivals is a protocol that tells what arrives.
type arrivals struct {
	asyncio.NullProtocol
	made func()
	data func([]byte)
}

func (a *arrivals) ConnectionMade(asyncio.Transport) { a.made() }
func (a *arrivals) DataReceived(b []byte)            { a.data(b) }

// listen serves p on a port of l and dials it. The loop has not run since, so nothing has
// arrived yet.
func listen(t *testing.T, l *asyncio.Loop, p *arrivals) net.Conn {
	t.Helper()
	var srv *asyncio.Server
	inTask(t, l, func(ctx context.Context) {
		var err error
		srv, err = l.CreateServer(ctx, func() asyncio.Protocol { return p }, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
	})
	conn, err := net.Dial("tcp", srv.Addrs()[0].String())
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, conn.Close())
		srv.Close()
	})
	return conn
}

func TestLoopServesIO(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-03", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			conn := listen(t, l, &arrivals{
				made: tr.mark("made"),
				data: func(b []byte) { tr.add(string(b)); l.Stop() },
			})
			_, err := conn.Write([]byte("hello"))
			require.NoError(t, err)
			counter := countTurns(l) // never lets the poll wait
			took(t, 0, 5*time.Second, func() { require.NoError(t, l.RunForever()) })
			tr.equal(t, "made", "hello")
			counter.stop()
		})
		t.Run("LOOP-06 with a connection", func(t *testing.T) {
			l := newLoop(t, opts...)
			made := false
			listen(t, l, &arrivals{made: func() { made = true }})
			for deadline := time.Now().Add(5 * time.Second); !made; {
				require.True(t, time.Now().Before(deadline), "a turn that does not wait never sees the connection")
				l.Stop()
				require.NoError(t, l.RunForever())
			}
		})
	})
}

func TestLoopStopEarly(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-08", func(t *testing.T) {
			l := newLoop(t, opts...)
			f := asyncio.NewFuture[int](l)
			l.CallSoon(l.Stop)
			_, err := asyncio.RunUntilComplete(l, f)
			require.ErrorIs(t, err, asyncio.ErrLoopStopped)
			errorSays(t, err, "event loop stopped before Future completed")
			require.False(t, f.Done())
		})
		t.Run("LOOP-08 leaves no callback behind", func(t *testing.T) {
			l := newLoop(t, opts...)
			f := asyncio.NewFuture[int](l)
			l.CallSoon(l.Stop)
			_, err := asyncio.RunUntilComplete(l, f)
			require.ErrorIs(t, err, asyncio.ErrLoopStopped)
			l.CallLater(5*time.Millisecond, func() { require.NoError(t, f.SetResult(1)) })
			inTask(t, l, func(ctx context.Context) { require.NoError(t, asyncio.Sleep(ctx, 50*time.Millisecond)) })
		})
		t.Run("LOOP-09", func(t *testing.T) {
			l := newLoop(t, opts...)
			first := asyncio.NewFuture[int](l)
			l.CallSoon(runtime.Goexit)
			unwinds(t, func() { _, _ = asyncio.RunUntilComplete(l, first) })
			require.False(t, l.IsRunning())
			// Were the callback of the first run still there, the end of first would stop
			// the second run.
			l.CallLater(20*time.Millisecond, func() { require.NoError(t, first.SetResult(1)) })
			took(t, 200*time.Millisecond, 5*time.Second, func() {
				inTask(t, l, func(ctx context.Context) {
					require.NoError(t, asyncio.Sleep(ctx, 200*time.Millisecond))
				})
			})
			require.True(t, first.Done())
		})
		t.Run("LOOP-18", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			handler := recordErrors(l)
			l.CallSoon(runtime.Goexit)
			l.CallSoon(tr.mark("later"))
			unwinds(t, func() { _ = l.RunForever() })
			require.False(t, l.IsClosed())
			require.False(t, l.IsRunning())
			handler.none(t)
			turn(t, l)
			tr.equal(t, "later")
		})
	})
}

func TestLoopRunning(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("IsRunning", func(t *testing.T) {
			l := newLoop(t, opts...)
			var running bool
			require.False(t, l.IsRunning())
			l.CallSoon(func() { running = l.IsRunning() })
			turn(t, l)
			require.True(t, running)
			require.False(t, l.IsRunning())
		})
		t.Run("a loop that runs cannot run again", func(t *testing.T) {
			l := newLoop(t, opts...)
			var forever, complete error
			l.CallSoon(func() {
				forever = l.RunForever()
				_, complete = asyncio.RunUntilComplete(l, asyncio.NewFuture[int](l))
			})
			turn(t, l)
			require.ErrorIs(t, forever, asyncio.ErrLoopRunning)
			require.ErrorIs(t, complete, asyncio.ErrLoopRunning)
		})
		t.Run("LOOP-13", func(t *testing.T) {
			a, b := newLoop(t, opts...), newLoop(t, opts...)
			b.CallSoon(b.Stop) // ends the inner run, should it wrongly begin
			var inner error
			var tr trace
			a.CallSoon(func() { inner = b.RunForever() })
			turn(t, a)
			require.ErrorIs(t, inner, asyncio.ErrLoopRunning)
			errorSays(t, inner, "another loop")
			a.CallSoon(tr.mark("a works"))
			turn(t, a)
			tr.equal(t, "a works")
		})
		t.Run("LOOP-13 in a task", func(t *testing.T) {
			a, b := newLoop(t, opts...), newLoop(t, opts...)
			b.CallSoon(b.Stop)
			inTask(t, a, func(ctx context.Context) {
				require.ErrorIs(t, b.RunForever(), asyncio.ErrLoopRunning)
				yield(t, ctx, 1)
			})
		})
		t.Run("two loops run on two goroutines", func(t *testing.T) {
			a, b := newLoop(t, opts...), newLoop(t, opts...)
			var err error
			a.CallSoon(func() {
				onGoroutine(func() {
					b.CallSoon(b.Stop)
					err = b.RunForever()
				})
			})
			turn(t, a)
			require.NoError(t, err)
		})
	})
}

func TestLoopRunUntilComplete(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("RunUntilComplete returns what the awaitable returns", func(t *testing.T) {
			l := newLoop(t, opts...)
			f := asyncio.NewFuture[int](l)
			l.CallSoon(func() { require.NoError(t, f.SetResult(5)) })
			for range 2 { // the second time it is done already
				v, err := asyncio.RunUntilComplete(l, f)
				require.NoError(t, err)
				require.Equal(t, 5, v)
			}
			_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(context.Context) error { return errBoom }))
			require.Same(t, errBoom, err)
		})
		t.Run("LOOP-10", func(t *testing.T) {
			l := newLoop(t, opts...)
			for name, nothing := range map[string]asyncio.Awaitable[int]{"nil": nil, "nil coroutine": asyncio.Coro[int](nil)} {
				err := panicError(t, func() { _, _ = asyncio.RunUntilComplete(l, nothing) })
				errorSays(t, err, "nil")
				require.False(t, l.IsRunning(), name)
			}
			turn(t, l)
		})
		t.Run("RunUntilComplete refuses a future of another loop", func(t *testing.T) {
			a, b := newLoop(t, opts...), newLoop(t, opts...)
			_, err := asyncio.RunUntilComplete(a, asyncio.NewFuture[int](b))
			require.ErrorIs(t, err, asyncio.ErrWrongLoop)
			turn(t, a)
		})
	})
}

func TestLoopLookup(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("GetRunningLoop", func(t *testing.T) {
			l := newLoop(t, opts...)
			_, err := asyncio.GetRunningLoop(context.Background())
			require.ErrorIs(t, err, asyncio.ErrNoRunningLoop)
			_, err = asyncio.GetRunningLoop(l.Context())
			require.ErrorIs(t, err, asyncio.ErrNoRunningLoop, "the loop does not run yet")
			var inCallback, inTask *asyncio.Loop
			l.CallSoon(func() { inCallback, _ = asyncio.GetRunningLoop(l.Context()) })
			run(t, l, asyncio.Do(func(ctx context.Context) (err error) {
				inTask, err = asyncio.GetRunningLoop(context.WithValue(ctx, ctxKey("v"), 1))
				return err
			}))
			require.Same(t, l, inCallback)
			require.Same(t, l, inTask)
		})
		t.Run("GetEventLoop", func(t *testing.T) {
			l, other := newLoop(t, opts...), newLoop(t, opts...)
			_, err := asyncio.GetEventLoop(context.Background())
			require.ErrorIs(t, err, asyncio.ErrNoRunningLoop)
			got, err := asyncio.GetEventLoop(asyncio.WithEventLoop(context.Background(), l))
			require.NoError(t, err)
			require.Same(t, l, got)
			inTask(t, l, func(ctx context.Context) {
				got, err := asyncio.GetEventLoop(asyncio.WithEventLoop(ctx, other))
				require.NoError(t, err)
				require.Same(t, l, got, "the running loop comes first")
			})
		})
	})
}

func TestLoopClose(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-14", func(t *testing.T) {
			l := newLoop(t, opts...)
			var err error
			l.CallSoon(func() { err = l.Close() })
			turn(t, l)
			require.ErrorIs(t, err, asyncio.ErrLoopRunning)
			errorSays(t, err, "cannot close a running event loop")
			require.False(t, l.IsClosed())
			turn(t, l)
		})
		t.Run("close is idempotent", func(t *testing.T) {
			l := newLoop(t, opts...)
			require.False(t, l.IsClosed())
			require.NoError(t, l.Close())
			require.True(t, l.IsClosed())
			require.NoError(t, l.Close())
			require.False(t, l.IsRunning())
		})
		t.Run("LOOP-16", func(t *testing.T) {
			l := newLoop(t, opts...)
			f := asyncio.NewFuture[int](l)
			require.NoError(t, l.Close())
			nothing := func() {}
			_, complete := asyncio.RunUntilComplete(l, f)
			_, body := asyncio.RunUntilComplete(l, asyncio.Do(func(context.Context) error { return nil }))
			_, threadsafe := l.CallSoonThreadsafe(nothing)
			for _, err := range []error{l.RunForever(), complete, body, threadsafe} {
				require.ErrorIs(t, err, asyncio.ErrLoopClosed)
				errorSays(t, err, "closed")
			}
			panicsWith(t, asyncio.ErrLoopClosed, func() { l.CallSoon(nothing) })
			panicsWith(t, asyncio.ErrLoopClosed, func() { l.CallLater(time.Second, nothing) })
			panicsWith(t, asyncio.ErrLoopClosed, func() { l.CallAt(l.Time(), nothing) })
		})
	})
}

func TestLoopClosePending(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-17", func(t *testing.T) {
			l := newLoop(t, opts...)
			var ran atomic.Int32
			count := func() { ran.Add(1) }
			l.CallSoon(count)
			l.CallLater(10*time.Millisecond, count)
			asyncio.CreateTask(l.Context(), asyncio.Do(func(context.Context) error { count(); return nil }))
			_, err := l.CallSoonThreadsafe(count)
			require.NoError(t, err)
			require.NoError(t, l.Close())
			<-time.After(50 * time.Millisecond)
			require.Zero(t, ran.Load())
		})
		t.Run("close ends the tasks that are suspended", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				defer tr.mark("deferred")()
				tr.add("started")
				for range 2 { // the second one is a clean-up that awaits
					tr.addf("closed %v", errors.Is(asyncio.Sleep(ctx, time.Hour), asyncio.ErrLoopClosed))
				}
				return nil
			}))
			turn(t, l)
			tr.equal(t, "started")
			require.NoError(t, l.Close())
			tr.equal(t, "started", "closed true", "closed true", "deferred")
		})
		t.Run("LOOP-35", func(t *testing.T) {
			l := newLoop(t, opts...)
			ctx := l.Context()
			require.NoError(t, l.Close())
			panicsWith(t, asyncio.ErrLoopClosed, func() {
				asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error {
					t.Error("the body ran")
					return nil
				}))
			})
		})
	})
}

func TestLoopThreads(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-27", func(t *testing.T) {
			l := newLoop(t, opts...)
			var called, ran time.Time
			timer := time.AfterFunc(50*time.Millisecond, func() {
				called = time.Now()
				_, _ = l.CallSoonThreadsafe(func() { ran = time.Now(); l.Stop() })
			})
			defer timer.Stop()
			require.NoError(t, l.RunForever())
			require.LessOrEqual(t, ran.Sub(called), 500*time.Millisecond)
		})
		t.Run("LOOP-29", func(t *testing.T) {
			l := newLoop(t, opts...)
			const busy, before = 100 * time.Millisecond, 20 * time.Millisecond
			started := make(chan *asyncio.Handle, 1)
			var finished atomic.Bool
			var h *asyncio.Handle
			h, err := l.CallSoonThreadsafe(func() {
				started <- h
				time.Sleep(busy) // the callback that blocks is the case
				finished.Store(true)
			})
			require.NoError(t, err)
			var sawFinish bool
			var blocked time.Duration
			done := make(chan struct{})
			go func() {
				defer close(done)
				h := <-started
				<-time.After(before)
				start := time.Now()
				h.Cancel()
				blocked, sawFinish = time.Since(start), finished.Load()
			}()
			turn(t, l)
			<-done
			require.True(t, sawFinish, "Cancel returned while the callback ran")
			require.True(t, h.Cancelled(), "Cancel was called, if too late")
			require.Greater(t, blocked, busy/4)
		})
		t.Run("LOOP-30", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			h, err := l.CallSoonThreadsafe(tr.mark("f"))
			require.NoError(t, err)
			onGoroutine(func() { h.Cancel() })
			require.True(t, h.Cancelled())
			turns(t, l, 2)
			require.Empty(t, tr.events)
		})
	})
}

func TestLoopThreadsMany(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a callback may cancel its own handle", func(t *testing.T) {
			l := newLoop(t, opts...)
			var h *asyncio.Handle
			h, err := l.CallSoonThreadsafe(func() { h.Cancel() })
			require.NoError(t, err)
			turns(t, l, 2)
		})
		t.Run("every call from every goroutine runs once and in order", func(t *testing.T) {
			l := newLoop(t, opts...)
			const goroutines, calls = 8, 500
			var got [goroutines][]int
			left := goroutines * calls
			var wg sync.WaitGroup
			for g := range goroutines {
				wg.Go(func() {
					for i := range calls {
						_, err := l.CallSoonThreadsafe(func() {
							got[g] = append(got[g], i)
							if left--; left == 0 {
								l.Stop()
							}
						})
						if err != nil {
							t.Errorf("CallSoonThreadsafe: %v", err)
						}
					}
				})
			}
			require.NoError(t, l.RunForever())
			wg.Wait()
			turn(t, l)
			for g := range goroutines {
				require.Len(t, got[g], calls)
				require.IsIncreasing(t, got[g])
			}
		})
	})
}

func TestLoopTime(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-31", func(t *testing.T) {
			l := newLoop(t, opts...)
			var before, after time.Duration
			l.CallSoon(func() {
				before = l.Time()
				time.Sleep(50 * time.Millisecond) // the callback that blocks is the case
				after = l.Time()
			})
			turn(t, l)
			require.GreaterOrEqual(t, after-before, 49*time.Millisecond)
			require.LessOrEqual(t, after-before, 600*time.Millisecond)
		})
		t.Run("time never goes back", func(t *testing.T) {
			l := newLoop(t, opts...)
			last := l.Time()
			for range 1000 {
				now := l.Time()
				require.GreaterOrEqual(t, now, last)
				last = now
			}
		})
	})
}

func TestLoopMisuse(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-25", func(t *testing.T) {
			l := newLoop(t, opts...)
			nothing := func() {}
			calls := []func(){
				func() { l.CallSoon(nothing) },
				func() { l.CallLater(time.Millisecond, nothing) },
				func() { l.CallAt(0, nothing) },
			}
			attempt := func() (panics []any) {
				l.CallSoon(func() {
					onGoroutine(func() {
						for _, call := range calls {
							panics = append(panics, recovered(call))
						}
					})
				})
				turn(t, l)
				return panics
			}
			l.SetDebug(true)
			for _, v := range attempt() {
				err, ok := v.(error)
				require.True(t, ok, "it panicked with %v", v)
				errorSays(t, err, "non-thread-safe operation")
			}
			l.SetDebug(false)
			require.Equal(t, []any{nil, nil, nil}, attempt())
		})
		t.Run("LOOP-26", func(t *testing.T) {
			for _, debug := range []bool{false, true} {
				l := newLoop(t, opts...)
				l.SetDebug(debug)
				for _, call := range []func(){
					func() { l.CallSoon(nil) },
					func() { l.CallLater(0, nil) },
					func() { l.CallAt(0, nil) },
					func() { _, _ = l.CallSoonThreadsafe(nil) },
				} {
					errorSays(t, panicError(t, call), "nil")
				}
				turn(t, l)
			}
		})
		t.Run("debug mode comes from option and environment", func(t *testing.T) {
			t.Setenv("ASYNCIO_DEBUG", "")
			require.False(t, newLoop(t, opts...).Debug())
			t.Setenv("ASYNCIO_DEBUG", "1")
			require.True(t, newLoop(t, opts...).Debug())
			l := newLoop(t, append(opts, asyncio.WithDebug(false))...)
			require.False(t, l.Debug())
			l.SetDebug(true)
			require.True(t, l.Debug())
		})
	})
}

// scheduleFailing is a function with a name of its own, to be found in a source
// traceback.
//
//go:noinline
func scheduleFailing(l *asyncio.Loop, opts ...asyncio.CallOption) *asyncio.Handle {
	return l.CallSoon(func() { panic(errBoom) }, opts...)
}

func TestLoopExceptionHandler(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a panic of a callback goes to the handler", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			handler := recordErrors(l)
			h := scheduleFailing(l)
			l.CallSoon(tr.mark("same turn"))
			turn(t, l)
			tr.equal(t, "same turn")
			c := handler.one(t)
			require.Contains(t, strings.ToLower(c.Message), "exception in callback")
			require.Equal(t, h, c.Handle)
			var panicked *asyncio.PanicError
			require.ErrorAs(t, c.Exception, &panicked)
			require.Equal(t, errBoom, panicked.Value)
			require.Contains(t, string(panicked.Stack), "scheduleFailing")
		})
		t.Run("LOOP-20", func(t *testing.T) {
			l := newLoop(t, opts...)
			handler := recordErrors(l)
			l.SetDebug(false)
			scheduleFailing(l)
			turn(t, l)
			l.SetDebug(true)
			scheduleFailing(l)
			turn(t, l)
			require.Len(t, handler.got, 2)
			require.Empty(t, handler.got[0].SourceTraceback)
			first, _, _ := strings.Cut(handler.got[1].SourceTraceback, "\n")
			require.Contains(t, first, "scheduleFailing", "the newest frame is where it was scheduled")
		})
		t.Run("LOOP-22", func(t *testing.T) {
			logged, logger := recordLog()
			logged.fail = func(string) {
				logged.fail = nil
				panic("the logger fails once")
			}
			l := newLoop(t, append(opts, logger)...)
			var tr trace
			scheduleFailing(l)
			l.CallSoon(tr.mark("same turn"))
			turn(t, l)
			turn(t, l)
			tr.equal(t, "same turn")
			require.Len(t, logged.matching("exception in default exception handler"), 1)
		})
		t.Run("LOOP-23", func(t *testing.T) {
			logged, logger := recordLog()
			l := newLoop(t, append(opts, logger)...)
			handler := recordErrors(l)
			scheduleFailing(l)
			turn(t, l)
			handler.one(t)
			require.Empty(t, logged.lines)
			l.SetExceptionHandler(nil)
			scheduleFailing(l)
			turn(t, l)
			handler.one(t)
			require.Len(t, logged.matching("boom"), 1)
		})
		t.Run("LOOP-24", func(t *testing.T) {
			l := newLoop(t, opts...)
			handler := recordErrors(l)
			scheduleFailing(l, asyncio.InContext(context.WithValue(l.Context(), ctxKey("v"), 7)))
			turn(t, l)
			require.Equal(t, 7, handler.one(t).Context.Value(ctxKey("v")))
		})
	})
}

func TestLoopExceptionHandlerFails(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a handler that fails is replaced by the default one", func(t *testing.T) {
			logged, logger := recordLog()
			l := newLoop(t, append(opts, logger)...)
			var tr trace
			l.SetExceptionHandler(func(*asyncio.Loop, asyncio.ErrorContext) { panic("handler fails") })
			scheduleFailing(l)
			l.CallSoon(tr.mark("same turn"))
			turn(t, l)
			turn(t, l)
			tr.equal(t, "same turn")
			lines := logged.matching("unhandled error in exception handler")
			require.Len(t, lines, 1)
			require.Contains(t, lines[0], "handler fails")
			require.Contains(t, lines[0], "boom", "the first failure is not lost")
		})
		t.Run("Goexit passes through the handler", func(t *testing.T) {
			l := newLoop(t, opts...)
			l.SetExceptionHandler(func(*asyncio.Loop, asyncio.ErrorContext) { runtime.Goexit() })
			scheduleFailing(l)
			unwinds(t, func() { _ = l.RunForever() })
			l.SetExceptionHandler(nil)
			turn(t, l)
		})
		t.Run("CallExceptionHandler", func(t *testing.T) {
			logged, logger := recordLog()
			l := newLoop(t, append(opts, logger)...)
			handler := recordErrors(l)
			l.CallExceptionHandler(asyncio.ErrorContext{Message: "told", Exception: errBoom})
			require.Equal(t, asyncio.ErrorContext{Message: "told", Exception: errBoom}, handler.one(t))
			require.Empty(t, logged.lines)
			l.DefaultExceptionHandler(asyncio.ErrorContext{Message: "told", Exception: errBoom})
			require.Len(t, logged.matching("told"), 1)
			require.True(t, errors.Is(handler.one(t).Exception, errBoom))
		})
	})
}
