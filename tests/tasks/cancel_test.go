// Cancellation of tasks: at which moment it arrives, what it interrupts, what it counts,
// and what Go code sees of it through the task's context.
package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestCancelSuspended(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("CAN-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				tk := testkit.Start(ctx, testkit.SleepsLong)
				l.CallSoon(func() { tk.Cancel() })
				_, err := tk.Await(ctx)
				testkit.WantCancelled(t, err, nil)
				require.True(t, tk.Cancelled())
				require.False(t, tk.Cancel(), "a done task is not cancelled again")
				require.Equal(t, 0, asyncio.CurrentTask(ctx).Cancelling(), "the waiter was not cancelled")
			})
		})
		t.Run("CAN-03", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			tk := testkit.Awaits(l.Context(), f)
			asynciotest.Turn(t, l)
			require.True(t, tk.Cancel())
			require.True(t, f.Cancelled(), "the future is cancelled at once")
			require.False(t, tk.Done(), "the task is not")
			asynciotest.Turn(t, l)
			require.True(t, tk.Cancelled())
		})
		t.Run("CAN-04", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			tk := testkit.Awaits(l.Context(), f)
			asynciotest.Turn(t, l)
			require.True(t, f.Cancel("by the future"))
			_, err := asyncio.RunUntilComplete[int](l, tk)
			testkit.WantCancelled(t, err, "by the future")
			require.True(t, tk.Cancelled())
			require.Equal(t, 0, tk.Cancelling(), "nobody asked the task itself")
		})
		t.Run("CAN-05", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			rec := asynciotest.RecordReports(l)
			f := asyncio.NewFuture[int](l)
			done := 0
			tk := testkit.Awaits(l.Context(), f)
			tk.AddDoneCallback(func(*asyncio.Task[int]) { done++ })
			asynciotest.Turn(t, l)
			require.True(t, f.Cancel())
			require.True(t, tk.Cancel())
			_, err := asyncio.RunUntilComplete[int](l, tk)
			testkit.WantCancelled(t, err, nil)
			require.True(t, tk.Cancelled())
			asynciotest.Turn(t, l)
			require.Equal(t, 1, done)
			rec.None(t)
		})
		t.Run("CAN-13", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			proof := 0
			inner := asyncio.Do(func(ctx context.Context) error {
				_, err := f.Await(ctx)
				require.Equal(t, 0, proof)
				proof++
				return err
			})
			outer := testkit.Start(l.Context(), func(ctx context.Context) error {
				_, err := inner.Await(ctx)
				require.Equal(t, 1, proof)
				proof += 100
				return err
			})
			asynciotest.Turn(t, l)
			outer.Cancel()
			_, err := asyncio.RunUntilComplete[asyncio.None](l, outer)
			testkit.WantCancelled(t, err, nil)
			require.True(t, f.Cancelled())
			require.Equal(t, 101, proof)
		})
		t.Run("CAN-14", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			t2 := testkit.Awaits(l.Context(), f)
			t1 := asyncio.CreateTask(l.Context(), asyncio.Coro[int](t2.Await))
			asynciotest.Turns(t, l, 2)
			require.True(t, t1.Cancel())
			_, err := asyncio.RunUntilComplete[int](l, t1)
			testkit.WantCancelled(t, err, nil)
			require.True(t, f.Cancelled())
			require.True(t, t2.Cancelled())
			require.True(t, t1.Cancelled())
		})
	})
}

