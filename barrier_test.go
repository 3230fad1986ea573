// Barriers: who passes when, and what Reset, Abort and a cancellation do to those inside.
package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// party starts a task that waits at the barrier and returns its number.
func party(ctx context.Context, b *asyncio.Barrier) *asyncio.Task[int] {
	return asyncio.CreateTask(ctx, b.Wait)
}

// parties starts n of them and lets them reach the barrier.
func parties(t *testing.T, ctx context.Context, b *asyncio.Barrier, n int) []*asyncio.Task[int] {
	t.Helper()
	tasks := make([]*asyncio.Task[int], n)
	for i := range tasks {
		tasks[i] = party(ctx, b)
	}
	asynciotest.Yield(t, ctx, 1)
	return tasks
}

// passed fails the test unless all tasks have passed the barrier, with different numbers
// from 0 on.
func passed(t *testing.T, tasks ...*asyncio.Task[int]) {
	t.Helper()
	var numbers, want []int
	for i, tk := range tasks {
		n, err := tk.Result()
		require.NoError(t, err)
		numbers, want = append(numbers, n), append(want, i)
	}
	require.ElementsMatch(t, want, numbers)
}

// broken fails the test unless all tasks have found the barrier broken.
func broken(t *testing.T, tasks ...*asyncio.Task[int]) {
	t.Helper()
	for _, tk := range tasks {
		require.ErrorIs(t, tk.Exception(), asyncio.ErrBrokenBarrier)
	}
}

