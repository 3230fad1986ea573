package goproactor

// A gate stands between a stream's reading goroutine and the loop. It lets at most one
// buffer of each connection be under way, and it stops reading without losing what was
// read.
//
//	state     who moves there              meaning
//	open      loop: let; reader: leave     the reader may read
//	reading   reader, from open: enter     it holds a buffer and reads
//	shut      reader, from reading: pass   the loop has what was read, or reading is
//	          loop, from open              stopped
//	waiting   reader, from shut: enter     there is something to read, the reader waits
//	closed    loop: close                  the stream is closed, the reader ends
//
// Only the loop leads out of shut and waiting, and only while it holds the gate: after
// pass, or after a shut that said so.

import "sync/atomic"

const (
	gateOpen uint32 = iota
	gateReading
	gateShut
	gateWaiting
	gateClosed
)

type gate struct {
	state atomic.Uint32
	bell  chan struct{} // capacity 1; whoever moves the gate out of waiting rings it, once
}

// enter waits until the reader may read. It is false when the gate is closed.
func (g *gate) enter() bool {
	for {
		if g.state.CompareAndSwap(gateOpen, gateReading) {
			return true
		}
		if g.state.CompareAndSwap(gateShut, gateWaiting) {
			<-g.bell
		}
		if g.state.Load() == gateClosed {
			return false
		}
	}
}

// leave opens the gate again after a read that found nothing.
func (g *gate) leave() { g.state.CompareAndSwap(gateReading, gateOpen) }

// pass shuts the gate behind a read that found something. From now on the loop holds it.
func (g *gate) pass() { g.state.CompareAndSwap(gateReading, gateShut) }

// shut is for the loop. It is true if the loop holds the gate now, false if a result is
// under way that brings the gate.
func (g *gate) shut() bool { return g.state.CompareAndSwap(gateOpen, gateShut) }

// let opens a gate that the loop holds.
func (g *gate) let() { g.leaveShut(gateOpen) }

// close ends the reader's waiting and its next try to enter.
func (g *gate) close() { g.leaveShut(gateClosed) }

func (g *gate) leaveShut(to uint32) {
	if g.state.Swap(to) == gateWaiting {
		g.bell <- struct{}{}
	}
}
