//go:build cgo

package cbridge

// Records: what the bridge tells.

/*
#include "bridge.h"
*/
import "C"

import "unsafe"

// Kinds of records.
const (
	RecNone        = C.BR_REC_NONE
	RecRead        = C.BR_REC_READ
	RecEOF         = C.BR_REC_EOF
	RecReadError   = C.BR_REC_READ_ERROR
	RecReadable    = C.BR_REC_READABLE
	RecLeft        = C.BR_REC_LEFT
	RecWritten     = C.BR_REC_WRITTEN
	RecWriteError  = C.BR_REC_WRITE_ERROR
	RecConnect     = C.BR_REC_CONNECT
	RecShutdown    = C.BR_REC_SHUTDOWN
	RecAccept      = C.BR_REC_ACCEPT
	RecAcceptError = C.BR_REC_ACCEPT_ERROR
	RecClosed      = C.BR_REC_CLOSED
	RecPoll        = C.BR_REC_POLL
	RecDone        = C.BR_REC_DONE
	RecDatagrams   = C.BR_REC_DATAGRAMS
	RecRecvReady   = C.BR_REC_RECV_READY
	RecRecvError   = C.BR_REC_RECV_ERROR
	RecUnsent      = C.BR_REC_UNSENT
	RecSent        = C.BR_REC_SENT
	RecSendError   = C.BR_REC_SEND_ERROR
	RecSendStuck   = C.BR_REC_SEND_STUCK
	RecExit        = C.BR_REC_EXIT
	RecFSEvent     = C.BR_REC_FS_EVENT
)

// Record is one completion, br_rec.
type Record struct {
	Kind   uint8
	Flags  uint8
	Aux    uint16
	Slot   uint32
	Gen    uint32
	Status int32
	Value  uint64
}

// Rec is the i'th record. It stays valid until the next call into the bridge.
func (s *Shared) Rec(i uint32) *Record {
	return (*Record)(unsafe.Add(s.recs, uintptr(i)*unsafe.Sizeof(Record{})))
}
