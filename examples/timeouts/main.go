// Timeouts shows how to limit an await or a block of code, and how to keep a task out of
// the limit's reach: asyncio.wait_for, timeout, shield, reschedule.
//
//	WaitFor      limits one awaitable, and cancels it when the time is over
//	Shield       lets somebody give up waiting for a task without cancelling it
//	Timeout      limits a block, whatever it awaits: async with asyncio.timeout(...)
//	NewTimeout   is the same with a handle, to move the limit: ... as scope
//
// A limit that is over shows as ErrTimeout, which is context.DeadlineExceeded too. Inside
// the limit it is a cancellation, so that the code there can clean up.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/seed-a026a017/asyncio"
)

// short is a limit that is meant to be exceeded, long one that is not.
const (
	short = 20 * time.Millisecond
	long  = time.Minute
)

func main() {
	if err := timeouts(); err != nil {
		fmt.Fprintln(os.Stderr, "timeouts:", err)
		os.Exit(1)
	}
}

// timeouts shows one limit after another.
func timeouts() error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		for _, part := range []func(context.Context) error{waitFor, shield, timeout, nested, reschedule} {
			if err := part(ctx); err != nil {
				return err
			}
		}
		return nil
	}))
	return err
}

// endless is a coroutine that would wait for ever; it tells when it is told to end.
func endless(ctx context.Context) (string, error) {
	err := asyncio.Sleep(ctx, asyncio.Forever)
	if errors.Is(err, asyncio.ErrCancelled) {
		fmt.Println("  endless: cancelled, cleaning up")
	}
	return "", err // a cancellation that is kept back would make the limit fail
}

// mustTimeOut turns the one error that a part expects into nil, and every other outcome
// into an error.
func mustTimeOut(err error) error {
	if !errors.Is(err, asyncio.ErrTimeout) {
		return fmt.Errorf("expected a timeout: %w", err)
	}
	return nil
}

func waitFor(ctx context.Context) error {
	fmt.Println("WaitFor")
	quick := asyncio.Coro[string](func(ctx context.Context) (string, error) {
		return "quick", asyncio.Sleep(ctx, time.Millisecond)
	})
	v, err := asyncio.WaitFor(ctx, quick, long)
	if err != nil {
		return fmt.Errorf("wait for the quick one: %w", err)
	}
	fmt.Println("  in time:", v)

	_, err = asyncio.WaitFor(ctx, asyncio.Coro[string](endless), short)
	if err := mustTimeOut(err); err != nil {
		return err
	}
	fmt.Println("  too late: ErrTimeout:", errors.Is(err, asyncio.ErrTimeout),
		"context.DeadlineExceeded:", errors.Is(err, context.DeadlineExceeded))
	return nil
}

// shield waits for a task twice: the first wait gives up, the second one gets the result.
func shield(ctx context.Context) error {
	fmt.Println("Shield")
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	enough := asyncio.NewFuture[string](loop)
	task := asyncio.CreateTask(ctx, asyncio.Coro[string](enough.Await))

	_, err = asyncio.WaitFor(ctx, asyncio.Shield(ctx, task), short)
	if err := mustTimeOut(err); err != nil {
		return err
	}
	fmt.Println("  gave up; the task runs on: done =", task.Done())

	if err := enough.SetResult("worth the wait"); err != nil {
		return fmt.Errorf("complete the shielded task: %w", err)
	}
	v, err := task.Await(ctx)
	if err != nil {
		return fmt.Errorf("await the shielded task: %w", err)
	}
	fmt.Println("  the task's result:", v)
	return nil
}

// timeout limits a block. The block gets a context of its own; plain Go code that watches
// Done or Deadline sees the limit too.
func timeout(ctx context.Context) error {
	fmt.Println("Timeout")
	err := asyncio.Timeout(ctx, short, func(ctx context.Context) error {
		if _, limited := ctx.Deadline(); !limited {
			return errors.New("the block's context has no deadline")
		}
		if err := asyncio.Sleep(ctx, 0); err != nil {
			return fmt.Errorf("let the others run: %w", err)
		}
		fmt.Println("  first step done")
		_, err := endless(ctx)
		return err
	})
	if err := mustTimeOut(err); err != nil {
		return err
	}
	fmt.Println("  the block took too long; the task lives:", asyncio.CurrentTask(ctx).Cancelling() == 0)
	return nil
}

// nested shows whose limit it was: the inner block hears a cancellation, and only the
// outer limit reports a timeout.
func nested(ctx context.Context) error {
	fmt.Println("Timeout in a Timeout")
	err := asyncio.Timeout(ctx, short, func(ctx context.Context) error {
		err := asyncio.Timeout(ctx, long, func(ctx context.Context) error {
			return asyncio.Sleep(ctx, asyncio.Forever)
		})
		fmt.Println("  inner: cancelled:", errors.Is(err, asyncio.ErrCancelled), "timed out:", errors.Is(err, asyncio.ErrTimeout))
		return err
	})
	if err := mustTimeOut(err); err != nil {
		return err
	}
	fmt.Println("  outer: timed out")
	return nil
}

// reschedule holds the scope in hand to move its limit while the block runs.
func reschedule(ctx context.Context) error {
	fmt.Println("Reschedule")
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	scope := asyncio.NewTimeout(short)
	err = scope.Run(ctx, func(ctx context.Context) error {
		if err := scope.Reschedule(loop.Time() + long); err != nil {
			return fmt.Errorf("move the limit: %w", err)
		}
		return asyncio.Sleep(ctx, 2*short)
	})
	if err != nil {
		return fmt.Errorf("the limit was moved: %w", err)
	}
	fmt.Println("  the old limit is past, and the block ended in time: expired =", scope.Expired())
	return nil
}
