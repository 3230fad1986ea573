//go:build cgo

package uv_test

import (
	"math"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

var loopback6 = netip.MustParseAddrPort("[::1]:0")

// needIPv6 skips where the machine has none.
func needIPv6(t *testing.T) {
	t.Helper()
	c, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6:", err)
	}
	c.Close()
}

func TestUDPBind(t *testing.T) {
	t.Run("what is refused", func(t *testing.T) {
		l := newLoop(t)
		u, addr := boundUDP(t, l, uv.UDPOptions{})
		require.ErrorIs(t, u.Bind(loopback, 0), uv.EINVAL, "bound twice")
		other := newUDP(t, l, uv.UDPOptions{})
		err := other.Bind(addr, 0)
		require.ErrorIs(t, err, syscall.EADDRINUSE)
		require.ErrorContains(t, err, addr.String())
		_, err = other.Fd()
		require.ErrorIs(t, err, uv.EBADF, "the socket stays after a bind that has failed")
		require.ErrorIs(t, other.Bind(netip.AddrPort{}, 0), uv.EINVAL)
		require.ErrorIs(t, other.Bind(loopback, uv.BindV6Only), uv.EINVAL)
		require.ErrorIs(t, other.Bind(loopback, 1<<20), uv.EINVAL)
		require.ErrorIs(t, other.Bind(netip.MustParseAddrPort("192.0.2.1:0"), 0), uv.EADDRNOTAVAIL)
		require.NoError(t, other.Bind(loopback, 0))
		six := newUDP(t, l, uv.UDPOptions{Family: syscall.AF_INET})
		require.ErrorIs(t, six.Bind(loopback6, 0), uv.EINVAL)
		_, err = l.NewUDP(uv.UDPOptions{Family: syscall.AF_UNIX})
		require.ErrorIs(t, err, uv.EINVAL)
		_, err = l.NewUDP(uv.UDPOptions{RecvSize: -1})
		require.ErrorIs(t, err, uv.EINVAL)
		newUDP(t, l, uv.UDPOptions{RecvSize: math.MaxInt})
	})
	t.Run("shared addresses", func(t *testing.T) {
		l := newLoop(t)
		for _, flag := range []uv.BindFlags{uv.BindReuseAddr, uv.BindReusePort} {
			a, b := newUDP(t, l, uv.UDPOptions{}), newUDP(t, l, uv.UDPOptions{})
			require.NoError(t, a.Bind(loopback, flag))
			require.NoError(t, b.Bind(localUDP(t, a), flag))
			c := newUDP(t, l, uv.UDPOptions{})
			require.ErrorIs(t, c.Bind(localUDP(t, a), 0), uv.EADDRINUSE)
		}
		a, addr := boundUDP(t, l, uv.UDPOptions{Family: syscall.AF_INET})
		b := newUDP(t, l, uv.UDPOptions{})
		require.ErrorIs(t, b.Bind(addr, uv.BindReuseAddr), uv.EADDRINUSE, "the owner has not allowed it")
		a.Close()
	})
	t.Run("IPv6 only", func(t *testing.T) {
		needIPv6(t)
		l := newLoop(t)
		all := netip.MustParseAddrPort("[::]:0")
		only, both := newUDP(t, l, uv.UDPOptions{}), newUDP(t, l, uv.UDPOptions{})
		require.NoError(t, only.Bind(all, uv.BindV6Only))
		require.NoError(t, both.Bind(all, 0))
		in := receive(t, both)
		c := newUDP(t, l, uv.UDPOptions{})
		to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), localUDP(t, both).Port())
		require.NoError(t, c.Send([]byte("four"), to, nil))
		until(t, l, "a datagram", func() bool { return len(in.got) == 1 })
		require.True(t, in.from[0].Addr().Is4In6())
		back := receive(t, c)
		require.NoError(t, both.Send([]byte("answer"), in.from[0], nil))
		until(t, l, "the answer", func() bool { return len(back.got) == 1 })
		same := newUDP(t, l, uv.UDPOptions{})
		port := localUDP(t, only).Port()
		require.NoError(t, same.Bind(netip.AddrPortFrom(netip.IPv4Unspecified(), port), 0), "IPv4 is free beside it")
		require.ErrorIs(t, c.Send(nil, netip.MustParseAddrPort("[::1]:9"), nil), uv.EINVAL)
		require.ErrorIs(t, both.Send(nil, to, nil), uv.EINVAL)
	})
	t.Run("by need", func(t *testing.T) {
		l := newLoop(t)
		u := newUDP(t, l, uv.UDPOptions{})
		_, err := u.LocalAddr()
		require.ErrorIs(t, err, uv.EBADF)
		_, err = u.RemoteAddr()
		require.ErrorIs(t, err, uv.ENOTCONN)
		require.ErrorIs(t, u.SetBroadcast(true), uv.EBADF)
		require.ErrorIs(t, u.SetMulticastInterface(netip.Addr{}), uv.EBADF)
		require.ErrorIs(t, u.RecvStart(nil), uv.EINVAL)
		require.NoError(t, u.RecvStart(func(uv.Datagram, error) {}))
		addr := localUDP(t, u)
		require.NotZero(t, addr.Port())
		require.True(t, addr.Addr().IsUnspecified() && addr.Addr().Is4())
		require.True(t, u.IsActive())
		require.NoError(t, u.RecvStop())
		require.False(t, u.IsActive())
		require.Equal(t, "udp", u.Type().String())
	})
}