func TestCancelOneself(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("CAN-08", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
				require.True(t, asyncio.CurrentTask(ctx).Cancel("me"))
				return testkit.SleepsLong(ctx)
			}))
			testkit.WantCancelled(t, err, "me")
		})
		t.Run("CAN-09", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			tk := asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) {
				asyncio.CurrentTask(ctx).Cancel("me")
				return 12, nil
			})
			v, err := asyncio.RunUntilComplete[int](l, tk)
			testkit.WantCancelled(t, err, "me")
			require.Zero(t, v, "12 is lost")
			require.True(t, tk.Cancelled())
		})
		t.Run("CAN-17", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			n := testkit.Start(l.Context(), testkit.SleepsLong)
			asynciotest.Turn(t, l)
			tk := testkit.Start(l.Context(), func(ctx context.Context) error {
				asyncio.CurrentTask(ctx).Cancel()
				_, err := n.Await(ctx)
				return err
			})
			_, err := asyncio.RunUntilComplete[asyncio.None](l, tk)
			testkit.WantCancelled(t, err, nil)
			require.True(t, tk.Cancelled())
			require.True(t, n.Cancelled())
		})
		t.Run("an await that does not suspend is not interrupted", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			ready := asyncio.NewFuture[int](l)
			require.NoError(t, ready.SetResult(5))
			asynciotest.InTask(t, l, func(ctx context.Context) {
				me := asyncio.CurrentTask(ctx)
				me.Cancel()
				v, err := ready.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, 5, v)
				testkit.WantCancelled(t, asyncio.Sleep(ctx, 0), nil)
				asynciotest.Yield(t, ctx, 1)
				require.Equal(t, 0, me.Uncancel())
			})
		})
	})
}

func TestCancelCounts(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("CAN-06", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			tk := asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) {
				if err := asyncio.Sleep(ctx, 0); err != nil {
					return 0, err
				}
				testkit.WantCancelled(t, testkit.SleepsLong(ctx), nil)
				return 42, nil
			})
			asynciotest.Turns(t, l, 2)
			require.True(t, tk.Cancel())
			v, err := asyncio.RunUntilComplete[int](l, tk)
			require.NoError(t, err)
			require.Equal(t, 42, v)
			require.False(t, tk.Cancelled())
			require.Equal(t, 1, tk.Cancelling())
		})
		t.Run("CAN-10", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			tk := asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) {
				_, err := f.Await(ctx)
				return 42, err
			})
			asynciotest.Turn(t, l)
			require.NoError(t, f.SetResult(1))
			require.True(t, tk.Cancel())
			require.Equal(t, 1, tk.Cancelling())
			require.Equal(t, 0, tk.Uncancel())
			v, err := asyncio.RunUntilComplete[int](l, tk)
			require.NoError(t, err)
			require.Equal(t, 42, v)
			require.Equal(t, 0, tk.Cancelling())
			require.False(t, tk.Cancelled())
		})
		t.Run("CAN-11", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var got []error
			tk := testkit.Start(l.Context(), func(ctx context.Context) error {
				for range 3 {
					got = append(got, asyncio.Sleep(ctx, 0))
				}
				return nil
			})
			asynciotest.Turn(t, l)
			require.True(t, tk.Cancel())
			require.True(t, tk.Cancel())
			require.Equal(t, 2, tk.Cancelling())
			_, err := asyncio.RunUntilComplete[asyncio.None](l, tk)
			require.NoError(t, err)
			require.Len(t, got, 3)
			testkit.WantCancelled(t, got[0], nil)
			require.NoError(t, got[1])
			require.NoError(t, got[2])
			require.Equal(t, 2, tk.Cancelling())
		})
		t.Run("CAN-12", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var counts []int
			var tk *asyncio.Task[asyncio.None]
			tk = testkit.Start(l.Context(), func(ctx context.Context) error {
				testkit.WantCancelled(t, testkit.SleepsLong(ctx), "first")
				counts = append(counts, tk.Cancelling(), tk.Uncancel())
				err := testkit.SleepsLong(ctx)
				counts = append(counts, tk.Cancelling())
				return err
			})
			asynciotest.Turn(t, l)
			tk.Cancel("first")
			asynciotest.Turn(t, l)
			tk.Cancel("second")
			_, err := asyncio.RunUntilComplete[asyncio.None](l, tk)
			testkit.WantCancelled(t, err, "second")
			require.Equal(t, []int{1, 0, 1}, counts)
			require.Equal(t, 0, tk.Uncancel())
			require.Equal(t, 0, tk.Uncancel(), "never below zero")
			require.True(t, tk.Cancelled(), "uncancel does not revive a done task")
		})
		t.Run("Cancel of a done task counts nothing", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			tk := testkit.Start(l.Context(), func(context.Context) error { return nil })
			asynciotest.Turn(t, l)
			require.True(t, tk.Done())
			require.False(t, tk.Cancel())
			require.Equal(t, 0, tk.Cancelling())
			require.NoError(t, tk.Exception())
		})
	})
}

