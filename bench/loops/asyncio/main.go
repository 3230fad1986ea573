// Command asyncio times the operations of asyncio's loop: asyncio SECONDS.
// ASYNCIO_DRIVER=purego in the environment makes it run without libuv.
package main

import (
	"context"
	"time"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/bench/internal/cost"
)

func main() {
	l, err := asyncio.NewEventLoop()
	cost.Check(err)
	cost.Main(
		cost.Work{Name: "call_soon", Do: func(n int) { inCallbacks(l, n, func() { l.CallSoon(nothing) }) }},
		cost.Work{Name: "call_later and cancel", Do: func(n int) { inCallbacks(l, n, func() { l.CallLater(time.Hour, nothing).Cancel() }) }},
		cost.Work{Name: "sleep(0)", Do: func(n int) { inTask(l, func(ctx context.Context) error { return sleep(ctx, n) }) }},
		cost.Work{Name: "create_task and await", Do: func(n int) { inTask(l, func(ctx context.Context) error { return spawn(ctx, n) }) }},
		cost.Work{Name: "gather of 1,000, each", Do: func(n int) { inTask(l, func(ctx context.Context) error { return gather(ctx, n) }) }},
		cost.Work{Name: "call_soon_threadsafe", Do: func(n int) { threadsafe(l, n) }},
	)
	cost.Check(l.Close())
}

func nothing() {}

// inCallbacks calls do n times, in callbacks of a batch each. The next batch begins when
// the loop has run what this one has scheduled.
func inCallbacks(l *asyncio.Loop, n int, do func()) {
	var next func()
	next = func() {
		if n == 0 {
			l.Stop()
			return
		}
		for range cost.Batch {
			do()
		}
		n -= cost.Batch
		l.CallSoon(next)
	}
	l.CallSoon(next)
	cost.Check(l.RunForever())
}

func inTask(l *asyncio.Loop, fn func(ctx context.Context) error) {
	_, err := asyncio.RunUntilComplete(l, asyncio.Do(fn))
	cost.Check(err)
}

func sleep(ctx context.Context, n int) error {
	for range n {
		if err := asyncio.Sleep(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

func one(context.Context) (int, error) { return 1, nil }

func spawn(ctx context.Context, n int) error {
	for range n {
		if _, err := asyncio.CreateTask(ctx, one).Await(ctx); err != nil {
			return err
		}
	}
	return nil
}

func gather(ctx context.Context, n int) error {
	coroutines := make([]asyncio.Awaitable[int], cost.Batch)
	for i := range coroutines {
		coroutines[i] = asyncio.Coro[int](one)
	}
	for ; n > 0; n -= cost.Batch {
		if _, err := asyncio.Gather(ctx, coroutines...).Await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// threadsafe lets another goroutine make the calls. After each batch it waits until the
// loop has run it.
func threadsafe(l *asyncio.Loop, n int) {
	go func() {
		ran := make(chan struct{}, 1)
		for ; n > 0; n -= cost.Batch {
			for range cost.Batch - 1 {
				call(l, nothing)
			}
			call(l, func() { ran <- struct{}{} })
			<-ran
		}
		call(l, l.Stop)
	}()
	cost.Check(l.RunForever())
}

func call(l *asyncio.Loop, fn func()) {
	_, err := l.CallSoonThreadsafe(fn)
	cost.Check(err)
}
