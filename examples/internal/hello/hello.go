// Package hello is the smallest program: Run and Sleep.
//
// A coroutine is an ordinary function that takes a context first and returns an error
// last. Its context is the task that runs it, so it hands that context on to everything
// that may suspend. Run makes a loop, runs the coroutine as the loop's main task, and
// closes the loop: asyncio.run. In Python:
//
//	async def main():
//	    print("Hello ...")
//	    await asyncio.sleep(1)
//	    print("... World!")
//
//	asyncio.run(main())
package hello

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-a026a017/asyncio"
)

// Demo says hello, and the rest a second later. A second lasts as long as the caller
// says.
func Demo(second time.Duration) error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		fmt.Println("Hello ...")
		if err := asyncio.Sleep(ctx, second); err != nil {
			return fmt.Errorf("sleep between the words: %w", err)
		}
		fmt.Println("... World!")
		return nil
	}))
	return err
}
