// Events: whom Set wakes, and in which order.
package asyncio_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

func TestEvent(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("EVT-01", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				var tr trace
				event := asyncio.NewEvent()
				acquirer(ctx, &tr, "1", event.Wait)
				acquirer(ctx, &tr, "2", event.Wait)
				yield(t, ctx, 1)
				require.Empty(t, tr.events)
				late := acquirer(ctx, &tr, "3", event.Wait)
				event.Set()
				yield(t, ctx, 1)
				tr.equal(t, "3", "1", "2")
				require.True(t, late.Done())
			})
		})
		t.Run("EVT-02", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				var tr trace
				event := asyncio.NewEvent()
				acquirer(ctx, &tr, "1", event.Wait)
				acquirer(ctx, &tr, "2", event.Wait)
				yield(t, ctx, 1)
				event.Set()
				event.Clear()
				require.False(t, event.IsSet())
				late := acquirer(ctx, &tr, "late", event.Wait)
				yield(t, ctx, 2)
				tr.equal(t, "1", "2")
				require.False(t, late.Done())
				event.Set()
				event.Set()
				yield(t, ctx, 1)
				tr.equal(t, "1", "2", "late")
			})
		})
		t.Run("EVT-03", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
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
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				var tr trace
				event := asyncio.NewEvent()
				waits := acquirer(ctx, &tr, "cancelled", event.Wait)
				acquirer(ctx, &tr, "stays", event.Wait)
				yield(t, ctx, 1)
				waits.Cancel("enough")
				event.Set()
				_, err := waits.Await(ctx)
				wantCancelled(t, err, "enough")
				yield(t, ctx, 1)
				tr.equal(t, "stays")
				require.Zero(t, waits.Uncancel())
			})
		})
		t.Run("woken and then cancelled", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				event := asyncio.NewEvent()
				waits := start(ctx, event.Wait)
				yield(t, ctx, 1)
				event.Set()
				waits.Cancel()
				_, err := waits.Await(ctx)
				wantCancelled(t, err, nil)
				require.NoError(t, event.Wait(ctx))
			})
		})
		t.Run("of another loop", func(t *testing.T) {
			a, b := newLoop(t, opts...), newLoop(t, opts...)
			event := asyncio.NewEvent()
			start(a.Context(), event.Wait)
			turn(t, a)
			inTask(t, b, func(ctx context.Context) { require.ErrorIs(t, event.Wait(ctx), asyncio.ErrWrongLoop) })
			event.Set()
			turn(t, a)
			require.Empty(t, asyncio.AllTasks(a))
			inTask(t, b, func(ctx context.Context) { require.NoError(t, event.Wait(ctx), "nothing to wait for") })
		})
	})
}

// TestEventWrongGoroutine proves that debug mode names who wakes a task of a loop from
// outside of it.
func TestEventWrongGoroutine(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := newLoop(t, append(opts, asyncio.WithDebug(true))...)
		inTask(t, l, func(ctx context.Context) {
			event := asyncio.NewEvent()
			waits := start(ctx, event.Wait)
			yield(t, ctx, 1)
			var err error
			onGoroutine(func() { err = recovered(event.Set).(error) })
			require.ErrorIs(t, err, asyncio.ErrWrongLoop)
			errorSays(t, err, "CallSoonThreadsafe")
			event.Clear()
			event.Set()
			_, err = waits.Await(ctx)
			require.NoError(t, err)
		})
	})
}

// BenchmarkEvent wakes 1,000 tasks that wait, and lets them wait again.
func BenchmarkEvent(b *testing.B) {
	benchTask(b, func(ctx context.Context) {
		event, over := asyncio.NewEvent(), false
		for range 1000 {
			start(ctx, func(ctx context.Context) error {
				for !over {
					if err := event.Wait(ctx); err != nil {
						return err
					}
				}
				return nil
			})
		}
		_ = suspend(ctx, 1)
		for b.Loop() {
			event.Set()
			event.Clear()
			_ = suspend(ctx, 1)
		}
		over = true
		event.Set()
		_ = suspend(ctx, 1)
	})
}
