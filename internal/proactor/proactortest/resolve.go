package proactortest

// Cases about names: those that every system knows.

import (
	"context"
	"net"
	"net/netip"

	"github.com/stretchr/testify/require"
)

var resolveCases = []testCase{
	{name: "ports", run: func(r *rig) {
		for service, port := range map[string]int{"http": 80, "https": 443, "0": 0, "8080": 8080, "65535": 65535} {
			r.do(service, func() {
				n, err := r.p.LookupPort(context.Background(), "tcp", service)
				if err != nil || n != port {
					r.t.Errorf("LookupPort(%q) is %d, %v", service, n, err)
				}
			})
		}
	}},
	{name: "a port that is none", run: func(r *rig) {
		for _, service := range []string{"no-such-service", "65536", "-1"} {
			_, err := r.p.LookupPort(context.Background(), "tcp", service)
			require.Error(r.t, err, service)
		}
	}},
	{name: "literals", run: func(r *rig) {
		for _, literal := range []string{"192.0.2.1", "2001:db8::1"} {
			addrs, err := r.p.LookupNetIP(context.Background(), "ip", literal)
			require.NoError(r.t, err)
			require.Len(r.t, addrs, 1)
			require.Equal(r.t, netip.MustParseAddr(literal), addrs[0].Unmap())
		}
	}},
	{name: "localhost", run: func(r *rig) {
		for _, network := range []string{"ip", "ip4"} {
			r.do("the lookup", func() {
				addrs, err := r.p.LookupNetIP(context.Background(), network, "localhost")
				if err != nil || len(addrs) == 0 {
					r.t.Errorf("%s: %v, %v", network, addrs, err)
				}
				for _, a := range addrs {
					if !a.IsLoopback() || network == "ip4" && !a.Unmap().Is4() {
						r.t.Errorf("%s: %v", network, a)
					}
				}
			})
		}
	}},
	{name: "a name that is none", run: func(r *rig) {
		_, err := r.p.LookupNetIP(context.Background(), "ip", "")
		var failure *net.DNSError
		require.ErrorAs(r.t, err, &failure)
	}},
	{name: "from goroutines", run: func(r *rig) {
		for range 8 {
			r.spawn(func() {
				if n, err := r.p.LookupPort(context.Background(), "tcp", "http"); err != nil || n != 80 {
					r.t.Errorf("%d, %v", n, err)
				}
			})
		}
		r.peers.Wait()
	}},
}
