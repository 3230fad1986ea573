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
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestLoopTurns(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-02", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			counter := asynciotest.CountTurns(l)
			l.CallSoon(func() {
				tr.Addf("a in %d", counter.N())
				l.CallSoon(func() {
					tr.Addf("b in %d", counter.N())
					l.Stop()
				})
			})
			l.CallSoon(func() { tr.Addf("c in %d", counter.N()) })
			require.NoError(t, l.RunForever())
			tr.Equal(t, "a in 1", "c in 1", "b in 2")
		})
		t.Run("LOOP-04", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			h := l.CallSoon(tr.Mark("f"))
			require.False(t, h.Cancelled())
			h.Cancel()
			h.Cancel()
			require.True(t, h.Cancelled())
			asynciotest.Turns(t, l, 2)
			require.Empty(t, tr.Events())
		})
		t.Run("LOOP-05", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			var b *asyncio.Handle
			l.CallSoon(func() { tr.Add("a"); b.Cancel() })
			b = l.CallSoon(tr.Mark("b"))
			l.CallSoon(tr.Mark("c"))
			asynciotest.Turns(t, l, 2)
			tr.Equal(t, "a", "c")
		})
		t.Run("LOOP-38", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			const width, levels = 100, 100
			ran, last := 0, 0
			counter := asynciotest.CountTurns(l)
			var callback func(level int)
			callback = func(level int) {
				ran++
				last = counter.N()
				if level < levels {
					l.CallSoon(func() { callback(level + 1) })
				}
			}
			for range width {
				l.CallSoon(func() { callback(1) })
			}
			asynciotest.Turns(t, l, levels-1)
			require.Equal(t, width*(levels-1), ran)
			asynciotest.Turns(t, l, 2)
			require.Equal(t, width*levels, ran)
			require.Equal(t, levels, last)
		})
		t.Run("a handle that ran can be cancelled without harm", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			h := l.CallSoon(tr.Mark("f"))
			asynciotest.Turn(t, l)
			h.Cancel()
			asynciotest.Turn(t, l)
			tr.Equal(t, "f")
		})
	})
}

func TestLoopStop(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("stop lets the batch finish and keeps what it scheduled", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			l.CallSoon(func() {
				l.Stop()
				l.CallSoon(tr.Mark("next run"))
				tr.Add("a")
			})
			l.CallSoon(tr.Mark("b"))
			require.NoError(t, l.RunForever())
			tr.Equal(t, "a", "b")
			asynciotest.Turn(t, l)
			tr.Equal(t, "a", "b", "next run")
		})
		t.Run("LOOP-06", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			l.CallSoon(func() {
				tr.Add("a")
				l.CallSoon(tr.Mark("b"))
			})
			l.CallLater(time.Hour, tr.Mark("timer"))
			l.Stop()
			require.NoError(t, l.RunForever())
			tr.Equal(t, "a")
			l.CallLater(10*time.Millisecond, l.Stop) // the first Stop is used up: only this one ends the run
			testkit.Took(t, 10*time.Millisecond, func() { require.NoError(t, l.RunForever()) })
			tr.Equal(t, "a", "b")
		})
		t.Run("stop before the run does not wait when nothing is ready", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			l.Stop()
			require.NoError(t, l.RunForever())
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
	asynciotest.InTask(t, l, func(ctx context.Context) {
		var err error
		srv, err = l.CreateServer(ctx, func() asyncio.Protocol { return p }, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
	})
	conn, err := net.Dial("tcp", srv.Addrs()[0].String())
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, conn.Close())
		srv.Close()
		srv.AbortClients()
	})
	return conn
}

