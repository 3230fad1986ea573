//go:build cgo

package cbridge

// Names and addresses. Names that go down end with a NUL byte; nil is none.

/*
#cgo noescape br_getaddrinfo
#cgo nocallback br_getaddrinfo
#cgo noescape br_getnameinfo
#cgo nocallback br_getnameinfo
#cgo noescape br_getnameinfo_now
#cgo nocallback br_getnameinfo_now
#include "requests.h"
#include <netdb.h>
*/
import "C"

import (
	"iter"
	"unsafe"
)

// NodeBytes is how long the ASCII form of a name may be.
const NodeBytes = C.BR_NODE_BYTES

// Flags of the system's resolver.
const (
	NumericHost   = C.AI_NUMERICHOST
	NameInNumbers = C.NI_NUMERICHOST | C.NI_NUMERICSERV
)

// Hints says what GetAddrInfo looks for, br_hints.
type Hints struct{ Family, SockType, Protocol, Flags int32 }

func (h Hints) c() C.br_hints {
	return C.br_hints{C.int(h.Family), C.int(h.SockType), C.int(h.Protocol), C.int(h.Flags)}
}

// AddrInfo is one of the addresses that GetAddrInfo has found. Addr is a sockaddr; it and
// Canonname are valid until the list is freed.
type AddrInfo struct {
	Family, SockType, Protocol int
	Addr                       []byte
	Canonname                  string
}

func addresses(ai *C.struct_addrinfo) iter.Seq[AddrInfo] {
	return func(yield func(AddrInfo) bool) {
		for ; ai != nil; ai = ai.ai_next {
			a := AddrInfo{Family: int(ai.ai_family), SockType: int(ai.ai_socktype), Protocol: int(ai.ai_protocol)}
			a.Addr = unsafe.Slice((*byte)(unsafe.Pointer(ai.ai_addr)), ai.ai_addrlen)
			if ai.ai_canonname != nil {
				a.Canonname = C.GoString(ai.ai_canonname)
			}
			if !yield(a) {
				return
			}
		}
	}
}

// GetAddrInfo begins to look a name up on the pool; RecDone follows if the code is 0.
func (l *Loop) GetAddrInfo(node, service []byte, h Hints) (uint64, int) {
	var id C.uint64_t
	hints := h.c()
	code := C.br_getaddrinfo(l.c, chars(node), chars(service), &hints, &id)
	return uint64(id), int(code)
}

// Addresses is the result of a request whose RecDone has told no error.
func (l *Loop) Addresses(id uint64) iter.Seq[AddrInfo] {
	return addresses(C.br_job_addresses(l.c, C.uint64_t(id)))
}

// GetAddrInfoNow looks a name up at once, and blocks; take is given what was found. Any
// goroutine.
func GetAddrInfoNow(node, service []byte, h Hints, take func(iter.Seq[AddrInfo])) int {
	var list *C.struct_addrinfo
	hints := h.c()
	code := C.br_getaddrinfo_now(chars(node), chars(service), &hints, &list)
	defer C.uv_freeaddrinfo(list)
	if code == 0 {
		take(addresses(list))
	}
	return int(code)
}

// GetNameInfo begins to look an address up on the pool; RecDone follows if the code is 0.
func (l *Loop) GetNameInfo(addr []byte, flags int32) (uint64, int) {
	var id C.uint64_t
	code := C.br_getnameinfo(l.c, unsafe.Pointer(unsafe.SliceData(addr)), C.uint(len(addr)), C.int(flags), &id)
	return uint64(id), int(code)
}

// Name is the result of a request whose RecDone has told no error.
func (l *Loop) Name(id uint64) (host, service string) {
	var s *C.char
	h := C.br_job_name(l.c, C.uint64_t(id), &s)
	return C.GoString(h), C.GoString(s)
}

// GetNameInfoNow looks an address up at once, and blocks. Any goroutine.
func GetNameInfoNow(addr []byte, flags int32) (host, service string, code int) {
	var h [C.BR_HOST_BYTES]C.char
	var s [C.BR_SERVICE_BYTES]C.char
	c := C.br_getnameinfo_now(unsafe.Pointer(unsafe.SliceData(addr)), C.uint(len(addr)), C.int(flags), &h[0], &s[0])
	if c != 0 {
		return "", "", int(c)
	}
	return C.GoString(&h[0]), C.GoString(&s[0]), 0
}
