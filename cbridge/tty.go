//go:build cgo

package cbridge

// Terminals.

/*
#cgo noescape br_tty_new
#cgo nocallback br_tty_new
#cgo noescape br_tty_mode
#cgo nocallback br_tty_mode
#cgo noescape br_tty_size
#cgo nocallback br_tty_size
#cgo noescape br_tty_restore
#cgo nocallback br_tty_restore
#include "bridge.h"
*/
import "C"

// Modes of terminals.
const (
	TTYNormal = C.BR_TTY_NORMAL
	TTYRaw    = C.BR_TTY_RAW
	TTYIO     = C.BR_TTY_IO
	TTYRawVT  = C.BR_TTY_RAW_VT
)

// NewTTY makes a handle of a terminal, and takes no hold of the descriptor.
func (l *Loop) NewTTY(fd int) (uint64, int) {
	var id C.uint64_t
	err := C.br_tty_new(l.c, cint(fd), &id)
	return uint64(id), int(err)
}

// TTYMode sets the mode.
func (l *Loop) TTYMode(id uint64, mode int) int {
	return int(C.br_tty_mode(l.c, C.uint64_t(id), cint(mode)))
}

// TTYSize tells the size, or returns a libuv code.
func (l *Loop) TTYSize(id uint64) (cols, rows, err int) {
	var c, r C.int
	err = int(C.br_tty_size(l.c, C.uint64_t(id), &c, &r))
	return int(c), int(r), err
}

// TTYRestore gives a terminal that the handle has changed its mode back.
func (l *Loop) TTYRestore(id uint64) int { return int(C.br_tty_restore(l.c, C.uint64_t(id))) }

// TTYReset does so with all terminals. Any goroutine.
func TTYReset() int { return int(C.br_tty_reset()) }
