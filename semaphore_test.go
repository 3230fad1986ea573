// Semaphores: who gets a permit, and that none is lost or made.
package asyncio_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestSemaphore(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("SEM-01", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				s := asyncio.NewSemaphore(3)
				ran := false
				l.CallSoon(func() { ran = true })
				require.NoError(t, s.Acquire(ctx))
				require.NoError(t, s.Acquire(ctx))
				require.False(t, s.Locked())
				require.NoError(t, s.Acquire(ctx))
				require.True(t, s.Locked())
				require.False(t, ran, "no Acquire had to wait")
				fourth := acquirer(ctx, &tr, "4", s.Acquire)
				asynciotest.Yield(t, ctx, 3)
				require.False(t, fourth.Done())
				s.Release()
				require.True(t, s.Locked(), "the permit is the fourth's already")
				asynciotest.Yield(t, ctx, 1)
				tr.Equal(t, "4")
			})
		})
		t.Run("SEM-02", func(t *testing.T) {
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.NewSemaphore(-1) })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { asyncio.NewBoundedSemaphore(-1) })
			testkit.PanicsWith(t, asyncio.ErrNotLocked, asyncio.NewBoundedSemaphore(1).Release)
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				bounded, free := asyncio.NewBoundedSemaphore(1), asyncio.NewSemaphore(0)
				require.NoError(t, bounded.Acquire(ctx))
				require.True(t, bounded.Locked())
				bounded.Release()
				require.False(t, bounded.Locked())
				testkit.PanicsWith(t, asyncio.ErrNotLocked, bounded.Release)
				require.NoError(t, bounded.Acquire(ctx))
				require.True(t, bounded.Locked(), "the failed Release has made no permit")
				free.Release()
				free.Release()
				require.NoError(t, free.Acquire(ctx))
				require.NoError(t, free.Acquire(ctx), "without a bound, Release makes permits")
				require.True(t, free.Locked())
			})
		})
		t.Run("SEM-04", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				s := asyncio.NewSemaphore(0)
				var tasks [4]*asyncio.Task[asyncio.None]
				for i := range tasks {
					tasks[i] = testkit.Start(ctx, s.Acquire)
				}
				asynciotest.Yield(t, ctx, 1)
				tasks[0].Cancel()
				tasks[1].Cancel()
				s.Release()
				asynciotest.Yield(t, ctx, 2)
				require.True(t, tasks[0].Cancelled() && tasks[1].Cancelled())
				require.True(t, tasks[2].Done())
				require.False(t, tasks[3].Done())
				tasks[3].Cancel()
				asynciotest.Yield(t, ctx, 1)
				require.True(t, s.Locked())
			})
		})
		t.Run("SEM-06", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				s := asyncio.NewSemaphore(1)
				require.NoError(t, asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
					for _, tag := range []string{"c1", "c2", "c3"} {
						tg.Go(func(ctx context.Context) error {
							for _, round := range []string{"_1", "_2"} {
								if err := s.Acquire(ctx); err != nil {
									return err
								}
								tr.Add(tag + round)
								if err := asyncio.Sleep(ctx, 10*time.Millisecond); err != nil {
									return err
								}
								s.Release()
							}
							return nil
						})
					}
					return nil
				}))
				tr.Equal(t, "c1_1", "c2_1", "c3_1", "c1_2", "c2_2", "c3_2")
			})
		})
		t.Run("SEM-07", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				s := asyncio.NewSemaphore(1)
				acquirer(ctx, &tr, "1", s.Acquire)
				t2 := testkit.Start(ctx, func(ctx context.Context) error {
					if err := s.Acquire(ctx); err != nil {
						return err
					}
					tr.Add("2")
					s.Release()
					if err := s.Acquire(ctx); err != nil {
						return err
					}
					tr.Add("4")
					return nil
				})
				acquirer(ctx, &tr, "3", s.Acquire)
				asynciotest.Yield(t, ctx, 1)
				s.Release()
				s.Release()
				_, err := t2.Await(ctx)
				require.NoError(t, err)
				tr.Equal(t, "1", "2", "3", "4")
			})
		})
		t.Run("SEM-09", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				s := asyncio.NewSemaphore(1)
				var t2 *asyncio.Task[asyncio.None]
				t1 := testkit.Start(ctx, func(ctx context.Context) error {
					err := s.With(ctx, func() error { return testkit.Suspend(ctx, 1) })
					t2.Cancel()
					return err
				})
				t2 = testkit.Start(ctx, func(ctx context.Context) error {
					return s.With(ctx, func() error {
						t.Error("the cancelled task got the permit")
						return nil
					})
				})
				results, err := asyncio.GatherResults[asyncio.None](ctx, t1, t2).Await(ctx)
				require.NoError(t, err)
				require.NoError(t, results[0].Err)
				testkit.WantCancelled(t, results[1].Err, nil)
				require.NoError(t, asyncio.Timeout(ctx, time.Second, s.Acquire))
			})
		})
		t.Run("permits that were released early go to all who come before they are taken", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var tr asynciotest.Trace
				s := asyncio.NewSemaphore(0)
				testkit.Start(ctx, func(ctx context.Context) error {
					err := s.Acquire(ctx)
					testkit.Start(ctx, func(context.Context) error { tr.Add("4"); return nil })
					tr.Add("1")
					return err
				})
				testkit.Start(ctx, func(ctx context.Context) error {
					for range 3 {
						s.Release()
					}
					require.True(t, s.Locked(), "the first in line has not run")
					err := s.Acquire(ctx)
					tr.Add("2")
					return err
				})
				acquirer(ctx, &tr, "3", s.Acquire)
				asynciotest.Yield(t, ctx, 4)
				tr.Equal(t, "1", "2", "3", "4")
				require.True(t, s.Locked())
			})
		})
		t.Run("With gives the permit back after an error and a panic", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				s := asyncio.NewBoundedSemaphore(1)
				require.Equal(t, testkit.ErrBoom, s.With(ctx, func() error { return testkit.ErrBoom }))
				require.Equal(t, "argh", testkit.Recovered(func() { _ = s.With(ctx, func() error { panic("argh") }) }))
				require.False(t, s.Locked())
			})
		})
		t.Run("of another loop", func(t *testing.T) {
			a, b := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			s := asyncio.NewSemaphore(0)
			testkit.Start(a.Context(), s.Acquire)
			asynciotest.Turn(t, a)
			asynciotest.InTask(t, b, func(ctx context.Context) { require.ErrorIs(t, s.Acquire(ctx), asyncio.ErrWrongLoop) })
			s.Release()
			asynciotest.Turn(t, a)
			require.Empty(t, asyncio.AllTasks(a))
		})
	})
}

func TestSemaphoreProperties(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		rapid.Check(t, func(rt *rapid.T) {
			ops := drawLineOps(rt, "arrive", "arrive", "arrive", "cancel", "release", "yield")
			permits := rapid.IntRange(1, 4).Draw(rt, "permits")
			s := asyncio.NewBoundedSemaphore(permits)
			_, err := asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
				return checkLine(ctx, ops, permits, s.Acquire, s.Release)
			}))
			require.NoError(rt, err)
		})
	})
}

func BenchmarkSemaphore(b *testing.B) {
	testkit.BenchTask(b, func(ctx context.Context) {
		s := asyncio.NewSemaphore(2)
		for b.Loop() {
			if s.Acquire(ctx) != nil {
				b.Fatal("Acquire failed")
			}
			s.Release()
		}
	})
}
