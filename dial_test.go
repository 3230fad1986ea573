package asyncio

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInterleave(t *testing.T) {
	addr := func(s string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(s)} }
	a, b, c, d := addr("::a"), addr("::b"), addr("1.2.3.4"), addr("5.6.7.8")
	t.Run("HPY-02", func(t *testing.T) {
		require.Equal(t, []net.Addr{a, c, b, d}, interleave([]net.Addr{a, b, c, d}, 1))
	})
	for _, k := range []struct {
		n        int
		in, want []net.Addr
	}{
		{0, []net.Addr{a, b, c, d}, []net.Addr{a, b, c, d}},
		{2, []net.Addr{a, b, c, d}, []net.Addr{a, b, c, d}},
		{9, []net.Addr{c, a, d}, []net.Addr{c, d, a}},
		{1, []net.Addr{c, d, a, b}, []net.Addr{c, a, d, b}},
		{1, []net.Addr{a}, []net.Addr{a}},
	} {
		t.Run(fmt.Sprintf("%d of %v", k.n, k.in), func(t *testing.T) {
			require.Equal(t, k.want, interleave(k.in, k.n))
		})
	}
}

func TestResolveByNetwork(t *testing.T) {
	_, err := Run(func(ctx context.Context) (None, error) {
		lo := net.IPv4(127, 0, 0, 1).To4()
		for _, c := range []struct {
			network, address string
			want             net.Addr
		}{
			{"tcp", "127.0.0.1:80", &net.TCPAddr{IP: lo, Port: 80}},
			{"udp", "127.0.0.1:80", &net.UDPAddr{IP: lo, Port: 80}},
			{"udp4", "127.0.0.1:domain", &net.UDPAddr{IP: lo, Port: 53}},
			{"udp6", "[::1]:80", &net.UDPAddr{IP: net.IPv6loopback, Port: 80}},
			{"unix", "s", &net.UnixAddr{Name: "s", Net: "unix"}},
			{"unixgram", "s", &net.UnixAddr{Name: "s", Net: "unixgram"}},
		} {
			got, err := resolve(ctx, c.network, c.address, everyHost)
			require.NoError(t, err, c.network)
			require.Equal(t, []net.Addr{c.want}, got, c.network)
		}
		for network, address := range map[string]string{"udp4": "[::1]:80", "udp6": "127.0.0.1:80", "udp": "127.0.0.1:70000", "unixgram": ""} {
			_, err := resolve(ctx, network, address, everyHost)
			require.Error(t, err, network)
		}
		for _, network := range datagramNetworks {
			require.NoError(t, checkNetwork(network, datagramNetworks))
			require.ErrorContains(t, checkNetwork(network, streamNetworks), "use tcp, tcp4, tcp6 or unix")
		}
		return None{}, nil
	})
	require.NoError(t, err)
}

func TestRaceOfNone(t *testing.T) {
	t.Run("HPY-03", func(t *testing.T) {
		_, err := new(race).run(awaiter{})
		require.ErrorIs(t, err, ErrTimeout)
	})
}
