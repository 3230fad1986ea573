// Calls shows a loop without tasks, its callbacks, its timers and its life:
// new_event_loop, call_soon, call_later, call_at, stop, run_forever, is_running, close.
//
// Callbacks of CallSoon run in the order in which they were asked for, timers in the
// order of their times. Stop ends the run, not the loop, which may run again. A closed
// loop is done for good.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/seed-a026a017/asyncio"
)

func main() {
	if err := calls(); err != nil {
		fmt.Fprintln(os.Stderr, "calls:", err)
		os.Exit(1)
	}
}

// calls shows one call after another.
func calls() (err error) {
	loop, err := asyncio.NewEventLoop()
	if err != nil {
		return fmt.Errorf("make a loop: %w", err)
	}
	defer func() { err = errors.Join(err, loop.Close()) }() // a second Close does nothing
	show(loop, "made")

	// Asked for in one order, run in another.
	start := loop.Time()
	loop.CallAt(start+300*time.Millisecond, func() {
		fmt.Println("CallAt, 300 ms after the start")
		loop.Stop()
	})
	loop.CallLater(150*time.Millisecond, func() { fmt.Println("CallLater, 150 ms") })
	loop.CallSoon(func() { show(loop, "CallSoon") })
	loop.CallSoon(func() {
		fmt.Println("CallSoon again")
		loop.CallSoon(func() { fmt.Println("CallSoon from a callback: one turn later") })
	})
	loop.CallLater(200*time.Millisecond, func() { fmt.Println("never printed") }).Cancel()
	if err := loop.RunForever(); err != nil {
		return fmt.Errorf("run the loop: %w", err)
	}
	show(loop, "stopped")

	// Stop before a run makes it a run of one turn.
	loop.CallSoon(func() { fmt.Println("one more turn") })
	loop.Stop()
	if err := loop.RunForever(); err != nil {
		return fmt.Errorf("run the loop again: %w", err)
	}

	if err := loop.Close(); err != nil {
		return fmt.Errorf("close the loop: %w", err)
	}
	show(loop, "closed")
	if err := loop.RunForever(); !errors.Is(err, asyncio.ErrLoopClosed) {
		return fmt.Errorf("a closed loop ran: %w", err)
	}
	fmt.Println("a closed loop does not run: ErrLoopClosed")
	return nil
}

func show(loop *asyncio.Loop, when string) {
	fmt.Printf("%s: running=%t closed=%t\n", when, loop.IsRunning(), loop.IsClosed())
}