func TestCancelPayload(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("CAN-02", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			ran := false
			tk := testkit.Start(l.Context(), func(context.Context) error { ran = true; return nil })
			require.True(t, tk.Cancel("m"))
			require.False(t, tk.Done())
			_, err := asyncio.RunUntilComplete[asyncio.None](l, tk)
			testkit.WantCancelled(t, err, "m")
			require.False(t, ran)
			require.True(t, tk.Cancelled())
		})
		t.Run("CAN-19", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			for _, payload := range [][]any{nil, {nil}, {"my message"}, {5}} {
				var want any
				if len(payload) > 0 {
					want = payload[0]
				}
				f := asyncio.NewFuture[int](l)
				require.True(t, f.Cancel(payload...))
				_, err := f.Result()
				testkit.WantCancelled(t, err, want)
				testkit.WantCancelled(t, f.Exception(), want)

				suspended := testkit.Start(l.Context(), testkit.SleepsLong)
				fresh := testkit.Start(l.Context(), testkit.SleepsLong)
				fresh.Cancel(payload...)
				asynciotest.Turn(t, l)
				suspended.Cancel(payload...)
				asynciotest.Turn(t, l)
				for _, tk := range []*asyncio.Task[asyncio.None]{suspended, fresh} {
					_, err := tk.Result()
					testkit.WantCancelled(t, err, want)
					testkit.WantCancelled(t, tk.Exception(), want)
				}
			}
		})
		t.Run("a wrapped cancellation that escapes is one", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			tk := testkit.Start(l.Context(), func(ctx context.Context) error {
				return fmt.Errorf("read header: %w", testkit.SleepsLong(ctx))
			})
			asynciotest.Turn(t, l)
			tk.Cancel("m")
			_, err := asyncio.RunUntilComplete[asyncio.None](l, tk)
			testkit.WantCancelled(t, err, "m")
			require.True(t, tk.Cancelled())
		})
		t.Run("a cancellation that nobody asked for marks the task cancelled", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			tk := testkit.Start(l.Context(), func(context.Context) error { return &asyncio.CancelledError{Msg: "own"} })
			_, err := asyncio.RunUntilComplete[asyncio.None](l, tk)
			testkit.WantCancelled(t, err, "own")
			require.True(t, tk.Cancelled())
			require.Equal(t, 0, tk.Cancelling())
		})
		t.Run("another error in the clean-up is the task's result", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			tk := testkit.Start(l.Context(), func(ctx context.Context) error {
				testkit.WantCancelled(t, testkit.SleepsLong(ctx), nil)
				return testkit.ErrBoom
			})
			asynciotest.Turn(t, l)
			tk.Cancel()
			_, err := asyncio.RunUntilComplete[asyncio.None](l, tk)
			require.ErrorIs(t, err, testkit.ErrBoom)
			require.False(t, tk.Cancelled())
			require.Equal(t, 1, tk.Cancelling())
		})
	})
}

