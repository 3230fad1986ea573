package misuse_test

// Too much, too deep, for too long: cancellations without end, tasks by the hundred
// thousand, what is made and dropped; and panics and Goexits wherever the loop calls the
// program.

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestMisuseOfCancel(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("tasks that await each other in a circle", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				for _, n := range []int{2, 1000} {
					tasks := make([]*asyncio.Task[int], n)
					for i := range tasks {
						tasks[i] = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
							return tasks[(i+1)%n].Await(ctx)
						})
					}
					asynciotest.Yield(t, ctx, 2)
					require.True(t, tasks[0].Cancel())
					_, err := tasks[1].Await(ctx)
					require.ErrorIs(t, err, asyncio.ErrCancelled)
					for _, task := range tasks {
						require.True(t, task.Cancelled())
					}
				}
			})
		})
		t.Run("a task that gathers itself", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var self *asyncio.Task[[]int]
				gathered := func(ctx context.Context) ([]int, error) {
					_, err := asyncio.Gather[[]int](ctx, self).Await(ctx)
					return nil, err
				}
				self = asyncio.CreateTask(ctx, gathered)
				asynciotest.Yield(t, ctx, 2)
				self.Cancel()
				_, err := self.Await(ctx)
				require.ErrorIs(t, err, asyncio.ErrCancelled)
			})
		})
		t.Run("a long row of tasks", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				task := asyncio.CreateTask(ctx, never)
				for range 10_000 {
					next := task
					task = asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return next.Await(ctx) })
				}
				asynciotest.Yield(t, ctx, 2)
				task.Cancel()
				_, err := task.Await(ctx)
				require.ErrorIs(t, err, asyncio.ErrCancelled)
			})
		})
		t.Run("a storm", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				caught := 0
				task := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
					for caught < 100 {
						if errors.Is(asyncio.Sleep(ctx, time.Hour), asyncio.ErrCancelled) {
							caught++
						}
					}
					return nil
				}))
				asynciotest.Yield(t, ctx, 1)
				sent := 0
				for !task.Done() {
					for range 1000 {
						if task.Cancel() {
							sent++
						}
					}
					require.Equal(t, sent, task.Cancelling())
					asynciotest.Yield(t, ctx, 1)
				}
				require.NoError(t, task.Exception())
				for range sent + 10 {
					task.Uncancel()
				}
				require.Zero(t, task.Cancelling())
				require.Zero(t, task.Uncancel())
			})
		})
		t.Run("waiters that leave in any order", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				f := asyncio.NewFuture[int](l)
				const n = 10_000
				var ran, want []int
				registered := make([]*asyncio.DoneCallback, n)
				for i := range registered {
					registered[i] = f.AddDoneCallback(func(*asyncio.Future[int]) { ran = append(ran, i) })
				}
				removed := make([]bool, n)
				for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(n)[:n/2] {
					removed[i] = true
					require.Equal(t, 1, f.RemoveDoneCallback(registered[i]))
					require.Equal(t, 0, f.RemoveDoneCallback(registered[i]))
				}
				for i, gone := range removed {
					if !gone {
						want = append(want, i)
					}
				}
				require.NoError(t, f.SetResult(1))
				asynciotest.Yield(t, ctx, 1)
				require.Equal(t, want, ran)
			})
		})
	})
}

