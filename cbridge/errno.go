//go:build cgo

package cbridge

// libuv's errors.

/*
#include "bridge.h"
*/
import "C"

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
