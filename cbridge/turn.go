//go:build cgo

package cbridge

// Operations, and the turn that executes them.

/*
#cgo noescape br_turn
#cgo nocallback br_turn
#cgo noescape br_flush
#cgo nocallback br_flush
#include "bridge.h"
*/
import "C"

// Kinds of operations.
const (
	OpNop         = C.BR_OP_NOP
	OpWrite       = C.BR_OP_WRITE
	OpReadStart   = C.BR_OP_READ_START
	OpReadStop    = C.BR_OP_READ_STOP
	OpReadSmall   = C.BR_OP_READ_SMALL
	OpShutdown    = C.BR_OP_SHUTDOWN
	OpClose       = C.BR_OP_CLOSE
	OpAck         = C.BR_OP_ACK
	OpRef         = C.BR_OP_REF
	OpUnref       = C.BR_OP_UNREF
	OpAcceptStart = C.BR_OP_ACCEPT_START
	OpAcceptStop  = C.BR_OP_ACCEPT_STOP
	OpAcceptRoom  = C.BR_OP_ACCEPT_ROOM
	OpSend        = C.BR_OP_SEND
	OpSendAgain   = C.BR_OP_SEND_AGAIN
)

// Flags of Shared.
const (
	TurnAgain = C.BR_TURN_AGAIN
	TurnAlive = C.BR_TURN_ALIVE
)

// Op is one operation, br_op.
type Op struct {
	Kind  uint8
	Flags uint8
	N     uint16
	Slot  uint32
	Gen   uint32
	Off   uint32
	Len   uint32
	Next  uint32
	Tail  uint32
	Arg   int32
}

// Piece is a further piece of a gathered write, br_piece.
type Piece struct {
	Off, Len, Next uint32
}

// Turn executes the first nops operations, forgets the first consumed records and runs
// libuv once, waiting at most timeoutMS; 0 does not wait, -1 waits without limit. With
// ifAlive it does not wait when libuv is not alive.
func (l *Loop) Turn(nops, consumed uint32, timeoutMS int64, ifAlive bool) {
	C.br_turn(l.c, C.uint32_t(nops), C.uint32_t(consumed), C.int64_t(timeoutMS), flag(ifAlive))
}

// Flush executes the first nops operations now.
func (l *Loop) Flush(nops uint32) { C.br_flush(l.c, C.uint32_t(nops)) }