func TestMisuseOfDepth(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("each task makes the next", func(t *testing.T) {
			const generations = 100_000
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				ctx = context.WithValue(ctx, testkit.CtxKey("a"), "value")
				end := asyncio.NewFuture[int](l)
				var first weak.Pointer[asyncio.Task[int]]
				left := generations
				var next func(ctx context.Context) (int, error)
				next = func(ctx context.Context) (int, error) {
					require.Equal(t, "value", ctx.Value(testkit.CtxKey("a")))
					switch left--; left {
					case 0:
						return 0, end.SetResult(1)
					case generations / 2:
						runtime.GC()
						require.Nil(t, first.Value(), "the first task is still there")
					}
					if left%2 == 0 {
						asyncio.CreateTask(ctx, next)
						return 0, nil
					}
					return 0, asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error {
						asyncio.CreateTask(ctx, next)
						return nil
					})
				}
				first = weak.Make(asyncio.CreateTask(ctx, next))
				_, err := end.Await(ctx)
				require.NoError(t, err)
			})
		})
		t.Run("each task awaits the next", func(t *testing.T) {
			var descend func(depth int) asyncio.Coro[int]
			descend = func(depth int) asyncio.Coro[int] {
				return func(ctx context.Context) (int, error) {
					if depth == 0 {
						return 0, asyncio.Sleep(ctx, time.Millisecond)
					}
					n, err := asyncio.CreateTask(ctx, descend(depth-1)).Await(ctx)
					return n + 1, err
				}
			}
			require.Equal(t, 20_000, testkit.Result(t, asynciotest.New(t, opts...), descend(20_000)))
		})
		t.Run("each eager task makes the next", func(t *testing.T) {
			l := asynciotest.New(t, append(opts, asyncio.WithEagerTasks())...)
			var descend func(depth int, end func(ctx context.Context) error) asyncio.Coro[int]
			descend = func(depth int, end func(ctx context.Context) error) asyncio.Coro[int] {
				return func(ctx context.Context) (int, error) {
					if depth == 0 {
						return 0, end(ctx)
					}
					n, err := asyncio.CreateTask(ctx, descend(depth-1, end)).Await(ctx)
					return n + 1, err
				}
			}
			require.Equal(t, 10_000, testkit.Result(t, l, descend(10_000, func(context.Context) error { return nil })))
			require.Equal(t, 10_000, testkit.Result(t, l, descend(10_000, func(ctx context.Context) error {
				return asyncio.Sleep(ctx, time.Microsecond)
			})))
			asynciotest.RecordReports(l)
			testkit.Unwinds(t, func() {
				_, _ = asyncio.RunUntilComplete(l, descend(100, func(context.Context) error { runtime.Goexit(); return nil }))
			})
			require.Empty(t, asyncio.AllTasks(l))
			stillWorks(t, l)
		})
		t.Run("a deep stack suspends", func(t *testing.T) {
			var descend func(ctx context.Context, depth int) error
			descend = func(ctx context.Context, depth int) error {
				if depth == 0 {
					return asyncio.Sleep(ctx, time.Millisecond)
				}
				return descend(ctx, depth-1)
			}
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) { require.NoError(t, descend(ctx, 100_000)) })
		})
		t.Run("scopes in scopes", func(t *testing.T) {
			var descend func(ctx context.Context, depth int) error
			descend = func(ctx context.Context, depth int) error {
				if depth == 0 {
					_, limited := ctx.Deadline()
					require.True(t, limited)
					require.Equal(t, "value", ctx.Value(testkit.CtxKey("a")))
					derived, cancel := context.WithCancel(ctx)
					defer cancel()
					return asyncio.Sleep(derived, time.Microsecond)
				}
				return asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error { return descend(ctx, depth-1) })
			}
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				require.NoError(t, descend(context.WithValue(ctx, testkit.CtxKey("a"), "value"), 10_000))
			})
		})
	})
}

// countingContext counts who follows it. It never ends.
type countingContext struct {
	context.Context
	done      chan struct{}
	followers *atomic.Int64
}

func (c countingContext) Done() <-chan struct{} { return c.done }

func (c countingContext) AfterFunc(func()) (stop func() bool) {
	c.followers.Add(1)
	return func() bool {
		c.followers.Add(-1)
		return true
	}
}

// collected fails the test unless the garbage collector finds that nothing holds p.
func collected[T any](t *testing.T, what string, p weak.Pointer[T]) {
	t.Helper()
	for range 3 {
		runtime.GC()
	}
	require.Nil(t, p.Value(), "%s is still held", what)
}

// payload is what a test watches the garbage collector take.
type payload struct{ _ [1 << 10]byte }