func TestLoopServesIO(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-03", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			conn := listen(t, l, &arrivals{
				made: tr.Mark("made"),
				data: func(b []byte) { tr.Add(string(b)); l.Stop() },
			})
			_, err := conn.Write([]byte("hello"))
			require.NoError(t, err)
			counter := asynciotest.CountTurns(l) // never lets the poll wait
			require.NoError(t, l.RunForever())
			tr.Equal(t, "made", "hello")
			counter.Stop()
		})
		t.Run("LOOP-06 with a connection", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			made := false
			listen(t, l, &arrivals{made: func() { made = true }})
			for deadline := time.Now().Add(asynciotest.HangLimit); !made; {
				require.True(t, time.Now().Before(deadline), "a turn that does not wait never sees the connection")
				l.Stop()
				require.NoError(t, l.RunForever())
			}
		})
	})
}

func TestLoopStopEarly(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-08", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			l.CallSoon(l.Stop)
			_, err := asyncio.RunUntilComplete(l, f)
			require.ErrorIs(t, err, asyncio.ErrLoopStopped)
			testkit.ErrorSays(t, err, "event loop stopped before Future completed")
			require.False(t, f.Done())
		})
		t.Run("LOOP-08 leaves no callback behind", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			l.CallSoon(l.Stop)
			_, err := asyncio.RunUntilComplete(l, f)
			require.ErrorIs(t, err, asyncio.ErrLoopStopped)
			l.CallLater(5*time.Millisecond, func() { require.NoError(t, f.SetResult(1)) })
			asynciotest.InTask(t, l, func(ctx context.Context) { require.NoError(t, asyncio.Sleep(ctx, 50*time.Millisecond)) })
		})
		t.Run("LOOP-09", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			first := asyncio.NewFuture[int](l)
			l.CallSoon(runtime.Goexit)
			testkit.Unwinds(t, func() { _, _ = asyncio.RunUntilComplete(l, first) })
			require.False(t, l.IsRunning())
			// Were the callback of the first run still there, the end of first would stop
			// the second run.
			l.CallLater(20*time.Millisecond, func() { require.NoError(t, first.SetResult(1)) })
			testkit.Took(t, 200*time.Millisecond, func() {
				asynciotest.InTask(t, l, func(ctx context.Context) {
					require.NoError(t, asyncio.Sleep(ctx, 200*time.Millisecond))
				})
			})
			require.True(t, first.Done())
		})
		t.Run("LOOP-18", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			handler := asynciotest.RecordReports(l)
			l.CallSoon(runtime.Goexit)
			l.CallSoon(tr.Mark("later"))
			testkit.Unwinds(t, func() { _ = l.RunForever() })
			require.False(t, l.IsClosed())
			require.False(t, l.IsRunning())
			handler.None(t)
			asynciotest.Turn(t, l)
			tr.Equal(t, "later")
		})
	})
}

func TestLoopRunning(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("IsRunning", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var running bool
			require.False(t, l.IsRunning())
			l.CallSoon(func() { running = l.IsRunning() })
			asynciotest.Turn(t, l)
			require.True(t, running)
			require.False(t, l.IsRunning())
		})
		t.Run("a loop that runs cannot run again", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var forever, complete error
			l.CallSoon(func() {
				forever = l.RunForever()
				_, complete = asyncio.RunUntilComplete(l, asyncio.NewFuture[int](l))
			})
			asynciotest.Turn(t, l)
			require.ErrorIs(t, forever, asyncio.ErrLoopRunning)
			require.ErrorIs(t, complete, asyncio.ErrLoopRunning)
		})
		t.Run("LOOP-13", func(t *testing.T) {
			a, b := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			b.CallSoon(b.Stop) // ends the inner run, should it wrongly begin
			var inner error
			var tr asynciotest.Trace
			a.CallSoon(func() { inner = b.RunForever() })
			asynciotest.Turn(t, a)
			require.ErrorIs(t, inner, asyncio.ErrLoopRunning)
			testkit.ErrorSays(t, inner, "another loop")
			a.CallSoon(tr.Mark("a works"))
			asynciotest.Turn(t, a)
			tr.Equal(t, "a works")
		})
		t.Run("LOOP-13 in a task", func(t *testing.T) {
			a, b := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			b.CallSoon(b.Stop)
			asynciotest.InTask(t, a, func(ctx context.Context) {
				require.ErrorIs(t, b.RunForever(), asyncio.ErrLoopRunning)
				asynciotest.Yield(t, ctx, 1)
			})
		})
		t.Run("two loops run on two goroutines", func(t *testing.T) {
			a, b := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			var err error
			a.CallSoon(func() {
				testkit.OnGoroutine(func() {
					b.CallSoon(b.Stop)
					err = b.RunForever()
				})
			})
			asynciotest.Turn(t, a)
			require.NoError(t, err)
		})
	})
}

