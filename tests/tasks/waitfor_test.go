// WaitFor: a time limit on one awaitable, which runs in the caller's task.
package tasks_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestWaitFor(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("WFOR-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f := asyncio.NewFuture[string](l)
				l.CallSoon(func() { f.SetResult("done") })
				for _, aw := range []asyncio.Awaitable[string]{
					testkit.Returning("done", 2), f, asyncio.CreateTask(ctx, testkit.Returning("done", 2)),
				} {
					v, err := asyncio.WaitFor(ctx, aw, asyncio.Forever)
					require.NoError(t, err)
					require.Equal(t, "done", v)
				}
				require.Equal(t, 0, l.Stats().Timers, "no limit needs no timer")
			})
		})
		t.Run("WFOR-02", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				cleaned := false
				tk := testkit.Start(ctx, func(ctx context.Context) error {
					defer func() { cleaned = true }()
					return testkit.SleepsLong(ctx)
				})
				testkit.Took(t, 100*time.Millisecond, func() {
					_, err := asyncio.WaitFor(ctx, tk, 100*time.Millisecond)
					testkit.WantTimeout(t, err)
				})
				require.True(t, cleaned, "the clean-up ran before the error surfaced")
				require.True(t, tk.Done())
				require.True(t, tk.Cancelled())
				require.Equal(t, 0, asyncio.CurrentTask(ctx).Cancelling())
				asynciotest.Yield(t, ctx, 1)
			})
		})
		t.Run("WFOR-03", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f := asyncio.NewFuture[string](l)
				require.NoError(t, f.SetResult("done"))
				failed := asyncio.NewFuture[string](l)
				require.NoError(t, failed.SetException(testkit.ErrBoom))
				for _, timeout := range []time.Duration{0, -1, -time.Hour} {
					v, err := asyncio.WaitFor(ctx, f, timeout)
					require.NoError(t, err)
					require.Equal(t, "done", v)
					_, err = asyncio.WaitFor(ctx, failed, timeout)
					require.ErrorIs(t, err, testkit.ErrBoom)
				}
			})
		})
		t.Run("WFOR-04", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				started := false
				body := asyncio.Do(func(context.Context) error { started = true; return nil })
				for _, timeout := range []time.Duration{0, -1, -time.Hour} {
					_, err := asyncio.WaitFor(ctx, body, timeout)
					testkit.WantTimeout(t, err)
				}
				asynciotest.Yield(t, ctx, 3)
				require.False(t, started)
				require.Len(t, asyncio.AllTasks(l), 1)
			})
		})
		t.Run("WFOR-06", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			rec := asynciotest.RecordReports(l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f := asyncio.NewFuture[string](l)
				l.CallSoon(func() { f.SetResult("ok") })
				v, err := asyncio.WaitFor(ctx, f, time.Hour)
				require.NoError(t, err)
				require.Equal(t, "ok", v)
				asynciotest.Yield(t, ctx, 2)
				require.Equal(t, 0, l.Stats().Timers, "the limit's timer is gone")
			})
			rec.None(t)
		})
		t.Run("the awaited error comes out as it is", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, err := asyncio.WaitFor(ctx, testkit.Failing[int](testkit.ErrBoom, 1), time.Hour)
				require.Equal(t, testkit.ErrBoom, err)
			})
		})
		t.Run("a coroutine runs in the caller's task, with a context that has the deadline", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				me := asyncio.CurrentTask(ctx)
				before := time.Now()
				_, err := asyncio.WaitFor(ctx, asyncio.Do(func(ctx context.Context) error {
					require.Equal(t, me.Name(), asyncio.CurrentTask(ctx).Name())
					require.Len(t, asyncio.AllTasks(l), 1)
					deadline, ok := ctx.Deadline()
					require.True(t, ok)
					require.WithinRange(t, deadline, before.Add(59*time.Minute), time.Now().Add(time.Hour+time.Second))
					return nil
				}), time.Hour)
				require.NoError(t, err)
			})
		})
	})
}

