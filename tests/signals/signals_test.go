//go:build unix

package signals_test

// Handlers in this process.

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func raise(t *testing.T, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, syscall.Kill(os.Getpid(), sig))
}

// witness keeps the default of a signal from being done.
func witness(t *testing.T, sig syscall.Signal) <-chan os.Signal {
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, sig)
	t.Cleanup(func() { signal.Stop(heard) })
	return heard
}

func inTask(t *testing.T, test func(t *testing.T, ctx context.Context, l *asyncio.Loop)) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) { test(t, ctx, l) })
	})
}

// counter is a handler that can be waited for.
type counter struct {
	calls int
	event *asyncio.Event
}

func newCounter() *counter { return &counter{event: asyncio.NewEvent()} }

func (c *counter) handle() {
	c.calls++
	c.event.Set()
}

// next waits for a call.
func (c *counter) next(t *testing.T, ctx context.Context) {
	t.Helper()
	require.NoError(t, c.event.Wait(ctx))
	c.event.Clear()
}

func TestAddSignalHandler(t *testing.T) {
	t.Run("SIG-01", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			c := newCounter()
			require.NoError(t, l.AddSignalHandler(syscall.SIGUSR1, c.handle))
			for i := range 3 {
				raise(t, syscall.SIGUSR1)
				c.next(t, ctx)
				require.Equal(t, i+1, c.calls)
			}
			require.True(t, l.RemoveSignalHandler(syscall.SIGUSR1))
			require.False(t, l.RemoveSignalHandler(syscall.SIGUSR1))
			heard := witness(t, syscall.SIGUSR1)
			raise(t, syscall.SIGUSR1)
			<-heard
			asynciotest.Yield(t, ctx, 10)
			require.Equal(t, 3, c.calls)
		})
	})
	t.Run("SIG-02", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			fn := func() { t.Error("called") }
			for _, sig := range []os.Signal{syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGSEGV, syscall.Signal(0), syscall.Signal(-1), syscall.Signal(1000)} {
				err := l.AddSignalHandler(sig, fn)
				require.ErrorIs(t, err, asyncio.ErrInvalidArgument, sig)
				require.ErrorIs(t, err, syscall.EINVAL)
				require.ErrorContains(t, err, "cannot be caught")
				require.False(t, l.RemoveSignalHandler(sig))
			}
			for _, sig := range []os.Signal{nil, made("up")} {
				require.ErrorIs(t, l.AddSignalHandler(sig, fn), asyncio.ErrInvalidArgument)
				require.False(t, l.RemoveSignalHandler(sig))
			}
			testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _ = l.AddSignalHandler(syscall.SIGUSR1, nil) })
			require.False(t, l.RemoveSignalHandler(syscall.SIGUSR1))
			c := newCounter()
			require.NoError(t, l.AddSignalHandler(syscall.SIGUSR1, fn))
			require.NoError(t, l.AddSignalHandler(syscall.SIGUSR1, c.handle))
			raise(t, syscall.SIGUSR1)
			c.next(t, ctx)
			require.True(t, l.RemoveSignalHandler(syscall.SIGUSR1))
			require.False(t, l.RemoveSignalHandler(syscall.SIGUSR1), "one has replaced the other")
		})
	})
	t.Run("a handler is a callback of the loop", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			done := asyncio.NewFuture[bool](l)
			require.NoError(t, l.AddSignalHandler(syscall.SIGUSR1, func() {
				_ = done.SetResult(asyncio.CurrentTask(ctx) == nil)
			}))
			raise(t, syscall.SIGUSR1)
			outside, err := done.Await(ctx)
			require.NoError(t, err)
			require.True(t, outside)
		})
	})
	t.Run("while the loop waits in its poll", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			c := newCounter()
			require.NoError(t, l.AddSignalHandler(syscall.SIGALRM, c.handle))
			go func() { _ = syscall.Kill(os.Getpid(), syscall.SIGALRM) }()
			c.next(t, ctx)
		})
	})
	t.Run("order", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			var order []os.Signal
			c := newCounter()
			sigs := []syscall.Signal{syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGUSR1}
			for _, sig := range sigs {
				require.NoError(t, l.AddSignalHandler(sig, func() {
					order = append(order, sig)
					c.handle()
				}))
			}
			for _, sig := range sigs {
				raise(t, sig)
				c.next(t, ctx)
			}
			require.Equal(t, []os.Signal{syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGUSR1}, order)
		})
	})
	t.Run("a handler that panics", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			reports := asynciotest.RecordReports(l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				c := newCounter()
				require.NoError(t, l.AddSignalHandler(syscall.SIGUSR1, func() {
					c.handle()
					panic("of the handler")
				}))
				for range 2 {
					raise(t, syscall.SIGUSR1)
					c.next(t, ctx)
				}
			})
			require.Len(t, reports.All(), 2)
		})
	})
	t.Run("a handler that removes itself", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			heard := witness(t, syscall.SIGUSR1)
			c := newCounter()
			require.NoError(t, l.AddSignalHandler(syscall.SIGUSR1, func() {
				c.handle()
				require.True(t, l.RemoveSignalHandler(syscall.SIGUSR1))
			}))
			for range 2 {
				raise(t, syscall.SIGUSR1)
				<-heard
			}
			c.next(t, ctx)
			asynciotest.Yield(t, ctx, 10)
			require.Equal(t, 1, c.calls)
		})
	})
}

