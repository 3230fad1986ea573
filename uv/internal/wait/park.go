//go:build unix

package wait

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// parker parks the goroutine in the runtime's network poller, until the descriptor of the
// loop is readable.
//
// The runtime's poller reports edges only. So parker may park only after a turn that came
// when the poller was armed and found nothing. A turn that found something may leave more
// behind, and no edge will tell of that. This is how it is kept:
// syscall.RawConn.Read arms the poller, calls step, and parks if step returns false.
//
// A loop that has had no reason to park for some turns closes its gate, see
// gate_linux.go.
//
// Timeouts and wake-ups both come through SetReadDeadline, without a system call. A
// deadline that is no later than needed stays: to wake up early once is cheaper than to
// move it every turn.
type parker struct {
	loop     Loop
	sleep    *Sleep
	gate     gate
	busy     int // turns since the last that parked
	file     *os.File
	conn     syscall.RawConn
	stepFunc func(uintptr) bool // step, made once because it escapes

	timeout  time.Duration
	ifAlive  bool
	turned   bool          // a turn has run in this wait
	asleep   bool          // step has returned false
	start    time.Duration // when it did
	deadline time.Duration // of file, by the loop's clock; forever if it has none
	spent    bool          // the deadline is over
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// busyTurns is how many turns without parking close the gate. To close and to open it
// costs three system calls of 0.2 us; an event that wakes an idle P in vain costs it 2
// us.
const busyTurns = 8

// newParker returns nil where the runtime's poller does not take the loop's descriptor.
func newParker(l Loop, s *Sleep) *parker {
	g, err := openGate(l.BackendFD())
	if err != nil {
		return nil
	}
	w := &parker{loop: l, sleep: s, gate: g, file: os.NewFile(uintptr(g.fd), "gate"), deadline: forever}
	w.stepFunc = w.step
	err = w.file.SetReadDeadline(time.Time{}) // fails for a file that the poller did not take
	if err == nil {
		w.conn, err = w.file.SyscallConn()
	}
	if err != nil {
		w.file.Close()
		return nil
	}
	return w
}

func (w *parker) Wait(timeout time.Duration, ifAlive bool) {
	if w.busy++; w.busy == busyTurns {
		w.gate.close()
	}
	if timeout == 0 {
		w.loop.Turn(0, false)
		return
	}
	w.timeout, w.ifAlive, w.turned = timeout, ifAlive, false
	if w.spent {
		w.setDeadline(forever)
	}
	err := w.conn.Read(w.stepFunc)
	if w.asleep {
		w.rouse()
	}
	if err != nil {
		w.spent = true
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			panic(fmt.Errorf("uv: wait: %w", err))
		}
	}
	if !w.turned { // a late wake-up has ended this wait before it began
		w.loop.Turn(0, false)
	}
}

// step runs a turn and reports whether the wait is over. It returns false at most once:
// after an edge comes one more turn.
func (w *parker) step(uintptr) bool {
	if w.asleep {
		w.rouse()
		w.loop.Turn(0, false)
		return true
	}
	found := w.loop.Turn(0, false)
	w.turned = true
	if found.Events || w.sleep.Woken() || w.ifAlive && !found.Alive {
		return true
	}
	w.busy = 0
	if w.gate.reopen() {
		w.loop.Turn(0, false)
		return true
	}
	w.start = w.sleep.Clock()
	w.arm()
	w.asleep = w.sleep.begin()
	return !w.asleep
}

// rouse ends the sleep.
func (w *parker) rouse() {
	w.asleep = false
	w.sleep.end()
	w.sleep.slept(w.sleep.until - w.start)
}

// arm makes the deadline no later than the timeout.
func (w *parker) arm() {
	if w.timeout == forever {
		if w.deadline != forever {
			w.setDeadline(forever)
		}
		return
	}
	want := w.start + min(w.timeout, forever-w.start)
	if w.deadline > want || w.deadline <= w.start {
		w.setDeadline(want)
	}
}

func (w *parker) setDeadline(d time.Duration) {
	w.deadline, w.spent = d, false
	var t time.Time
	if d != forever {
		t = w.sleep.Base.Add(d)
	}
	w.file.SetReadDeadline(t)
}

func (w *parker) Wake() { w.file.SetReadDeadline(past) }

func (w *parker) Close() { w.file.Close() }