func TestMisuseOfMemory(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("what a task was made of goes when it is done", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				for how, end := range map[string]func(ctx context.Context) error{
					"result": func(context.Context) error { return nil },
					"error":  func(context.Context) error { return testkit.ErrBoom },
					"panic":  func(context.Context) error { panic(testkit.ErrBoom) },
					"cancel": func(ctx context.Context) error { asyncio.CurrentTask(ctx).Cancel(); return asyncio.Sleep(ctx, 0) },
				} {
					p := new(payload)
					watched := weak.Make(p)
					task := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
						defer runtime.KeepAlive(p)
						return end(ctx)
					}))
					p = nil
					_, _ = task.Await(ctx)
					collected(t, "the closure of a task that ended with "+how, watched)
					runtime.KeepAlive(task)
				}
				p := new(payload)
				watched := weak.Make(p)
				task := asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error { runtime.KeepAlive(p); return nil }))
				p = nil
				task.Cancel()
				asynciotest.Yield(t, ctx, 2)
				require.True(t, task.Done())
				collected(t, "the closure of a task that did not begin", watched)
				runtime.KeepAlive(task)
			})
		})
		t.Run("a task goes when nobody has it", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				forever := asyncio.NewFuture[int](l)
				make := map[string]func() *asyncio.Task[int]{
					"done": func() *asyncio.Task[int] {
						return asyncio.CreateTask(ctx, func(context.Context) (int, error) { return 1, nil })
					},
					"one that had slept": func() *asyncio.Task[int] {
						return asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return 1, asyncio.Sleep(ctx, time.Microsecond) })
					},
					"one whose sleep was cancelled": func() *asyncio.Task[int] {
						task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return 1, asyncio.Sleep(ctx, time.Hour) })
						l.CallSoon(func() { l.CallSoon(func() { task.Cancel() }) })
						return task
					},
					"one that gave up waiting": func() *asyncio.Task[int] {
						return asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
							derived, cancel := context.WithTimeout(ctx, time.Microsecond)
							defer cancel()
							return forever.Await(derived)
						})
					},
					"one in a scope": func() *asyncio.Task[int] {
						return asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
							return 1, asyncio.Timeout(ctx, time.Hour, func(ctx context.Context) error { return asyncio.Sleep(ctx, 0) })
						})
					},
				}
				for which, make := range make {
					task := make()
					watched := weak.Make(task)
					for !task.Done() {
						asynciotest.Yield(t, ctx, 1)
					}
					_ = task.Exception()
					task = nil
					asynciotest.Yield(t, ctx, 2)
					collected(t, "a task, "+which+",", watched)
				}
			})
		})
		t.Run("a scope lets go of the context around it", func(t *testing.T) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				var followers atomic.Int64
				around := countingContext{ctx, make(chan struct{}), &followers}
				for range 100 {
					require.NoError(t, asyncio.Timeout(around, time.Hour, func(ctx context.Context) error {
						inner, cancel := context.WithCancel(ctx)
						defer cancel()
						require.Positive(t, followers.Load())
						return asyncio.Sleep(inner, 0)
					}))
				}
				require.Zero(t, followers.Load())
			})
		})
		t.Run("a burst leaves little behind", func(t *testing.T) {
			const burst, keptMax = 600_000, 4 << 20
			// Debug mode keeps a traceback for every callback.
			l := asynciotest.New(t, append(opts, asyncio.WithDebug(false))...)
			heap := func() int {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return int(m.HeapAlloc)
			}
			asynciotest.Turns(t, l, 3)
			before := heap()
			counter := asynciotest.CountTurns(l) // the queue is never empty
			for range burst {
				l.CallSoon(func() {})
				l.CallLater(time.Hour, func() {}).Cancel()
			}
			asynciotest.Turns(t, l, 1000)
			counter.Stop()
			require.Less(t, heap()-before, keptMax)
		})
	})
}

// Every failure that nobody looks at is reported once, and no other.
func TestMisuseOfFailures(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		const n = 3000
		l := asynciotest.New(t, opts...)
		rec := asynciotest.RecordReports(l)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			for i := range n {
				f := asyncio.NewFuture[int](l)
				_ = f.SetException(testkit.ErrBoom)
				task := asyncio.CreateTask(ctx, func(context.Context) (int, error) { return 0, testkit.ErrBoom })
				asynciotest.Yield(t, ctx, 1)
				if i%3 == 0 {
					_ = f.Exception()
					_, _ = task.Result()
				}
				if i%100 == 0 {
					runtime.GC()
				}
			}
			runtime.GC()
		})
		require.NoError(t, l.Close())
		require.Len(t, rec.All(), 2*(n-n/3))
	})
}

