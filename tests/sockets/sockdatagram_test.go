//go:build linux || darwin

package sockets_test

// The Sock calls on sockets of datagrams, and the addresses that they take and give.

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// freeAddress is an address to listen on.
func freeAddress(t *testing.T, network string) string {
	t.Helper()
	if network != "unix" && network != "unixgram" {
		return "127.0.0.1:0"
	}
	dir, err := os.MkdirTemp("", "sock") // a socket's path may not be as long as t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return filepath.Join(dir, "s")
}

// bound is a datagram socket of the family, and its address.
func bound(t *testing.T, family int) (int, net.Addr) {
	t.Helper()
	fd := socket(t, family, syscall.SOCK_DGRAM)
	var sa syscall.Sockaddr
	switch family {
	case syscall.AF_INET:
		sa = &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	case syscall.AF_INET6:
		sa = &syscall.SockaddrInet6{Addr: [16]byte(net.IPv6loopback)}
	case syscall.AF_UNIX:
		sa = &syscall.SockaddrUnix{Name: freeAddress(t, "unixgram")}
	}
	if err := syscall.Bind(fd, sa); family == syscall.AF_INET6 && err != nil {
		t.Skip("no IPv6 here:", err)
	} else {
		require.NoError(t, err)
	}
	sa, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return fd, &net.UDPAddr{IP: sa.Addr[:], Port: sa.Port}
	case *syscall.SockaddrInet6:
		return fd, &net.UDPAddr{IP: sa.Addr[:], Port: sa.Port}
	case *syscall.SockaddrUnix:
		return fd, &net.UnixAddr{Name: sa.Name, Net: "unixgram"}
	}
	return fd, nil
}

func TestSockDatagrams(t *testing.T) {
	for name, family := range map[string]int{"udp4": syscall.AF_INET, "udp6": syscall.AF_INET6, "unixgram": syscall.AF_UNIX} {
		t.Run(name, func(t *testing.T) {
			inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
				a, aAddr := bound(t, family)
				b, bAddr := bound(t, family)
				p := make([]byte, 100)
				reply := asyncio.CreateTask(ctx, func(ctx context.Context) (net.Addr, error) {
					n, from, err := l.SockRecvFrom(ctx, b, p)
					if err == nil {
						_, err = l.SockSendTo(ctx, b, p[:n], from)
					}
					return from, err
				})
				waiting(t, ctx, l, reply)
				n, err := l.SockSendTo(ctx, a, []byte("hello"), bAddr)
				require.NoError(t, err)
				require.Equal(t, 5, n)
				from, err := reply.Await(ctx)
				require.NoError(t, err)
				require.Equal(t, aAddr.String(), from.String())
				require.Equal(t, aAddr.Network(), from.Network())
				got := make([]byte, 100)
				n, from, err = l.SockRecvFrom(ctx, a, got)
				require.NoError(t, err)
				require.Equal(t, "hello", string(got[:n]))
				require.Equal(t, bAddr.String(), from.String())

				require.NoError(t, l.SockConnect(ctx, a, bAddr))
				_, err = l.SockSendTo(ctx, a, nil, nil)
				require.NoError(t, err, "connected, and without bytes")
				n, from, err = l.SockRecvFrom(ctx, b, got)
				require.NoError(t, err, "no bytes are not the end")
				require.Zero(t, n)
				require.Equal(t, aAddr.String(), from.String())
				require.NoError(t, l.SockSendAll(ctx, a, []byte("all of it")))
				n, err = l.SockRecv(ctx, b, got[:3])
				require.NoError(t, err)
				require.Equal(t, "all", string(got[:n]))
				require.Zero(t, watches(l))
			})
		})
	}
	t.Run("SCK-07", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, aAddr := bound(t, syscall.AF_INET)
			b, bAddr := bound(t, syscall.AF_INET)
			_, err := l.SockSendTo(ctx, a, make([]byte, 4096), bAddr)
			require.NoError(t, err)
			n, from, err := l.SockRecvFrom(ctx, b, make([]byte, 5000))
			require.NoError(t, err)
			require.Equal(t, 4096, n)
			require.Equal(t, aAddr.String(), from.String())
		})
	})
	t.Run("a cancelled SockRecvFrom loses nothing", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, _ := bound(t, syscall.AF_INET)
			b, bAddr := bound(t, syscall.AF_INET)
			p := make([]byte, 10)
			task := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
				n, _, err := l.SockRecvFrom(ctx, b, p)
				return n, err
			})
			waiting(t, ctx, l, task)
			_, err := l.SockSendTo(ctx, a, []byte("x"), bAddr)
			require.NoError(t, err)
			require.True(t, task.Cancel())
			n, _, err := l.SockRecvFrom(ctx, b, p)
			require.NoError(t, err)
			require.Equal(t, "x", string(p[:n]))
			require.NoError(t, asynciotest.Until(ctx, task.Done))
			require.True(t, task.Cancelled())
		})
	})
	t.Run("an error of the network", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("whether it is told depends on the system")
		}
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, _ := bound(t, syscall.AF_INET)
			b, bAddr := bound(t, syscall.AF_INET)
			closeFD(t, b)
			require.NoError(t, l.SockConnect(ctx, a, bAddr))
			task := recvTask(ctx, l, a, make([]byte, 1))
			waiting(t, ctx, l, task)
			require.NoError(t, l.SockSendAll(ctx, a, []byte("x")))
			_, err := task.Await(ctx)
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
			require.Zero(t, watches(l))
		})
	})
}

