package asyncio

// The line in which tasks stand before a Lock, Event, Condition, Semaphore, Barrier or
// Queue, first come first served. A place in it has three states:
//
//	waiting -> woken      by wakeNext: the task runs in the next turn
//	        -> cancelled  by abort: the task runs in the next turn and learns why
//
// A task leaves its place itself, when it runs. Until then it still stands in line:
// nobody who comes later gets ahead of one that was woken, and one that is woken and then
// cancelled can pass the wake on. This is what asyncio does with a deque of futures, to
// the turn.
//
// Joining, leaving and waking take constant time; wakeNext passes each place once.

import "fmt"

type placeState uint8

const (
	placeWaiting placeState = iota
	placeWoken
	placeCancelled
)

// waitPlace is one task's place in a line.
type waitPlace struct {
	task       *task
	line       *waitQueue
	prev, next *waitPlace
	state      placeState
}

// waitQueue is the line. Its zero value is empty.
type waitQueue struct {
	first, last *waitPlace
	waiting     *waitPlace // the first that waits: those before it were woken or cancelled
	live        int        // places that were not cancelled
}

// wait suspends a's task at the end of the line. woken reports whether it was its turn,
// which may be so although err says that it was cancelled afterwards: then the caller
// passes on what it was woken for.
func (q *waitQueue) wait(a awaiter) (woken bool, err error) {
	p := &waitPlace{task: a.task, line: q}
	q.join(p)
	err = a.park(p)
	q.leave(p)
	return p.state == placeWoken, err
}

// wakeNext wakes the first task that waits, if there is one.
func (q *waitQueue) wakeNext() bool {
	p := q.waiting
	if p == nil {
		return false
	}
	if l := p.task.loop; l.debug {
		l.checkGoroutine("wake")
		p.task.mustBe(taskSuspended)
	}
	p.state = placeWoken
	q.advance()
	p.task.wake(nil)
	return true
}

// wakeHead wakes the task at the head of the line, unless it was woken or cancelled
// already and is about to leave.
func (q *waitQueue) wakeHead() {
	if q.first != nil && q.first == q.waiting {
		q.wakeNext()
	}
}

func (q *waitQueue) wakeAll() {
	for q.wakeNext() {
	}
}

// abort implements aborter.
func (p *waitPlace) abort(*task) bool {
	if p.state != placeWaiting {
		return false
	}
	p.state = placeCancelled
	p.line.live--
	if p.line.waiting == p {
		p.line.advance()
	}
	return true
}

// advance moves on to the first place that waits.
func (q *waitQueue) advance() {
	for q.waiting != nil && q.waiting.state != placeWaiting {
		q.waiting = q.waiting.next
	}
}

func (q *waitQueue) join(p *waitPlace) {
	p.prev = q.last
	if q.last == nil {
		q.first = p
	} else {
		q.last.next = p
	}
	q.last = p
	if q.waiting == nil {
		q.waiting = p
	}
	q.live++
}

func (q *waitQueue) leave(p *waitPlace) {
	if p.prev == nil {
		q.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		q.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	if p.state == placeWoken {
		q.live--
	}
}

// loopBinding binds a primitive to the loop of the first task that waited for it. Before
// that, any loop may use it.
type loopBinding struct{ loop *Loop }

// bind is called before every wait.
func (b *loopBinding) bind(l *Loop, what string) error {
	if b.loop == nil {
		b.loop = l
	}
	if b.loop != l {
		return fmt.Errorf("%w: the %s is bound to a different event loop, whose tasks have waited for it; make one for each loop",
			ErrWrongLoop, what)
	}
	return nil
}
