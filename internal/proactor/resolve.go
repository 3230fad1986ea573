package proactor

// Names: the numbers behind names of hosts and services.
//
//   - A lookup blocks, so it belongs into a function of Work.
//   - It ends with its context.
//   - Failures are *net.DNSError.

import (
	"context"
	"net/netip"
)

// Resolver looks names up. Its methods block, and may be called from any goroutine.
type Resolver interface {
	// LookupPort finds the number of a service, such as "http", or reads it from its
	// digits. network is "tcp", "tcp4", "tcp6" or one of udp's.
	LookupPort(ctx context.Context, network, service string) (int, error)
	// LookupNetIP finds the addresses of host. network is "ip", "ip4" or "ip6". An IPv4
	// address may come mapped into an IPv6 one.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}
