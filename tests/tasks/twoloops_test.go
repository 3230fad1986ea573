package tasks_test

// Loops that meet in their callbacks: neither may wait for the other.

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

// meet runs two loops, each in a goroutine of its own, and on each calls fn with the loop
// and the other one, once both are inside their calls.
func meet(t *testing.T, opts []asyncio.Option, fn func(self, other int, loops [2]*asyncio.Loop)) {
	t.Helper()
	loops := [2]*asyncio.Loop{asynciotest.New(t, opts...), asynciotest.New(t, opts...)}
	inside := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	ended := make(chan error)
	for self, l := range loops {
		other := 1 - self
		l.CallSoon(func() {
			close(inside[self])
			<-inside[other]
			fn(self, other, loops)
			l.Stop()
		})
		go func() { ended <- l.RunForever() }()
	}
	require.NoError(t, <-ended)
	require.NoError(t, <-ended)
}

func TestLoopsThatCancelEachOthersHandles(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		loops := [2]*asyncio.Loop{asynciotest.New(t, opts...), asynciotest.New(t, opts...)}
		var handles [2]*asyncio.Handle
		inside := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
		var cancelled [2]bool
		for self, l := range loops {
			other := 1 - self
			var err error
			handles[self], err = l.CallSoonThreadsafe(func() {
				close(inside[self])
				<-inside[other]
				handles[other].Cancel()
				cancelled[self] = handles[other].Cancelled()
				l.Stop()
			})
			require.NoError(t, err)
		}
		ended := make(chan error)
		for _, l := range loops {
			go func() { ended <- l.RunForever() }()
		}
		require.NoError(t, <-ended)
		require.NoError(t, <-ended)
		assert.Equal(t, [2]bool{true, true}, cancelled, "Cancel came after the start, but it came")
	})
}

func TestLoopsThatLookAtEachOther(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("AllTasks", func(t *testing.T) {
			var seen [2]int
			meet(t, opts, func(self, other int, loops [2]*asyncio.Loop) {
				seen[self] = len(asyncio.AllTasks(loops[other]))
			})
			assert.Equal(t, [2]int{}, seen)
		})
		t.Run("CaptureCallGraph in tasks", func(t *testing.T) {
			var graphs [2]*asyncio.CallGraph
			meetInTasks(t, opts, func(self int, other asyncio.AnyTask) {
				graphs[self] = asyncio.CaptureCallGraph(other)
			})
			for i, g := range graphs {
				require.NotNil(t, g)
				assert.Equal(t, []string{"second", "first"}[i], g.Name)
			}
		})
	})
}

// meetInTasks is meet with a task on each loop, behind one that stands in for the loop.
func meetInTasks(t *testing.T, opts []asyncio.Option, fn func(self int, other asyncio.AnyTask)) {
	t.Helper()
	loops := [2]*asyncio.Loop{asynciotest.New(t, opts...), asynciotest.New(t, opts...)}
	var tasks [2]*asyncio.Task[asyncio.None]
	inside := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	for self, l := range loops {
		other := 1 - self
		asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
			return asyncio.Sleep(ctx, 0)
		}))
		tasks[self] = asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
			defer l.Stop()
			if err := asyncio.Sleep(ctx, 0); err != nil {
				return err
			}
			close(inside[self])
			<-inside[other]
			fn(self, tasks[other])
			return nil
		}), asyncio.WithName([]string{"first", "second"}[self]))
	}
	ended := make(chan error)
	for _, l := range loops {
		go func() { ended <- l.RunForever() }()
	}
	require.NoError(t, <-ended)
	require.NoError(t, <-ended)
}

// A goroutine that was given the context of a task which has not begun is told so, and
// does not race with the beginning.
func TestAwaitWithTheContextOfATaskThatBegins(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		const tries = 200
		refused := make(chan error, tries)
		for range tries {
			task := asyncio.CreateTask(l.Context(), asyncio.Do(func(context.Context) error { return nil }))
			go func() { refused <- asyncio.Sleep(task.Context(), 0) }()
			task.AddDoneCallback(func(*asyncio.Task[asyncio.None]) { task.SetName("done") })
		}
		l.CallLater(0, l.Stop)
		require.NoError(t, l.RunForever())
		for range tries {
			require.ErrorIs(t, <-refused, asyncio.ErrNotCurrentTask)
		}
	})
}
