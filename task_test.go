// Tasks: when they start, what they return, what is current, how panics and Goexit end
// them, where they are suspended.
package asyncio_test

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
)

func TestTask(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("the first step is in the next turn, in order of creation", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			inTask(t, l, func(ctx context.Context) {
				for _, name := range []string{"a", "b"} {
					asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error { tr.add(name); return nil }))
				}
				tr.add("created")
				yield(t, ctx, 1)
				tr.add("creator again")
			})
			tr.equal(t, "created", "a", "b", "creator again")
		})
		t.Run("TASK-02", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
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
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
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
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TASK-05", func(t *testing.T) {
			task := asyncio.CreateTask(newLoop(t, opts...).Context(), func(context.Context) (int, error) { return 0, nil })
			_, ok := any(task).(interface{ SetResult(int) error })
			require.False(t, ok, "only its coroutine gives a task its result")
			_, ok = any(task).(interface{ SetException(error) error })
			require.False(t, ok, "only its coroutine gives a task its error")
			run(t, task.Loop(), task.Await)
		})
		t.Run("TASK-06", func(t *testing.T) {
			l := newLoop(t, opts...)
			errorSays(t, panicError(t, func() { asyncio.CreateTask[int](l.Context(), nil) }), "nil")
			require.Empty(t, asyncio.AllTasks(l))
			body := func(context.Context) (int, error) { return 0, nil }
			panicsWith(t, asyncio.ErrNoRunningLoop, func() { asyncio.CreateTask(context.Background(), body) })
		})
	})
}

func TestTaskAwait(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TASK-11", func(t *testing.T) {
			l := newLoop(t, opts...)
			handler := recordErrors(l)
			inTask(t, l, func(ctx context.Context) {
				task := asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error { return errBoom }))
				for range 2 {
					_, err := task.Await(ctx)
					require.Same(t, errBoom, err)
				}
				require.False(t, task.Cancelled())
			})
			collect(t, l, func() bool { return false })
			handler.none(t)
		})
		t.Run("TASK-15", func(t *testing.T) {
			l := newLoop(t, opts...)
			f := asyncio.NewFuture[int](l)
			got := run(t, l, func(ctx context.Context) (*asyncio.Future[int], error) {
				return asyncio.CreateTask(ctx, func(context.Context) (*asyncio.Future[int], error) { return f, nil }).Await(ctx)
			})
			require.Same(t, f, got)
			require.False(t, got.Done())
		})
		t.Run("a task that awaits itself gets an error", func(t *testing.T) {
			l := newLoop(t, opts...)
			var task *asyncio.Task[int]
			task = asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) { return task.Await(ctx) })
			_, err := asyncio.RunUntilComplete(l, task)
			errorSays(t, err, "awaits itself")
		})
		t.Run("a task of another loop is refused", func(t *testing.T) {
			l, other := newLoop(t, opts...), newLoop(t, opts...)
			task := asyncio.CreateTask(other.Context(), func(context.Context) (int, error) { return 1, nil })
			inTask(t, l, func(ctx context.Context) {
				_, err := task.Await(ctx)
				require.ErrorIs(t, err, asyncio.ErrWrongLoop)
			})
			require.Equal(t, 1, run(t, other, task.Await))
		})
		t.Run("a coroutine runs inline in the task that awaits it", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				counter := countTurns(l)
				yield(t, ctx, 1)
				before := counter.n
				v, err := asyncio.Coro[asyncio.AnyTask](func(ctx context.Context) (asyncio.AnyTask, error) {
					return asyncio.CurrentTask(ctx), nil
				}).Await(ctx)
				require.NoError(t, err)
				require.Same(t, asyncio.CurrentTask(ctx), v)
				require.Equal(t, before, counter.n)
				counter.stop()
			})
		})
	})
}

