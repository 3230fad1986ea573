package asyncio

import (
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