func TestWaitForCancelled(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("WFOR-07", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				inner := asyncio.Coro[int](func(ctx context.Context) (int, error) {
					testkit.WantCancelled(t, testkit.SleepsLong(ctx), nil)
					return 1, nil
				})
				for _, aw := range []asyncio.Awaitable[int]{inner, asyncio.CreateTask(ctx, inner)} {
					v, err := asyncio.WaitFor(ctx, aw, 10*time.Millisecond)
					require.NoError(t, err)
					require.Equal(t, 1, v)
					require.Equal(t, 0, asyncio.CurrentTask(ctx).Cancelling())
				}
			})
		})
		t.Run("WFOR-08", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				inner := asyncio.Do(func(ctx context.Context) error {
					err := testkit.SleepsLong(ctx)
					require.NoError(t, asyncio.Sleep(ctx, 100*time.Millisecond))
					return err
				})
				for _, aw := range []asyncio.Awaitable[asyncio.None]{inner, asyncio.CreateTask(ctx, inner)} {
					testkit.Took(t, 100*time.Millisecond, func() {
						_, err := asyncio.WaitFor(ctx, aw, testkit.Soon)
						testkit.WantTimeout(t, err)
						caused, ok := err.(interface{ Cause() error })
						require.True(t, ok, "%T does not tell its cause", err)
						require.ErrorIs(t, caused.Cause(), asyncio.ErrCancelled)
					})
				}
			})
		})
		t.Run("WFOR-09", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				inner := asyncio.Do(func(ctx context.Context) error {
					testkit.WantCancelled(t, testkit.SleepsLong(ctx), nil)
					return testkit.ErrBoom
				})
				for _, aw := range []asyncio.Awaitable[asyncio.None]{inner, asyncio.CreateTask(ctx, inner)} {
					_, err := asyncio.WaitFor(ctx, aw, testkit.Soon)
					require.Equal(t, testkit.ErrBoom, err)
				}
			})
		})
		t.Run("WFOR-10", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			for _, timeout := range []time.Duration{asyncio.Forever, time.Minute} {
				interrupted := 0
				inner := func(ctx context.Context) error {
					err := testkit.SleepsLong(ctx)
					testkit.WantCancelled(t, err, "outer")
					interrupted++
					return err
				}
				tk := testkit.Start(l.Context(), inner)
				f := asyncio.NewFuture[asyncio.None](l)
				for i, aw := range []asyncio.Awaitable[asyncio.None]{asyncio.Do(inner), tk, f} {
					waiter := testkit.Start(l.Context(), func(ctx context.Context) error {
						_, err := asyncio.WaitFor(ctx, aw, timeout)
						return err
					})
					asynciotest.Turns(t, l, 2)
					require.True(t, waiter.Cancel("outer"))
					_, err := asyncio.RunUntilComplete[asyncio.None](l, waiter)
					testkit.WantCancelled(t, err, "outer")
					require.True(t, waiter.Cancelled())
					require.Equal(t, min(i+1, 2), interrupted)
				}
				require.True(t, tk.Cancelled())
				require.True(t, f.Cancelled())
			}
		})
		t.Run("WFOR-11", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			inner := asyncio.NewFuture[string](l)
			passed := false
			outer := testkit.Start(l.Context(), func(ctx context.Context) error {
				if _, err := asyncio.WaitFor(ctx, inner, time.Minute); err != nil {
					return err
				}
				passed = true
				return nil
			})
			asynciotest.Turn(t, l)
			require.NoError(t, inner.SetResult("done"))
			require.True(t, outer.Cancel())
			_, err := asyncio.RunUntilComplete[asyncio.None](l, outer)
			testkit.WantCancelled(t, err, nil)
			require.False(t, passed)
			v, err := inner.Result()
			require.NoError(t, err)
			require.Equal(t, "done", v)
		})
		t.Run("WFOR-13", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				tk := asyncio.CreateTask(ctx, testkit.Returning("inner", 5))
				for _, timeout := range []time.Duration{0, -1} {
					shield := asyncio.Shield[string](ctx, tk)
					_, err := asyncio.WaitFor(ctx, shield, timeout)
					testkit.WantTimeout(t, err)
					require.True(t, shield.Cancelled())
					require.False(t, tk.Done())
				}
				v, err := tk.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, "inner", v)
			})
		})
		t.Run("no time left: a task is cancelled and waited for", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				gate := asyncio.NewFuture[int](l)
				obeying := asyncio.CreateTask(ctx, stubborn(gate, obeys[int]))
				keeping := asyncio.CreateTask(ctx, stubborn(gate, swallows[int]))
				asynciotest.Yield(t, ctx, 1)
				opened := false
				keeping.AddDoneCallback(func(*asyncio.Task[int]) { require.True(t, opened) })
				l.CallLater(10*time.Millisecond, func() { opened = true; gate.SetResult(6) })
				_, err := asyncio.WaitFor(ctx, obeying, 0)
				testkit.WantTimeout(t, err)
				require.True(t, opened, "it waited for the end of the task's clean-up")
				v, err := asyncio.WaitFor(ctx, keeping, 0)
				require.NoError(t, err, "a task that kept its cancellation back has a result")
				require.Equal(t, 6, v)
			})
		})
		t.Run("a cancelled awaitable is a cancellation, not a timeout", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f := asyncio.NewFuture[int](l)
				l.CallSoon(func() { f.Cancel("inner") })
				_, err := asyncio.WaitFor(ctx, f, time.Hour)
				testkit.WantCancelled(t, err, "inner")
				require.Equal(t, 0, asyncio.CurrentTask(ctx).Cancelling())
			})
		})
		t.Run("nested: the shorter limit is the one that times out", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				reached := false
				v, err := asyncio.WaitFor(ctx, asyncio.Coro[int](func(ctx context.Context) (int, error) {
					_, err := asyncio.WaitFor(ctx, asyncio.Do(testkit.SleepsLong), testkit.Soon)
					testkit.WantTimeout(t, err)
					reached = true
					return 5, asyncio.Sleep(ctx, 0)
				}), time.Hour)
				require.NoError(t, err)
				require.Equal(t, 5, v)
				require.True(t, reached)
				_, err = asyncio.WaitFor(ctx, asyncio.Do(func(ctx context.Context) error {
					_, err := asyncio.WaitFor(ctx, asyncio.Do(testkit.SleepsLong), time.Hour)
					testkit.WantCancelled(t, err, nil)
					return err
				}), testkit.Soon)
				testkit.WantTimeout(t, err)
			})
		})
	})
}
