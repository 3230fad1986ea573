package testkit

// Coroutines that many tests need, and how they end.

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

// WantCancelled fails the test unless err is a cancellation with this message; nil stands
// for none.
func WantCancelled(t *testing.T, err error, msg any) {
	t.Helper()
	var cancelled *asyncio.CancelledError
	require.ErrorAs(t, err, &cancelled)
	require.Equal(t, msg, cancelled.Msg)
	require.ErrorIs(t, err, asyncio.ErrCancelled)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, asyncio.ErrTimeout)
}

// WantTimeout fails the test unless err is a timeout, and no cancellation.
func WantTimeout(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, asyncio.ErrTimeout)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, asyncio.ErrCancelled)
	require.NotErrorIs(t, err, context.Canceled)
}

// Awaits creates a task that awaits f and returns what it got.
func Awaits[T any](ctx context.Context, f *asyncio.Future[T]) *asyncio.Task[T] {
	return asyncio.CreateTask(ctx, asyncio.Coro[T](f.Await))
}

// SleepsLong sleeps for longer than any test lasts.
func SleepsLong(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) }

// Returning is a coroutine that suspends for n turns and returns v.
func Returning[T any](v T, n int) asyncio.Coro[T] {
	return func(ctx context.Context) (T, error) { return v, Suspend(ctx, n) }
}

// Failing is a coroutine that suspends for n turns and fails with err.
func Failing[T any](err error, n int) asyncio.Coro[T] {
	return func(ctx context.Context) (v T, _ error) {
		if err := Suspend(ctx, n); err != nil {
			return v, err
		}
		return v, err
	}
}

// Soon is a limit that passes while the test waits for it.
const Soon = time.Millisecond
