package asynciotest

// Turns. A turn is one pass of the loop: what was ready when it began runs, and what that
// makes ready runs in the next one.

import (
	"context"
	"testing"

	"github.com/seed-a026a017/asyncio"
)

// Turn runs l for exactly one turn, which waits for the outside world only if nothing is
// ready.
func Turn(t testing.TB, l *asyncio.Loop) {
	t.Helper()
	Turns(t, l, 1)
}

// Turns runs l for exactly n turns, one after the other.
func Turns(t testing.TB, l *asyncio.Loop, n int) {
	t.Helper()
	for range n {
		l.CallSoon(l.Stop)
		if err := l.RunForever(); err != nil {
			t.Fatalf("asynciotest: the loop does not run: %v", err)
		}
	}
}

// Yield gives way to the loop n times: the task goes on in the n-th turn from now. It
// fails the test if the task is cancelled meanwhile. Suspends.
func Yield(t testing.TB, ctx context.Context, n int) {
	t.Helper()
	for range n {
		if err := asyncio.Sleep(ctx, 0); err != nil {
			t.Fatalf("asynciotest: the task could not give way: %v", err)
		}
	}
}

// TurnCounter counts the turns of a running loop with a callback that schedules itself.
type TurnCounter struct {
	n      int
	loop   *asyncio.Loop
	handle *asyncio.Handle
}

// CountTurns starts a counter: N is 1 in the first turn from now on, for callbacks that
// were scheduled later than it. A loop with a counter never waits for the outside world;
// Stop ends that.
func CountTurns(l *asyncio.Loop) *TurnCounter {
	c := &TurnCounter{loop: l}
	c.handle = l.CallSoon(c.tick)
	return c
}

func (c *TurnCounter) tick() {
	c.n++
	c.handle = c.loop.CallSoon(c.tick)
}

// N is the number of the turn.
func (c *TurnCounter) N() int { return c.n }

// Stop ends the counting.
func (c *TurnCounter) Stop() { c.handle.Cancel() }
