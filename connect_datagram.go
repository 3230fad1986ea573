package asyncio

// Opening endpoints of datagrams.

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// anyHost is what an empty host means to an endpoint: one socket for IPv6 and IPv4, or
// for IPv4 where that is all there is.
var anyHost = []netip.Addr{netip.IPv6Unspecified(), netip.IPv4Unspecified()}

// CreateDatagramEndpoint binds an endpoint of datagrams and returns its transport with
// the protocol that factory has made for it: loop.create_datagram_endpoint. network is
// "udp", "udp4", "udp6" or "unixgram". localAddr is as in package net: an empty host is
// all interfaces, of IPv4 and IPv6 if network is "udp", and port 0 lets the kernel
// choose. An empty localAddr is any address, or none over Unix with WithRemoteAddr; over
// Unix without, the kernel gives the socket a name, which Linux can.
//
// A Unix socket has a file, unless its name begins with "@". One that nobody answers on
// is removed, as by CreateServer; the endpoint leaves its own behind, as in asyncio.
// It is for a task of the loop. ConnectionMade has returned when CreateDatagramEndpoint
// does.
// Suspends. Cancelled: the endpoint is closed; a protocol whose ConnectionMade was called
// hears ConnectionLost.
func (l *Loop) CreateDatagramEndpoint(ctx context.Context, factory func() DatagramProtocol, network, localAddr string, opts ...DatagramOption) (*DatagramTransport, DatagramProtocol, error) {
	if factory == nil {
		panic(misuse(ErrInvalidArgument, "CreateDatagramEndpoint was given a nil factory"))
	}
	a, err := l.enterOn(ctx, "CreateDatagramEndpoint")
	if err != nil {
		return nil, nil, err
	}
	t, err := l.createDatagramEndpoint(ctx, a, factory, network, localAddr, newDatagramConfig(opts))
	if err != nil {
		return nil, nil, err
	}
	return t, t.protocol, nil
}

func (l *Loop) createDatagramEndpoint(ctx context.Context, a awaiter, factory func() DatagramProtocol, network, localAddr string, c datagramConfig) (*DatagramTransport, error) {
	routes, err := datagramRoutes(ctx, network, localAddr, c.remoteAddr)
	if err != nil {
		return nil, err
	}
	s, peer, err := l.openDatagram(routes, network, c)
	if err != nil {
		return nil, err
	}
	return l.adoptDatagram(a, s, factory, peer)
}

// datagramRoutes is what to try, in order. A route without a remote address is that of an
// endpoint that is not connected, one without a local address may be bound anywhere.
func datagramRoutes(ctx context.Context, network, localAddr, remoteAddr string) ([]route, error) {
	if err := checkNetwork(network, datagramNetworks); err != nil {
		return nil, err
	}
	if localAddr == "" && remoteAddr == "" {
		if network == "unixgram" {
			return []route{{local: &net.UnixAddr{Net: network}}}, nil
		}
		localAddr = ":0"
	}
	locals := []net.Addr{nil}
	if localAddr != "" {
		var err error
		if locals, err = resolve(ctx, network, localAddr, anyHost); err != nil {
			return nil, err
		}
	}
	var routes []route
	if remoteAddr == "" {
		for _, local := range locals {
			routes = append(routes, route{local: local})
		}
		return routes, nil
	}
	remotes, err := resolve(ctx, network, remoteAddr, thisHost)
	if err != nil {
		return nil, err
	}
	for _, remote := range remotes {
		routes = append(routes, routesTo(remote, locals)...)
	}
	return routes, nil
}

// openDatagram opens the first of the routes that this host has; the error is that of the
// first. peer is nil without WithRemoteAddr. For broadcasts the socket is not connected,
// as in asyncio: the answers come from the hosts, not from the broadcast's address.
func (l *Loop) openDatagram(routes []route, network string, c datagramConfig) (s proactor.Datagram, peer net.Addr, err error) {
	opt := proactor.DatagramOptions{ReusePort: c.reusePort, Broadcast: c.broadcast, V6Only: network == "udp6"}
	for _, r := range routes {
		failed := r.err
		if failed == nil {
			if s, failed = l.bindDatagram(r, opt); failed == nil {
				return s, r.remote, nil
			}
		}
		if err == nil {
			err = failed
		}
		if r.remote == nil && !lacksAddress(failed) {
			break
		}
	}
	return nil, nil, err
}

// lacksAddress reports whether an address cannot be bound because the host has none of
// the kind.
func lacksAddress(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

// bindDatagram opens one route, in the place of a stale Unix socket if need be.
func (l *Loop) bindDatagram(r route, opt proactor.DatagramOptions) (proactor.Datagram, error) {
	local, remote := r.local, r.remote
	if to, ok := remote.(*net.UDPAddr); ok && opt.Broadcast {
		if local == nil {
			local = anyAddrLike(to)
		}
		remote = nil
	}
	s, err := l.pro.OpenDatagram(local, remote, opt)
	if a, ok := local.(*net.UnixAddr); ok && errors.Is(err, syscall.EADDRINUSE) && removeStaleSocket("unixgram", a.Name) {
		s, err = l.pro.OpenDatagram(local, remote, opt)
	}
	return s, err
}

// anyAddrLike is a local address that can send to remote.
func anyAddrLike(remote *net.UDPAddr) *net.UDPAddr {
	if isIPv4(remote) {
		return &net.UDPAddr{IP: net.IPv4zero}
	}
	return &net.UDPAddr{IP: net.IPv6unspecified}
}

// datagramAdoption is an endpoint whose ConnectionMade waits in the ready queue.
type datagramAdoption struct {
	transport *DatagramTransport
	made      waitPoint
}

// adoptDatagram gives s to the protocol that factory makes, and owns s whatever happens.
func (l *Loop) adoptDatagram(a awaiter, s proactor.Datagram, factory func() DatagramProtocol, peer net.Addr) (*DatagramTransport, error) {
	var t *DatagramTransport
	defer func() {
		if t == nil { // the factory has panicked
			s.Close()
		}
	}()
	t = newDatagramTransport(l, s, factory(), peer)
	made := &datagramAdoption{transport: t}
	l.ready.push(made)
	if err := made.made.wait(a); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func (c *datagramAdoption) run(*Loop) {
	defer c.made.wake(nil) // also if ConnectionMade ends with runtime.Goexit
	c.transport.begin()
}
