package asyncio

// From "host:port" to the addresses to try. Literals cost nothing; names are looked up by
// the driver, in a function of the executor.

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// An empty host stands for these.
var (
	everyHost = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} // to listen
	thisHost  = []netip.Addr{netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1})}
)

// familyOf is what net.Resolver calls the addresses of a network; "" for those that are
// not resolved.
func familyOf(network string) string {
	switch network {
	case "tcp", "udp":
		return "ip"
	case "tcp4", "udp4":
		return "ip4"
	case "tcp6", "udp6":
		return "ip6"
	}
	return ""
}

// resolve finds the addresses that address stands for, at least one, each once: of type
// *net.TCPAddr, *net.UDPAddr or *net.UnixAddr, as network says. noHost is what an empty
// host means.
// Suspends, if there is a name. Cancelled: the lookup ends on its own.
func resolve(ctx context.Context, network, address string, noHost []netip.Addr) ([]net.Addr, error) {
	if err := checkAddress(network, address); err != nil {
		return nil, err
	}
	family := familyOf(network)
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
		return socketAddrs(network, address, found)
	}
	found := make([]netip.AddrPort, len(hosts))
	for i, ip := range hosts {
		found[i] = netip.AddrPortFrom(ip, uint16(port))
	}
	return socketAddrs(network, address, found)
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

// socketAddrs keeps what is of the network's family, once each.
func socketAddrs(network, address string, found []netip.AddrPort) ([]net.Addr, error) {
	family := familyOf(network)
	var addrs []net.Addr
	var seen []netip.AddrPort
	for _, a := range found {
		a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
		is4 := a.Addr().Is4()
		if is4 && family == "ip6" || !is4 && family == "ip4" || slices.Contains(seen, a) {
			continue
		}
		seen = append(seen, a)
		addrs = append(addrs, socketAddr(network, a))
	}
	if len(addrs) == 0 {
		return nil, &net.AddrError{Err: "no address of the network's family", Addr: address}
	}
	return addrs, nil
}

func socketAddr(network string, a netip.AddrPort) net.Addr {
	if strings.HasPrefix(network, "udp") {
		return net.UDPAddrFromAddrPort(a)
	}
	return net.TCPAddrFromAddrPort(a)
}
