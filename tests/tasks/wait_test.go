// Wait and AsCompleted: which futures they say are done, when, and that they take nothing
// from them.
package tasks_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// anyFutures makes the argument of Wait.
func anyFutures(fs ...asyncio.AnyFuture) []asyncio.AnyFuture { return fs }

// futures makes n pending futures.
func futures(l *asyncio.Loop, n int) []*asyncio.Future[int] {
	fs := make([]*asyncio.Future[int], n)
	for i := range fs {
		fs[i] = asyncio.NewFuture[int](l)
	}
	return fs
}

// sleeper starts a task that sleeps and returns v.
func sleeper[T any](ctx context.Context, d time.Duration, v T) *asyncio.Task[T] {
	return asyncio.CreateTask(ctx, func(ctx context.Context) (T, error) { return v, asyncio.Sleep(ctx, d) })
}

func TestWait(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("WAIT-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				a, b := sleeper(ctx, 10*time.Millisecond, "a"), sleeper(ctx, 15*time.Millisecond, "b")
				testkit.Took(t, 15*time.Millisecond, func() {
					done, pending, err := asyncio.Wait(ctx, anyFutures(b, a))
					require.NoError(t, err)
					require.Equal(t, anyFutures(b, a), done, "in the order of the arguments")
					require.Empty(t, pending)
				})
				done, pending, err := asyncio.Wait(ctx, anyFutures(a, b))
				require.NoError(t, err)
				require.Equal(t, anyFutures(a, b), done)
				require.Empty(t, pending)
			})
		})
		t.Run("WAIT-03", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				a, b := testkit.Start(ctx, testkit.SleepsLong), sleeper(ctx, time.Millisecond, "b")
				done, pending, err := asyncio.Wait(ctx, anyFutures(a, b), asyncio.ReturnWhen(asyncio.FirstCompleted))
				require.NoError(t, err)
				require.Equal(t, anyFutures(b), done)
				require.Equal(t, anyFutures(a), pending)
				require.False(t, a.Done())
				a.Cancel()
			})
		})
		t.Run("WAIT-04", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				a, b, c := testkit.Start(ctx, after(1, nil)), testkit.Start(ctx, after(2, nil)), testkit.Start(ctx, testkit.SleepsLong)
				done, pending, err := asyncio.Wait(ctx, anyFutures(c, a, b), asyncio.ReturnWhen(asyncio.FirstCompleted))
				require.NoError(t, err)
				require.Equal(t, anyFutures(a, b), done)
				require.Equal(t, anyFutures(c), pending)
				c.Cancel()
			})
		})
		t.Run("WAIT-08", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				c, d := testkit.Start(ctx, after(1, nil)), testkit.Start(ctx, after(1, nil))
				done, pending, err := asyncio.Wait(ctx, anyFutures(c, c, d))
				require.NoError(t, err)
				require.Equal(t, anyFutures(c, d), done)
				require.Empty(t, pending)
			})
		})
		t.Run("WAIT-09", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				event := asyncio.NewEvent()
				inner := testkit.Start(ctx, event.Wait)
				waiter := testkit.Start(ctx, func(ctx context.Context) error {
					done, pending, err := asyncio.Wait(ctx, anyFutures(inner), asyncio.WaitTimeout(time.Hour))
					require.Nil(t, done)
					require.Nil(t, pending)
					return err
				})
				asynciotest.Yield(t, ctx, 2)
				waiter.Cancel("enough")
				_, err := waiter.Await(ctx)
				testkit.WantCancelled(t, err, "enough")
				require.Zero(t, l.Stats().Timers)
				require.Zero(t, inner.Cancelling())
				event.Set()
				_, err = inner.Await(ctx)
				require.NoError(t, err)
			})
		})
		t.Run("WAIT-10", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				failed := testkit.Start(ctx, after(1, testkit.ErrBoom))
				done, _, err := asyncio.Wait(ctx, anyFutures(failed))
				require.NoError(t, err)
				require.Equal(t, testkit.ErrBoom, done[0].Exception())
			})
		})
		t.Run("a failure that nobody looks at is still reported", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			reports := asynciotest.RecordReports(l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, _, err := asyncio.Wait(ctx, anyFutures(testkit.Start(ctx, after(1, testkit.ErrBoom))))
				require.NoError(t, err)
			})
			require.NoError(t, l.Close())
			require.Equal(t, testkit.ErrBoom, reports.One(t).Exception)
		})
		t.Run("FirstException", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				fs := futures(l, 4)
				waiter := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
					done, _, err := asyncio.Wait(ctx, anyFutures(fs[0], fs[1], fs[2], fs[3]), asyncio.ReturnWhen(asyncio.FirstException))
					return len(done), err
				})
				require.NoError(t, fs[0].SetResult(1))
				fs[1].Cancel()
				asynciotest.Yield(t, ctx, 4)
				require.False(t, waiter.Done(), "neither a result nor a cancellation is a failure")
				require.NoError(t, fs[2].SetException(testkit.ErrBoom))
				asynciotest.Yield(t, ctx, 2)
				require.Equal(t, "3", testkit.StateOf(waiter))
				done, _, err := asyncio.Wait(ctx, anyFutures(fs[0], fs[1]), asyncio.ReturnWhen(asyncio.FirstException))
				require.NoError(t, err)
				require.Len(t, done, 2, "all are done")
			})
		})
		t.Run("the end of the time is no error and cancels nothing", func(t *testing.T) {
			for _, limit := range []time.Duration{-time.Second, 0, time.Millisecond} {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					a, b := testkit.Start(ctx, testkit.SleepsLong), asyncio.NewFuture[int](l)
					require.NoError(t, b.SetResult(1))
					testkit.Took(t, limit, func() {
						done, pending, err := asyncio.Wait(ctx, anyFutures(a, b), asyncio.WaitTimeout(limit))
						require.NoError(t, err)
						require.Equal(t, anyFutures(b), done)
						require.Equal(t, anyFutures(a), pending)
					})
					require.Zero(t, a.Cancelling())
					a.Cancel()
				})
			}
		})
		t.Run("suspends even if all are done", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f := asyncio.NewFuture[int](l)
				require.NoError(t, f.SetResult(1))
				turn := asynciotest.CountTurns(l)
				_, _, err := asyncio.Wait(ctx, anyFutures(f), asyncio.WaitTimeout(asyncio.Forever))
				require.NoError(t, err)
				require.Equal(t, 2, turn.N())
				turn.Stop()
				require.Zero(t, l.Stats().Timers)
			})
		})
		t.Run("leaves nothing with the futures", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f := asyncio.NewFuture[int](l)
				for range 3 {
					_, pending, err := asyncio.Wait(ctx, anyFutures(f), asyncio.WaitTimeout(0))
					require.NoError(t, err)
					require.Len(t, pending, 1)
				}
				before := l.Stats().Ready
				require.NoError(t, f.SetResult(1))
				require.Equal(t, before, l.Stats().Ready, "nobody is told")
			})
		})
		t.Run("refuses", func(t *testing.T) {
			l, other := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, _, err := asyncio.Wait(ctx, nil)
				require.ErrorIs(t, err, asyncio.ErrInvalidState)
				_, _, err = asyncio.Wait(ctx, anyFutures(asyncio.NewFuture[int](l), asyncio.NewFuture[int](other)))
				require.ErrorIs(t, err, asyncio.ErrWrongLoop)
				testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { _, _, _ = asyncio.Wait(ctx, anyFutures(nil)) })
				testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.ReturnWhen(asyncio.FirstException + 1) })
				testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.ReturnWhen(-1) })
			})
		})
	})
}

