// Eager tasks: the first step runs inside the call that makes the task, and only there
// and then does it differ.
package tasks_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// eagerly is the option of a task that starts at once.
var eagerly = asyncio.EagerStart(true)

// eachDriverEagerly is eachDriver with loops whose tasks are all eager.
func eachDriverEagerly(t *testing.T, test func(t *testing.T, opts ...asyncio.Option)) {
	t.Helper()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) { test(t, append(opts, asyncio.WithEagerTasks())...) })
}

func TestEagerStart(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("EAG-03", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				creator := asyncio.CurrentTask(ctx)
				var within asyncio.AnyTask
				task := asyncio.CreateTask(ctx, asyncio.Do(func(child context.Context) error {
					within = asyncio.CurrentTask(child)
					require.Nil(t, asyncio.CurrentTask(ctx), "the creator does not run")
					require.ErrorIs(t, asyncio.Sleep(ctx, 0), asyncio.ErrNotCurrentTask)
					require.Contains(t, asyncio.AllTasks(l), within)
					require.Contains(t, asyncio.AllTasks(l), creator)
					require.Empty(t, creator.Stack(), "it is neither suspended nor the caller")
					return nil
				}), eagerly)
				require.True(t, task.Done())
				require.Same(t, task, within)
				require.Same(t, creator, asyncio.CurrentTask(ctx))
				require.Equal(t, []asyncio.AnyTask{creator}, asyncio.AllTasks(l))
				require.Empty(t, task.Stack())
			})
		})
		t.Run("EAG-05", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				task := asyncio.CreateTask(ctx, testkit.One, eagerly)
				require.True(t, task.Done())
				require.False(t, task.Cancel())
				v, err := task.Result()
				require.NoError(t, err)
				require.Equal(t, 1, v)
				require.Zero(t, task.Cancelling())
			})
		})
		t.Run("EAG-06", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				task := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) }), eagerly)
				require.Contains(t, task.Stack(), "TestEagerStart", "it is suspended")
				require.True(t, task.Cancel("m"))
				require.Positive(t, task.Cancelling())
				_, err := task.Await(ctx)
				var cancelled *asyncio.CancelledError
				require.ErrorAs(t, err, &cancelled)
				require.Equal(t, "m", cancelled.Msg)
				require.True(t, task.Cancelled())
			})
		})
		t.Run("EAG-12", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			task := asyncio.CreateTask(l.Context(), asyncio.Do(func(context.Context) error { tr.Add("task"); return nil }), eagerly)
			tr.Add("created")
			require.False(t, task.Done())
			require.Equal(t, []asyncio.AnyTask{task}, asyncio.AllTasks(l))
			asynciotest.Turn(t, l)
			require.True(t, task.Done())
			tr.Equal(t, "created", "task")
		})
		t.Run("the default of a task is that of its loop", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				require.False(t, asyncio.CreateTask(ctx, testkit.One).Done())
				require.False(t, asyncio.CreateTask(ctx, testkit.One, asyncio.EagerStart(false)).Done())
			})
			asynciotest.InTask(t, asynciotest.New(t, append(opts, asyncio.WithEagerTasks())...), func(ctx context.Context) {
				require.True(t, asyncio.CreateTask(ctx, testkit.One).Done())
				require.True(t, asyncio.CreateTask(ctx, testkit.One, asyncio.WithName("n")).Done())
				require.False(t, asyncio.CreateTask(ctx, testkit.One, asyncio.EagerStart(false)).Done())
			})
		})
	})
}

