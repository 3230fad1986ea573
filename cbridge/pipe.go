//go:build cgo

package cbridge

/*
#cgo noescape br_pipe_new
#cgo nocallback br_pipe_new
#cgo noescape br_pipe_bind
#cgo nocallback br_pipe_bind
#cgo noescape br_pipe_connect
#cgo nocallback br_pipe_connect
#cgo noescape br_pipe_chmod
#cgo nocallback br_pipe_chmod
#cgo noescape br_pipe_name
#cgo nocallback br_pipe_name
#include "bridge.h"
*/
import "C"

import "unsafe"

// NewPipe makes a handle of a Unix domain socket or pipe.
func (l *Loop) NewPipe() (uint64, int) {
	var id C.uint64_t
	err := C.br_pipe_new(l.c, &id)
	return uint64(id), int(err)
}

// PipeBind binds to a path; one that begins with a NUL is a name in Linux's abstract name
// space.
func (l *Loop) PipeBind(id uint64, path string) int {
	return int(C.br_pipe_bind(l.c, C.uint64_t(id), unsafe.Pointer(unsafe.StringData(path)), C.uint(len(path))))
}

// PipeConnect begins to connect; RecConnect follows if it returns 0.
func (l *Loop) PipeConnect(id uint64, path string) int {
	return int(C.br_pipe_connect(l.c, C.uint64_t(id), unsafe.Pointer(unsafe.StringData(path)), C.uint(len(path))))
}

// PipeName writes the local or the peer's path and returns its length, or a libuv code.
func (l *Loop) PipeName(id uint64, peer bool, path []byte) int {
	return int(C.br_pipe_name(l.c, C.uint64_t(id), flag(peer), unsafe.Pointer(unsafe.SliceData(path)), C.uint(len(path))))
}

// PipeChmod is uv_pipe_chmod.
func (l *Loop) PipeChmod(id uint64, mode int) int {
	return int(C.br_pipe_chmod(l.c, C.uint64_t(id), cint(mode)))
}
