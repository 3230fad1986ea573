package asyncio

// Calls that wait: for bytes, for room, for a connection. They stand in a line, tasks and
// goroutines mixed, first come first served, and whoever has what they wait for answers
// them, in whatever goroutine that is.
//
//	state     noted                          next
//	waiting   in the line                    answered; called, if a task; gone
//	called    in the line: its task shall    waiting, gone
//	          look again
//	answered  a task's stays in the line     gone
//	          until that runs
//	gone      out of the line
//
// A task's call that has got bytes stays at the head until the task runs: if it was
// cancelled meanwhile they go back, and nobody has read what comes after them.

import (
	"fmt"
	"net"
	"sync"
)

type netCallState uint8

const (
	netCallGone netCallState = iota
	netCallWaiting
	netCallCalled
	netCallAnswered
)

// netCall is one call that waits. The mutex of the line's owner guards it.
type netCall struct {
	line       *netLine
	task       *task         // nil: a goroutine
	done       chan struct{} // answers a goroutine
	p          []byte        // of a Read
	n          int           // bytes that were read
	conn       *netConn      // that was accepted
	err        error
	state      netCallState
	prev, next *netCall
}

// netLine is the line, and the mutex of what it waits for.
type netLine struct {
	mu          *sync.Mutex
	first, last *netCall
}

// netCalls keeps calls for later ones.
var netCalls = sync.Pool{New: func() any { return &netCall{done: make(chan struct{}, 1)} }}

// join puts a call of t's, or of a goroutine, at the end of the line.
func (q *netLine) join(t *task) *netCall {
	e := netCalls.Get().(*netCall)
	e.line, e.task, e.state = q, t, netCallWaiting
	e.prev = q.last
	if q.last == nil {
		q.first = e
	} else {
		q.last.next = e
	}
	q.last = e
	return e
}

// remove takes e out of the line, if it is there.
func (q *netLine) remove(e *netCall) {
	if e.state == netCallGone {
		return
	}
	if e.prev == nil {
		q.first = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		q.last = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.prev, e.next, e.state = nil, nil, netCallGone
}

// waiting is the call at the head, unless there is none or it was answered already.
func (q *netLine) waiting() *netCall {
	if q.first == nil || q.first.state != netCallWaiting {
		return nil
	}
	return q.first
}

// free gives e back, which is in no line and waits for nothing.
func (e *netCall) free() {
	*e = netCall{done: e.done}
	netCalls.Put(e)
}

// park suspends the task of e, with the mutex unlocked meanwhile.
func (e *netCall) park() error {
	e.line.mu.Unlock()
	err := awaiter{task: e.task}.park(e)
	e.line.mu.Lock()
	return err
}

// block is park for a goroutine. Then e is out of the line.
func (e *netCall) block() {
	e.line.mu.Unlock()
	<-e.done
	e.line.mu.Lock()
}

// abort implements aborter.
func (e *netCall) abort(*task) bool {
	e.line.mu.Lock()
	defer e.line.mu.Unlock()
	if e.state != netCallWaiting {
		return false
	}
	e.line.remove(e)
	return true
}

// run implements runnable: it wakes the task of a call that was answered elsewhere.
func (e *netCall) run(*Loop) { e.task.wake(nil) }

// answer ends the wait of e with what e has been given. A task is woken here, if this is
// its loop; else the loop is told to.
func (e *netCall) answer(onLoop bool) {
	if e.task == nil {
		e.line.remove(e)
		e.done <- struct{}{}
		return
	}
	e.state = netCallAnswered
	e.wake(onLoop)
}

// call makes the task of e look again.
func (e *netCall) call(onLoop bool) {
	e.state = netCallCalled
	e.wake(onLoop)
}

func (e *netCall) wake(onLoop bool) {
	if onLoop {
		e.task.wake(nil)
	} else {
		e.task.loop.post(e)
	}
}

// describe appends the calls of a line that wait.
func (q *netLine) describe(calls []string, method string, remote net.Addr) []string {
	for e := q.first; e != nil; e = e.next {
		who := "a goroutine"
		if e.task != nil {
			who = e.task.Name()
		}
		calls = append(calls, fmt.Sprintf("%s in %s of %v", who, method, remote))
	}
	return calls
}
