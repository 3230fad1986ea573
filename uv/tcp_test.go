//go:build cgo

package uv_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// dial connects a plain Go socket to a listener of the loop.
func dial(t testing.TB, l *uv.Loop, ln *uv.TCP) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addrOf(t, ln).String())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// peerOf connects a stream of the loop with a plain Go socket.
func peerOf(t testing.TB, l *uv.Loop) (*uv.TCP, *net.TCPConn) {
	t.Helper()
	var s *uv.TCP
	ln := listen(t, l, func(c *uv.TCP, err error) {
		require.NoError(t, err)
		s = c
	})
	peer := dial(t, l, ln)
	until(t, l, "a connection", func() bool { return s != nil })
	ln.Close()
	return s, peer
}

func TestBindAndListen(t *testing.T) {
	t.Run("UV-045", func(t *testing.T) { // a port of its own, and a port in use
		l := newLoop(t)
		ln := listen(t, l, func(*uv.TCP, error) {})
		addr := addrOf(t, ln)
		require.NotZero(t, addr.Port())
		second := newTCP(t, l)
		err := second.Bind(addr, 0)
		if err == nil {
			err = second.Listen(1, func(*uv.TCP, error) {})
		}
		require.ErrorIs(t, err, syscall.EADDRINUSE)
		require.ErrorContains(t, err, addr.String())
	})
	t.Run("a port in use stays in use", func(t *testing.T) { // Listen does not take another one
		for _, flags := range []uv.BindFlags{0, uv.BindExclusive} {
			l := newLoop(t)
			taken := addrOf(t, listen(t, l, func(*uv.TCP, error) {}))
			ln := newTCP(t, l)
			require.ErrorIs(t, ln.Bind(taken, flags), uv.EADDRINUSE)
			require.ErrorIs(t, ln.Listen(8, func(*uv.TCP, error) {}), uv.EADDRINUSE)
			require.NoError(t, ln.Bind(loopback, flags))
			require.NoError(t, ln.Listen(8, func(*uv.TCP, error) {}))
			require.NotEqual(t, taken, addrOf(t, ln))
		}
	})
	t.Run("UV-046", func(t *testing.T) { // addresses that cannot be bound
		l := newLoop(t)
		c := newTCP(t, l)
		require.NoError(t, c.Bind(loopback, 0))
		require.ErrorIs(t, c.Bind(loopback, 0), uv.EINVAL)
		require.ErrorIs(t, newTCP(t, l).Bind(netip.MustParseAddrPort("192.0.2.1:0"), 0), uv.EADDRNOTAVAIL)
		v6, err := l.NewTCPFamily(syscall.AF_INET6)
		if errors.Is(err, uv.EAFNOSUPPORT) {
			t.Skip("no IPv6 here")
		}
		require.NoError(t, err)
		require.ErrorIs(t, v6.Bind(loopback, 0), uv.EINVAL)
		require.ErrorIs(t, newTCP(t, l).Bind(netip.AddrPort{}, 0), uv.EINVAL)
	})
	t.Run("listening without a bind takes any port", func(t *testing.T) {
		l := newLoop(t)
		ln, accepted := newTCP(t, l), 0
		require.NoError(t, ln.Listen(8, func(c *uv.TCP, err error) { accepted++ }))
		dial(t, l, ln)
		until(t, l, "a connection", func() bool { return accepted == 1 })
		require.ErrorIs(t, ln.Listen(8, func(*uv.TCP, error) {}), uv.EALREADY)
	})
	t.Run("flags", func(t *testing.T) {
		l := newLoop(t)
		a, b := newTCP(t, l), newTCP(t, l)
		require.NoError(t, a.Bind(loopback, uv.BindReusePort))
		require.NoError(t, a.Listen(8, func(*uv.TCP, error) {}))
		require.NoError(t, b.Bind(addrOf(t, a), uv.BindReusePort))
		require.NoError(t, b.Listen(8, func(*uv.TCP, error) {}))
		c := newTCP(t, l)
		require.NoError(t, c.Bind(loopback, uv.BindExclusive))
		require.Zero(t, sockopt(t, c, syscall.SOL_SOCKET, syscall.SO_REUSEADDR))
		require.NotZero(t, sockopt(t, a, syscall.SOL_SOCKET, syscall.SO_REUSEADDR))
	})
	t.Run("UV-075", func(t *testing.T) { // options
		l := newLoop(t)
		c, _ := connectedPair(t, l)
		require.ErrorIs(t, c.SetKeepAlive(true, 0), uv.EINVAL)
		require.NoError(t, c.SetKeepAlive(true, 60*time.Second))
		require.Equal(t, 1, sockopt(t, c, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE))
		require.Equal(t, 60, sockopt(t, c, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE))
		require.NoError(t, c.SetNoDelay(false))
		require.Zero(t, sockopt(t, c, syscall.IPPROTO_TCP, syscall.TCP_NODELAY))
		require.NoError(t, c.SetNoDelay(true))
		require.Equal(t, 1, sockopt(t, c, syscall.IPPROTO_TCP, syscall.TCP_NODELAY))
		require.NoError(t, c.SetSimultaneousAccepts(true))
		require.NoError(t, c.SetSendBufferSize(32<<10))
		n, err := c.SendBufferSize()
		require.NoError(t, err)
		require.Contains(t, []int{32 << 10, 64 << 10}, n)
		require.NoError(t, c.SetRecvBufferSize(32<<10))
		require.ErrorIs(t, c.SetRecvBufferSize(0), uv.EINVAL)
	})
	t.Run("options of accepted connections", func(t *testing.T) {
		l := newLoop(t)
		var s *uv.TCP
		opt := uv.ListenOptions{NoDelay: true, KeepAlive: 90 * time.Second}
		ln := listenWith(t, l, opt, func(c *uv.TCP, err error) { s = c })
		peer := dial(t, l, ln)
		until(t, l, "a connection", func() bool { return s != nil })
		require.Equal(t, 1, sockopt(t, s, syscall.IPPROTO_TCP, syscall.TCP_NODELAY))
		require.Equal(t, 90, sockopt(t, s, syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE))
		remote, err := s.RemoteAddr()
		require.NoError(t, err)
		require.Equal(t, peer.LocalAddr().String(), remote.String())
		local, err := s.LocalAddr()
		require.NoError(t, err)
		require.Equal(t, peer.RemoteAddr().String(), local.String())
	})
}

