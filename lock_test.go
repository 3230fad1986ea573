// Locks: who gets the lock, in which turn, and what becomes of it when somebody in line
// is cancelled.
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

// acquirer starts a task that takes the lock, or a permit, notes its name and ends
// without giving it back.
func acquirer(ctx context.Context, tr *asynciotest.Trace, name string, acquire func(context.Context) error) *asyncio.Task[asyncio.None] {
	return testkit.Start(ctx, func(ctx context.Context) error {
		if err := acquire(ctx); err != nil {
			return err
		}
		tr.Add(name)
		return nil
	})
}

func TestLock(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("LCK-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				lock := asyncio.NewLock()
				require.NoError(t, lock.Acquire(ctx))
				acquirer(ctx, &tr, "1", lock.Acquire)
				acquirer(ctx, &tr, "2", lock.Acquire)
				asynciotest.Yield(t, ctx, 1)
				require.Empty(t, tr.Events())
				lock.Release()
				asynciotest.Yield(t, ctx, 1)
				tr.Equal(t, "1")
				asynciotest.Yield(t, ctx, 1)
				tr.Equal(t, "1")
				last := acquirer(ctx, &tr, "3", lock.Acquire)
				lock.Release()
				asynciotest.Yield(t, ctx, 1)
				tr.Equal(t, "1", "2")
				lock.Release()
				asynciotest.Yield(t, ctx, 1)
				tr.Equal(t, "1", "2", "3")
				require.True(t, last.Done())
			})
		})
		t.Run("LCK-03", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				lock := asyncio.NewLock()
				held := asyncio.NewFuture[asyncio.None](l)
				user := func(until *asyncio.Future[asyncio.None]) *asyncio.Task[asyncio.None] {
					return testkit.Start(ctx, func(ctx context.Context) error {
						return lock.With(ctx, func() (err error) {
							if until != nil {
								_, err = until.Await(ctx)
							}
							return err
						})
					})
				}
				a := user(held)
				asynciotest.Yield(t, ctx, 1)
				b, c := user(nil), user(nil)
				asynciotest.Yield(t, ctx, 1)
				require.NoError(t, held.SetResult(asyncio.None{}))
				b.Cancel()
				asynciotest.Yield(t, ctx, 1)
				require.False(t, lock.Locked())
				require.True(t, a.Done())
				require.True(t, b.Cancelled())
				_, err := c.Await(ctx)
				require.NoError(t, err)
				require.False(t, lock.Locked())
			})
		})
		t.Run("LCK-04", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				lock := asyncio.NewLock()
				require.NoError(t, lock.Acquire(ctx))
				t1 := acquirer(ctx, &tr, "1", lock.Acquire)
				acquirer(ctx, &tr, "2", lock.Acquire)
				t3 := acquirer(ctx, &tr, "3", lock.Acquire)
				asynciotest.Yield(t, ctx, 1)
				l.CallSoon(func() {
					t1.Cancel()
					lock.Release()
				})
				_, err := t1.Await(ctx)
				testkit.WantCancelled(t, err, nil)
				tr.Equal(t, "2")
				asynciotest.Yield(t, ctx, 3)
				tr.Equal(t, "2")
				t3.Cancel()
				asynciotest.Yield(t, ctx, 1)
				require.True(t, t3.Cancelled())
			})
		})
		t.Run("LCK-06", func(t *testing.T) {
			lock := asyncio.NewLock()
			testkit.PanicsWith(t, asyncio.ErrNotLocked, lock.Release)
			var zero asyncio.Lock
			testkit.PanicsWith(t, asyncio.ErrNotLocked, zero.Release)
		})
		t.Run("LCK-07", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				lock := asyncio.NewLock()
				require.NoError(t, lock.Acquire(ctx))
				acquirer(ctx, &tr, "woken", lock.Acquire)
				asynciotest.Yield(t, ctx, 1)
				lock.Release()
				require.False(t, lock.Locked(), "nobody has it until the woken task runs")
				l.CallSoon(lock.Release) // by then the woken task has it
				require.NoError(t, lock.Acquire(ctx))
				tr.Equal(t, "woken")
			})
		})
		t.Run("LCK-08", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				lock := asyncio.NewLock()
				ran := false
				l.CallSoon(func() { ran = true })
				for range 3 {
					require.NoError(t, lock.Acquire(ctx))
					require.True(t, lock.Locked())
					lock.Release()
				}
				require.False(t, ran, "an Acquire that need not wait does not yield")
			})
		})
		t.Run("LCK-09", func(t *testing.T) {
			a, b := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			lock := asyncio.NewLock()
			asynciotest.InTask(t, b, func(ctx context.Context) {
				require.NoError(t, lock.Acquire(ctx), "without contention any loop may use the lock")
				lock.Release()
			})
			asynciotest.InTask(t, a, func(ctx context.Context) {
				require.NoError(t, lock.Acquire(ctx))
				waits := testkit.Start(ctx, lock.Acquire)
				asynciotest.Yield(t, ctx, 1)
				waits.Cancel()
			})
			asynciotest.Turn(t, a)
			require.True(t, lock.Locked())
			asynciotest.InTask(t, b, func(ctx context.Context) {
				err := lock.Acquire(ctx)
				require.ErrorIs(t, err, asyncio.ErrWrongLoop)
				testkit.ErrorSays(t, err, "different event loop")
				lock.Release()
				require.NoError(t, lock.Acquire(ctx))
			})
		})
		t.Run("LCK-10", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				lock := asyncio.NewLock()
				require.NoError(t, lock.With(ctx, func() error {
					require.True(t, lock.Locked())
					return testkit.Suspend(ctx, 2)
				}))
				require.False(t, lock.Locked())
				require.Equal(t, testkit.ErrBoom, lock.With(ctx, func() error { return testkit.ErrBoom }))
				require.False(t, lock.Locked())
				require.Equal(t, "argh", testkit.Recovered(func() { _ = lock.With(ctx, func() error { panic("argh") }) }))
				require.False(t, lock.Locked())
			})
		})
	})
}