func TestUDPConnect(t *testing.T) {
	l := newLoop(t)
	a, toA := boundUDP(t, l, uv.UDPOptions{Recvmmsg: true})
	b, toB := boundUDP(t, l, uv.UDPOptions{})
	require.ErrorIs(t, a.Send(nil, noAddr, nil), uv.EDESTADDRREQ)
	require.ErrorIs(t, a.Disconnect(), uv.ENOTCONN)
	require.NoError(t, a.Connect(toB))
	require.ErrorIs(t, a.Connect(toB), uv.EISCONN)
	require.ErrorIs(t, a.Send(nil, toB, nil), uv.EISCONN)
	_, err := a.TrySend(nil, toB)
	require.ErrorIs(t, err, uv.EISCONN)
	peer, err := a.RemoteAddr()
	require.NoError(t, err)
	require.Equal(t, toB, peer)
	inA, inB := receive(t, a), receive(t, b)
	require.NoError(t, a.Send([]byte("one"), noAddr, nil))
	require.NoError(t, a.SendV([][]byte{[]byte("tw"), []byte("o")}, noAddr, nil))
	until(t, l, "datagrams", func() bool { return len(inB.got) == 2 })
	n, err := a.TrySendBatch([][]byte{[]byte("three"), []byte("four")}, nil)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	until(t, l, "datagrams", func() bool { return len(inB.got) == 4 })
	require.Equal(t, []string{"one", "two", "three", "four"}, inB.got)
	stranger := newUDP(t, l, uv.UDPOptions{})
	require.NoError(t, stranger.Send([]byte("of a stranger"), toA, nil))
	require.NoError(t, b.Send([]byte("of the peer"), toA, nil))
	until(t, l, "a datagram", func() bool { return len(inA.got) > 0 })
	require.Equal(t, []string{"of the peer"}, inA.got)
	require.NoError(t, a.Send([]byte("gathered before"), noAddr, nil))
	require.NoError(t, a.Disconnect())
	_, err = a.RemoteAddr()
	require.ErrorIs(t, err, uv.ENOTCONN)
	require.Equal(t, toA, localUDP(t, a), "the port is lost with the peer")
	require.NoError(t, stranger.Send([]byte("of a stranger"), toA, nil))
	until(t, l, "a datagram", func() bool { return len(inA.got) > 1 })
	require.NoError(t, a.Send([]byte("gathered after"), toB, nil))
	require.NoError(t, a.Connect(toB))
	until(t, l, "datagrams", func() bool { return len(inB.got) == 6 })
	require.Equal(t, []string{"gathered before", "gathered after"}, inB.got[4:])
	needIPv6(t)
	other := newUDP(t, l, uv.UDPOptions{})
	require.NoError(t, other.Connect(netip.MustParseAddrPort("[::1]:9")))
	require.ErrorIs(t, other.Connect(toB), uv.EISCONN)
	require.NoError(t, other.Disconnect())
	require.ErrorIs(t, other.Connect(toB), uv.EINVAL)
}

