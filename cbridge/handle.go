//go:build cgo

package cbridge

// Handles are named by an id, slot | gen << 32. Functions return 0 or a libuv code unless
// their comment says otherwise.

/*
#cgo noescape br_is_active
#cgo nocallback br_is_active
#cgo noescape br_fileno
#cgo nocallback br_fileno
#cgo noescape br_find_fd
#cgo nocallback br_find_fd
#cgo noescape br_buffer_size
#cgo nocallback br_buffer_size
#include "bridge.h"
*/
import "C"

// Kinds of handles.
const (
	KindTCP  = C.BR_KIND_TCP
	KindPipe = C.BR_KIND_PIPE
	KindTTY  = C.BR_KIND_TTY
	KindPoll = C.BR_KIND_POLL
	KindUDP  = C.BR_KIND_UDP

	KindFSEvent = C.BR_KIND_FS_EVENT
)

// IsActive is uv_is_active.
func (l *Loop) IsActive(id uint64) bool { return C.br_is_active(l.c, C.uint64_t(id)) != 0 }

// Fileno is the descriptor, or a libuv code.
func (l *Loop) Fileno(id uint64) int { return int(C.br_fileno(l.c, C.uint64_t(id))) }

// FindFD is the id of the open handle that has a descriptor, 0 if none has.
func (l *Loop) FindFD(fd int) uint64 { return uint64(C.br_find_fd(l.c, cint(fd))) }

// BufferSize gets (value 0) or sets the size of the socket's send or receive buffer.
func (l *Loop) BufferSize(id uint64, receive bool, value int) (int, int) {
	v := cint(value)
	err := C.br_buffer_size(l.c, C.uint64_t(id), flag(receive), &v)
	return int(v), int(err)
}
