//go:build cgo

package uv

// Interfaces of the network. Plain functions, for any goroutine.

import (
	"math/bits"
	"net"
	"net/netip"
	"strconv"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// InterfaceAddress is one address of an interface, uv_interface_address_t.
type InterfaceAddress struct {
	Name         string
	HardwareAddr net.HardwareAddr
	Internal     bool         // of the machine itself
	Prefix       netip.Prefix // address, without zone, and length of the netmask
}

// InterfaceAddresses tells the addresses of the interfaces that are up;
// uv_interface_addresses.
func InterfaceAddresses() ([]InterfaceAddress, error) {
	list, code := cbridge.InterfaceAddresses()
	if code != 0 {
		return nil, systemError("interface_addresses", code)
	}
	all := make([]InterfaceAddress, 0, len(list))
	for _, i := range list {
		ip := parseSockaddr(i.Addr[:]).Addr().WithZone("")
		all = append(all, InterfaceAddress{
			Name: i.Name, HardwareAddr: net.HardwareAddr(i.Hardware[:]), Internal: i.Internal,
			Prefix: netip.PrefixFrom(ip, maskBits(parseSockaddr(i.Netmask[:]).Addr())),
		})
	}
	return all, nil
}

// maskBits is the number of ones at the front of a netmask.
func maskBits(mask netip.Addr) (n int) {
	for _, b := range mask.AsSlice() {
		ones := bits.LeadingZeros8(^b)
		n += ones
		if ones < 8 {
			break
		}
	}
	return n
}

// IfName is the name of the interface of a number; uv_if_indextoname. The error is ENXIO
// if there is none.
func IfName(index int) (string, error) {
	return ifText("if_indextoname", index, cbridge.IfName)
}

// IfID is what names the interface in the zone of an IPv6 address: its name, or on
// Windows its number; uv_if_indextoiid. The error is ENXIO if there is none.
func IfID(index int) (string, error) {
	return ifText("if_indextoiid", index, cbridge.IfID)
}

func ifText(op string, index int, ask func(uint32) (string, int)) (string, error) {
	text, code := "", int(ENXIO)
	if index == int(uint32(index)) {
		text, code = ask(uint32(index))
	}
	if code != 0 {
		return "", &Error{Op: op, Addr: strconv.Itoa(index), Errno: Errno(code)}
	}
	return text, nil
}
