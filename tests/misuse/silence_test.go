// Nothing fails silently: what nobody has looked at, waited for or closed is told to
// somebody.
package misuse_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// TestSilenceThreads is about results that other goroutines do not look at.
func TestSilenceThreads(t *testing.T) {
	background := context.Background()
	// sent runs a coroutine that fails as other goroutines send it, until it has failed.
	// use may look at the future.
	sent := func(t *testing.T, l *asyncio.Loop, use func(*asyncio.ConcurrentFuture[int])) {
		testkit.Besides(t, l, func() {
			f := asyncio.RunCoroutineThreadsafe(l, testkit.Failing[int](testkit.ErrBoom, 1))
			<-f.Done()
			use(f)
		})
	}
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a failure is told when its future is collected", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			handler := asynciotest.RecordReports(l)
			sent(t, l, func(*asyncio.ConcurrentFuture[int]) {})
			testkit.CollectUntil(t, l, func() bool { return len(handler.All()) > 0 })
			c := handler.One(t)
			require.Contains(t, c.Message, "Task exception was never retrieved")
			require.Same(t, testkit.ErrBoom, c.Exception)
		})
		t.Run("or when the loop closes", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			handler := asynciotest.RecordReports(l)
			var kept *asyncio.ConcurrentFuture[int]
			sent(t, l, func(f *asyncio.ConcurrentFuture[int]) { kept = f })
			handler.None(t)
			require.NoError(t, l.Close())
			require.Same(t, testkit.ErrBoom, handler.One(t).Exception)
			_, err := kept.Result(background)
			require.Same(t, testkit.ErrBoom, err)
		})
		t.Run("not if somebody has looked, or waits", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			handler := asynciotest.RecordReports(l)
			sent(t, l, func(f *asyncio.ConcurrentFuture[int]) {
				_, err := f.Result(background)
				assert.Same(t, testkit.ErrBoom, err)
			})
			testkit.Besides(t, l, func() {
				_, err := asyncio.RunCoroutineThreadsafe(l, testkit.Failing[int](testkit.ErrBoom, 1)).Result(background)
				assert.Same(t, testkit.ErrBoom, err)
			})
			testkit.CollectAll(t, l)
			require.NoError(t, l.Close())
			handler.None(t)
		})
		t.Run("a goroutine that gave up waiting has not looked", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			handler := asynciotest.RecordReports(l)
			testkit.Besides(t, l, func() {
				gate := make(chan struct{})
				f := asyncio.RunCoroutineThreadsafe(l, func(ctx context.Context) (int, error) {
					_, _ = asyncio.ToThread(ctx, func(context.Context) (int, error) { <-gate; return 0, nil })
					return 0, testkit.ErrBoom
				})
				expired, cancel := context.WithCancel(background)
				cancel()
				_, err := f.Result(expired)
				assert.ErrorIs(t, err, context.Canceled)
				close(gate)
				<-f.Done()
			})
			require.NoError(t, l.Close())
			require.Same(t, testkit.ErrBoom, handler.One(t).Exception)
		})
		t.Run("WrapFuture looks, and its future is the one to look at", func(t *testing.T) {
			here, there := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			handlerHere, handlerThere := asynciotest.RecordReports(here), asynciotest.RecordReports(there)
			f := asyncio.RunCoroutineThreadsafe(there, testkit.Failing[int](testkit.ErrBoom, 0))
			wrapped := asyncio.WrapFuture(here.Context(), f)
			asynciotest.Turns(t, there, 3)
			asynciotest.Turns(t, here, 2)
			require.True(t, wrapped.Done())
			require.NoError(t, there.Close())
			require.NoError(t, here.Close())
			handlerThere.None(t)
			require.Same(t, testkit.ErrBoom, handlerHere.One(t).Exception)
		})
		t.Run("a panic in a thread whose await was cancelled", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			handler := asynciotest.RecordReports(l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				running, gate := make(chan struct{}), make(chan struct{})
				f := asyncio.RunInExecutor(ctx, nil, func() (int, error) {
					close(running)
					<-gate
					panic("late")
				})
				<-running
				f.Cancel()
				close(gate)
				require.NoError(t, l.ShutdownDefaultExecutor(ctx))
				asynciotest.Yield(t, ctx, 2)
			})
			c := handler.One(t)
			require.Contains(t, c.Message, "cancelled")
			var p *asyncio.PanicError
			require.ErrorAs(t, c.Exception, &p)
			require.Equal(t, "late", p.Value)
		})
		t.Run("a panic in a thread whose loop was closed", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			log, logTo := testkit.RecordLog()
			l, err := asyncio.NewEventLoop(append(opts, logTo)...)
			require.NoError(t, err)
			pool := asyncio.NewThreadPool(1)
			gate := make(chan struct{})
			asyncio.RunInExecutor(l.Context(), pool, func() (int, error) { <-gate; panic("later") })
			require.NoError(t, l.Close())
			close(gate)
			pool.Shutdown(true)
			require.Len(t, log.Matching("whose loop was closed exception=panic: later"), 1)
		})
	})
}

