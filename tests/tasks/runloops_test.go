package tasks_test

// RunLoops: what ends one loop ends all, and nothing of them is left.

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// loopsSeen keeps the loops of one RunLoops, by their numbers.
type loopsSeen struct {
	mu    sync.Mutex
	loops map[int]*asyncio.Loop
}

func (s *loopsSeen) add(ctx context.Context, i int) *asyncio.Loop {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loops == nil {
		s.loops = make(map[int]*asyncio.Loop)
	}
	s.loops[i] = testkit.LoopOf(ctx)
	return s.loops[i]
}

// closed fails the test unless there were n loops, each another one, and all are closed.
func (s *loopsSeen) closed(t *testing.T, n int) {
	t.Helper()
	require.Len(t, s.loops, n)
	different := make(map[*asyncio.Loop]bool)
	for i, l := range s.loops {
		require.True(t, l.IsClosed(), "loop %d", i)
		different[l] = true
	}
	require.Len(t, different, n)
}

// meeting lets the mains of n loops wait until all are there.
func meeting(n int) func() {
	var all sync.WaitGroup
	all.Add(n)
	return func() {
		all.Done()
		all.Wait()
	}
}

func TestRunLoops(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		const n = 3
		t.Run("each has a loop and a goroutine of its own", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			var seen loopsSeen
			met := meeting(n)
			require.NoError(t, asyncio.RunLoops(n, func(ctx context.Context, i int) error {
				l := seen.add(ctx, i)
				met() // the loops run side by side
				_, err := asyncio.ToThread(ctx, func(context.Context) (int, error) { return 0, nil })
				require.NoError(t, err)
				require.Same(t, l, testkit.LoopOf(ctx))
				return asyncio.Sleep(ctx, time.Duration(i)*time.Millisecond)
			}, opts...))
			seen.closed(t, n)
		})
		t.Run("one that returns nil ends only itself", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			firstEnded := make(chan struct{})
			var slow bool
			require.NoError(t, asyncio.RunLoops(2, func(ctx context.Context, i int) error {
				if i == 0 {
					asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
						defer close(firstEnded) // in the end of its Runner
						return testkit.SleepsLong(ctx)
					}))
					return asyncio.Sleep(ctx, 0)
				}
				_, err := asyncio.ToThread(ctx, func(context.Context) (int, error) { <-firstEnded; return 0, nil })
				slow = err == nil
				return err
			}, opts...))
			require.True(t, slow)
		})
		t.Run("the first error, as it is", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			var seen loopsSeen
			var cleaned atomic.Int32
			met := meeting(n)
			err := asyncio.RunLoops(n, func(ctx context.Context, i int) error {
				seen.add(ctx, i)
				met()
				if i == 1 {
					return testkit.ErrBoom
				}
				err := testkit.SleepsLong(ctx)
				var cancelled *asyncio.CancelledError
				assert.ErrorAs(t, err, &cancelled)
				assert.Same(t, testkit.ErrBoom, cancelled.Msg, "it hears why")
				if asyncio.Sleep(ctx, 10*time.Millisecond) == nil { // the end may await
					cleaned.Add(1)
				}
				if i == 0 {
					return errors.New("a later error")
				}
				return err
			}, opts...)
			require.Same(t, testkit.ErrBoom, err)
			require.EqualValues(t, n-1, cleaned.Load())
			seen.closed(t, n)
		})
		t.Run("a panic", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			err := asyncio.RunLoops(n, func(ctx context.Context, i int) error {
				if i == 2 {
					panic(testkit.ErrBoom)
				}
				return testkit.SleepsLong(ctx)
			}, opts...)
			var panicked *asyncio.PanicError
			require.ErrorAs(t, err, &panicked)
			require.Equal(t, testkit.ErrBoom, panicked.Value)
		})
		t.Run("Goexit leaves RunLoops too, when the others have ended", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			var ended atomic.Int32
			met := meeting(n)
			testkit.Unwinds(t, func() {
				_ = asyncio.RunLoops(n, func(ctx context.Context, i int) error {
					met()
					if i == 0 {
						runtime.Goexit()
					}
					defer ended.Add(1)
					return testkit.SleepsLong(ctx)
				}, opts...)
			})
			require.EqualValues(t, n-1, ended.Load())
		})
		t.Run("a main that cancels itself", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			err := asyncio.RunLoops(n, func(ctx context.Context, i int) error {
				if i == 0 {
					asyncio.CurrentTask(ctx).Cancel("mine")
				}
				return testkit.SleepsLong(ctx)
			}, opts...)
			testkit.WantCancelled(t, err, "mine")
		})
	})
}

