//go:build cgo

package cbridge

/*
#cgo noescape br_loop_backend_timeout
#cgo nocallback br_loop_backend_timeout
#cgo noescape br_loop_update_time
#cgo nocallback br_loop_update_time
#cgo noescape br_loop_metrics
#cgo nocallback br_loop_metrics
#include "bridge.h"
*/
import "C"

import "unsafe"

// Loop is a libuv loop with its queues. Its methods are for one goroutine at a time.
type Loop struct {
	c *C.br_loop

	*Shared
	Ops    []Op    // the submission queue
	Pieces []Piece // further pieces of the write operations in it
	Arena  []byte  // their bytes
	Slab   []byte  // the bytes of RecRead

	Datagrams []Datagram // what RecDatagrams brings; nil before the first handle for datagrams
	Rooms     []byte     // their bytes where they are many, DatagramRoom for each

	WakeRead, WakeWrite int // the descriptors of the wake-up, Go's to close after Close

	out FSOut // of FSResult
}

// NewLoop makes a loop. The error is a libuv code.
func NewLoop() (*Loop, int) {
	l := new(Loop)
	if err := C.br_loop_new(&l.c); err != 0 {
		return nil, int(err)
	}
	l.Shared = (*Shared)(unsafe.Pointer(C.br_loop_shared(l.c)))
	l.Ops = unsafe.Slice((*Op)(unsafe.Pointer(C.br_loop_ops(l.c))), OpsMax)
	l.Pieces = unsafe.Slice((*Piece)(unsafe.Pointer(C.br_loop_pieces(l.c))), PiecesMax)
	l.Arena = unsafe.Slice((*byte)(C.br_loop_arena(l.c)), ArenaBytes)
	l.Slab = unsafe.Slice((*byte)(C.br_loop_slab(l.c)), SlabBytes)
	var rd, wr C.int
	C.br_loop_wake_fds(l.c, &rd, &wr)
	l.WakeRead, l.WakeWrite = int(rd), int(wr)
	return l, 0
}

// Close releases the loop, or answers UV_EBUSY while a handle is left. What Shared has
// said last stays, in Go's memory; the queues are gone.
func (l *Loop) Close() int {
	last := *l.Shared
	if code := C.br_loop_close(l.c); code != 0 {
		return int(code)
	}
	last.recs, last.NRec = nil, 0
	*l = Loop{Shared: &last, WakeRead: l.WakeRead, WakeWrite: l.WakeWrite}
	return 0
}

// TickFD makes a timerfd that ends waits when it expires, or returns an error. The caller
// sets it; Close closes it.
func (l *Loop) TickFD() int { return int(C.br_loop_tick_fd(l.c)) }

// BackendFD is the descriptor of the kernel's queue, as uv_backend_fd.
func (l *Loop) BackendFD() int { return int(C.br_loop_backend_fd(l.c)) }

// BackendTimeout is libuv's own wish for the next poll in milliseconds, -1 without limit,
// as uv_backend_timeout.
func (l *Loop) BackendTimeout() int { return int(C.br_loop_backend_timeout(l.c)) }

// UpdateTime refreshes Shared.Now, as uv_update_time.
func (l *Loop) UpdateTime() { C.br_loop_update_time(l.c) }

// Options of Configure.
const (
	BlockSIGPROF = C.BR_LOOP_BLOCK_SIGPROF
	UseIOUring   = C.BR_LOOP_IO_URING
)

// Configure sets an option before the first turn, or returns a libuv code.
func (l *Loop) Configure(option int) int { return int(C.br_loop_configure(l.c, cint(option))) }

// MetricsInfo is uv_metrics_info: turns, events, and events that waited.
func (l *Loop) MetricsInfo() (counts [3]uint64, code int) {
	var c [3]C.uint64_t
	code = int(C.br_loop_metrics(l.c, &c[0]))
	return [3]uint64{uint64(c[0]), uint64(c[1]), uint64(c[2])}, code
}
