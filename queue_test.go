// Queues: in which order items and tasks come, and that no item is lost or comes twice.
package asyncio_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// getter starts a task that gets one item, putter one that puts it.
func getter[T any](ctx context.Context, q *asyncio.Queue[T]) *asyncio.Task[T] {
	return asyncio.CreateTask(ctx, q.Get)
}

func putter[T any](ctx context.Context, q *asyncio.Queue[T], v T) *asyncio.Task[asyncio.None] {
	return testkit.Start(ctx, func(ctx context.Context) error { return q.Put(ctx, v) })
}

// drain takes all items out.
func drain[T any](t *testing.T, q *asyncio.Queue[T]) []T {
	t.Helper()
	var items []T
	for !q.Empty() {
		v, err := q.GetNowait()
		require.NoError(t, err)
		items = append(items, v)
	}
	return items
}

func ascending(a, b int) bool { return a < b }

// eachQueue runs test for each kind of queue.
func eachQueue(t *testing.T, maxsize int, test func(t *testing.T, q *asyncio.Queue[int])) {
	t.Helper()
	for kind, q := range map[string]*asyncio.Queue[int]{
		"fifo": asyncio.NewQueue[int](maxsize), "lifo": asyncio.NewLifoQueue[int](maxsize),
		"priority": asyncio.NewPriorityQueue(maxsize, ascending),
	} {
		t.Run(kind, func(t *testing.T) { test(t, q) })
	}
}

func TestQueue(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("QUE-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				for _, c := range []struct {
					q    *asyncio.Queue[int]
					want []int
				}{
					{asyncio.NewQueue[int](0), []int{1, 3, 2}},
					{asyncio.NewLifoQueue[int](0), []int{2, 3, 1}},
					{asyncio.NewPriorityQueue(0, ascending), []int{1, 2, 3}},
				} {
					for _, v := range []int{1, 3, 2} {
						require.NoError(t, c.q.Put(ctx, v))
					}
					require.Equal(t, 3, c.q.Len())
					for _, want := range c.want {
						v, err := c.q.Get(ctx)
						require.NoError(t, err)
						require.Equal(t, want, v)
					}
					require.True(t, c.q.Empty())
				}
			})
		})
		t.Run("QUE-03", func(t *testing.T) {
			eachQueue(t, 1, func(t *testing.T, q *asyncio.Queue[int]) {
				_, err := q.GetNowait()
				require.ErrorIs(t, err, asyncio.ErrQueueEmpty)
				require.False(t, q.Full())
				require.NoError(t, q.PutNowait(1))
				require.True(t, q.Full())
				require.ErrorIs(t, q.PutNowait(2), asyncio.ErrQueueFull)
				require.Equal(t, []int{1}, drain(t, q))
				require.Equal(t, 1, q.Maxsize())
			})
			unbounded := asyncio.NewQueue[int](-1)
			for i := range 100 {
				require.NoError(t, unbounded.PutNowait(i))
			}
			require.False(t, unbounded.Full())
		})
		t.Run("QUE-04", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				q := asyncio.NewQueue[int](1)
				g := getter(ctx, q)
				asynciotest.Yield(t, ctx, 1)
				require.False(t, g.Done())
				l.CallLater(time.Millisecond, func() { require.NoError(t, q.PutNowait(1)) })
				v, err := g.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, 1, v)
				require.NoError(t, q.Put(ctx, 2))
				asynciotest.Yield(t, ctx, 1)
				require.Equal(t, 1, q.Len(), "no getter is left in line")
				p := putter(ctx, q, 3)
				asynciotest.Yield(t, ctx, 2)
				require.False(t, p.Done())
				v, err = q.Get(ctx)
				require.NoError(t, err)
				require.Equal(t, 2, v)
				_, err = p.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, []int{3}, drain(t, q))
			})
		})
		t.Run("QUE-06", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				q := asyncio.NewQueue[string](0)
				first, second := getter(ctx, q), getter(ctx, q)
				asynciotest.Yield(t, ctx, 1)
				require.NoError(t, q.PutNowait("item"))
				first.Cancel()
				v, err := second.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, "item", v)
				require.True(t, first.Cancelled())
			})
		})
		t.Run("QUE-07", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				q := asyncio.NewQueue[string](1)
				require.NoError(t, q.PutNowait("old"))
				first, second := putter(ctx, q, "first"), putter(ctx, q, "second")
				asynciotest.Yield(t, ctx, 1)
				_, err := q.GetNowait()
				require.NoError(t, err)
				first.Cancel()
				_, err = second.Await(ctx)
				require.NoError(t, err)
				require.True(t, first.Cancelled())
				require.Equal(t, []string{"second"}, drain(t, q))
			})
		})
		t.Run("QUE-09", func(t *testing.T) {
			eachQueue(t, 0, func(t *testing.T, q *asyncio.Queue[int]) {
				testkit.PanicsWith(t, asyncio.ErrInvalidState, q.TaskDone)
				require.NoError(t, q.PutNowait(1))
				q.TaskDone()
				testkit.PanicsWith(t, asyncio.ErrInvalidState, q.TaskDone)
			})
		})
		t.Run("QUE-10", func(t *testing.T) {
			eachQueue(t, 0, func(t *testing.T, q *asyncio.Queue[int]) {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					require.NoError(t, q.Join(ctx), "nothing to wait for")
					for i := range 100 {
						require.NoError(t, q.PutNowait(i))
					}
					sum, count := 0, 0
					require.NoError(t, asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
						for range 2 {
							tg.Go(func(ctx context.Context) error {
								for {
									v, err := q.Get(ctx)
									if err != nil {
										return err
									}
									if err := testkit.Suspend(ctx, 1); err != nil {
										return err
									}
									sum += v
									count++
									q.TaskDone()
								}
							})
						}
						err := q.Join(ctx)
						require.Equal(t, 100, count)
						tg.Cancel()
						return err
					}))
					require.Equal(t, 4950, sum)
				})
			})
		})
		t.Run("QUE-16", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				q := asyncio.NewQueue[int](1)
				require.NoError(t, q.PutNowait(1))
				p := putter(ctx, q, 2)
				asynciotest.Yield(t, ctx, 1)
				require.Equal(t, []int{1}, drain(t, q))
				p.Cancel("late")
				_, err := p.Await(ctx)
				testkit.WantCancelled(t, err, "late")
				require.True(t, q.Empty())
			})
		})
		t.Run("of another loop", func(t *testing.T) {
			a, b := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			q := asyncio.NewQueue[int](1)
			g := getter(a.Context(), q)
			asynciotest.Turn(t, a)
			asynciotest.InTask(t, b, func(ctx context.Context) {
				_, err := q.Get(ctx)
				require.ErrorIs(t, err, asyncio.ErrWrongLoop)
			})
			require.NoError(t, q.PutNowait(1))
			asynciotest.Turn(t, a)
			require.Equal(t, "1", testkit.StateOf(g))
			asynciotest.InTask(t, b, func(ctx context.Context) {
				require.NoError(t, q.Put(ctx, 1))
				require.ErrorIs(t, q.Put(ctx, 2), asyncio.ErrWrongLoop)
				require.ErrorIs(t, q.Join(ctx), asyncio.ErrWrongLoop)
			})
		})
		t.Run("a priority queue needs an order", func(t *testing.T) {
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.NewPriorityQueue[int](0, nil) })
		})
	})
}

