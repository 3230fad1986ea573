// Looking inside: who awaits whom, and which tasks there are, also for other goroutines.
package tasks_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// awaitersOf spells who awaits f as name(awaiter ...), a future without its name.
func awaitersOf(f asyncio.AnyFuture) string { return spellGraph(asyncio.CaptureCallGraph(f)) }

func spellGraph(g *asyncio.CallGraph) string {
	name := g.Name
	if g.Cycle {
		name += "!"
	}
	var parts []string
	for _, a := range g.AwaitedBy {
		parts = append(parts, spellGraph(a))
	}
	if parts == nil {
		return name
	}
	return name + "(" + strings.Join(parts, " ") + ")"
}

// stuck is a task that awaits gate in a function of its own.
func stuck(ctx context.Context, name string, gate *asyncio.Future[int]) *asyncio.Task[int] {
	return asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return awaitGate(ctx, gate) }, asyncio.WithName(name))
}

//go:noinline
func awaitGate(ctx context.Context, gate *asyncio.Future[int]) (int, error) { return gate.Await(ctx) }

// lookAt runs body as the task "main" of a loop, and check in a callback once body is
// suspended. Then gate opens.
func lookAt(t *testing.T, l *asyncio.Loop, body func(ctx context.Context, gate *asyncio.Future[int]) error, check func(main asyncio.AnyTask)) {
	t.Helper()
	asynciotest.InTask(t, l, func(ctx context.Context) {
		gate := asyncio.NewFuture[int](l)
		main := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error { return body(ctx, gate) }), asyncio.WithName("main"))
		asynciotest.Yield(t, ctx, 4)
		require.False(t, main.Done(), "the body does not wait")
		check(main)
		require.NoError(t, gate.SetResult(1))
		_, err := main.Await(ctx)
		require.NoError(t, err)
	})
}

func TestCallGraph(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("INT-01", func(t *testing.T) {
			var a, b *asyncio.Task[int]
			children := func(ctx context.Context, gate *asyncio.Future[int]) []asyncio.AnyFuture {
				a, b = stuck(ctx, "A", gate), stuck(ctx, "B", gate)
				return []asyncio.AnyFuture{a, b}
			}
			expect := func(t *testing.T, want string, body func(ctx context.Context, gate *asyncio.Future[int]) error) {
				t.Helper()
				lookAt(t, asynciotest.New(t, opts...), body, func(main asyncio.AnyTask) {
					require.Equal(t, fmt.Sprintf(want, "A"), awaitersOf(a))
					require.Equal(t, fmt.Sprintf(want, "B"), awaitersOf(b))
					require.Equal(t, "main", awaitersOf(main))
					g := asyncio.CaptureCallGraph(a)
					require.Same(t, a, g.Future)
					require.Contains(t, g.Stack[0].Function, "awaitGate", "the newest call comes first")
					require.Len(t, g.Stack, 2, "and then its caller, but nothing of what called that")
					require.True(t, strings.HasSuffix(g.Stack[0].File, "callgraph_test.go"))
					require.Positive(t, g.Stack[0].Line)
				})
			}
			t.Run("gather", func(t *testing.T) {
				expect(t, "%s((main))", func(ctx context.Context, gate *asyncio.Future[int]) error {
					children(ctx, gate)
					_, err := asyncio.Gather[int](ctx, a, b).Await(ctx)
					return err
				})
			})
			t.Run("gather of two", func(t *testing.T) {
				expect(t, "%s((main))", func(ctx context.Context, gate *asyncio.Future[int]) error {
					children(ctx, gate)
					_, _, err := asyncio.Gather2[int, int](ctx, a, b)
					return err
				})
			})
			t.Run("wait", func(t *testing.T) {
				expect(t, "%s(main)", func(ctx context.Context, gate *asyncio.Future[int]) error {
					_, _, err := asyncio.Wait(ctx, children(ctx, gate))
					return err
				})
			})
			t.Run("shield", func(t *testing.T) {
				expect(t, "%s(((main)))", func(ctx context.Context, gate *asyncio.Future[int]) error {
					children(ctx, gate)
					_, err := asyncio.Gather[int](ctx, asyncio.Shield[int](ctx, a), asyncio.Shield[int](ctx, b)).Await(ctx)
					return err
				})
			})
			t.Run("as completed", func(t *testing.T) {
				expect(t, "%s(main)", func(ctx context.Context, gate *asyncio.Future[int]) error {
					children(ctx, gate)
					for _, r := range asyncio.AsCompleted[int](ctx, a, b) {
						require.NoError(t, r.Err)
					}
					return nil
				})
			})
			t.Run("task group", func(t *testing.T) {
				expect(t, "%s(main)", func(ctx context.Context, gate *asyncio.Future[int]) error {
					return asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						child := func(ctx context.Context) (int, error) { return awaitGate(ctx, gate) }
						stuckIn := func(name string) *asyncio.Task[int] { return asyncio.GroupTask(tg, child, asyncio.WithName(name)) }
						a, b = stuckIn("A"), stuckIn("B")
						_, err := gate.Await(ctx)
						return err
					})
				})
			})
		})
		t.Run("await, in a timeout", func(t *testing.T) {
			var a *asyncio.Task[int]
			lookAt(t, asynciotest.New(t, opts...), func(ctx context.Context, gate *asyncio.Future[int]) error {
				a = stuck(ctx, "A", gate)
				_, err := asyncio.WaitFor[int](ctx, a, time.Hour)
				return err
			}, func(main asyncio.AnyTask) {
				require.Equal(t, "A(main)", awaitersOf(a))
				g := asyncio.CaptureCallGraph(main)
				require.Contains(t, g.Stack[0].Function, "TestCallGraph", "frames below a scope are there, those of the package are not")
			})
		})
		t.Run("one that waits on two ways is one node", func(t *testing.T) {
			var a *asyncio.Task[int]
			lookAt(t, asynciotest.New(t, opts...), func(ctx context.Context, gate *asyncio.Future[int]) error {
				a = stuck(ctx, "A", gate)
				_, _, err := asyncio.Gather2[int, []int](ctx, a, asyncio.Gather[int](ctx, a))
				return err
			}, func(asyncio.AnyTask) {
				g := asyncio.CaptureCallGraph(a)
				require.Equal(t, "A(((main)) (main))", spellGraph(g))
				require.Same(t, g.AwaitedBy[0].AwaitedBy[0], g.AwaitedBy[1])
				require.Equal(t, 1, strings.Count(g.Format(), "as above"))
			})
		})
	})
}