func TestLoopRunUntilComplete(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("RunUntilComplete returns what the awaitable returns", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			l.CallSoon(func() { require.NoError(t, f.SetResult(5)) })
			for range 2 { // the second time it is done already
				v, err := asyncio.RunUntilComplete(l, f)
				require.NoError(t, err)
				require.Equal(t, 5, v)
			}
			_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(context.Context) error { return testkit.ErrBoom }))
			require.Same(t, testkit.ErrBoom, err)
		})
		t.Run("LOOP-10", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			for name, nothing := range map[string]asyncio.Awaitable[int]{"nil": nil, "nil coroutine": asyncio.Coro[int](nil)} {
				err := testkit.PanicError(t, func() { _, _ = asyncio.RunUntilComplete(l, nothing) })
				testkit.ErrorSays(t, err, "nil")
				require.False(t, l.IsRunning(), name)
			}
			asynciotest.Turn(t, l)
		})
		t.Run("RunUntilComplete refuses a future of another loop", func(t *testing.T) {
			a, b := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			_, err := asyncio.RunUntilComplete(a, asyncio.NewFuture[int](b))
			require.ErrorIs(t, err, asyncio.ErrWrongLoop)
			asynciotest.Turn(t, a)
		})
	})
}

func TestLoopLookup(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("GetRunningLoop", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			_, err := asyncio.GetRunningLoop(context.Background())
			require.ErrorIs(t, err, asyncio.ErrNoRunningLoop)
			_, err = asyncio.GetRunningLoop(l.Context())
			require.ErrorIs(t, err, asyncio.ErrNoRunningLoop, "the loop does not run yet")
			var inCallback, inTask *asyncio.Loop
			l.CallSoon(func() { inCallback, _ = asyncio.GetRunningLoop(l.Context()) })
			testkit.Result(t, l, asyncio.Do(func(ctx context.Context) (err error) {
				inTask, err = asyncio.GetRunningLoop(context.WithValue(ctx, testkit.CtxKey("v"), 1))
				return err
			}))
			require.Same(t, l, inCallback)
			require.Same(t, l, inTask)
		})
		t.Run("GetEventLoop", func(t *testing.T) {
			l, other := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			_, err := asyncio.GetEventLoop(context.Background())
			require.ErrorIs(t, err, asyncio.ErrNoRunningLoop)
			got, err := asyncio.GetEventLoop(asyncio.WithEventLoop(context.Background(), l))
			require.NoError(t, err)
			require.Same(t, l, got)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				got, err := asyncio.GetEventLoop(asyncio.WithEventLoop(ctx, other))
				require.NoError(t, err)
				require.Same(t, l, got, "the running loop comes first")
			})
		})
	})
}

