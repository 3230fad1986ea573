//go:build cgo

package cbridge

/*
#cgo noescape br_read
#cgo nocallback br_read
#include "bridge.h"
*/
import "C"

// Read reads into p and returns the number of bytes, 0 if there are none or the stream is
// at its end, or a libuv code, after which reading has stopped.
func (l *Loop) Read(id uint64, p []byte) int {
	return int(C.br_read(l.c, C.uint64_t(id), chars(p), C.size_t(len(p))))
}
