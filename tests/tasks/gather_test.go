// Gather and its kin: results in the order of the arguments, the first failure, and what
// a cancellation of either side does to the other.
package tasks_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// stubborn is a coroutine that keeps a cancellation back until f is done, and then
// returns what end makes of it.
func stubborn[T any](f *asyncio.Future[T], end func(v T, cancelled error) (T, error)) asyncio.Coro[T] {
	return func(ctx context.Context) (v T, _ error) {
		cancelled := testkit.SleepsLong(ctx)
		v, err := f.Await(ctx)
		if err != nil {
			return v, err
		}
		return end(v, cancelled)
	}
}

// swallows and obeys are the two ends of stubborn.
func swallows[T any](v T, _ error) (T, error)      { return v, nil }
func obeys[T any](v T, cancelled error) (T, error) { return v, cancelled }

func TestGather(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("GAT-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			a, b, c := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
			g := asyncio.Gather[int](l.Context(), a, b, c)
			calls := 0
			g.AddDoneCallback(func(*asyncio.Future[[]int]) { calls++ })
			b.SetResult(1)
			a.SetResult(2)
			asynciotest.Turns(t, l, 3)
			require.False(t, g.Done())
			c.SetResult(3)
			asynciotest.Turns(t, l, 3)
			require.True(t, g.Done())
			v, err := g.Result()
			require.NoError(t, err)
			require.Equal(t, []int{2, 1, 3}, v)
			require.Equal(t, 1, calls)
		})
		t.Run("GAT-03", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			rec := asynciotest.RecordReports(l)
			err1, err2 := errors.New("first"), errors.New("second")
			var fs [4]*asyncio.Future[int]
			for i := range fs {
				fs[i] = asyncio.NewFuture[int](l)
			}
			g := asyncio.GatherResults[int](l.Context(), fs[0], fs[1], fs[2], fs[3])
			fs[0].SetResult(3)
			asynciotest.Turns(t, l, 2)
			fs[3].SetException(err2)
			fs[2].SetException(err1)
			asynciotest.Turns(t, l, 3)
			require.False(t, g.Done(), "a failure does not complete it")
			fs[1].SetResult(1)
			v, err := asyncio.RunUntilComplete[[]asyncio.Result[int]](l, g)
			require.NoError(t, err)
			require.Equal(t, []asyncio.Result[int]{{Value: 3}, {Value: 1}, {Err: err1}, {Err: err2}}, v)
			rec.None(t)
		})
		t.Run("GAT-04", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			g := asyncio.Gather[int](l.Context())
			require.True(t, g.Done())
			v, err := g.Result()
			require.NoError(t, err)
			require.Equal(t, []int{}, v)
			r := asyncio.GatherResults[int](l.Context())
			require.True(t, r.Done())
			results, err := r.Result()
			require.NoError(t, err)
			require.Equal(t, []asyncio.Result[int]{}, results)
		})
		t.Run("GAT-05", func(t *testing.T) {
			here, there := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			testkit.PanicsWith(t, asyncio.ErrWrongLoop, func() {
				asyncio.Gather[int](here.Context(), asyncio.NewFuture[int](here), asyncio.NewFuture[int](there))
			})
			testkit.PanicsWith(t, asyncio.ErrWrongLoop, func() {
				asyncio.GatherResults[int](here.Context(), asyncio.NewFuture[int](here), asyncio.NewFuture[int](there))
			})
		})
		t.Run("GAT-06", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			ran := 0
			abc := asyncio.CreateTask(l.Context(), func(ctx context.Context) (string, error) {
				ran++
				return "abc", asyncio.Sleep(ctx, 0)
			})
			def := asyncio.NewFuture[string](l)
			l.CallSoon(func() { def.SetResult("def") })
			v, err := asyncio.RunUntilComplete[[]string](l, asyncio.Gather[string](l.Context(), abc, abc, def, abc))
			require.NoError(t, err)
			require.Equal(t, []string{"abc", "abc", "def", "abc"}, v)
			require.Equal(t, 1, ran)
		})
		t.Run("GAT-13", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			rec := asynciotest.RecordReports(l)
			require.Error(t, testkit.PanicError(t, func() { asyncio.Gather[int](l.Context(), testkit.Returning(1, 0), nil) }))
			require.Error(t, testkit.PanicError(t, func() { asyncio.Gather[int](l.Context(), asyncio.Coro[int](nil)) }))
			asynciotest.Turns(t, l, 3)
			require.Empty(t, asyncio.AllTasks(l), "nothing is left behind")
			rec.None(t)
		})
		t.Run("GAT-15", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				flag := false
				sibling := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
					err := testkit.Suspend(ctx, 5)
					flag = err == nil
					return 0, err
				})
				_, err := asyncio.Gather[int](ctx, testkit.Failing[int](testkit.ErrBoom, 1), sibling).Await(ctx)
				require.ErrorIs(t, err, testkit.ErrBoom)
				require.False(t, flag)
				_, err = sibling.Await(ctx)
				require.NoError(t, err)
				require.True(t, flag)
			})
		})
	})
}

