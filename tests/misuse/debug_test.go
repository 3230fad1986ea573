// Debug mode: what it logs of slow code and of tasks that wait for nothing, and which
// calls it refuses.
package misuse_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

const (
	slowLimit = 10 * time.Millisecond
	slowBlock = 2 * slowLimit
)

// debugLoop makes a loop in debug mode that logs what takes slowLimit.
func debugLoop(t *testing.T, opts []asyncio.Option) (*asyncio.Loop, *testkit.LogRecorder) {
	t.Helper()
	log, logTo := testkit.RecordLog()
	l := asynciotest.New(t, append(opts, logTo, asyncio.WithDebug(true))...)
	l.SetSlowCallbackDuration(slowLimit)
	return l, log
}

// blockLoop is the slow callback: it holds the loop, which is what the tests are about.
func blockLoop() { time.Sleep(slowBlock) }

// slowMethod has a slow method.
type slowMethod struct{}

func (*slowMethod) run() { blockLoop() }

// here is the line of its caller, offset by some lines.
func here(offset int) string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", file, line+offset)
}

// slowProtocol blocks in one of its callbacks.
type slowProtocol struct {
	*testkit.Tap
	in string
}

func (p *slowProtocol) factory() asyncio.Protocol { return p }

func (p *slowProtocol) slow(callback string) {
	if p.in == callback {
		blockLoop()
	}
}

func (p *slowProtocol) ConnectionMade(t asyncio.Transport) {
	p.Tap.ConnectionMade(t)
	p.slow("ConnectionMade")
}

func (p *slowProtocol) DataReceived(b []byte) {
	p.Tap.DataReceived(b)
	p.slow("DataReceived")
}

func (p *slowProtocol) EOFReceived() bool {
	p.slow("EOFReceived")
	return p.Tap.EOFReceived()
}

func (p *slowProtocol) PauseWriting()  { p.slow("PauseWriting") }
func (p *slowProtocol) ResumeWriting() { p.slow("ResumeWriting") }

func (p *slowProtocol) ConnectionLost(err error) {
	p.slow("ConnectionLost")
	p.Tap.ConnectionLost(err)
}

func TestDebugSlow(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("DBG-01", func(t *testing.T) {
			l, log := debugLoop(t, opts)
			l.CallSoon(blockLoop)
			l.CallSoon(func() {})
			asynciotest.Turn(t, l)
			slow := log.Matching("misuse_test.blockLoop took")
			require.Len(t, slow, 1)
			require.Regexp(t, `Executing callback .*misuse_test\.blockLoop took \d+\.\d\d\d seconds`, slow[0])
			require.Regexp(t, `place=.*/debug_test\.go:\d+`, slow[0])
			require.Contains(t, slow[0], "source_traceback=")

			log.Lines = nil
			l.CallSoon(new(slowMethod).run) // the compiler's wrapper of a method has no line of its own
			place := here(-1)
			asynciotest.Turn(t, l)
			require.Len(t, log.Matching("place="+place), 1)

			log.Lines = nil
			l.SetDebug(false)
			l.CallSoon(blockLoop)
			asynciotest.Turn(t, l)
			require.Empty(t, log.Lines)

			l.SetDebug(true)
			l.SetSlowCallbackDuration(0)
			l.CallSoon(func() {})
			asynciotest.Turn(t, l)
			require.Len(t, log.Matching("Executing callback"), 2, "the callback, and Loop.Stop")
		})
		t.Run("of every kind of callback the user's own function is named", func(t *testing.T) {
			l, log := debugLoop(t, opts)
			place := here(1)
			block := func() { blockLoop() }
			for kind, schedule := range map[string]func(){
				"CallSoon":           func() { l.CallSoon(block) },
				"CallLater":          func() { l.CallLater(0, block) },
				"CallAt":             func() { l.CallAt(0, block) },
				"CallSoonThreadsafe": func() { _, _ = l.CallSoonThreadsafe(block) },
			} {
				log.Lines = nil
				schedule()
				l.CallLater(time.Millisecond, l.Stop)
				require.NoError(t, l.RunForever())
				require.Len(t, log.Matching(place), 1, kind)
			}
			log.Lines = nil
			f := asyncio.NewFuture[int](l)
			place = here(1)
			f.AddDoneCallback(func(*asyncio.Future[int]) { blockLoop() })
			require.NoError(t, f.SetResult(1))
			asynciotest.Turn(t, l)
			require.Len(t, log.Matching("place="+place), 1, "AddDoneCallback")
		})
		t.Run("a timer that was armed before debug mode", func(t *testing.T) {
			l, log := debugLoop(t, opts)
			l.SetDebug(false)
			l.CallLater(0, blockLoop)
			l.SetDebug(true)
			l.CallLater(time.Millisecond, l.Stop)
			require.NoError(t, l.RunForever())
			require.Len(t, log.Matching("Executing callback of a timer took"), 1)
		})
		t.Run("a step of a task: where it is suspended, else where it was created", func(t *testing.T) {
			l, log := debugLoop(t, opts)
			created := here(1)
			asyncio.CreateTask(l.Context(), asyncio.Do(func(context.Context) error { blockLoop(); return nil }), asyncio.WithName("ends"))
			asynciotest.Turn(t, l)
			slow := log.Matching("Executing step of ends took")
			require.Len(t, slow, 1)
			require.Contains(t, slow[0], "place="+created)

			suspended := here(3)
			task := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				blockLoop()
				return asyncio.Sleep(ctx, time.Hour)
			}), asyncio.WithName("suspends"))
			asynciotest.Turn(t, l)
			slow = log.Matching("Executing step of suspends took")
			require.Len(t, slow, 1)
			require.Contains(t, slow[0], "place="+suspended)
			task.Cancel()
			asynciotest.Turn(t, l)
		})
	})
}

