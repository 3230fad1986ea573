//go:build cgo

package uvproactor

// Names: a lookup is a request of libuv's.

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
	"github.com/seed-a026a017/asyncio/uv"
)

// lookup is one call of GetAddrInfo or GetNameInfo.
type lookup struct {
	d    *driver
	name string
	req  *uv.Req // nil when it could not begin
	over bool    // told, or cancelled
}

func (d *driver) GetAddrInfo(q proactor.Query, done func([]proactor.AddrInfo, error)) (cancel func()) {
	k := &lookup{d: d, name: cmp.Or(q.Host, q.Service)}
	kind, family, err := system.SplitNetwork(q.Network)
	if err == nil {
		_, _, err = system.ServicePort(q.Service)
	}
	k.begin(err, func() (*uv.Req, error) {
		return d.loop.GetAddrInfo(q.Host, cmp.Or(q.Service, "0"), hintsFor(kind, family), func(list []uv.AddrInfo, err error) {
			if k.ended() {
				done(addrInfos(list, family), k.failure(err))
			}
		})
	}, func(err error) { done(nil, err) })
	return k.cancel
}

func (d *driver) GetNameInfo(network string, addr netip.AddrPort, done func(host, service string, err error)) (cancel func()) {
	k := &lookup{d: d, name: addr.String()}
	kind, _, err := system.SplitNetwork(network)
	flags := 0
	if kind == "udp" {
		flags = niDgram
	}
	k.begin(err, func() (*uv.Req, error) {
		return d.loop.GetNameInfo(addr, flags, func(host, service string, err error) {
			if k.ended() {
				done(host, service, k.failure(err))
			}
		})
	}, func(err error) { done("", "", err) })
	return k.cancel
}

// begin asks, unless there is an error already; failed is told of what could not begin.
func (k *lookup) begin(err error, ask func() (*uv.Req, error), failed func(error)) {
	if k.d.closed {
		k.over = true
		return
	}
	if err == nil {
		k.req, err = ask()
	}
	if err == nil {
		k.d.lookups++
		return
	}
	k.d.later(func() {
		if !k.over {
			k.over = true
			failed(k.failure(err))
		}
	})
}

// ended reports whether what has come is to be told.
func (k *lookup) ended() bool {
	tell := !k.over && !k.d.closed
	k.over = true
	k.d.lookups--
	return tell
}

// cancel leaves a lookup that runs to itself.
func (k *lookup) cancel() {
	if k.over || k.d.closed {
		return
	}
	k.over = true
	if k.req != nil {
		_ = k.req.Cancel()
	}
}

// failure is err as the seam has it: as package net's errors are.
func (k *lookup) failure(err error) error {
	var dns *net.DNSError
	var unknown net.UnknownNetworkError
	switch {
	case err == nil || errors.As(err, &unknown):
		return err
	case errors.As(err, &dns):
		dns.IsNotFound = dns.IsNotFound || errors.Is(err, uv.EAI_SERVICE)
		return err
	}
	return &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: k.name, IsTemporary: errors.Is(err, uv.EAGAIN)}
}

// niDgram is NI_DGRAM: the service is one of udp's.
const niDgram = 16

func hintsFor(kind, family string) uv.AddrInfoHints {
	return uv.AddrInfoHints{
		SockType: map[string]int{"tcp": syscall.SOCK_STREAM, "udp": syscall.SOCK_DGRAM}[kind],
		Family:   map[string]int{"4": syscall.AF_INET, "6": syscall.AF_INET6}[family],
	}
}

func addrInfos(list []uv.AddrInfo, family string) []proactor.AddrInfo {
	var infos []proactor.AddrInfo
	for _, a := range list {
		kind := "ip"
		switch a.SockType {
		case syscall.SOCK_STREAM:
			kind = "tcp"
		case syscall.SOCK_DGRAM:
			kind = "udp"
		}
		infos = append(infos, proactor.AddrInfo{Network: kind + family, Addr: a.Addr})
	}
	return infos
}