func TestLockCancelled(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("in line", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				lock := asyncio.NewLock()
				require.NoError(t, lock.Acquire(ctx))
				waits := testkit.Start(ctx, lock.Acquire)
				l.CallSoon(func() { waits.Cancel("enough") })
				_, err := waits.Await(ctx)
				testkit.WantCancelled(t, err, "enough")
				lock.Release()
				require.NoError(t, lock.Acquire(ctx), "nobody is left in line")
			})
		})
		t.Run("woken: the wake goes on to the next", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				lock := asyncio.NewLock()
				require.NoError(t, lock.Acquire(ctx))
				first := acquirer(ctx, &tr, "first", lock.Acquire)
				second := acquirer(ctx, &tr, "second", lock.Acquire)
				asynciotest.Yield(t, ctx, 1)
				lock.Release()
				first.Cancel()
				asynciotest.Yield(t, ctx, 1)
				require.True(t, first.Cancelled())
				require.False(t, second.Done())
				asynciotest.Yield(t, ctx, 1)
				tr.Equal(t, "second")
				require.True(t, lock.Locked())
			})
		})
		t.Run("at the head, as the lock is released: the next gets it when the head has gone", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				lock := asyncio.NewLock()
				require.NoError(t, lock.Acquire(ctx))
				first, second := testkit.Start(ctx, lock.Acquire), testkit.Start(ctx, lock.Acquire)
				asynciotest.Yield(t, ctx, 1)
				first.Cancel()
				lock.Release()
				asynciotest.Yield(t, ctx, 1)
				require.True(t, first.Cancelled())
				require.False(t, second.Done())
				asynciotest.Yield(t, ctx, 1)
				require.True(t, second.Done())
			})
		})
		t.Run("all in line: a newcomer need not wait for them to go", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				lock := asyncio.NewLock()
				require.NoError(t, lock.Acquire(ctx))
				a, b := testkit.Start(ctx, lock.Acquire), testkit.Start(ctx, lock.Acquire)
				asynciotest.Yield(t, ctx, 1)
				a.Cancel()
				b.Cancel()
				lock.Release()
				require.NoError(t, lock.Acquire(ctx))
				asynciotest.Yield(t, ctx, 1)
				require.True(t, a.Cancelled() && b.Cancelled())
				require.True(t, lock.Locked())
			})
		})
		t.Run("by the end of a derived context", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				lock := asyncio.NewLock()
				require.NoError(t, lock.Acquire(ctx))
				derived, cancel := context.WithCancelCause(ctx)
				defer cancel(nil)
				l.CallSoon(func() { cancel(testkit.ErrBoom) })
				require.Equal(t, testkit.ErrBoom, lock.Acquire(derived))
				require.Equal(t, testkit.ErrBoom, lock.Acquire(derived), "it has ended for good")
				require.Equal(t, 0, asyncio.CurrentTask(ctx).Cancelling())
				acquirer(ctx, &tr, "next", lock.Acquire)
				asynciotest.Yield(t, ctx, 1)
				lock.Release()
				asynciotest.Yield(t, ctx, 1)
				tr.Equal(t, "next")
			})
		})
		t.Run("by a Timeout", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				lock := asyncio.NewLock()
				require.NoError(t, lock.Acquire(ctx))
				testkit.WantTimeout(t, asyncio.Timeout(ctx, time.Millisecond, lock.Acquire))
				lock.Release()
				require.NoError(t, asyncio.Timeout(ctx, 0, lock.Acquire), "an Acquire that need not wait is not interrupted")
			})
		})
	})
}

