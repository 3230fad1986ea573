// Conditions: whom Notify wakes, who has the lock, and that no notification is lost.
package asyncio_test

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

// notified starts a task that waits for the condition, notes its name and gives the lock
// back.
func notified(ctx context.Context, tr *asynciotest.Trace, name string, c *asyncio.Condition) *asyncio.Task[asyncio.None] {
	return testkit.Start(ctx, func(ctx context.Context) error {
		return c.With(ctx, func() error {
			if err := c.Wait(ctx); err != nil {
				return err
			}
			tr.Add(name)
			return nil
		})
	})
}

// locked runs fn while the caller has the condition's lock.
func locked(t *testing.T, ctx context.Context, c *asyncio.Condition, fn func()) {
	t.Helper()
	require.NoError(t, c.With(ctx, func() error {
		fn()
		return nil
	}))
}

func TestCondition(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("CND-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				c := asyncio.NewCondition(nil)
				testkit.PanicsWith(t, asyncio.ErrNotLocked, func() { _ = c.Wait(ctx) })
				testkit.PanicsWith(t, asyncio.ErrNotLocked, func() { c.Notify(1) })
				testkit.PanicsWith(t, asyncio.ErrNotLocked, c.NotifyAll)
				testkit.PanicsWith(t, asyncio.ErrNotLocked, c.Release)
				testkit.PanicsWith(t, asyncio.ErrNotLocked, func() { _ = c.WaitFor(ctx, func() bool { return false }) })
				require.NoError(t, c.WaitFor(ctx, func() bool { return true }), "nothing to wait for")
			})
		})
		t.Run("CND-02", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				c := asyncio.NewCondition(nil)
				for _, name := range []string{"1", "2", "3"} {
					notified(ctx, &tr, name, c)
				}
				asynciotest.Yield(t, ctx, 1)
				require.False(t, c.Locked())
				locked(t, ctx, c, func() { c.Notify(1) })
				require.Empty(t, tr.Events())
				asynciotest.Yield(t, ctx, 1)
				tr.Equal(t, "1")
				locked(t, ctx, c, func() {
					c.Notify(1)
					c.Notify(2048)
				})
				asynciotest.Yield(t, ctx, 1)
				tr.Equal(t, "1", "2", "3")
				require.False(t, c.Locked())
			})
		})
		t.Run("NotifyAll wakes them in order, one after the other", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				c := asyncio.NewCondition(nil)
				for _, name := range []string{"1", "2", "3"} {
					testkit.Start(ctx, func(ctx context.Context) error {
						return c.With(ctx, func() error {
							if err := c.Wait(ctx); err != nil {
								return err
							}
							tr.Add(name)
							err := testkit.Suspend(ctx, 1)
							tr.Add(name + " leaves")
							return err
						})
					})
				}
				asynciotest.Yield(t, ctx, 1)
				locked(t, ctx, c, c.NotifyAll)
				asynciotest.Yield(t, ctx, 7)
				tr.Equal(t, "1", "1 leaves", "2", "2 leaves", "3", "3 leaves")
			})
		})
		t.Run("CND-04", func(t *testing.T) {
			for _, relock := range []bool{false, true} {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					c := asyncio.NewCondition(nil)
					var surfaced error
					waits := testkit.Start(ctx, func(ctx context.Context) error {
						return c.With(ctx, func() error {
							surfaced = c.Wait(ctx)
							require.True(t, c.Locked())
							return surfaced
						})
					})
					asynciotest.Yield(t, ctx, 1)
					if relock {
						require.NoError(t, c.Acquire(ctx))
						c.Notify(1)
						asynciotest.Yield(t, ctx, 1)
					}
					waits.Cancel("foo")
					if relock {
						c.Release()
					}
					_, err := waits.Await(ctx)
					testkit.WantCancelled(t, err, "foo")
					require.Same(t, surfaced, err)
					require.False(t, c.Locked())
				})
			}
		})
		t.Run("CND-07", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				const limit = 5 * time.Millisecond
				c := asyncio.NewCondition(nil)
				testkit.Took(t, limit, func() {
					locked(t, ctx, c, func() {
						_, err := asyncio.WaitFor(ctx, asyncio.Do(c.Wait), limit)
						testkit.WantTimeout(t, err)
						require.True(t, c.Locked())
					})
				})
				require.False(t, c.Locked())
			})
		})
		t.Run("WaitFor", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				c := asyncio.NewCondition(nil)
				ready, calls := false, 0
				waits := testkit.Start(ctx, func(ctx context.Context) error {
					return c.With(ctx, func() error {
						return c.WaitFor(ctx, func() bool {
							require.True(t, c.Locked())
							calls++
							return ready
						})
					})
				})
				asynciotest.Yield(t, ctx, 1)
				locked(t, ctx, c, func() { c.Notify(1) })
				asynciotest.Yield(t, ctx, 1)
				require.False(t, waits.Done())
				ready = true
				locked(t, ctx, c, func() { c.Notify(1) })
				asynciotest.Yield(t, ctx, 1)
				require.True(t, waits.Done())
				require.Equal(t, 3, calls)
			})
		})
		t.Run("of a lock that others use", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				lock := asyncio.NewLock()
				c := asyncio.NewCondition(lock)
				waits := notified(ctx, &tr, "woken", c)
				asynciotest.Yield(t, ctx, 1)
				require.NoError(t, lock.Acquire(ctx))
				require.True(t, c.Locked())
				c.Notify(1)
				asynciotest.Yield(t, ctx, 2)
				require.False(t, waits.Done(), "it has to have the lock first")
				lock.Release()
				asynciotest.Yield(t, ctx, 1)
				tr.Equal(t, "woken")
			})
		})
		t.Run("of another loop", func(t *testing.T) {
			a, b := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			c := asyncio.NewCondition(nil)
			waits := notified(a.Context(), &asynciotest.Trace{}, "", c)
			asynciotest.Turn(t, a)
			asynciotest.InTask(t, b, func(ctx context.Context) {
				locked(t, ctx, c, func() {
					require.ErrorIs(t, c.Wait(ctx), asyncio.ErrWrongLoop)
					require.True(t, c.Locked())
				})
			})
			waits.Cancel()
			asynciotest.Turn(t, a)
			require.True(t, waits.Cancelled())
		})
	})
}

