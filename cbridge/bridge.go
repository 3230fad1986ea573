//go:build cgo

// The joint of Go and libuv. This package is the only package with C in it, and only
// package uv uses it.
//
// The C side is told in bridge.h: operations go down and records come up through queues
// in C memory, and one call a turn crosses the border. This file gives Go the same queues
// as slices and structures over that memory, and checks when the program starts that both
// sides mean the same layout. The other files wrap the functions, without adding
// anything.

package cbridge

/*
#cgo CFLAGS: -I${SRCDIR}/../third_party/libuv/include -std=gnu11 -Wall -fno-strict-aliasing
#cgo LDFLAGS: -L${SRCDIR}/../third_party/libuv/lib -luv -lpthread -ldl -lrt
#cgo noescape br_turn
#cgo nocallback br_turn
#cgo noescape br_flush
#cgo nocallback br_flush
#include "bridge.h"
#include <stddef.h>
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Limits of the bridge, see bridge.h.
const (
	OpsMax          = C.BR_OPS_MAX
	PiecesMax       = C.BR_PIECES_MAX
	ArenaBytes      = C.BR_ARENA_BYTES
	SlabBytes       = C.BR_SLAB_BYTES
	LargeBytesMin   = C.BR_LARGE_BYTES_MIN
	WriteChunkBytes = C.BR_WRITE_CHUNK_BYTES
	TurnAcceptMax   = C.BR_TURN_ACCEPT_MAX
)

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
)

// Kinds of records.
const (
	RecNone        = C.BR_REC_NONE
	RecRead        = C.BR_REC_READ
	RecEOF         = C.BR_REC_EOF
	RecReadError   = C.BR_REC_READ_ERROR
	RecReadable    = C.BR_REC_READABLE
	RecLeft        = C.BR_REC_LEFT
	RecWritten     = C.BR_REC_WRITTEN
	RecWriteError  = C.BR_REC_WRITE_ERROR
	RecConnect     = C.BR_REC_CONNECT
	RecShutdown    = C.BR_REC_SHUTDOWN
	RecAccept      = C.BR_REC_ACCEPT
	RecAcceptError = C.BR_REC_ACCEPT_ERROR
	RecClosed      = C.BR_REC_CLOSED
)

// Kinds of handles.
const (
	KindTCP  = C.BR_KIND_TCP
	KindPipe = C.BR_KIND_PIPE
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

// Record is one completion, br_rec.
type Record struct {
	Kind   uint8
	Flags  uint8
	Aux    uint16
	Slot   uint32
	Gen    uint32
	Status int32
	Value  uint64
}

// Shared is the part of a loop that both sides see, br_shared.
type Shared struct {
	recs       unsafe.Pointer
	NRec       uint32
	Flags      uint32
	Now        uint64
	ReadShort  uint64
	WriteCalls uint64
	NFlush     uint32
	Handles    uint32
	Waited     uint64
}

// Rec is the i'th record. It stays valid until the next call into the bridge.
func (s *Shared) Rec(i uint32) *Record {
	return (*Record)(unsafe.Add(s.recs, uintptr(i)*unsafe.Sizeof(Record{})))
}

func init() {
	var o Op
	var p Piece
	var r Record
	var s Shared
	checkLayout("op", unsafe.Sizeof(o), C.sizeof_br_op)
	checkLayout("op.slot", unsafe.Offsetof(o.Slot), unsafe.Offsetof(C.br_op{}.slot))
	checkLayout("op.off", unsafe.Offsetof(o.Off), unsafe.Offsetof(C.br_op{}.off))
	checkLayout("op.next", unsafe.Offsetof(o.Next), unsafe.Offsetof(C.br_op{}.next))
	checkLayout("op.arg", unsafe.Offsetof(o.Arg), unsafe.Offsetof(C.br_op{}.arg))
	checkLayout("piece", unsafe.Sizeof(p), C.sizeof_br_piece)
	checkLayout("piece.next", unsafe.Offsetof(p.Next), unsafe.Offsetof(C.br_piece{}.next))
	checkLayout("record", unsafe.Sizeof(r), C.sizeof_br_rec)
	checkLayout("record.slot", unsafe.Offsetof(r.Slot), unsafe.Offsetof(C.br_rec{}.slot))
	checkLayout("record.status", unsafe.Offsetof(r.Status), unsafe.Offsetof(C.br_rec{}.status))
	checkLayout("record.value", unsafe.Offsetof(r.Value), unsafe.Offsetof(C.br_rec{}.value))
	checkLayout("shared", unsafe.Sizeof(s), C.sizeof_br_shared)
	checkLayout("shared.nrec", unsafe.Offsetof(s.NRec), unsafe.Offsetof(C.br_shared{}.nrec))
	checkLayout("shared.now", unsafe.Offsetof(s.Now), unsafe.Offsetof(C.br_shared{}.now))
	checkLayout("shared.nflush", unsafe.Offsetof(s.NFlush), unsafe.Offsetof(C.br_shared{}.nflush))
	if v := Version(); v>>16 != 1 || v < 1<<16|44<<8|2 {
		panic(fmt.Sprintf("cbridge: libuv %d.%d.%d is linked; 1.44.2 or later, below 2, is needed: run `make deps`", v>>16, v>>8&255, v&255))
	}
}

func checkLayout(what string, inGo, inC uintptr) {
	if inGo != inC {
		panic(fmt.Sprintf("cbridge: layout of %s: %d in Go, %d in C", what, inGo, inC))
	}
}

// Version is libuv's own, major<<16 | minor<<8 | patch, as uv_version.
func Version() uint32 { return uint32(C.uv_version()) }

// VersionString is libuv's version as text, as uv_version_string.
func VersionString() string { return C.GoString(C.uv_version_string()) }

// Errno is one of libuv's errors.
type Errno struct {
	Name, Text string
	Code       int
}

// Errnos is libuv's table of errors, UV_ERRNO_MAP.
func Errnos() []Errno {
	var all []Errno
	for i := C.uint(0); ; i++ {
		var name, text *C.char
		code := C.br_errno_entry(i, &name, &text)
		if code == 0 {
			return all
		}
		all = append(all, Errno{C.GoString(name), C.GoString(text), int(code)})
	}
}

// CountAllocations counts the allocations of libuv and of the bridge from now on. It must
// precede the first loop.
func CountAllocations() bool { return C.br_count_allocations() == 0 }

// LiveAllocations is the balance of counted allocations, -1 when they are not counted.
func LiveAllocations() int64 { return int64(C.br_live_allocations()) }
