// Futures: their states, done callbacks that never run at once, and awaiting from tasks
// and from plain goroutines.
package tasks_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestFutureStates(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("FUT-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			require.False(t, f.Done())
			require.False(t, f.Cancelled())
			_, err := f.Result()
			require.ErrorIs(t, err, asyncio.ErrInvalidState)
			require.ErrorIs(t, f.Exception(), asyncio.ErrInvalidState)
			require.Same(t, l, f.Loop())
		})
		t.Run("FUT-02", func(t *testing.T) {
			f := asyncio.NewFuture[int](asynciotest.New(t, opts...))
			require.NoError(t, f.SetResult(42))
			require.ErrorIs(t, f.SetResult(43), asyncio.ErrInvalidState)
			require.ErrorIs(t, f.SetException(testkit.ErrBoom), asyncio.ErrInvalidState)
			require.False(t, f.Cancel())
			require.True(t, f.Done())
			require.False(t, f.Cancelled())
			v, err := f.Result()
			require.NoError(t, err)
			require.Equal(t, 42, v)
			require.NoError(t, f.Exception())
		})
		t.Run("FUT-03", func(t *testing.T) {
			f := asyncio.NewFuture[int](asynciotest.New(t, opts...))
			require.True(t, f.Cancel("why"))
			require.False(t, f.Cancel("again"))
			require.True(t, f.Done())
			require.True(t, f.Cancelled())
			_, err := f.Result()
			for _, err := range []error{err, f.Exception()} {
				var cancelled *asyncio.CancelledError
				require.ErrorAs(t, err, &cancelled)
				require.Equal(t, "why", cancelled.Msg)
				require.ErrorIs(t, err, asyncio.ErrCancelled)
				require.ErrorIs(t, err, context.Canceled)
			}
			require.ErrorIs(t, f.SetResult(1), asyncio.ErrInvalidState)
			require.ErrorIs(t, f.SetException(testkit.ErrBoom), asyncio.ErrInvalidState)
		})
		t.Run("FUT-09", func(t *testing.T) {
			f := asyncio.NewFuture[int](asynciotest.New(t, opts...))
			testkit.ErrorSays(t, testkit.PanicError(t, func() { _ = f.SetException(nil) }), "nil")
			require.False(t, f.Done(), "a future that failed with nothing would look like one that succeeded")
		})
		t.Run("FUT-12", func(t *testing.T) {
			f := asyncio.NewFuture[int](asynciotest.New(t, opts...))
			require.NoError(t, f.SetException(testkit.ErrBoom))
			for range 2 {
				_, err := f.Result()
				require.Same(t, testkit.ErrBoom, err)
				require.Same(t, testkit.ErrBoom, f.Exception())
			}
			require.False(t, f.Cancelled())
		})
	})
}

func TestFutureCallbacks(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("FUT-05", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			var got []*asyncio.Future[int]
			f.AddDoneCallback(func(f *asyncio.Future[int]) { got = append(got, f) })
			asynciotest.Turn(t, l)
			require.NoError(t, f.SetResult(1))
			require.Empty(t, got, "it was called inside SetResult")
			asynciotest.Turns(t, l, 2)
			require.Equal(t, []*asyncio.Future[int]{f}, got)
		})
		t.Run("a callback added to a done future waits for the next turn", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			f := asyncio.NewFuture[int](l)
			require.NoError(t, f.SetResult(1))
			l.CallSoon(func() {
				f.AddDoneCallback(func(*asyncio.Future[int]) { tr.Add("callback") })
				tr.Add("added")
			})
			asynciotest.Turn(t, l)
			tr.Equal(t, "added")
			asynciotest.Turn(t, l)
			tr.Equal(t, "added", "callback")
		})
	})
}

