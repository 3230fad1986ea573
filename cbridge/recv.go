//go:build cgo

package cbridge

/*
#cgo noescape br_recv_start
#cgo nocallback br_recv_start
#cgo noescape br_recv_stop
#cgo nocallback br_recv_stop
#cgo noescape br_recv
#cgo nocallback br_recv
#include "bridge.h"
*/
import "C"

import "unsafe"

// Datagram is one that was received, br_dgram.
type Datagram struct {
	Len     uint32
	AddrLen uint16
	Partial uint16
	Addr    [C.BR_DGRAM_NAME_BYTES]byte
	Data    [DatagramSmall]byte
}

// Datagram is the i'th one, and its bytes. They are in C memory, until the next call of
// Turn or Recv.
func (l *Loop) Datagram(i int) (*Datagram, []byte) {
	d := &l.Datagrams[i]
	if d.Len <= DatagramSmall {
		return d, d.Data[:d.Len:d.Len]
	}
	at := i * DatagramRoom
	return d, l.Rooms[at : at+int(d.Len) : at+int(d.Len)]
}

// mapDatagrams lets Go see the memory for them, which is there with the first handle.
func (l *Loop) mapDatagrams() {
	if l.Datagrams != nil {
		return
	}
	var dgrams *C.br_dgram
	var rooms *C.char
	C.br_udp_memory(l.c, &dgrams, &rooms)
	l.Datagrams = unsafe.Slice((*Datagram)(unsafe.Pointer(dgrams)), Datagrams)
	l.Rooms = unsafe.Slice((*byte)(unsafe.Pointer(rooms)), Datagrams*DatagramRoom)
}

// RecvStart receives until RecvStop.
func (l *Loop) RecvStart(id uint64) int { return int(C.br_recv_start(l.c, C.uint64_t(id))) }

// RecvStop undoes RecvStart.
func (l *Loop) RecvStop(id uint64) int { return int(C.br_recv_stop(l.c, C.uint64_t(id))) }

// Recv is for RecRecvReady. It returns how many datagrams there are, from the first one
// on, and how far it is from one to the next.
func (l *Loop) Recv(id uint64) (n, step int) {
	var each C.uint
	n = int(C.br_recv(l.c, C.uint64_t(id), &each))
	return n, int(each)
}
