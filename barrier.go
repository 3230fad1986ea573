package asyncio

// Barrier. States and moves:
//
//	filling   -> draining   the last party has come: all that wait return
//	          -> resetting  by Reset while tasks wait: they get ErrBrokenBarrier
//	          -> broken     by Abort: they, and all that come, get ErrBrokenBarrier
//	draining, resetting
//	          -> filling    the last that waited has left
//	          -> resetting  by Reset
//	          -> broken     by Abort
//	broken    -> filling    by Reset when nobody waits; else resetting
//
// Who comes while the barrier drains or resets waits until it fills again. All stand in
// one line and look at the state when they are woken, as with asyncio's condition. Its
// lock is never held across a wait, so there is none here.

import (
	"context"
	"fmt"
)

type barrierState uint8

const (
	barrierFilling barrierState = iota
	barrierDraining
	barrierResetting
	barrierBroken
)

// Barrier lets a fixed number of tasks wait for each other, again and again:
// asyncio.Barrier. It is for tasks of one loop.
type Barrier struct {
	loopBinding
	line    waitQueue
	parties int
	count   int   // tasks inside
	vacated []int // numbers below count+len(vacated) whose tasks were cancelled
	state   barrierState
}

// NewBarrier makes a barrier for a number of tasks: asyncio.Barrier(parties). It panics
// with ErrInvalidArgument unless that is at least 1.
func NewBarrier(parties int) *Barrier {
	if parties < 1 {
		panic(misuse(ErrInvalidArgument, "a Barrier was made for %d parties; it needs 1 or more", parties))
	}
	return &Barrier{parties: parties}
}

// Wait waits until all parties have come and returns a number from 0 to parties-1,
// another one for each of them: Barrier.wait. Who comes while the last ones leave waits
// for them first. The error is ErrBrokenBarrier after Abort, and if Reset or Abort comes
// while Wait waits; ErrNotCurrentTask outside a task; ErrWrongLoop if tasks of another
// loop have waited.
// Suspends. Cancelled: the task is not counted any more, and the barrier is not broken.
func (b *Barrier) Wait(ctx context.Context) (int, error) {
	a, err := enterTask(ctx, "Barrier.Wait")
	if err != nil {
		return 0, err
	}
	for b.state == barrierDraining || b.state == barrierResetting {
		if err := b.wait(a); err != nil {
			return 0, err
		}
	}
	if b.state == barrierBroken {
		return 0, fmt.Errorf("%w: it was aborted; Reset makes it usable again", ErrBrokenBarrier)
	}
	index := b.enter()
	if b.count == b.parties {
		b.state = barrierDraining
		b.line.wakeAll()
	}
	for b.state == barrierFilling {
		if err := b.wait(a); err != nil {
			b.vacated = append(b.vacated, index)
			b.exit()
			return 0, err
		}
	}
	passed := b.state == barrierDraining
	b.exit()
	if !passed {
		return 0, fmt.Errorf("%w: it was reset or aborted while %s waited", ErrBrokenBarrier, a.task.Name())
	}
	return index, nil
}

// enter counts the task and gives it a number.
func (b *Barrier) enter() int {
	b.count++
	if n := len(b.vacated); n > 0 {
		index := b.vacated[n-1]
		b.vacated = b.vacated[:n-1]
		return index
	}
	return b.count - 1
}

// exit uncounts the task. The last one that leaves lets the next phase begin.
func (b *Barrier) exit() {
	b.count--
	if b.count > 0 {
		return
	}
	b.vacated = b.vacated[:0]
	if b.state == barrierDraining || b.state == barrierResetting {
		b.state = barrierFilling
	}
	b.line.wakeAll()
}

// wait waits for a change of the state, or for nothing: who is cancelled passes a wake on
// that may have been meant for it.
func (b *Barrier) wait(a awaiter) error {
	if err := b.bind(a.task.loop, "Barrier"); err != nil {
		return err
	}
	_, err := b.line.wait(a)
	if err != nil {
		b.line.wakeNext()
	}
	return err
}

// Reset makes the barrier empty and usable: Barrier.reset. Tasks that wait get
// ErrBrokenBarrier.
func (b *Barrier) Reset() {
	if b.count > 0 {
		b.state = barrierResetting
	} else {
		b.state = barrierFilling
	}
	b.line.wakeAll()
}

// Abort breaks the barrier: Barrier.abort. Tasks that wait, and those that come, get
// ErrBrokenBarrier, until Reset.
func (b *Barrier) Abort() {
	b.state = barrierBroken
	b.line.wakeAll()
}

// Parties is the number of tasks that the barrier waits for: Barrier.parties.
func (b *Barrier) Parties() int { return b.parties }

// NWaiting is the number of tasks that wait for others to come: Barrier.n_waiting.
func (b *Barrier) NWaiting() int {
	if b.state == barrierFilling {
		return b.count
	}
	return 0
}

// Broken reports whether the barrier was aborted: Barrier.broken.
func (b *Barrier) Broken() bool { return b.state == barrierBroken }
