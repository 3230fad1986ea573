// Semaphores: who gets a permit, and that none is lost or made.
package asyncio_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-a026a017/asyncio"
)

func TestSemaphore(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		t.Run("SEM-01", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				var tr trace
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
				yield(t, ctx, 3)
				require.False(t, fourth.Done())
				s.Release()
				require.True(t, s.Locked(), "the permit is the fourth's already")
				yield(t, ctx, 1)
				tr.equal(t, "4")
			})
		})
		t.Run("SEM-02", func(t *testing.T) {
			panicsWith(t, asyncio.ErrInvalidState, func() { asyncio.NewSemaphore(-1) })
			panicsWith(t, asyncio.ErrInvalidState, func() { asyncio.NewBoundedSemaphore(-1) })
			panicsWith(t, asyncio.ErrNotLocked, asyncio.NewBoundedSemaphore(1).Release)
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				bounded, free := asyncio.NewBoundedSemaphore(1), asyncio.NewSemaphore(0)
				require.NoError(t, bounded.Acquire(ctx))
				require.True(t, bounded.Locked())
				bounded.Release()
				require.False(t, bounded.Locked())
				panicsWith(t, asyncio.ErrNotLocked, bounded.Release)
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
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				s := asyncio.NewSemaphore(0)
				var tasks [4]*asyncio.Task[asyncio.None]
				for i := range tasks {
					tasks[i] = start(ctx, s.Acquire)
				}
				yield(t, ctx, 1)
				tasks[0].Cancel()
				tasks[1].Cancel()
				s.Release()
				yield(t, ctx, 2)
				require.True(t, tasks[0].Cancelled() && tasks[1].Cancelled())
				require.True(t, tasks[2].Done())
				require.False(t, tasks[3].Done())
				tasks[3].Cancel()
				yield(t, ctx, 1)
				require.True(t, s.Locked())
			})
		})
		t.Run("SEM-06", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				var tr trace
				s := asyncio.NewSemaphore(1)
				require.NoError(t, asyncio.WithTaskGroup(ctx, func(_ context.Context, tg *asyncio.TaskGroup) error {
					for _, tag := range []string{"c1", "c2", "c3"} {
						tg.Go(func(ctx context.Context) error {
							for _, round := range []string{"_1", "_2"} {
								if err := s.Acquire(ctx); err != nil {
									return err
								}
								tr.add(tag + round)
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
				tr.equal(t, "c1_1", "c2_1", "c3_1", "c1_2", "c2_2", "c3_2")
			})
		})
		t.Run("SEM-07", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				var tr trace
				s := asyncio.NewSemaphore(1)
				acquirer(ctx, &tr, "1", s.Acquire)
				t2 := start(ctx, func(ctx context.Context) error {
					if err := s.Acquire(ctx); err != nil {
						return err
					}
					tr.add("2")
					s.Release()
					if err := s.Acquire(ctx); err != nil {
						return err
					}
					tr.add("4")
					return nil
				})
				acquirer(ctx, &tr, "3", s.Acquire)
				yield(t, ctx, 1)
				s.Release()
				s.Release()
				_, err := t2.Await(ctx)
				require.NoError(t, err)
				tr.equal(t, "1", "2", "3", "4")
			})
		})
		t.Run("SEM-09", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				s := asyncio.NewSemaphore(1)
				var t2 *asyncio.Task[asyncio.None]
				t1 := start(ctx, func(ctx context.Context) error {
					err := s.With(ctx, func() error { return suspend(ctx, 1) })
					t2.Cancel()
					return err
				})
				t2 = start(ctx, func(ctx context.Context) error {
					return s.With(ctx, func() error {
						t.Error("the cancelled task got the permit")
						return nil
					})
				})
				results, err := asyncio.GatherResults[asyncio.None](ctx, t1, t2).Await(ctx)
				require.NoError(t, err)
				require.NoError(t, results[0].Err)
				wantCancelled(t, results[1].Err, nil)
				require.NoError(t, asyncio.Timeout(ctx, time.Second, s.Acquire))
			})
		})
		t.Run("permits that were released early go to all who come before they are taken", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				var tr trace
				s := asyncio.NewSemaphore(0)
				start(ctx, func(ctx context.Context) error {
					err := s.Acquire(ctx)
					start(ctx, func(context.Context) error { tr.add("4"); return nil })
					tr.add("1")
					return err
				})
				start(ctx, func(ctx context.Context) error {
					for range 3 {
						s.Release()
					}
					require.True(t, s.Locked(), "the first in line has not run")
					err := s.Acquire(ctx)
					tr.add("2")
					return err
				})
				acquirer(ctx, &tr, "3", s.Acquire)
				yield(t, ctx, 4)
				tr.equal(t, "1", "2", "3", "4")
				require.True(t, s.Locked())
			})
		})
		t.Run("With gives the permit back after an error and a panic", func(t *testing.T) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				s := asyncio.NewBoundedSemaphore(1)
				require.Equal(t, errBoom, s.With(ctx, func() error { return errBoom }))
				require.Equal(t, "argh", recovered(func() { _ = s.With(ctx, func() error { panic("argh") }) }))
				require.False(t, s.Locked())
			})
		})
		t.Run("of another loop", func(t *testing.T) {
			a, b := newLoop(t, opts...), newLoop(t, opts...)
			s := asyncio.NewSemaphore(0)
			start(a.Context(), s.Acquire)
			turn(t, a)
			inTask(t, b, func(ctx context.Context) { require.ErrorIs(t, s.Acquire(ctx), asyncio.ErrWrongLoop) })
			s.Release()
			turn(t, a)
			require.Empty(t, asyncio.AllTasks(a))
		})
	})
}

func TestSemaphoreProperties(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := newLoop(t, opts...)
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
	benchTask(b, func(ctx context.Context) {
		s := asyncio.NewSemaphore(2)
		for b.Loop() {
			if s.Acquire(ctx) != nil {
				b.Fatal("Acquire failed")
			}
			s.Release()
		}
	})
}
