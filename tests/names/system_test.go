//go:build cgo

package names_test

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/uv"
)

// On libuv the list is that of the system's call with equal arguments.
func TestListOfTheSystem(t *testing.T) {
	t.Run("DNS-01", func(t *testing.T) {
		l := asynciotest.New(t, asyncio.WithDriver(asyncio.Libuv))
		asynciotest.InTask(t, l, func(ctx context.Context) {
			types := map[string]int{"tcp": syscall.SOCK_STREAM, "udp": syscall.SOCK_DGRAM, "ip": 0}
			families := map[string]int{"": 0, "4": syscall.AF_INET, "6": syscall.AF_INET6}
			for _, host := range []string{"localhost", "127.0.0.1", "::1", "", "127.1", "0x7f.1", "::1%lo", "::ffff:127.0.0.1"} {
				for _, service := range []string{"80", "http", "domain", "", "nosuch"} {
					for kind, typ := range types {
						for suffix, family := range families {
							asked := service
							if service == "" {
								asked = "0"
							}
							want, wantErr := uv.GetAddrInfoSync(host, asked, uv.AddrInfoHints{SockType: typ, Family: family})
							got, err := l.GetAddrInfo(ctx, kind+suffix, host, service)
							what := fmt.Sprintf("%s%s %q %q", kind, suffix, host, service)
							if wantErr != nil {
								var errno, wantErrno uv.Errno
								require.ErrorAs(t, err, &errno, what)
								require.ErrorAs(t, wantErr, &wantErrno, what)
								require.Equal(t, wantErrno, errno, what)
								continue
							}
							require.NoError(t, err, what)
							require.Len(t, got, len(want), what)
							for i, w := range want {
								network := map[int]string{syscall.SOCK_STREAM: "tcp", syscall.SOCK_DGRAM: "udp", syscall.SOCK_RAW: "ip"}[w.SockType]
								require.Equal(t, network+suffix, got[i].Network, what)
								require.Equal(t, network, got[i].Addr.Network(), what)
								addr := netip.AddrPortFrom(w.Addr.Addr().Unmap(), w.Addr.Port())
								if network == "ip" {
									require.Equal(t, addr.Addr().String(), got[i].Addr.String(), what)
									continue
								}
								is := got[i].Addr.(interface{ AddrPort() netip.AddrPort }).AddrPort()
								require.Equal(t, addr, netip.AddrPortFrom(is.Addr().Unmap(), is.Port()), what)
							}
						}
					}
				}
			}
		})
	})
}
