package system

// Names, as far as they mean the same on every system.

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// SplitNetwork takes "tcp", "udp" or "ip" and the "4", "6" or "" behind it apart.
func SplitNetwork(network string) (kind, family string, err error) {
	kind = strings.TrimRight(network, "46")
	family = network[len(kind):]
	if kind != "tcp" && kind != "udp" && kind != "ip" || len(family) > 1 {
		return "", "", fmt.Errorf("look up for network %q: %w", network, net.UnknownNetworkError(network))
	}
	return kind, family, nil
}

// ServicePort is the number of a service that is one. Resolvers differ in what else they
// take for a number, so what has no letter in it is one or an error.
func ServicePort(service string) (port uint16, number bool, err error) {
	if service == "" {
		return 0, true, nil
	}
	letter := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
	if strings.ContainsFunc(service, letter) {
		return 0, false, nil
	}
	n, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return 0, false, &net.DNSError{Err: "invalid port", Name: service, IsNotFound: true}
	}
	return uint16(n), true, nil
}

// ServiceName is the name of a port of "tcp" or "udp", or its number. It may read a file.
func ServiceName(kind string, port uint16) string {
	number := strconv.Itoa(int(port))
	return cmp.Or(services()[number+"/"+kind], number)
}

// NumericAddr reads a host that is an address. The zone is made the name of its
// interface, and one of no interface is an error.
func NumericAddr(host string) (ip netip.Addr, number bool, err error) {
	ip, err = netip.ParseAddr(host)
	if err != nil {
		return ip, false, nil
	}
	zone := ip.Zone()
	if zone == "" {
		return ip, true, nil
	}
	if n, err := strconv.Atoi(zone); err == nil {
		if ifi, err := net.InterfaceByIndex(n); err == nil {
			return ip.WithZone(ifi.Name), true, nil
		}
		return ip, true, nil
	}
	if _, err := net.InterfaceByName(zone); err != nil {
		return ip, false, &net.DNSError{UnwrapErr: err, Err: "no such interface", Name: host, IsNotFound: true}
	}
	return ip, true, nil
}