func TestDebugSlowProtocol(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		slowIn := func(t *testing.T, callback string, use func(ctx context.Context, p *slowProtocol, peer *net.TCPConn)) {
			l, log := debugLoop(t, opts)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				p := &slowProtocol{Tap: testkit.NewTap(l), in: callback}
				transport, peer := testkit.ConnectToNet(t, ctx, p.factory)
				use(ctx, p, peer)
				transport.Abort()
				require.NoError(t, p.End(t, ctx))
			})
			named := "slowProtocol." + callback + " took"
			require.Len(t, log.Matching(named), 1, "%v", log.Lines)
		}
		nothing := func(context.Context, *slowProtocol, *net.TCPConn) {}
		t.Run("ConnectionMade", func(t *testing.T) { slowIn(t, "ConnectionMade", nothing) })
		t.Run("ConnectionLost", func(t *testing.T) { slowIn(t, "ConnectionLost", nothing) })
		t.Run("DataReceived", func(t *testing.T) {
			slowIn(t, "DataReceived", func(ctx context.Context, p *slowProtocol, peer *net.TCPConn) {
				_, err := peer.Write([]byte("x"))
				require.NoError(t, err)
				p.Receive(t, ctx, 1)
			})
		})
		t.Run("EOFReceived", func(t *testing.T) {
			slowIn(t, "EOFReceived", func(ctx context.Context, p *slowProtocol, peer *net.TCPConn) {
				require.NoError(t, peer.CloseWrite())
				require.NoError(t, p.End(t, ctx))
			})
		})
		t.Run("PauseWriting", func(t *testing.T) {
			slowIn(t, "PauseWriting", func(_ context.Context, p *slowProtocol, _ *net.TCPConn) {
				testkit.Fill(t, p.Transport)
				p.Transport.SetWriteBufferLimits(0, 0)
			})
		})
	})
}

