// Package testkit is what the tests of this module share beside asynciotest: shortcuts
// that only they want, peers on the network, and assertions with testify.
package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

// ErrBoom is the failure that tests cause on purpose.
var ErrBoom = errors.New("boom")

// CtxKey is the type of the keys under which tests put values into contexts.
type CtxKey string

// Main is the TestMain of every suite: neither asynciotest nor goleak may find a leak.
func Main(m *testing.M) { asynciotest.VerifyTestMain(leakFinder{m}) }

type leakFinder struct{ m *testing.M }

func (f leakFinder) Run() int {
	code := f.m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines left by the tests:", err)
			return 1
		}
	}
	return code
}

// CollectUntil runs the garbage collector and the loop until done reports true.
func CollectUntil(t *testing.T, l *asyncio.Loop, done func() bool) {
	t.Helper()
	for start := time.Now(); !done(); collect(t, l) {
		require.Less(t, time.Since(start), asynciotest.HangLimit, "the collector does not find it")
	}
}

// CollectAll runs the garbage collector and the loop often enough for all that is
// unreachable.
func CollectAll(t *testing.T, l *asyncio.Loop) {
	t.Helper()
	for range 20 {
		collect(t, l)
	}
}

func collect(t *testing.T, l *asyncio.Loop) {
	t.Helper()
	runtime.GC()
	l.CallLater(5*time.Millisecond, l.Stop) // clean-ups run on a goroutine of the runtime
	require.NoError(t, l.RunForever())
}

// Suspend suspends the task for exactly n turns.
func Suspend(ctx context.Context, n int) error {
	for range n {
		if err := asyncio.Sleep(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// Start creates a task of a function without a result.
func Start(ctx context.Context, fn func(ctx context.Context) error) *asyncio.Task[asyncio.None] {
	return asyncio.CreateTask(ctx, asyncio.Do(fn))
}

// LoopOf is the loop that runs the task of ctx.
func LoopOf(ctx context.Context) *asyncio.Loop {
	l, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		panic(err)
	}
	return l
}

// DropTask makes a task that is reachable no more, but for its loop, when the function
// returns.
//
//go:noinline
func DropTask(ctx context.Context, body func(context.Context) error) {
	asyncio.CreateTask(ctx, asyncio.Do(body))
}

// Result runs coro as a task of l and returns its result; its error fails the test.
func Result[T any](t *testing.T, l *asyncio.Loop, coro asyncio.Coro[T]) T {
	t.Helper()
	v, err := asyncio.RunUntilComplete(l, coro)
	require.NoError(t, err)
	return v
}

// Took runs fn and fails the test unless that lasted for at least so long. How much
// longer is the machine's business; what must not last is a wait for an hour, and the
// loop's watchdog finds that.
func Took(t *testing.T, atLeast time.Duration, fn func()) {
	t.Helper()
	start := time.Now()
	fn()
	require.GreaterOrEqual(t, time.Since(start), atLeast, "it took too short a time")
}

// OnGoroutine runs fn on another goroutine and waits for it.
func OnGoroutine(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
}

// Besides runs l for as long as fn runs on another goroutine. fn must not end with
// t.FailNow: it uses assert.
func Besides(t *testing.T, l *asyncio.Loop, fn func()) {
	t.Helper()
	go func() {
		fn()
		_, err := l.CallSoonThreadsafe(l.Stop)
		assert.NoError(t, err)
	}()
	require.NoError(t, l.RunForever())
}
