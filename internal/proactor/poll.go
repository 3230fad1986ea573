package proactor

// Polling: how a loop hears of what has happened.
//
//   - Poll(0) looks and does not wait. Poll with a timeout waits until there is something
//     to tell.
//   - A wake is never lost: one that comes between two Polls makes the second one not
//     wait.
//   - What a handler causes is told by the next Poll, not by the one that called it. The
//     datagrams of one endpoint may be an exception, for a bounded number of them.

import "time"

// Forever, as the timeout of Poll, waits until something happens.
const Forever time.Duration = 1<<63 - 1

// Poller waits for events and tells them.
type Poller interface {
	// Poll looks at the outside world once: it flushes the streams written since the last
	// Poll, waits until something has happened, Wake was called, or timeout is over (0
	// does not wait), and calls the handlers. It may return a little early, a few times
	// for one timeout at the most; it never calls a handler after it has returned.
	Poll(timeout time.Duration) error

	// Wake ends the wait of a Poll, or makes the next Poll not wait. It may be called
	// from any goroutine and at any time, also after Close. Wakes coalesce.
	Wake()

	// Now is monotonic time since an arbitrary moment. The clock belongs to the driver so
	// that a simulation can own it.
	Now() time.Duration

	// Waited tells how long the Polls so far have waited, all in all, and when, by Now,
	// the last wait ended.
	Waited() (total, until time.Duration)
}
