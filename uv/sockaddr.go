//go:build cgo

package uv

// The system's form of addresses. Their family and scope are in the byte order of the
// machine, the port in that of the network.

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// familyIsByte tells the BSD layout, where the first byte is the length and the second
// the family.
const familyIsByte = unsafe.Sizeof(syscall.RawSockaddr{}.Family) == 1

func putFamily(b []byte, family, length int) {
	if familyIsByte {
		b[0], b[1] = byte(length), byte(family)
		return
	}
	binary.NativeEndian.PutUint16(b, uint16(family))
}

func sockaddrFamily(b []byte) int {
	if familyIsByte {
		return int(b[1])
	}
	return int(binary.NativeEndian.Uint16(b))
}

// sockaddr is addr as the system has it, in buf.
func (h *handle) sockaddr(op string, addr netip.AddrPort, buf *[cbridge.AddrBytes]byte) ([]byte, error) {
	sa, err := appendSockaddr(buf[:0], addr)
	if err != nil {
		return nil, h.addrResult(op, addr, int(EINVAL))
	}
	return sa, nil
}

// appendSockaddr appends addr to b as the system's sockaddr. The error says what is wrong
// with addr.
func appendSockaddr(b []byte, addr netip.AddrPort) ([]byte, error) {
	var buf [cbridge.AddrBytes]byte
	ip := addr.Addr()
	n := syscall.SizeofSockaddrInet6
	switch {
	case ip.Is4():
		n = syscall.SizeofSockaddrInet4
		putFamily(buf[:], syscall.AF_INET, n)
		a := ip.As4()
		copy(buf[4:], a[:])
	case ip.Is6():
		scope, err := scopeID(ip.Zone())
		if err != nil {
			return nil, err
		}
		putFamily(buf[:], syscall.AF_INET6, n)
		a := ip.As16()
		copy(buf[8:], a[:])
		binary.NativeEndian.PutUint32(buf[24:], scope)
	default:
		return nil, EINVAL
	}
	binary.BigEndian.PutUint16(buf[2:], addr.Port())
	return append(b, buf[:n]...), nil
}

// addrResult is result for an operation with an address.
func (h *handle) addrResult(op string, addr netip.AddrPort, code int) error {
	if code == 0 {
		return nil
	}
	return &Error{Op: op, Kind: h.kind, Addr: addr.String(), Errno: Errno(code)}
}

// parseSockaddr is the inverse. What is no address of the Internet's gives the zero
// AddrPort.
func parseSockaddr(b []byte) netip.AddrPort {
	if len(b) < 8 {
		return netip.AddrPort{}
	}
	family := sockaddrFamily(b)
	port := binary.BigEndian.Uint16(b[2:])
	switch {
	case family == syscall.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port)
	case family == syscall.AF_INET6 && len(b) >= 28:
		ip := netip.AddrFrom16([16]byte(b[8:24]))
		if scope := binary.NativeEndian.Uint32(b[24:]); scope != 0 {
			ip = ip.WithZone(zoneName(scope))
		}
		return netip.AddrPortFrom(ip, port)
	}
	return netip.AddrPort{}
}
