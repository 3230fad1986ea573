// Contexts that a task derives with package context. Every operation that awaits ends
// with the cause of such a context, at every moment, again and again, and whatever it
// waited for is still there for the next.
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

// awaiting is an operation that awaits, and what it may take: permits, items, places,
// bytes.
type awaiting struct {
	wait      func(ctx context.Context) (taken int, err error)
	give      func()                        // lets one wait succeed; nil: nothing does so on the spot
	given     int                           // what give brings
	left      func(ctx context.Context) int // what can still be taken; nil: nothing ever can
	momentary bool                          // give is nothing for a wait that begins later
	alone     bool                          // only one task may wait
	check     func()                        // what holds between waits, or nil
}

// awaitingCase makes an awaiting inside a task.
type awaitingCase func(t *testing.T, ctx context.Context) *awaiting

// counted is n, unless err has kept the operation from taking them.
func counted(n int, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	return n, nil
}

var awaitingPrimitives = map[string]awaitingCase{
	"Lock.Acquire": func(t *testing.T, ctx context.Context) *awaiting {
		lock := asyncio.NewLock()
		require.NoError(t, lock.Acquire(ctx))
		return &awaiting{
			wait: func(ctx context.Context) (int, error) { return counted(1, lock.Acquire(ctx)) },
			give: lock.Release, given: 1,
			left: func(ctx context.Context) int {
				if lock.Locked() {
					return 0
				}
				require.NoError(t, lock.Acquire(ctx))
				return 1
			},
		}
	},
	"Semaphore.Acquire": func(t *testing.T, ctx context.Context) *awaiting {
		s := asyncio.NewSemaphore(0)
		return &awaiting{
			wait: func(ctx context.Context) (int, error) { return counted(1, s.Acquire(ctx)) },
			give: s.Release, given: 1,
			left: func(ctx context.Context) (n int) {
				for ; !s.Locked(); n++ {
					require.NoError(t, s.Acquire(ctx))
				}
				return n
			},
		}
	},
	"Queue.Get": func(t *testing.T, _ context.Context) *awaiting {
		q := asyncio.NewQueue[int](0)
		return &awaiting{
			wait: func(ctx context.Context) (int, error) { _, err := q.Get(ctx); return counted(1, err) },
			give: func() { require.NoError(t, q.PutNowait(7)) }, given: 1,
			left: func(context.Context) int { return q.Len() },
		}
	},
	"Queue.Put": func(t *testing.T, ctx context.Context) *awaiting {
		q := asyncio.NewQueue[int](1)
		require.NoError(t, q.Put(ctx, 1))
		return &awaiting{
			wait: func(ctx context.Context) (int, error) { return counted(1, q.Put(ctx, 2)) },
			give: func() { _, err := q.GetNowait(); require.NoError(t, err) }, given: 1,
			left: func(context.Context) int { return q.Maxsize() - q.Len() },
		}
	},
	"Queue.Join": func(t *testing.T, ctx context.Context) *awaiting {
		q := asyncio.NewQueue[int](1)
		require.NoError(t, q.Put(ctx, 1))
		return &awaiting{
			wait: func(ctx context.Context) (int, error) { return counted(0, q.Join(ctx)) },
			give: q.TaskDone,
		}
	},
	"Event.Wait": func(*testing.T, context.Context) *awaiting {
		e := asyncio.NewEvent()
		return &awaiting{
			wait: func(ctx context.Context) (int, error) { return counted(0, e.Wait(ctx)) },
			give: e.Set,
		}
	},
	"Condition.Wait": func(_ *testing.T, ctx context.Context) *awaiting {
		c := asyncio.NewCondition(nil)
		notify := func(ctx context.Context) error { return c.With(ctx, func() error { c.Notify(1); return nil }) }
		return &awaiting{
			wait: func(ctx context.Context) (int, error) { // With would panic if Wait came back without the lock
				return counted(0, c.With(ctx, func() error { return c.Wait(ctx) }))
			},
			give:      func() { testkit.Start(testkit.LoopOf(ctx).Context(), notify) },
			momentary: true,
		}
	},
	"Condition.WaitFor": func(_ *testing.T, ctx context.Context) *awaiting {
		c, there := asyncio.NewCondition(nil), 0
		deliver := func(ctx context.Context) error {
			return c.With(ctx, func() error { there++; c.Notify(1); return nil })
		}
		return &awaiting{
			wait: func(ctx context.Context) (int, error) {
				return counted(1, c.With(ctx, func() error {
					err := c.WaitFor(ctx, func() bool { return there > 0 })
					if err == nil {
						there--
					}
					return err
				}))
			},
			give: func() { testkit.Start(testkit.LoopOf(ctx).Context(), deliver) }, given: 1,
			left: func(context.Context) int { return there },
		}
	},
	"Barrier.Wait": func(_ *testing.T, ctx context.Context) *awaiting {
		b := asyncio.NewBarrier(2)
		return &awaiting{
			wait: func(ctx context.Context) (int, error) { _, err := b.Wait(ctx); return counted(0, err) },
			give: func() {
				testkit.Start(testkit.LoopOf(ctx).Context(), func(ctx context.Context) error { _, err := b.Wait(ctx); return err })
			},
			alone: true, // a second one lets both through
			// As in asyncio, one who comes as the first is cancelled, but has not left
			// yet, goes through.
			momentary: true,
		}
	},
}