// blackHole is an address that never answers: a listener that does not accept, with a
// full backlog.
func blackHole(t testing.TB) netip.AddrPort {
	t.Helper()
	socket := func() int {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		t.Cleanup(func() { syscall.Close(fd) })
		return fd
	}
	ln := socket()
	require.NoError(t, syscall.Bind(ln, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(ln, 0))
	sa, err := syscall.Getsockname(ln)
	require.NoError(t, err)
	for range 4 {
		require.ErrorIs(t, syscall.Connect(socket(), sa), syscall.EINPROGRESS)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sa.(*syscall.SockaddrInet4).Port))
}

func sockopt(t testing.TB, c *uv.TCP, level, option int) int {
	t.Helper()
	fd, err := c.Fd()
	require.NoError(t, err)
	n, err := syscall.GetsockoptInt(int(fd), level, option)
	require.NoError(t, err)
	return n
}

func TestConnect(t *testing.T) {
	t.Run("UV-049", func(t *testing.T) { // a closed port is refused by callback
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			ln := listen(t, l, func(*uv.TCP, error) {})
			addr := addrOf(t, ln)
			ln.Close()
			var got error
			calls := 0
			c := newTCP(t, l)
			require.NoError(t, c.Connect(addr, func(err error) { got = err; calls++ }))
			require.Zero(t, calls)
			run(t, l, uv.RunDefault)
			require.Equal(t, 1, calls)
			require.ErrorIs(t, got, syscall.ECONNREFUSED)
			require.ErrorContains(t, got, addr.String())
			var e *uv.Error
			require.ErrorAs(t, got, &e)
			require.Equal(t, uv.ECONNREFUSED, e.Errno)
			c.Close()
		})
	})
	t.Run("UV-050", func(t *testing.T) { // nobody answers, and the context ends
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			addr := blackHole(t)
			c := newTCP(t, l)
			before := len(descriptors())
			start := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			var got error
			err := c.ConnectContext(ctx, addr, func(err error) { got = err })
			require.NoError(t, err)
			until(t, l, "the end", func() bool { return got != nil })
			require.ErrorIs(t, got, context.DeadlineExceeded)
			require.GreaterOrEqual(t, time.Since(start), 50*time.Millisecond)
			c.Close()
			run(t, l, uv.RunDefault)
			require.Len(t, descriptors(), before)
		})
	})
	t.Run("a context that has ended", func(t *testing.T) {
		l := newLoop(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		err := newTCP(t, l).ConnectContext(ctx, loopback, func(error) { t.Error("called") })
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("UV-051", func(t *testing.T) { // Close ends a connect, before the close callback
		l := newLoop(t)
		ln := listen(t, l, func(*uv.TCP, error) {})
		for _, turns := range []int{0, 1} {
			var order []string
			c := newTCP(t, l)
			require.NoError(t, c.Connect(addrOf(t, ln), func(err error) {
				if turns == 0 {
					require.ErrorIs(t, err, context.Canceled)
				}
				order = append(order, "connect")
			}))
			for range turns {
				require.NoError(t, l.Poll(0))
			}
			c.CloseWith(func() { order = append(order, "close") })
			until(t, l, "the close", func() bool { return len(order) >= 2 })
			require.NoError(t, l.Poll(0))
			require.Equal(t, []string{"connect", "close"}, order)
		}
	})
	t.Run("UV-052", func(t *testing.T) { // writes before the connection is there
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			var got []byte
			ln := listen(t, l, func(c *uv.TCP, err error) {
				require.NoError(t, err)
				c.ReadStart(func(b []byte, err error) { got = append(got, b...) })
			})
			var order []string
			c := newTCP(t, l)
			require.NoError(t, c.Connect(addrOf(t, ln), func(err error) {
				require.NoError(t, err)
				order = append(order, "connect")
			}))
			require.ErrorIs(t, c.ReadStart(func([]byte, error) {}), uv.ENOTCONN)
			require.NoError(t, c.Write([]byte("small"), func(err error) {
				require.NoError(t, err)
				order = append(order, "small")
			}))
			require.NoError(t, c.Write(make([]byte, 100_000), func(err error) { order = append(order, "large") }))
			require.Equal(t, 100_005, c.WriteQueueSize())
			until(t, l, "all bytes", func() bool { return len(got) == 100_005 && len(order) == 3 })
			require.Equal(t, []string{"connect", "small", "large"}, order)
			require.Equal(t, "small", string(got[:5]))
			require.Zero(t, c.WriteQueueSize())
		})
	})
	t.Run("a failed connect ends its writes", func(t *testing.T) {
		l := newLoop(t)
		ln := listen(t, l, func(*uv.TCP, error) {})
		addr := addrOf(t, ln)
		ln.Close()
		c := newTCP(t, l)
		var order []string
		require.NoError(t, c.Connect(addr, func(err error) {
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
			order = append(order, "connect")
		}))
		require.NoError(t, c.Write([]byte("x"), func(err error) {
			require.ErrorIs(t, err, uv.ECANCELED)
			order = append(order, "write")
		}))
		require.NoError(t, c.CloseWrite(func(err error) {
			require.Error(t, err)
			order = append(order, "shutdown")
		}))
		until(t, l, "the ends", func() bool { return len(order) == 3 })
		require.Equal(t, []string{"connect", "write", "shutdown"}, order)
	})
	t.Run("UV-078", func(t *testing.T) { // the unspecified address is this host
		l := newLoop(t)
		accepted, connected := false, false
		ln := listen(t, l, func(*uv.TCP, error) { accepted = true })
		to := netip.AddrPortFrom(netip.IPv4Unspecified(), addrOf(t, ln).Port())
		require.NoError(t, newTCP(t, l).Connect(to, func(err error) { connected = err == nil }))
		until(t, l, "a connection", func() bool { return accepted && connected })
	})
	t.Run("twice", func(t *testing.T) {
		l := newLoop(t)
		c, _ := connectedPair(t, l)
		require.ErrorIs(t, c.Connect(loopback, func(error) {}), uv.EISCONN)
		d := newTCP(t, l)
		ln := listen(t, l, func(*uv.TCP, error) {})
		require.NoError(t, d.Connect(addrOf(t, ln), func(error) {}))
		require.ErrorIs(t, d.Connect(addrOf(t, ln), func(error) {}), uv.EALREADY)
		require.ErrorIs(t, ln.Connect(addrOf(t, ln), func(error) {}), uv.EINVAL)
		require.ErrorIs(t, newTCP(t, l).Connect(loopback, nil), uv.EINVAL)
	})
	t.Run("OpenFD", func(t *testing.T) {
		l := newLoop(t)
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		a, b := newTCP(t, l), newTCP(t, l)
		require.NoError(t, a.OpenFD(uintptr(fds[0])))
		require.ErrorIs(t, b.OpenFD(uintptr(fds[0])), uv.EEXIST)
		require.NoError(t, b.OpenFD(uintptr(fds[1])))
		require.ErrorIs(t, b.OpenFD(uintptr(fds[1])), uv.EBUSY)
		var got []byte
		require.NoError(t, b.ReadStart(func(p []byte, err error) { got = append(got, p...) }))
		require.NoError(t, a.Write([]byte("hello"), nil))
		until(t, l, "hello", func() bool { return string(got) == "hello" })
		file := openFile(t)
		require.ErrorIs(t, newTCP(t, l).OpenFD(file), uv.ENOTSOCK)
		require.ErrorIs(t, newTCP(t, l).OpenFD(1<<20), uv.EBADF)
	})
}

