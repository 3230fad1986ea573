// Abc shows Gather, three tasks that sleep at the same time: asyncio.gather.
//
// Gather starts every coroutine as a task, in the order of its arguments, and its future
// has their results in the same order. What lies between is up to the tasks: each runs
// until it awaits something, so all three have started before the first one finishes, and
// the one that sleeps least is first. Together they take as long as the slowest, not as
// the sum. In Python:
//
//	await asyncio.gather(sleeper("A", 2), sleeper("B", 1), sleeper("C", 3))
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/seed-a026a017/asyncio"
)

func main() {
	if err := abc(); err != nil {
		fmt.Fprintln(os.Stderr, "abc:", err)
		os.Exit(1)
	}
}

// abc runs A, B and C, which sleep for 2, 1 and 3 seconds.
func abc() error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		_, err := asyncio.Gather[asyncio.None](ctx,
			sleeper("A", 2*time.Second),
			sleeper("B", 1*time.Second),
			sleeper("C", 3*time.Second),
		).Await(ctx)
		return err
	}))
	return err
}

// sleeper makes a coroutine that sleeps for d.
func sleeper(name string, d time.Duration) asyncio.Coro[asyncio.None] {
	return asyncio.Do(func(ctx context.Context) error {
		fmt.Println(name + ": started")
		if err := asyncio.Sleep(ctx, d); err != nil {
			return fmt.Errorf("sleep of %s: %w", name, err)
		}
		fmt.Println(name + ": finished")
		return nil
	})
}