// unwindable lists the places where the loop calls the program: each function makes a run
// of l call leave, once.
var unwindable = map[string]func(t *testing.T, l *asyncio.Loop, leave func()){
	"callback": func(_ *testing.T, l *asyncio.Loop, leave func()) { l.CallSoon(leave) },
	"timer":    func(_ *testing.T, l *asyncio.Loop, leave func()) { l.CallLater(time.Microsecond, leave) },
	"threadsafe": func(t *testing.T, l *asyncio.Loop, leave func()) {
		_, err := l.CallSoonThreadsafe(leave)
		require.NoError(t, err)
	},
	"done-callback": func(t *testing.T, l *asyncio.Loop, leave func()) {
		f := asyncio.NewFuture[int](l)
		f.AddDoneCallback(func(*asyncio.Future[int]) { leave() })
		require.NoError(t, f.SetResult(1))
	},
	"exception handler": func(_ *testing.T, l *asyncio.Loop, leave func()) {
		handled := false
		l.SetExceptionHandler(func(*asyncio.Loop, asyncio.ErrorContext) {
			if !handled {
				handled = true
				leave()
			}
		})
		l.CallSoon(func() { panic("for the handler") })
	},
	"first step": func(_ *testing.T, l *asyncio.Loop, leave func()) {
		asyncio.CreateTask(l.Context(), func(context.Context) (int, error) { leave(); return 0, nil })
	},
	"later step": func(_ *testing.T, l *asyncio.Loop, leave func()) {
		asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) {
			defer leave()
			return 0, asyncio.Sleep(ctx, time.Microsecond)
		})
	},
	"clean-up of a cancelled task": func(_ *testing.T, l *asyncio.Loop, leave func()) {
		task := asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) {
			defer leave()
			return never(ctx)
		})
		l.CallSoon(func() { task.Cancel() })
	},
	"body of a Timeout that expires": func(_ *testing.T, l *asyncio.Loop, leave func()) {
		asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
			return asyncio.Timeout(ctx, time.Microsecond, func(ctx context.Context) error {
				defer leave()
				return asyncio.Sleep(ctx, time.Hour)
			})
		}))
	},
	"factory":        func(t *testing.T, l *asyncio.Loop, leave func()) { serveOne(t, l, leave, "factory") },
	"ConnectionMade": func(t *testing.T, l *asyncio.Loop, leave func()) { serveOne(t, l, leave, "made") },
	"DataReceived":   func(t *testing.T, l *asyncio.Loop, leave func()) { serveOne(t, l, leave, "data") },
	"EOFReceived":    func(t *testing.T, l *asyncio.Loop, leave func()) { serveOne(t, l, leave, "eof") },
	"ConnectionLost": func(t *testing.T, l *asyncio.Loop, leave func()) { serveOne(t, l, leave, "lost") },
}

// leaver is a protocol that leaves one of its callbacks in a way of its own.
type leaver struct {
	asyncio.NullProtocol
	place string
	leave func()
}

func (p *leaver) at(place string) {
	if p.place == place {
		p.place = ""
		p.leave()
	}
}

func (p *leaver) ConnectionMade(asyncio.Transport) { p.at("made") }
func (p *leaver) DataReceived([]byte)              { p.at("data") }
func (p *leaver) EOFReceived() bool                { p.at("eof"); return false }
func (p *leaver) ConnectionLost(error)             { p.at("lost") }

// serveOne lets a peer connect, send a byte and go.
func serveOne(t *testing.T, l *asyncio.Loop, leave func(), place string) {
	t.Helper()
	p := &leaver{place: place, leave: leave}
	var s *asyncio.Server
	asynciotest.InTask(t, l, func(ctx context.Context) {
		var err error
		s, err = l.CreateServer(ctx, func() asyncio.Protocol { p.at("factory"); return p }, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
	})
	t.Cleanup(s.Close)
	peer := testkit.DialNet(t, s)
	_, err := peer.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, peer.CloseWrite())
}

func TestMisuseOfCallbacks(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		for place, arrange := range unwindable {
			t.Run("Goexit in "+place, func(t *testing.T) {
				l := asynciotest.New(t, opts...)
				rec := asynciotest.RecordReports(l)
				left := 0
				arrange(t, l, func() { left++; runtime.Goexit() })
				l.CallSoon(func() { l.CallSoon(func() {}) })
				testkit.Unwinds(t, func() { _ = l.RunForever() })
				require.False(t, l.IsRunning())
				stillWorks(t, l)
				stillServes(t, l)
				require.NoError(t, l.Close())
				require.Equal(t, 1, left)
				require.LessOrEqual(t, len(rec.All()), 1)
			})
			t.Run("panic in "+place, func(t *testing.T) {
				l := asynciotest.New(t, opts...)
				rec := asynciotest.RecordReports(l)
				left := 0
				arrange(t, l, func() {
					left++
					l.CallLater(time.Millisecond, l.Stop)
					panic(testkit.ErrBoom)
				})
				require.NoError(t, l.RunForever())
				stillWorks(t, l)
				stillServes(t, l)
				require.NoError(t, l.Close())
				require.Equal(t, 1, left)
				if place != "exception handler" { // the default one hears of it
					require.ErrorIs(t, rec.One(t).Exception, testkit.ErrBoom)
				}
			})
		}
	})
}