func TestAccept(t *testing.T) {
	t.Run("UV-070", func(t *testing.T) { // no more than MaxConns at a time
		eachWait(t, func(t *testing.T, l *uv.Loop) {
			var open []*uv.TCP
			ln := listenWith(t, l, uv.ListenOptions{MaxConns: 10}, func(c *uv.TCP, err error) {
				require.NoError(t, err)
				open = append(open, c)
			})
			for range 30 {
				dial(t, l, ln)
			}
			until(t, l, "ten connections", func() bool { return len(open) == 10 })
			require.NoError(t, l.Poll(0))
			require.False(t, readable(t, backend(t, l), 0), "a full listener rests")
			require.Len(t, open, 10)
			for n := 11; n <= 30; n++ {
				open[n-11].Close()
				until(t, l, "the next one", func() bool { return len(open) == n })
			}
			require.True(t, ln.IsActive())
		})
	})
	t.Run("UV-072", func(t *testing.T) { // out of descriptors, and in again
		out := inChild(t, "emfile")
		require.Contains(t, out, "served after EMFILE")
	})
	t.Run("UV-073", func(t *testing.T) { // nothing is left of ten thousand connections
		rounds := 10_000
		if testing.Short() || slow {
			rounds = 1000
		}
		l := newLoop(t)
		closed := 0
		ln := listen(t, l, func(c *uv.TCP, err error) {
			require.NoError(t, err)
			c.CloseWith(func() { closed++ })
		})
		before := len(descriptors())
		connect := func() {
			c := newTCP(t, l)
			require.NoError(t, c.Connect(addrOf(t, ln), func(err error) {
				require.NoError(t, err)
				require.NoError(t, c.CloseReset(nil)) // no TIME_WAIT
			}))
		}
		for done := 0; done < rounds; done += 50 {
			for range 50 {
				connect()
			}
			until(t, l, "50 connections", func() bool { return closed == done+50 })
		}
		require.NoError(t, l.Poll(0))
		require.Len(t, descriptors(), before)
	})
	t.Run("stop and start", func(t *testing.T) {
		l := newLoop(t)
		n := 0
		var ln *uv.TCP
		ln = listenWith(t, l, uv.ListenOptions{Stopped: true}, func(c *uv.TCP, err error) {
			n++
			require.NoError(t, ln.AcceptStop())
		})
		for range 3 {
			dial(t, l, ln)
		}
		for want := range 4 {
			for range 3 {
				require.NoError(t, l.Poll(0))
			}
			require.Equal(t, want, n)
			require.NoError(t, ln.AcceptStart())
			until(t, l, "the next one", func() bool { return n == min(3, want+1) })
		}
		require.ErrorIs(t, newTCP(t, l).AcceptStop(), uv.EINVAL)
	})
	t.Run("a listener closed by its own callback closes what it has accepted", func(t *testing.T) {
		l := newLoop(t)
		n := 0
		var ln *uv.TCP
		ln = listen(t, l, func(c *uv.TCP, err error) {
			n++
			ln.Close()
		})
		var peers []*net.TCPConn
		for range 5 {
			peers = append(peers, dial(t, l, ln))
		}
		until(t, l, "one connection", func() bool { return n == 1 })
		require.NoError(t, l.Poll(0))
		require.Equal(t, 1, n)
		for _, p := range peers[1:] { // the first was handed over
			require.NoError(t, p.SetReadDeadline(time.Now().Add(patience)))
			_, err := p.Read(make([]byte, 1))
			require.True(t, err == io.EOF || errors.Is(err, syscall.ECONNRESET), err)
		}
	})
}

