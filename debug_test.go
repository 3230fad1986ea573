// Debug mode: what it logs of slow code and of tasks that wait for nothing, and which
// calls it refuses.
package asyncio_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

const (
	slowLimit = 10 * time.Millisecond
	slowBlock = 2 * slowLimit
)

// debugLoop makes a loop in debug mode that logs what takes slowLimit.
func debugLoop(t *testing.T, opts []asyncio.Option) (*asyncio.Loop, *logRecorder) {
	t.Helper()
	log, logTo := recordLog()
	l := newLoop(t, append(opts, logTo, asyncio.WithDebug(true))...)
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
	*tap
	in string
}

func (p *slowProtocol) factory() asyncio.Protocol { return p }

func (p *slowProtocol) slow(callback string) {
	if p.in == callback {
		blockLoop()
	}
}

func (p *slowProtocol) ConnectionMade(t asyncio.Transport) {
	p.tap.ConnectionMade(t)
	p.slow("ConnectionMade")
}

func (p *slowProtocol) DataReceived(b []byte) {
	p.tap.DataReceived(b)
	p.slow("DataReceived")
}

func (p *slowProtocol) EOFReceived() bool {
	p.slow("EOFReceived")
	return p.tap.EOFReceived()
}

func (p *slowProtocol) PauseWriting()  { p.slow("PauseWriting") }
func (p *slowProtocol) ResumeWriting() { p.slow("ResumeWriting") }

func (p *slowProtocol) ConnectionLost(err error) {
	p.slow("ConnectionLost")
	p.tap.ConnectionLost(err)
}

func TestDebugSlow(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("DBG-01", func(t *testing.T) {
			l, log := debugLoop(t, opts)
			l.CallSoon(blockLoop)
			l.CallSoon(func() {})
			turn(t, l)
			slow := log.matching("asyncio_test.blockLoop took")
			require.Len(t, slow, 1)
			require.Regexp(t, `Executing callback .*asyncio_test\.blockLoop took \d+\.\d\d\d seconds`, slow[0])
			require.Regexp(t, `place=.*/debug_test\.go:\d+`, slow[0])
			require.Contains(t, slow[0], "source_traceback=")

			log.lines = nil
			l.CallSoon(new(slowMethod).run) // the compiler's wrapper of a method has no line of its own
			place := here(-1)
			turn(t, l)
			require.Len(t, log.matching("place="+place), 1)

			log.lines = nil
			l.SetDebug(false)
			l.CallSoon(blockLoop)
			turn(t, l)
			require.Empty(t, log.lines)

			l.SetDebug(true)
			l.SetSlowCallbackDuration(0)
			l.CallSoon(func() {})
			turn(t, l)
			require.Len(t, log.matching("Executing callback"), 2, "the callback, and Loop.Stop")
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
				log.lines = nil
				schedule()
				l.CallLater(time.Millisecond, l.Stop)
				require.NoError(t, l.RunForever())
				require.Len(t, log.matching(place), 1, kind)
			}
			log.lines = nil
			f := asyncio.NewFuture[int](l)
			place = here(1)
			f.AddDoneCallback(func(*asyncio.Future[int]) { blockLoop() })
			require.NoError(t, f.SetResult(1))
			turn(t, l)
			require.Len(t, log.matching("place="+place), 1, "AddDoneCallback")
		})
		t.Run("a timer that was armed before debug mode", func(t *testing.T) {
			l, log := debugLoop(t, opts)
			l.SetDebug(false)
			l.CallLater(0, blockLoop)
			l.SetDebug(true)
			l.CallLater(time.Millisecond, l.Stop)
			require.NoError(t, l.RunForever())
			require.Len(t, log.matching("Executing callback of a timer took"), 1)
		})
		t.Run("a step of a task: where it is suspended, else where it was created", func(t *testing.T) {
			l, log := debugLoop(t, opts)
			created := here(1)
			asyncio.CreateTask(l.Context(), asyncio.Do(func(context.Context) error { blockLoop(); return nil }), asyncio.WithName("ends"))
			turn(t, l)
			slow := log.matching("Executing step of ends took")
			require.Len(t, slow, 1)
			require.Contains(t, slow[0], "place="+created)

			suspended := here(3)
			task := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				blockLoop()
				return asyncio.Sleep(ctx, time.Hour)
			}), asyncio.WithName("suspends"))
			turn(t, l)
			slow = log.matching("Executing step of suspends took")
			require.Len(t, slow, 1)
			require.Contains(t, slow[0], "place="+suspended)
			task.Cancel()
			turn(t, l)
		})
	})
}