// made is a signal of no system.
type made string

func (m made) Signal()        {}
func (m made) String() string { return string(m) }

func TestClose(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		heard := witness(t, syscall.SIGUSR1)
		l, err := asyncio.NewEventLoop(opts...)
		require.NoError(t, err)
		fn := func() { t.Error("called") }
		require.NoError(t, l.AddSignalHandler(syscall.SIGUSR1, fn))
		require.NoError(t, l.AddSignalHandler(syscall.SIGUSR2, fn))
		raise(t, syscall.SIGUSR1)
		<-heard
		require.NoError(t, l.Close())
		raise(t, syscall.SIGUSR1)
		<-heard
		require.ErrorIs(t, l.AddSignalHandler(syscall.SIGUSR1, fn), asyncio.ErrLoopClosed)
		require.False(t, l.RemoveSignalHandler(syscall.SIGUSR1))
	})
}

// A handler keeps no loop from ending, and what comes between two runs waits.
func TestRuns(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		heard := witness(t, syscall.SIGUSR1)
		c := newCounter()
		asynciotest.InTask(t, l, func(ctx context.Context) {
			require.NoError(t, l.AddSignalHandler(syscall.SIGUSR1, c.handle))
		})
		raise(t, syscall.SIGUSR1)
		<-heard
		require.Zero(t, c.calls)
		asynciotest.InTask(t, l, func(ctx context.Context) { c.next(t, ctx) })
		require.Equal(t, 1, c.calls)
	})
}

func TestSeveralLoops(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		const loops = 3
		var ready, heard atomic.Int32
		err := asyncio.RunLoops(loops, func(ctx context.Context, i int) error {
			l, err := asyncio.GetRunningLoop(ctx)
			if err != nil {
				return err
			}
			c := newCounter()
			if err := l.AddSignalHandler(syscall.SIGUSR1, c.handle); err != nil {
				return err
			}
			if ready.Add(1) == loops {
				raise(t, syscall.SIGUSR1)
			}
			if err := c.event.Wait(ctx); err != nil {
				return err
			}
			heard.Add(1)
			return nil
		}, opts...)
		require.NoError(t, err)
		require.EqualValues(t, loops, heard.Load())
	})
}

func TestMany(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		one, other := newCounter(), newCounter()
		require.NoError(t, l.AddSignalHandler(syscall.SIGUSR1, one.handle))
		require.NoError(t, l.AddSignalHandler(syscall.SIGWINCH, other.handle))
		for range 5000 {
			raise(t, syscall.SIGUSR1)
			raise(t, syscall.SIGWINCH)
		}
		one.next(t, ctx)
		other.next(t, ctx)
		require.NoError(t, asyncio.Sleep(ctx, time.Millisecond))
		require.LessOrEqual(t, one.calls, 5000)
	})
}