func TestBarrier(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("BAR-01", func(t *testing.T) {
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.NewBarrier(0) })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.NewBarrier(-4) })
			require.Equal(t, 5, asyncio.NewBarrier(5).Parties())
		})
		t.Run("BAR-02", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				b := asyncio.NewBarrier(5)
				tasks := parties(t, ctx, b, 4)
				require.Equal(t, 4, b.NWaiting())
				tasks = append(tasks, parties(t, ctx, b, 1)...)
				require.True(t, tasks[4].Done(), "the last one does not wait")
				require.False(t, tasks[0].Done(), "the others go on in the next turn")
				require.Zero(t, b.NWaiting())
				asynciotest.Yield(t, ctx, 1)
				passed(t, tasks...)
				require.Zero(t, b.NWaiting())
				require.False(t, b.Broken())
			})
		})
		t.Run("BAR-04", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				b := asyncio.NewBarrier(1)
				ran := false
				l.CallSoon(func() { ran = true })
				for range 2 {
					n, err := b.Wait(ctx)
					require.NoError(t, err)
					require.Zero(t, n)
					require.Zero(t, b.NWaiting())
				}
				require.False(t, ran, "it did not yield")
			})
		})
		t.Run("BAR-05", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				b := asyncio.NewBarrier(3)
				t1 := parties(t, ctx, b, 1)[0]
				require.Equal(t, 1, b.NWaiting())
				t2 := parties(t, ctx, b, 1)[0]
				require.Equal(t, 2, b.NWaiting())
				t1.Cancel()
				asynciotest.Yield(t, ctx, 1)
				require.Equal(t, 1, b.NWaiting())
				require.True(t, t1.Cancelled())
				t3 := parties(t, ctx, b, 1)[0]
				require.Equal(t, 2, b.NWaiting())
				t4 := party(ctx, b)
				asynciotest.Yield(t, ctx, 2)
				passed(t, t2, t3, t4)
				require.Zero(t, b.NWaiting())
				require.False(t, b.Broken())
			})
		})
		t.Run("BAR-06", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				b := asyncio.NewBarrier(5)
				tasks := parties(t, ctx, b, 4)
				b.Reset()
				require.Zero(t, b.NWaiting())
				late := party(ctx, b)
				asynciotest.Yield(t, ctx, 1)
				broken(t, tasks...)
				require.False(t, b.Broken())
				asynciotest.Yield(t, ctx, 1)
				require.Equal(t, 1, b.NWaiting(), "who came after Reset is of the next phase")
				tasks = append(parties(t, ctx, b, 4), late)
				asynciotest.Yield(t, ctx, 1)
				passed(t, tasks...)
				b.Reset()
				require.False(t, b.Broken())
			})
		})
		t.Run("BAR-08", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				b := asyncio.NewBarrier(3)
				tasks := parties(t, ctx, b, 2)
				b.Abort()
				require.True(t, b.Broken())
				require.Zero(t, b.NWaiting())
				asynciotest.Yield(t, ctx, 1)
				broken(t, tasks...)
				ran := false
				l.CallSoon(func() { ran = true })
				_, err := b.Wait(ctx)
				require.ErrorIs(t, err, asyncio.ErrBrokenBarrier)
				testkit.ErrorSays(t, err, "Reset")
				require.False(t, ran, "it did not yield")
				b.Reset()
				require.False(t, b.Broken())
				tasks = parties(t, ctx, b, 3)
				asynciotest.Yield(t, ctx, 1)
				passed(t, tasks...)
			})
		})
		t.Run("BAR-09", func(t *testing.T) {
			const n = 5
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				b := asyncio.NewBarrier(n)
				var tr asynciotest.Trace
				require.NoError(t, asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
					for range n {
						tg.Go(func(ctx context.Context) error {
							for _, phase := range []string{"outer", "inner"} {
								if _, err := b.Wait(ctx); err != nil {
									return err
								}
								tr.Add(phase)
							}
							return nil
						})
					}
					return nil
				}))
				require.Equal(t, append(slices.Repeat([]string{"outer"}, n), slices.Repeat([]string{"inner"}, n)...), tr.Events())
				require.Zero(t, b.NWaiting())
				require.False(t, b.Broken())
			})
		})
		t.Run("BAR-10", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				b := asyncio.NewBarrier(2)
				tasks := parties(t, ctx, b, 2)
				require.True(t, tasks[1].Done() && !tasks[0].Done(), "it drains")
				next := testkit.Start(ctx, func(ctx context.Context) error { _, err := b.Wait(ctx); return err })
				_, err := asyncio.WaitFor(ctx, asyncio.Coro[int](b.Wait), 0)
				testkit.WantTimeout(t, err)
				asynciotest.Yield(t, ctx, 2)
				passed(t, tasks...)
				require.False(t, next.Done())
				require.Equal(t, 1, b.NWaiting())
				_, err = b.Wait(ctx)
				require.NoError(t, err)
				_, err = next.Await(ctx)
				require.NoError(t, err)
			})
		})
		t.Run("of another loop", func(t *testing.T) {
			l, other := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			b := asyncio.NewBarrier(2)
			tk := party(l.Context(), b)
			asynciotest.Turn(t, l)
			b2 := testkit.Start(other.Context(), func(ctx context.Context) error {
				b.Abort()
				_, err := b.Wait(ctx)
				return err
			})
			asynciotest.Turn(t, other)
			require.ErrorIs(t, b2.Exception(), asyncio.ErrBrokenBarrier)
			asynciotest.Turn(t, l)
			broken(t, tk)
			b.Reset()
			asynciotest.InTask(t, other, func(ctx context.Context) {
				_, err := b.Wait(ctx)
				require.ErrorIs(t, err, asyncio.ErrWrongLoop)
			})
			require.Zero(t, b.NWaiting())
		})
	})
}

