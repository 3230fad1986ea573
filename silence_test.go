// Nothing fails silently: what nobody has looked at, waited for or closed is told to
// somebody.
package asyncio_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

// TestSilenceThreads is about results that other goroutines do not look at.
func TestSilenceThreads(t *testing.T) {
	background := context.Background()
	// sent runs a coroutine that fails as other goroutines send it, until it has failed.
	// use may look at the future.
	sent := func(t *testing.T, l *asyncio.Loop, use func(*asyncio.ConcurrentFuture[int])) {
		besides(t, l, func() {
			f := asyncio.RunCoroutineThreadsafe(l, failing[int](errBoom, 1))
			<-f.Done()
			use(f)
		})
	}
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a failure is told when its future is collected", func(t *testing.T) {
			l := newLoop(t, opts...)
			handler := recordErrors(l)
			sent(t, l, func(*asyncio.ConcurrentFuture[int]) {})
			collect(t, l, func() bool { return len(handler.got) > 0 })
			c := handler.one(t)
			require.Contains(t, c.Message, "Task exception was never retrieved")
			require.Same(t, errBoom, c.Exception)
		})
		t.Run("or when the loop closes", func(t *testing.T) {
			l := newLoop(t, opts...)
			handler := recordErrors(l)
			var kept *asyncio.ConcurrentFuture[int]
			sent(t, l, func(f *asyncio.ConcurrentFuture[int]) { kept = f })
			handler.none(t)
			require.NoError(t, l.Close())
			require.Same(t, errBoom, handler.one(t).Exception)
			_, err := kept.Result(background)
			require.Same(t, errBoom, err)
		})
		t.Run("not if somebody has looked, or waits", func(t *testing.T) {
			l := newLoop(t, opts...)
			handler := recordErrors(l)
			sent(t, l, func(f *asyncio.ConcurrentFuture[int]) {
				_, err := f.Result(background)
				assert.Same(t, errBoom, err)
			})
			besides(t, l, func() {
				_, err := asyncio.RunCoroutineThreadsafe(l, failing[int](errBoom, 1)).Result(background)
				assert.Same(t, errBoom, err)
			})
			collect(t, l, func() bool { return false })
			require.NoError(t, l.Close())
			handler.none(t)
		})
		t.Run("a goroutine that gave up waiting has not looked", func(t *testing.T) {
			l := newLoop(t, opts...)
			handler := recordErrors(l)
			besides(t, l, func() {
				gate := make(chan struct{})
				f := asyncio.RunCoroutineThreadsafe(l, func(ctx context.Context) (int, error) {
					_, _ = asyncio.ToThread(ctx, func(context.Context) (int, error) { <-gate; return 0, nil })
					return 0, errBoom
				})
				expired, cancel := context.WithCancel(background)
				cancel()
				_, err := f.Result(expired)
				assert.ErrorIs(t, err, context.Canceled)
				close(gate)
				<-f.Done()
			})
			require.NoError(t, l.Close())
			require.Same(t, errBoom, handler.one(t).Exception)
		})
		t.Run("WrapFuture looks, and its future is the one to look at", func(t *testing.T) {
			here, there := newLoop(t, opts...), newLoop(t, opts...)
			handlerHere, handlerThere := recordErrors(here), recordErrors(there)
			f := asyncio.RunCoroutineThreadsafe(there, failing[int](errBoom, 0))
			wrapped := asyncio.WrapFuture(here.Context(), f)
			turns(t, there, 3)
			turns(t, here, 2)
			require.True(t, wrapped.Done())
			require.NoError(t, there.Close())
			require.NoError(t, here.Close())
			handlerThere.none(t)
			require.Same(t, errBoom, handlerHere.one(t).Exception)
		})
		t.Run("a panic in a thread whose await was cancelled", func(t *testing.T) {
			l := newLoop(t, opts...)
			handler := recordErrors(l)
			inTask(t, l, func(ctx context.Context) {
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
				yield(t, ctx, 2)
			})
			c := handler.one(t)
			require.Contains(t, c.Message, "cancelled")
			var p *asyncio.PanicError
			require.ErrorAs(t, c.Exception, &p)
			require.Equal(t, "late", p.Value)
		})
		t.Run("a panic in a thread whose loop was closed", func(t *testing.T) {
			noLeaks(t)
			log, logTo := recordLog()
			l, err := asyncio.NewEventLoop(append(opts, logTo)...)
			require.NoError(t, err)
			pool := asyncio.NewThreadPool(1)
			gate := make(chan struct{})
			asyncio.RunInExecutor(l.Context(), pool, func() (int, error) { <-gate; panic("later") })
			require.NoError(t, l.Close())
			close(gate)
			pool.Shutdown(true)
			require.Len(t, log.matching("whose loop was closed exception=panic: later"), 1)
		})
	})
}

// TestSilenceInDebugMode is about the place where what is told was made.
func TestSilenceInDebugMode(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := newLoop(t, append(opts, asyncio.WithDebug(true))...)
		handler := recordErrors(l)
		dropTask(l.Context(), func(context.Context) error { return errBoom })
		turn(t, l)
		dropTask(l.Context(), sleepsLong)
		turn(t, l)
		require.NoError(t, l.Close())
		require.Len(t, handler.got, 2)
		for _, c := range handler.got {
			first, _, _ := strings.Cut(c.SourceTraceback, "\n")
			require.Contains(t, first, "dropTask", c.Message)
		}
	})
}

// TestSilenceUnclosed is about what was left open.
func TestSilenceUnclosed(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		listening := func(t *testing.T, debug, closed bool) *logRecorder {
			noLeaks(t)
			log, logTo := recordLog()
			l, err := asyncio.NewEventLoop(append(opts, logTo, asyncio.WithDebug(debug))...)
			require.NoError(t, err)
			inTask(t, l, func(ctx context.Context) {
				s, err := l.CreateServer(ctx, newTap(l).factory, "tcp", "127.0.0.1:0")
				require.NoError(t, err)
				if closed {
					s.Close()
				}
			})
			require.NoError(t, l.Close())
			return log
		}
		t.Run("debug mode names servers", func(t *testing.T) {
			require.Len(t, listening(t, true, false).matching("unclosed server"), 1)
		})
		t.Run("not those that were closed, and not without debug mode", func(t *testing.T) {
			require.Empty(t, listening(t, true, true).lines)
			require.Empty(t, listening(t, false, false).lines)
		})
		t.Run("a loop that is dropped", func(t *testing.T) {
			driver := opts[0]
			l := newLoop(t, driver)
			limited, cancel := context.WithTimeout(context.Background(), hangLimit)
			defer cancel()
			child := exec.CommandContext(limited, os.Args[0])
			child.Env = append(os.Environ(), childProgram+"=drops its loops", childDriver+"="+strconv.Itoa(int(l.Driver())),
				"ASAN_OPTIONS=detect_leaks=0") // it leaks on purpose
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
	log, logTo := recordLog()
	opts = append(opts, logTo)
	for i, last := range [][]asyncio.Option{{asyncio.WithDebug(true)}, {asyncio.WithDebug(false)}} {
		dropLoop(append(opts, last...)...)
		for len(log.matching("unclosed")) <= i {
			runtime.GC()
			runtime.Gosched()
		}
		say("%s", log.matching("unclosed")[i])
	}
	l, err := asyncio.NewEventLoop(opts...)
	if err != nil || l.Close() != nil {
		panic("no loop")
	}
	for range 10 {
		runtime.GC()
	}
	if n := len(log.matching("unclosed")); n != 2 {
		panic(n)
	}
	say("closed")
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
