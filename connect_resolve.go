package asyncio

// From "host:port" to the addresses to try. Literals cost nothing; for names the loop's
// resolver is asked.

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// An empty host stands for these.
var (
	everyHost = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} // to listen
	thisHost  = []netip.Addr{netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1})}
)

// familyOf is what a network's addresses are: "ip", "ip4" or "ip6", or "" for paths.
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
// Suspends, if there is a name. Cancelled: the lookup ends by itself.
func resolve(ctx context.Context, network, address string, noHost []netip.Addr) ([]net.Addr, error) {
	if err := checkAddress(network, address); err != nil {
		return nil, err
	}
	if familyOf(network) == "" {
		return []net.Addr{&net.UnixAddr{Name: address, Net: network}}, nil
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, number, err := system.ServicePort(service)
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
	if hosts == nil || !number {
		found, err := lookupAll(ctx, network, host, service)
		if err != nil {
			return nil, err
		}
		if hosts == nil {
			return socketAddrs(network, address, found)
		}
		port = found[0].Port()
	}
	found := make([]netip.AddrPort, len(hosts))
	for i, ip := range hosts {
		found[i] = netip.AddrPortFrom(ip, port)
	}
	return socketAddrs(network, address, found)
}

// lookupAll asks the loop's resolver, and checks what a program's own may answer. The
// list has an address.
func lookupAll(ctx context.Context, network, host, service string) ([]netip.AddrPort, error) {
	infos, err := loopOf(ctx).GetAddrInfo(ctx, network, host, service)
	if err != nil {
		return nil, err
	}
	name := net.JoinHostPort(host, service)
	if len(infos) == 0 {
		return nil, &net.AddrError{Err: "the resolver has found no address", Addr: name}
	}
	found := make([]netip.AddrPort, len(infos))
	for i, info := range infos {
		if found[i], err = addrPortOf(info.Addr); err != nil {
			return nil, fmt.Errorf("asyncio: the resolver has answered for %s: %w", name, err)
		}
		if is := info.Addr.Network(); !strings.HasPrefix(network, is) {
			return nil, &net.AddrError{Err: "the resolver has answered with an address of " + is + " for " + network, Addr: name}
		}
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
