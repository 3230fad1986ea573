//go:build cgo

package cbridge

/*
#cgo noescape br_tcp_new
#cgo nocallback br_tcp_new
#cgo noescape br_tcp_bind
#cgo nocallback br_tcp_bind
#cgo noescape br_tcp_connect
#cgo nocallback br_tcp_connect
#cgo noescape br_tcp_keepalive_ex
#cgo nocallback br_tcp_keepalive_ex
#cgo noescape br_tcp_name
#cgo nocallback br_tcp_name
#include "bridge.h"
*/
import "C"

import "unsafe"

// AddrBytes is room for every address that TCPName writes.
const AddrBytes = C.BR_ADDR_BYTES

// Flags of TCPBind.
const (
	BindV6Only    = C.BR_BIND_V6ONLY
	BindReusePort = C.BR_BIND_REUSEPORT
	BindExclusive = C.BR_BIND_EXCLUSIVE
)

// NewTCP makes a TCP handle; family is 0 or an address family whose socket is made at
// once.
func (l *Loop) NewTCP(family int) (uint64, int) {
	var id C.uint64_t
	err := C.br_tcp_new(l.c, C.uint(cint(family)), &id)
	return uint64(id), int(err)
}

// TCPBind binds to a sockaddr_in or sockaddr_in6.
func (l *Loop) TCPBind(id uint64, addr []byte, flags uint) int {
	return int(C.br_tcp_bind(l.c, C.uint64_t(id), unsafe.Pointer(unsafe.SliceData(addr)), C.uint(len(addr)), C.uint(flags)))
}

// TCPConnect begins to connect; RecConnect follows if it returns 0.
func (l *Loop) TCPConnect(id uint64, addr []byte) int {
	return int(C.br_tcp_connect(l.c, C.uint64_t(id), unsafe.Pointer(unsafe.SliceData(addr)), C.uint(len(addr))))
}

// TCPNoDelay is uv_tcp_nodelay.
func (l *Loop) TCPNoDelay(id uint64, on bool) int {
	return int(C.br_tcp_nodelay(l.c, C.uint64_t(id), flag(on)))
}

// TCPKeepAlive is uv_tcp_keepalive; a delay of 0 is UV_EINVAL with every version of
// libuv.
func (l *Loop) TCPKeepAlive(id uint64, on bool, delaySeconds int) int {
	return int(C.br_tcp_keepalive(l.c, C.uint64_t(id), flag(on), C.uint(cint(delaySeconds))))
}

// TCPKeepAliveEx is uv_tcp_keepalive_ex; what is negative stays.
func (l *Loop) TCPKeepAliveEx(id uint64, on bool, idleSeconds, intervalSeconds, count int) int {
	return int(C.br_tcp_keepalive_ex(l.c, C.uint64_t(id), flag(on), cint(idleSeconds), cint(intervalSeconds), cint(count)))
}

// TCPSimultaneousAccepts is uv_tcp_simultaneous_accepts.
func (l *Loop) TCPSimultaneousAccepts(id uint64, on bool) int {
	return int(C.br_tcp_simultaneous_accepts(l.c, C.uint64_t(id), flag(on)))
}

// TCPName writes the local or the peer's address to addr, AddrBytes long, and returns its
// length, or a libuv code.
func (l *Loop) TCPName(id uint64, peer bool, addr []byte) int {
	return int(C.br_tcp_name(l.c, C.uint64_t(id), flag(peer), unsafe.Pointer(unsafe.SliceData(addr))))
}

// CloseReset closes with a RST.
func (l *Loop) CloseReset(id uint64) int { return int(C.br_close_reset(l.c, C.uint64_t(id))) }
