// Package interop_test runs third-party libraries, and tools of other projects, against
// conns of a loop: in tasks, in goroutines, and mixed.
package interop_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

func TestMain(m *testing.M) { asynciotest.VerifyTestMain(m) }

// running is a loop that runs on a goroutine of its own until the test has ended.
func running(t *testing.T, opts ...asyncio.Option) *asyncio.Loop {
	t.Helper()
	l, err := asyncio.NewEventLoop(opts...)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- l.RunForever() }()
	t.Cleanup(func() {
		_, err := l.CallSoonThreadsafe(l.Stop)
		require.NoError(t, err)
		require.NoError(t, asynciotest.Eventually(t, ended))
		require.NoError(t, l.Close())
	})
	return l
}

// onLoop runs body in a task of l, and waits for it.
func onLoop[T any](t *testing.T, l *asyncio.Loop, body asyncio.Coro[T]) T {
	t.Helper()
	v, err := asyncio.RunCoroutineThreadsafe(l, body).Result(context.Background())
	require.NoError(t, err)
	return v
}
