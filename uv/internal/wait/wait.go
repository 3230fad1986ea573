//go:build unix

// Package wait holds the ways in which an event loop waits for something to happen.
//
//	Block  the thread waits inside the loop's own poll
//	Park   the goroutine parks in the runtime's network poller, like one that reads a
//	       socket
//	Adapt  parks, and blocks while that is quicker
//
// Which is best depends on the program. Parking holds no thread and no P, so it is
// right where other goroutines run too. Blocking is right for a goroutine that is locked
// to its thread, to which parking costs two switches of threads; but the runtime takes
// the P away from a thread that stays in C for more than 20 us if another goroutine could
// use it, and getting one back costs a futex call or two.
//
// The package does not know what a turn of the loop does. It knows when one may wait, and
// how a wait ends.
package wait

import (
	"math"
	"time"
)

// Loop is what a Waiter needs of the loop it waits for. Signal may be called from any
// goroutine, the other methods only from the one that waits.
type Loop interface {
	// Turn runs one turn that waits at most timeout for events. With ifAlive it does not
	// wait when the loop's poll has nothing alive to wait for.
	Turn(timeout time.Duration, ifAlive bool) Found
	// Now is the loop's cached clock. Every turn that finds an expired tick moves it.
	Now() uint64
	// BackendFD is the descriptor that is readable when a turn would find an event.
	BackendFD() int
	// TickFD makes a timerfd whose expiry ends the wait of a turn. The loop owns it. It
	// returns a negative number where there is none.
	TickFD() int
	// Signal ends the wait of a turn.
	Signal()
}

// Found is what a turn has found.
type Found struct {
	Events bool          // there is something to handle, or to poll for again at once
	Alive  bool          // the poll has something to wait for
	Waited time.Duration // how long the turn has waited
}

// A Waiter waits for a loop in one of the ways.
type Waiter interface {
	// Wait runs turns until one finds events, the loop is woken, or timeout is over. It
	// may return earlier. With a timeout of 0 it runs one turn that does not wait.
	// With ifAlive it does not wait for a loop that has nothing alive.
	Wait(timeout time.Duration, ifAlive bool)
	// Wake ends a wait. It may be called from any goroutine, while the loop sleeps or a
	// little later.
	Wake()
	// Close releases what the Waiter has opened.
	Close()
}

// forever, as a timeout, is no limit.
const forever time.Duration = math.MaxInt64

// Block returns the Waiter that blocks.
func Block(l Loop, s *Sleep) Waiter { return blocker{l, s} }

// Park returns the Waiter that parks. It blocks where the runtime's poller does not take
// the loop's descriptor.
func Park(l Loop, s *Sleep) Waiter {
	if p := newParker(l, s); p != nil {
		return p
	}
	return Block(l, s)
}

// Adapt returns the Waiter that parks or blocks, whichever is quicker at the time. It
// blocks where the runtime's poller does not take the loop's descriptor.
func Adapt(l Loop, s *Sleep) Waiter {
	if p := newParker(l, s); p != nil {
		return newAdaptive(p, newSchedStats().level)
	}
	return Block(l, s)
}