// TestLockOutsideTask proves that what only a task can wait for says so to others,
// whether it would have to wait or not.
func TestLockOutsideTask(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		queue, barrier := asyncio.NewQueue[int](0), asyncio.NewBarrier(1)
		condition := asyncio.NewCondition(nil)
		calls := map[string]func(ctx context.Context) error{
			"Lock.Acquire":      asyncio.NewLock().Acquire,
			"Event.Wait":        asyncio.NewEvent().Wait,
			"Condition.Wait":    condition.Wait,
			"Condition.WaitFor": func(ctx context.Context) error { return condition.WaitFor(ctx, func() bool { return true }) },
			"Semaphore.Acquire": asyncio.NewSemaphore(1).Acquire,
			"Barrier.Wait":      func(ctx context.Context) error { _, err := barrier.Wait(ctx); return err },
			"Queue.Put":         func(ctx context.Context) error { return queue.Put(ctx, 1) },
			"Queue.Get":         func(ctx context.Context) error { _, err := queue.Get(ctx); return err },
			"Queue.Join":        queue.Join,
			"Wait":              func(ctx context.Context) error { _, _, err := asyncio.Wait(ctx, nil); return err },
		}
		for name, call := range calls {
			t.Run(name, func(t *testing.T) {
				require.ErrorIs(t, call(context.Background()), asyncio.ErrNotCurrentTask)
				var err error
				l.CallSoon(func() { err = call(l.Context()) })
				asynciotest.Turn(t, l)
				require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
				testkit.ErrorSays(t, err, name)
				testkit.ErrorSays(t, err, "coroutine was given")
				asynciotest.InTask(t, l, func(ctx context.Context) {
					other := testkit.Start(ctx, testkit.SleepsLong)
					asynciotest.Yield(t, ctx, 1)
					require.ErrorIs(t, call(other.Context()), asyncio.ErrNotCurrentTask)
					other.Cancel()
				})
			})
		}
	})
}

// TestLockLoopClosed proves that tasks in line end with their loop, and that their
// clean-up does no harm.
func TestLockLoopClosed(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		_, silent := testkit.RecordLog()
		l := asynciotest.New(t, append(opts, silent)...)
		lock, condition := asyncio.NewLock(), asyncio.NewCondition(nil)
		ends := map[string]error{}
		enters := func(name string, wait func(ctx context.Context) error) *asyncio.Task[asyncio.None] {
			return testkit.Start(l.Context(), func(ctx context.Context) error {
				ends[name] = wait(ctx)
				return nil
			})
		}
		permit := asyncio.NewSemaphore(1)
		early := enters("waits, although it came before the holder", func(ctx context.Context) error {
			require.NoError(t, testkit.Suspend(ctx, 1))
			return permit.Acquire(ctx)
		})
		enters("holder", func(ctx context.Context) error {
			return permit.With(ctx, func() error { return testkit.SleepsLong(ctx) })
		})
		enters("holds", func(ctx context.Context) error {
			return lock.With(ctx, func() error { return testkit.SleepsLong(ctx) })
		})
		enters("waits", func(ctx context.Context) error { return lock.With(ctx, func() error { return nil }) })
		enters("waits too", lock.Acquire)
		enters("condition", func(ctx context.Context) error {
			return condition.With(ctx, func() error { return condition.Wait(ctx) })
		})
		enters("holder of its lock", func(ctx context.Context) error {
			return condition.With(ctx, func() error { return testkit.SleepsLong(ctx) })
		})
		asynciotest.Turns(t, l, 3)
		require.NoError(t, l.Close())
		require.False(t, early.Cancel(), "what is done is not woken by the holder's Release")
		require.Len(t, ends, 7)
		for name, err := range ends {
			require.ErrorIs(t, err, asyncio.ErrLoopClosed, name)
		}
	})
}