// awaitingReads are the ways to read a stream, each of which takes the three bytes that
// come.
var awaitingReads = map[string]func(ctx context.Context, r *asyncio.StreamReader) (int, error){
	"Read": func(ctx context.Context, r *asyncio.StreamReader) (int, error) { return r.Read(ctx, make([]byte, 10)) },
	"ReadExactly": func(ctx context.Context, r *asyncio.StreamReader) (int, error) {
		b, err := r.ReadExactly(ctx, 3)
		return len(b), err
	},
	"ReadUntil": func(ctx context.Context, r *asyncio.StreamReader) (int, error) {
		b, err := r.ReadUntil(ctx, []byte("c"))
		return len(b), err
	},
	"ReadLine": func(ctx context.Context, r *asyncio.StreamReader) (int, error) {
		b, err := r.ReadLine(ctx)
		return len(b), err
	},
	"ReadAll": func(ctx context.Context, r *asyncio.StreamReader) (int, error) {
		b, err := r.ReadAll(ctx)
		return len(b), err
	},
}

func readCase(name string) awaitingCase {
	read := awaitingReads[name]
	return func(t *testing.T, ctx context.Context) *awaiting {
		r := asyncio.NewStreamReader(testkit.LoopOf(ctx), 100)
		return &awaiting{
			alone: true,
			wait:  func(ctx context.Context) (int, error) { return read(ctx, r) },
			give: func() {
				r.FeedData([]byte("abc"))
				if name == "ReadLine" || name == "ReadAll" {
					r.FeedEOF()
				}
			}, given: 3,
			left: func(ctx context.Context) int {
				r.FeedEOF()
				rest, err := r.ReadAll(ctx)
				require.NoError(t, err)
				return len(rest)
			},
		}
	}
}

// awaitingStreams are waits for a connection or a server.
var awaitingStreams = map[string]awaitingCase{
	"StreamWriter.Drain": func(t *testing.T, ctx context.Context) *awaiting {
		_, w, _ := testkit.StreamToNet(t, ctx)
		testkit.WriteUntilPaused(t, w)
		buffered := w.Transport().WriteBufferSize()
		t.Cleanup(func() { w.Transport().Abort() })
		return &awaiting{
			wait:  func(ctx context.Context) (int, error) { return counted(0, w.Drain(ctx)) },
			check: func() { require.Equal(t, buffered, w.Transport().WriteBufferSize()) },
		}
	},
	"StreamWriter.WaitClosed": func(t *testing.T, ctx context.Context) *awaiting {
		_, w, _ := testkit.StreamToNet(t, ctx)
		return &awaiting{
			wait: func(ctx context.Context) (int, error) { return counted(0, w.WaitClosed(ctx)) },
			give: func() { _ = w.Close() },
		}
	},
	"Server.WaitClosed": func(t *testing.T, ctx context.Context) *awaiting {
		s, err := testkit.LoopOf(ctx).CreateServer(ctx, testkit.NewTap(testkit.LoopOf(ctx)).Factory, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		return &awaiting{
			wait: func(ctx context.Context) (int, error) { return counted(0, s.WaitClosed(ctx)) },
			give: s.Close,
		}
	},
}

// awaitingFutures are waits for a future: it lives on when they end.
var awaitingFutures = map[string]func(ctx context.Context, f *asyncio.Future[int]) error{
	"Future.Await": func(ctx context.Context, f *asyncio.Future[int]) error { _, err := f.Await(ctx); return err },
	"Gather": func(ctx context.Context, f *asyncio.Future[int]) error {
		_, err := asyncio.Gather[int](ctx, f, f).Await(ctx)
		return err
	},
	"Gather2": func(ctx context.Context, f *asyncio.Future[int]) error {
		_, _, err := asyncio.Gather2[int, int](ctx, f, f)
		return err
	},
	"GatherResults": func(ctx context.Context, f *asyncio.Future[int]) error {
		_, err := asyncio.GatherResults[int](ctx, f).Await(ctx)
		return err
	},
	"Shield": func(ctx context.Context, f *asyncio.Future[int]) error {
		_, err := asyncio.Shield[int](ctx, f).Await(ctx)
		return err
	},
	"Wait": func(ctx context.Context, f *asyncio.Future[int]) error {
		_, _, err := asyncio.Wait(ctx, []asyncio.AnyFuture{f}, asyncio.WaitTimeout(time.Hour))
		return err
	},
	"WaitFor": func(ctx context.Context, f *asyncio.Future[int]) error {
		_, err := asyncio.WaitFor[int](ctx, f, time.Hour)
		return err
	},
	"AsCompleted": func(ctx context.Context, f *asyncio.Future[int]) error {
		for _, r := range asyncio.AsCompleted[int](ctx, f) {
			return r.Err
		}
		return nil
	},
	"Timeout": func(ctx context.Context, f *asyncio.Future[int]) error {
		return asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error { _, err := f.Await(ctx); return err })
	},
	"the body of a TaskGroup": func(ctx context.Context, f *asyncio.Future[int]) error {
		return asyncio.WithTaskGroup(ctx, func(ctx context.Context, _ *asyncio.TaskGroup) error { _, err := f.Await(ctx); return err })
	},
	"Coro.Await": func(ctx context.Context, f *asyncio.Future[int]) error {
		_, err := asyncio.Coro[int](f.Await).Await(ctx)
		return err
	},
}

