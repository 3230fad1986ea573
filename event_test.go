// Events: whom Set wakes, and in which order.
package asyncio_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestEvent(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("EVT-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				event := asyncio.NewEvent()
				acquirer(ctx, &tr, "1", event.Wait)
				acquirer(ctx, &tr, "2", event.Wait)
				asynciotest.Yield(t, ctx, 1)
				require.Empty(t, tr.Events())
				late := acquirer(ctx, &tr, "3", event.Wait)
				event.Set()
				asynciotest.Yield(t, ctx, 1)
				tr.Equal(t, "3", "1", "2")
				require.True(t, late.Done())
			})
		})
		t.Run("EVT-02", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				event := asyncio.NewEvent()
				acquirer(ctx, &tr, "1", event.Wait)
				acquirer(ctx, &tr, "2", event.Wait)
				asynciotest.Yield(t, ctx, 1)
				event.Set()
				event.Clear()
				require.False(t, event.IsSet())
				late := acquirer(ctx, &tr, "late", event.Wait)
				asynciotest.Yield(t, ctx, 2)
				tr.Equal(t, "1", "2")
				require.False(t, late.Done())
				event.Set()
				event.Set()
				asynciotest.Yield(t, ctx, 1)
				tr.Equal(t, "1", "2", "late")
			})
		})
		t.Run("EVT-03", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				event := asyncio.NewEvent()
				require.False(t, event.IsSet())
				event.Set()
				require.True(t, event.IsSet())
				ran := false
				l.CallSoon(func() { ran = true })
				require.NoError(t, event.Wait(ctx))
				require.False(t, ran, "it did not yield")
			})
		})
		t.Run("EVT-04", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				event := asyncio.NewEvent()
				waits := acquirer(ctx, &tr, "cancelled", event.Wait)
				acquirer(ctx, &tr, "stays", event.Wait)
				asynciotest.Yield(t, ctx, 1)
				waits.Cancel("enough")
				event.Set()
				_, err := waits.Await(ctx)
				testkit.WantCancelled(t, err, "enough")
				asynciotest.Yield(t, ctx, 1)
				tr.Equal(t, "stays")
				require.Zero(t, waits.Uncancel())
			})
		})
		t.Run("woken and then cancelled", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				event := asyncio.NewEvent()
				waits := testkit.Start(ctx, event.Wait)
				asynciotest.Yield(t, ctx, 1)
				event.Set()
				waits.Cancel()
				_, err := waits.Await(ctx)
				testkit.WantCancelled(t, err, nil)
				require.NoError(t, event.Wait(ctx))
			})
		})
		t.Run("of another loop", func(t *testing.T) {
			a, b := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			event := asyncio.NewEvent()
			testkit.Start(a.Context(), event.Wait)
			asynciotest.Turn(t, a)
			asynciotest.InTask(t, b, func(ctx context.Context) { require.ErrorIs(t, event.Wait(ctx), asyncio.ErrWrongLoop) })
			event.Set()
			asynciotest.Turn(t, a)
			require.Empty(t, asyncio.AllTasks(a))
			asynciotest.InTask(t, b, func(ctx context.Context) { require.NoError(t, event.Wait(ctx), "nothing to wait for") })
		})
	})
}

// TestEventWrongGoroutine proves that debug mode names who wakes a task of a loop from
// outside of it.
func TestEventWrongGoroutine(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, append(opts, asyncio.WithDebug(true))...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			event := asyncio.NewEvent()
			waits := testkit.Start(ctx, event.Wait)
			asynciotest.Yield(t, ctx, 1)
			var err error
			testkit.OnGoroutine(func() { err = testkit.Recovered(event.Set).(error) })
			require.ErrorIs(t, err, asyncio.ErrWrongLoop)
			testkit.ErrorSays(t, err, "CallSoonThreadsafe")
			event.Clear()
			event.Set()
			_, err = waits.Await(ctx)
			require.NoError(t, err)
		})
	})
}

// BenchmarkEvent wakes 1,000 tasks that wait, and lets them wait again.
func BenchmarkEvent(b *testing.B) {
	testkit.BenchTask(b, func(ctx context.Context) {
		event, over := asyncio.NewEvent(), false
		for range 1000 {
			testkit.Start(ctx, func(ctx context.Context) error {
				for !over {
					if err := event.Wait(ctx); err != nil {
						return err
					}
				}
				return nil
			})
		}
		_ = testkit.Suspend(ctx, 1)
		for b.Loop() {
			event.Set()
			event.Clear()
			_ = testkit.Suspend(ctx, 1)
		}
		over = true
		event.Set()
		_ = testkit.Suspend(ctx, 1)
	})
}