func TestUDPOptionsOfSockets(t *testing.T) {
	for _, network := range []string{"udp4", "udp6"} {
		t.Run(network, func(t *testing.T) {
			addr, family, level, ttl, multicastTTL, loop := loopback, syscall.AF_INET, syscall.IPPROTO_IP, syscall.IP_TTL, syscall.IP_MULTICAST_TTL, syscall.IP_MULTICAST_LOOP
			if network == "udp6" {
				needIPv6(t)
				addr, family, level, ttl, multicastTTL, loop = loopback6, syscall.AF_INET6, syscall.IPPROTO_IPV6, syscall.IPV6_UNICAST_HOPS, syscall.IPV6_MULTICAST_HOPS, syscall.IPV6_MULTICAST_LOOP
			}
			l := newLoop(t)
			bound, fresh := newUDP(t, l, uv.UDPOptions{}), newUDP(t, l, uv.UDPOptions{Family: family})
			require.NoError(t, bound.Bind(addr, 0))
			for _, u := range []*uv.UDP{bound, fresh} {
				fd, err := u.Fd()
				require.NoError(t, err)
				is := func(level, option, want int) {
					t.Helper()
					got, err := syscall.GetsockoptInt(int(fd), level, option)
					require.NoError(t, err)
					require.Equal(t, want, got)
				}
				require.NoError(t, u.SetTTL(7))
				is(level, ttl, 7)
				for _, n := range []int{0, -1, 256} {
					require.ErrorIs(t, u.SetTTL(n), uv.EINVAL)
				}
				require.NoError(t, u.SetMulticastTTL(9))
				is(level, multicastTTL, 9)
				require.ErrorIs(t, u.SetMulticastTTL(-1), uv.EINVAL)
				require.ErrorIs(t, u.SetMulticastTTL(256), uv.EINVAL)
				require.NoError(t, u.SetMulticastLoop(false))
				is(level, loop, 0)
				require.NoError(t, u.SetMulticastLoop(true))
				is(level, loop, 1)
				require.NoError(t, u.SetBroadcast(true))
				is(syscall.SOL_SOCKET, syscall.SO_BROADCAST, 1)
				require.NoError(t, u.SetSendBufferSize(50_000))
				n, err := u.SendBufferSize()
				require.NoError(t, err)
				require.GreaterOrEqual(t, n, 50_000)
				require.ErrorIs(t, u.SetRecvBufferSize(0), uv.EINVAL)
				if runtime.GOOS == "linux" {
					is(syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 0)
				}
			}
		})
	}
}

// With BroadcastAddr off, the kernel refuses what is sent to a network's broadcast
// address.
func TestUDPBroadcast(t *testing.T) {
	l := newLoop(t)
	u := newUDP(t, l, uv.UDPOptions{Family: syscall.AF_INET})
	to := netip.MustParseAddrPort("127.255.255.255:9")
	var errs []error
	for _, on := range []bool{false, true} {
		require.NoError(t, u.SetBroadcast(on))
		require.NoError(t, u.Send([]byte("all"), to, func(err error) { errs = append(errs, err) }))
		until(t, l, "the send", func() bool { return len(errs) > 0 && (!on || len(errs) > 1) })
	}
	require.ErrorIs(t, errs[0], syscall.EACCES)
	require.ErrorContains(t, errs[0], to.String())
	require.NoError(t, errs[1])
}

