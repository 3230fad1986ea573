// Shield: what a cancellation of the outside does not do to the inside.
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

func TestShield(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("SHD-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			outer := asyncio.Shield[int](l.Context(), f)
			f.SetResult(42)
			v, err := asyncio.RunUntilComplete[int](l, outer)
			require.NoError(t, err)
			require.Equal(t, 42, v)

			f = asyncio.NewFuture[int](l)
			outer = asyncio.Shield[int](l.Context(), f)
			f.SetException(testkit.ErrBoom)
			_, err = asyncio.RunUntilComplete[int](l, outer)
			require.Same(t, testkit.ErrBoom, err)
		})
		t.Run("SHD-04", func(t *testing.T) {
			for _, shields := range []int{1, 2} {
				l := asynciotest.New(t, opts...)
				rec := asynciotest.RecordReports(l)
				f := asyncio.NewFuture[int](l)
				for range shields {
					outer := asyncio.Shield[int](l.Context(), f)
					require.True(t, outer.Cancel())
					require.True(t, outer.Cancelled())
				}
				asynciotest.Turn(t, l)
				require.NoError(t, f.SetException(testkit.ErrBoom))
				asynciotest.Turns(t, l, 3)
				c := rec.One(t)
				require.ErrorIs(t, c.Exception, testkit.ErrBoom)
				require.NotEmpty(t, c.Message)
			}
		})
		t.Run("an inner result after the outer was cancelled is no report", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			rec := asynciotest.RecordReports(l)
			ok, cancelled := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
			require.True(t, asyncio.Shield[int](l.Context(), ok).Cancel())
			require.True(t, asyncio.Shield[int](l.Context(), cancelled).Cancel())
			ok.SetResult(1)
			cancelled.Cancel()
			asynciotest.Turns(t, l, 3)
			rec.None(t)
		})
		t.Run("SHD-05", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			require.NoError(t, f.SetResult(1))
			require.Same(t, f, asyncio.Shield[int](l.Context(), f), "a done future needs no shield")
			tk := asyncio.CreateTask(l.Context(), testkit.Returning(2, 0))
			asynciotest.Turn(t, l)
			outer := asyncio.Shield[int](l.Context(), tk)
			require.True(t, outer.Done())
			v, err := outer.Result()
			require.NoError(t, err)
			require.Equal(t, 2, v)
		})
		t.Run("SHD-06", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			gate := asyncio.NewFuture[int](l)
			proof := 0
			inner := asyncio.Coro[int](func(ctx context.Context) (int, error) {
				v, err := gate.Await(ctx)
				proof += v
				return v, err
			})
			outer := asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) {
				v, err := asyncio.Shield[int](ctx, inner).Await(ctx)
				proof += 100
				return v, err
			})
			asynciotest.Turns(t, l, 2)
			require.True(t, outer.Cancel("outer"))
			_, err := asyncio.RunUntilComplete[int](l, outer)
			testkit.WantCancelled(t, err, "outer")
			require.True(t, outer.Cancelled())
			require.Equal(t, 100, proof)
			gate.SetResult(1)
			asynciotest.Turn(t, l)
			require.Equal(t, 101, proof)
			require.Empty(t, asyncio.AllTasks(l))
		})
		t.Run("SHD-07", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			a, b := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
			inner := asyncio.Gather[int](l.Context(), a, b)
			outer := asyncio.Shield[[]int](l.Context(), inner)
			require.True(t, outer.Cancel())
			asynciotest.Turn(t, l)
			require.True(t, outer.Cancelled())
			require.False(t, inner.Done())
			a.SetResult(1)
			b.SetResult(2)
			v, err := asyncio.RunUntilComplete[[]int](l, inner)
			require.NoError(t, err)
			require.Equal(t, []int{1, 2}, v)
		})
	})
}

func TestShieldInner(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("the inner task's cancellation is the outer's", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			inner := testkit.Start(l.Context(), testkit.SleepsLong)
			outer := asyncio.Shield[asyncio.None](l.Context(), inner)
			asynciotest.Turn(t, l)
			require.True(t, inner.Cancel())
			_, err := asyncio.RunUntilComplete[asyncio.None](l, outer)
			testkit.WantCancelled(t, err, nil)
			require.True(t, outer.Cancelled())
		})
		t.Run("a coroutine starts as a task, at once", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			ran := false
			outer := asyncio.Shield[int](l.Context(), asyncio.Coro[int](func(context.Context) (int, error) {
				ran = true
				return 3, nil
			}))
			require.False(t, ran)
			asynciotest.Turn(t, l)
			require.True(t, ran, "it runs although nobody awaits the shield")
			v, err := asyncio.RunUntilComplete[int](l, outer)
			require.NoError(t, err)
			require.Equal(t, 3, v)
		})
		t.Run("a deadline stops at it, and the inner task can be awaited again", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				gate := asyncio.NewFuture[int](l)
				inner := testkit.Awaits(ctx, gate)
				testkit.WantTimeout(t, asyncio.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
					_, err := asyncio.Shield[int](ctx, inner).Await(ctx)
					return err
				}))
				require.False(t, inner.Done())
				require.Equal(t, 0, inner.Cancelling())
				gate.SetResult(9)
				v, err := inner.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, 9, v)
			})
		})
		t.Run("the inner task's context does not end either", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var inner context.Context
				gate := asyncio.NewFuture[int](l)
				outer := testkit.Start(ctx, func(ctx context.Context) error {
					_, err := asyncio.Shield[int](ctx, asyncio.Coro[int](func(ctx context.Context) (int, error) {
						inner = ctx
						return gate.Await(ctx)
					})).Await(ctx)
					return err
				})
				asynciotest.Yield(t, ctx, 2)
				outer.Cancel()
				asynciotest.Yield(t, ctx, 2)
				require.True(t, outer.Cancelled())
				require.NoError(t, inner.Err())
				gate.SetResult(0)
				asynciotest.Yield(t, ctx, 1)
			})
		})
	})
}
