//go:build cgo

package cbridge

// Processes: handles of children.

/*
#cgo noescape br_spawn_child
#cgo nocallback br_spawn_child
#cgo noescape br_process_kill
#cgo nocallback br_process_kill
#include "bridge.h"
*/
import "C"

import "unsafe"

// What a child has as one of its descriptors.
const (
	StdioIgnore   = C.BR_STDIO_IGNORE
	StdioPipe     = C.BR_STDIO_PIPE
	StdioFD       = C.BR_STDIO_FD
	StdioReadable = C.BR_STDIO_READABLE
	StdioWritable = C.BR_STDIO_WRITABLE
	StdioNonblock = C.BR_STDIO_NONBLOCK
)

// StdioItem is one descriptor of a child, br_stdio_item.
type StdioItem struct {
	Kind, Flags, FD int32
	Stream          uint64
}

// Spawn says how a child is made, br_spawn, but for its strings.
type Spawn struct {
	Args, Env int     // their numbers
	UID, GID  *uint32 // nil: this process's
	Detached  bool
}

func init() {
	var i StdioItem
	checkLayout("stdio item", unsafe.Sizeof(i), C.sizeof_br_stdio_item)
	checkLayout("stdio item.stream", unsafe.Offsetof(i.Stream), unsafe.Offsetof(C.br_stdio_item{}.stream))
}

// Spawn makes a child. strings are the file, the directory, the arguments and the
// variables, each with a NUL behind it. The caller holds syscall.ForkLock.
func (l *Loop) Spawn(strings []byte, s Spawn, items []StdioItem) (id uint64, pid, code int) {
	how := C.br_spawn{args: C.uint(s.Args), env: C.uint(s.Env), detached: flag(s.Detached)}
	if s.UID != nil {
		how.set_uid, how.uid = 1, C.uint32_t(*s.UID)
	}
	if s.GID != nil {
		how.set_gid, how.gid = 1, C.uint32_t(*s.GID)
	}
	var cid C.uint64_t
	var cpid C.int
	first := (*C.br_stdio_item)(unsafe.Pointer(unsafe.SliceData(items)))
	err := C.br_spawn_child(l.c, chars(strings), &how, first, C.uint(len(items)), &cid, &cpid)
	return uint64(cid), int(cpid), int(err)
}

// ProcessKill sends a signal to a child that has not ended.
func (l *Loop) ProcessKill(id uint64, sig int) int {
	return int(C.br_process_kill(l.c, C.uint64_t(id), cint(sig)))
}

// DisableStdioInheritance is uv_disable_stdio_inheritance.
func DisableStdioInheritance() { C.uv_disable_stdio_inheritance() }
