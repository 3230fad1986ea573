package system

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// peers are addresses of every kind.
func peers() []Peer {
	var all []Peer
	for _, a := range []string{"127.0.0.1:1", "127.0.0.1:2", "10.1.2.3:1", "[::1]:1", "[fe80::1%lo]:5", "[::ffff:1.2.3.4]:7", "0.0.0.0:0"} {
		all = append(all, Peer{AddrPort: netip.MustParseAddrPort(a)})
	}
	return append(all, Peer{Name: "/tmp/x"}, Peer{Name: "@y"})
}

func TestPeerAddr(t *testing.T) {
	for _, p := range peers() {
		got := p.Addr()
		if p.Name != "" {
			require.Equal(t, &net.UnixAddr{Net: "unixgram", Name: p.Name}, got)
			continue
		}
		ap := netip.AddrPortFrom(p.AddrPort.Addr().Unmap(), p.AddrPort.Port())
		require.Equal(t, net.UDPAddrFromAddrPort(ap), got)
	}
	require.Nil(t, Peer{}.Addr())
}

func BenchmarkPeerAddr(b *testing.B) {
	b.ReportAllocs()
	p := Peer{AddrPort: netip.MustParseAddrPort("127.0.0.1:1234")}
	for range b.N {
		p.Addr()
	}
}
