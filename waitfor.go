package asyncio

// WaitFor: an await with a limit, in the caller's own task.

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// WaitFor awaits aw for at most timeout: asyncio.wait_for. When the time is over aw is
// cancelled, and WaitFor returns after aw has ended, however long that takes: with
// ErrTimeout, with aw's own error, or with aw's result if it did not give up. With a
// timeout of 0 or less a Coro is not started, unless the loop's tasks are eager. Forever
// is no limit. In a goroutine that is no task it blocks that goroutine, and a future or
// task lives on when the time is over.
// Suspends. Cancelled: aw is cancelled too.
func WaitFor[T any](ctx context.Context, aw Awaitable[T], timeout time.Duration) (T, error) {
	var v T
	a, err := enter(ctx)
	switch {
	case err != nil:
		return v, err
	case timeout == Forever:
		return aw.Await(ctx)
	case a.task == nil:
		return waitInGoroutine(ctx, aw, timeout)
	case timeout <= 0:
		return waitNoTime(ctx, a, aw)
	}
	err = Timeout(ctx, timeout, func(ctx context.Context) error {
		v, err = aw.Await(ctx)
		return err
	})
	return v, err
}

// waitNoTime is WaitFor without time: the result, if it is there already.
func waitNoTime[T any](ctx context.Context, a awaiter, aw Awaitable[T]) (T, error) {
	var v T
	l := a.task.loop
	p := ensureFuture(l, ctx, aw)
	if p.Loop() != l {
		return v, fmt.Errorf("%w: %s waits for it; use RunCoroutineThreadsafe to reach the other loop", ErrWrongLoop, a.task.Name())
	}
	if p.Done() {
		return p.Result()
	}
	if err := cancelAndWait(a, p); err != nil {
		return v, err
	}
	v, err := p.Result()
	if c := asCancelled(err); c != nil {
		err = &timeoutError{cause: c}
	}
	return v, err
}

// cancelAndWait cancels p and waits until it has ended.
func cancelAndWait(a awaiter, p AnyFuture) error {
	waiter := NewFuture[None](a.task.loop)
	done := &DoneCallback{call: callback(func() { _ = waiter.SetResult(None{}) })}
	p.base().addDone(done)
	p.Cancel()
	err := waiter.wait(a, &waiter.future)
	p.base().removeWaiter(done)
	if err == nil {
		_, err = waiter.Result()
	}
	return err
}

func waitInGoroutine[T any](ctx context.Context, aw Awaitable[T], timeout time.Duration) (T, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	v, err := aw.Await(limited)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = &timeoutError{cause: err}
	}
	return v, err
}