func TestUDPMulticast(t *testing.T) {
	lo := netip.MustParseAddr("127.0.0.1")
	group := netip.MustParseAddr("239.255.0.147")
	join := func(t *testing.T, l *uv.Loop) (*uv.UDP, netip.AddrPort) {
		u := newUDP(t, l, uv.UDPOptions{Recvmmsg: true})
		if err := u.Join(group, lo); err != nil {
			t.Skip("no multicast on the loopback interface:", err)
		}
		return u, netip.AddrPortFrom(group, localUDP(t, u).Port())
	}
	sender := func(t *testing.T, l *uv.Loop) *uv.UDP {
		u := newUDP(t, l, uv.UDPOptions{})
		require.NoError(t, u.Bind(loopback, 0))
		require.NoError(t, u.SetMulticastInterface(lo))
		return u
	}
	t.Run("join and leave", func(t *testing.T) {
		l := newLoop(t)
		u, to := join(t, l)
		in, c := receive(t, u), sender(t, l)
		require.NoError(t, c.Send([]byte("hello"), to, nil))
		until(t, l, "a datagram", func() bool { return len(in.got) == 1 })
		require.Equal(t, localUDP(t, c), in.from[0])
		require.ErrorIs(t, u.Join(group, lo), uv.EADDRINUSE)
		require.NoError(t, u.Leave(group, lo))
		require.ErrorIs(t, u.Leave(group, lo), uv.EADDRNOTAVAIL)
		require.NoError(t, c.SetMulticastLoop(false))
		require.NoError(t, c.Send([]byte("to nobody"), to, nil))
		require.NoError(t, c.Send([]byte("last"), netip.AddrPortFrom(lo, to.Port()), nil))
		until(t, l, "the last", func() bool { return len(in.got) > 1 })
		require.Equal(t, []string{"hello", "last"}, in.got)
	})
	t.Run("of one source", func(t *testing.T) {
		l := newLoop(t)
		u := newUDP(t, l, uv.UDPOptions{})
		if err := u.JoinSource(group, lo, netip.MustParseAddr("127.0.0.2")); err != nil {
			t.Skip("no multicast on the loopback interface:", err)
		}
		to := netip.AddrPortFrom(group, localUDP(t, u).Port())
		in, c := receive(t, u), sender(t, l)
		require.NoError(t, c.Send([]byte("of another"), to, nil))
		require.NoError(t, l.Poll(0))
		require.NoError(t, u.JoinSource(group, lo, lo))
		require.NoError(t, u.LeaveSource(group, lo, netip.MustParseAddr("127.0.0.2")))
		require.NoError(t, c.Send([]byte("hello"), to, nil))
		until(t, l, "a datagram", func() bool { return len(in.got) > 0 })
		require.Equal(t, []string{"hello"}, in.got)
		require.ErrorIs(t, u.LeaveSource(group, lo, netip.MustParseAddr("127.0.0.3")), uv.EADDRNOTAVAIL)
	})
	t.Run("IPv6", func(t *testing.T) {
		needIPv6(t)
		ifi, err := net.InterfaceByIndex(1)
		require.NoError(t, err)
		l := newLoop(t)
		group := netip.MustParseAddr("ff01::147")
		iface := netip.MustParseAddr("::1").WithZone(ifi.Name)
		u := newUDP(t, l, uv.UDPOptions{Family: syscall.AF_INET6})
		require.NoError(t, u.Bind(netip.MustParseAddrPort("[::]:0"), 0))
		if err := u.Join(group, iface); err != nil {
			t.Skip("no multicast on the loopback interface:", err)
		}
		in, c := receive(t, u), newUDP(t, l, uv.UDPOptions{Family: syscall.AF_INET6})
		require.NoError(t, c.SetMulticastInterface(iface))
		var failed error
		to := netip.AddrPortFrom(group, localUDP(t, u).Port())
		require.NoError(t, c.Send([]byte("hello"), to, func(err error) { failed = err }))
		until(t, l, "a datagram", func() bool { return len(in.got) == 1 || failed != nil })
		if failed != nil {
			require.ErrorIs(t, failed, syscall.ENETUNREACH, "without a route the interface takes none")
		}
		require.NoError(t, u.Leave(group, iface))
		require.NoError(t, u.Join(group.WithZone(ifi.Name), netip.Addr{}), "the zone of the group names the interface")
		require.NoError(t, u.Leave(group, iface))
		source := netip.MustParseAddr("::1")
		require.NoError(t, u.JoinSource(group, iface, source))
		require.NoError(t, u.LeaveSource(group, iface, source))
	})
	t.Run("what is refused", func(t *testing.T) {
		l := newLoop(t)
		u := newUDP(t, l, uv.UDPOptions{})
		six := netip.MustParseAddr("::1")
		require.ErrorIs(t, u.Join(lo, netip.Addr{}), uv.EINVAL)
		require.ErrorIs(t, u.Join(netip.Addr{}, netip.Addr{}), uv.EINVAL)
		require.ErrorIs(t, u.Join(group, six), uv.EINVAL)
		require.ErrorIs(t, u.JoinSource(group, lo, netip.Addr{}), uv.EINVAL)
		require.ErrorIs(t, u.JoinSource(group, lo, six), uv.EINVAL)
		_, err := u.Fd()
		require.ErrorIs(t, err, uv.EBADF, "bound by a call that has failed")
		require.NoError(t, u.Bind(loopback, 0))
		require.ErrorIs(t, u.SetMulticastInterface(six), uv.EINVAL)
		require.ErrorIs(t, u.Join(netip.MustParseAddr("ff02::1"), netip.Addr{}), uv.EINVAL)
		require.NoError(t, u.SetMulticastInterface(netip.Addr{}))
		u.Close()
		require.ErrorIs(t, u.Join(group, lo), uv.ErrClosed)
	})
}
