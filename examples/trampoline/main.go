// Trampoline shows a callback that schedules itself until a timer stops the loop:
// loop.call_soon, call_later, call_at, stop.
//
// There is no task here: a loop also runs plain functions. Each bounce asks for the next
// one in another way:
//
//	CallSoon   in the next turn of the loop
//	CallLater  after a while
//	CallAt     at a moment of the loop's own clock
//
// A callback that schedules itself does not nest: it returns to the loop first, so this
// can go on for ever on one stack, and whatever else the loop has to do gets its turn
// between two bounces.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/seed-a026a017/asyncio"
)

// roundsShown is how many rounds are printed. The others only count: how many there are
// depends on the machine.
const roundsShown = 2

// gap is how long a bounce by CallLater or CallAt takes.
const gap = 50 * time.Millisecond

func main() {
	if err := bounceForASecond(); err != nil {
		fmt.Fprintln(os.Stderr, "trampoline:", err)
		os.Exit(1)
	}
}

type trampoline struct {
	loop    *asyncio.Loop
	bounces int
}

// bounceForASecond runs a loop in which nothing happens but bounces.
func bounceForASecond() (err error) {
	loop, err := asyncio.NewEventLoop()
	if err != nil {
		return fmt.Errorf("make a loop: %w", err)
	}
	defer func() { err = errors.Join(err, loop.Close()) }()

	t := &trampoline{loop: loop}
	loop.CallSoon(func() { t.bounce("CallSoon") })
	loop.CallLater(time.Second, loop.Stop)
	if err := loop.RunForever(); err != nil {
		return fmt.Errorf("run the loop: %w", err)
	}
	if t.bounces <= 3*roundsShown {
		return fmt.Errorf("only %d bounces in a second", t.bounces)
	}
	fmt.Println("... and so on, until CallLater stopped the loop")
	return nil
}

// bounce tells how it was called, and has itself called again in the next way.
func (t *trampoline) bounce(way string) {
	if t.bounces < 3*roundsShown {
		fmt.Printf("bounce %d, by %s\n", t.bounces+1, way)
	}
	t.bounces++
	switch way {
	case "CallSoon":
		t.loop.CallLater(gap, func() { t.bounce("CallLater") })
	case "CallLater":
		t.loop.CallAt(t.loop.Time()+gap, func() { t.bounce("CallAt") })
	case "CallAt":
		t.loop.CallSoon(func() { t.bounce("CallSoon") })
	}
}
