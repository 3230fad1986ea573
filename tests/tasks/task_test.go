// Tasks: when they start, what they return, what is current, how panics and Goexit end
// them, where they are suspended.
package tasks_test

import (
	"context"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestTask(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("the first step is in the next turn, in order of creation", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			asynciotest.InTask(t, l, func(ctx context.Context) {
				for _, name := range []string{"a", "b"} {
					asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error { tr.Add(name); return nil }))
				}
				tr.Add("created")
				asynciotest.Yield(t, ctx, 1)
				tr.Add("creator again")
			})
			tr.Equal(t, "created", "a", "b", "creator again")
		})
		t.Run("TASK-02", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				nothing := asyncio.Do(func(context.Context) error { return nil })
				var numbers []int
				for range 2 {
					task := asyncio.CreateTask(ctx, nothing)
					parts := regexp.MustCompile(`^Task-(\d+)$`).FindStringSubmatch(task.Name())
					require.Len(t, parts, 2, "the name is %q", task.Name())
					n, err := strconv.Atoi(parts[1])
					require.NoError(t, err)
					numbers = append(numbers, n)
				}
				require.Greater(t, numbers[1], numbers[0])
				task := asyncio.CreateTask(ctx, nothing, asyncio.WithName("mine"))
				require.Equal(t, "mine", task.Name())
				task.SetName("123")
				require.Equal(t, "123", task.Name())
			})
		})
		t.Run("TASK-03", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				task := asyncio.CreateTask(ctx, func(context.Context) (int, error) { return 7, nil })
				var got []*asyncio.Task[int]
				task.AddDoneCallback(func(task *asyncio.Task[int]) { got = append(got, task) })
				require.False(t, task.Done())
				_, err := task.Result()
				require.ErrorIs(t, err, asyncio.ErrInvalidState)
				require.ErrorIs(t, task.Exception(), asyncio.ErrInvalidState)
				v, err := task.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, 7, v)
				require.Equal(t, []*asyncio.Task[int]{task}, got)
				v, err = task.Result()
				require.NoError(t, err)
				require.Equal(t, 7, v)
				require.NoError(t, task.Exception())
				require.False(t, task.Cancel())
				require.Same(t, l, task.Loop())
			})
		})
	})
}

func TestTaskMisuse(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TASK-05", func(t *testing.T) {
			task := asyncio.CreateTask(asynciotest.New(t, opts...).Context(), func(context.Context) (int, error) { return 0, nil })
			_, ok := any(task).(interface{ SetResult(int) error })
			require.False(t, ok, "only its coroutine gives a task its result")
			_, ok = any(task).(interface{ SetException(error) error })
			require.False(t, ok, "only its coroutine gives a task its error")
			testkit.Result(t, task.Loop(), task.Await)
		})
		t.Run("TASK-06", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			testkit.ErrorSays(t, testkit.PanicError(t, func() { asyncio.CreateTask[int](l.Context(), nil) }), "nil")
			require.Empty(t, asyncio.AllTasks(l))
			body := func(context.Context) (int, error) { return 0, nil }
			testkit.PanicsWith(t, asyncio.ErrNoRunningLoop, func() { asyncio.CreateTask(context.Background(), body) })
		})
	})
}

func TestTaskAwait(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TASK-11", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			handler := asynciotest.RecordReports(l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				task := asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error { return testkit.ErrBoom }))
				for range 2 {
					_, err := task.Await(ctx)
					require.Same(t, testkit.ErrBoom, err)
				}
				require.False(t, task.Cancelled())
			})
			testkit.CollectAll(t, l)
			handler.None(t)
		})
		t.Run("TASK-15", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			got := testkit.Result(t, l, func(ctx context.Context) (*asyncio.Future[int], error) {
				return asyncio.CreateTask(ctx, func(context.Context) (*asyncio.Future[int], error) { return f, nil }).Await(ctx)
			})
			require.Same(t, f, got)
			require.False(t, got.Done())
		})
		t.Run("a task that awaits itself gets an error", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var task *asyncio.Task[int]
			task = asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) { return task.Await(ctx) })
			_, err := asyncio.RunUntilComplete(l, task)
			testkit.ErrorSays(t, err, "awaits itself")
		})
		t.Run("a task of another loop is refused", func(t *testing.T) {
			l, other := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			task := asyncio.CreateTask(other.Context(), func(context.Context) (int, error) { return 1, nil })
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, err := task.Await(ctx)
				require.ErrorIs(t, err, asyncio.ErrWrongLoop)
			})
			require.Equal(t, 1, testkit.Result(t, other, task.Await))
		})
		t.Run("a coroutine runs inline in the task that awaits it", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				counter := asynciotest.CountTurns(l)
				asynciotest.Yield(t, ctx, 1)
				before := counter.N()
				v, err := asyncio.Coro[asyncio.AnyTask](func(ctx context.Context) (asyncio.AnyTask, error) {
					return asyncio.CurrentTask(ctx), nil
				}).Await(ctx)
				require.NoError(t, err)
				require.Same(t, asyncio.CurrentTask(ctx), v)
				require.Equal(t, before, counter.N())
				counter.Stop()
			})
		})
	})
}

