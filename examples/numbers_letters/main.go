// Numbers_letters shows two tasks that take turns, gathered by hand: loop.create_task,
// loop.run_until_complete.
//
// Run and Gather do all this in one line. Here are the steps behind them: a loop, tasks
// that are made before the loop runs, and RunUntilComplete, which runs the loop until one
// awaitable is done. A task does not begin where it is created but in the loop's next
// turn; awaiting it later costs nothing if it is done by then.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/seed-a026a017/asyncio"
)

func main() {
	if err := numbersLetters(); err != nil {
		fmt.Fprintln(os.Stderr, "numbers_letters:", err)
		os.Exit(1)
	}
}

// numbersLetters prints numbers and letters in turn, five of each in a second.
func numbersLetters() (err error) {
	loop, err := asyncio.NewEventLoop()
	if err != nil {
		return fmt.Errorf("make a loop: %w", err)
	}
	defer func() { err = errors.Join(err, loop.Close()) }()

	// Outside of a task the loop's own context tells CreateTask where to go.
	numbers := asyncio.CreateTask(loop.Context(), printer("12345", time.Second/5), asyncio.WithName("numbers"))
	letters := asyncio.CreateTask(loop.Context(), printer("abcde", time.Second/5), asyncio.WithName("letters"))
	fmt.Println("created:", numbers.Name(), letters.Name())

	both, err := asyncio.RunUntilComplete(loop, asyncio.Coro[string](func(ctx context.Context) (string, error) {
		n, err := numbers.Await(ctx)
		if err != nil {
			return "", fmt.Errorf("await the numbers: %w", err)
		}
		l, err := letters.Await(ctx)
		if err != nil {
			return "", fmt.Errorf("await the letters: %w", err)
		}
		return n + " " + l, nil
	}))
	if err != nil {
		return err
	}
	fmt.Println("gathered:", both)
	return nil
}

// printer makes a coroutine that prints the letters of a word one by one and returns the
// word in upper case.
func printer(word string, pause time.Duration) asyncio.Coro[string] {
	return func(ctx context.Context) (string, error) {
		for _, letter := range word {
			fmt.Println(string(letter))
			if err := asyncio.Sleep(ctx, pause); err != nil {
				return "", fmt.Errorf("sleep after %c: %w", letter, err)
			}
		}
		return strings.ToUpper(word), nil
	}
}