// TestSilenceInDebugMode is about the place where what is told was made.
func TestSilenceInDebugMode(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, append(opts, asyncio.WithDebug(true))...)
		handler := asynciotest.RecordReports(l)
		testkit.DropTask(l.Context(), func(context.Context) error { return testkit.ErrBoom })
		asynciotest.Turn(t, l)
		testkit.DropTask(l.Context(), testkit.SleepsLong)
		asynciotest.Turn(t, l)
		require.NoError(t, l.Close())
		require.Len(t, handler.All(), 2)
		for _, c := range handler.All() {
			first, _, _ := strings.Cut(c.SourceTraceback, "\n")
			require.Contains(t, first, "TestSilenceInDebugMode", c.Message)
		}
	})
}

func init() {
	testkit.RunChild(map[string]func(opts ...asyncio.Option){"drops its loops": dropLoops})
}

// TestSilenceUnclosed is about what was left open.
func TestSilenceUnclosed(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		listening := func(t *testing.T, debug, closed bool) *testkit.LogRecorder {
			asynciotest.VerifyNoLeaks(t)
			log, logTo := testkit.RecordLog()
			l, err := asyncio.NewEventLoop(append(opts, logTo, asyncio.WithDebug(debug))...)
			require.NoError(t, err)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				s, err := l.CreateServer(ctx, testkit.NewTap(l).Factory, "tcp", "127.0.0.1:0")
				require.NoError(t, err)
				if closed {
					s.Close()
				}
			})
			require.NoError(t, l.Close())
			return log
		}
		t.Run("debug mode names servers", func(t *testing.T) {
			require.Len(t, listening(t, true, false).Matching("unclosed server"), 1)
		})
		t.Run("not those that were closed, and not without debug mode", func(t *testing.T) {
			require.Empty(t, listening(t, true, true).Lines)
			require.Empty(t, listening(t, false, false).Lines)
		})
		t.Run("a loop that is dropped", func(t *testing.T) {
			driver := opts[0]
			l := asynciotest.New(t, driver)
			limited, cancel := context.WithTimeout(context.Background(), asynciotest.HangLimit)
			defer cancel()
			child := exec.CommandContext(limited, os.Args[0])
			// The child leaks on purpose.
			child.Env = append(testkit.ChildEnv("drops its loops", l.Driver()), "ASAN_OPTIONS=detect_leaks=0")
			said, err := child.Output()
			var failed *exec.ExitError
			require.False(t, errors.As(err, &failed), "%v", failed)
			require.NoError(t, err)
			require.Regexp(t, `(?s)^WARN unclosed event loop.*driver=`+l.Driver().String()+` source_traceback=.*dropLoop\(\.\.\.\).*`+
				`WARN unclosed event loop.* source_traceback=\nclosed\n$`, string(said))
		})
	})
}

// dropLoops is a program, since what it drops stays open: a loop in debug mode, one
// without, and one that was closed.
func dropLoops(opts ...asyncio.Option) {
	log, logTo := testkit.RecordLog()
	opts = append(opts, logTo)
	for i, last := range [][]asyncio.Option{{asyncio.WithDebug(true)}, {asyncio.WithDebug(false)}} {
		dropLoop(append(opts, last...)...)
		for len(log.Matching("unclosed")) <= i {
			runtime.GC()
			runtime.Gosched()
		}
		testkit.Say("%s", log.Matching("unclosed")[i])
	}
	l, err := asyncio.NewEventLoop(opts...)
	if err != nil || l.Close() != nil {
		panic("no loop")
	}
	for range 10 {
		runtime.GC()
	}
	if n := len(log.Matching("unclosed")); n != 2 {
		panic(n)
	}
	testkit.Say("closed")
}

// dropLoop runs a callback on a loop and forgets it.
//
//go:noinline
func dropLoop(opts ...asyncio.Option) {
	l, err := asyncio.NewEventLoop(opts...)
	if err != nil {
		panic(err)
	}
	l.CallSoon(l.Stop)
	if err := l.RunForever(); err != nil {
		panic(err)
	}
}
