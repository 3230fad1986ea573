// Run_blocking shows what to do with functions that block: asyncio.to_thread,
// loop.run_in_executor, ThreadPoolExecutor.
//
// While a task runs, nothing else in its loop does, so a task must not call what blocks
// or computes for long: a database driver, a big file, a hash of it. ToThread calls such
// a function in another goroutine and awaits it. RunInExecutor does so in a pool of the
// program's own, which bounds how many of them run at once. A task that counts its own
// beats, the heart, tells whether the loop went on meanwhile.
//
// Such a function does not run in the loop: it must not touch what the tasks share. It
// gets its data as arguments and hands its result back.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/seed-a026a017/asyncio"
)

const (
	beat      = 5 * time.Millisecond
	blockTime = 20 * beat
	workers   = 2
)

func main() {
	if err := runBlocking(); err != nil {
		fmt.Fprintln(os.Stderr, "run_blocking:", err)
		os.Exit(1)
	}
}

// runBlocking calls a function that blocks in the loop, in a thread, and in a pool.
func runBlocking() error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		for _, part := range []func(context.Context) error{inLoop, inThread, inPool, givenUp} {
			if err := part(ctx); err != nil {
				return err
			}
		}
		return nil
	}))
	return err
}

// block stands for a function that knows nothing of loops.
func block() string {
	time.Sleep(blockTime)
	return "a result"
}

// heart is a task that counts how often it gets to run.
type heart struct {
	beats int
	task  *asyncio.Task[asyncio.None]
}

func startHeart(ctx context.Context) *heart {
	h := new(heart)
	h.task = asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
		for {
			if err := asyncio.Sleep(ctx, beat); err != nil {
				return err
			}
			h.beats++
		}
	}))
	return h
}

// stop ends the heart and says what has become of it.
func (h *heart) stop() {
	h.task.Cancel()
	fmt.Println("  the heart went on:", h.beats > 0)
}

// inLoop is how not to do it.
func inLoop(ctx context.Context) error {
	fmt.Println("in the loop")
	h := startHeart(ctx)
	fmt.Println("  got", block())
	h.stop()
	return nil
}

func inThread(ctx context.Context) error {
	fmt.Println("ToThread")
	h := startHeart(ctx)
	result, err := asyncio.ToThread(ctx, func(context.Context) (string, error) { return block(), nil })
	if err != nil {
		return fmt.Errorf("block in a thread: %w", err)
	}
	fmt.Println("  got", result)
	h.stop()
	return nil
}

// inPool has five calls share two workers. RunInExecutor returns a future, so they are
// all under way before the first one is awaited.
func inPool(ctx context.Context) error {
	fmt.Println("RunInExecutor")
	pool := asyncio.NewThreadPool(workers)
	defer pool.Shutdown(true) // waits, but all calls have returned
	var mu sync.Mutex         // the workers are goroutines: what they share needs a lock
	running, most := 0, 0
	count := func(change int) {
		mu.Lock()
		defer mu.Unlock()
		running += change
		most = max(most, running)
	}
	var calls []asyncio.Awaitable[int]
	for i := range 5 {
		calls = append(calls, asyncio.RunInExecutor(ctx, pool, func() (int, error) {
			count(+1)
			defer count(-1)
			block()
			return i * i, nil
		}))
	}
	squares, err := asyncio.Gather(ctx, calls...).Await(ctx)
	if err != nil {
		return fmt.Errorf("block in the pool: %w", err)
	}
	fmt.Println("  got", squares)
	fmt.Printf("  never more than %d at once: %t\n", workers, most <= workers)
	return nil
}

// givenUp cancels the await. That cannot stop the function; but it ends the context that
// the function was given, and a function that looks at it can end itself.
func givenUp(ctx context.Context) error {
	fmt.Println("ToThread, cancelled")
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	begun := asyncio.NewEvent()
	ended := make(chan error, 1)
	call := asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
		return asyncio.ToThread(ctx, func(ctx context.Context) (string, error) {
			if _, err := loop.CallSoonThreadsafe(begun.Set); err != nil { // the one door into a loop
				return "", err
			}
			<-ctx.Done() // say, a query of database/sql, which was given ctx
			ended <- ctx.Err()
			return "", ctx.Err()
		})
	})
	if err := begun.Wait(ctx); err != nil {
		return err
	}
	call.Cancel()
	if _, err := call.Await(ctx); !errors.Is(err, asyncio.ErrCancelled) {
		return fmt.Errorf("expected a cancellation: %w", err)
	}
	fmt.Println("  the await was cancelled")
	reason, err := asyncio.ToThread(ctx, func(context.Context) (error, error) { return <-ended, nil })
	if err != nil {
		return err
	}
	fmt.Println("  the function has ended too:", reason)
	return nil
}
