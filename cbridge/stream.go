//go:build cgo

package cbridge

// What the kinds of streams have in common.

/*
#cgo noescape br_open
#cgo nocallback br_open
#include "bridge.h"
*/
import "C"

// Open gives a handle the descriptor, which it owns from then on. It returns 1 if the
// descriptor reads and writes, 0 if it is a socket that does not yet, or a libuv code.
func (l *Loop) Open(id uint64, fd int) int {
	return int(C.br_open(l.c, C.uint64_t(id), cint(fd)))
}

// IsReadable is uv_is_readable.
func (l *Loop) IsReadable(id uint64) bool { return C.br_is_readable(l.c, C.uint64_t(id)) != 0 }

// IsWritable is uv_is_writable.
func (l *Loop) IsWritable(id uint64) bool { return C.br_is_writable(l.c, C.uint64_t(id)) != 0 }

// SetBlocking is uv_stream_set_blocking.
func (l *Loop) SetBlocking(id uint64, on bool) int {
	return int(C.br_set_blocking(l.c, C.uint64_t(id), flag(on)))
}
