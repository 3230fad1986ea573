//go:build cgo

package cbridge

/*
#cgo noescape br_write
#cgo nocallback br_write
#cgo noescape br_try_write
#cgo nocallback br_try_write
#include "bridge.h"
*/
import "C"

// Write writes the pieces of operation op, -1 for none, and then p. It returns the number
// of bytes that the bridge keeps because the kernel did not take them, or a libuv code.
func (l *Loop) Write(id uint64, op int, p []byte) int {
	return int(C.br_write(l.c, C.uint64_t(id), C.int(op), chars(p), C.size_t(len(p))))
}

// TryWrite returns the number of bytes that the kernel took, or a libuv code.
func (l *Loop) TryWrite(id uint64, p []byte) int {
	return int(C.br_try_write(l.c, C.uint64_t(id), chars(p), C.size_t(len(p))))
}
