package names_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// spell is a list as text.
func spell(list []asyncio.AddrInfo) (texts []string) {
	for _, a := range list {
		texts = append(texts, fmt.Sprintf("%s %v %T", a.Network, a.Addr, a.Addr))
	}
	return texts
}

func TestGetAddrInfo(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			for _, c := range []struct {
				network, host, service string
				want                   []string
			}{
				{"tcp", "127.0.0.1", "80", []string{"tcp 127.0.0.1:80 *net.TCPAddr"}},
				{"udp", "::1", "domain", []string{"udp [::1]:53 *net.UDPAddr"}},
				{"tcp4", "127.0.0.1", "", []string{"tcp4 127.0.0.1:0 *net.TCPAddr"}},
				{"ip", "127.0.0.1", "80", []string{"tcp 127.0.0.1:80 *net.TCPAddr", "udp 127.0.0.1:80 *net.UDPAddr", "ip 127.0.0.1 *net.IPAddr"}},
				{"ip6", "::1", "http", []string{"tcp6 [::1]:80 *net.TCPAddr"}},
				{"tcp4", "", "http", []string{"tcp4 127.0.0.1:80 *net.TCPAddr"}},
			} {
				list, err := l.GetAddrInfo(ctx, c.network, c.host, c.service)
				require.NoError(t, err)
				require.Equal(t, c.want, spell(list))
			}
			list, err := l.GetAddrInfo(ctx, "tcp", "localhost", "https")
			require.NoError(t, err)
			require.Contains(t, spell(list), "tcp 127.0.0.1:443 *net.TCPAddr")
		})
	})
	t.Run("DNS-02", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				for _, service := range []string{"65536", "-1", "+80", " 80", "8 0", "no-such-service", "\x00", "80\x00"} {
					for _, host := range []string{"", "127.0.0.1", "localhost"} {
						_, err := l.GetAddrInfo(ctx, "tcp", host, service)
						var dns *net.DNSError
						require.ErrorAs(t, err, &dns, "%q %q", host, service)
						require.True(t, dns.IsNotFound || service == "80\x00" || service == "\x00", "%q %q: %v", host, service, err)
					}
				}
				for _, host := range []string{"bad\x00name", "fe80::1%nosuchif", "\xff"} {
					_, err := l.GetAddrInfo(ctx, "tcp", host, "80")
					var dns *net.DNSError
					require.ErrorAs(t, err, &dns, "%q", host)
				}
				var unknown net.UnknownNetworkError
				_, err := l.GetAddrInfo(ctx, "unix", "127.0.0.1", "80")
				require.ErrorAs(t, err, &unknown)
			})
		})
	})
	t.Run("who may ask", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l, other := asynciotest.New(t, opts...), asynciotest.New(t, opts...)
			_, err := l.GetAddrInfo(context.Background(), "tcp", "127.0.0.1", "80")
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			_, _, err = l.GetNameInfo(l.Context(), &net.TCPAddr{})
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, err := other.GetAddrInfo(ctx, "tcp", "127.0.0.1", "80")
				require.ErrorIs(t, err, asyncio.ErrWrongLoop)
				derived, cancel := context.WithCancelCause(ctx)
				cancel(testkit.ErrBoom)
				_, err = l.GetAddrInfo(derived, "tcp", "127.0.0.1", "80")
				require.Equal(t, testkit.ErrBoom, err)
			})
		})
	})
}

func TestGetNameInfo(t *testing.T) {
	t.Run("DNS-03", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			lo := net.IPv4(127, 0, 0, 1)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				for _, c := range []struct {
					addr          net.Addr
					host, service string
				}{
					{&net.TCPAddr{IP: lo, Port: 80}, "localhost", "http"},
					{&net.TCPAddr{IP: lo.To4(), Port: 65000}, "localhost", "65000"},
					{&net.UDPAddr{IP: lo, Port: 53}, "localhost", "domain"},
					{&net.IPAddr{IP: lo}, "localhost", "0"},
				} {
					host, service, err := l.GetNameInfo(ctx, c.addr)
					require.NoError(t, err)
					require.Equal(t, []string{c.host, c.service}, []string{host, service}, "%v", c.addr)
				}
				for _, addr := range []net.Addr{nil, &net.UnixAddr{Name: "s", Net: "unix"}} {
					_, _, err := l.GetNameInfo(ctx, addr)
					require.ErrorIs(t, err, errors.ErrUnsupported)
				}
				for _, addr := range []net.Addr{
					(*net.TCPAddr)(nil), &net.TCPAddr{}, (*net.UDPAddr)(nil), &net.IPAddr{IP: net.IP{1, 2}}, (*net.IPAddr)(nil),
					&net.TCPAddr{IP: lo, Port: 65536}, &net.UDPAddr{IP: lo, Port: -1},
				} {
					_, _, err := l.GetNameInfo(ctx, addr)
					var wrong *net.AddrError
					require.ErrorAs(t, err, &wrong, "%#v", addr)
				}
				_, _, err := l.GetNameInfo(ctx, &net.TCPAddr{IP: net.IPv6loopback, Port: 80, Zone: "nosuchif"})
				require.True(t, err == nil || errors.As(err, new(*net.DNSError)), "%v", err)
			})
		})
	})
}

func TestCancelLookup(t *testing.T) {
	t.Run("DNS-04", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				for _, host := range []string{"localhost", "127.0.0.1"} {
					for turns := range 4 {
						asks := asyncio.CreateTask(ctx, func(ctx context.Context) ([]asyncio.AddrInfo, error) {
							return l.GetAddrInfo(ctx, "tcp", host, "http")
						})
						asynciotest.Yield(t, ctx, turns)
						if asks.Cancel() {
							_, err := asks.Await(ctx)
							require.ErrorIs(t, err, asyncio.ErrCancelled)
						}
					}
					derived, cancel := context.WithCancelCause(ctx)
					l.CallSoon(func() { cancel(testkit.ErrBoom) })
					list, err := l.GetAddrInfo(derived, "tcp", host, "80")
					require.True(t, err == testkit.ErrBoom || err == nil && len(list) > 0)
					cancel(nil)
				}
			})
			asynciotest.Turns(t, l, 5)
		})
	})
	t.Run("DNS-04 closing", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			for turns := range 3 {
				l, err := asyncio.NewEventLoop(opts...)
				require.NoError(t, err)
				var tasks []*asyncio.Task[[]asyncio.AddrInfo]
				for _, host := range slices.Repeat([]string{"localhost", "127.0.0.1"}, 10) {
					tasks = append(tasks, asyncio.CreateTask(l.Context(), func(ctx context.Context) ([]asyncio.AddrInfo, error) {
						return l.GetAddrInfo(ctx, "tcp", host, "http")
					}))
				}
				asynciotest.Turns(t, l, turns+1)
				require.NoError(t, l.Close())
				for _, task := range tasks {
					if task.Done() {
						_, err := task.Result()
						require.True(t, err == nil || errors.Is(err, asyncio.ErrLoopClosed), "%v", err)
					}
				}
			}
		})
	})
}
