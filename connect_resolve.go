package asyncio

// From "host:port" to the addresses to try. Literals cost nothing; names are looked up by
// the driver, in a function of the executor.

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// An empty host stands for these.
var (
	everyHost = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} // to listen
	thisHost  = []netip.Addr{netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1})}
)

// familyOf is what net.Resolver calls the addresses of a network; "" for those that are
// not resolved.
func familyOf(network string) (string, error) {
	switch network {
	case "tcp":
		return "ip", nil
	case "tcp4":
		return "ip4", nil
	case "tcp6":
		return "ip6", nil
	case "unix":
		return "", nil
	}
	return "", fmt.Errorf("asyncio: network %q: use tcp, tcp4, tcp6 or unix: %w", network, net.UnknownNetworkError(network))
}

// resolve finds the addresses that address stands for, at least one, each once. noHost is
// what an empty host means.
// Suspends, if there is a name. Cancelled: the lookup ends on its own.
func resolve(ctx context.Context, network, address string, noHost []netip.Addr) ([]net.Addr, error) {
	family, err := familyOf(network)
	if err != nil {
		return nil, err
	}
	if err := checkAddress(network, address); err != nil {
		return nil, err
	}
	if family == "" {
		return []net.Addr{&net.UnixAddr{Name: address, Net: network}}, nil
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	hosts := noHost
	if host != "" {
		hosts = nil
		if ip, err := netip.ParseAddr(host); err == nil {
			if err := checkZone(ip); err != nil {
				return nil, err
			}
			hosts = []netip.Addr{ip}
		}
	}
	port, portErr := strconv.ParseUint(service, 10, 16)
	if hosts == nil || portErr != nil {
		names := loopOf(ctx).pro
		found, err := ToThread(ctx, func(ctx context.Context) ([]netip.AddrPort, error) {
			return lookup(ctx, names, network, family, host, service, hosts)
		})
		if err != nil {
			return nil, err
		}
		return socketAddrs(family, address, found)
	}
	found := make([]netip.AddrPort, len(hosts))
	for i, ip := range hosts {
		found[i] = netip.AddrPortFrom(ip, uint16(port))
	}
	return socketAddrs(family, address, found)
}

// lookup blocks: it asks for the port's number, and for the host's addresses unless they
// are known.
func lookup(ctx context.Context, names proactor.Resolver, network, family, host, service string, hosts []netip.Addr) ([]netip.AddrPort, error) {
	port, err := names.LookupPort(ctx, network, service)
	if err != nil {
		return nil, err
	}
	if hosts == nil {
		if hosts, err = names.LookupNetIP(ctx, family, host); err != nil {
			return nil, err
		}
	}
	found := make([]netip.AddrPort, len(hosts))
	for i, ip := range hosts {
		found[i] = netip.AddrPortFrom(ip, uint16(port))
	}
	return found, nil
}

// socketAddrs keeps what is of the family, once each.
func socketAddrs(family, address string, found []netip.AddrPort) ([]net.Addr, error) {
	var addrs []net.Addr
	var seen []netip.AddrPort
	for _, a := range found {
		a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
		is4 := a.Addr().Is4()
		if is4 && family == "ip6" || !is4 && family == "ip4" || slices.Contains(seen, a) {
			continue
		}
		seen = append(seen, a)
		addrs = append(addrs, net.TCPAddrFromAddrPort(a))
	}
	if len(addrs) == 0 {
		return nil, &net.AddrError{Err: "no address of the network's family", Addr: address}
	}
	return addrs, nil
}