// lineOp is a step of a random program about tasks that stand in line.
type lineOp struct {
	kind string
	n    int
}

func (op lineOp) String() string { return fmt.Sprint(op.kind, " ", op.n) }

func drawLineOps(rt *rapid.T, kinds ...string) []lineOp {
	return rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) lineOp {
		return lineOp{rapid.SampledFrom(kinds).Draw(rt, "kind"), rapid.IntRange(0, 9).Draw(rt, "n")}
	}), 1, 60).Draw(rt, "program")
}

// checkLine runs a random program on something with permits: tasks enter, are cancelled
// and release. It returns what broke: more tasks inside than permits, an order that is
// not that of the arrivals, or somebody who is never served.
func checkLine(ctx context.Context, ops []lineOp, permits int, acquire func(context.Context) error, release func()) error {
	var entered []int // in order
	var tasks []*asyncio.Task[asyncio.None]
	inside := 0
	arrive := func() {
		me := len(tasks)
		tasks = append(tasks, testkit.Start(ctx, func(ctx context.Context) error {
			if err := acquire(ctx); err != nil {
				return err
			}
			entered = append(entered, me)
			inside++
			return nil
		}))
	}
	leave := func() {
		if inside > 0 {
			inside--
			release()
		}
	}
	for _, op := range ops {
		switch op.kind {
		case "arrive":
			arrive()
		case "cancel":
			if len(tasks) > 0 {
				tasks[len(tasks)-1-op.n%len(tasks)].Cancel()
			}
		case "release":
			leave()
		case "yield":
			if err := testkit.Suspend(ctx, op.n%3); err != nil {
				return err
			}
		}
		if inside > permits {
			return fmt.Errorf("%d tasks are inside, of %d", inside, permits)
		}
	}
	for range len(tasks) + permits {
		leave()
		if err := testkit.Suspend(ctx, 4); err != nil {
			return err
		}
	}
	for i, tk := range tasks {
		if !tk.Done() {
			return fmt.Errorf("task %d was never served", i)
		}
		if !tk.Cancelled() != slices.Contains(entered, i) {
			return fmt.Errorf("task %d is %s, and entered are %v", i, testkit.StateOf(tk), entered)
		}
	}
	if !slices.IsSorted(entered) {
		return fmt.Errorf("they entered out of order: %v", entered)
	}
	return checkPermits(ctx, permits, acquire)
}

// checkPermits proves that all permits are there, and no more.
func checkPermits(ctx context.Context, permits int, acquire func(context.Context) error) error {
	for i := range permits {
		if err := asyncio.Timeout(ctx, 0, acquire); err != nil {
			return fmt.Errorf("permit %d of %d is lost", i, permits)
		}
	}
	if err := asyncio.Timeout(ctx, 0, acquire); !errors.Is(err, asyncio.ErrTimeout) {
		return fmt.Errorf("there is a permit too many: %w", err)
	}
	return nil
}

func TestLockProperties(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		rapid.Check(t, func(rt *rapid.T) {
			ops := drawLineOps(rt, "arrive", "arrive", "cancel", "release", "yield")
			lock := asyncio.NewLock()
			_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
				return checkLine(ctx, ops, 1, lock.Acquire, lock.Release)
			}))
			require.NoError(rt, err)
		})
	})
}

func BenchmarkLock(b *testing.B) {
	testkit.BenchTask(b, func(ctx context.Context) {
		lock := asyncio.NewLock()
		for b.Loop() {
			if lock.Acquire(ctx) != nil {
				b.Fatal("Acquire failed")
			}
			lock.Release()
		}
	})
}

// BenchmarkLockContended passes the lock between two tasks: two switches a round.
func BenchmarkLockContended(b *testing.B) {
	testkit.BenchTask(b, func(ctx context.Context) {
		lock := asyncio.NewLock()
		other := testkit.Start(ctx, func(ctx context.Context) error {
			for {
				if err := lock.With(ctx, func() error { return asyncio.Sleep(ctx, 0) }); err != nil {
					return err
				}
			}
		})
		for b.Loop() {
			_ = lock.With(ctx, func() error { return asyncio.Sleep(ctx, 0) })
		}
		other.Cancel()
		_, _ = other.Await(ctx)
	})
}
