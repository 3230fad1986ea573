//go:build cgo

package cbridge

// Libraries. Their code runs when they are loaded and released, so that nothing is
// promised of these calls.

/*
#include "requests.h"
*/
import "C"

import "unsafe"

// Lib is a library, uv_lib_t, for one goroutine at a time.
type Lib struct{ c *C.br_lib }

// OpenLib is uv_dlopen. The Lib is nil if it fails. Then the text is what the loader
// says, or there is none and the code is that of ENOMEM.
func OpenLib(path string) (b *Lib, text string, err int) {
	b = new(Lib)
	if err = int(C.br_lib_open(chars([]byte(path+"\x00")), &b.c)); err != 0 {
		text = b.text(err)
		b.Close()
		return nil, text, err
	}
	return b, "", 0
}

// Sym is uv_dlsym; the text is what the loader says if there is no such symbol, or there
// is none and the code is that of ENOMEM.
func (b *Lib) Sym(name string) (p unsafe.Pointer, text string, err int) {
	err = int(C.br_lib_sym(b.c, chars([]byte(name+"\x00")), &p))
	return p, b.text(err), err
}

func (b *Lib) text(err int) string {
	if err == 0 || err == C.UV_ENOMEM {
		return ""
	}
	return C.GoString(C.br_lib_error(b.c))
}

// Close is uv_dlclose, once.
func (b *Lib) Close() { C.br_lib_close(b.c) }