func TestEagerOrder(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("what comes before the first suspension comes before the creator goes on", func(t *testing.T) {
			var tr asynciotest.Trace
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				waiting := asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error { tr.Add("not eager"); return nil }))
				outer := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
					tr.Add("outer begins")
					inner := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
						tr.Add("inner begins")
						asynciotest.Yield(t, ctx, 1)
						tr.Add("inner goes on")
						return nil
					}), eagerly)
					tr.Add("outer goes on")
					_, err := inner.Await(ctx)
					tr.Add("outer ends")
					return err
				}), eagerly)
				tr.Add("creator goes on")
				_, err := outer.Await(ctx)
				require.NoError(t, err)
				require.True(t, waiting.Done())
			})
			tr.Equal(t, "outer begins", "inner begins", "outer goes on", "creator goes on", "not eager", "inner goes on", "outer ends")
		})
		t.Run("the end of an eager task is not the beginning of one that waits", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			l.CallSoon(func() {
				asyncio.CreateTask(l.Context(), asyncio.Do(func(context.Context) error { tr.Add("eager"); return nil }), eagerly)
				tr.Add("callback goes on")
			})
			for range 2 {
				asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
					tr.Add("first")
					asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error { tr.Add("second"); return nil }), eagerly)
					tr.Add("third")
					return nil
				}))
			}
			asynciotest.Turn(t, l)
			tr.Equal(t, "eager", "callback goes on", "first", "second", "third", "first", "second", "third")
		})
		t.Run("another goroutine's tasks start on the loop", func(t *testing.T) {
			l := asynciotest.New(t, append(opts, asyncio.WithEagerTasks())...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var f *asyncio.ConcurrentFuture[bool]
				testkit.OnGoroutine(func() {
					f = asyncio.RunCoroutineThreadsafe(l, func(ctx context.Context) (bool, error) { return asyncio.CurrentTask(ctx) != nil, nil })
				})
				v, err := asyncio.WrapFuture(ctx, f).Await(ctx)
				require.NoError(t, err)
				require.True(t, v)
			})
		})
		t.Run("a coroutine that takes its own future back", func(t *testing.T) {
			l := asynciotest.New(t, append(opts, asyncio.WithEagerTasks())...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				ended := asyncio.NewFuture[error](l)
				var f *asyncio.ConcurrentFuture[asyncio.None]
				f = asyncio.RunCoroutineThreadsafe(l, asyncio.Do(func(ctx context.Context) error {
					f.Cancel()
					err := asyncio.Sleep(ctx, time.Hour)
					return ended.SetResult(err)
				}))
				err, awaitErr := ended.Await(ctx)
				require.NoError(t, awaitErr)
				require.ErrorIs(t, err, asyncio.ErrCancelled)
				require.True(t, f.Cancelled())
			})
		})
		t.Run("values of the context", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				v := asyncio.CreateTask(context.WithValue(ctx, testkit.CtxKey("v"), 7), func(ctx context.Context) (any, error) { return ctx.Value(testkit.CtxKey("v")), nil }, eagerly)
				got, err := v.Result()
				require.NoError(t, err)
				require.Equal(t, 7, got)
				require.Nil(t, ctx.Value(testkit.CtxKey("v")))
			})
		})
	})
}

func TestEagerEnds(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a panic is the task's", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				task := asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error { panic(testkit.ErrBoom) }), eagerly)
				require.ErrorIs(t, task.Exception(), testkit.ErrBoom)
				asynciotest.Yield(t, ctx, 1)
			})
		})
		t.Run("Goexit unwinds the creator too", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			creator := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				defer func() {
					require.NotNil(t, asyncio.CurrentTask(ctx), "the creator runs its defers")
					tr.Add("creator unwinds")
				}()
				asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error {
					defer tr.Mark("task unwinds")()
					runtime.Goexit()
					return nil
				}), eagerly)
				return nil
			}))
			testkit.Unwinds(t, func() { _ = l.RunForever() })
			tr.Equal(t, "task unwinds", "creator unwinds")
			require.Error(t, creator.Exception())
			asynciotest.InTask(t, l, func(ctx context.Context) { asynciotest.Yield(t, ctx, 1) })
		})
		t.Run("a task that was suspended at Close", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			errs := asynciotest.RecordReports(l)
			var awaited error
			asynciotest.InTask(t, l, func(ctx context.Context) {
				asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
					awaited = asyncio.Sleep(ctx, time.Hour)
					return nil
				}), eagerly)
			})
			require.NoError(t, l.Close())
			require.ErrorIs(t, awaited, asyncio.ErrLoopClosed)
			require.Contains(t, errs.One(t).Message, "pending")
		})
		t.Run("a goroutine that is locked to its thread for a while", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var task *asyncio.Task[asyncio.None]
			l.CallSoon(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				task = asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error { return asyncio.Sleep(ctx, 0) }), eagerly)
			})
			asynciotest.Turns(t, l, 4)
			require.True(t, task.Done())
			require.NoError(t, task.Exception())
		})
	})
}

// countTree gathers the nodes below one of width^depth, and counts the tasks that wait to
// be started.
func countTree(ctx context.Context, width, depth int, scheduled *int) (int, error) {
	if depth == 0 {
		return 1, nil
	}
	aws := make([]asyncio.Awaitable[int], width)
	for i := range aws {
		aws[i] = asyncio.Coro[int](func(ctx context.Context) (int, error) { return countTree(ctx, width, depth-1, scheduled) })
	}
	before := len(asyncio.AllTasks(testkit.LoopOf(ctx)))
	children := asyncio.Gather(ctx, aws...)
	*scheduled += len(asyncio.AllTasks(testkit.LoopOf(ctx))) - before
	counts, err := children.Await(ctx)
	sum := 1
	for _, n := range counts {
		sum += n
	}
	return sum, err
}