func TestDebugSlowProtocol(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		slowIn := func(t *testing.T, callback string, use func(ctx context.Context, p *slowProtocol, peer *net.TCPConn)) {
			l, log := debugLoop(t, opts)
			inTask(t, l, func(ctx context.Context) {
				p := &slowProtocol{tap: newTap(l), in: callback}
				transport, peer := connectToNet(t, ctx, p.factory)
				use(ctx, p, peer)
				transport.Abort()
				require.NoError(t, p.end(t, ctx))
			})
			named := "slowProtocol." + callback + " took"
			require.Len(t, log.matching(named), 1, "%v", log.lines)
		}
		nothing := func(context.Context, *slowProtocol, *net.TCPConn) {}
		t.Run("ConnectionMade", func(t *testing.T) { slowIn(t, "ConnectionMade", nothing) })
		t.Run("ConnectionLost", func(t *testing.T) { slowIn(t, "ConnectionLost", nothing) })
		t.Run("DataReceived", func(t *testing.T) {
			slowIn(t, "DataReceived", func(ctx context.Context, p *slowProtocol, peer *net.TCPConn) {
				_, err := peer.Write([]byte("x"))
				require.NoError(t, err)
				p.receive(t, ctx, 1)
			})
		})
		t.Run("EOFReceived", func(t *testing.T) {
			slowIn(t, "EOFReceived", func(ctx context.Context, p *slowProtocol, peer *net.TCPConn) {
				require.NoError(t, peer.CloseWrite())
				require.NoError(t, p.end(t, ctx))
			})
		})
		t.Run("PauseWriting", func(t *testing.T) {
			slowIn(t, "PauseWriting", func(_ context.Context, p *slowProtocol, _ *net.TCPConn) {
				fill(t, p.transport)
				p.transport.SetWriteBufferLimits(0, 0)
			})
		})
	})
}

func TestDebugStall(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		// stalledFor runs l until another goroutine stops it, after twice the time that a
		// stall takes to be seen.
		stalledFor := func(t *testing.T, l *asyncio.Loop) {
			besides(t, l, func() { <-time.After(20 * slowLimit) })
		}
		t.Run("tasks that nothing can wake are told once, with their stacks", func(t *testing.T) {
			l, log := debugLoop(t, opts)
			lock, queue := asyncio.NewLock(), asyncio.NewQueue[int](0)
			require.NoError(t, asyncio.NewQueue[int](0).PutNowait(1))
			first := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				return lock.With(ctx, func() error { _, err := queue.Get(ctx); return err })
			}), asyncio.WithName("holds the lock"))
			second := asyncio.CreateTask(l.Context(), asyncio.Do(lock.Acquire), asyncio.WithName("wants the lock"))
			stalledFor(t, l)
			reports := log.matching("All tasks wait")
			require.Len(t, reports, 1)
			require.Contains(t, reports[0], "holds the lock\ngithub.com/seed-a026a017/asyncio_test.TestDebugStall")
			require.Contains(t, reports[0], "wants the lock")
			require.Contains(t, reports[0], "debug_test.go:")
			stalledFor(t, l)
			require.Len(t, log.matching("All tasks wait"), 1, "the same tasks are not told again")

			third := start(l.Context(), func(ctx context.Context) error { return asyncio.NewEvent().Wait(ctx) })
			stalledFor(t, l)
			require.Len(t, log.matching("All tasks wait"), 2)
			for _, task := range []*asyncio.Task[asyncio.None]{first, second, third} {
				task.Cancel()
			}
			turns(t, l, 2)
		})
		t.Run("not while something can wake them", func(t *testing.T) {
			for name, wake := range map[string]func(t *testing.T, ctx context.Context){
				"a timer": func(t *testing.T, ctx context.Context) { loopOf(ctx).CallLater(time.Hour, func() {}) },
				"a server": func(t *testing.T, ctx context.Context) {
					s, err := loopOf(ctx).CreateServer(ctx, newTap(loopOf(ctx)).factory, "tcp", "127.0.0.1:0")
					require.NoError(t, err)
					loopOf(ctx).CallLater(19*slowLimit, s.Close)
				},
				"the deadline of a context": func(t *testing.T, ctx context.Context) {
					start(ctx, func(ctx context.Context) error {
						ctx, cancel := context.WithTimeout(ctx, 18*slowLimit)
						defer cancel()
						return asyncio.NewEvent().Wait(ctx)
					})
				},
				"a connection": func(t *testing.T, ctx context.Context) { connectToNet(t, ctx, newTap(loopOf(ctx)).factory) },
				"a function in a thread": func(t *testing.T, ctx context.Context) {
					asyncio.RunInExecutor(ctx, nil, func() (int, error) { <-time.After(18 * slowLimit); return 0, nil })
				},
			} {
				t.Run(name, func(t *testing.T) {
					l, log := debugLoop(t, opts)
					task := start(l.Context(), func(ctx context.Context) error {
						wake(t, ctx)
						return asyncio.NewEvent().Wait(ctx)
					})
					stalledFor(t, l)
					require.Empty(t, log.matching("All tasks wait"))
					task.Cancel()
					turn(t, l)
				})
			}
		})
		t.Run("not if nothing counts as slow", func(t *testing.T) {
			l, log := debugLoop(t, opts)
			l.SetSlowCallbackDuration(asyncio.Forever)
			task := start(l.Context(), func(ctx context.Context) error { return asyncio.NewEvent().Wait(ctx) })
			stalledFor(t, l)
			require.Empty(t, log.lines)
			task.Cancel()
			turn(t, l)
		})
		t.Run("the report may wake them", func(t *testing.T) {
			l, log := debugLoop(t, opts)
			log.fail = func(string) { l.Stop() }
			task := start(l.Context(), func(ctx context.Context) error { return asyncio.NewEvent().Wait(ctx) })
			require.NoError(t, l.RunForever())
			require.Len(t, log.matching("All tasks wait"), 1)
			task.Cancel()
			turn(t, l)
		})
		t.Run("not without debug mode", func(t *testing.T) {
			l, log := debugLoop(t, opts)
			l.SetDebug(false)
			task := start(l.Context(), func(ctx context.Context) error { return asyncio.NewEvent().Wait(ctx) })
			stalledFor(t, l)
			require.Empty(t, log.lines)
			task.Cancel()
			turn(t, l)
		})
	})
}