// TestConditionCancelled cancels tasks at every moment of a Wait.
func TestConditionCancelled(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("CND-06", func(t *testing.T) {
			for _, relock := range []bool{false, true} {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					c := asyncio.NewCondition(nil)
					state := 0
					consumer := func(ctx context.Context) error {
						return c.With(ctx, func() error {
							for {
								if err := c.WaitFor(ctx, func() bool { return state != 0 }); err != nil || state < 0 {
									return err
								}
								state--
							}
						})
					}
					first, second := testkit.Start(ctx, consumer), testkit.Start(ctx, consumer)
					asynciotest.Yield(t, ctx, 1)
					locked(t, ctx, c, func() {
						state++
						c.Notify(1)
						if relock {
							asynciotest.Yield(t, ctx, 1)
						}
						first.Cancel()
						// Nobody notifies this task.
						testkit.WantTimeout(t, asyncio.Timeout(ctx, 10*time.Millisecond, c.Wait))
						require.Equal(t, 0, state, "the notification went on to the other")
						state = -1
						c.NotifyAll()
					})
					_, err := second.Await(ctx)
					require.NoError(t, err)
					require.True(t, first.Cancelled())
				})
			}
		})
		t.Run("while it takes the lock again, twice", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				c := asyncio.NewCondition(nil)
				waits := notified(ctx, &asynciotest.Trace{}, "", c)
				asynciotest.Yield(t, ctx, 1)
				require.NoError(t, c.Acquire(ctx))
				c.Notify(1)
				asynciotest.Yield(t, ctx, 1)
				waits.Cancel("first")
				asynciotest.Yield(t, ctx, 2)
				require.False(t, waits.Done(), "it does not leave without the lock")
				waits.Cancel("second")
				asynciotest.Yield(t, ctx, 2)
				require.False(t, waits.Done())
				c.Release()
				_, err := waits.Await(ctx)
				testkit.WantCancelled(t, err, "second")
				require.Equal(t, 2, waits.Cancelling())
				require.False(t, c.Locked())
			})
		})
		t.Run("when it is about to have the lock: the cancellation is of no effect there", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				c := asyncio.NewCondition(nil)
				waits := testkit.Start(ctx, func(ctx context.Context) error {
					if err := c.Acquire(ctx); err != nil {
						return err
					}
					err := c.Wait(ctx)
					tr.Add(testkit.ErrName(err))
					return err
				})
				asynciotest.Yield(t, ctx, 1)
				require.NoError(t, c.Acquire(ctx))
				c.Notify(1)
				l.CallSoon(func() { waits.Cancel() })
				l.CallSoon(c.Release)
				_, err := waits.Await(ctx)
				testkit.WantCancelled(t, err, nil)
				tr.Equal(t, "CancelledError")
				require.True(t, c.Locked(), "it has the lock all the same")
			})
		})
		t.Run("by the end of a derived context", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				c := asyncio.NewCondition(nil)
				derived, cancel := context.WithCancelCause(ctx)
				defer cancel(nil)
				locked(t, ctx, c, func() {
					holder := testkit.Start(ctx, func(ctx context.Context) error {
						return c.With(ctx, func() error {
							cancel(testkit.ErrBoom)
							return testkit.Suspend(ctx, 3)
						})
					})
					require.Equal(t, testkit.ErrBoom, c.Wait(derived))
					require.True(t, c.Locked())
					require.True(t, holder.Done(), "the lock was free")
					require.True(t, errors.Is(c.Wait(derived), testkit.ErrBoom))
					require.True(t, c.Locked(), "it was not let go of")
				})
				require.False(t, c.Locked())
			})
		})
	})
}
