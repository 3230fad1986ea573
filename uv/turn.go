//go:build cgo

package uv

// One turn:
//
//	idle      callbacks of idle handles
//	prepare   callbacks of prepare handles
//	poll      one call into the bridge: the operations are executed and libuv runs
//	          once; it waits if nothing keeps it
//	settle    writes and sends that the flush has finished
//	late      bytes and ends that were read before a ReadStop, for streams that read
//	          again
//	answers   requests that needed no libuv
//	records   what libuv has reported of handles and requests, in its order
//	check     callbacks of check handles
//	posts     functions posted before this moment
//	timers    those that are due at this moment
//	deferred  what methods must not report from inside their call
//
// Records are dispatched up to the number there was after the poll; operations that a
// callback has flushed may append more, and those wait for the next turn. A cursor moves
// before each call, so a callback that panics loses its own record and no other: the next
// turn goes on behind it.

import (
	"math"
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
)

type turnState struct {
	cur, lim uint32 // records: the next to dispatch, and the end of this turn's
	calls    uint64 // callbacks run since the loop was made
	settling []*Stream
	sending  []*UDP
	late     []*Stream
	answers  []func()
	deferred []func()
	posted   bool // the inbox may hold something
	slabUsed int  // under WithChecks

	pulled     []byte  // where large reads go; valid for one callback
	pulledUsed int     // under WithChecks
	readable   *Stream // whose OnReadable runs
}

// submission is the queue of operations for the next flush. Everything in it lies in C
// memory.
type submission struct {
	ops       []cbridge.Op
	pieces    []cbridge.Piece
	arena     []byte
	nops      uint32
	npieces   uint32
	arenaUsed uint32
	seq       uint64 // number of the coming flush; what was gathered under an older one is gone
}

func (q *submission) init(b *cbridge.Loop) {
	*q = submission{ops: b.Ops, pieces: b.Pieces, arena: b.Arena, seq: 1}
}

// submit appends an operation.
func (l *Loop) submit(kind uint8, slot, gen uint32, arg int32) {
	if l.nops == cbridge.OpsMax {
		l.flush()
	}
	l.ops[l.nops] = cbridge.Op{Kind: kind, Slot: slot, Gen: gen, Arg: arg}
	l.nops++
}

// flush executes the operations now. What it reports is dispatched in the next turn.
func (l *Loop) flush() {
	if l.nops == 0 {
		return
	}
	from := l.b.NRec
	l.b.Flush(l.nops)
	l.flushed()
	l.absorbed(from)
}

// absorbed absorbs the records from one on, and takes those that are done with out of the
// queue: a turn may flush any number of times.
func (l *Loop) absorbed(from uint32) {
	l.absorb(from, l.b.NRec)
	n := from
	for i := from; i < l.b.NRec; i++ {
		if r := l.b.Rec(i); r.Kind != cbridge.RecNone {
			*l.b.Rec(n) = *r
			n++
		}
	}
	l.b.NRec = n
}

func (l *Loop) flushed() {
	l.nops, l.npieces, l.arenaUsed = 0, 0, 0
	l.seq++
}

// absorb takes in what a flush says about write queues. That is bookkeeping, not a
// report, and it must not be late: the size of a queue is right as soon as the flush is
// over.
func (l *Loop) absorb(from, to uint32) {
	for i := from; i < to; i++ {
		r := l.b.Rec(i)
		switch r.Kind {
		case cbridge.RecLeft:
			if s := l.stream(r.Slot); s != nil {
				s.queued += int(r.Value)
			}
			r.Kind = cbridge.RecNone
		case cbridge.RecWriteError:
			if s := l.stream(r.Slot); s != nil {
				s.flags |= streamWriteFailed
			}
		case cbridge.RecUnsent, cbridge.RecSendError:
			if h := l.bridged[r.Slot]; h != nil && h.common().gen == r.Gen {
				h.record(*r)
			}
			r.Kind = cbridge.RecNone
		}
	}
}

// turn is the crossing. A negative timeout waits without limit.
func (l *Loop) turn(ms int64, ifAlive bool) {
	flushed := l.nops > 0
	l.b.Turn(l.nops, l.cur, ms, ifAlive)
	l.cur, l.lim = 0, l.b.NRec
	l.flushed()
	if flushed {
		l.absorb(0, l.b.NFlush)
	}
}