func TestHandleReuse(t *testing.T) {
	t.Run("UV-080", func(t *testing.T) { // an old handle does not touch the one that took its slot
		l := newLoop(t)
		old := newTCP(t, l)
		old.Close()
		old.Close()
		run(t, l, uv.RunDefault)
		require.NoError(t, l.Poll(0))
		c, _ := connectedPair(t, l)
		fd, err := c.Fd()
		require.NoError(t, err)
		require.ErrorIs(t, old.Bind(loopback, 0), uv.ErrClosed)
		require.ErrorIs(t, old.Connect(loopback, func(error) {}), uv.ErrClosed)
		require.ErrorIs(t, old.Write([]byte("x"), nil), uv.ErrClosed)
		require.ErrorIs(t, old.ReadStart(func([]byte, error) {}), uv.ErrClosed)
		require.ErrorIs(t, old.ReadStop(), net.ErrClosed)
		require.ErrorIs(t, old.CloseReset(nil), uv.ErrClosed)
		_, err = old.Fd()
		require.ErrorIs(t, err, uv.ErrClosed)
		old.Close()
		old.Unref()
		require.False(t, old.IsActive())
		require.NoError(t, l.Poll(0))
		again, err := c.Fd()
		require.NoError(t, err)
		require.Equal(t, fd, again)
		require.False(t, c.IsClosing())
	})
	t.Run("a referenced handle and an unreferenced one", func(t *testing.T) {
		l := newLoop(t)
		ln := listen(t, l, func(*uv.TCP, error) {})
		require.True(t, l.Alive())
		ln.Unref()
		require.False(t, l.Alive())
		run(t, l, uv.RunDefault)
		ln.Ref()
		require.True(t, l.Alive())
		_, s := connectedPair(t, l)
		ln.Close()
		run(t, l, uv.RunNoWait)
		require.False(t, l.Alive(), "connections that do nothing")
		require.NoError(t, s.ReadStart(func([]byte, error) {}))
		require.True(t, l.Alive())
		s.Unref()
		run(t, l, uv.RunDefault)
	})
	t.Run("types", func(t *testing.T) {
		l := newLoop(t)
		c := newTCP(t, l)
		require.Equal(t, uv.TCPHandle, c.Type())
		require.Equal(t, "tcp", c.Type().String())
		require.Equal(t, "HandleType(77)", fmt.Sprint(uv.HandleType(77)))
		require.Same(t, l, c.Loop())
		require.Nil(t, c.Data())
		c.SetData(5)
		require.Equal(t, 5, c.Data())
	})
}