func TestTaskCurrent(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TASK-08", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			require.Nil(t, asyncio.CurrentTask(context.Background()))
			require.Nil(t, asyncio.CurrentTask(l.Context()))
			body := func(self **asyncio.Task[int]) asyncio.Coro[int] {
				return func(ctx context.Context) (int, error) {
					for range 3 {
						require.Same(t, *self, asyncio.CurrentTask(ctx))
						require.Same(t, *self, asyncio.CurrentTask(context.WithValue(ctx, testkit.CtxKey("v"), 1)))
						asynciotest.Yield(t, ctx, 1)
					}
					return 0, nil
				}
			}
			var a, b *asyncio.Task[int]
			a = asyncio.CreateTask(l.Context(), body(&a))
			b = asyncio.CreateTask(l.Context(), body(&b))
			l.CallSoon(func() { require.Nil(t, asyncio.CurrentTask(l.Context())) })
			asynciotest.InTask(t, l, func(ctx context.Context) {
				for _, task := range []*asyncio.Task[int]{a, b} {
					_, err := task.Await(ctx)
					require.NoError(t, err)
				}
			})
		})
		t.Run("AllTasks", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			require.Empty(t, asyncio.AllTasks(l))
			asynciotest.InTask(t, l, func(ctx context.Context) {
				task := asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error { return nil }))
				require.ElementsMatch(t, []asyncio.AnyTask{asyncio.CurrentTask(ctx), task}, asyncio.AllTasks(l))
				_, err := task.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, []asyncio.AnyTask{asyncio.CurrentTask(ctx)}, asyncio.AllTasks(l))
			})
			require.Empty(t, asyncio.AllTasks(l))
		})
		t.Run("the loop holds a task that nobody else refers to", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			var tr asynciotest.Trace
			asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				v, err := f.Await(ctx)
				tr.Addf("got %d", v)
				return err
			}))
			asynciotest.Turn(t, l)
			runtime.GC()
			require.NoError(t, f.SetResult(1))
			asynciotest.Turn(t, l)
			tr.Equal(t, "got 1")
		})
	})
}

func TestTaskContext(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TASK-12", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				const v = testkit.CtxKey("v")
				ctx = context.WithValue(ctx, v, 1)
				task := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
					require.Equal(t, 1, ctx.Value(v))
					ctx = context.WithValue(ctx, v, 2)
					asynciotest.Yield(t, ctx, 1)
					require.Equal(t, 2, ctx.Value(v))
					return nil
				}))
				require.Equal(t, 1, task.Context().Value(v))
				_, err := task.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, 1, ctx.Value(v))
			})
		})
		t.Run("the end of the creator's context does not end the task", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				short, cancel := context.WithCancel(ctx)
				task := asyncio.CreateTask(short, asyncio.Do(func(ctx context.Context) error {
					asynciotest.Yield(t, ctx, 3)
					return ctx.Err()
				}))
				cancel()
				_, err := task.Await(ctx)
				require.NoError(t, err)
			})
		})
	})
}

func TestTaskSleep(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TASK-17", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				counter := asynciotest.CountTurns(l)
				asynciotest.Yield(t, ctx, 1)
				for _, d := range []time.Duration{0, -1, -time.Hour} {
					before := counter.N()
					require.NoError(t, asyncio.Sleep(ctx, d))
					require.Equal(t, before+1, counter.N(), "turns of Sleep(%v)", d)
				}
				counter.Stop()
			})
		})
		t.Run("TASK-18", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			task := testkit.Start(l.Context(), testkit.SleepsLong)
			asynciotest.Turn(t, l)
			require.Equal(t, 1, l.Stats().Timers)
			task.Cancel()
			_, err := asyncio.RunUntilComplete(l, task)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
			require.True(t, task.Cancelled())
			require.Zero(t, l.Stats().Timers)
		})
		t.Run("in a plain goroutine Sleep blocks it", func(t *testing.T) {
			asynciotest.VerifyNoLeaks(t)
			testkit.Took(t, 10*time.Millisecond, func() {
				require.NoError(t, asyncio.Sleep(context.Background(), 10*time.Millisecond))
			})
			ctx, cancel := context.WithCancelCause(context.Background())
			cancel(testkit.ErrBoom)
			require.ErrorIs(t, asyncio.Sleep(ctx, time.Hour), testkit.ErrBoom)
		})
	})
}

//go:noinline
func panicDeep(v any) { panic(v) }