// TestCancelMoments cancels the same task at every moment of its life. It awaits a
// future, cleans up with a second await if that fails, and tells how far it came.
func TestCancelMoments(t *testing.T) {
	type life struct {
		l             *asyncio.Loop
		first, second *asyncio.Future[int]
		task          *asyncio.Task[int]
		reached       asynciotest.Trace
	}
	moments := []struct {
		name    string
		cancel  func(t *testing.T, m *life)
		reached []string
		ends    string // what the task's result is, as stateOf spells it
	}{
		{"before the first step", func(t *testing.T, m *life) {
			require.True(t, m.task.Cancel())
		}, nil, "cancelled"},
		{"suspended", func(t *testing.T, m *life) {
			asynciotest.Turns(t, m.l, 3)
			require.True(t, m.task.Cancel())
		}, []string{"started", "interrupted", "cleaned up"}, "cancelled"},
		{"in the turn in which the future was finished, before it", func(t *testing.T, m *life) {
			asynciotest.Turn(t, m.l)
			require.True(t, m.task.Cancel())
			require.ErrorIs(t, m.first.SetResult(1), asyncio.ErrInvalidState)
		}, []string{"started", "interrupted", "cleaned up"}, "cancelled"},
		{"in the turn in which the future was finished, after it", func(t *testing.T, m *life) {
			asynciotest.Turn(t, m.l)
			require.NoError(t, m.first.SetResult(1))
			require.True(t, m.task.Cancel())
			v, err := m.first.Result()
			require.NoError(t, err, "the result of the future stays")
			require.Equal(t, 1, v)
		}, []string{"started", "interrupted", "cleaned up"}, "cancelled"},
		{"woken and about to run", func(t *testing.T, m *life) {
			asynciotest.Turn(t, m.l)
			m.l.CallSoon(func() { require.True(t, m.task.Cancel()) })
			require.NoError(t, m.first.SetResult(1)) // the wake-up is queued behind the callback
		}, []string{"started", "interrupted", "cleaned up"}, "cancelled"},
		{"right after it ran", func(t *testing.T, m *life) {
			asynciotest.Turn(t, m.l)
			require.NoError(t, m.first.SetResult(1))
			m.l.CallSoon(func() { require.False(t, m.task.Cancel()) }) // behind the wake-up: the task is done
		}, []string{"started", "got 1"}, "1"},
		{"in its clean-up", func(t *testing.T, m *life) {
			asynciotest.Turn(t, m.l)
			require.True(t, m.task.Cancel("first"))
			asynciotest.Turn(t, m.l)
			m.reached.Equal(t, "started", "interrupted")
			require.True(t, m.task.Cancel("second"))
			require.True(t, m.second.Cancelled(), "the clean-up's future is the one that is cancelled now")
		}, []string{"started", "interrupted", "clean-up interrupted"}, "cancelled"},
	}
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		for _, moment := range moments {
			t.Run(moment.name, func(t *testing.T) {
				l := asynciotest.New(t, opts...)
				m := &life{l: l, first: asyncio.NewFuture[int](l), second: asyncio.NewFuture[int](l)}
				m.task = asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) {
					m.reached.Add("started")
					v, err := m.first.Await(ctx)
					if err == nil {
						m.reached.Addf("got %d", v)
						return v, nil
					}
					m.reached.Add("interrupted")
					if _, err := m.second.Await(ctx); err != nil {
						m.reached.Add("clean-up interrupted")
						return 0, err
					}
					m.reached.Add("cleaned up")
					return 0, err
				})
				moment.cancel(t, m)
				asynciotest.Turns(t, l, 2)
				if !m.task.Done() {
					require.NoError(t, m.second.SetResult(0))
					asynciotest.Turn(t, l)
				}
				require.Equal(t, moment.reached, m.reached.Events())
				require.Equal(t, moment.ends, testkit.StateOf(m.task))
			})
		}
	})
}

