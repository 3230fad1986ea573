// Shield: what a cancellation of the outside does not do to the inside.
package asyncio_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

func TestShield(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("SHD-01", func(t *testing.T) {
			l := newLoop(t, opts...)
			f := asyncio.NewFuture[int](l)
			outer := asyncio.Shield[int](l.Context(), f)
			f.SetResult(42)
			v, err := asyncio.RunUntilComplete[int](l, outer)
			require.NoError(t, err)
			require.Equal(t, 42, v)

			f = asyncio.NewFuture[int](l)
			outer = asyncio.Shield[int](l.Context(), f)
			f.SetException(errBoom)
			_, err = asyncio.RunUntilComplete[int](l, outer)
			require.Same(t, errBoom, err)
		})
		t.Run("SHD-04", func(t *testing.T) {
			for _, shields := range []int{1, 2} {
				l := newLoop(t, opts...)
				rec := recordErrors(l)
				f := asyncio.NewFuture[int](l)
				for range shields {
					outer := asyncio.Shield[int](l.Context(), f)
					require.True(t, outer.Cancel())
					require.True(t, outer.Cancelled())
				}
				turn(t, l)
				require.NoError(t, f.SetException(errBoom))
				turns(t, l, 3)
				c := rec.one(t)
				require.ErrorIs(t, c.Exception, errBoom)
				require.NotEmpty(t, c.Message)
			}
		})
		t.Run("an inner result after the outer was cancelled is no report", func(t *testing.T) {
			l := newLoop(t, opts...)
			rec := recordErrors(l)
			ok, cancelled := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
			require.True(t, asyncio.Shield[int](l.Context(), ok).Cancel())
			require.True(t, asyncio.Shield[int](l.Context(), cancelled).Cancel())
			ok.SetResult(1)
			cancelled.Cancel()
			turns(t, l, 3)
			rec.none(t)
		})
		t.Run("SHD-05", func(t *testing.T) {
			l := newLoop(t, opts...)
			f := asyncio.NewFuture[int](l)
			require.NoError(t, f.SetResult(1))
			require.Same(t, f, asyncio.Shield[int](l.Context(), f), "a done future needs no shield")
			tk := asyncio.CreateTask(l.Context(), returning(2, 0))
			turn(t, l)
			outer := asyncio.Shield[int](l.Context(), tk)
			require.True(t, outer.Done())
			v, err := outer.Result()
			require.NoError(t, err)
			require.Equal(t, 2, v)
		})
		t.Run("SHD-06", func(t *testing.T) {
			l := newLoop(t, opts...)
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
			turns(t, l, 2)
			require.True(t, outer.Cancel("outer"))
			_, err := asyncio.RunUntilComplete[int](l, outer)
			wantCancelled(t, err, "outer")
			require.True(t, outer.Cancelled())
			require.Equal(t, 100, proof)
			gate.SetResult(1)
			turn(t, l)
			require.Equal(t, 101, proof)
			require.Empty(t, asyncio.AllTasks(l))
		})
		t.Run("SHD-07", func(t *testing.T) {
			l := newLoop(t, opts...)
			a, b := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
			inner := asyncio.Gather[int](l.Context(), a, b)
			outer := asyncio.Shield[[]int](l.Context(), inner)
			require.True(t, outer.Cancel())
			turn(t, l)
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
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("the inner task's cancellation is the outer's", func(t *testing.T) {
			l := newLoop(t, opts...)
			inner := start(l.Context(), sleepsLong)
			outer := asyncio.Shield[asyncio.None](l.Context(), inner)
			turn(t, l)
			require.True(t, inner.Cancel())
			_, err := asyncio.RunUntilComplete[asyncio.None](l, outer)
			wantCancelled(t, err, nil)
			require.True(t, outer.Cancelled())
		})
		t.Run("a coroutine starts as a task, at once", func(t *testing.T) {
			l := newLoop(t, opts...)
			ran := false
			outer := asyncio.Shield[int](l.Context(), asyncio.Coro[int](func(context.Context) (int, error) {
				ran = true
				return 3, nil
			}))
			require.False(t, ran)
			turn(t, l)
			require.True(t, ran, "it runs although nobody awaits the shield")
			v, err := asyncio.RunUntilComplete[int](l, outer)
			require.NoError(t, err)
			require.Equal(t, 3, v)
		})
		t.Run("a deadline stops at it, and the inner task can be awaited again", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				gate := asyncio.NewFuture[int](l)
				inner := awaits(ctx, gate)
				wantTimeout(t, asyncio.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
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
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				var inner context.Context
				gate := asyncio.NewFuture[int](l)
				outer := start(ctx, func(ctx context.Context) error {
					_, err := asyncio.Shield[int](ctx, asyncio.Coro[int](func(ctx context.Context) (int, error) {
						inner = ctx
						return gate.Await(ctx)
					})).Await(ctx)
					return err
				})
				yield(t, ctx, 2)
				outer.Cancel()
				yield(t, ctx, 2)
				require.True(t, outer.Cancelled())
				require.NoError(t, inner.Err())
				gate.SetResult(0)
				yield(t, ctx, 1)
			})
		})
	})
}