func TestLoopClose(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-14", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var err error
			l.CallSoon(func() { err = l.Close() })
			asynciotest.Turn(t, l)
			require.ErrorIs(t, err, asyncio.ErrLoopRunning)
			testkit.ErrorSays(t, err, "cannot close a running event loop")
			require.False(t, l.IsClosed())
			asynciotest.Turn(t, l)
		})
		t.Run("close is idempotent", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			require.False(t, l.IsClosed())
			require.NoError(t, l.Close())
			require.True(t, l.IsClosed())
			require.NoError(t, l.Close())
			require.False(t, l.IsRunning())
		})
		t.Run("LOOP-16", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			require.NoError(t, l.Close())
			nothing := func() {}
			_, complete := asyncio.RunUntilComplete(l, f)
			_, body := asyncio.RunUntilComplete(l, asyncio.Do(func(context.Context) error { return nil }))
			_, threadsafe := l.CallSoonThreadsafe(nothing)
			for _, err := range []error{l.RunForever(), complete, body, threadsafe} {
				require.ErrorIs(t, err, asyncio.ErrLoopClosed)
				testkit.ErrorSays(t, err, "closed")
			}
			testkit.PanicsWith(t, asyncio.ErrLoopClosed, func() { l.CallSoon(nothing) })
			testkit.PanicsWith(t, asyncio.ErrLoopClosed, func() { l.CallLater(time.Second, nothing) })
			testkit.PanicsWith(t, asyncio.ErrLoopClosed, func() { l.CallAt(l.Time(), nothing) })
			work := func() (int, error) { t.Error("it ran"); return 0, nil }
			testkit.PanicsWith(t, asyncio.ErrLoopClosed, func() { asyncio.RunInExecutor(l.Context(), nil, work) })
		})
	})
}

func TestLoopClosePending(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-17", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
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
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				defer tr.Mark("deferred")()
				tr.Add("started")
				for range 2 { // the second one is a clean-up that awaits
					tr.Addf("closed %v", errors.Is(asyncio.Sleep(ctx, time.Hour), asyncio.ErrLoopClosed))
				}
				return nil
			}))
			asynciotest.Turn(t, l)
			tr.Equal(t, "started")
			require.NoError(t, l.Close())
			tr.Equal(t, "started", "closed true", "closed true", "deferred")
		})
		t.Run("LOOP-35", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			ctx := l.Context()
			require.NoError(t, l.Close())
			testkit.PanicsWith(t, asyncio.ErrLoopClosed, func() {
				asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error {
					t.Error("the body ran")
					return nil
				}))
			})
		})
	})
}

func TestLoopThreads(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-27", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			timer := time.AfterFunc(50*time.Millisecond, func() {
				_, _ = l.CallSoonThreadsafe(l.Stop)
			})
			defer timer.Stop()
			require.NoError(t, l.RunForever(), "nothing else ends the wait")
		})
		t.Run("LOOP-29", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			started, cancelling := make(chan *asyncio.Handle, 1), make(chan struct{})
			var finished atomic.Bool
			var h *asyncio.Handle
			h, err := l.CallSoonThreadsafe(func() {
				started <- h
				<-cancelling
				time.Sleep(50 * time.Millisecond) // the callback that blocks is the case
				finished.Store(true)
			})
			require.NoError(t, err)
			var sawFinish bool
			done := make(chan struct{})
			go func() {
				defer close(done)
				h := <-started
				close(cancelling)
				h.Cancel()
				sawFinish = finished.Load()
			}()
			asynciotest.Turn(t, l)
			<-done
			require.True(t, sawFinish, "Cancel returned while the callback ran")
			require.True(t, h.Cancelled(), "Cancel was called, if too late")
		})
		t.Run("LOOP-30", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			h, err := l.CallSoonThreadsafe(tr.Mark("f"))
			require.NoError(t, err)
			testkit.OnGoroutine(func() { h.Cancel() })
			require.True(t, h.Cancelled())
			asynciotest.Turns(t, l, 2)
			require.Empty(t, tr.Events())
		})
	})
}

func TestLoopThreadsMany(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a callback may cancel its own handle", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var h *asyncio.Handle
			h, err := l.CallSoonThreadsafe(func() { h.Cancel() })
			require.NoError(t, err)
			asynciotest.Turns(t, l, 2)
		})
		t.Run("every call from every goroutine runs once and in order", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
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
			asynciotest.Turn(t, l)
			for g := range goroutines {
				require.Len(t, got[g], calls)
				require.IsIncreasing(t, got[g])
			}
		})
	})
}

