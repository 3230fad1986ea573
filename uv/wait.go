//go:build cgo

package uv

// Waiting: how a loop spends the time until something happens. It is one small part on
// its own because the best way depends on the program.
//
//	WaitAdaptive  parks, but blocks where that is quicker: while goroutines queue for a processor, and while events come
//	              quickly one after the other. See adapt.go.
//	WaitNetpoll   the goroutine parks, like one that reads a socket, until libuv's descriptor is readable. No thread
//	              waits and no processor changes hands.
//	WaitBlock     the goroutine's thread waits inside libuv. Right for a goroutine that is locked to its thread. The
//	              runtime takes the processor away from a thread that stays in C for more than 20 us if another goroutine
//	              could use it, and giving it back costs a futex call or two.

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// Wait is a way to wait for something to happen.
type Wait int

const (
	WaitAdaptive Wait = iota // park or block, whichever is quicker now
	WaitNetpoll              // park the goroutine in Go's network poller
	WaitBlock                // block the thread in libuv
)

// waiter waits for a loop.
type waiter interface {
	// wait runs one or more turns, until there are records, a wake-up, or the timeout is
	// over; it may return earlier. With a timeout of 0 it runs one turn that does not
	// wait.
	// With ifAlive it does not wait when libuv is not alive.
	wait(timeout time.Duration, ifAlive bool)
	// wake ends a wait. It may be called from any goroutine, while the loop sleeps or a
	// little later.
	wake()
	close()
}

func newWaiter(l *Loop, w Wait) waiter {
	if w != WaitBlock {
		if n := newNetWaiter(l); n != nil {
			if w == WaitNetpoll {
				return n
			}
			return newAdaptiveWaiter(n, newProcessors().load)
		}
	}
	return blockWaiter{l}
}

// blockWaiter is WaitBlock.
type blockWaiter struct{ l *Loop }

func (w blockWaiter) wait(timeout time.Duration, ifAlive bool) {
	l := w.l
	if timeout == 0 || !l.sleep() {
		l.turn(0, false)
		return
	}
	before := l.b.Waited
	l.turn(milliseconds(timeout), ifAlive)
	l.awake()
	l.waited += time.Duration(l.b.Waited - before)
	l.waitEnd = l.Clock()
}

func (w blockWaiter) wake() { w.l.inbox.signal(w.l.b) }

func (w blockWaiter) close() {}

// eventful reports whether the turn that was just run forbids to wait.
func (l *Loop) eventful() bool {
	return l.lim > 0 || l.b.Flags&cbridge.TurnAgain != 0 || l.wakeState.Load()&wakePending != 0
}

// netWaiter is WaitNetpoll. It reads libuv's epoll descriptor through the runtime's
// poller, which is told of edges only. So it may park only when a turn that found nothing
// has come after the poller was armed: syscall.RawConn.Read arms it, calls step, and
// parks if step answers false. A turn that found something may leave more behind, of
// which no edge will tell.
//
// A loop that has had no reason to park for some turns closes its gate, see
// gate_linux.go.
//
// Deadlines and wake-ups both come through SetReadDeadline, without a system call. The
// deadline is left alone as long as it is no later than needed: waking early once is
// cheaper than moving it every turn.
type netWaiter struct {
	l        *Loop
	gate     gate
	busy     int // turns since the last that parked
	file     *os.File
	conn     syscall.RawConn
	stepFunc func(uintptr) bool // step, made once because it escapes

	timeout  time.Duration
	ifAlive  bool
	turned   bool          // a turn has run in this wait
	asleep   bool          // step has answered false
	start    time.Duration // when it did
	deadline time.Duration // of the file, on the loop's clock; Forever: none
	spent    bool          // the deadline is over
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

func newNetWaiter(l *Loop) *netWaiter {
	g, err := openGate(l.b.BackendFD())
	if err != nil {
		return nil
	}
	w := &netWaiter{l: l, gate: g, file: os.NewFile(uintptr(g.fd), "libuv"), deadline: Forever}
	w.stepFunc = w.step
	if w.file.SetReadDeadline(time.Time{}) == nil { // it is an error where the poller does not take the descriptor
		w.conn, err = w.file.SyscallConn()
		if err == nil {
			return w
		}
	}
	w.file.Close()
	return nil
}

// busyTurns is how many turns without parking close the gate. Closing and opening it
// costs three system calls of 0.2 us; an event that wakes an idle processor in vain costs
// it 2 us.
const busyTurns = 8

func (w *netWaiter) wait(timeout time.Duration, ifAlive bool) {
	if w.busy++; w.busy == busyTurns {
		w.gate.close()
	}
	if timeout == 0 {
		w.l.turn(0, false)
		return
	}
	w.timeout, w.ifAlive, w.turned = timeout, ifAlive, false
	if w.spent {
		w.setDeadline(Forever)
	}
	err := w.conn.Read(w.stepFunc)
	if w.asleep {
		w.rouse()
	}
	if err != nil {
		w.spent = true
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			panic(&Error{Op: "wait", Errno: EIO})
		}
	}
	if !w.turned { // a wake-up came so late that it has ended the next wait before it began
		w.l.turn(0, false)
	}
}

// step runs a turn and answers true if the wait is over. It answers false at most once:
// after an edge comes one more turn.
func (w *netWaiter) step(uintptr) bool {
	l := w.l
	if w.asleep {
		w.rouse()
		l.turn(0, false)
		return true
	}
	l.turn(0, false)
	w.turned = true
	if l.eventful() || w.ifAlive && l.b.Flags&cbridge.TurnAlive == 0 {
		return true
	}
	w.busy = 0
	if w.gate.reopen() {
		l.turn(0, false)
		return true
	}
	w.start = l.Clock()
	w.arm()
	w.asleep = l.sleep()
	return !w.asleep
}

// rouse ends the sleep.
func (w *netWaiter) rouse() {
	w.asleep = false
	w.l.awake()
	w.l.waitEnd = w.l.Clock()
	w.l.waited += w.l.waitEnd - w.start
}

// arm sees to it that the deadline is not later than the timeout.
func (w *netWaiter) arm() {
	if w.timeout == Forever {
		if w.deadline != Forever {
			w.setDeadline(Forever)
		}
		return
	}
	if want := later(w.start, w.timeout); w.deadline > want || w.deadline <= w.start {
		w.setDeadline(want)
	}
}

func (w *netWaiter) setDeadline(d time.Duration) {
	w.deadline, w.spent = d, false
	var t time.Time
	if d != Forever {
		t = w.l.base.Add(d)
	}
	w.file.SetReadDeadline(t)
}

func (w *netWaiter) wake() { w.file.SetReadDeadline(past) }

func (w *netWaiter) close() { w.file.Close() }
