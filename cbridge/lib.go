//go:build cgo

package cbridge

// Libraries. Their code runs when they are loaded and released, so that nothing is
// promised of these calls.

/*
#include "requests.h"
#include <stdlib.h>
*/
import "C"

import "unsafe"

// Lib is a library, uv_lib_t, for one goroutine at a time.
type Lib struct{ c *C.br_lib }

// OpenLib is uv_dlopen. The Lib is nil if it fails, and the text what the loader says.
func OpenLib(path string) (*Lib, string) {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	b := new(Lib)
	if C.br_lib_open(p, &b.c) != 0 {
		text := C.GoString(C.br_lib_error(b.c))
		b.Close()
		return nil, text
	}
	return b, ""
}

// Sym is uv_dlsym; the text is what the loader says if there is no such symbol.
func (b *Lib) Sym(name string) (p unsafe.Pointer, text string) {
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	if C.br_lib_sym(b.c, n, &p) != 0 {
		return nil, C.GoString(C.br_lib_error(b.c))
	}
	return p, ""
}

// Close is uv_dlclose, once.
func (b *Lib) Close() { C.br_lib_close(b.c) }