// TestBarrierDraining resets, aborts and cancels while those inside are about to leave.
func TestBarrierDraining(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("Reset", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				b := asyncio.NewBarrier(3)
				tasks := parties(t, ctx, b, 3)
				require.True(t, tasks[2].Done())
				b.Reset()
				asynciotest.Yield(t, ctx, 1)
				broken(t, tasks[:2]...)
				require.False(t, b.Broken())
				tasks = parties(t, ctx, b, 3)
				asynciotest.Yield(t, ctx, 1)
				passed(t, tasks...)
			})
		})
		t.Run("Abort", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				b := asyncio.NewBarrier(3)
				tasks := parties(t, ctx, b, 3)
				require.True(t, tasks[2].Done())
				late := party(ctx, b)
				b.Abort()
				asynciotest.Yield(t, ctx, 1)
				broken(t, tasks[0], tasks[1], late)
				require.True(t, b.Broken())
			})
		})
		t.Run("Cancel", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				b := asyncio.NewBarrier(3)
				tasks := parties(t, ctx, b, 3)
				tasks[0].Cancel()
				asynciotest.Yield(t, ctx, 1)
				require.True(t, tasks[0].Cancelled(), "it was as good as through")
				require.True(t, tasks[1].Done() && !tasks[1].Cancelled())
				require.False(t, b.Broken())
				tasks = parties(t, ctx, b, 3)
				asynciotest.Yield(t, ctx, 1)
				passed(t, tasks...)
			})
		})
	})
}

// TestBarrierProperties: tasks come, are cancelled, and pass in groups as large as the
// barrier with numbers of their own.
func TestBarrierProperties(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		rapid.Check(t, func(rt *rapid.T) {
			ops := drawLineOps(rt, "arrive", "arrive", "cancel", "reset", "yield", "yield")
			n := rapid.IntRange(1, 5).Draw(rt, "parties")
			_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
				return checkBarrier(ctx, ops, n)
			}))
			require.NoError(rt, err)
		})
	})
}

func checkBarrier(ctx context.Context, ops []lineOp, n int) error {
	b := asyncio.NewBarrier(n)
	var tasks []*asyncio.Task[int]
	for _, op := range ops {
		switch {
		case op.kind == "arrive":
			tasks = append(tasks, party(ctx, b))
		case op.kind == "cancel" && len(tasks) > 0:
			tasks[len(tasks)-1-op.n%len(tasks)].Cancel()
		case op.kind == "reset" && op.n == 0:
			b.Reset()
		case op.kind == "yield":
			if err := testkit.Suspend(ctx, op.n%3); err != nil {
				return err
			}
		}
	}
	if err := testkit.Suspend(ctx, 2*len(tasks)+2); err != nil {
		return err
	}
	inside := 0
	for i, tk := range tasks {
		switch v, err := tk.Result(); {
		case errors.Is(err, asyncio.ErrInvalidState):
			inside++
		case err == nil && (v < 0 || v >= n):
			return fmt.Errorf("task %d got the number %d", i, v)
		}
	}
	if inside != b.NWaiting() || inside >= n {
		return fmt.Errorf("%d tasks are inside, of %d, and NWaiting is %d", inside, n, b.NWaiting())
	}
	b.Reset()
	if err := testkit.Suspend(ctx, 2); err != nil {
		return err
	}
	return checkNumbers(ctx, b)
}

// checkNumbers fills the barrier, with tasks that are cancelled in between, and proves
// that no number is given twice.
func checkNumbers(ctx context.Context, b *asyncio.Barrier) error {
	var tasks []*asyncio.Task[int]
	for i := range b.Parties() - 1 {
		tasks = append(tasks, party(ctx, b))
		if err := testkit.Suspend(ctx, 1); err != nil {
			return err
		}
		if i%2 == 0 {
			tasks[i/2].Cancel()
			tasks[i/2] = party(ctx, b)
			if err := testkit.Suspend(ctx, 1); err != nil {
				return err
			}
		}
	}
	last, err := b.Wait(ctx)
	if err != nil {
		return err
	}
	numbers := []int{last}
	for _, tk := range tasks {
		v, err := tk.Await(ctx)
		if err != nil {
			return err
		}
		numbers = append(numbers, v)
	}
	slices.Sort(numbers)
	for i, v := range numbers {
		if i != v {
			return fmt.Errorf("the numbers are %v", numbers)
		}
	}
	return nil
}
