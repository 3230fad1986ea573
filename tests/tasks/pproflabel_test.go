// Profiles that tell tasks apart.
package tasks_test

import (
	"bytes"
	"context"
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// goroutineLabels is, for each group of goroutines in a profile whose stack has a
// function in it, the labels.
func goroutineLabels(t *testing.T, function string) []string {
	t.Helper()
	var profile bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&profile, 1))
	var found []string
	for group := range strings.SplitSeq(profile.String(), "\n\n") {
		if !strings.Contains(group, function) {
			continue
		}
		_, labels, _ := strings.Cut(group, "# labels: ")
		labels, _, _ = strings.Cut(labels, "\n")
		found = append(found, labels)
	}
	return found
}

// inProfile suspends, and is the name to look for in profiles.
//
//go:noinline
func inProfile(ctx context.Context) error { return testkit.SleepsLong(ctx) }

func TestProfileLabels(t *testing.T) {
	const function = "tasks_test.inProfile"
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		labelled := append(opts, asyncio.WithProfileLabels())
		t.Run("a suspended task has its name, and the labels of the context that it was made with", func(t *testing.T) {
			l := asynciotest.New(t, labelled...)
			ctx := pprof.WithLabels(l.Context(), pprof.Labels("room", "7"))
			task := asyncio.CreateTask(ctx, asyncio.Do(inProfile), asyncio.WithName("guest"))
			asynciotest.Turn(t, l)
			require.Equal(t, []string{`{"asyncio.task":"guest", "room":"7"}`}, goroutineLabels(t, function))
			task.Cancel()
			asynciotest.Turn(t, l)
			require.Empty(t, goroutineLabels(t, function))
			require.Empty(t, goroutineLabels(t, `"guest"`), "its coroutine, which waits for another task, has none")
		})
		t.Run("a coroutine that runs another task has the name of that one", func(t *testing.T) {
			l := asynciotest.New(t, labelled...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, err := asyncio.CreateTask(ctx, testkit.Returning(1, 0), asyncio.WithName("first")).Await(ctx)
				require.NoError(t, err)
				second := asyncio.CreateTask(ctx, asyncio.Do(inProfile), asyncio.WithName("second"))
				asynciotest.Yield(t, ctx, 1)
				require.Equal(t, []string{`{"asyncio.task":"second"}`}, goroutineLabels(t, function))
				second.Cancel()
			})
		})
		t.Run("SetName inside the task", func(t *testing.T) {
			l := asynciotest.New(t, labelled...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				renamed := testkit.Start(ctx, func(ctx context.Context) error {
					asyncio.CurrentTask(ctx).SetName("renamed")
					return inProfile(ctx)
				})
				asynciotest.Yield(t, ctx, 1)
				require.Equal(t, []string{`{"asyncio.task":"renamed"}`}, goroutineLabels(t, function))
				renamed.Cancel()
			})
		})
		t.Run("a function in a thread has the labels of who sent it", func(t *testing.T) {
			l := asynciotest.New(t, labelled...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				asyncio.CurrentTask(ctx).SetName("sender")
				labels := func(context.Context) ([]string, error) {
					return goroutineLabels(t, "tasks_test.goroutineLabels"), nil
				}
				got, err := asyncio.ToThread(ctx, labels)
				require.NoError(t, err)
				require.Equal(t, []string{`{"asyncio.task":"sender"}`}, got)
			})
		})
		t.Run("none without the option", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			task := asyncio.CreateTask(l.Context(), asyncio.Do(inProfile))
			asynciotest.Turn(t, l)
			require.Equal(t, []string{""}, goroutineLabels(t, function))
			task.Cancel()
			asynciotest.Turn(t, l)
		})
	})
}

// BenchmarkSpawnLabelled is BenchmarkSpawn with labels.
func BenchmarkSpawnLabelled(b *testing.B) {
	b.ReportAllocs()
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		for b.Loop() {
			if v, err := asyncio.CreateTask(ctx, testkit.One).Await(ctx); v != 1 || err != nil {
				b.Fatal(v, err)
			}
		}
		return nil
	}), asyncio.WithProfileLabels())
	if err != nil {
		b.Fatal(err)
	}
}
