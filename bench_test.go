package asyncio_test

// The costs of the loop itself, beside what bare Go pays for the like. Compare the rows
// of one run: on a shared machine absolute times mean little.

import (
	"context"
	"iter"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func benchLoop(b *testing.B, fn func(l *asyncio.Loop)) {
	b.Helper()
	b.ReportAllocs()
	l, err := asyncio.NewEventLoop()
	if err != nil {
		b.Fatal(err)
	}
	fn(l)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSwitch is one switch of two tasks that take turns.
func BenchmarkSwitch(b *testing.B) {
	testkit.BenchTask(b, func(ctx context.Context) {
		b.ResetTimer()
		other := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
			for range b.N / 2 {
				_ = asyncio.Sleep(ctx, 0)
			}
			return nil
		}))
		for range b.N - b.N/2 {
			_ = asyncio.Sleep(ctx, 0)
		}
		_, _ = other.Await(ctx)
	})
}

// BenchmarkYield is a task that lets others run when there are none.
func BenchmarkYield(b *testing.B) {
	testkit.BenchTask(b, func(ctx context.Context) {
		for b.Loop() {
			_ = asyncio.Sleep(ctx, 0)
		}
	})
}

// BenchmarkSwitchMany is one switch of a hundred tasks that take turns.
func BenchmarkSwitchMany(b *testing.B) {
	const width = 100
	testkit.BenchTask(b, func(ctx context.Context) {
		running := true
		for range width - 1 {
			asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
				for running {
					_ = asyncio.Sleep(ctx, 0)
				}
				return nil
			}))
		}
		for b.Loop() {
			_ = asyncio.Sleep(ctx, 0)
		}
		running = false
		perItem(b, width, "ns/switch")
	})
}

// BenchmarkSwitchBare is the round trip that a switch is made of.
func BenchmarkSwitchBare(b *testing.B) {
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		for yield(struct{}{}) {
		}
	})
	defer stop()
	for b.Loop() {
		next()
	}
}

func BenchmarkSpawn(b *testing.B) {
	testkit.BenchTask(b, func(ctx context.Context) {
		for b.Loop() {
			if v, err := asyncio.CreateTask(ctx, testkit.One).Await(ctx); v != 1 || err != nil {
				b.Fatal(v, err)
			}
		}
	})
}

// BenchmarkSpawnBare starts a goroutine and waits for its result.
func BenchmarkSpawnBare(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		c := make(chan int)
		go func() { c <- 1 }()
		<-c
	}
}

func BenchmarkCallSoon(b *testing.B) {
	const batch = 1000
	benchLoop(b, func(l *asyncio.Loop) {
		ran := 0
		fn := func() { ran++ }
		for b.Loop() {
			for range batch - 1 {
				l.CallSoon(fn)
			}
			l.CallSoon(l.Stop)
			if err := l.RunForever(); err != nil {
				b.Fatal(err)
			}
		}
		perItem(b, batch, "ns/callback")
	})
}

func BenchmarkTimerAddCancel(b *testing.B) {
	benchLoop(b, func(l *asyncio.Loop) {
		fn := func() {}
		for b.Loop() {
			l.CallLater(time.Hour, fn).Cancel()
		}
	})
}

// BenchmarkTimerAtAddCancel leaves out the clock, which CallLater has to read.
func BenchmarkTimerAtAddCancel(b *testing.B) {
	benchLoop(b, func(l *asyncio.Loop) {
		fn := func() {}
		when := l.Time() + time.Hour
		for b.Loop() {
			l.CallAt(when, fn).Cancel()
		}
	})
}

// BenchmarkClock is what one reading of the clock costs on this machine.
func BenchmarkClock(b *testing.B) {
	start := time.Now()
	for b.Loop() {
		_ = time.Since(start)
	}
}

const gatherWidth = 10_000

func BenchmarkGather(b *testing.B) {
	testkit.BenchTask(b, func(ctx context.Context) {
		aws := make([]asyncio.Awaitable[int], gatherWidth)
		for i := range aws {
			aws[i] = asyncio.Coro[int](testkit.One)
		}
		for b.Loop() {
			if _, err := asyncio.Gather(ctx, aws...).Await(ctx); err != nil {
				b.Fatal(err)
			}
		}
		perItem(b, gatherWidth, "ns/task")
	})
}

// BenchmarkGatherBare collects the results of as many goroutines.
func BenchmarkGatherBare(b *testing.B) {
	b.ReportAllocs()
	ctx := b.Context()
	for b.Loop() {
		results := make([]asyncio.Result[int], gatherWidth)
		var all sync.WaitGroup
		for i := range results {
			all.Go(func() { results[i].Value, results[i].Err = testkit.One(ctx) })
		}
		all.Wait()
	}
	perItem(b, gatherWidth, "ns/task")
}

func perItem(b *testing.B, items int, unit string) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*items), unit)
}

// BenchmarkLockBare, BenchmarkQueueBare and BenchmarkEventBare are for the benchmarks
// beside the tests of those types.
func BenchmarkLockBare(b *testing.B) {
	var mu sync.Mutex
	n := 0
	for b.Loop() {
		mu.Lock()
		n++
		mu.Unlock()
	}
}

func BenchmarkQueueBare(b *testing.B) {
	c := make(chan int, 1)
	for b.Loop() {
		c <- 1
		<-c
	}
}

// BenchmarkEventWidth shows that to wake a task costs the same whatever the number of
// those that wait.
func BenchmarkEventWidth(b *testing.B) {
	for _, width := range []int{10, 1000, 10_000} {
		b.Run(strconv.Itoa(width), func(b *testing.B) {
			testkit.BenchTask(b, func(ctx context.Context) {
				e := asyncio.NewEvent()
				for range width {
					asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
						for {
							if err := e.Wait(ctx); err != nil {
								return err
							}
						}
					}))
				}
				_ = asyncio.Sleep(ctx, 0)
				for b.Loop() {
					e.Set()
					e.Clear()
					_ = asyncio.Sleep(ctx, 0)
				}
				perItem(b, width, "ns/waiter")
			})
		})
	}
}

// BenchmarkEventBare wakes as many goroutines that wait for a sync.Cond.
func BenchmarkEventBare(b *testing.B) {
	const width = 1000
	var mu sync.Mutex
	wake, waiting := sync.NewCond(&mu), sync.NewCond(&mu)
	round, present := 0, 0
	var all sync.WaitGroup
	for range width {
		all.Go(func() {
			mu.Lock()
			defer mu.Unlock()
			for mine := 0; mine >= 0; mine = round {
				if present++; present == width {
					waiting.Signal()
				}
				for round == mine {
					wake.Wait()
				}
			}
		})
	}
	next := func(to int) {
		mu.Lock()
		for present < width {
			waiting.Wait()
		}
		present, round = 0, to
		wake.Broadcast()
		mu.Unlock()
	}
	for i := 1; b.Loop(); i++ {
		next(i)
	}
	next(-1)
	all.Wait()
	perItem(b, width, "ns/waiter")
}

// BenchmarkCallSoonThreadsafe is a call from another goroutine, with the loop busy or
// asleep as it comes.
func BenchmarkCallSoonThreadsafe(b *testing.B) {
	benchLoop(b, func(l *asyncio.Loop) {
		ended := make(chan error, 1)
		go func() { ended <- l.RunForever() }()
		for b.Loop() {
			if _, err := l.CallSoonThreadsafe(func() {}); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := l.CallSoonThreadsafe(l.Stop); err != nil {
			b.Fatal(err)
		}
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	})
}
