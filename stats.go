package asyncio

// Statistics. The loop counts in plain fields and publishes a copy at every poll, so that
// Stats, which any goroutine may call, neither waits for the loop nor makes it slower: a
// copy under a mutex that nobody holds takes 20 ns of a poll's microsecond.

import (
	"sync"
	"time"
)

// LoopStats is a copy, safe to keep.
type LoopStats struct {
	Turns     uint64 // passes of the loop
	Callbacks uint64 // callbacks, timers and steps of tasks that ran
	Wakeups   uint64 // polls that waited

	Tasks   int // that are not done
	Ready   int // callbacks that wait for the next turn
	Timers  int // that are armed
	Handles int // open transports, listening sockets, watched descriptors, files and children

	Busy time.Duration // that the loop ran and did not wait
	Idle time.Duration // that it waited for the outside world
}

// loopCounters is what the loop counts itself.
type loopCounters struct {
	turns, callbacks, wakeups uint64

	// connects, functions in executors, calls on files and deadlines of derived contexts
	// that the loop has not heard of
	pending int
	ran     time.Duration // in runs that have ended
	since   time.Duration // when this run began

	mu        sync.Mutex
	published LoopStats // under mu
}

// Stats tells what the loop has done and holds. In the loop's callbacks and tasks, and
// while it does not run, the numbers are exact; to other goroutines they are those of the
// last poll. Any goroutine; while the loop does not run, nobody else may use it.
func (l *Loop) Stats() LoopStats {
	l.atRest(func() { l.publishStats(l.pro.Now()) })
	l.counters.mu.Lock()
	defer l.counters.mu.Unlock()
	return l.counters.published
}

// Buffered is how many bytes the loop's connections and endpoints hold: read are those
// that have come and that the program has not taken from a StreamReader or
// DatagramEndpoint, and those that wait for a BufferedProtocol that has paused reading;
// write are those written that the kernel has not taken. What a protocol keeps for itself
// is its own affair. It looks at every connection, 10 ns each, so no poll does it for
// other goroutines: called there, it waits until the loop is between two callbacks.
// Server.Stats is the same for one server. Any goroutine.
func (l *Loop) Buffered() (read, write int) {
	l.ask(func() {
		l.owned.each(func(o owned) {
			if h, ok := o.(holder); ok {
				r, w := h.held()
				read, write = read+r, write+w
			}
		})
	})
	return read, write
}

// outside counts what may wake the loop from outside, other goroutines left aside:
// handles, and what ends by itself.
func (l *Loop) outside() int { return l.owned.count + l.counters.pending }

// publishStats makes the copy that other goroutines see. now is only for the share of
// time that was busy.
func (l *Loop) publishStats(now time.Duration) {
	c := &l.counters
	idle, _ := l.pro.Waited()
	ran := c.ran
	if l.IsRunning() {
		ran += max(0, now-c.since)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.published = LoopStats{
		Turns:     c.turns,
		Callbacks: c.callbacks,
		Wakeups:   c.wakeups,
		Tasks:     len(l.tasks.tasks),
		Ready:     l.ready.len(),
		Timers:    l.timers.Len(),
		Handles:   l.owned.count,
		Busy:      max(0, ran-idle),
		Idle:      idle,
	}
}
