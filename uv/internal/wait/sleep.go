//go:build unix

package wait

import (
	"sync"
	"sync/atomic"
	"time"
)

// Sleep is the state that the goroutine of a loop shares with those that wake it, and the
// account of how long the loop has slept. It must not be copied after its first use.
//
//	bit       set by                        cleared by
//	woken     Wake                          Forget, after the loop has waited
//	sleeping  begin, before the loop waits  end, after it
//	embedded  Embed                         never
//
// A producer first leaves its work where the loop finds it, and then calls Wake. Only the
// producer that sets woken while the loop sleeps has to end the wait. The loop goes to
// sleep by a compare-and-swap that fails when woken is set, so no wake-up is lost.
type Sleep struct {
	Base time.Time // the zero of Clock, to be set before the first use

	bits  atomic.Uint32
	total time.Duration // of all waits
	until time.Duration // when the last wait was over
	meter *meter        // nil: nobody asks
}

const (
	woken uint32 = 1 << iota
	sleeping
	embedded
)

// Wake notes a wake-up and reports what the caller has to end: a wait of the Waiter, or
// that of another loop, by signalling the descriptor. Wake-ups coalesce. It may be called
// from any goroutine.
func (s *Sleep) Wake() (waiter, descriptor bool) {
	for {
		old := s.bits.Load()
		if old&woken != 0 {
			return false, false
		}
		if s.bits.CompareAndSwap(old, old|woken) {
			return old&(sleeping|embedded) == sleeping, old&embedded != 0
		}
	}
}

// Woken reports whether there was a wake-up since the last Forget.
func (s *Sleep) Woken() bool { return s.bits.Load()&woken != 0 }

// Forget forgets the wake-up: the next one is for the next wait.
func (s *Sleep) Forget() { s.bits.And(^woken) }

// Embed makes every later wake-up signal the descriptor, for another loop watches it.
func (s *Sleep) Embed() { s.bits.Or(embedded) }

// begin reports whether the loop may wait, for nobody has woken it. If so, end and slept
// follow.
func (s *Sleep) begin() bool {
	old := s.bits.Load()
	if old&woken != 0 || !s.bits.CompareAndSwap(old, old|sleeping) {
		return false
	}
	if s.meter != nil {
		s.meter.begin(s.Clock())
	}
	return true
}

func (s *Sleep) end() {
	s.bits.And(^sleeping)
	s.until = s.Clock()
}

// slept counts a wait that is over.
func (s *Sleep) slept(d time.Duration) {
	s.total += d
	if s.meter != nil {
		s.meter.end(s.total)
	}
}

// Clock is the time since Base. It may be called from any goroutine.
func (s *Sleep) Clock() time.Duration { return time.Since(s.Base) }

// Total is how long the loop has waited, all in all, and when, by Clock, the last wait
// was over.
func (s *Sleep) Total() (total, until time.Duration) { return s.total, s.until }

// meter is what other goroutines may know of the sleep.
type meter struct {
	mu     sync.Mutex
	total  time.Duration // of the waits that are over
	asleep bool
	since  time.Duration // when the wait that lasts began, by Clock
	told   time.Duration
}

func (m *meter) begin(now time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asleep, m.since = true, now
}

func (m *meter) end(total time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asleep, m.total = false, total
}

// Meter lets Metered tell how long the loop has slept. It precedes the first wait.
func (s *Sleep) Meter() { s.meter = new(meter) }

// Metered is how long the loop has slept, the wait that lasts included; 0 without Meter.
// It never falls. It may be called from any goroutine.
func (s *Sleep) Metered() time.Duration {
	m := s.meter
	if m == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.total
	if m.asleep {
		now += s.Clock() - m.since
	}
	m.told = max(m.told, now) // the time that a wait turns out to have taken may be a little less
	return m.told
}