// TestQueueFairness shows who gets an item: those in line in order; but who comes while
// the first of them has yet to run may be quicker, as in asyncio.
func TestQueueFairness(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			q := asyncio.NewQueue[int](0)
			a, b := getter(ctx, q), getter(ctx, q)
			asynciotest.Yield(t, ctx, 1)
			for i := range 2 {
				require.NoError(t, q.PutNowait(i))
			}
			asynciotest.Yield(t, ctx, 1)
			require.Equal(t, "0", testkit.StateOf(a))
			require.Equal(t, "1", testkit.StateOf(b))
			a, b = getter(ctx, q), getter(ctx, q)
			asynciotest.Yield(t, ctx, 1)
			require.NoError(t, q.PutNowait(2))
			quick, err := q.Get(ctx)
			require.NoError(t, err)
			require.Equal(t, 2, quick)
			asynciotest.Yield(t, ctx, 1)
			for i := range 2 {
				require.NoError(t, q.PutNowait(i))
			}
			asynciotest.Yield(t, ctx, 1)
			require.Equal(t, "0", testkit.StateOf(b), "a went to the end of the line")
			require.Equal(t, "1", testkit.StateOf(a))
		})
	})
}

func TestQueueShutdown(t *testing.T) {
	shutDown := func(t *testing.T, ctx context.Context, q *asyncio.Queue[int]) {
		t.Helper()
		require.ErrorIs(t, q.Put(ctx, 1), asyncio.ErrQueueShutDown)
		require.ErrorIs(t, q.PutNowait(1), asyncio.ErrQueueShutDown)
		_, err := q.Get(ctx)
		require.ErrorIs(t, err, asyncio.ErrQueueShutDown)
		_, err = q.GetNowait()
		require.ErrorIs(t, err, asyncio.ErrQueueShutDown)
	}
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("QUE-13", func(t *testing.T) {
			eachQueue(t, 1, func(t *testing.T, q *asyncio.Queue[int]) {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					require.NoError(t, q.PutNowait(7))
					join, put := testkit.Start(ctx, q.Join), putter(ctx, q, 8)
					asynciotest.Yield(t, ctx, 1)
					q.Shutdown(false)
					require.Equal(t, 1, q.Len())
					asynciotest.Yield(t, ctx, 1)
					require.ErrorIs(t, put.Exception(), asyncio.ErrQueueShutDown)
					v, err := q.Get(ctx)
					require.NoError(t, err)
					require.Equal(t, 7, v)
					asynciotest.Yield(t, ctx, 1)
					require.False(t, join.Done())
					shutDown(t, ctx, q)
					q.TaskDone()
					asynciotest.Yield(t, ctx, 1)
					require.NoError(t, join.Exception())
					testkit.PanicsWith(t, asyncio.ErrInvalidState, q.TaskDone)
					q.Shutdown(false)
				})
			})
		})
		t.Run("QUE-15", func(t *testing.T) {
			eachQueue(t, 0, func(t *testing.T, q *asyncio.Queue[int]) {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					require.NoError(t, q.PutNowait(1))
					require.NoError(t, q.PutNowait(1))
					join := testkit.Start(ctx, q.Join)
					asynciotest.Yield(t, ctx, 1)
					_, err := q.Get(ctx)
					require.NoError(t, err)
					q.Shutdown(true)
					require.Zero(t, q.Len())
					asynciotest.Yield(t, ctx, 2)
					require.False(t, join.Done(), "one item was taken out and is not done")
					shutDown(t, ctx, q)
					q.TaskDone()
					testkit.PanicsWith(t, asyncio.ErrInvalidState, q.TaskDone)
					asynciotest.Yield(t, ctx, 1)
					require.NoError(t, join.Exception())
				})
			})
		})
		t.Run("of an empty queue wakes the getters", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				q := asyncio.NewQueue[int](0)
				a, b := getter(ctx, q), getter(ctx, q)
				asynciotest.Yield(t, ctx, 1)
				q.Shutdown(false)
				require.NoError(t, q.Join(ctx))
				asynciotest.Yield(t, ctx, 1)
				require.ErrorIs(t, a.Exception(), asyncio.ErrQueueShutDown)
				require.ErrorIs(t, b.Exception(), asyncio.ErrQueueShutDown)
				shutDown(t, ctx, q)
			})
		})
		t.Run("at once drops the items and ends Join", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				q := asyncio.NewQueue[int](1)
				require.NoError(t, q.PutNowait(1))
				join, put := testkit.Start(ctx, q.Join), putter(ctx, q, 2)
				asynciotest.Yield(t, ctx, 1)
				q.Shutdown(true)
				asynciotest.Yield(t, ctx, 1)
				require.NoError(t, join.Exception())
				require.ErrorIs(t, put.Exception(), asyncio.ErrQueueShutDown)
				shutDown(t, ctx, q)
				testkit.PanicsWith(t, asyncio.ErrInvalidState, q.TaskDone)
			})
		})
	})
}

