package streams_test

// Servers that share a port, and servers before which many clients wait.

import (
	"context"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// counting is a protocol that counts, and hangs up.
type counting struct {
	asyncio.NullProtocol
	n *int
}

func (c counting) ConnectionMade(t asyncio.Transport) {
	*c.n++
	t.Abort()
}

func TestWithReusePort(t *testing.T) {
	for _, where := range []struct{ network, address string }{
		{"tcp4", "127.0.0.1:0"}, {"tcp6", "[::1]:0"}, {"tcp", ":0"},
	} {
		t.Run(where.network+" "+where.address, func(t *testing.T) {
			if strings.Contains(where.address, "::1") {
				requireIPv6(t)
			}
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) { sharePort(t, ctx, where.network, where.address) })
			})
		})
	}
	t.Run("a Unix socket has no port", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				path := filepath.Join(t.TempDir(), "s")
				s, err := l.CreateServer(ctx, testkit.NewEchoes, "unix", path, asyncio.WithReusePort())
				require.NoError(t, err)
				_, err = l.CreateServer(ctx, testkit.NewEchoes, "unix", path, asyncio.WithReusePort())
				require.ErrorIs(t, err, syscall.EADDRINUSE)
				s.Close()
			})
		})
	})
}

// hasIPv6 reports whether this host can be reached by IPv6. A socket can be bound where
// no interface has such an address.
func hasIPv6() bool {
	ln, err := net.Listen("tcp6", "[::1]:0")
	return err == nil && ln.Close() == nil
}

func requireIPv6(t *testing.T) {
	if !hasIPv6() {
		t.Skip("no IPv6 here")
	}
}

// loopback is where a client on this host finds the socket at addr; "" if it cannot.
func loopback(addr net.Addr) string {
	tcp := addr.(*net.TCPAddr)
	host := "127.0.0.1"
	if tcp.IP.To4() == nil {
		if host = "::1"; !hasIPv6() {
			return ""
		}
	}
	return net.JoinHostPort(host, strconv.Itoa(tcp.Port))
}

// sharePort has two servers at one port, both of which are to get clients, and a third
// one that has not asked to share.
func sharePort(t *testing.T, ctx context.Context, network, address string) {
	t.Helper()
	l := testkit.LoopOf(ctx)
	var served [2]int
	factory := func(i int) func() asyncio.Protocol {
		return func() asyncio.Protocol { return counting{n: &served[i]} }
	}
	first, err := l.CreateServer(ctx, factory(0), network, address, asyncio.WithReusePort())
	require.NoError(t, err)
	host, _, err := net.SplitHostPort(address)
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(first.Addrs()[0].String())
	require.NoError(t, err)
	second, err := l.CreateServer(ctx, factory(1), network, net.JoinHostPort(host, port), asyncio.WithReusePort())
	require.NoError(t, err)
	require.Equal(t, first.Addrs(), second.Addrs())
	_, err = l.CreateServer(ctx, testkit.NewEchoes, network, net.JoinHostPort(host, port))
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	dials := 0
	for _, addr := range first.Addrs() {
		to := loopback(addr)
		if to == "" {
			continue
		}
		both := func(before [2]int) bool { return served[0] > before[0] && served[1] > before[1] }
		for before := served; !both(before); { // the kernel draws lots
			require.Less(t, dials, 1000)
			dials++
			peer, err := net.Dial("tcp", to)
			require.NoError(t, err)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return served[0]+served[1] == dials }))
			require.NoError(t, peer.Close())
		}
	}
	first.Close()
	second.Close()
	require.NoError(t, first.WaitClosed(ctx))
	require.NoError(t, second.WaitClosed(ctx))
}

// acceptedPerTurnMax is the limit of both drivers.
const acceptedPerTurnMax = 64

func TestManyClientsWait(t *testing.T) {
	t.Run("SRV-09", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				const clients = 3 * acceptedPerTurnMax
				served, most, before := 0, 0, 0
				s, err := l.CreateServer(ctx, func() asyncio.Protocol { return counting{n: &served} }, "tcp", "127.0.0.1:0",
					asyncio.WithStartServing(false), asyncio.WithBacklog(clients))
				require.NoError(t, err)
				for range clients {
					testkit.DialNet(t, s)
				}
				require.NoError(t, s.StartServing(ctx))
				for served < clients { // in each turn others have theirs
					most, before = max(most, served-before), served
					require.NoError(t, asyncio.Sleep(ctx, 0))
				}
				require.LessOrEqual(t, max(most, served-before), acceptedPerTurnMax)
				s.Close()
				require.NoError(t, s.WaitClosed(ctx))
			})
		})
	})
}