func TestCallGraphOf(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("INT-02", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			testkit.PanicsWith(t, asyncio.ErrNoRunningLoop, func() { asyncio.CaptureCallGraph(nil) })
			inCallback := &asyncio.CallGraph{}
			l.CallSoon(func() { inCallback = asyncio.CaptureCallGraph(nil) })
			asynciotest.InTask(t, l, func(ctx context.Context) {
				g := asyncio.CaptureCallGraph(nil)
				require.Same(t, asyncio.CurrentTask(ctx), g.Future)
				require.Contains(t, g.Stack[0].Function, "TestCallGraphOf")
				require.Equal(t, g.Stack[0].Function, asyncio.CaptureCallGraph(asyncio.CurrentTask(ctx)).Stack[0].Function)
				done := asyncio.CreateTask(ctx, testkit.One)
				waiting := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return done.Await(ctx) })
				require.Empty(t, asyncio.CaptureCallGraph(waiting).Stack, "it has not begun")
				asynciotest.Yield(t, ctx, 1)
				require.True(t, done.Done())
				g = asyncio.CaptureCallGraph(done)
				require.Empty(t, g.AwaitedBy)
				require.Empty(t, g.Stack)
				_, err := waiting.Await(ctx)
				require.NoError(t, err)
			})
			require.Nil(t, inCallback, "no task runs in a callback")
		})
		t.Run("outside of the loop", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			gate := asyncio.NewFuture[int](l)
			task := asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) { return awaitGate(ctx, gate) }, asyncio.WithName("T"))
			asynciotest.Turns(t, l, 2)
			check := func() {
				require.Equal(t, "(T)", awaitersOf(gate))
				require.Contains(t, asyncio.CaptureCallGraph(task).Stack[0].Function, "awaitGate")
			}
			check()
			testkit.OnGoroutine(check)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, err := asyncio.ToThread(ctx, func(context.Context) (int, error) { check(); return 0, nil })
				require.NoError(t, err)
			})
			asynciotest.RecordReports(l)
			require.NoError(t, l.Close())
			testkit.OnGoroutine(func() { require.Equal(t, &asyncio.CallGraph{Future: task}, asyncio.CaptureCallGraph(task)) })
		})
		t.Run("INT-03", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var first, second *asyncio.Task[int]
				first = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return second.Await(ctx) }, asyncio.WithName("first"))
				second = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
					v, err := asyncio.Gather[int](ctx, first).Await(ctx)
					return len(v), err
				}, asyncio.WithName("second"))
				asynciotest.Yield(t, ctx, 2)
				require.Equal(t, "first((second(first!)))", awaitersOf(first))
				text := asyncio.CaptureCallGraph(second).Format()
				require.Regexp(t, `Await cycle: second awaits Future\(id=0x[0-9a-f]+\) awaits first awaits second`, text)
				require.Regexp(t, `Await cycle: first awaits second awaits Future\(id=0x[0-9a-f]+\) awaits first`, asyncio.CaptureCallGraph(first).Format())
				first.Cancel()
				asynciotest.Yield(t, ctx, 4)
				require.True(t, second.Done())
			})
		})
		t.Run("Format", func(t *testing.T) {
			var a *asyncio.Task[int]
			lookAt(t, asynciotest.New(t, opts...), func(ctx context.Context, gate *asyncio.Future[int]) error {
				a = stuck(ctx, "A", gate)
				_, err := asyncio.Gather[int](ctx, a).Await(ctx)
				return err
			}, func(asyncio.AnyTask) {
				require.Regexp(t, `^\* Task\(name="A", id=0x[0-9a-f]+\)
  \+ Call stack:
  \|   File "\S+callgraph_test.go", line \d+, in \S+awaitGate\(\)
  \|   File "\S+callgraph_test.go", line \d+, in \S+stuck\S*\(\)
  \+ Awaited by:
    \* Future\(id=0x[0-9a-f]+\)
      \+ Awaited by:
        \* Task\(name="main", id=0x[0-9a-f]+\)
          \+ Call stack:
          \|   File "\S+callgraph_test.go", line \d+, in \S+TestCallGraphOf\S+\(\)
          \|   File "\S+callgraph_test.go", line \d+, in \S+lookAt\S*\(\)
$`, asyncio.CaptureCallGraph(a).Format())
			})
		})
	})
}

