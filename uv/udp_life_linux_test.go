//go:build cgo

package uv_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// With BindRecvErr an unconnected socket hears of refusals too, each once, and the queue
// of errors that the system keeps does not make the loop spin.
func TestUDPRecvErr(t *testing.T) {
	for _, network := range []string{"udp4", "udp6"} {
		for name, opt := range ways {
			t.Run(network+"/"+name, func(t *testing.T) {
				addr, nobody := loopback, closedUDP(t)
				if network == "udp6" {
					needIPv6(t)
					addr = loopback6
					nobody = netip.AddrPortFrom(addr.Addr(), nobody.Port())
				}
				l := newLoop(t)
				u := newUDP(t, l, opt)
				require.NoError(t, u.Bind(addr, uv.BindRecvErr))
				in := receive(t, u)
				for n := 1; n <= 3; n++ {
					require.NoError(t, u.Send([]byte("hello"), nobody, nil))
					until(t, l, "the refusal", func() bool { return len(in.errs) == n })
					require.ErrorIs(t, in.errs[n-1], syscall.ECONNREFUSED)
				}
				before := l.Metrics().RecvCalls
				for range 5 {
					require.NoError(t, l.Poll(time.Millisecond))
				}
				require.Equal(t, before, l.Metrics().RecvCalls, "readable without anything to read")
				require.NoError(t, u.Send([]byte("to itself"), localUDP(t, u), nil))
				until(t, l, "a datagram", func() bool { return len(in.got) == 1 })
				require.Len(t, in.errs, 3)
			})
		}
	}
}

// A turn brings datagrams of more sockets than lie in memory at a time: none is lost, and
// each socket has its turn.
func TestUDPManySockets(t *testing.T) {
	l := newLoop(t, uv.WithChecks())
	const sockets, each = 10, 30
	var in [sockets]*inbox
	order := []int{}
	for i := range in {
		opt := uv.UDPOptions{Recvmmsg: i%2 == 0}
		if i%3 != 0 { // takes the place of several, and leaves some that fit the next
			opt.RecvSize = 600_000
		}
		u, addr := boundUDP(t, l, opt)
		fill(t, addr, each)
		in[i] = new(inbox)
		require.NoError(t, u.RecvStart(func(d uv.Datagram, err error) {
			in[i].take(d, err)
			order = append(order, i)
		}))
	}
	require.NoError(t, l.Poll(0))
	for i := range in {
		require.NotEmpty(t, in[i].got, "socket %d", i)
	}
	require.Positive(t, l.Metrics().ReadsPutOff)
	until(t, l, "all datagrams", func() bool { return len(order) == sockets*each })
	for i := range in {
		requireNumbers(t, in[i].got, each)
	}
}

// A socket whose record waits is stopped, or closed, by the callback of another one.
func TestUDPStopOthers(t *testing.T) {
	l := newLoop(t)
	const sockets, each = 6, 40
	var all [sockets]*uv.UDP
	var got [sockets][]string
	stopped := false
	for i := range all {
		u, addr := boundUDP(t, l, uv.UDPOptions{Recvmmsg: true})
		all[i] = u
		fill(t, addr, each)
	}
	for i, u := range all {
		require.NoError(t, u.RecvStart(func(d uv.Datagram, err error) {
			require.False(t, stopped && i > 0, "called after its stop")
			got[i] = append(got[i], string(d.Data))
			for _, other := range all[1:] {
				require.NoError(t, other.RecvStop())
			}
			stopped = true
		}))
	}
	for range 5 {
		require.NoError(t, l.Poll(0))
	}
	for i, u := range all[1:] {
		require.NoError(t, u.RecvStart(func(d uv.Datagram, err error) { got[i+1] = append(got[i+1], string(d.Data)) }))
	}
	until(t, l, "all datagrams", func() bool {
		n := 0
		for i := range got {
			n += len(got[i])
		}
		return n == sockets*each
	})
	for i := range got {
		requireNumbers(t, got[i], each)
	}
}

// What a callback is lent is overwritten behind it under WithChecks.
func TestUDPLentBytes(t *testing.T) {
	for _, n := range []int{10, 10_000} {
		l := newLoop(t, uv.WithChecks())
		u, addr := boundUDP(t, l, uv.UDPOptions{Recvmmsg: true})
		var kept []byte
		require.NoError(t, u.RecvStart(func(d uv.Datagram, err error) { kept = d.Data }))
		require.NoError(t, u.Send(pattern(n), addr, nil))
		until(t, l, "a datagram", func() bool { return kept != nil })
		require.Equal(t, n, cap(kept))
		require.Equal(t, byte(0xDB), kept[0])
		require.Equal(t, byte(0xDB), kept[n-1])
	}
}

