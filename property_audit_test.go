package asyncio

// What the tests with random programs see of a loop from inside: a clock that they own,
// and an audit of everything that waits.

import (
	"fmt"
	"slices"
	"time"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// VirtualTime makes time of l pass only while its poll would wait, and then at once.
// observe runs before every poll, and idle when the loop would wait for ever.
func VirtualTime(l *Loop, observe, idle func()) {
	l.pro = &virtualClock{Proactor: l.pro, observe: observe, idle: idle}
}

// virtualClock is a driver whose clock is a number.
type virtualClock struct {
	proactor.Proactor
	now           time.Duration
	observe, idle func()
}

func (c *virtualClock) Now() time.Duration { return c.now }

func (c *virtualClock) Waited() (total, until time.Duration) { return c.now, c.now }

func (c *virtualClock) Poll(timeout time.Duration) error {
	c.observe()
	if timeout == Forever {
		c.idle()
	} else {
		c.now += timeout
	}
	return c.Proactor.Poll(0)
}

// LiveCoroutines counts the stacks that the loop still has.
func LiveCoroutines(l *Loop) int { return l.coroutines.live }

// GroupRequests reports whether the group has cancelled its parent, and its children.
func GroupRequests(tg *TaskGroup) (parent, children bool) { return tg.requested, tg.aborting }

// Permits counts those that a semaphore has, and those that it has given to tasks which
// have yet to run.
func Permits(s *Semaphore) int {
	n := s.permits
	for p := s.line.first; p != nil; p = p.next {
		if p.state == placeWoken {
			n++
		}
	}
	return n
}

// Unfinished counts the items of a queue that were not reported done.
func Unfinished[T any](q *Queue[T]) int { return q.unfinished }

// InBarrier counts the tasks of the barrier's present phase.
func InBarrier(b *Barrier) int { return b.count }

// Forgotten reports whether tasks wait for a condition, and nobody that was notified is
// on the way to its lock.
func Forgotten(c *Condition) bool { return c.line.stuck() && c.Lock.line.first == nil && !c.locked }

// InLine counts the tasks that stand before a primitive.
func InLine(primitive any) int {
	n := 0
	for _, q := range linesOf(primitive) {
		for p := q.first; p != nil; p = p.next {
			n++
		}
	}
	return n
}

func linesOf(primitive any) []*waitQueue {
	switch p := primitive.(type) {
	case *Lock:
		return []*waitQueue{&p.line}
	case *Event:
		return []*waitQueue{&p.line}
	case *Condition:
		return []*waitQueue{&p.line, &p.Lock.line}
	case *Semaphore:
		return []*waitQueue{&p.line}
	case *Barrier:
		return []*waitQueue{&p.line}
	case *Queue[int]:
		return []*waitQueue{&p.getters, &p.putters, &p.joiners}
	}
	panic(fmt.Sprintf("no lines are known of a %T", primitive))
}

// audit is one look at a loop that is between two statements.
type audit struct {
	loop  *Loop
	ready map[runnable]int // how often each entry stands in the ready queue
	err   error            // the first fault
}

// Audit tells what is wrong with l's tasks, and with the primitives and futures that they
// wait for; nil: nothing.
func Audit(l *Loop, primitives ...any) error {
	a := &audit{loop: l, ready: map[runnable]int{}}
	a.must(l.current != nil || l.deputy == nil, "no task runs, and there is a deputy")
	a.must(l.unwinding == nil, "a coroutine is left suspended in a Goexit")
	q := &l.ready
	for seq := q.head; seq != q.tail; seq++ {
		switch r := q.ring[seq&uint64(len(q.ring)-1)].(type) {
		case *task:
			a.ready[r]++
		case *sleeper:
			a.ready[r]++
		}
	}
	for i, t := range l.tasks.tasks {
		a.task(t)
		a.must(int(t.place) == i, "%s is listed at %d and not at %d", named{t}, i, t.place)
	}
	l.timers.All(func(t timed) bool {
		a.must(useful(t), "a %T is armed for nobody", t)
		return true
	})
	for _, p := range primitives {
		if f, ok := p.(*Future[int]); ok {
			a.waiters(&f.future)
			continue
		}
		for _, line := range linesOf(p) {
			a.line(line, fmt.Sprintf("%T", p))
		}
		a.primitive(p)
	}
	return a.err
}

func (a *audit) must(ok bool, format string, args ...any) {
	if !ok && a.err == nil {
		a.err = fmt.Errorf(format, args...)
	}
}

// useful reports whether somebody still waits for the timer.
func useful(t timed) bool {
	switch t := t.(type) {
	case *timeoutTimer:
		return t.s != nil && t.s.state == timeoutEntered
	case *sleeper:
		return t.t != nil
	case *timerCall:
		return t.fn != nil
	}
	return false
}

// named is a task that a message names; most are never written.
type named struct{ *task }

func (n named) String() string { return n.Name() }

// task checks that t is in exactly one of running, ready and suspended, and in no list
// that belongs to another.
func (a *audit) task(t *task) {
	name, l := named{t}, a.loop
	nested := l.current != nil && l.current.co.nested
	a.must(t.future.state == pending, "%s is done and still listed", name)
	a.waiters(&t.future)
	a.must(t.requests >= 0, "%s has %d requests", name, t.requests)
	switch t.phase {
	case taskRunning:
		a.must(t == l.current || nested, "%s is running, and so is another", name)
		a.must(a.ready[t] == 0, "%s is running and stands in the ready queue", name)
	case taskReady:
		a.must(t != l.current, "%s is ready while it runs", name)
		a.must(a.ready[t] == 1, "%s is ready and stands %d times in the ready queue", name, a.ready[t])
		a.must(t.awaits() == nil, "%s is ready and still waits for a %T", name, t.awaits())
	case taskSuspended:
		a.must(t != l.current, "%s is suspended while it runs", name)
		a.must(a.ready[t] == 0, "%s is suspended and stands in the ready queue", name)
		a.must(a.registered(t), "%s is suspended, and its %T knows nothing of it: nobody will wake it", name, t.awaits())
		// The future of a gather whose children are all done, but not yet heard of,
		// refuses to be cancelled.
		f, _ := t.awaits().(*future)
		a.must(t.interrupted == nil || f != nil && f.rare != nil && f.rare.onCancel != nil, "%s is suspended and should be interrupted", name)
	default:
		a.must(false, "%s is listed in phase %d", name, t.phase)
	}
}

// registered reports whether the thing that t waits for will wake it, once.
func (a *audit) registered(t *task) bool {
	switch w := t.awaits().(type) {
	case *waitPlace:
		return w.task == t && w.state == placeWaiting && w.line.holds(w)
	case *future:
		return w.state == pending && w.registrations(t) == 1
	case *task:
		return w.future.state == pending && w.future.registrations(t) == 1
	case *sleeper:
		return w.t == t && (w.Armed() != (a.ready[w] == 1))
	case *waitPoint:
		return w.task == t
	}
	return false
}

// waiters checks that those who stand in a future's list still wait.
func (a *audit) waiters(f *future) {
	for _, w := range f.waiters() {
		switch w := w.(type) {
		case *task:
			waits := w.phase == taskSuspended && (w.awaits() == aborter(f) || w.awaits() == aborter(w.awaited(f)))
			a.must(waits, "%s is still in the list of a future that it does not await", named{w})
		case *waitLink:
			a.must(w.w.enough.taken() || a.loop.ready.len() > 0, "a Wait that has ended is still in the list of a future")
		}
	}
}

// awaited is the task around f, if that is what t awaits.
func (t *task) awaited(f *future) *task {
	if w, ok := t.awaits().(*task); ok && &w.future == f {
		return w
	}
	return nil
}

func (q *waitQueue) holds(place *waitPlace) bool {
	for p := q.first; p != nil; p = p.next {
		if p == place {
			return true
		}
	}
	return false
}

func (f *future) registrations(w waiter) int {
	n := 0
	for _, other := range f.waiters() {
		if other == w {
			n++
		}
	}
	return n
}

// line checks the links of a line, and that each place in it agrees with its task.
func (a *audit) line(q *waitQueue, of string) {
	var last, firstWaiting *waitPlace
	live := 0
	for p := q.first; p != nil; p = p.next {
		a.must(p.prev == last && p.line == q, "a %s's line is broken", of)
		if p.state == placeWaiting {
			a.must(p.task.phase == taskSuspended && p.task.awaits() == aborter(p), "%s waits for a %s without being suspended there", named{p.task}, of)
			if firstWaiting == nil {
				firstWaiting = p
			}
		} else {
			a.must(p.task.phase == taskReady, "%s was woken by a %s and is not ready", named{p.task}, of)
		}
		if p.state != placeCancelled {
			live++
		}
		last = p
	}
	a.must(q.last == last, "the end of a %s's line is wrong", of)
	a.must(q.waiting == firstWaiting, "a %s takes the wrong task for the first that waits", of)
	a.must(q.live == live, "a %s counts %d live tasks in a line of %d", of, q.live, live)
}

// stuck reports whether nobody in the line is on the way out, so that nobody but an
// outsider will wake the first.
func (q *waitQueue) stuck() bool { return q.waiting != nil && q.first == q.waiting }

// primitive checks that nobody waits for what is there.
func (a *audit) primitive(primitive any) {
	switch p := primitive.(type) {
	case *Lock:
		a.must(p.locked || !p.line.stuck(), "a Lock is free and a task waits for it")
	case *Condition:
		a.primitive(p.Lock)
	case *Event:
		a.must(!p.set || p.line.waiting == nil, "an Event is set and a task waits for it")
	case *Semaphore:
		a.must(p.permits >= 0, "a Semaphore has %d permits", p.permits)
		a.must(p.permits == 0 || !p.line.stuck(), "a Semaphore has %d permits and a task waits for one", p.permits)
	case *Barrier:
		a.must(p.count >= 0 && p.count <= p.parties, "a Barrier of %d has %d tasks inside", p.parties, p.count)
		a.must(p.state != barrierFilling || p.count < p.parties, "a Barrier is full and does not drain")
		a.must(p.state == barrierFilling || p.state == barrierBroken || p.count > 0, "a Barrier lets nobody in, and nobody is inside")
		a.must(p.state == barrierFilling || !p.line.stuck(), "a task waits for a Barrier that does not fill")
		for i, index := range p.vacated {
			a.must(index < p.parties && !slices.Contains(p.vacated[:i], index), "a Barrier has vacated %v", p.vacated)
		}
	case *Queue[int]:
		n := p.Len()
		a.must(p.maxsize <= 0 || n <= p.maxsize, "a Queue for %d holds %d items", p.maxsize, n)
		a.must(n == 0 && !p.shut || !p.getters.stuck(), "a task waits in Get of a Queue with %d items", n)
		a.must(p.Full() && !p.shut || !p.putters.stuck(), "a task waits in Put of a Queue with %d of %d items", n, p.maxsize)
		a.must(p.unfinished > 0 || !p.joiners.stuck(), "a task waits in Join of a Queue without unfinished items")
	}
}
