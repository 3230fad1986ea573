//go:build cgo

package uv

import (
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
	"github.com/seed-a026a017/asyncio/uv/internal/wait"
)

// Wait is a way to wait for something to happen.
type Wait int

const (
	// WaitBlock blocks the thread in libuv, as a C program does. It is the plain way,
	// and right for a goroutine that is locked to its thread. While other goroutines
	// want to run, the runtime takes the processor away from a thread that stays in C
	// for more than 20 us, and getting it back costs a futex call or two.
	WaitBlock Wait = iota
	// WaitNetpoll parks the goroutine in Go's network poller until libuv has something,
	// like one that reads a socket. No thread waits and no processor changes hands.
	WaitNetpoll
	// WaitAdaptive parks, but blocks where that is quicker: while goroutines queue for a
	// processor, and while events come quickly one after the other.
	WaitAdaptive
)

func newWaiter(l *Loop, w Wait) wait.Waiter {
	switch w {
	case WaitAdaptive:
		return wait.Adapt((*waitingLoop)(l), &l.sleep)
	case WaitNetpoll:
		return wait.Park((*waitingLoop)(l), &l.sleep)
	}
	return wait.Block((*waitingLoop)(l), &l.sleep)
}

// waitingLoop is a Loop as package wait sees it.
type waitingLoop Loop

func (w *waitingLoop) Turn(timeout time.Duration, ifAlive bool) wait.Found {
	l := (*Loop)(w)
	before := l.b.Waited
	l.turn(milliseconds(timeout), ifAlive)
	return wait.Found{
		Events: l.lim > 0 || l.b.Flags&cbridge.TurnAgain != 0,
		Alive:  l.b.Flags&cbridge.TurnAlive != 0,
		Waited: time.Duration(l.b.Waited - before),
	}
}

func (w *waitingLoop) Now() uint64 { return w.b.Now }

func (w *waitingLoop) BackendFD() int { return w.b.BackendFD() }

func (w *waitingLoop) TickFD() int { return w.b.TickFD() }

func (w *waitingLoop) Signal() { w.inbox.signal(w.b) }