func TestEagerCombinators(t *testing.T) {
	const width, depth, nodes = 5, 4, 1 + 5 + 25 + 125 + 625
	count := func(t *testing.T, opts []asyncio.Option) (scheduled int, turns uint64) {
		asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
			before := testkit.LoopOf(ctx).Stats().Turns
			root := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return countTree(ctx, width, depth, &scheduled) })
			if !root.Done() {
				scheduled++
			}
			n, err := root.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, nodes, n)
			turns = testkit.LoopOf(ctx).Stats().Turns - before
		})
		return scheduled, turns
	}
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("EAG-09", func(t *testing.T) {
			scheduled, turns := count(t, opts)
			require.Equal(t, nodes, scheduled)
			require.GreaterOrEqual(t, turns, uint64(depth+1))
			scheduled, turns = count(t, append(opts, asyncio.WithEagerTasks()))
			require.Zero(t, scheduled)
			require.Zero(t, turns, "nothing was awaited that was not done")
		})
	})
	eachDriverEagerly(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a gather of tasks that have failed", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				f := asyncio.Gather[int](ctx, asyncio.Coro[int](testkit.One), asyncio.Coro[int](func(context.Context) (int, error) { return 0, testkit.ErrBoom }))
				require.True(t, f.Done())
				require.Same(t, testkit.ErrBoom, f.Exception())
			})
		})
		t.Run("WaitFor without time looks at what the first step brings", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				v, err := asyncio.WaitFor[int](ctx, asyncio.Coro[int](testkit.One), 0)
				require.NoError(t, err)
				require.Equal(t, 1, v)
				began := false
				_, err = asyncio.WaitFor[asyncio.None](ctx, asyncio.Do(func(ctx context.Context) error {
					began = true
					return asyncio.Sleep(ctx, time.Hour)
				}), 0)
				require.ErrorIs(t, err, asyncio.ErrTimeout)
				require.True(t, began)
			})
		})
		t.Run("AsCompleted and Shield", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				slow := asyncio.Coro[int](func(ctx context.Context) (int, error) { return 2, asyncio.Sleep(ctx, time.Millisecond) })
				var order []int
				for _, r := range asyncio.AsCompleted[int](ctx, slow, asyncio.Coro[int](testkit.One)) {
					require.NoError(t, r.Err)
					order = append(order, r.Value)
				}
				require.Equal(t, []int{1, 2}, order)
				require.True(t, asyncio.Shield[int](ctx, asyncio.Coro[int](testkit.One)).Done())
			})
		})
		t.Run("the handler of a connection", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				server, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
					_, _ = w.Write([]byte("hello "))
					line, err := r.ReadLine(ctx)
					_, _ = w.Write(line)
					_ = w.Close()
					return err
				}, "tcp", "127.0.0.1:0")
				require.NoError(t, err)
				answer, err := asyncio.ToThread(ctx, func(context.Context) (string, error) {
					c, err := net.Dial("tcp", server.Addrs()[0].String())
					if err != nil {
						return "", err
					}
					defer c.Close()
					if _, err := c.Write([]byte("world\n")); err != nil {
						return "", err
					}
					text, err := io.ReadAll(c)
					return string(text), err
				})
				require.NoError(t, err)
				require.Equal(t, "hello world\n", answer)
				server.Close()
				require.NoError(t, server.WaitClosed(ctx))
			})
		})
	})
}

func TestEagerGroup(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TG-24", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			asynciotest.InTask(t, l, func(ctx context.Context) {
				err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					child := tg.Go(func(ctx context.Context) error {
						creator := asyncio.CurrentTask(ctx)
						failed := tg.Go(func(context.Context) error { return testkit.ErrBoom }, eagerly)
						tr.Addf("failed %v, creator asked to end %d", failed.Done(), creator.Cancelling())
						err := asyncio.Sleep(ctx, 0)
						tr.Addf("creator resumed: %s", testkit.ErrName(err))
						return err
					}, eagerly)
					parent := asyncio.CurrentTask(ctx)
					tr.Addf("child done %v, parent asked to end %d", child.Done(), parent.Cancelling())
					err := asyncio.Sleep(ctx, time.Hour)
					tr.Addf("parent: %s", testkit.ErrName(err))
					return err
				})
				var group *asyncio.ExceptionGroup
				require.ErrorAs(t, err, &group)
				require.Equal(t, []error{testkit.ErrBoom}, group.Errs)
				require.Zero(t, asyncio.CurrentTask(ctx).Cancelling())
				asynciotest.Yield(t, ctx, 1)
			})
			tr.Equal(t, "failed true, creator asked to end 0", "child done false, parent asked to end 0",
				"creator resumed: CancelledError", "parent: CancelledError")
		})
		t.Run("a group that its eager task cancels", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				var task *asyncio.Task[asyncio.None]
				err := asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
					task = tg.Go(func(ctx context.Context) error {
						tg.Cancel()
						return asyncio.Sleep(ctx, time.Hour)
					}, eagerly)
					return asyncio.Sleep(ctx, time.Hour)
				})
				require.NoError(t, err)
				require.True(t, task.Cancelled())
			})
		})
	})
}

// BenchmarkSpawnEager is BenchmarkSpawn without a turn.
func BenchmarkSpawnEager(b *testing.B) {
	testkit.BenchTask(b, func(ctx context.Context) {
		for b.Loop() {
			if v, err := asyncio.CreateTask(ctx, testkit.One, eagerly).Await(ctx); v != 1 || err != nil {
				b.Fatal(v, err)
			}
		}
	})
}