func TestGatherCancelled(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("GAT-07", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			a, b := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
			g := asyncio.Gather[int](l.Context(), a, b)
			b.Cancel("child")
			asynciotest.Turn(t, l)
			require.True(t, g.Done())
			require.False(t, g.Cancelled(), "a child's cancellation is an error of the gather, not its own")
			testkit.WantCancelled(t, g.Exception(), "child")
			require.False(t, a.Done())
		})
		t.Run("GAT-09", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f1, f2 := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
			c1, c2 := testkit.Awaits(l.Context(), f1), testkit.Awaits(l.Context(), f2)
			g := asyncio.Gather[int](l.Context(), c1, c2)
			waiter := testkit.Awaits(l.Context(), g)
			asynciotest.Turn(t, l)
			require.True(t, waiter.Cancel())
			_, err := asyncio.RunUntilComplete[[]int](l, waiter)
			testkit.WantCancelled(t, err, nil)
			require.True(t, waiter.Cancelled())
			for _, f := range []asyncio.AnyFuture{c1, c2, f1, f2} {
				require.True(t, f.Cancelled())
			}
			require.False(t, g.Cancel(), "it is done")
		})
		t.Run("GAT-10", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f1, f2 := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
			g := asyncio.GatherResults[int](l.Context(), testkit.Awaits(l.Context(), f1), testkit.Awaits(l.Context(), f2))
			asynciotest.Turn(t, l)
			require.True(t, g.Cancel("outer"))
			require.False(t, g.Done(), "it only asks its children")
			_, err := asyncio.RunUntilComplete[[]asyncio.Result[int]](l, g)
			testkit.WantCancelled(t, err, "outer")
		})
		t.Run("GAT-11", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			gate := asyncio.NewFuture[int](l)
			g := asyncio.Gather[int](l.Context(), stubborn(gate, swallows[int]))
			asynciotest.Turn(t, l)
			require.True(t, g.Cancel())
			asynciotest.Turns(t, l, 5)
			require.False(t, g.Done())
			gate.SetResult(7)
			_, err := asyncio.RunUntilComplete[[]int](l, g)
			testkit.WantCancelled(t, err, nil)
		})
		t.Run("GAT-11b", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			gate := asyncio.NewFuture[int](l)
			slow := asyncio.CreateTask(l.Context(), stubborn(gate, obeys[int]))
			quick := asyncio.CreateTask(l.Context(), testkit.Returning(1, 100))
			g := asyncio.Gather[int](l.Context(), quick, slow)
			asynciotest.Turn(t, l)
			require.True(t, g.Cancel())
			_, err := asyncio.RunUntilComplete[[]int](l, g)
			testkit.WantCancelled(t, err, nil)
			require.True(t, quick.Cancelled())
			require.False(t, slow.Done(), "the other child still cleans up")
			gate.SetResult(0)
			_, err = asyncio.RunUntilComplete[int](l, slow)
			testkit.WantCancelled(t, err, nil)

			gate = asyncio.NewFuture[int](l)
			slow = asyncio.CreateTask(l.Context(), stubborn(gate, obeys[int]))
			all := asyncio.GatherResults[int](l.Context(), testkit.Returning(1, 100), slow)
			asynciotest.Turn(t, l)
			require.True(t, all.Cancel())
			asynciotest.Turns(t, l, 5)
			require.False(t, all.Done(), "this kind waits for every child")
			gate.SetResult(0)
			_, err = asyncio.RunUntilComplete[[]asyncio.Result[int]](l, all)
			testkit.WantCancelled(t, err, nil)
			require.True(t, slow.Cancelled())
		})
		t.Run("a cancelled child is a result of GatherResults", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			a, b := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
			g := asyncio.GatherResults[int](l.Context(), a, b)
			a.Cancel()
			asynciotest.Turns(t, l, 2)
			require.False(t, g.Done())
			b.SetResult(2)
			v, err := asyncio.RunUntilComplete[[]asyncio.Result[int]](l, g)
			require.NoError(t, err)
			testkit.WantCancelled(t, v[0].Err, nil)
			require.Equal(t, asyncio.Result[int]{Value: 2}, v[1])
		})
		t.Run("Cancel after all children are done is false", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			a := asyncio.NewFuture[int](l)
			g := asyncio.Gather[int](l.Context(), a)
			a.SetResult(1)
			require.False(t, g.Cancel(), "its only child is done, its own end is on the way")
			v, err := asyncio.RunUntilComplete[[]int](l, g)
			require.NoError(t, err)
			require.Equal(t, []int{1}, v)
		})
		t.Run("later failures of siblings are nobody's report", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			rec := asynciotest.RecordReports(l)
			a, b := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
			g := asyncio.Gather[int](l.Context(), a, b)
			a.SetException(testkit.ErrBoom)
			_, err := asyncio.RunUntilComplete[[]int](l, g)
			require.ErrorIs(t, err, testkit.ErrBoom)
			b.SetException(errors.New("late"))
			asynciotest.Turns(t, l, 2)
			require.NoError(t, l.Close())
			rec.None(t)
		})
	})
}