func futureCase(name string) awaitingCase {
	wait := awaitingFutures[name]
	return func(t *testing.T, ctx context.Context) *awaiting {
		l := testkit.LoopOf(ctx)
		f, timers := asyncio.NewFuture[int](l), l.Stats().Timers
		return &awaiting{
			wait: func(ctx context.Context) (int, error) { return counted(0, wait(ctx, f)) },
			give: func() { require.NoError(t, f.SetResult(1)) },
			check: func() {
				require.False(t, f.Cancelled(), "the future lives on")
				require.Equal(t, timers, l.Stats().Timers)
			},
		}
	}
}

// awaitingOthers are waits for tasks, threads and time.
var awaitingOthers = map[string]awaitingCase{
	"Task.Await": func(t *testing.T, ctx context.Context) *awaiting {
		f := asyncio.NewFuture[int](testkit.LoopOf(ctx))
		task := testkit.Awaits(ctx, f)
		return &awaiting{
			wait:  func(ctx context.Context) (int, error) { _, err := task.Await(ctx); return 0, err },
			give:  func() { require.NoError(t, f.SetResult(1)) },
			check: func() { require.Zero(t, task.Cancelling(), "the task lives on") },
		}
	},
	"Sleep": func(t *testing.T, ctx context.Context) *awaiting {
		l := testkit.LoopOf(ctx)
		timers := l.Stats().Timers
		return &awaiting{
			wait:  func(ctx context.Context) (int, error) { return counted(0, testkit.SleepsLong(ctx)) },
			check: func() { require.Equal(t, timers, l.Stats().Timers) },
		}
	},
	"ToThread": func(*testing.T, context.Context) *awaiting {
		gate := make(chan struct{})
		return &awaiting{
			wait: func(ctx context.Context) (int, error) {
				return asyncio.ToThread(ctx, func(ctx context.Context) (int, error) {
					select {
					case <-gate:
						return 0, nil
					case <-ctx.Done():
						return 0, ctx.Err()
					}
				})
			},
			give: func() { close(gate) },
		}
	},
	"RunInExecutor": func(t *testing.T, ctx context.Context) *awaiting {
		gate := make(chan struct{})
		f := asyncio.RunInExecutor(ctx, nil, func() (int, error) { <-gate; return 0, nil })
		return &awaiting{
			wait:  func(ctx context.Context) (int, error) { return f.Await(ctx) },
			give:  func() { close(gate) },
			check: func() { require.False(t, f.Cancelled()) },
		}
	},
	"WrapFuture": func(t *testing.T, ctx context.Context) *awaiting {
		f := asyncio.NewFuture[int](testkit.LoopOf(ctx))
		far := asyncio.RunCoroutineThreadsafe(testkit.LoopOf(ctx), func(ctx context.Context) (int, error) { return f.Await(ctx) })
		near := asyncio.WrapFuture(ctx, far)
		return &awaiting{
			wait:  func(ctx context.Context) (int, error) { _, err := near.Await(ctx); return 0, err },
			give:  func() { require.NoError(t, f.SetResult(1)) },
			check: func() { require.False(t, far.Cancelled()) },
		}
	},
}

