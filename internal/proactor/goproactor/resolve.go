package goproactor

// Names: a lookup is a goroutine in package net's resolver.

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// lookup is one call of GetAddrInfo or GetNameInfo, and its completion.
type lookup struct {
	d    *driver
	stop context.CancelFunc
	tell func() // reads what the goroutine has found, once it has posted
	over bool   // told, or cancelled
}

func (d *driver) GetAddrInfo(q proactor.Query, done func([]proactor.AddrInfo, error)) (cancel func()) {
	var list []proactor.AddrInfo
	var err error
	k := d.newLookup(func() { done(list, err) })
	kind, family, networkErr := system.SplitNetwork(q.Network)
	port, number, serviceErr := system.ServicePort(q.Service)
	hosts, numbers, hostErr := numericHosts(q.Host, family)
	if err = cmp.Or(networkErr, serviceErr, hostErr); err != nil || number && numbers {
		if err == nil {
			list = combine(hosts, family, everyKind(kind, port))
		}
		k.known()
		return k.cancel
	}
	k.run(func(ctx context.Context) {
		ports := everyKind(kind, port)
		if !number {
			ports, err = servicePorts(ctx, kind, q.Service)
		}
		if err == nil && !numbers {
			hosts, err = net.DefaultResolver.LookupNetIP(ctx, "ip"+family, q.Host)
			for i, ip := range hosts {
				hosts[i] = ip.Unmap() // which package net leaves mapped
			}
		}
		if err == nil {
			list = combine(hosts, family, ports)
		}
	})
	return k.cancel
}

func (d *driver) GetNameInfo(network string, addr netip.AddrPort, done func(host, service string, err error)) (cancel func()) {
	var host, service string
	var err error
	k := d.newLookup(func() { done(host, service, err) })
	kind, _, networkErr := system.SplitNetwork(network)
	if err = networkErr; err == nil && !addr.IsValid() {
		err = &net.DNSError{Err: "no address", Name: addr.String()}
	}
	if err != nil {
		k.known()
		return k.cancel
	}
	k.run(func(ctx context.Context) {
		var names []string
		var dns *net.DNSError
		host, service = addr.Addr().String(), system.ServiceName(kind, addr.Port())
		names, err = net.DefaultResolver.LookupAddr(ctx, addr.Addr().WithZone("").String())
		switch {
		case err == nil && len(names) > 0:
			host = strings.TrimSuffix(names[0], ".")
		case errors.As(err, &dns) && dns.IsNotFound:
			err = nil
		case err != nil:
			host, service = "", ""
		}
	})
	return k.cancel
}

func (d *driver) newLookup(tell func()) *lookup {
	return &lookup{d: d, tell: tell, over: d.closed}
}

// known tells what needed no lookup.
func (k *lookup) known() {
	if !k.over {
		k.d.later(k)
	}
}

// run looks up on a goroutine.
func (k *lookup) run(look func(ctx context.Context)) {
	if k.over {
		return
	}
	var ctx context.Context
	ctx, k.stop = context.WithCancel(context.Background())
	k.d.lookups[k] = struct{}{}
	k.d.goroutines.Add(1)
	go func() {
		defer k.d.goroutines.Done()
		look(ctx)
		k.d.post(k)
	}()
}

func (k *lookup) cancel() {
	k.over = true
	if k.stop != nil {
		k.stop()
	}
}

func (k *lookup) complete() {
	if k.stop != nil {
		k.stop()
		delete(k.d.lookups, k)
	}
	if !k.over {
		k.over = true
		k.tell()
	}
}

func (k *lookup) discard() {}

// numericHosts are the addresses of a host that needs no lookup. numbers is false for a
// name.
func numericHosts(host, family string) (hosts []netip.Addr, numbers bool, err error) {
	if host == "" {
		hosts = []netip.Addr{netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1})}
		switch family {
		case "4":
			hosts = hosts[1:]
		case "6":
			hosts = hosts[:1]
		}
		return hosts, true, nil
	}
	ip, number, err := system.NumericAddr(host)
	if !number {
		return nil, false, err
	}
	if family == "4" {
		ip = ip.Unmap()
	}
	if family == "4" && !ip.Is4() || family == "6" && ip.Is4() {
		return nil, false, &net.DNSError{Err: "the address is of another family than the network", Name: host}
	}
	return []netip.Addr{ip}, true, nil
}

// endpoint is a kind of sockets and a port.
type endpoint struct {
	kind string
	port uint16
}

// everyKind has the port for a kind of sockets, or for all of them: ip is all.
func everyKind(kind string, port uint16) []endpoint {
	if kind != "ip" {
		return []endpoint{{kind, port}}
	}
	return []endpoint{{"tcp", port}, {"udp", port}, {"ip", port}}
}

// servicePorts are the numbers of a service. Only some kinds of sockets may have it.
func servicePorts(ctx context.Context, kind, service string) (ports []endpoint, err error) {
	for _, e := range everyKind(kind, 0) {
		if e.kind == "ip" {
			continue // has no services
		}
		port, failure := net.DefaultResolver.LookupPort(ctx, e.kind, service)
		if failure != nil {
			err = cmp.Or(err, failure)
			continue
		}
		ports = append(ports, endpoint{e.kind, uint16(port)})
	}
	if len(ports) > 0 {
		err = nil
	}
	return ports, err
}

// combine lists every endpoint of every host, as the system does.
func combine(hosts []netip.Addr, family string, ports []endpoint) (list []proactor.AddrInfo) {
	for _, ip := range hosts {
		for _, e := range ports {
			list = append(list, proactor.AddrInfo{Network: e.kind + family, Addr: netip.AddrPortFrom(ip, e.port)})
		}
	}
	return list
}