// What other callbacks, tasks and connections have coming is not lost when one of them
// unwinds the run.
func TestMisuseOfBystanders(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		const n = 8
		l := asynciotest.New(t, opts...)
		asynciotest.RecordReports(l)
		var remote, timed, stepped, data int
		left := 0
		leave := func() {
			if left++; left%3 == 0 {
				runtime.Goexit()
			}
		}
		var s *asyncio.Server
		asynciotest.InTask(t, l, func(ctx context.Context) {
			var err error
			s, err = l.CreateServer(ctx, func() asyncio.Protocol {
				return &testkit.Tap{Loop: l, Lost: asyncio.NewFuture[error](l), OnData: func() { data++; leave() }}
			}, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
		})
		for range n {
			peer := testkit.DialNet(t, s)
			_, err := peer.Write([]byte("x"))
			require.NoError(t, err)
			require.NoError(t, peer.CloseWrite())
			_, err = l.CallSoonThreadsafe(func() { remote++; leave() })
			require.NoError(t, err)
			l.CallLater(0, func() { timed++; leave() })
			asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				err := asyncio.Sleep(ctx, time.Microsecond)
				stepped++
				leave()
				return err
			}))
		}
		for data < n || stepped < n {
			testkit.OnGoroutine(func() {
				defer l.CallLater(time.Millisecond, l.Stop).Cancel() // a run that Goexit unwinds leaves it armed
				_ = l.RunForever()
			})
		}
		require.Equal(t, []int{n, n, n, n}, []int{remote, timed, stepped, data})
		asynciotest.InTask(t, l, func(ctx context.Context) {
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
}

// wrapper is an error type whose methods fail on a nil pointer, which is easily returned
// by accident.
type wrapper struct{ err error }

func (w *wrapper) Error() string { return w.err.Error() }
func (w *wrapper) Unwrap() error { return w.err }

// moody is a context that panics at the n-th question for Done.
type moody struct {
	context.Context
	questions *int
	done      chan struct{}
}

func (m moody) Done() <-chan struct{} {
	if *m.questions--; *m.questions == 0 {
		panic(testkit.ErrBoom)
	}
	return m.done
}

// AfterFunc keeps package context from asking in a goroutine of its own, where a panic
// would be the program's end.
func (m moody) AfterFunc(func()) (stop func() bool) { return func() bool { return true } }

// Errors and contexts of the program's own making may panic when they are asked.
func TestMisuseOfForeignValues(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.RecordReports(l)
		var typedNil *wrapper
		asynciotest.InTask(t, l, func(ctx context.Context) {
			for _, body := range []func(ctx context.Context) error{
				func(context.Context) error { return typedNil },
				func(context.Context) error { panic(typedNil) },
				func(ctx context.Context) error { asyncio.CurrentTask(ctx).Cancel(); return typedNil },
				func(ctx context.Context) error {
					return asyncio.Timeout(ctx, 0, func(ctx context.Context) error {
						_ = asyncio.Sleep(ctx, time.Hour)
						return typedNil
					})
				},
				func(ctx context.Context) error {
					return asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
						tg.Go(func(context.Context) error { return typedNil })
						return typedNil
					})
				},
			} {
				_, err := asyncio.CreateTask(ctx, asyncio.Do(body)).Await(ctx)
				require.True(t, err != nil)
			}
			for questions := range 6 {
				f := asyncio.NewFuture[int](l)
				task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
					left := questions
					testkit.Recovered(func() { _, _ = f.Await(moody{ctx, &left, make(chan struct{})}) })
					return 7, asyncio.Sleep(ctx, time.Millisecond)
				})
				asynciotest.Yield(t, ctx, 2)
				_ = f.SetResult(1)
				v, err := task.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, 7, v)
			}
			require.Equal(t, []asyncio.AnyTask{asyncio.CurrentTask(ctx)}, asyncio.AllTasks(l))
		})
		stillWorks(t, l)
	})
}

// stillServes fails the test unless a connection to and from l works.
func stillServes(t *testing.T, l *asyncio.Loop) {
	t.Helper()
	asynciotest.InTask(t, l, func(ctx context.Context) {
		s, err := asyncio.StartServer(ctx, testkit.Shout, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		r, w, err := asyncio.OpenConnection(ctx, "tcp", testkit.ServerAddr(t, s))
		require.NoError(t, err)
		_, err = w.Write([]byte("hello\n"))
		require.NoError(t, err)
		line, err := r.ReadLine(ctx)
		require.NoError(t, err)
		require.Equal(t, "HELLO\n", string(line))
		require.NoError(t, w.Close())
		s.Close()
		require.NoError(t, s.WaitClosed(ctx))
	})
}