func TestFutureCallbackOrder(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("FUT-07", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			a := func(*asyncio.Future[int]) { tr.Add("a") }
			b := func(*asyncio.Future[int]) { tr.Add("b") }
			f := asyncio.NewFuture[int](l)
			for _, fn := range []func(*asyncio.Future[int]){a, b, a} {
				f.AddDoneCallback(fn)
			}
			require.NoError(t, f.SetResult(1))
			asynciotest.Turn(t, l)
			tr.Equal(t, "a", "b", "a")

			tr.Reset()
			f = asyncio.NewFuture[int](l)
			first, _, third := f.AddDoneCallback(a), f.AddDoneCallback(b), f.AddDoneCallback(a)
			require.Equal(t, 1, f.RemoveDoneCallback(first))
			require.Equal(t, 0, f.RemoveDoneCallback(first))
			require.Equal(t, 1, f.RemoveDoneCallback(third))
			require.NoError(t, f.SetResult(1))
			asynciotest.Turn(t, l)
			tr.Equal(t, "b")
		})
		t.Run("FUT-08", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			f := asyncio.NewFuture[int](l)
			var third *asyncio.DoneCallback
			f.AddDoneCallback(func(f *asyncio.Future[int]) { tr.Addf("a removes %d", f.RemoveDoneCallback(third)) })
			f.AddDoneCallback(func(*asyncio.Future[int]) { tr.Add("b") })
			third = f.AddDoneCallback(func(*asyncio.Future[int]) { tr.Add("c") })
			require.NoError(t, f.SetResult(1))
			asynciotest.Turn(t, l)
			tr.Equal(t, "a removes 0", "b", "c")
		})
		t.Run("FUT-20", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			handler := asynciotest.RecordReports(l)
			f := asyncio.NewFuture[int](l)
			f.AddDoneCallback(func(*asyncio.Future[int]) { panic(testkit.ErrBoom) })
			f.AddDoneCallback(func(*asyncio.Future[int]) { tr.Add("b") })
			require.NoError(t, f.SetResult(1))
			asynciotest.Turn(t, l)
			tr.Equal(t, "b")
			var panicked *asyncio.PanicError
			require.ErrorAs(t, handler.One(t).Exception, &panicked)
			require.Equal(t, testkit.ErrBoom, panicked.Value)
		})
		t.Run("cancellation and failure are delivered too", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			cancelled, failed := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
			cancelled.AddDoneCallback(func(f *asyncio.Future[int]) { tr.Addf("cancelled %v", f.Cancelled()) })
			failed.AddDoneCallback(func(f *asyncio.Future[int]) { tr.Addf("%v", f.Exception()) })
			cancelled.Cancel()
			require.NoError(t, failed.SetException(testkit.ErrBoom))
			asynciotest.Turn(t, l)
			tr.Equal(t, "cancelled true", "boom")
		})
	})
}

// dropFailed makes a future that fails and is reachable no more when the function
// returns.
//
//go:noinline
func dropFailed(l *asyncio.Loop, use func(*asyncio.Future[int])) {
	f := asyncio.NewFuture[int](l)
	use(f)
}

func TestFutureNeverRetrieved(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("FUT-10", func(t *testing.T) {
			for _, debug := range []bool{false, true} {
				l := asynciotest.New(t, opts...)
				l.SetDebug(debug)
				handler := asynciotest.RecordReports(l)
				dropFailed(l, func(f *asyncio.Future[int]) { require.NoError(t, f.SetException(testkit.ErrBoom)) })
				testkit.CollectUntil(t, l, func() bool { return len(handler.All()) > 0 })
				c := handler.One(t)
				require.Equal(t, "Future exception was never retrieved", c.Message)
				require.Same(t, testkit.ErrBoom, c.Exception)
				if debug {
					require.Contains(t, c.SourceTraceback, "dropFailed")
				} else {
					require.Empty(t, c.SourceTraceback)
				}
				testkit.CollectAll(t, l)
				handler.One(t)
			}
		})
		t.Run("FUT-10 at the latest when the loop closes", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			handler := asynciotest.RecordReports(l)
			f := asyncio.NewFuture[int](l)
			require.NoError(t, f.SetException(testkit.ErrBoom))
			asynciotest.Turn(t, l)
			handler.None(t)
			require.NoError(t, l.Close())
			require.Same(t, testkit.ErrBoom, handler.One(t).Exception)
			require.Same(t, testkit.ErrBoom, f.Exception())
		})
		t.Run("FUT-11", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			handler := asynciotest.RecordReports(l)
			fail := func(f *asyncio.Future[int]) { require.NoError(t, f.SetException(testkit.ErrBoom)) }
			dropFailed(l, func(f *asyncio.Future[int]) { fail(f); _, _ = f.Result() })
			dropFailed(l, func(f *asyncio.Future[int]) { fail(f); _ = f.Exception() })
			dropFailed(l, func(f *asyncio.Future[int]) {
				fail(f)
				_, err := asyncio.RunUntilComplete(l, f)
				require.Same(t, testkit.ErrBoom, err)
			})
			dropFailed(l, func(f *asyncio.Future[int]) { f.Cancel() })
			dropFailed(l, func(f *asyncio.Future[int]) { require.NoError(t, f.SetResult(1)) })
			dropFailed(l, func(f *asyncio.Future[int]) {})
			testkit.CollectAll(t, l)
			handler.None(t)
		})
	})
}