func TestTaskPanic(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a panic is the task's error, with its stack", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			handler := asynciotest.RecordReports(l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				task := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
					asynciotest.Yield(t, ctx, 1)
					panicDeep(testkit.ErrBoom)
					return nil
				}))
				_, err := task.Await(ctx)
				var panicked *asyncio.PanicError
				require.ErrorAs(t, err, &panicked)
				require.Equal(t, testkit.ErrBoom, panicked.Value)
				require.Contains(t, string(panicked.Stack), "panicDeep")
				testkit.ErrorSays(t, err, "boom")
				require.Same(t, err, task.Exception())
				require.False(t, task.Cancelled())
				asynciotest.Yield(t, ctx, 1)
			})
			handler.None(t)
		})
		t.Run("a panic with no error value", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(context.Context) error { panic("plain text") }))
			testkit.ErrorSays(t, err, "plain text")
		})
		t.Run("Goexit ends the task and unwinds the loop", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			bystander := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				asynciotest.Yield(t, ctx, 5)
				tr.Add("bystander")
				return nil
			}))
			task := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				defer tr.Mark("deferred")()
				asynciotest.Yield(t, ctx, 2)
				runtime.Goexit()
				return nil
			}))
			waiter := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				_, err := task.Await(ctx)
				return err
			}))
			testkit.Unwinds(t, func() { _, _ = asyncio.RunUntilComplete(l, bystander) })
			tr.Equal(t, "deferred")
			require.False(t, l.IsRunning())
			require.True(t, task.Done())
			require.Error(t, task.Exception())
			require.False(t, task.Cancelled())
			require.Nil(t, asyncio.CurrentTask(l.Context()))
			testkit.Result(t, l, bystander.Await)
			tr.Equal(t, "deferred", "bystander")
			require.Same(t, task.Exception(), waiter.Exception())
		})
		t.Run("Goexit in the task that the loop runs for", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			testkit.Unwinds(t, func() {
				_, _ = asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
					asynciotest.Yield(t, ctx, 1)
					runtime.Goexit()
					return nil
				}))
			})
			asynciotest.InTask(t, l, func(ctx context.Context) { asynciotest.Yield(t, ctx, 1) })
		})
	})
}

func TestTaskReports(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TASK-10", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			handler := asynciotest.RecordReports(l)
			forever := func(ctx context.Context) (int, error) { return 0, asyncio.Sleep(ctx, asyncio.Forever) }
			task := asyncio.CreateTask(l.Context(), forever)
			l.CallLater(10*time.Millisecond, l.Stop)
			_, err := asyncio.RunUntilComplete(l, asyncio.Coro[int](forever))
			require.ErrorIs(t, err, asyncio.ErrLoopStopped)
			handler.None(t)
			require.NoError(t, l.Close())
			c := handler.One(t)
			require.Contains(t, c.Message, "Task was destroyed but it is pending!")
			require.Same(t, task, c.Task)
		})
		t.Run("a failure that nobody looks at is reported once", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			handler := asynciotest.RecordReports(l)
			ctx := context.WithValue(l.Context(), testkit.CtxKey("v"), 7)
			testkit.DropTask(ctx, func(context.Context) error { return testkit.ErrBoom })
			testkit.CollectUntil(t, l, func() bool { return len(handler.All()) > 0 })
			c := handler.One(t)
			require.Contains(t, c.Message, "Task exception was never retrieved")
			require.Same(t, testkit.ErrBoom, c.Exception)
			t.Run("LOOP-24", func(t *testing.T) {
				require.NotNil(t, c.Context)
				require.Equal(t, 7, c.Context.Value(testkit.CtxKey("v")))
			})
			testkit.CollectAll(t, l)
			handler.One(t)
		})
		t.Run("TASK-20", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			task := asyncio.CreateTask(l.Context(), asyncio.Do(suspendOuter))
			failed := asyncio.CreateTask(l.Context(), asyncio.Do(func(context.Context) error { return testkit.ErrBoom }))
			asynciotest.Turn(t, l)
			stack := task.Stack()
			inner, outer := strings.Index(stack, "suspendInner"), strings.Index(stack, "suspendOuter")
			require.NotEqual(t, -1, inner, "the stack is %q", stack)
			require.Greater(t, outer, inner, "the newest frame comes first")
			first, _, _ := strings.Cut(stack, "\n")
			require.Regexp(t, `suspendInner|asyncio\.Sleep`, first, "the await point comes first")
			require.Empty(t, failed.Stack())
			require.Same(t, testkit.ErrBoom, failed.Exception())
			task.Cancel()
			asynciotest.Turns(t, l, 2)
			require.True(t, task.Done())
			require.Empty(t, task.Stack())
		})
	})
}

func TestTaskDoneCallbacks(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		task := asyncio.CreateTask(l.Context(), testkit.Returning(1, 0))
		var tr asynciotest.Trace
		first := task.AddDoneCallback(func(*asyncio.Task[int]) { tr.Add("first") })
		task.AddDoneCallback(func(*asyncio.Task[int]) { tr.Add("second") })
		require.Equal(t, 1, task.RemoveDoneCallback(first))
		require.Equal(t, 0, task.RemoveDoneCallback(first))
		require.Equal(t, 0, task.RemoveDoneCallback(nil))
		asynciotest.Turns(t, l, 3)
		tr.Equal(t, "second")
		testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { task.AddDoneCallback(nil) })
		testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.NewFuture[int](l).AddDoneCallback(nil) })
	})
}

//go:noinline
func suspendInner(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) }

//go:noinline
func suspendOuter(ctx context.Context) error {
	err := suspendInner(ctx)
	return err
}
