// Futures shows results that are made elsewhere: loop.create_future, set_result,
// set_exception, add_done_callback, call_soon_threadsafe.
//
// A future is one half of a hand-over: somebody awaits it, somebody else sets its result
// or its error, once. It is how code that works with callbacks meets code that awaits.
// Futures belong to their loop's goroutine; another goroutine passes the loop a function
// with CallSoonThreadsafe, the one door into a loop, and lets that set the result.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/seed-a026a017/asyncio"
)

func main() {
	if err := futures(); err != nil {
		fmt.Fprintln(os.Stderr, "futures:", err)
		os.Exit(1)
	}
}

// futures awaits one future after another, each completed from another place.
func futures() error {
	_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) error {
		for _, part := range []func(context.Context) error{fromTimer, fromTask, fromGoroutine, failed, cancelled} {
			if err := part(ctx); err != nil {
				return err
			}
		}
		return nil
	}))
	return err
}

// newFuture makes a future of the loop that runs ctx's task.
func newFuture(ctx context.Context) (*asyncio.Future[string], *asyncio.Loop, error) {
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return nil, nil, err
	}
	return asyncio.NewFuture[string](loop), loop, nil
}

// fromTimer awaits what a timer of the loop brings. Callbacks of a future run after its
// waiters were woken, in order.
func fromTimer(ctx context.Context) error {
	f, loop, err := newFuture(ctx)
	if err != nil {
		return err
	}
	f.AddDoneCallback(func(f *asyncio.Future[string]) { fmt.Println("done-callback: done =", f.Done()) })
	var setErr error
	loop.CallLater(10*time.Millisecond, func() { setErr = f.SetResult("a result from a timer") })
	fmt.Println("before: done =", f.Done())
	v, err := f.Await(ctx)
	if err := errors.Join(err, setErr); err != nil {
		return fmt.Errorf("await the timer: %w", err)
	}
	fmt.Println("awaited:", v)
	return nil
}

// fromTask awaits what another task brings. A result can be set only once.
func fromTask(ctx context.Context) error {
	f, _, err := newFuture(ctx)
	if err != nil {
		return err
	}
	producer := asyncio.CreateTask(ctx, asyncio.Do(func(context.Context) error {
		if err := f.SetResult("a result from a task"); err != nil {
			return err
		}
		if err := f.SetResult("another one"); !errors.Is(err, asyncio.ErrInvalidState) {
			return fmt.Errorf("a result was set twice: %w", err)
		}
		return nil
	}))
	v, err := f.Await(ctx)
	if err != nil {
		return fmt.Errorf("await the task's future: %w", err)
	}
	if _, err := producer.Await(ctx); err != nil { // the task's own errors come out here and nowhere else
		return fmt.Errorf("await the task: %w", err)
	}
	fmt.Println("awaited:", v)
	return nil
}

// fromGoroutine awaits what another goroutine brings: ToThread runs a function in one.
func fromGoroutine(ctx context.Context) error {
	f, loop, err := newFuture(ctx)
	if err != nil {
		return err
	}
	var setErr error
	_, err = asyncio.ToThread(ctx, func(context.Context) (asyncio.None, error) {
		_, err := loop.CallSoonThreadsafe(func() { setErr = f.SetResult("a result from a goroutine") })
		return asyncio.None{}, err
	})
	if err != nil {
		return fmt.Errorf("call from a goroutine: %w", err)
	}
	v, err := f.Await(ctx)
	if err := errors.Join(err, setErr); err != nil {
		return fmt.Errorf("await the goroutine: %w", err)
	}
	fmt.Println("awaited:", v)
	return nil
}

// failed awaits a future that ends with an error.
func failed(ctx context.Context) error {
	f, loop, err := newFuture(ctx)
	if err != nil {
		return err
	}
	noLuck := errors.New("no luck today")
	var setErr error
	loop.CallSoon(func() { setErr = f.SetException(noLuck) })
	_, err = f.Await(ctx)
	if setErr != nil {
		return fmt.Errorf("fail the future: %w", setErr)
	}
	if !errors.Is(err, noLuck) {
		return fmt.Errorf("await the failure: %w", err)
	}
	fmt.Println("failed:", err)
	return nil
}

// cancelled awaits a future that somebody cancels: the await ends with a *CancelledError,
// which has the message.
func cancelled(ctx context.Context) error {
	f, loop, err := newFuture(ctx)
	if err != nil {
		return err
	}
	loop.CallSoon(func() { f.Cancel("not needed any more") })
	_, err = f.Await(ctx)
	var c *asyncio.CancelledError
	if !errors.As(err, &c) {
		return fmt.Errorf("await the cancelled future: %w", err)
	}
	fmt.Println("cancelled:", c.Msg)
	return nil
}