// TestDebugGoroutine makes every call that is for the loop's goroutine from another one.
func TestDebugGoroutine(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l, _ := debugLoop(t, opts)
		inTask(t, l, func(ctx context.Context) {
			f := asyncio.NewFuture[int](l)
			registration := f.AddDoneCallback(func(*asyncio.Future[int]) {})
			task := asyncio.CreateTask(ctx, asyncio.Do(sleepsLong))
			callback, timer := l.CallSoon(func() {}), l.CallLater(time.Hour, func() {})
			event, queue, lock := asyncio.NewEvent(), asyncio.NewQueue[int](0), asyncio.NewLock()
			reader := asyncio.NewStreamReader(l, 10)
			waits := []*asyncio.Task[asyncio.None]{
				start(ctx, event.Wait),
				start(ctx, func(ctx context.Context) error { _, err := queue.Get(ctx); return err }),
				start(ctx, func(ctx context.Context) error { _, err := reader.ReadLine(ctx); return err }),
				start(ctx, lock.Acquire),
			}
			require.NoError(t, lock.Acquire(ctx))
			yield(t, ctx, 1)
			server, err := l.CreateServer(ctx, newTap(l).factory, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			transport, _ := connectToNet(t, ctx, newTap(l).factory)

			for name, call := range map[string]func(){
				"CallSoon":             func() { l.CallSoon(func() {}) },
				"CallLater":            func() { l.CallLater(0, func() {}) },
				"CallAt":               func() { l.CallAt(0, func() {}) },
				"Stop":                 l.Stop,
				"SetDefaultExecutor":   func() { l.SetDefaultExecutor(asyncio.NewThreadPool(1)) },
				"RunInExecutor":        func() { asyncio.RunInExecutor(l.Context(), nil, func() (int, error) { return 0, nil }) },
				"CreateTask":           func() { asyncio.CreateTask(l.Context(), asyncio.Do(sleepsLong)) },
				"Handle.Cancel":        callback.Cancel,
				"TimerHandle.Cancel":   timer.Cancel,
				"SetResult":            func() { _ = f.SetResult(1) },
				"SetException":         func() { _ = f.SetException(errBoom) },
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
				"SetProtocol":          func() { transport.SetProtocol(newTap(l)) },
			} {
				onGoroutine(func() {
					err := panicError(t, call)
					require.ErrorIs(t, err, asyncio.ErrWrongLoop, name)
					errorSays(t, err, "non-thread-safe operation")
				})
			}
			server.Close()
			for _, w := range append(waits, task) {
				w.Cancel()
			}
		})
	})
}

// TestDebugCapturedContext awaits with a context that another goroutine, or another task,
// was given.
func TestDebugCapturedContext(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l, _ := debugLoop(t, opts)
		inTask(t, l, func(ctx context.Context) {
			onGoroutine(func() {
				err := asyncio.Sleep(ctx, time.Hour)
				require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
				errorSays(t, err, "another goroutine awaits")
			})
			other := asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error {
				return asyncio.Sleep(ctx, time.Hour)
			}), asyncio.WithName("thief"))
			_, err := other.Await(ctx)
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			errorSays(t, err, "thief runs")
		})
	})
}