func TestGatherMany(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("10,000 children", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			const n = 10_000
			asynciotest.InTask(t, l, func(ctx context.Context) {
				aws := make([]asyncio.Awaitable[int], n)
				want := make([]int, n)
				for i := range aws {
					aws[i], want[i] = testkit.Returning(i, i%3), i
				}
				v, err := asyncio.Gather(ctx, aws...).Await(ctx)
				require.NoError(t, err)
				require.Equal(t, want, v)
				require.Len(t, asyncio.AllTasks(l), 1)
			})
		})
		t.Run("10,000 children are cancelled", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			const n = 10_000
			cancelled := 0
			g := asyncio.GatherResults(l.Context(), func() []asyncio.Awaitable[int] {
				aws := make([]asyncio.Awaitable[int], n)
				for i := range aws {
					aws[i] = asyncio.Coro[int](func(ctx context.Context) (int, error) {
						err := testkit.SleepsLong(ctx)
						cancelled++
						return 0, err
					})
				}
				return aws
			}()...)
			asynciotest.Turn(t, l)
			require.True(t, g.Cancel("all"))
			_, err := asyncio.RunUntilComplete[[]asyncio.Result[int]](l, g)
			testkit.WantCancelled(t, err, "all")
			require.Equal(t, n, cancelled)
			require.Empty(t, asyncio.AllTasks(l))
		})
		t.Run("a coroutine starts as a task, in the next turn, in the order of the arguments", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			child := func(name string) asyncio.Coro[int] {
				return func(ctx context.Context) (int, error) {
					tr.Addf("%s in %s", name, asyncio.CurrentTask(ctx).Name())
					return 0, nil
				}
			}
			asynciotest.InTask(t, l, func(ctx context.Context) {
				me := asyncio.CurrentTask(ctx).Name()
				g := asyncio.Gather[int](ctx, child("a"), child("b"))
				require.Empty(t, tr.Events())
				require.Len(t, asyncio.AllTasks(l), 3)
				_, err := g.Await(ctx)
				require.NoError(t, err)
				require.Len(t, tr.Events(), 2)
				for i, name := range []string{"a in ", "b in "} {
					require.Contains(t, tr.Events()[i], name)
					require.NotEqual(t, name+me, tr.Events()[i], "not in the task that gathers")
				}
			})
		})
		t.Run("the same Coro twice is two runs", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			ran := 0
			once := asyncio.Coro[int](func(context.Context) (int, error) { ran++; return ran, nil })
			v, err := asyncio.RunUntilComplete[[]int](l, asyncio.Gather[int](l.Context(), once, once))
			require.NoError(t, err)
			require.Equal(t, []int{1, 2}, v)
		})
	})
}

