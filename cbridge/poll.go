//go:build cgo

package cbridge

// Polls: descriptors of somebody else's.

/*
#cgo noescape br_poll_new
#cgo nocallback br_poll_new
#cgo noescape br_poll_start
#cgo nocallback br_poll_start
#cgo noescape br_poll_stop
#cgo nocallback br_poll_stop
#include "bridge.h"
*/
import "C"

// NewPoll makes a handle that watches fd, which becomes non-blocking.
func (l *Loop) NewPoll(fd int) (id uint64, err int) {
	var c C.uint64_t
	err = int(C.br_poll_new(l.c, cint(fd), &c))
	return uint64(c), err
}

// PollStart begins to watch, or watches for other events. The epoch comes back in the
// records.
func (l *Loop) PollStart(id uint64, events int, epoch uint64) int {
	return int(C.br_poll_start(l.c, C.uint64_t(id), C.int(events), C.uint64_t(epoch)))
}

// PollStop ends the watch.
func (l *Loop) PollStop(id uint64) int { return int(C.br_poll_stop(l.c, C.uint64_t(id))) }