// awaitingCases is all of them.
func awaitingCases() map[string]awaitingCase {
	cases := make(map[string]awaitingCase)
	for _, some := range []map[string]awaitingCase{awaitingPrimitives, awaitingStreams, awaitingOthers} {
		for name, make := range some {
			cases[name] = make
		}
	}
	for name := range awaitingReads {
		cases["StreamReader."+name] = readCase(name)
	}
	for name := range awaitingFutures {
		cases[name] = futureCase(name)
	}
	return cases
}

// endings are the ways to derive a context, and to end it.
var endings = []struct {
	name   string
	cause  error
	derive func(ctx context.Context) (derived context.Context, end func())
}{
	{"WithCancel", context.Canceled, func(ctx context.Context) (context.Context, func()) {
		derived, cancel := context.WithCancel(ctx)
		return derived, cancel
	}},
	{"WithCancelCause", testkit.ErrBoom, func(ctx context.Context) (context.Context, func()) {
		derived, cancel := context.WithCancelCause(ctx)
		return derived, func() { cancel(testkit.ErrBoom) }
	}},
	{"WithCancel in another goroutine", context.Canceled, func(ctx context.Context) (context.Context, func()) {
		derived, cancel := context.WithCancel(ctx)
		return derived, func() { go cancel() }
	}},
	{"WithTimeout", context.DeadlineExceeded, func(ctx context.Context) (context.Context, func()) {
		derived, cancel := context.WithTimeout(ctx, testkit.Soon)
		return derived, func() { context.AfterFunc(derived, cancel) }
	}},
	{"WithDeadlineCause", testkit.ErrBoom, func(ctx context.Context) (context.Context, func()) {
		derived, cancel := context.WithDeadlineCause(ctx, time.Now().Add(testkit.Soon), testkit.ErrBoom)
		return derived, func() { context.AfterFunc(derived, cancel) }
	}},
	{"WithValue of WithCancelCause", testkit.ErrBoom, func(ctx context.Context) (context.Context, func()) {
		derived, cancel := context.WithCancelCause(ctx)
		return context.WithValue(derived, testkit.CtxKey("k"), 1), func() { cancel(testkit.ErrBoom) }
	}},
}

// settle ends the test of w: with the task's own context it gets what was given, of which
// taken is gone already.
func (w *awaiting) settle(t *testing.T, ctx context.Context, given bool, taken int) {
	t.Helper()
	if w.check != nil {
		w.check()
	}
	require.Zero(t, asyncio.CurrentTask(ctx).Cancelling(), "the task was not cancelled")
	if w.give == nil {
		return
	}
	if !given || w.momentary {
		testkit.LoopOf(ctx).CallSoon(w.give)
	}
	if taken == 0 {
		var err error
		taken, err = w.wait(ctx)
		require.NoError(t, err)
	}
	if w.check != nil {
		w.check()
	}
	if w.left != nil {
		require.Equal(t, w.given, taken+w.left(ctx), "what was given is taken or still there")
	}
}

// TestContextEnds ends every operation that awaits, in every way and at every moment.
func TestContextEnds(t *testing.T) {
	for name, makeCase := range awaitingCases() {
		t.Run(name, func(t *testing.T) {
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := asynciotest.New(t, opts...)
				for _, ending := range endings {
					t.Run(ending.name, func(t *testing.T) {
						asynciotest.InTask(t, l, func(ctx context.Context) {
							w := makeCase(t, ctx)
							derived, end := ending.derive(ctx)
							l.CallSoon(end)
							for range 2 { // while it waits, and again: a context stays ended
								taken, err := w.wait(derived)
								require.ErrorIs(t, err, ending.cause)
								require.Zero(t, taken)
								require.ErrorIs(t, context.Cause(derived), ending.cause)
							}
							w.settle(t, ctx, false, 0)
						})
					})
				}
				t.Run("before it begins, although it need not wait", func(t *testing.T) {
					asynciotest.InTask(t, l, func(ctx context.Context) {
						w := makeCase(t, ctx)
						if w.give != nil && !w.momentary {
							w.give()
							asynciotest.Yield(t, ctx, 3)
						}
						derived, cancel := context.WithCancelCause(ctx)
						cancel(testkit.ErrBoom)
						taken, err := w.wait(derived)
						require.ErrorIs(t, err, testkit.ErrBoom)
						require.Zero(t, taken)
						w.settle(t, ctx, true, 0)
					})
				})
				t.Run("as it succeeds", func(t *testing.T) {
					// Of two that hear of a context, package context tells now the one
					// first and now the other.
					for range 20 {
						asynciotest.InTask(t, l, func(ctx context.Context) { endAndGive(t, ctx, makeCase(t, ctx)) })
					}
				})
			})
		})
	}
}