func TestFutureAwait(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("FUT-13", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			f := asyncio.NewFuture[int](l)
			for _, name := range []string{"first", "second", "third"} {
				asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
					v, err := f.Await(ctx)
					tr.Addf("%s got %d", name, v)
					return err
				}))
			}
			asynciotest.Turn(t, l)
			require.NoError(t, f.SetResult(1))
			asynciotest.Turn(t, l)
			tr.Equal(t, "first got 1", "second got 1", "third got 1")
		})
		t.Run("FUT-14", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			require.NoError(t, f.SetResult(1))
			failed := asyncio.NewFuture[int](l)
			require.NoError(t, failed.SetException(testkit.ErrBoom))
			asynciotest.InTask(t, l, func(ctx context.Context) {
				counter := asynciotest.CountTurns(l)
				asynciotest.Yield(t, ctx, 1)
				before := counter.N()
				v, err := f.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, 1, v)
				_, err = failed.Await(ctx)
				require.Same(t, testkit.ErrBoom, err)
				require.Equal(t, before, counter.N())
				counter.Stop()
			})
		})
	})
}

func TestFutureAwaitRules(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("the awaiting task goes on in the turn after the result", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			var tr asynciotest.Trace
			f := asyncio.NewFuture[int](l)
			asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				_, err := f.Await(ctx)
				tr.Addf("resumed with %v", err)
				return nil
			}))
			asynciotest.Turn(t, l)
			l.CallSoon(func() { require.NoError(t, f.SetException(testkit.ErrBoom)) })
			asynciotest.Turn(t, l)
			require.Empty(t, tr.Events())
			asynciotest.Turn(t, l)
			tr.Equal(t, "resumed with boom")
		})
		t.Run("a future of another loop is refused", func(t *testing.T) {
			l, other := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](other)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, err := f.Await(ctx)
				require.ErrorIs(t, err, asyncio.ErrWrongLoop)
			})
		})
		t.Run("a context derived by the user ends the Await, again and again", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				short, cancel := context.WithTimeoutCause(ctx, 10*time.Millisecond, testkit.ErrBoom)
				defer cancel()
				for range 2 {
					_, err := f.Await(short)
					require.ErrorIs(t, err, testkit.ErrBoom)
				}
				require.False(t, f.Done(), "the end of a foreign context cancels the Await, not the future")
				asynciotest.Yield(t, ctx, 1)
			})
		})
	})
}