func TestDebugStall(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		// stalledFor runs l until another goroutine stops it, after twice the time that a
		// stall takes to be seen.
		stalledFor := func(t *testing.T, l *asyncio.Loop) {
			testkit.Besides(t, l, func() { <-time.After(20 * slowLimit) })
		}
		// untilTold runs l until a stall is logged.
		untilTold := func(t *testing.T, l *asyncio.Loop, log *testkit.LogRecorder) {
			log.Fail = func(line string) {
				if strings.Contains(line, "All tasks wait") {
					l.Stop()
				}
			}
			require.NoError(t, l.RunForever())
			log.Fail = nil
		}
		t.Run("tasks that nothing can wake are told once, with their stacks", func(t *testing.T) {
			l, log := debugLoop(t, opts)
			lock, queue := asyncio.NewLock(), asyncio.NewQueue[int](0)
			require.NoError(t, asyncio.NewQueue[int](0).PutNowait(1))
			first := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				return lock.With(ctx, func() error { _, err := queue.Get(ctx); return err })
			}), asyncio.WithName("holds the lock"))
			second := asyncio.CreateTask(l.Context(), asyncio.Do(lock.Acquire), asyncio.WithName("wants the lock"))
			untilTold(t, l, log)
			reports := log.Matching("All tasks wait")
			require.Len(t, reports, 1)
			require.Contains(t, reports[0], "holds the lock\ngithub.com/seed-a026a017/asyncio/tests/misuse_test.TestDebugStall")
			require.Contains(t, reports[0], "wants the lock")
			require.Contains(t, reports[0], "debug_test.go:")
			stalledFor(t, l)
			require.Len(t, log.Matching("All tasks wait"), 1, "the same tasks are not told again")

			third := testkit.Start(l.Context(), func(ctx context.Context) error { return asyncio.NewEvent().Wait(ctx) })
			untilTold(t, l, log)
			require.Len(t, log.Matching("All tasks wait"), 2)
			for _, task := range []*asyncio.Task[asyncio.None]{first, second, third} {
				task.Cancel()
			}
			asynciotest.Turns(t, l, 2)
		})
		t.Run("not while something can wake them", func(t *testing.T) {
			for name, wake := range map[string]func(t *testing.T, ctx context.Context) (end func()){
				"a timer": func(t *testing.T, ctx context.Context) func() {
					return testkit.LoopOf(ctx).CallLater(time.Hour, func() {}).Cancel
				},
				"a server": func(t *testing.T, ctx context.Context) func() {
					s, err := testkit.LoopOf(ctx).CreateServer(ctx, testkit.NewTap(testkit.LoopOf(ctx)).Factory, "tcp", "127.0.0.1:0")
					require.NoError(t, err)
					return s.Close
				},
				"the deadline of a context": func(t *testing.T, ctx context.Context) func() {
					limited := testkit.Start(ctx, func(ctx context.Context) error {
						derived, cancel := context.WithTimeout(ctx, time.Hour)
						defer cancel()
						return asyncio.NewEvent().Wait(derived)
					})
					return func() { limited.Cancel() }
				},
				"a connection": func(t *testing.T, ctx context.Context) func() {
					transport, _ := testkit.ConnectToNet(t, ctx, testkit.NewTap(testkit.LoopOf(ctx)).Factory)
					return transport.Abort
				},
				"a function in a thread": func(t *testing.T, ctx context.Context) func() {
					gate := make(chan struct{})
					asyncio.RunInExecutor(ctx, nil, func() (int, error) { <-gate; return 0, nil })
					return func() { close(gate) }
				},
			} {
				t.Run(name, func(t *testing.T) {
					l, log := debugLoop(t, opts)
					var end func()
					task := testkit.Start(l.Context(), func(ctx context.Context) error {
						end = wake(t, ctx)
						return asyncio.NewEvent().Wait(ctx)
					})
					stalledFor(t, l)
					require.Empty(t, log.Matching("All tasks wait"))
					end()
					task.Cancel()
					asynciotest.Turns(t, l, 3)
				})
			}
		})
		t.Run("not if nothing counts as slow", func(t *testing.T) {
			l, log := debugLoop(t, opts)
			l.SetSlowCallbackDuration(asyncio.Forever)
			task := testkit.Start(l.Context(), func(ctx context.Context) error { return asyncio.NewEvent().Wait(ctx) })
			stalledFor(t, l)
			require.Empty(t, log.Lines)
			task.Cancel()
			asynciotest.Turn(t, l)
		})
		t.Run("the report may wake them", func(t *testing.T) {
			l, log := debugLoop(t, opts)
			task := testkit.Start(l.Context(), func(ctx context.Context) error { return asyncio.NewEvent().Wait(ctx) })
			untilTold(t, l, log)
			require.Len(t, log.Matching("All tasks wait"), 1)
			task.Cancel()
			asynciotest.Turn(t, l)
		})
		t.Run("not without debug mode", func(t *testing.T) {
			l, log := debugLoop(t, opts)
			l.SetDebug(false)
			task := testkit.Start(l.Context(), func(ctx context.Context) error { return asyncio.NewEvent().Wait(ctx) })
			stalledFor(t, l)
			require.Empty(t, log.Lines)
			task.Cancel()
			asynciotest.Turn(t, l)
		})
	})
}