func TestUDPHandle(t *testing.T) {
	t.Run("keeps the loop alive", func(t *testing.T) {
		l := newLoop(t)
		u, addr := boundUDP(t, l, uv.UDPOptions{})
		require.False(t, l.Alive())
		require.NoError(t, u.RecvStart(func(uv.Datagram, error) {}))
		require.True(t, l.Alive())
		u.Unref()
		require.False(t, u.HasRef())
		require.False(t, l.Alive())
		more, err := l.Run(uv.RunDefault)
		require.NoError(t, err)
		require.False(t, more)
		u.Ref()
		require.NoError(t, u.RecvStop())
		require.False(t, l.Alive())
		done := false
		require.NoError(t, u.Send([]byte("x"), addr, func(error) { done = true }))
		require.True(t, l.Alive())
		_, err = l.Run(uv.RunDefault)
		require.NoError(t, err)
		require.True(t, done)
	})
	t.Run("shows itself", func(t *testing.T) {
		l := newLoop(t)
		u := newUDP(t, l, uv.UDPOptions{})
		u.SetData("mine")
		require.Equal(t, "mine", u.Data())
		require.Equal(t, l, u.Loop())
		n := 0
		l.Walk(func(h uv.Handle) {
			require.Equal(t, uv.UDPHandle, h.Type())
			n++
		})
		require.Equal(t, 1, n)
		require.ErrorIs(t, l.Close(), uv.ErrBusy)
		require.NoError(t, l.Shutdown(context.Background()))
		require.True(t, u.IsClosing())
		_, err := l.NewUDP(uv.UDPOptions{})
		require.ErrorIs(t, err, uv.ErrClosed)
		for _, err := range []error{
			u.Bind(loopback, 0), u.Connect(loopback), u.Disconnect(), u.Send(nil, loopback, nil), u.SendV(nil, loopback, nil),
			u.RecvStart(func(uv.Datagram, error) {}), u.RecvStop(), u.SetTTL(1), u.SetBroadcast(true), u.OpenFD(0), u.SendUnix(nil, "x", nil),
			u.RecvStartUnix(nil), u.SetSendBufferSize(1), u.SetMulticastInterface(netip.Addr{}),
		} {
			require.ErrorIs(t, err, uv.ErrClosed)
		}
		require.False(t, u.UsingRecvmmsg())
		require.False(t, u.IsActive())
		require.Zero(t, u.SendQueueCount())
		require.Zero(t, u.SendQueueSize())
		u.Ref()
		u.Unref()
		u.Close()
	})
	t.Run("of the wrong goroutine", func(t *testing.T) {
		l := newLoop(t, uv.WithChecks())
		u := newUDP(t, l, uv.UDPOptions{})
		panics := make(chan any, 1)
		require.NoError(t, l.Post(func() {
			go func() {
				defer func() { panics <- recover() }()
				u.Send(nil, loopback, nil)
			}()
			err, ok := (<-panics).(error)
			require.True(t, ok)
			require.ErrorIs(t, err, uv.ErrWrongGoroutine)
			require.ErrorContains(t, err, "UDP.Send")
		}))
		require.NoError(t, l.Poll(0))
	})
	t.Run("forgotten", func(t *testing.T) {
		leaks := 0
		l := newLoop(t, uv.WithLeakReport(func(uv.Leak) { leaks++ }))
		u := newUDP(t, l, uv.UDPOptions{})
		u.Close()
		require.NoError(t, l.Poll(0))
		require.NoError(t, l.Close())
		runtime.GC()
		require.Zero(t, leaks)
	})
}

func TestUDPOpenFD(t *testing.T) {
	l := newLoop(t)
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		c, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	}
	require.NoError(t, err)
	defer c.Close()
	f, err := c.File()
	require.NoError(t, err)
	defer f.Close()
	fd, err := syscall.Dup(int(f.Fd()))
	require.NoError(t, err)
	u := newUDP(t, l, uv.UDPOptions{Recvmmsg: true})
	require.NoError(t, u.OpenFD(uintptr(fd)))
	addr := localUDP(t, u)
	require.Equal(t, c.LocalAddr().(*net.UDPAddr).AddrPort(), addr)
	require.ErrorIs(t, u.OpenFD(uintptr(fd)), uv.EBUSY)
	other := newUDP(t, l, uv.UDPOptions{})
	require.ErrorIs(t, other.OpenFD(uintptr(fd)), uv.EEXIST)
	require.ErrorIs(t, other.OpenFD(openFile(t)), uv.ENOTSOCK)
	require.ErrorIs(t, other.OpenFD(1<<20), uv.EBADF)
	stream, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer syscall.Close(stream)
	require.ErrorIs(t, other.OpenFD(uintptr(stream)), uv.EINVAL)
	got, err := u.Fd()
	require.NoError(t, err)
	require.Equal(t, uintptr(fd), got)
	in := receive(t, u)
	require.NoError(t, u.Send([]byte("hello"), addr, nil))
	until(t, l, "a datagram", func() bool { return len(in.got) == 1 })
	require.Equal(t, addr, in.from[0])
	reuse, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR)
	require.NoError(t, err)
	require.Zero(t, reuse, "others may bind to its address now")
	t.Run("connected", func(t *testing.T) {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		to, addr := boundUDP(t, l, uv.UDPOptions{})
		require.NoError(t, syscall.Connect(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: int(addr.Port())}))
		u := newUDP(t, l, uv.UDPOptions{})
		require.NoError(t, u.OpenFD(uintptr(fd)))
		peer, err := u.RemoteAddr()
		require.NoError(t, err)
		require.Equal(t, addr, peer)
		in := receive(t, to)
		require.NoError(t, u.Send([]byte("hello"), noAddr, nil))
		until(t, l, "a datagram", func() bool { return len(in.got) == 1 })
		require.ErrorIs(t, u.Send(nil, addr, nil), uv.EISCONN)
	})
	t.Run("standard input", func(t *testing.T) {
		require.Equal(t, "served\n", inChild(t, "udp stdin"))
	})
}

