package proactortest

// Cases about names: those that every system knows.

import (
	"net"
	"net/netip"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// lookUp is what GetAddrInfo tells.
func (r *rig) lookUp(network, host, service string) (list []proactor.AddrInfo, err error) {
	r.t.Helper()
	told := 0
	cancel := r.p.GetAddrInfo(proactor.Query{Network: network, Host: host, Service: service}, func(l []proactor.AddrInfo, e error) {
		defer r.handler("done")()
		told++
		list, err = l, e
	})
	r.until("the addresses", func() bool { return told > 0 })
	cancel() // does nothing now
	r.poll(0)
	require.Equal(r.t, 1, told)
	require.Equal(r.t, err == nil, len(list) > 0)
	return list, err
}

// name is what GetNameInfo tells.
func (r *rig) name(network, addr string) (host, service string, err error) {
	r.t.Helper()
	told := 0
	ap, _ := netip.ParseAddrPort(addr)
	cancel := r.p.GetNameInfo(network, ap, func(h, s string, e error) {
		defer r.handler("done")()
		told++
		host, service, err = h, s, e
	})
	r.until("the name", func() bool { return told > 0 })
	cancel()
	r.poll(0)
	require.Equal(r.t, 1, told)
	return host, service, err
}

// spell is a list as text, such as "tcp 127.0.0.1:80, udp 127.0.0.1:80".
func spell(list []proactor.AddrInfo) string {
	var texts []string
	for _, a := range list {
		texts = append(texts, a.Network+" "+a.Addr.String())
	}
	return strings.Join(texts, ", ")
}

var resolveCases = []testCase{
	{name: "numbers", run: func(r *rig) {
		for _, c := range []struct{ network, host, service, want string }{
			{"tcp", "127.0.0.1", "80", "tcp 127.0.0.1:80"},
			{"tcp4", "127.0.0.1", "", "tcp4 127.0.0.1:0"},
			{"udp", "192.0.2.1", "65535", "udp 192.0.2.1:65535"},
			{"udp6", "2001:db8::1", "1", "udp6 [2001:db8::1]:1"},
			{"ip", "127.0.0.1", "80", "tcp 127.0.0.1:80, udp 127.0.0.1:80, ip 127.0.0.1:80"},
			{"ip4", "127.0.0.1", "0", "tcp4 127.0.0.1:0, udp4 127.0.0.1:0, ip4 127.0.0.1:0"},
			{"tcp4", "::ffff:127.0.0.1", "1", "tcp4 127.0.0.1:1"},
			{"tcp", "", "7", "tcp [::1]:7, tcp 127.0.0.1:7"},
			{"udp4", "", "", "udp4 127.0.0.1:0"},
			{"tcp6", "", "8", "tcp6 [::1]:8"},
		} {
			list, err := r.lookUp(c.network, c.host, c.service)
			require.NoError(r.t, err)
			require.Equal(r.t, c.want, spell(list))
		}
	}},
	{name: "zones", run: func(r *rig) {
		ifi, err := net.InterfaceByIndex(1)
		require.NoError(r.t, err)
		for _, zone := range []string{ifi.Name, "1"} {
			for _, host := range []string{"fe80::1", "::1"} {
				list, err := r.lookUp("tcp", host+"%"+zone, "80")
				require.NoError(r.t, err)
				require.Equal(r.t, "tcp ["+host+"%"+ifi.Name+"]:80", spell(list))
			}
		}
	}},
	{name: "services", run: func(r *rig) {
		for _, c := range []struct{ network, host, service, want string }{
			{"tcp", "127.0.0.1", "http", "tcp 127.0.0.1:80"},
			{"tcp", "::1", "https", "tcp [::1]:443"},
			{"udp", "127.0.0.1", "domain", "udp 127.0.0.1:53"},
			{"ip", "127.0.0.1", "domain", "tcp 127.0.0.1:53, udp 127.0.0.1:53"},
			{"ip", "127.0.0.1", "http", "tcp 127.0.0.1:80"},
			{"tcp4", "", "http", "tcp4 127.0.0.1:80"},
		} {
			list, err := r.lookUp(c.network, c.host, c.service)
			require.NoError(r.t, err)
			require.Equal(r.t, c.want, spell(list))
		}
	}},
	{name: "localhost", run: func(r *rig) {
		for _, network := range []string{"tcp", "udp4"} {
			list, err := r.lookUp(network, "localhost", "80")
			require.NoError(r.t, err)
			for _, a := range list {
				require.Equal(r.t, network, a.Network)
				require.EqualValues(r.t, 80, a.Addr.Port())
				require.True(r.t, a.Addr.Addr().IsLoopback())
				require.True(r.t, network == "tcp" || a.Addr.Addr().Is4())
			}
		}
	}},
	{name: "what is none", run: func(r *rig) {
		for _, c := range []struct{ network, host, service string }{
			{"tcp", "127.0.0.1", "no-such-service"},
			{"tcp", "", "no-such-service"},
			{"tcp", "127.0.0.1", "65536"},
			{"tcp", "127.0.0.1", "-1"},
			{"tcp", "localhost", "+80"},
			{"tcp", "127.0.0.1", " 80"},
			{"udp", "127.0.0.1", "\x00"},
			{"udp", "127.0.0.1", "http\x00"},
			{"tcp", "local\x00host", "80"},
			{"tcp", "\xff", "80"},
			{"tcp", strings.Repeat("x", 300), "80"},
			{"tcp", "fe80::1%nosuchif", "80"},
			{"tcp4", "::1", "80"},
			{"tcp6", "127.0.0.1", "80"},
		} {
			_, err := r.lookUp(c.network, c.host, c.service)
			var failure *net.DNSError
			require.ErrorAs(r.t, err, &failure, "%q", c)
			require.NotEmpty(r.t, failure.Name, "%q", c)
		}
		for _, network := range []string{"", "tcp5", "tcp44", "unix", "sctp", "4"} {
			var unknown net.UnknownNetworkError
			_, err := r.lookUp(network, "127.0.0.1", "80")
			require.ErrorAs(r.t, err, &unknown, network)
			_, _, err = r.name(network, "127.0.0.1:80")
			require.ErrorAs(r.t, err, &unknown, network)
		}
		var failure *net.DNSError
		_, _, err := r.name("tcp", "")
		require.ErrorAs(r.t, err, &failure)
	}},
	{name: "from numbers to names", run: func(r *rig) {
		for _, c := range []struct{ network, addr, service string }{
			{"tcp", "127.0.0.1:80", "http"},
			{"udp4", "127.0.0.1:53", "domain"},
			{"tcp", "127.0.0.1:65000", "65000"},
		} {
			host, service, err := r.name(c.network, c.addr)
			require.NoError(r.t, err)
			require.Equal(r.t, []string{"localhost", c.service}, []string{host, service})
		}
	}},
	{name: "cancel", run: func(r *rig) {
		var cancels []func()
		for _, host := range []string{"localhost", "127.0.0.1", "", "bad\x00name"} {
			for range 20 {
				cancels = append(cancels, r.p.GetAddrInfo(proactor.Query{Network: "tcp", Host: host, Service: "80"}, func([]proactor.AddrInfo, error) {
					r.t.Error("told after cancel")
				}))
			}
		}
		cancels = append(cancels, r.p.GetNameInfo("tcp", netip.MustParseAddrPort("127.0.0.1:80"), func(_, _ string, _ error) {
			r.t.Error("told after cancel")
		}))
		for _, cancel := range append(cancels, cancels...) {
			cancel()
		}
		r.settle()
	}},
	{name: "cancel inside done", run: func(r *rig) {
		told := 0
		var cancel func()
		cancel = r.p.GetAddrInfo(proactor.Query{Network: "tcp", Host: "localhost"}, func(_ []proactor.AddrInfo, err error) {
			defer r.handler("done")()
			require.NoError(r.t, err)
			cancel()
			told++
			r.p.GetAddrInfo(proactor.Query{Network: "tcp", Host: "127.0.0.1"}, func([]proactor.AddrInfo, error) {
				defer r.handler("done")()
				told++
			})
		})
		r.until("both", func() bool { return told == 2 })
	}},
	{name: "many", run: func(r *rig) {
		told := 0
		for range 200 {
			r.p.GetAddrInfo(proactor.Query{Network: "tcp", Host: "localhost", Service: "http"}, func(list []proactor.AddrInfo, err error) {
				require.NoError(r.t, err)
				require.NotEmpty(r.t, list)
				told++
			})
		}
		r.until("all", func() bool { return told == 200 })
	}},
	{name: "Close tells none", run: func(r *rig) {
		told := func() { r.t.Error("told after Close") }
		var cancels []func()
		for _, host := range []string{"localhost", "127.0.0.1", "bad\x00name"} {
			for range 20 {
				cancels = append(cancels, r.p.GetAddrInfo(proactor.Query{Network: "tcp", Host: host}, func([]proactor.AddrInfo, error) { told() }))
			}
		}
		r.close()
		cancels = append(cancels,
			r.p.GetAddrInfo(proactor.Query{Network: "tcp", Host: "localhost"}, func([]proactor.AddrInfo, error) { told() }),
			r.p.GetNameInfo("tcp", netip.MustParseAddrPort("127.0.0.1:80"), func(_, _ string, _ error) { told() }))
		for _, cancel := range cancels {
			cancel()
		}
		require.Error(r.t, r.p.Poll(0))
		require.NoError(r.t, r.p.Close())
	}},
	{name: "Close inside done", run: func(r *rig) {
		told := 0
		for range 20 {
			r.p.GetAddrInfo(proactor.Query{Network: "tcp", Host: "localhost"}, func([]proactor.AddrInfo, error) {
				told++
				require.NoError(r.t, r.p.Close())
			})
		}
		for told == 0 {
			if err := r.p.Poll(proactor.Forever); err != nil {
				require.ErrorIs(r.t, err, net.ErrClosed)
			}
		}
		require.Equal(r.t, 1, told)
		r.closed = true
	}},
}