// TestDebugGoroutine makes every call that is for the loop's goroutine from another one.
func TestDebugGoroutine(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l, _ := debugLoop(t, opts)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			f := asyncio.NewFuture[int](l)
			registration := f.AddDoneCallback(func(*asyncio.Future[int]) {})
			task := asyncio.CreateTask(ctx, asyncio.Do(testkit.SleepsLong))
			callback, timer := l.CallSoon(func() {}), l.CallLater(time.Hour, func() {})
			event, queue, lock := asyncio.NewEvent(), asyncio.NewQueue[int](0), asyncio.NewLock()
			reader := asyncio.NewStreamReader(l, 10)
			waits := []*asyncio.Task[asyncio.None]{
				testkit.Start(ctx, event.Wait),
				testkit.Start(ctx, func(ctx context.Context) error { _, err := queue.Get(ctx); return err }),
				testkit.Start(ctx, func(ctx context.Context) error { _, err := reader.ReadLine(ctx); return err }),
				testkit.Start(ctx, lock.Acquire),
			}
			require.NoError(t, lock.Acquire(ctx))
			asynciotest.Yield(t, ctx, 1)
			server, err := l.CreateServer(ctx, testkit.NewTap(l).Factory, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			transport, _ := testkit.ConnectToNet(t, ctx, testkit.NewTap(l).Factory)

			for name, call := range map[string]func(){
				"CallSoon":             func() { l.CallSoon(func() {}) },
				"CallLater":            func() { l.CallLater(0, func() {}) },
				"CallAt":               func() { l.CallAt(0, func() {}) },
				"Stop":                 l.Stop,
				"SetDefaultExecutor":   func() { l.SetDefaultExecutor(asyncio.NewThreadPool(1)) },
				"RunInExecutor":        func() { asyncio.RunInExecutor(l.Context(), nil, func() (int, error) { return 0, nil }) },
				"CreateTask":           func() { asyncio.CreateTask(l.Context(), asyncio.Do(testkit.SleepsLong)) },
				"Handle.Cancel":        callback.Cancel,
				"TimerHandle.Cancel":   timer.Cancel,
				"SetResult":            func() { _ = f.SetResult(1) },
				"SetException":         func() { _ = f.SetException(testkit.ErrBoom) },
				"Future.Cancel":        func() { f.Cancel() },
				"AddDoneCallback":      func() { f.AddDoneCallback(func(*asyncio.Future[int]) {}) },
				"RemoveDoneCallback":   func() { f.RemoveDoneCallback(registration) },
				"Task.Cancel":          func() { task.Cancel() },
				"Task.Uncancel":        func() { task.Uncancel() },
				"Event.Set":            event.Set,
				"Queue.PutNowait":      func() { _ = queue.PutNowait(1) },
				"Lock.Release":         lock.Release,
				"FeedEOF":              reader.FeedEOF,
				"Server.Close":         server.Close,
				"Transport.Close":      transport.Close,
				"SetWriteBufferLimits": func() { transport.SetWriteBufferLimits(-1, -1) },
				"SetProtocol":          func() { transport.SetProtocol(testkit.NewTap(l)) },
			} {
				testkit.OnGoroutine(func() {
					err := testkit.PanicError(t, call)
					require.ErrorIs(t, err, asyncio.ErrWrongLoop, name)
					testkit.ErrorSays(t, err, "non-thread-safe operation")
				})
			}
			server.Close()
			transport.Abort()
			for _, w := range append(waits, task) {
				w.Cancel()
			}
		})
	})
}

// TestDebugCapturedContext awaits with a context that another goroutine, or another task,
// was given.
func TestDebugCapturedContext(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l, _ := debugLoop(t, opts)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			testkit.OnGoroutine(func() {
				err := asyncio.Sleep(ctx, time.Hour)
				require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
				testkit.ErrorSays(t, err, "another goroutine awaits")
			})
			other := asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error {
				return asyncio.Sleep(ctx, time.Hour)
			}), asyncio.WithName("thief"))
			_, err := other.Await(ctx)
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			testkit.ErrorSays(t, err, "thief runs")
		})
	})
}