func TestTaskCurrent(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TASK-08", func(t *testing.T) {
			l := newLoop(t, opts...)
			require.Nil(t, asyncio.CurrentTask(context.Background()))
			require.Nil(t, asyncio.CurrentTask(l.Context()))
			body := func(self **asyncio.Task[int]) asyncio.Coro[int] {
				return func(ctx context.Context) (int, error) {
					for range 3 {
						require.Same(t, *self, asyncio.CurrentTask(ctx))
						require.Same(t, *self, asyncio.CurrentTask(context.WithValue(ctx, ctxKey("v"), 1)))
						yield(t, ctx, 1)
					}
					return 0, nil
				}
			}
			var a, b *asyncio.Task[int]
			a = asyncio.CreateTask(l.Context(), body(&a))
			b = asyncio.CreateTask(l.Context(), body(&b))
			l.CallSoon(func() { require.Nil(t, asyncio.CurrentTask(l.Context())) })
			inTask(t, l, func(ctx context.Context) {
				for _, task := range []*asyncio.Task[int]{a, b} {
					_, err := task.Await(ctx)
					require.NoError(t, err)
				}
			})
		})
		t.Run("AllTasks", func(t *testing.T) {
			l := newLoop(t, opts...)
			require.Empty(t, asyncio.AllTasks(l))
			inTask(t, l, func(ctx context.Context) {
				task := asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error { return nil }))
				require.ElementsMatch(t, []asyncio.AnyTask{asyncio.CurrentTask(ctx), task}, asyncio.AllTasks(l))
				_, err := task.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, []asyncio.AnyTask{asyncio.CurrentTask(ctx)}, asyncio.AllTasks(l))
			})
			require.Empty(t, asyncio.AllTasks(l))
		})
		t.Run("the loop holds a task that nobody else refers to", func(t *testing.T) {
			l := newLoop(t, opts...)
			f := asyncio.NewFuture[int](l)
			var tr trace
			asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				v, err := f.Await(ctx)
				tr.addf("got %d", v)
				return err
			}))
			turn(t, l)
			runtime.GC()
			require.NoError(t, f.SetResult(1))
			turn(t, l)
			tr.equal(t, "got 1")
		})
	})
}

func TestTaskContext(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TASK-12", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				const v = ctxKey("v")
				ctx = context.WithValue(ctx, v, 1)
				task := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
					require.Equal(t, 1, ctx.Value(v))
					ctx = context.WithValue(ctx, v, 2)
					yield(t, ctx, 1)
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
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				short, cancel := context.WithCancel(ctx)
				task := asyncio.CreateTask(short, asyncio.Do(func(ctx context.Context) error {
					yield(t, ctx, 3)
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
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TASK-17", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				counter := countTurns(l)
				yield(t, ctx, 1)
				for _, d := range []time.Duration{0, -1, -time.Hour} {
					before := counter.n
					require.NoError(t, asyncio.Sleep(ctx, d))
					require.Equal(t, before+1, counter.n, "turns of Sleep(%v)", d)
				}
				counter.stop()
			})
		})
		t.Run("TASK-18", func(t *testing.T) {
			l := newLoop(t, opts...)
			task := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				return asyncio.Sleep(ctx, 10*time.Second)
			}))
			turn(t, l)
			require.Equal(t, 1, l.Stats().Timers)
			took(t, 0, 5*time.Second, func() {
				task.Cancel()
				_, err := asyncio.RunUntilComplete(l, task)
				require.ErrorIs(t, err, asyncio.ErrCancelled)
			})
			require.True(t, task.Cancelled())
			require.Zero(t, l.Stats().Timers)
		})
		t.Run("in a plain goroutine Sleep blocks it", func(t *testing.T) {
			noLeaks(t)
			took(t, 10*time.Millisecond, 5*time.Second, func() {
				require.NoError(t, asyncio.Sleep(context.Background(), 10*time.Millisecond))
			})
			ctx, cancel := context.WithCancelCause(context.Background())
			cancel(errBoom)
			require.ErrorIs(t, asyncio.Sleep(ctx, time.Hour), errBoom)
		})
	})
}

//go:noinline
func panicDeep(v any) { panic(v) }

func TestTaskPanic(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("a panic is the task's error, with its stack", func(t *testing.T) {
			l := newLoop(t, opts...)
			handler := recordErrors(l)
			inTask(t, l, func(ctx context.Context) {
				task := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
					yield(t, ctx, 1)
					panicDeep(errBoom)
					return nil
				}))
				_, err := task.Await(ctx)
				var panicked *asyncio.PanicError
				require.ErrorAs(t, err, &panicked)
				require.Equal(t, errBoom, panicked.Value)
				require.Contains(t, string(panicked.Stack), "panicDeep")
				errorSays(t, err, "boom")
				require.Same(t, err, task.Exception())
				require.False(t, task.Cancelled())
				yield(t, ctx, 1)
			})
			handler.none(t)
		})
		t.Run("a panic with no error value", func(t *testing.T) {
			l := newLoop(t, opts...)
			_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(context.Context) error { panic("plain text") }))
			errorSays(t, err, "plain text")
		})
		t.Run("Goexit ends the task and unwinds the loop", func(t *testing.T) {
			l := newLoop(t, opts...)
			var tr trace
			bystander := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				yield(t, ctx, 5)
				tr.add("bystander")
				return nil
			}))
			task := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				defer tr.mark("deferred")()
				yield(t, ctx, 2)
				runtime.Goexit()
				return nil
			}))
			waiter := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				_, err := task.Await(ctx)
				return err
			}))
			unwinds(t, func() { _, _ = asyncio.RunUntilComplete(l, bystander) })
			tr.equal(t, "deferred")
			require.False(t, l.IsRunning())
			require.True(t, task.Done())
			require.Error(t, task.Exception())
			require.False(t, task.Cancelled())
			require.Nil(t, asyncio.CurrentTask(l.Context()))
			run(t, l, bystander.Await)
			tr.equal(t, "deferred", "bystander")
			require.Same(t, task.Exception(), waiter.Exception())
		})
		t.Run("Goexit in the task that the loop runs for", func(t *testing.T) {
			l := newLoop(t, opts...)
			unwinds(t, func() {
				_, _ = asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
					yield(t, ctx, 1)
					runtime.Goexit()
					return nil
				}))
			})
			inTask(t, l, func(ctx context.Context) { yield(t, ctx, 1) })
		})
	})
}