// restless reports whether there is something to do that needs no poll.
func (l *Loop) restless() bool {
	return len(l.settling) > 0 || len(l.sending) > 0 || len(l.late) > 0 || len(l.answers) > 0 || len(l.deferred) > 0 || l.posted || l.b.NRec > l.cur
}

// pollTimeout is how long the poll of this turn may wait, at most timeout.
func (l *Loop) pollTimeout(timeout time.Duration) time.Duration {
	if l.b.Flags&cbridge.TurnAgain != 0 || l.restless() || l.phases[idlePhase].active > 0 {
		return 0
	}
	if when, ok := l.timers.heap.Next(); ok {
		return max(0, min(timeout, time.Duration(when)-l.Clock()))
	}
	return timeout
}

// once runs one turn that waits at most timeout. With ifAlive it does not wait for
// nothing.
func (l *Loop) once(timeout time.Duration, ifAlive bool) {
	if l.cur < l.lim { // a callback has cut the last turn short
		l.dispatch()
		return
	}
	if l.phases[idlePhase].active+l.phases[preparePhase].active > 0 {
		l.runPhase(idlePhase)
		l.runPhase(preparePhase)
	}
	if timeout != 0 {
		timeout = l.pollTimeout(timeout)
	}
	l.waiter.Wait(timeout, ifAlive && l.refs == 0)
	if l.sleep.Woken() {
		l.sleep.Forget() // from here on a wake-up is for the next turn
		l.posted = true
	}
	l.settle()
	if len(l.sending) > 0 {
		l.settleSends()
	}
	l.deliverLate()
	if len(l.answers) > 0 {
		l.tellAnswers()
	}
	l.dispatch()
	l.afterPoll()
}

func (l *Loop) dispatch() {
	l.readable = nil // a handler that panicked has left it
	for l.cur < l.lim {
		r := *l.b.Rec(l.cur)
		l.cur++
		if r.Kind == cbridge.RecNone {
			continue
		}
		if r.Kind == cbridge.RecDone { // its slot is no handle's
			l.recordDone(r)
			continue
		}
		if s := l.stream(r.Slot); s != nil {
			s.record(r)
		} else if h := l.bridged[r.Slot]; h != nil {
			l.recordBridged(h, r)
		} else if r.Kind == cbridge.RecClosed { // a connection that failed while it was accepted
			l.submit(cbridge.OpAck, r.Slot, r.Gen, 0)
		}
	}
	if l.checks {
		l.poison()
	}
}

// stream is the one in a slot; nil for a connection that Go has never heard of, because
// it failed while it was accepted.
func (l *Loop) stream(slot uint32) *Stream {
	if int(slot) >= len(l.streams) {
		return nil
	}
	return l.streams[slot]
}

// poison makes a slice that a read callback has kept visible as such.
func (l *Loop) poison() {
	for i := range l.b.Slab[:l.slabUsed] {
		l.b.Slab[i] = 0xDB
	}
	for i := range l.pulled[:l.pulledUsed] {
		l.pulled[i] = 0xDB
	}
	l.slabUsed, l.pulledUsed = 0, 0
}

// afterPoll runs the phases behind the records.
func (l *Loop) afterPoll() {
	if l.phases[checkPhase].active > 0 {
		l.runPhase(checkPhase)
	}
	if l.posted {
		l.runPosts()
	}
	if l.timers.heap.Len() > 0 {
		l.runTimers()
	}
	if len(l.deferred) > 0 {
		l.runDeferred()
	}
}

// later calls f at the end of this turn, or of the next one.
func (l *Loop) later(f func()) { l.deferred = append(l.deferred, f) }

func (l *Loop) runDeferred() {
	for n := len(l.deferred); n > 0; n-- {
		f := l.deferred[0]
		l.deferred[0] = nil
		l.deferred = l.deferred[1:]
		l.calls++
		f()
	}
	if len(l.deferred) == 0 {
		l.deferred = nil
	}
}

// after is the moment d from now on the loop's clock; far away is as good as never.
func (l *Loop) after(d time.Duration) time.Duration { return later(l.Clock(), d) }

func later(now, d time.Duration) time.Duration {
	if d > math.MaxInt64-now {
		return math.MaxInt64
	}
	return now + d
}

// milliseconds rounds a wait up to libuv's unit; -1 is no limit.
func milliseconds(d time.Duration) int64 {
	if d == Forever {
		return -1
	}
	return int64(min(d, 1000*time.Hour)+time.Millisecond-1) / int64(time.Millisecond)
}