// childUDPStdin has a socket for its standard input, as a server of inetd's has.
func childUDPStdin() error {
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	defer closeAll(l)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := syscall.Dup2(fd, 0); err != nil {
		return err
	}
	before := openDescriptors()
	u, err := l.NewUDP(uv.UDPOptions{})
	if err != nil {
		return err
	}
	if err := u.OpenFD(0); err != nil {
		return err
	}
	if n, err := u.Fd(); err != nil || n < 3 {
		return fmt.Errorf("descriptor %d: %w", n, err)
	}
	closeHandles(l)
	if _, err := syscall.Getsockname(0); err != nil {
		return err
	}
	for range 3 { // and with the number free: nothing of libuv's gets it
		syscall.Close(0)
		if err := useUDP(l); err != nil {
			return err
		}
	}
	if after := openDescriptors(); after != before-1 {
		return fmt.Errorf("%d descriptors open before, %d after", before, after)
	}
	fmt.Println("served")
	return nil
}

// useUDP sends and receives, and closes all handles of the loop.
func useUDP(l *uv.Loop) error {
	defer closeHandles(l)
	for _, opt := range []uv.UDPOptions{{Recvmmsg: true}, {Family: syscall.AF_INET}} {
		u, err := l.NewUDP(opt)
		if err != nil {
			return err
		}
		if err := u.Bind(loopback, 0); err != nil {
			return err
		}
		got := 0
		if err := u.RecvStart(func(uv.Datagram, error) { got++ }); err != nil {
			return err
		}
		addr, err := u.LocalAddr()
		if err != nil {
			return err
		}
		if err := u.Send([]byte("x"), addr, nil); err != nil {
			return err
		}
		for end := time.Now().Add(patience); got == 0; l.Poll(time.Millisecond) {
			if time.Now().After(end) {
				return fmt.Errorf("nothing received")
			}
		}
	}
	return nil
}

// Without a descriptor the call that needs one says so, and may be tried again.
func TestUDPOutOfDescriptors(t *testing.T) {
	require.Equal(t, "served\n", inChild(t, "udp emfile"))
}

func childUDPOutOfDescriptors() error {
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	defer closeAll(l)
	undo, err := leaveFree(0)
	if err != nil {
		return err
	}
	u, err := l.NewUDP(uv.UDPOptions{})
	if err != nil {
		return err
	}
	_, made := l.NewUDP(uv.UDPOptions{Family: syscall.AF_INET})
	for i, err := range []error{
		made, u.Bind(loopback, 0), u.Connect(loopback), u.Send(nil, netip.MustParseAddrPort("127.0.0.1:1"), nil),
		u.RecvStart(func(uv.Datagram, error) {}), u.Join(netip.MustParseAddr("239.255.0.147"), netip.Addr{}),
	} {
		if e, ok := err.(*uv.Error); !ok || e.Errno != uv.EMFILE {
			return fmt.Errorf("call %d: %v", i, err)
		}
	}
	undo()
	if err := useUDP(l); err != nil {
		return err
	}
	fmt.Println("served")
	return nil
}

// Datagrams that wait for room while their socket loses its peer have their end too.
func TestUDPDisconnectWhileQueued(t *testing.T) {
	l := newLoop(t)
	u, peer := unixPair(t, l)
	n := 0
	for range 500 {
		require.NoError(t, u.Send([]byte("x"), noAddr, func(err error) { n++ }))
	}
	require.NoError(t, l.Poll(0))
	require.Positive(t, u.SendQueueCount())
	require.NoError(t, u.Disconnect()) // those that wait have no destination any more
	peer.Close()
	until(t, l, "the ends", func() bool { return n == 500 })
}

// A socket that is shut for reading is readable for ever; no turn is spent on that.
func TestUDPShut(t *testing.T) {
	l := newLoop(t)
	u, addr := boundUDP(t, l, uv.UDPOptions{})
	require.NoError(t, u.Connect(addr))
	in := receive(t, u)
	require.NoError(t, u.Send([]byte("x"), noAddr, nil))
	until(t, l, "a datagram", func() bool { return len(in.got) == 1 })
	fd, err := u.Fd()
	require.NoError(t, err)
	require.NoError(t, syscall.Shutdown(int(fd), syscall.SHUT_RD))
	before := l.Metrics().RecvCalls
	for range 20 {
		require.NoError(t, l.Poll(time.Millisecond))
	}
	require.LessOrEqual(t, l.Metrics().RecvCalls-before, uint64(2))
	require.Empty(t, in.errs)
}