func TestAllTasksFromAnotherGoroutine(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("INT-04", func(t *testing.T) {
			const looks, tasks, atOnce = 1000, 10_000, 10
			l := asynciotest.New(t, opts...)
			var looked atomic.Int64
			look := func() (seen int) {
				for range looks {
					for _, task := range asyncio.AllTasks(l) {
						if task.Loop() != l {
							t.Errorf("%v belongs to another loop", task)
						}
						seen++
					}
					looked.Add(1)
				}
				return seen
			}
			asynciotest.InTask(t, l, func(ctx context.Context) {
				seen := asyncio.RunInExecutor(ctx, nil, func() (int, error) { return look(), nil })
				for made := 0; made < tasks || looked.Load() < looks; made += atOnce {
					children := make([]asyncio.Awaitable[int], atOnce)
					for i := range children {
						children[i] = asyncio.Coro[int](func(ctx context.Context) (int, error) { return 0, asyncio.Sleep(ctx, 0) })
					}
					all := asyncio.Gather(ctx, children...)
					for _, task := range asyncio.AllTasks(l) {
						assert.False(t, task.Done())
					}
					runtime.Gosched() // if there is one processor for both
					_, err := all.Await(ctx)
					require.NoError(t, err)
				}
				n, err := seen.Await(ctx)
				require.NoError(t, err)
				require.Greater(t, n, looks, "more than the main task each time")
			})
		})
		t.Run("while runs begin and end", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			gate := asyncio.NewFuture[int](l)
			task := asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) { return gate.Await(ctx) })
			const looks = 300
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for range looks {
					if all := asyncio.AllTasks(l); len(all) != 1 || all[0] != asyncio.AnyTask(task) {
						t.Errorf("all tasks: %v", all)
					}
				}
			}()
			for running := true; running; {
				select {
				case <-ended:
					running = false
				default:
					asynciotest.Turn(t, l)
				}
			}
			require.NoError(t, gate.SetResult(1))
			asynciotest.Turns(t, l, 2)
			require.Empty(t, asyncio.AllTasks(l))
			require.NoError(t, l.Close())
			testkit.OnGoroutine(func() { require.Empty(t, asyncio.AllTasks(l)) })
		})
	})
}