func TestGatherTyped(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("results of different types", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f := asyncio.NewFuture[string](l)
				l.CallSoon(func() { f.SetResult("s") })
				a, b, err := asyncio.Gather2[int, string](ctx, testkit.Returning(1, 3), f)
				require.NoError(t, err)
				require.Equal(t, 1, a)
				require.Equal(t, "s", b)
				a, b, c, err := asyncio.Gather3[int, string, bool](ctx, testkit.Returning(2, 2), f, testkit.Returning(true, 1))
				require.NoError(t, err)
				require.Equal(t, []any{2, "s", true}, []any{a, b, c})
				tk := asyncio.CreateTask(ctx, testkit.Returning(4.5, 1))
				a, b, c, d, err := asyncio.Gather4[int, string, bool, float64](ctx, testkit.Returning(3, 0), f, testkit.Returning(true, 1), tk)
				require.NoError(t, err)
				require.Equal(t, []any{3, "s", true, 4.5}, []any{a, b, c, d})
			})
		})
		t.Run("they run at the same time", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				child := func(name string) asyncio.Coro[int] {
					return func(ctx context.Context) (int, error) {
						tr.Add(name + " starts")
						err := testkit.Suspend(ctx, 1)
						tr.Add(name + " ends")
						return 0, err
					}
				}
				_, _, err := asyncio.Gather2[int, int](ctx, child("a"), child("b"))
				require.NoError(t, err)
				tr.Equal(t, "a starts", "b starts", "a ends", "b ends")
			})
		})
		t.Run("the first failure ends it, the sibling goes on", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				sibling := asyncio.CreateTask(ctx, testkit.Returning("late", 5))
				_, _, err := asyncio.Gather2[int, string](ctx, testkit.Failing[int](testkit.ErrBoom, 1), sibling)
				require.ErrorIs(t, err, testkit.ErrBoom)
				require.False(t, sibling.Done())
				v, err := sibling.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, "late", v)
			})
		})
		t.Run("a cancellation reaches every child", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f, g, h := asyncio.NewFuture[int](l), asyncio.NewFuture[string](l), asyncio.NewFuture[bool](l)
			tk := testkit.Start(l.Context(), func(ctx context.Context) error {
				_, _, _, err := asyncio.Gather3[int, string, bool](ctx, f, g, h)
				return err
			})
			asynciotest.Turn(t, l)
			require.True(t, tk.Cancel("down"))
			_, err := asyncio.RunUntilComplete[asyncio.None](l, tk)
			testkit.WantCancelled(t, err, "down")
			require.True(t, f.Cancelled())
			require.True(t, g.Cancelled())
			require.True(t, h.Cancelled())
		})
		t.Run("a deadline reaches every child", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f := asyncio.NewFuture[int](l)
				testkit.WantTimeout(t, asyncio.Timeout(ctx, time.Millisecond, func(ctx context.Context) error {
					_, _, err := asyncio.Gather2[int, int](ctx, f, asyncio.NewFuture[int](l))
					return err
				}))
				require.True(t, f.Cancelled())
			})
		})
	})
}