func TestFutureAwaitFromGoroutine(t *testing.T) {
	type result struct {
		v   int
		err error
	}
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("it blocks the goroutine until the result is there", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			handler := asynciotest.RecordReports(l)
			good, bad, gone := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
			results := make(chan result, 3)
			left := cap(results)
			for _, f := range []*asyncio.Future[int]{good, bad, gone} {
				go func() {
					v, err := f.Await(context.Background())
					results <- result{v, err}
					_, _ = l.CallSoonThreadsafe(func() {
						if left--; left == 0 {
							l.Stop()
						}
					})
				}()
			}
			l.CallLater(10*time.Millisecond, func() {
				require.NoError(t, good.SetResult(7))
				require.NoError(t, bad.SetException(testkit.ErrBoom))
				gone.Cancel()
			})
			require.NoError(t, l.RunForever())
			var values, failures, cancels int
			for range cap(results) {
				switch r := <-results; {
				case r.err == nil:
					require.Equal(t, 7, r.v)
					values++
				case r.err == testkit.ErrBoom:
					failures++
				default:
					require.ErrorIs(t, r.err, asyncio.ErrCancelled)
					cancels++
				}
			}
			require.Equal(t, []int{1, 1, 1}, []int{values, failures, cancels})
			require.NoError(t, l.Close())
			handler.None(t) // the goroutine has retrieved the failure
		})
		t.Run("its context ends the wait and leaves the future alone", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			var err error
			done := make(chan struct{})
			go func() {
				defer close(done)
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
				defer cancel()
				_, err = f.Await(ctx)
				_, _ = l.CallSoonThreadsafe(l.Stop)
			}()
			require.NoError(t, l.RunForever())
			<-done
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.False(t, f.Done())
		})
	})
}

func TestFutureAwaitInVain(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("the close of the loop ends the wait of a goroutine", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			got := make(chan error)
			go func() {
				_, err := f.Await(context.Background())
				got <- err
			}()
			asynciotest.Turns(t, l, 3)
			require.NoError(t, l.Close())
			require.ErrorIs(t, <-got, asyncio.ErrLoopClosed)
			_, err := f.Await(context.Background())
			require.ErrorIs(t, err, asyncio.ErrLoopClosed)
		})
		t.Run("a callback would wait for itself", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			pending, done := asyncio.NewFuture[int](l), asyncio.NewFuture[int](l)
			require.NoError(t, done.SetResult(3))
			var v int
			var errPending, errDone error
			l.CallSoon(func() {
				_, errPending = pending.Await(l.Context())
				v, errDone = done.Await(l.Context())
			})
			asynciotest.Turn(t, l)
			require.ErrorIs(t, errPending, asyncio.ErrNotCurrentTask)
			require.NoError(t, errDone)
			require.Equal(t, 3, v)
		})
	})
}

func TestFutureOfThread(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("FUT-16", func(t *testing.T) {
			l, other := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			l.SetDebug(true) // CallSoon panics on every goroutine but the loop's
			handler := asynciotest.RecordReports(l)
			var tr asynciotest.Trace
			done := make(chan error)
			threadFuture := asyncio.RunCoroutineThreadsafe(other, func(ctx context.Context) (int, error) {
				return 5, asyncio.Sleep(ctx, 10*time.Millisecond)
			})
			go func() { done <- other.RunForever() }()
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f := asyncio.WrapFuture(ctx, threadFuture)
				f.AddDoneCallback(func(f *asyncio.Future[int]) { l.CallSoon(tr.Mark("on the loop")) })
				v, err := f.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, 5, v)
				asynciotest.Yield(t, ctx, 1)
			})
			_, err := other.CallSoonThreadsafe(other.Stop)
			require.NoError(t, err)
			require.NoError(t, <-done)
			handler.None(t)
			tr.Equal(t, "on the loop")
		})
	})
}

func TestFutureAwaitStolenContext(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("the context of a task that does not run is refused", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			f := asyncio.NewFuture[int](l)
			var stolen context.Context
			sleeper := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				stolen = ctx
				return asyncio.Sleep(ctx, time.Hour)
			}))
			asynciotest.InTask(t, l, func(ctx context.Context) {
				asynciotest.Yield(t, ctx, 1)
				_, err := f.Await(stolen)
				require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
				require.ErrorIs(t, asyncio.Sleep(stolen, 0), asyncio.ErrNotCurrentTask)
				testkit.OnGoroutine(func() { _, err = f.Await(stolen) })
				require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
				sleeper.Cancel()
				_, err = sleeper.Await(ctx)
				require.ErrorIs(t, err, asyncio.ErrCancelled)
			})
		})
	})
}