// TestQueueProperties runs random programs of tasks that put, get and are cancelled:
// every item that was put comes out once, in the order of the queue, and nobody waits in
// vain.
func TestQueueProperties(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		rapid.Check(t, func(rt *rapid.T) {
			ops := drawLineOps(rt, "put", "put", "get", "get", "cancel", "yield", "put at once", "get at once")
			maxsize := rapid.IntRange(0, 3).Draw(rt, "maxsize")
			_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
				return checkQueue(ctx, ops, asyncio.NewQueue[int](maxsize))
			}))
			require.NoError(rt, err)
		})
	})
}

// queueLog is what went into a queue and came out, in order.
type queueLog struct {
	q       *asyncio.Queue[int]
	in, out []int
	tasks   []asyncio.AnyTask
}

func (g *queueLog) put(ctx context.Context, v int) {
	g.tasks = append(g.tasks, testkit.Start(ctx, func(ctx context.Context) error {
		err := g.q.Put(ctx, v)
		if err == nil {
			g.in = append(g.in, v)
		}
		return err
	}))
}

func (g *queueLog) get(ctx context.Context) {
	g.tasks = append(g.tasks, testkit.Start(ctx, func(ctx context.Context) error {
		v, err := g.q.Get(ctx)
		if err == nil {
			g.out = append(g.out, v)
		}
		return err
	}))
}

