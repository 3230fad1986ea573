//go:build cgo

package cbridge

/*
#cgo noescape br_listen
#cgo nocallback br_listen
#include "bridge.h"
*/
import "C"

// Listen listens and accepts up to room connections, -1 without limit, until an
// OpAcceptRoom gives more; if stopped, after an OpAcceptStart.
func (l *Loop) Listen(id uint64, backlog int, noDelay bool, keepAliveSeconds, room int, stopped bool) int {
	return int(C.br_listen(l.c, C.uint64_t(id), cint(backlog), flag(noDelay), cint(keepAliveSeconds), cint(room), flag(stopped)))
}
