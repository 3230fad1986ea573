package asyncio

// Names of hosts and services. The driver looks them up, or a resolver of the program's
// own. That runs in the task that asks, so that it may await: another service, a lock, a
// cache that another task fills.

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// AddrInfo is one address that a name stands for.
type AddrInfo struct {
	Network   string   // "tcp", "udp" or "ip", with the 4 or 6 that was asked for
	Addr      net.Addr // a *net.TCPAddr, *net.UDPAddr or *net.IPAddr, as Network says
	Canonname string   // the full name of the host, where a Resolver tells it
}

// Resolver looks names up in place of the driver; see WithResolver. Its methods are
// called in the task that asks, one at a time with all else of the loop, and may await.
// One that blocks puts that into ToThread.
type Resolver interface {
	// GetAddrInfo is asked by Loop.GetAddrInfo, and for addresses that are no numbers by
	// CreateConnection and its kin. Addresses are tried in the order of the list.
	GetAddrInfo(ctx context.Context, network, host, service string) ([]AddrInfo, error)
	// GetNameInfo is asked by Loop.GetNameInfo.
	GetNameInfo(ctx context.Context, addr net.Addr) (host, service string, err error)
}

// SystemResolver asks what a loop asks without WithResolver: the system's resolver or,
// with PureGo, package net's. It is for a Resolver that answers some names itself, since
// the methods of its loop would ask it again. Its methods are for tasks, and as those of
// Loop.
var SystemResolver Resolver = systemResolver{}

type systemResolver struct{}

func (systemResolver) GetAddrInfo(ctx context.Context, network, host, service string) ([]AddrInfo, error) {
	a, err := enterTask(ctx, "SystemResolver.GetAddrInfo")
	if err != nil {
		return nil, err
	}
	return a.task.loop.addrInfo(a, network, host, service)
}

func (systemResolver) GetNameInfo(ctx context.Context, addr net.Addr) (host, service string, err error) {
	a, err := enterTask(ctx, "SystemResolver.GetNameInfo")
	if err != nil {
		return "", "", err
	}
	return a.task.loop.nameInfo(a, addr)
}

// WithResolver makes the loop ask r for names: what overriding getaddrinfo and
// getnameinfo of a loop does in asyncio. For names that it does not know, r may ask
// SystemResolver. It panics with ErrInvalidArgument if r is nil.
func WithResolver(r Resolver) Option {
	if r == nil {
		panic(misuse(ErrInvalidArgument, "WithResolver was given nil"))
	}
	return func(c *config) {
		c.setup = append(c.setup, func(l *Loop) { featureOf[resolving](l).resolver = r })
	}
}

// resolving is the feature of a loop that names are.
type resolving struct{ resolver Resolver } // nil: the driver

func (*resolving) loopClosed(*Loop) {}

// GetAddrInfo finds the addresses that host and service stand for: loop.getaddrinfo.
// network is "tcp" or "udp", or "ip" for all kinds of sockets, each with 4 or 6 or
// neither. An empty host is this one, an empty service port 0. The list and its order are
// those of the system's getaddrinfo or, with PureGo, of package net. Failures are
// *net.DNSError. It is for a task of the loop.
// Suspends. Cancelled: at once; a lookup that runs ends by itself, and nothing waits for
// it.
func (l *Loop) GetAddrInfo(ctx context.Context, network, host, service string) ([]AddrInfo, error) {
	a, err := l.enterOn(ctx, "Loop.GetAddrInfo")
	if err != nil {
		return nil, err
	}
	if r := featureOf[resolving](l).resolver; r != nil {
		return r.GetAddrInfo(ctx, network, host, service)
	}
	return l.addrInfo(a, network, host, service)
}

// addrInfo asks the driver.
func (l *Loop) addrInfo(a awaiter, network, host, service string) ([]AddrInfo, error) {
	q := proactor.Query{Network: network, Host: host, Service: service}
	found, err := lookUp(l, a, func(tell func([]proactor.AddrInfo, error)) (cancel func()) { return l.pro.GetAddrInfo(q, tell) })
	if err != nil {
		return nil, err
	}
	infos := make([]AddrInfo, len(found))
	for i, f := range found {
		infos[i] = AddrInfo{Network: f.Network, Addr: socketAddr(f.Network, f.Addr)}
	}
	return infos, nil
}

// GetNameInfo finds the names of a *net.TCPAddr, *net.UDPAddr or *net.IPAddr:
// loop.getnameinfo. What has no name is given as a number. Failures are *net.DNSError; an
// address of another type is errors.ErrUnsupported. It is for a task of the loop.
// Suspends. Cancelled: as GetAddrInfo.
func (l *Loop) GetNameInfo(ctx context.Context, addr net.Addr) (host, service string, err error) {
	a, err := l.enterOn(ctx, "Loop.GetNameInfo")
	if err != nil {
		return "", "", err
	}
	if r := featureOf[resolving](l).resolver; r != nil {
		return r.GetNameInfo(ctx, addr)
	}
	return l.nameInfo(a, addr)
}

// nameInfo asks the driver.
func (l *Loop) nameInfo(a awaiter, addr net.Addr) (host, service string, err error) {
	ap, err := addrPortOf(addr)
	if err != nil {
		return "", "", err
	}
	network := "tcp"
	if _, ok := addr.(*net.UDPAddr); ok {
		network = "udp"
	}
	found, err := lookUp(l, a, func(tell func([2]string, error)) (cancel func()) {
		return l.pro.GetNameInfo(network, ap, func(host, service string, err error) { tell([2]string{host, service}, err) })
	})
	return found[0], found[1], err
}

// lookUp suspends the task until what begin has begun is told. It cancels that if the
// wait ends before.
func lookUp[T any](l *Loop, a awaiter, begin func(tell func(T, error)) (cancel func())) (T, error) {
	var result Result[T]
	var done waitPoint
	told := false
	l.counters.pending++
	cancel := begin(func(v T, err error) {
		told = true
		l.counters.pending--
		result = Result[T]{v, err}
		done.wake(nil)
	})
	err := done.wait(a)
	if !told {
		l.counters.pending--
		cancel()
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return result.Value, result.Err
}

// addrPortOf is a network's address as numbers, an IPv4 one in its short form.
func addrPortOf(addr net.Addr) (netip.AddrPort, error) {
	var ip net.IP
	var zone string
	var port int
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
		return netip.AddrPort{}, fmt.Errorf("asyncio: address %v of type %T: use *net.TCPAddr, *net.UDPAddr or *net.IPAddr: %w", addr, addr, errors.ErrUnsupported)
	}
	numbers, ok := netip.AddrFromSlice(ip)
	if !ok || port < 0 || port > math.MaxUint16 {
		return netip.AddrPort{}, &net.AddrError{Err: "no address with a port", Addr: fmt.Sprint(addr)}
	}
	return netip.AddrPortFrom(numbers.Unmap().WithZone(zone), uint16(port)), nil
}

// socketAddr is an address as package net has it for a network.
func socketAddr(network string, a netip.AddrPort) net.Addr {
	switch {
	case strings.HasPrefix(network, "udp"):
		return net.UDPAddrFromAddrPort(a)
	case strings.HasPrefix(network, "ip"):
		return &net.IPAddr{IP: a.Addr().AsSlice(), Zone: a.Addr().Zone()}
	}
	return net.TCPAddrFromAddrPort(a)
}
