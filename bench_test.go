package asyncio_test

// The costs of the loop itself, beside what bare Go pays for the like. Compare the rows of one run: on a shared machine
// absolute times mean little.

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/seed-a026a017/asyncio"
)

// benchTask runs the benchmark as the main task of a loop.
func benchTask(b *testing.B, fn func(ctx context.Context)) {
	b.Helper()
	b.ReportAllocs()
	_, err := asyncio.Run(func(ctx context.Context) (asyncio.None, error) {
		fn(ctx)
		return asyncio.None{}, nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

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

func BenchmarkSwitch(b *testing.B) {
	benchTask(b, func(ctx context.Context) {
		for b.Loop() {
			_ = asyncio.Sleep(ctx, 0)
		}
	})
}

// BenchmarkSwitchMany is one switch of a hundred tasks that take turns.
func BenchmarkSwitchMany(b *testing.B) {
	const width = 100
	benchTask(b, func(ctx context.Context) {
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
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*width), "ns/switch")
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

func one(context.Context) (int, error) { return 1, nil }

func BenchmarkSpawn(b *testing.B) {
	benchTask(b, func(ctx context.Context) {
		for b.Loop() {
			if v, err := asyncio.CreateTask(ctx, one).Await(ctx); v != 1 || err != nil {
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
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/callback")
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

func BenchmarkGather(b *testing.B) {
	const width = 10_000
	benchTask(b, func(ctx context.Context) {
		aws := make([]asyncio.Awaitable[int], width)
		for i := range aws {
			aws[i] = asyncio.Coro[int](one)
		}
		for b.Loop() {
			if _, err := asyncio.Gather(ctx, aws...).Await(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCallSoonThreadsafe is a call from another goroutine, with the loop busy or asleep as it comes.
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