func checkQueue(ctx context.Context, ops []lineOp, q *asyncio.Queue[int]) error {
	g := &queueLog{q: q}
	for i, op := range ops {
		switch op.kind {
		case "put":
			g.put(ctx, i)
		case "get":
			g.get(ctx)
		case "put at once":
			if q.PutNowait(i) == nil {
				g.in = append(g.in, i)
			}
		case "get at once":
			if v, err := q.GetNowait(); err == nil {
				g.out = append(g.out, v)
			}
		case "cancel":
			if len(g.tasks) > 0 {
				g.tasks[len(g.tasks)-1-op.n%len(g.tasks)].Cancel()
			}
		case "yield":
			if err := testkit.Suspend(ctx, op.n%3); err != nil {
				return err
			}
		}
		if q.Maxsize() > 0 && q.Len() > q.Maxsize() {
			return fmt.Errorf("%d items in a queue of %d", q.Len(), q.Maxsize())
		}
		if len(g.in)-len(g.out) != q.Len() {
			return fmt.Errorf("%v went in, %v came out, %d are inside", g.in, g.out, q.Len())
		}
	}
	if err := testkit.Suspend(ctx, 2*len(ops)+2); err != nil {
		return err
	}
	if !slices.Equal(g.out, g.in[:len(g.out)]) {
		return fmt.Errorf("%v went in, %v came out", g.in, g.out)
	}
	return g.nobodyWaitsInVain()
}

// nobodyWaitsInVain proves that a task waits only if there is nothing to get, or no place
// to put.
func (g *queueLog) nobodyWaitsInVain() error {
	waiting := 0
	for _, tk := range g.tasks {
		if !tk.Done() {
			waiting++
			tk.Cancel()
		}
	}
	if waiting > 0 && !g.q.Empty() && !g.q.Full() {
		return fmt.Errorf("%d tasks wait for a queue with %d of %d items", waiting, g.q.Len(), g.q.Maxsize())
	}
	return nil
}

// TestQueueOrder compares the orders of the queues with what they are by definition.
func TestQueueOrder(t *testing.T) {
	less := func(a, b [2]int) bool { return a[0] < b[0] }
	rapid.Check(t, func(rt *rapid.T) {
		fifo, lifo := asyncio.NewQueue[[2]int](0), asyncio.NewLifoQueue[[2]int](0)
		priority := asyncio.NewPriorityQueue(0, less)
		var items [][2]int
		for i, key := range rapid.SliceOfN(rapid.IntRange(-1, 20), 0, 200).Draw(rt, "items") {
			if key < 0 { // take one out
				checkTake(rt, fifo, &items, 0)
				continue
			}
			items = append(items, [2]int{key, i})
			require.NoError(rt, errors.Join(fifo.PutNowait(items[len(items)-1]), lifo.PutNowait([2]int{key, i}), priority.PutNowait([2]int{key, i})))
		}
		for range items {
			checkTake(rt, fifo, &items, 0)
		}
		var lifos, keys []int
		for !lifo.Empty() {
			v, _ := lifo.GetNowait()
			lifos = append(lifos, -v[1])
			p, _ := priority.GetNowait()
			keys = append(keys, p[0])
		}
		require.True(rt, slices.IsSorted(lifos))
		require.True(rt, slices.IsSorted(keys))
		require.True(rt, priority.Empty())
	})
}

// checkTake takes an item out, which must be items[i], if there is one.
func checkTake(rt *rapid.T, q *asyncio.Queue[[2]int], items *[][2]int, i int) {
	v, err := q.GetNowait()
	if len(*items) == 0 {
		require.ErrorIs(rt, err, asyncio.ErrQueueEmpty)
		return
	}
	require.NoError(rt, err)
	require.Equal(rt, (*items)[i], v)
	*items = slices.Delete(*items, i, i+1)
}

func BenchmarkQueue(b *testing.B) {
	testkit.BenchTask(b, func(ctx context.Context) {
		q := asyncio.NewQueue[int](0)
		for b.Loop() {
			if q.Put(ctx, 1) != nil {
				b.Fatal("Put failed")
			}
			if v, err := q.Get(ctx); v != 1 || err != nil {
				b.Fatal(v, err)
			}
		}
	})
}

// BenchmarkQueueBetweenTasks sends items through a queue that holds one: a switch for
// each.
func BenchmarkQueueBetweenTasks(b *testing.B) {
	testkit.BenchTask(b, func(ctx context.Context) {
		q := asyncio.NewQueue[int](1)
		consumer := testkit.Start(ctx, func(ctx context.Context) error {
			for {
				if _, err := q.Get(ctx); err != nil {
					return err
				}
			}
		})
		for b.Loop() {
			if q.Put(ctx, 1) != nil {
				b.Fatal("Put failed")
			}
		}
		consumer.Cancel()
		_, _ = consumer.Await(ctx)
	})
}