func TestLoopTime(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-31", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var before, after, elapsed time.Duration
			l.CallSoon(func() {
				start := time.Now()
				before = l.Time()
				time.Sleep(50 * time.Millisecond) // the callback that blocks is the case
				after = l.Time()
				elapsed = time.Since(start)
			})
			asynciotest.Turn(t, l)
			require.GreaterOrEqual(t, after-before, 49*time.Millisecond)
			require.LessOrEqual(t, after-before, elapsed+time.Millisecond, "it counts what passes and no more")
		})
		t.Run("time never goes back", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
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
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LOOP-25", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			nothing := func() {}
			calls := []func(){
				func() { l.CallSoon(nothing) },
				func() { l.CallLater(time.Millisecond, nothing) },
				func() { l.CallAt(0, nothing) },
			}
			attempt := func() (panics []any) {
				l.CallSoon(func() {
					testkit.OnGoroutine(func() {
						for _, call := range calls {
							panics = append(panics, testkit.Recovered(call))
						}
					})
				})
				asynciotest.Turn(t, l)
				return panics
			}
			l.SetDebug(true)
			for _, v := range attempt() {
				err, ok := v.(error)
				require.True(t, ok, "it panicked with %v", v)
				testkit.ErrorSays(t, err, "non-thread-safe operation")
			}
			l.SetDebug(false)
			require.Equal(t, []any{nil, nil, nil}, attempt())
		})
		t.Run("LOOP-26", func(t *testing.T) {
			for _, debug := range []bool{false, true} {
				l := asynciotest.New(t, opts...)
				l.SetDebug(debug)
				for _, call := range []func(){
					func() { l.CallSoon(nil) },
					func() { l.CallLater(0, nil) },
					func() { l.CallAt(0, nil) },
					func() { _, _ = l.CallSoonThreadsafe(nil) },
				} {
					testkit.ErrorSays(t, testkit.PanicError(t, call), "nil")
				}
				asynciotest.Turn(t, l)
			}
		})
		t.Run("debug mode comes from option and environment", func(t *testing.T) {
			t.Setenv("ASYNCIO_DEBUG", "")
			require.False(t, asynciotest.New(t, opts...).Debug())
			t.Setenv("ASYNCIO_DEBUG", "1")
			require.True(t, asynciotest.New(t, opts...).Debug())
			l := asynciotest.New(t, append(opts, asyncio.WithDebug(false))...)
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
	return l.CallSoon(func() { panic(testkit.ErrBoom) }, opts...)
}

func TestLoopExceptionHandler(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a panic of a callback goes to the handler", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			handler := asynciotest.RecordReports(l)
			h := scheduleFailing(l)
			l.CallSoon(tr.Mark("same turn"))
			asynciotest.Turn(t, l)
			tr.Equal(t, "same turn")
			c := handler.One(t)
			require.Contains(t, strings.ToLower(c.Message), "exception in callback")
			require.Equal(t, h, c.Handle)
			var panicked *asyncio.PanicError
			require.ErrorAs(t, c.Exception, &panicked)
			require.Equal(t, testkit.ErrBoom, panicked.Value)
			require.Contains(t, string(panicked.Stack), "scheduleFailing")
		})
		t.Run("LOOP-20", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			handler := asynciotest.RecordReports(l)
			l.SetDebug(false)
			scheduleFailing(l)
			asynciotest.Turn(t, l)
			l.SetDebug(true)
			scheduleFailing(l)
			asynciotest.Turn(t, l)
			require.Len(t, handler.All(), 2)
			require.Empty(t, handler.All()[0].SourceTraceback)
			first, _, _ := strings.Cut(handler.All()[1].SourceTraceback, "\n")
			require.Contains(t, first, "scheduleFailing", "the newest frame is where it was scheduled")
			fails := func() { panic(testkit.ErrBoom) }
			l.CallLater(0, fails)
			l.CallAt(0, fails)
			_, err := l.CallSoonThreadsafe(fails)
			require.NoError(t, err)
			l.CallLater(time.Millisecond, l.Stop)
			require.NoError(t, l.RunForever())
			require.Len(t, handler.All(), 5)
			for _, c := range handler.All()[2:] {
				first, _, _ := strings.Cut(c.SourceTraceback, "\n")
				require.Contains(t, first, "TestLoopExceptionHandler")
			}
		})
		t.Run("LOOP-22", func(t *testing.T) {
			logged, logger := testkit.RecordLog()
			logged.Fail = func(string) {
				logged.Fail = nil
				panic("the logger fails once")
			}
			l := asynciotest.New(t, append(opts, logger)...)
			var tr asynciotest.Trace
			scheduleFailing(l)
			l.CallSoon(tr.Mark("same turn"))
			asynciotest.Turn(t, l)
			asynciotest.Turn(t, l)
			tr.Equal(t, "same turn")
			require.Len(t, logged.Matching("exception in default exception handler"), 1)
		})
		t.Run("LOOP-23", func(t *testing.T) {
			logged, logger := testkit.RecordLog()
			l := asynciotest.New(t, append(opts, logger)...)
			handler := asynciotest.RecordReports(l)
			scheduleFailing(l)
			asynciotest.Turn(t, l)
			handler.One(t)
			require.Empty(t, logged.Lines)
			l.SetExceptionHandler(nil)
			scheduleFailing(l)
			asynciotest.Turn(t, l)
			handler.One(t)
			require.Len(t, logged.Matching("boom"), 1)
		})
		t.Run("LOOP-24", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			handler := asynciotest.RecordReports(l)
			scheduleFailing(l, asyncio.InContext(context.WithValue(l.Context(), testkit.CtxKey("v"), 7)))
			asynciotest.Turn(t, l)
			require.Equal(t, 7, handler.One(t).Context.Value(testkit.CtxKey("v")))
		})
	})
}

