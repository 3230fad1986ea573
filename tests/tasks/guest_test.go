// Guests: a task that another one awaits runs on that one's stack. Nobody can tell, but
// by a Goexit.
package tasks_test

import (
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// hosting awaits a task that runs body, and is found by its name on stacks. Both are
// ready in one turn, so no poll comes between them.
//
//go:noinline
func hosting(ctx context.Context, body func(ctx context.Context) error) error {
	l, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	ready := asyncio.NewFuture[asyncio.None](l)
	var task *asyncio.Task[asyncio.None]
	l.CallSoon(func() {
		_ = ready.SetResult(asyncio.None{})
		task = asyncio.CreateTask(l.Context(), asyncio.Do(body))
	})
	if _, err = ready.Await(ctx); err == nil {
		_, err = task.Await(ctx)
	}
	return err
}

// isGuest reports whether the caller's task runs on another one's stack.
func isGuest() bool {
	buf := make([]byte, 1<<16)
	stack := string(buf[:runtime.Stack(buf, false)])
	return strings.Contains(stack, "asyncio.(*task).entertain")
}

func TestGuest(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, append(opts, asyncio.WithDebug(false))...)
		t.Run("suspends, and its host goes on after it, as without guests", func(t *testing.T) {
			events := func(t *testing.T, guests bool) []string {
				l := asynciotest.New(t, append(opts, asyncio.WithDebug(!guests))...)
				var trace asynciotest.Trace
				asynciotest.InTask(t, l, func(ctx context.Context) {
					others := 0
					var other func()
					other = func() {
						trace.Addf("other")
						if others++; others < 6 {
							l.CallSoon(other)
						}
					}
					l.CallSoon(other)
					require.ErrorIs(t, hosting(ctx, func(ctx context.Context) error {
						require.Equal(t, guests, isGuest())
						for range 2 {
							trace.Addf("guest")
							_ = asyncio.Sleep(ctx, 0)
						}
						return testkit.ErrBoom
					}), testkit.ErrBoom)
					trace.Addf("host")
				})
				return trace.Events()
			}
			var without []string
			t.Run("without", func(t *testing.T) { without = events(t, false) })
			t.Run("with", func(t *testing.T) { require.Equal(t, without, events(t, true)) })
		})
		t.Run("passes a panic to its host as an error", func(t *testing.T) {
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var p *asyncio.PanicError
				require.ErrorAs(t, hosting(ctx, func(context.Context) error { panic("guest") }), &p)
				require.Equal(t, "guest", p.Value)
			})
		})
		t.Run("is none where a derived context may end the wait", func(t *testing.T) {
			asynciotest.InTask(t, l, func(ctx context.Context) {
				derived, cancel := context.WithCancel(ctx)
				release := asyncio.NewFuture[int](l)
				task := testkit.Start(ctx, func(ctx context.Context) error {
					require.False(t, isGuest())
					cancel()
					_, err := release.Await(ctx)
					return err
				})
				_, err := task.Await(derived)
				require.ErrorIs(t, err, context.Canceled)
				require.False(t, task.Done(), "it lives on")
				require.NoError(t, release.SetResult(1))
				_, err = task.Await(ctx)
				require.NoError(t, err)
			})
		})
		t.Run("its host's stack is that below", func(t *testing.T) {
			asynciotest.InTask(t, l, func(ctx context.Context) {
				host := asyncio.CurrentTask(ctx)
				looks := func() {
					require.Contains(t, host.Stack(), "hosting")
					require.NotContains(t, host.Stack(), "guestWaits")
				}
				var guest asyncio.AnyTask
				release := asyncio.NewFuture[int](l)
				watcher := testkit.Start(ctx, func(ctx context.Context) error {
					for guest == nil {
						_ = asyncio.Sleep(ctx, 0)
					}
					looks()
					require.Contains(t, guest.Stack(), "guestWaits")
					require.NotContains(t, guest.Stack(), "hosting")
					return release.SetResult(1)
				})
				require.NoError(t, hosting(ctx, func(ctx context.Context) error {
					guest = asyncio.CurrentTask(ctx)
					looks()
					asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error { looks(); return nil }), asyncio.EagerStart(true))
					return guestWaits(ctx, release)
				}))
				_, err := watcher.Await(ctx)
				require.NoError(t, err)
			})
		})
		t.Run("that awaits its host is interrupted, whoever is cancelled", func(t *testing.T) {
			asynciotest.InTask(t, l, func(ctx context.Context) {
				for _, cancelGuest := range []bool{false, true} {
					var guest asyncio.AnyTask
					var host *asyncio.Task[asyncio.None]
					host = asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
						return hosting(ctx, func(ctx context.Context) error {
							guest = asyncio.CurrentTask(ctx)
							_, err := host.Await(ctx)
							return err
						})
					}))
					for guest == nil {
						require.NoError(t, asyncio.Sleep(ctx, 0))
					}
					_ = asyncio.Sleep(ctx, 0)
					if cancelGuest {
						guest.Cancel()
					} else {
						host.Cancel()
					}
					_, err := host.Await(ctx)
					require.ErrorIs(t, err, context.Canceled)
					require.True(t, guest.Cancelled())
				}
			})
		})
	})
}

//go:noinline
func guestWaits(ctx context.Context, f *asyncio.Future[int]) error {
	_, err := f.Await(ctx)
	return err
}

func TestGuestGoexit(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, append(opts, asyncio.WithDebug(false))...)
		unwound, ended := false, 0
		var guest asyncio.AnyTask
		host := testkit.Start(l.Context(), func(ctx context.Context) error {
			defer func() { ended++ }()
			return hosting(ctx, func(ctx context.Context) error {
				defer func() { ended++ }()
				guest = asyncio.CurrentTask(ctx)
				unwound = isGuest()
				runtime.Goexit()
				return nil
			})
		})
		asyncio.CreateTask(l.Context(), testkit.One) // leaves nothing behind
		testkit.Unwinds(t, func() { _ = l.RunForever() })
		require.True(t, unwound, "it was no guest")
		require.Equal(t, 2, ended, "the host ends with its guest")
		testkit.ErrorSays(t, host.Exception(), "Goexit")
		testkit.ErrorSays(t, guest.Exception(), "Goexit")
		asynciotest.InTask(t, l, func(ctx context.Context) { // the loop is fit for the next run
			require.NoError(t, hosting(ctx, func(ctx context.Context) error { return asyncio.Sleep(ctx, 0) }))
		})
	})
}

func TestGuestClose(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.VerifyNoLeaks(t)
		l, err := asyncio.NewEventLoop(append(opts, asyncio.WithDebug(false))...)
		require.NoError(t, err)
		reports := asynciotest.RecordReports(l)
		var ends []error
		testkit.Start(l.Context(), func(ctx context.Context) error {
			err := hosting(ctx, func(ctx context.Context) error {
				l.CallSoon(l.Stop)
				err := guestWaits(ctx, asyncio.NewFuture[int](l))
				ends = append(ends, err)
				return err
			})
			ends = append(ends, err)
			return err
		})
		require.NoError(t, l.RunForever())
		require.NoError(t, l.Close())
		require.Len(t, ends, 2)
		require.ErrorIs(t, ends[0], asyncio.ErrLoopClosed)
		require.ErrorIs(t, ends[1], asyncio.ErrLoopClosed)
		require.Len(t, reports.All(), 2)
	})
}
