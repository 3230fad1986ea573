// Hello shows Run and Sleep, the smallest program: asyncio.run, asyncio.sleep.
//
// A coroutine is an ordinary function that takes a context first and returns an error
// last. Its context is the task that runs it, so it hands that context on to everything
// that may suspend. Run makes a loop, runs the coroutine as the loop's main task, and
// closes the loop. In Python:
//
//	async def main():
//	    print("Hello ...")
//	    await asyncio.sleep(1)
//	    print("... World!")
//
//	asyncio.run(main())
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/seed-a026a017/asyncio"
)

func main() {
	if err := hello(); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

// hello says hello, and the rest a second later.
func hello() error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		fmt.Println("Hello ...")
		if err := asyncio.Sleep(ctx, time.Second); err != nil {
			return fmt.Errorf("sleep between the words: %w", err)
		}
		fmt.Println("... World!")
		return nil
	}))
	return err
}
