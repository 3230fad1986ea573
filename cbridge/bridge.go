//go:build cgo

// The joint of Go and libuv. This package is the only package with C in it, and only
// package uv uses it.
//
// The C side is told in bridge.h: operations go down and records come up through queues
// in C memory, and one call a turn crosses the border. This file gives Go the same queues
// as slices and structures over that memory, and checks when the program starts that both
// sides mean the same layout. The other files, each beside its .c, wrap the functions,
// without adding anything.

package cbridge

/*
#cgo CFLAGS: -I${SRCDIR}/../third_party/libuv/include -std=gnu11 -Wall -fno-strict-aliasing
#cgo linux LDFLAGS: -Wl,--wrap=fork -Wl,--wrap=sigaction
#cgo LDFLAGS: -L${SRCDIR}/../third_party/libuv/lib -luv -lpthread -ldl -lrt
#include "bridge.h"
#include <stddef.h>
*/
import "C"

import (
	"fmt"
	"math"
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
	Datagrams       = C.BR_DGRAMS
	DatagramSmall   = C.BR_DGRAM_SMALL_BYTES
	DatagramRoom    = C.BR_DGRAM_ROOM_BYTES
	DatagramMax     = C.BR_DGRAM_BYTES_MAX
	SendBatch       = C.BR_SENDS
)

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
	RecvCalls  uint64
	SendCalls  uint64
}

func init() {
	var o Op
	var p Piece
	var r Record
	var s Shared
	var d Datagram
	var h DatagramHead
	var f FDs
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
	checkLayout("shared.recv_calls", unsafe.Offsetof(s.RecvCalls), unsafe.Offsetof(C.br_shared{}.recv_calls))
	checkLayout("datagram", unsafe.Sizeof(d), C.sizeof_br_dgram)
	checkLayout("datagram.addr", unsafe.Offsetof(d.Addr), unsafe.Offsetof(C.br_dgram{}.addr))
	checkLayout("datagram.data", unsafe.Offsetof(d.Data), unsafe.Offsetof(C.br_dgram{}.data))
	checkLayout("datagram head", unsafe.Sizeof(h), C.sizeof_br_dgram_head)
	checkLayout("descriptors", unsafe.Sizeof(f), C.sizeof_br_fds)
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

// cint is n as C has it, or the number next to it that C can have: no other one, that the
// program did not mean.
func cint(n int) C.int { return C.int(max(math.MinInt32, min(n, math.MaxInt32))) }

func flag(on bool) C.int {
	if on {
		return 1
	}
	return 0
}

func chars(p []byte) *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(p))) }
