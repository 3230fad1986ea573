//go:build cgo

package cbridge

// Handles that go and come over pipes.

/*
#cgo noescape br_ipc_new
#cgo nocallback br_ipc_new
#cgo noescape br_ipc_write
#cgo nocallback br_ipc_write
#cgo noescape br_ipc_try_write
#cgo nocallback br_ipc_try_write
#cgo noescape br_ipc_read
#cgo nocallback br_ipc_read
#include "bridge.h"
*/
import "C"

import "unsafe"

// FDs is the descriptors that came with a read, br_fds.
type FDs struct {
	N    int32
	Lost int32 // some that came are gone: there was no room for them
	FDs  [C.BR_FDS_MAX]int32
}

// NewIPC makes a handle of a pipe that passes handles.
func (l *Loop) NewIPC() (uint64, int) {
	var id C.uint64_t
	err := C.br_ipc_new(l.c, &id)
	return uint64(id), int(err)
}

// IPCWrite writes p, and with it the descriptor of a handle. The error tells that it has
// not begun; else left is what Write returns.
func (l *Loop) IPCWrite(id uint64, p []byte, handle uint64) (left, err int) {
	var n C.int64_t
	err = int(C.br_ipc_write(l.c, C.uint64_t(id), chars(p), C.size_t(len(p)), C.uint64_t(handle), &n))
	return int(n), err
}

// IPCTryWrite is TryWrite with a handle.
func (l *Loop) IPCTryWrite(id uint64, p []byte, handle uint64) int {
	return int(C.br_ipc_try_write(l.c, C.uint64_t(id), chars(p), C.size_t(len(p)), C.uint64_t(handle)))
}

// IPCRead is Read that takes the descriptors too. The end is a libuv code.
func (l *Loop) IPCRead(id uint64, p []byte, fds *FDs) int {
	return int(C.br_ipc_read(l.c, C.uint64_t(id), chars(p), C.size_t(len(p)), (*C.br_fds)(unsafe.Pointer(fds))))
}
