//go:build cgo

package cbridge

/*
#cgo noescape br_send
#cgo nocallback br_send
#cgo noescape br_try_send
#cgo nocallback br_try_send
#cgo noescape br_try_sends
#cgo nocallback br_try_sends
#include "bridge.h"
*/
import "C"

// DatagramHead precedes a datagram in the arena, br_dgram_head. The address follows, then
// the bytes; each of the three takes a multiple of eight bytes, and begins at one.
type DatagramHead struct {
	Len, AddrLen uint32
}

// Send sends the datagrams of operation op, -1 for none, and then p. What is kept or
// fails is told by records.
func (l *Loop) Send(id uint64, op int, p, addr []byte) int {
	return int(C.br_send(l.c, C.uint64_t(id), C.int(op), chars(p), C.size_t(len(p)), pointer(addr), C.int(len(addr))))
}

// SendGathered sends the datagrams of operation op.
func (l *Loop) SendGathered(id uint64, op int) int {
	return int(C.br_send(l.c, C.uint64_t(id), C.int(op), nil, 0, nil, -1))
}

// TrySend returns 0 when the datagram has left, or a libuv code.
func (l *Loop) TrySend(id uint64, p, addr []byte) int {
	return int(C.br_try_send(l.c, C.uint64_t(id), chars(p), C.size_t(len(p)), pointer(addr), C.int(len(addr))))
}

// TrySends does so with n datagrams in the arena. It returns how many have left, or the
// code of the first.
func (l *Loop) TrySends(id uint64, off uint32, n int) int {
	return int(C.br_try_sends(l.c, C.uint64_t(id), C.uint(off), C.uint(n)))
}