func TestRunLoopsIsEnded(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("by WithContext's context", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), testkit.CtxKey("v"), 7))
			met := meeting(2)
			err := asyncio.RunLoops(2, func(ctx context.Context, i int) error {
				assert.Equal(t, 7, ctx.Value(testkit.CtxKey("v")))
				met()
				if i == 0 {
					cancel(testkit.ErrBoom)
				}
				return testkit.SleepsLong(ctx)
			}, append(opts, asyncio.WithContext(ctx))...)
			testkit.WantCancelled(t, err, testkit.ErrBoom)
			require.NotErrorIs(t, err, asyncio.ErrInterrupted)
			require.Error(t, asyncio.RunLoops(2, func(ctx context.Context, _ int) error {
				return testkit.SleepsLong(ctx)
			}, append(opts, asyncio.WithContext(ctx))...), "it has ended before")
		})
		t.Run("and mains that have caught it", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			ctx, cancel := context.WithCancel(context.Background())
			require.NoError(t, asyncio.RunLoops(2, func(ctx context.Context, i int) error {
				if i == 0 {
					cancel()
				}
				_ = testkit.SleepsLong(ctx)
				return nil
			}, append(opts, asyncio.WithContext(ctx))...))
		})
		t.Run("what a main leaves is waited for", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			var ended atomic.Int32
			met := meeting(2)
			require.Same(t, testkit.ErrBoom, asyncio.RunLoops(2, func(ctx context.Context, i int) error {
				met()
				if i == 0 {
					return testkit.ErrBoom
				}
				testkit.Start(ctx, func(ctx context.Context) error {
					_ = testkit.SleepsLong(ctx)
					defer ended.Add(1)
					return asyncio.Sleep(ctx, 20*time.Millisecond)
				})
				_ = testkit.SleepsLong(ctx)
				asyncio.RunInExecutor(ctx, nil, func() (int, error) { ended.Add(1); return 0, nil })
				return asyncio.Sleep(ctx, 0)
			}, opts...))
			require.EqualValues(t, 2, ended.Load(), "the task, and the function in the executor")
		})
	})
}

func TestRunLoopsOptions(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		driver := asynciotest.New(t, opts...).Driver()
		for name, opt := range map[string]asyncio.Option{
			"WithDebug":        asyncio.WithDebug(true),
			"WithLockedThread": asyncio.WithLockedThread(),
			"WithEagerTasks":   asyncio.WithEagerTasks(),
		} {
			t.Run(name, func(t *testing.T) {
				asynciotest.VerifyNoLeaks(t)
				var served atomic.Int32
				require.NoError(t, asyncio.RunLoops(2, func(ctx context.Context, _ int) error {
					l := testkit.LoopOf(ctx)
					assert.Equal(t, driver, l.Driver())
					assert.True(t, name != "WithDebug" || l.Debug())
					_, err := testkit.Start(ctx, func(ctx context.Context) error { served.Add(1); return asyncio.Sleep(ctx, 1) }).Await(ctx)
					return err
				}, append(opts, opt)...))
				require.EqualValues(t, 2, served.Load())
			})
		}
		t.Run("the caller's slice stays", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			room := append(slices.Grow(opts, 8), asyncio.WithDebug(false))
			require.NoError(t, asyncio.RunLoops(1, func(context.Context, int) error { return nil }, room...))
			require.Nil(t, room[:cap(room)][len(room)])
		})
	})
}

func TestRunLoopsMisuse(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.VerifyNoLeaks(t)
		main := func(context.Context, int) error { t.Error("main ran"); return nil }
		for _, n := range []int{0, -1} {
			err := testkit.PanicError(t, func() { _ = asyncio.RunLoops(n, main, opts...) })
			require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
			testkit.ErrorSays(t, err, strconv.Itoa(n))
		}
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _ = asyncio.RunLoops(1, nil, opts...) })
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(context.Context) {
			require.ErrorIs(t, asyncio.RunLoops(2, main, opts...), asyncio.ErrLoopRunning)
		})
		require.ErrorContains(t, asyncio.RunLoops(3, main, append(opts, asyncio.WithDriver(7))...), "there is no driver 7")
	})
}
