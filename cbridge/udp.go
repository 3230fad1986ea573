//go:build cgo

package cbridge

/*
#cgo noescape br_udp_new
#cgo nocallback br_udp_new
#cgo noescape br_udp_open
#cgo nocallback br_udp_open
#cgo noescape br_udp_bind
#cgo nocallback br_udp_bind
#cgo noescape br_udp_any
#cgo nocallback br_udp_any
#cgo noescape br_udp_connect
#cgo nocallback br_udp_connect
#cgo noescape br_udp_name
#cgo nocallback br_udp_name
#cgo noescape br_udp_batch
#cgo nocallback br_udp_batch
#cgo noescape br_udp_set
#cgo nocallback br_udp_set
#cgo noescape br_udp_group
#cgo nocallback br_udp_group
#cgo noescape br_udp_interface
#cgo nocallback br_udp_interface
#include "bridge.h"
*/
import "C"

import "unsafe"

// Flags of UDPBind, beside BindV6Only and BindReusePort.
const (
	BindReuseAddr = C.BR_UDP_REUSEADDR
	BindRecvErr   = C.BR_UDP_RECVERR
)

// Options of UDPSet.
const (
	UDPBroadcast     = C.BR_UDP_BROADCAST
	UDPTTL           = C.BR_UDP_TTL
	UDPMulticastLoop = C.BR_UDP_MULTICAST_LOOP
	UDPMulticastTTL  = C.BR_UDP_MULTICAST_TTL
)

// NewUDP makes a handle for datagrams, of each of which recvBytes are taken; family is 0
// or an address family whose socket is made at once. With batch, several are received by
// a system call if the system can.
func (l *Loop) NewUDP(family int, batch bool, recvBytes int) (uint64, int) {
	var id C.uint64_t
	err := C.br_udp_new(l.c, cint(family), flag(batch), C.uint(recvBytes), &id)
	if err == 0 {
		l.mapDatagrams()
	}
	return uint64(id), int(err)
}

// UDPOpen gives a handle the descriptor of a datagram socket, which it owns from then on.
// It returns the family, or a libuv code.
func (l *Loop) UDPOpen(id uint64, fd int) int {
	return int(C.br_udp_open(l.c, C.uint64_t(id), cint(fd)))
}

// UDPBind binds to a sockaddr_in or sockaddr_in6.
func (l *Loop) UDPBind(id uint64, addr []byte, flags uint) int {
	return int(C.br_udp_bind(l.c, C.uint64_t(id), pointer(addr), C.uint(len(addr)), C.uint(flags)))
}

// UDPAny makes a socket, bound to any address of the family, if there is none.
func (l *Loop) UDPAny(id uint64, family int, reuse bool) int {
	return int(C.br_udp_any(l.c, C.uint64_t(id), C.int(family), flag(reuse)))
}

// UDPConnect connects to a sockaddr_in or sockaddr_in6; nil undoes it.
func (l *Loop) UDPConnect(id uint64, addr []byte) int {
	return int(C.br_udp_connect(l.c, C.uint64_t(id), pointer(addr), C.uint(len(addr))))
}

// UDPName is TCPName for a socket for datagrams.
func (l *Loop) UDPName(id uint64, peer bool, addr []byte) int {
	return int(C.br_udp_name(l.c, C.uint64_t(id), flag(peer), pointer(addr)))
}

// UDPBatch reports whether several datagrams are received by a system call.
func (l *Loop) UDPBatch(id uint64) bool { return C.br_udp_batch(l.c, C.uint64_t(id)) != 0 }

// UDPSet sets an option.
func (l *Loop) UDPSet(id uint64, option, value int) int {
	return int(C.br_udp_set(l.c, C.uint64_t(id), C.int(option), C.int(value)))
}

// UDPGroup joins or leaves a group, of one source unless that is nil. The three are of
// one family. The interface is the one that has the address iface, or, of IPv6, the
// number of its scope.
func (l *Loop) UDPGroup(id uint64, join bool, group, iface, source []byte) int {
	return int(C.br_udp_group(l.c, C.uint64_t(id), flag(join), pointer(group), pointer(iface), pointer(source)))
}

// UDPInterface sets the interface by which datagrams for groups leave.
func (l *Loop) UDPInterface(id uint64, iface []byte) int {
	return int(C.br_udp_interface(l.c, C.uint64_t(id), pointer(iface)))
}

func pointer(p []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(p)) }
