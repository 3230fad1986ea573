package proactor

// Names: the numbers behind names of hosts and services, and back.
//
//   - done is called by a later Poll, once; after cancel, which is idempotent, and after
//     Close it is not called.
//   - A host that is an address and a service that is a number need no lookup. The zone
//     of an address is kept, by the name of its interface.
//   - The list is the resolver's, in its order. That of a driver is the system's or
//     package net's.
//   - Failures are *net.DNSError; a network that is none is a net.UnknownNetworkError.
//   - What was cancelled may run on by itself. Nothing waits for it, Close neither.

import "net/netip"

// Resolver looks names up.
type Resolver interface {
	// GetAddrInfo finds the addresses that q stands for.
	GetAddrInfo(q Query, done func([]AddrInfo, error)) (cancel func())
	// GetNameInfo finds the names of an address of network, which is one of tcp's or
	// udp's. What has no name is given as a number.
	GetNameInfo(network string, addr netip.AddrPort, done func(host, service string, err error)) (cancel func())
}

// Query is what GetAddrInfo looks for.
type Query struct {
	Network string // "tcp", "udp", or "ip" for all kinds of sockets, each with 4 or 6 or neither
	Host    string // "": this one
	Service string // a name with a letter in it, a number up to 65535, or "" for 0
}

// AddrInfo is one of the addresses found.
type AddrInfo struct {
	Network string // "tcp", "udp" or "ip", with the query's 4 or 6
	Addr    netip.AddrPort
}