// endAndGive ends the context of the first of two tasks that wait, and lets one wait
// succeed, both in one turn. Either may win, but nothing is lost: what the first does not
// get goes to the second.
func endAndGive(t *testing.T, ctx context.Context, w *awaiting) {
	if w.give == nil {
		return
	}
	l := testkit.LoopOf(ctx)
	derived, cancel := context.WithCancelCause(ctx)
	context.AfterFunc(derived, func() { _, _ = l.CallSoonThreadsafe(w.give) })
	var second *asyncio.Task[int]
	if !w.alone {
		second = asyncio.CreateTask(ctx, w.wait)
	}
	yielded := testkit.Start(ctx, func(ctx context.Context) error { return testkit.Suspend(ctx, 2) })
	yielded.AddDoneCallback(func(*asyncio.Task[asyncio.None]) { cancel(testkit.ErrBoom) })
	taken, err := w.wait(derived)
	gifts := 1
	if err != nil {
		require.True(t, errors.Is(err, testkit.ErrBoom), "%v", err)
		require.Zero(t, taken)
	}
	if second == nil {
		asynciotest.Yield(t, ctx, 2)
		w.settle(t, ctx, true, taken)
		return
	}
	if err == nil && (w.given > 0 || w.momentary) {
		gifts++
		l.CallSoon(w.give)
	}
	more, err := asyncio.WaitFor[int](ctx, second, asynciotest.HangLimit)
	require.NoError(t, err, "the second waits for what the first did not get")
	if w.check != nil {
		w.check()
	}
	if w.left != nil {
		require.Equal(t, gifts*w.given, taken+more+w.left(ctx))
	}
}

// TestContextGoesOn is about contexts that the end of another one does not reach.
func TestContextGoesOn(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("WithoutCancel outlives what it was derived from", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				derived, cancel := context.WithCancel(ctx)
				cancel()
				require.NoError(t, asyncio.Sleep(context.WithoutCancel(derived), testkit.Soon))
			})
		})
		t.Run("a cancellation of the task reaches it, once", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				task := testkit.Start(ctx, func(ctx context.Context) error {
					free := context.WithoutCancel(ctx)
					testkit.WantCancelled(t, testkit.SleepsLong(free), "m")
					require.NoError(t, free.Err())
					return asyncio.Sleep(free, testkit.Soon)
				})
				asynciotest.Yield(t, ctx, 1)
				task.Cancel("m")
				_, err := task.Await(ctx)
				require.NoError(t, err)
			})
		})
		t.Run("AfterFunc hears of the cancellation of a task", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				heard := make(chan struct{})
				task := testkit.Start(ctx, func(ctx context.Context) error {
					context.AfterFunc(ctx, func() { close(heard) })
					stop := context.AfterFunc(ctx, func() { t.Error("it was stopped") })
					require.True(t, stop())
					require.False(t, stop())
					return testkit.SleepsLong(ctx)
				})
				asynciotest.Yield(t, ctx, 1)
				task.Cancel()
				<-heard
			})
		})
		t.Run("a task that was made with a derived context", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				derived, cancel := context.WithCancel(ctx)
				task := testkit.Start(derived, func(ctx context.Context) error { return asyncio.Sleep(ctx, testkit.Soon) })
				cancel()
				_, err := task.Await(ctx)
				require.NoError(t, err, "it ends when it is cancelled, and not with its maker's context")
			})
		})
	})
}

// completingContext completes what is awaited with it while the wait begins.
type completingContext struct {
	context.Context
	complete func()
}

func (c completingContext) Deadline() (time.Time, bool) {
	c.complete()
	return c.Context.Deadline()
}

func TestContextThatCompletesWhatIsAwaited(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		for _, debug := range []bool{false, true} {
			l := asynciotest.New(t, append(opts, asyncio.WithDebug(debug))...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f := asyncio.NewFuture[int](l)
				derived, cancel := context.WithCancel(ctx)
				defer cancel()
				v, err := f.Await(completingContext{derived, func() { _ = f.SetResult(1) }})
				require.NoError(t, err)
				require.Equal(t, 1, v)
				require.NoError(t, asyncio.Sleep(ctx, 0), "the task goes on")
			})
		}
	})
}
