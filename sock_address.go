//go:build linux || darwin || freebsd

package asyncio

// Addresses of sockets that the program owns: package net's to the system's and back.

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
)

// sockaddrFor is addr as the socket takes it: an IPv6 socket takes IPv4 addresses too.
func sockaddrFor(fd int, addr net.Addr) (syscall.Sockaddr, error) {
	own, err := syscall.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	if unix, ok := addr.(*net.UnixAddr); ok && unix != nil {
		if _, fits := own.(*syscall.SockaddrUnix); !fits {
			return nil, misfit(addr)
		}
		if err := checkAddress("unix", unix.Name); err != nil {
			return nil, err
		}
		return &syscall.SockaddrUnix{Name: unix.Name}, nil
	}
	ip, port, err := ipAndPort(addr)
	if err != nil {
		return nil, err
	}
	switch own.(type) {
	case *syscall.SockaddrInet4:
		switch ip = ip.Unmap(); {
		case !ip.IsValid():
			ip = thisHost[1]
		case !ip.Is4():
			return nil, misfit(addr)
		}
		return &syscall.SockaddrInet4{Port: port, Addr: ip.As4()}, nil
	case *syscall.SockaddrInet6:
		if !ip.IsValid() {
			ip = thisHost[0]
		}
		zone, err := zoneID(ip)
		if err != nil {
			return nil, err
		}
		return &syscall.SockaddrInet6{Port: port, ZoneId: zone, Addr: ip.As16()}, nil
	}
	return nil, misfit(addr)
}

func misfit(addr net.Addr) error {
	return fmt.Errorf("address %v of type %T is not of the socket's family: %w", addr, addr, syscall.EAFNOSUPPORT)
}

// ipAndPort takes an address apart; without an IP it is this host's, the zero Addr.
func ipAndPort(addr net.Addr) (netip.Addr, int, error) {
	var ip net.IP
	var zone string
	port := 0
	switch a := addr.(type) {
	case *net.TCPAddr:
		if a != nil {
			ip, zone, port = a.IP, a.Zone, a.Port
		}
	case *net.UDPAddr:
		if a != nil {
			ip, zone, port = a.IP, a.Zone, a.Port
		}
	case *net.IPAddr:
		if a != nil {
			ip, zone = a.IP, a.Zone
		}
	default:
		return netip.Addr{}, 0, misfit(addr)
	}
	if port < 0 || port > math.MaxUint16 {
		return netip.Addr{}, 0, fmt.Errorf("%w: %w", &net.AddrError{Err: "invalid port", Addr: addr.String()}, syscall.EINVAL)
	}
	if len(ip) == 0 {
		return netip.Addr{}, port, nil
	}
	parsed, ok := netip.AddrFromSlice(ip)
	if !ok {
		return netip.Addr{}, 0, fmt.Errorf("%w: %w", &net.AddrError{Err: "invalid IP address", Addr: addr.String()}, syscall.EINVAL)
	}
	return parsed.WithZone(zone), port, nil
}

// zoneID is the number of an address's interface.
func zoneID(ip netip.Addr) (uint32, error) {
	if err := checkZone(ip); err != nil || ip.Zone() == "" {
		return 0, err
	}
	if n, err := strconv.ParseUint(ip.Zone(), 10, 32); err == nil {
		return uint32(n), nil
	}
	i, err := net.InterfaceByName(ip.Zone())
	if err != nil {
		return 0, err
	}
	return uint32(i.Index), nil
}

// zoneName is the name of an interface, or its number if it has gone.
func zoneName(id uint32) string {
	if id == 0 {
		return ""
	}
	if i, err := net.InterfaceByIndex(int(id)); err == nil {
		return i.Name
	}
	return strconv.FormatUint(uint64(id), 10)
}

// sockAddr is the address that a socket of a type was told, as package net has it: an
// IPv4 peer of an IPv6 socket is an IPv4 address. A peer without a name has none.
func sockAddr(sa syscall.Sockaddr, kind int) net.Addr {
	var ap netip.AddrPort
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		ap = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *syscall.SockaddrInet6:
		ap = netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).WithZone(zoneName(sa.ZoneId)).Unmap(), uint16(sa.Port))
	case *syscall.SockaddrUnix:
		if sa.Name == "" && kind != syscall.SOCK_STREAM {
			return nil
		}
		network := map[int]string{syscall.SOCK_DGRAM: "unixgram", syscall.SOCK_SEQPACKET: "unixpacket"}[kind]
		if network == "" {
			network = "unix"
		}
		return &net.UnixAddr{Name: sa.Name, Net: network}
	default:
		return nil
	}
	switch kind {
	case syscall.SOCK_STREAM:
		return net.TCPAddrFromAddrPort(ap)
	case syscall.SOCK_DGRAM:
		return net.UDPAddrFromAddrPort(ap)
	}
	return &net.IPAddr{IP: ap.Addr().AsSlice(), Zone: ap.Addr().Zone()}
}