func TestTaskReports(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("TASK-10", func(t *testing.T) {
			l := newLoop(t, opts...)
			handler := recordErrors(l)
			forever := func(ctx context.Context) (int, error) { return 0, asyncio.Sleep(ctx, asyncio.Forever) }
			task := asyncio.CreateTask(l.Context(), forever)
			l.CallLater(10*time.Millisecond, l.Stop)
			_, err := asyncio.RunUntilComplete(l, asyncio.Coro[int](forever))
			require.ErrorIs(t, err, asyncio.ErrLoopStopped)
			handler.none(t)
			require.NoError(t, l.Close())
			c := handler.one(t)
			require.Contains(t, c.Message, "Task was destroyed but it is pending!")
			require.Same(t, task, c.Task)
		})
		t.Run("a failure that nobody looks at is reported once", func(t *testing.T) {
			l := newLoop(t, opts...)
			handler := recordErrors(l)
			ctx := context.WithValue(l.Context(), ctxKey("v"), 7)
			dropTask(ctx, func(context.Context) error { return errBoom })
			collect(t, l, func() bool { return len(handler.got) > 0 })
			c := handler.one(t)
			require.Contains(t, c.Message, "Task exception was never retrieved")
			require.Same(t, errBoom, c.Exception)
			t.Run("LOOP-24", func(t *testing.T) {
				require.NotNil(t, c.Context)
				require.Equal(t, 7, c.Context.Value(ctxKey("v")))
			})
			collect(t, l, func() bool { return false })
			handler.one(t)
		})
		t.Run("TASK-20", func(t *testing.T) {
			l := newLoop(t, opts...)
			task := asyncio.CreateTask(l.Context(), asyncio.Do(suspendOuter))
			failed := asyncio.CreateTask(l.Context(), asyncio.Do(func(context.Context) error { return errBoom }))
			turn(t, l)
			stack := task.Stack()
			inner, outer := strings.Index(stack, "suspendInner"), strings.Index(stack, "suspendOuter")
			require.NotEqual(t, -1, inner, "the stack is %q", stack)
			require.Greater(t, outer, inner, "the newest frame comes first")
			first, _, _ := strings.Cut(stack, "\n")
			require.Regexp(t, `suspendInner|asyncio\.Sleep`, first, "the await point comes first")
			require.Empty(t, failed.Stack())
			require.Same(t, errBoom, failed.Exception())
			task.Cancel()
			turns(t, l, 2)
			require.True(t, task.Done())
			require.Empty(t, task.Stack())
		})
	})
}

func TestTaskDoneCallbacks(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := newLoop(t, opts...)
		task := asyncio.CreateTask(l.Context(), returning(1, 0))
		var tr trace
		first := task.AddDoneCallback(func(*asyncio.Task[int]) { tr.add("first") })
		task.AddDoneCallback(func(*asyncio.Task[int]) { tr.add("second") })
		require.Equal(t, 1, task.RemoveDoneCallback(first))
		require.Equal(t, 0, task.RemoveDoneCallback(first))
		require.Equal(t, 0, task.RemoveDoneCallback(nil))
		turns(t, l, 3)
		tr.equal(t, "second")
		panicsWith(t, asyncio.ErrInvalidState, func() { task.AddDoneCallback(nil) })
		panicsWith(t, asyncio.ErrInvalidState, func() { asyncio.NewFuture[int](l).AddDoneCallback(nil) })
	})
}

// dropTask makes a task that is reachable no more, but for its loop, when the function
// returns.
//
//go:noinline
func dropTask(ctx context.Context, body func(context.Context) error) {
	asyncio.CreateTask(ctx, asyncio.Do(body))
}

//go:noinline
func suspendInner(ctx context.Context) error { return asyncio.Sleep(ctx, time.Hour) }

//go:noinline
func suspendOuter(ctx context.Context) error {
	err := suspendInner(ctx)
	return err
}
