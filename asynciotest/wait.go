package asynciotest

// Waiting for what comes in its own time. Both ways end as soon as it has come, and fail
// when it has not come after HangLimit.

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seed-a026a017/asyncio"
)

// turnsBetweenLooks is how often Until looks in turn after turn, before it lets the loop
// wait in between.
const turnsBetweenLooks = 1000

// Until gives way to the loop until cond is true, which it asks between turns. It is for
// what the loop does by itself, or hears from outside. The error says that cond is still
// false after HangLimit, or is that of a cancellation. Suspends.
func Until(ctx context.Context, cond func() bool) error { return until(ctx, hangLimit, cond) }

func until(ctx context.Context, limit time.Duration, cond func() bool) error {
	l, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	pause, deadline := time.Duration(0), l.Time()+limit
	for looks := 1; !cond(); looks++ {
		if l.Time() > deadline {
			return fmt.Errorf("asynciotest: it is still not so after %v", limit)
		}
		if looks > turnsBetweenLooks {
			pause = time.Millisecond
		}
		if err := asyncio.Sleep(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

// Eventually returns the next value of ch, the zero value if ch is closed, and fails the
// test if nothing comes for HangLimit. It blocks the calling goroutine, which must be the
// test's and not a loop's.
func Eventually[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	limit := time.NewTimer(hangLimit)
	defer limit.Stop()
	select {
	case v := <-ch:
		return v
	case <-limit.C:
	}
	t.Fatalf("asynciotest: nothing has come after %v", hangLimit)
	panic("unreachable")
}
