//go:build unix

package wait

import (
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

// begin reports whether the loop may wait, for nobody has woken it. If so, end follows.
func (s *Sleep) begin() bool {
	old := s.bits.Load()
	return old&woken == 0 && s.bits.CompareAndSwap(old, old|sleeping)
}

func (s *Sleep) end() {
	s.bits.And(^sleeping)
	s.until = s.Clock()
}

// Clock is the time since Base. It may be called from any goroutine.
func (s *Sleep) Clock() time.Duration { return time.Since(s.Base) }

// Total is how long the loop has waited, all in all, and when, by Clock, the last wait
// was over.
func (s *Sleep) Total() (total, until time.Duration) { return s.total, s.until }
