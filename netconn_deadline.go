package asyncio

// The deadlines of a conn. A timer of the runtime ends the calls that wait, so that those
// of goroutines end also while the loop is busy, or does not run.

import (
	"sync"
	"time"
)

// netDeadline is one of the two deadlines. The mutex of the netStream guards it.
type netDeadline struct {
	at     time.Time   // zero: none
	timer  *time.Timer // nil: never needed yet
	passed bool
}

// set moves the deadline. expired is called with s, in a goroutine of its own, when it
// passes.
func (d *netDeadline) set(t time.Time, s *netStream, expired func(*netStream)) {
	d.stop()
	d.at, d.passed = time.Time{}, false
	if t.IsZero() {
		return
	}
	now := time.Now()
	left := t.Sub(now)
	d.at = now.Add(left) // on the clock of the timer, though t may be on that of the wall
	switch {
	case left <= 0:
		d.passed = true
	case d.timer == nil:
		d.timer = time.AfterFunc(left, func() { expired(s) })
	default:
		d.timer.Reset(left)
	}
}

// look notes that the deadline has passed; false if it was moved meanwhile.
func (d *netDeadline) look() bool {
	if !d.at.IsZero() && !time.Now().Before(d.at) {
		d.passed = true
	}
	return d.passed
}

func (d *netDeadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

// limit moves the deadlines and ends the calls for which that is too late; false if the
// conn is closed.
func (s *netStream) limit(onLoop bool, t time.Time, read, write bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return false
	}
	if read {
		s.readLimit.set(t, s, (*netStream).readExpired)
		s.serve(onLoop)
	}
	if write {
		s.writeLimit.set(t, s, (*netStream).writeExpired)
		s.admit(onLoop)
	}
	return true
}

func (s *netStream) readExpired() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readLimit.look() {
		s.serve(false)
	}
}

func (s *netStream) writeExpired() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeLimit.look() {
		s.admit(false)
	}
}

// netBuffers is the memory of what conns hold, which goroutines give back too.
var netBuffers struct {
	mu   sync.Mutex
	pool bufferPool
}
