// Package system is what every driver on a real system has in common: goroutines for work
// and package net's resolver for names.
package system

import (
	"context"
	"net"
	"net/netip"
)

// System implements proactor.Worker and proactor.Resolver. Drivers embed it.
type System struct{}

// Work runs fn on a goroutine of its own.
func (System) Work(fn func()) { go fn() }

// LookupPort asks net.DefaultResolver, which a program may replace.
func (System) LookupPort(ctx context.Context, network, service string) (int, error) {
	return net.DefaultResolver.LookupPort(ctx, network, service)
}

// LookupNetIP asks net.DefaultResolver too.
func (System) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, network, host)
}