func TestLoopExceptionHandlerFails(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a handler that fails is replaced by the default one", func(t *testing.T) {
			logged, logger := testkit.RecordLog()
			l := asynciotest.New(t, append(opts, logger)...)
			var tr asynciotest.Trace
			l.SetExceptionHandler(func(*asyncio.Loop, asyncio.ErrorContext) { panic("handler fails") })
			scheduleFailing(l)
			l.CallSoon(tr.Mark("same turn"))
			asynciotest.Turn(t, l)
			asynciotest.Turn(t, l)
			tr.Equal(t, "same turn")
			lines := logged.Matching("unhandled error in exception handler")
			require.Len(t, lines, 1)
			require.Contains(t, lines[0], "handler fails")
			require.Contains(t, lines[0], "boom", "the first failure is not lost")
		})
		t.Run("Goexit passes through the handler", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			l.SetExceptionHandler(func(*asyncio.Loop, asyncio.ErrorContext) { runtime.Goexit() })
			scheduleFailing(l)
			testkit.Unwinds(t, func() { _ = l.RunForever() })
			l.SetExceptionHandler(nil)
			asynciotest.Turn(t, l)
		})
		t.Run("CallExceptionHandler", func(t *testing.T) {
			logged, logger := testkit.RecordLog()
			l := asynciotest.New(t, append(opts, logger)...)
			handler := asynciotest.RecordReports(l)
			l.CallExceptionHandler(asyncio.ErrorContext{Message: "told", Exception: testkit.ErrBoom})
			require.Equal(t, asyncio.ErrorContext{Message: "told", Exception: testkit.ErrBoom}, handler.One(t))
			require.Empty(t, logged.Lines)
			l.DefaultExceptionHandler(asyncio.ErrorContext{Message: "told", Exception: testkit.ErrBoom})
			require.Len(t, logged.Matching("told"), 1)
			require.True(t, errors.Is(handler.One(t).Exception, testkit.ErrBoom))
		})
	})
}