// A Unix datagram socket can be written to although its receiver takes no more. The call
// waits, and the loop does not spin.
func TestSockSendToFullReceiver(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		a, _ := bound(t, syscall.AF_UNIX)
		b, bAddr := bound(t, syscall.AF_UNIX)
		sent := 0
		task := testkit.Start(ctx, func(ctx context.Context) error {
			for ; sent < 2000; sent++ {
				if _, err := l.SockSendTo(ctx, a, []byte(fmt.Sprint(sent)), bAddr); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, asynciotest.Until(ctx, func() bool { return watches(l) > 0 }))
		before := l.Stats().Turns
		start := l.Time()
		require.NoError(t, asyncio.Sleep(ctx, 50e6))
		turns := l.Stats().Turns - before
		require.Less(t, float64(turns), 100+float64(l.Time()-start)/1e6*20, "turns while nothing can be sent")
		p := make([]byte, 10)
		for i := range 2000 {
			n, err := l.SockRecv(ctx, b, p)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i), string(p[:n]))
		}
		_, err := task.Await(ctx)
		require.NoError(t, err)
		require.Zero(t, watches(l))
	})
}

func TestSockAddresses(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		t4 := socket(t, syscall.AF_INET, syscall.SOCK_DGRAM)
		tUnix := socket(t, syscall.AF_UNIX, syscall.SOCK_DGRAM)
		for _, c := range []struct {
			fd   int
			addr net.Addr
			want error
		}{
			{t4, &net.UnixAddr{Name: "/x"}, syscall.EAFNOSUPPORT},
			{t4, &net.UDPAddr{IP: net.ParseIP("::1"), Port: 1}, syscall.EAFNOSUPPORT},
			{t4, &net.UDPAddr{IP: net.IP{1, 2, 3}, Port: 1}, syscall.EINVAL},
			{t4, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1 << 16}, syscall.EINVAL},
			{t4, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: -1}, syscall.EINVAL},
			{t4, &net.IPNet{}, syscall.EAFNOSUPPORT},
			{t4, (*net.UnixAddr)(nil), syscall.EAFNOSUPPORT},
			{tUnix, &net.UDPAddr{Port: 1}, syscall.EAFNOSUPPORT},
			{tUnix, &net.UnixAddr{Name: ""}, syscall.EINVAL},
			{tUnix, &net.UnixAddr{Name: "/a\x00b"}, syscall.EINVAL},
			{tUnix, &net.UnixAddr{Name: "/" + string(make([]byte, 200))}, syscall.EINVAL},
		} {
			require.ErrorIs(t, l.SockConnect(ctx, c.fd, c.addr), c.want, "%v", c.addr)
			_, err := l.SockSendTo(ctx, c.fd, []byte("x"), c.addr)
			require.ErrorIs(t, err, c.want, "%v", c.addr)
		}
		require.NoError(t, l.SockConnect(ctx, t4, &net.UDPAddr{Port: 9}), "without an IP: this host")
		sa, err := syscall.Getpeername(t4)
		require.NoError(t, err)
		require.Equal(t, [4]byte{127, 0, 0, 1}, sa.(*syscall.SockaddrInet4).Addr)
		require.NoError(t, l.SockConnect(ctx, socket(t, syscall.AF_INET, syscall.SOCK_DGRAM), &net.TCPAddr{IP: net.ParseIP("::ffff:127.0.0.1"), Port: 9}))
	})
}

// An IPv6 socket takes IPv4 peers, and shows them as IPv4.
func TestSockMappedAddresses(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		six := socket(t, syscall.AF_INET6, syscall.SOCK_DGRAM)
		require.NoError(t, syscall.SetsockoptInt(six, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 0))
		if err := syscall.Bind(six, &syscall.SockaddrInet6{}); err != nil {
			t.Skip("no IPv6 here:", err)
		}
		four, fourAddr := bound(t, syscall.AF_INET)
		_, err := l.SockSendTo(ctx, six, []byte("x"), fourAddr)
		require.NoError(t, err)
		p := make([]byte, 10)
		_, from, err := l.SockRecvFrom(ctx, four, p)
		require.NoError(t, err)
		_, err = l.SockSendTo(ctx, four, []byte("y"), from)
		require.NoError(t, err)
		_, from, err = l.SockRecvFrom(ctx, six, p)
		require.NoError(t, err)
		require.Equal(t, fourAddr.String(), from.String())
		for _, zone := range []string{"lo", "1", "nonsense"} {
			err := l.SockConnect(ctx, six, &net.UDPAddr{IP: net.ParseIP("fe80::1"), Port: 9, Zone: zone})
			if zone == "nonsense" {
				require.ErrorContains(t, err, "nonsense")
			}
		}
	})
}
