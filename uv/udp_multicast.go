//go:build cgo

package uv

// Groups that datagrams are sent to and received from.

import (
	"net/netip"
	"syscall"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// Join makes the socket receive what is sent to a group; uv_udp_set_membership. iface is
// an address of the interface, for IPv6 with its zone; the zero Addr is any, or that of
// the group's zone. It binds if need be, with BindReuseAddr. The errors are ErrClosed,
// EINVAL for an address that is no group's or of another family, ENODEV, EADDRINUSE if
// the socket is in the group already, and those of the system.
func (u *UDP) Join(group, iface netip.Addr) error {
	return u.membership("join", true, group, iface, netip.Addr{}, false)
}

// Leave undoes Join. The error is EADDRNOTAVAIL if the socket is not in the group.
func (u *UDP) Leave(group, iface netip.Addr) error {
	return u.membership("leave", false, group, iface, netip.Addr{}, false)
}

// JoinSource makes the socket receive what source sends to a group;
// uv_udp_set_source_membership.
func (u *UDP) JoinSource(group, iface, source netip.Addr) error {
	return u.membership("join_source", true, group, iface, source, true)
}

// LeaveSource undoes JoinSource.
func (u *UDP) LeaveSource(group, iface, source netip.Addr) error {
	return u.membership("leave_source", false, group, iface, source, true)
}

func (u *UDP) membership(op string, join bool, group, iface, source netip.Addr, sourced bool) error {
	if err := u.check(op); err != nil {
		return err
	}
	if !iface.IsValid() {
		iface = anyOf(group)
	}
	bad := !group.IsMulticast() || group.Is4() != iface.Is4() || sourced && (!source.IsValid() || group.Is4() != source.Is4())
	if bad {
		return u.groupResult(op, group, int(EINVAL))
	}
	var bufs [3][cbridge.AddrBytes]byte
	var sa [3][]byte
	for i, ip := range []netip.Addr{group, iface, source} {
		if !ip.IsValid() {
			continue
		}
		var err error
		if sa[i], err = u.sockaddr(op, netip.AddrPortFrom(ip, 0), &bufs[i]); err != nil {
			return err
		}
	}
	if err := u.bindAny(op, sockaddrFamily(sa[0]), true); err != nil {
		return err
	}
	u.sendGathered()
	return u.groupResult(op, group, u.loop.b.UDPGroup(u.id(), join, sa[0], sa[1], sa[2]))
}

func (u *UDP) groupResult(op string, group netip.Addr, code int) error {
	if code == 0 {
		return nil
	}
	return &Error{Op: op, Kind: UDPHandle, Addr: group.String(), Errno: Errno(code)}
}

// anyOf is the address that names no interface, with the zone of the group.
func anyOf(group netip.Addr) netip.Addr {
	if group.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified().WithZone(group.Zone())
}

// SetMulticastLoop says whether what the socket sends to groups comes to this machine
// too, as it does at first; uv_udp_set_multicast_loop.
func (u *UDP) SetMulticastLoop(on bool) error {
	return u.set("set_multicast_loop", cbridge.UDPMulticastLoop, number(on))
}

// SetMulticastTTL sets how many routers a datagram for a group may pass, none at first;
// uv_udp_set_multicast_ttl. The error is EINVAL for n outside of 0 to 255.
func (u *UDP) SetMulticastTTL(n int) error {
	if n < 0 || n > 255 {
		return u.fail("set_multicast_ttl", int(EINVAL))
	}
	return u.set("set_multicast_ttl", cbridge.UDPMulticastTTL, n)
}

// SetMulticastInterface sets the interface by which datagrams for groups leave, as of
// Join; uv_udp_set_multicast_interface. The zero Addr leaves the choice to the system.
// The error is EINVAL for an address of another family than the socket's.
func (u *UDP) SetMulticastInterface(iface netip.Addr) error {
	const op = "set_multicast_interface"
	if err := u.check(op); err != nil {
		return err
	}
	if u.family == 0 {
		return u.fail(op, int(EBADF))
	}
	if !iface.IsValid() {
		iface = netip.IPv4Unspecified()
		if u.family == syscall.AF_INET6 {
			iface = netip.IPv6Unspecified()
		}
	}
	var buf [cbridge.AddrBytes]byte
	sa, err := u.sockaddr(op, netip.AddrPortFrom(iface, 0), &buf)
	if err != nil {
		return err
	}
	u.sendGathered()
	return u.groupResult(op, iface, u.loop.b.UDPInterface(u.id(), sa))
}