// TestCancelOvertakesWake cancels a task that was woken with an error: that error must
// not come out of a later await.
func TestCancelOvertakesWake(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		barrier, queue := asyncio.NewBarrier(2), asyncio.NewQueue[int](0)
		waits := []struct {
			name string
			wait func(ctx context.Context) error
			wake func()
		}{
			{"Barrier.Abort", func(ctx context.Context) error { _, err := barrier.Wait(ctx); return err }, barrier.Abort},
			{"Queue.Shutdown", func(ctx context.Context) error { _, err := queue.Get(ctx); return err },
				func() { queue.Shutdown(false) }},
		}
		for _, w := range waits {
			t.Run(w.name, func(t *testing.T) {
				l := asynciotest.New(t, opts...)
				tk := testkit.Start(l.Context(), func(ctx context.Context) error {
					testkit.WantCancelled(t, w.wait(ctx), "overtakes")
					return testkit.Suspend(ctx, 2)
				})
				asynciotest.Turn(t, l)
				w.wake()
				require.True(t, tk.Cancel("overtakes"))
				_, err := asyncio.RunUntilComplete[asyncio.None](l, tk)
				require.NoError(t, err)
			})
		}
		t.Run("the end of a derived context", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				me := asyncio.CurrentTask(ctx)
				for range 50 { // package context decides which of two followers hears first: both orders are met
					derived, cancel := context.WithCancelCause(ctx)
					posted := make(chan struct{})
					context.AfterFunc(derived, func() {
						_, err := l.CallSoonThreadsafe(func() { me.Cancel() })
						assert.NoError(t, err)
						close(posted)
					})
					l.CallSoon(func() { cancel(testkit.ErrBoom); <-posted })
					got := []error{testkit.SleepsLong(derived), asyncio.Sleep(ctx, 0), asyncio.Sleep(ctx, 0), asyncio.Sleep(ctx, 0)}
					cancellations := 0
					for i, err := range got {
						if errors.Is(err, asyncio.ErrCancelled) {
							cancellations++
						} else if i > 0 {
							require.NoError(t, err, "await %d of %v", i, got)
						}
					}
					require.Equal(t, 1, cancellations, "%v", got)
					require.Equal(t, 0, me.Uncancel())
				}
			})
		})
	})
}

// TestCancelTaskContext is about the task's own context: what foreign Go code sees of a
// cancellation.
func TestCancelTaskContext(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("Cancel ends it at once, so that foreign code stops", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			stopped := make(chan error)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				tk := testkit.Start(ctx, func(ctx context.Context) error {
					require.NoError(t, ctx.Err())
					go func() {
						<-ctx.Done()
						stopped <- context.Cause(ctx)
					}()
					return testkit.SleepsLong(ctx)
				})
				asynciotest.Yield(t, ctx, 1)
				tk.Cancel("stop")
				require.ErrorIs(t, <-stopped, context.Canceled) // the loop need not turn for it
				require.ErrorIs(t, tk.Context().Err(), context.Canceled)
				_, err := tk.Await(ctx)
				testkit.WantCancelled(t, err, "stop")
				require.NoError(t, ctx.Err(), "the creator's context goes on")
			})
		})
		t.Run("the task may go on awaiting with it", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				me := asyncio.CurrentTask(ctx)
				me.Cancel()
				testkit.WantCancelled(t, asyncio.Sleep(ctx, 0), nil)
				asynciotest.Yield(t, ctx, 2)
				require.NoError(t, asyncio.Sleep(context.WithValue(ctx, testkit.CtxKey("k"), 1), time.Millisecond),
					"a context that only carries a value is the task's own")
				require.Equal(t, 0, me.Uncancel())
				asynciotest.Yield(t, ctx, 2)
				f := asyncio.NewFuture[int](l)
				l.CallSoon(func() { f.SetResult(1) })
				v, err := f.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, 1, v)
			})
		})
		t.Run("children do not inherit a cancellation", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				before := testkit.Start(ctx, func(ctx context.Context) error { return testkit.Suspend(ctx, 3) })
				me := asyncio.CurrentTask(ctx)
				me.Cancel()
				testkit.WantCancelled(t, asyncio.Sleep(ctx, 0), nil)
				after := testkit.Start(ctx, func(ctx context.Context) error {
					require.NoError(t, ctx.Err(), "a new task starts with a context that has not ended")
					return testkit.Suspend(ctx, 3)
				})
				for _, child := range []*asyncio.Task[asyncio.None]{before, after} {
					_, err := child.Await(ctx)
					require.NoError(t, err)
				}
			})
		})
	})
}