func TestAsCompleted(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("ASC-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				sleeps := func(v string, after *asyncio.Event) asyncio.Coro[string] {
					return func(ctx context.Context) (string, error) {
						if err := after.Wait(ctx); err != nil {
							return "", err
						}
						return v, asyncio.Sleep(ctx, time.Millisecond)
					}
				}
				now, late := asyncio.NewEvent(), asyncio.NewEvent()
				now.Set()
				var tr asynciotest.Trace
				for i, r := range asyncio.AsCompleted[string](ctx, sleeps("c", late), sleeps("a", now), sleeps("b", now)) {
					require.NoError(t, r.Err)
					tr.Addf("%d %s", i, r.Value)
					if len(tr.Events()) == 2 {
						late.Set()
					}
				}
				require.ElementsMatch(t, []string{"1 a", "2 b"}, tr.Events()[:2])
				require.Equal(t, []string{"0 c"}, tr.Events()[2:])
			})
		})
		t.Run("ASC-02", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				const limit = 20 * time.Millisecond
				event := asyncio.NewEvent()
				b := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) { return "b", event.Wait(ctx) })
				results := asyncio.AsCompleted[string](ctx, sleeper(ctx, time.Millisecond, "a"), b)
				scope := asyncio.NewTimeout(asyncio.Forever)
				testkit.Took(t, limit, func() {
					testkit.WantTimeout(t, scope.Run(ctx, func(context.Context) error {
						for i, r := range results {
							tr.Addf("%d %s%s", i, r.Value, testkit.ErrName(r.Err))
							if r.Err != nil {
								return r.Err
							}
							require.NoError(t, scope.Reschedule(l.Time()+limit))
						}
						return nil
					}))
				})
				tr.Equal(t, "0 anil", "-1 CancelledError")
				require.Zero(t, b.Cancelling())
				event.Set()
				for i, r := range results {
					tr.Addf("%d %s%s", i, r.Value, testkit.ErrName(r.Err))
				}
				tr.Equal(t, "0 anil", "-1 CancelledError", "1 bnil")
			})
		})
		t.Run("ASC-03", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f := asyncio.NewFuture[int](l)
				task := asyncio.CreateTask(ctx, asyncio.Coro[int](testkit.One))
				coro := asyncio.Coro[int](func(ctx context.Context) (int, error) {
					err := testkit.Suspend(ctx, 2)
					require.NoError(t, f.SetException(testkit.ErrBoom))
					return 2, err
				})
				var tr asynciotest.Trace
				for i, r := range asyncio.AsCompleted[int](ctx, f, coro, task) {
					tr.Addf("%d %d %s", i, r.Value, testkit.ErrName(r.Err))
				}
				tr.Equal(t, "2 1 nil", "0 0 boom", "1 2 nil")
			})
		})
		t.Run("ASC-04", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				fs := futures(l, 4)
				results := asyncio.AsCompleted[int](ctx, fs[0], fs[1], fs[2], fs[3])
				for _, i := range []int{2, 0, 3, 1} {
					require.NoError(t, fs[i].SetResult(i))
				}
				var order []int
				for range 3 {
					for i, r := range results {
						require.Equal(t, i, r.Value)
						order = append(order, i)
						if len(order)%2 == 0 {
							break
						}
					}
				}
				require.Equal(t, []int{2, 0, 3, 1}, order, "and nothing comes twice")
			})
		})
		t.Run("the same future twice is one", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f, g := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
				require.NoError(t, f.SetResult(1))
				g.Cancel("gone")
				var tr asynciotest.Trace
				for i, r := range asyncio.AsCompleted[int](ctx, g, f, g, f) {
					tr.Addf("%d %d %s", i, r.Value, testkit.ErrName(r.Err))
				}
				tr.Equal(t, "0 0 CancelledError(gone)", "1 1 nil")
				for range asyncio.AsCompleted[int](ctx) {
					t.Error("there is nothing to range over")
				}
			})
		})
		t.Run("a cancellation ends the range, not the awaitables", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f := asyncio.NewFuture[int](l)
				waiter := testkit.Start(ctx, func(ctx context.Context) error {
					results := asyncio.AsCompleted[int](ctx, f)
					for i, r := range results {
						require.Equal(t, -1, i)
						testkit.WantCancelled(t, r.Err, "enough")
					}
					for i, r := range results {
						require.Equal(t, 0, i)
						require.Equal(t, 5, r.Value)
						return nil
					}
					return testkit.ErrBoom
				})
				asynciotest.Yield(t, ctx, 1)
				waiter.Cancel("enough")
				asynciotest.Yield(t, ctx, 1)
				require.False(t, f.Done())
				require.NoError(t, f.SetResult(5))
				_, err := waiter.Await(ctx)
				require.NoError(t, err)
			})
		})
		t.Run("the end of a derived context", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				derived, cancel := context.WithCancelCause(ctx)
				cancel(testkit.ErrBoom)
				count := 0
				for i, r := range asyncio.AsCompleted[int](derived, asyncio.NewFuture[int](l)) {
					require.Equal(t, -1, i)
					require.Equal(t, testkit.ErrBoom, r.Err)
					count++
				}
				require.Equal(t, 1, count)
			})
		})
		t.Run("refuses", func(t *testing.T) {
			l, other := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			testkit.PanicsWith(t, asyncio.ErrNoRunningLoop, func() { asyncio.AsCompleted[int](context.Background()) })
			testkit.PanicsWith(t, asyncio.ErrWrongLoop, func() { asyncio.AsCompleted[int](l.Context(), asyncio.NewFuture[int](other)) })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.AsCompleted[int](l.Context(), nil) })
			for i, r := range asyncio.AsCompleted[int](l.Context(), asyncio.NewFuture[int](l)) {
				require.Equal(t, -1, i)
				require.ErrorIs(t, r.Err, asyncio.ErrNotCurrentTask)
			}
		})
	})
}

func BenchmarkWait(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			testkit.BenchTask(b, func(ctx context.Context) {
				fs := make([]asyncio.AnyFuture, n)
				for b.Loop() {
					for i := range fs {
						fs[i] = asyncio.CreateTask(ctx, testkit.One)
					}
					if done, _, err := asyncio.Wait(ctx, fs); len(done) != n || err != nil {
						b.Fatal(done, err)
					}
				}
			})
		})
	}
}
