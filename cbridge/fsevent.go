//go:build cgo

package cbridge

// Files that change.

/*
#cgo noescape br_fs_event_new
#cgo nocallback br_fs_event_new
#cgo noescape br_fs_event_start
#cgo nocallback br_fs_event_start
#cgo noescape br_fs_event_stop
#cgo nocallback br_fs_event_stop
#cgo noescape br_fs_event_name
#cgo nocallback br_fs_event_name
#include "bridge.h"
*/
import "C"

// NewFSEvent makes a handle that watches a file.
func (l *Loop) NewFSEvent() (id uint64, err int) {
	var c C.uint64_t
	err = int(C.br_fs_event_new(l.c, &c))
	return uint64(c), err
}

// FSEventStart begins to watch path, which ends with a NUL byte. The epoch comes back in
// the upper half of the records' value.
func (l *Loop) FSEventStart(id uint64, path []byte, flags uint32, epoch uint32) int {
	return int(C.br_fs_event_start(l.c, C.uint64_t(id), chars(path), C.uint(flags), C.uint32_t(epoch)))
}

// FSEventStop ends the watch.
func (l *Loop) FSEventStop(id uint64) int { return int(C.br_fs_event_stop(l.c, C.uint64_t(id))) }

// FSEventName is the name that came with a record of this turn; none if the change is
// about what is watched itself.
func (l *Loop) FSEventName(value uint64) (name string, ok bool) {
	p := C.br_fs_event_name(l.c, C.uint64_t(value))
	if p == nil {
		return "", false
	}
	return C.GoString(p), true
}