// TestCancelUserContext is about contexts that a user derived with package context: they
// end an Await as Go expects.
func TestCancelUserContext(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("WithCancelCause ends every await with its cause", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				me := asyncio.CurrentTask(ctx)
				derived, cancel := context.WithCancelCause(ctx)
				defer cancel(nil)
				l.CallSoon(func() { cancel(testkit.ErrBoom) })
				_, err := asyncio.NewFuture[int](l).Await(derived)
				require.ErrorIs(t, err, testkit.ErrBoom)
				require.ErrorIs(t, testkit.SleepsLong(derived), testkit.ErrBoom, "level-triggered: it ends the next one too")
				require.Equal(t, 0, me.Cancelling(), "the task was not cancelled")
				require.False(t, me.Done())
				asynciotest.Yield(t, ctx, 1)
			})
		})
		t.Run("cancelled from another goroutine while the loop waits", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				derived, cancel := context.WithCancelCause(ctx)
				defer cancel(nil)
				l.CallSoon(func() { go cancel(testkit.ErrBoom) })
				require.ErrorIs(t, testkit.SleepsLong(derived), testkit.ErrBoom)
			})
		})
		t.Run("WithTimeout ends it with DeadlineExceeded, WithTimeoutCause with the cause", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				testkit.Took(t, 10*time.Millisecond, func() {
					derived, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
					defer cancel()
					require.ErrorIs(t, testkit.SleepsLong(derived), context.DeadlineExceeded)
				})
				derived, cancel := context.WithTimeoutCause(ctx, time.Millisecond, testkit.ErrBoom)
				defer cancel()
				_, err := asyncio.NewFuture[int](l).Await(derived)
				require.ErrorIs(t, err, testkit.ErrBoom)
			})
		})
		t.Run("the awaited task and future live on", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f := asyncio.NewFuture[int](l)
				inner := testkit.Awaits(ctx, f)
				for _, aw := range []asyncio.Awaitable[int]{f, inner} {
					derived, cancel := context.WithCancelCause(ctx)
					l.CallSoon(func() { cancel(testkit.ErrBoom) })
					_, err := aw.Await(derived)
					require.ErrorIs(t, err, testkit.ErrBoom)
				}
				require.NoError(t, f.SetResult(4))
				v, err := inner.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, 4, v)
			})
		})
		t.Run("a cancellation of the task comes through it, and stays in it", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			tk := testkit.Start(l.Context(), func(ctx context.Context) error {
				derived, cancel := context.WithCancel(ctx)
				defer cancel()
				testkit.WantCancelled(t, testkit.SleepsLong(derived), "m")
				require.ErrorIs(t, testkit.SleepsLong(derived), context.Canceled, "what was derived has ended for good")
				return testkit.Suspend(ctx, 1)
			})
			asynciotest.Turn(t, l)
			tk.Cancel("m")
			_, err := asyncio.RunUntilComplete[asyncio.None](l, tk)
			require.NoError(t, err)
			require.Equal(t, 1, tk.Cancelling())
		})
		t.Run("a result that is there wins over a context that goes on", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				derived, cancel := context.WithCancel(ctx)
				f := asyncio.NewFuture[int](l)
				l.CallSoon(func() { f.SetResult(3) })
				v, err := f.Await(derived)
				cancel()
				require.NoError(t, err)
				require.Equal(t, 3, v)
				require.False(t, errors.Is(ctx.Err(), context.Canceled))
			})
		})
	})
}
