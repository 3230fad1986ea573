package proactortest

// Cases about Listen and Listener.

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// backlog is enough for the connections that a case leaves waiting.
const backlog = 64

// retryMax is longer than what lies below a driver, such as libuv's bridge, would pause
// before it accepts again by itself.
const retryMax = 150 * time.Millisecond

var listenOptions = proactor.ListenOptions{Backlog: backlog, ReuseAddr: true}

var networks = []string{"tcp", "unix"}

var listenCases = []testCase{
	{name: "address and descriptor", run: func(r *rig) {
		ln := r.listen(r.freeAddr("tcp"), listenOptions)
		addr := ln.Addr().(*net.TCPAddr)
		require.True(r.t, addr.IP.Equal(net.IPv4(127, 0, 0, 1)), addr)
		require.NotZero(r.t, addr.Port)
		requireOpen(r.t, ln.FD(), true)
		unix := r.freeAddr("unix")
		require.Equal(r.t, unix.String(), r.listen(unix, listenOptions).Addr().String())
	}},
	{name: "accepted stream has the addresses of its peer", run: func(r *rig) {
		for _, network := range networks {
			rec, peer := r.pair(link{network, true}, false)
			require.Equal(r.t, peer.RemoteAddr().String(), rec.s.LocalAddr().String())
			require.Equal(r.t, network, rec.s.LocalAddr().Network())
			require.Equal(r.t, network, rec.s.RemoteAddr().Network())
			if network == "tcp" {
				require.Equal(r.t, peer.LocalAddr().String(), rec.s.RemoteAddr().String())
			}
		}
	}},
	{name: "without standard input", run: func(r *rig) {
		for _, addr := range r.freeAddrs() {
			withoutStdin(r.t, func() {
				r.listen(addr, listenOptions).Close()
				requireOpen(r.t, 0, false)
			})
		}
	}},
	{name: "connections before Start wait", run: func(r *rig) {
		for _, network := range networks {
			ln := r.listen(r.freeAddr(network), listenOptions)
			r.do("dial", func() { r.dial(ln.Addr()); r.dial(ln.Addr()) })
			r.settle()
			n := 0
			r.start(ln, func(s proactor.Stream) { n++; r.record(s) })
			require.Zero(r.t, n, "no handler runs inside Start")
			r.until("two connections", func() bool { return n == 2 })
		}
	}},
	{name: "Stop in Accepted leaves the next for the next Start", run: func(r *rig) {
		for _, network := range networks {
			ln := r.listen(r.freeAddr(network), listenOptions)
			const dials = 8
			r.do("dial", func() {
				for i := range dials {
					c := r.dial(ln.Addr())
					_, _ = c.Write([]byte{byte(i)})
				}
			})
			var recs []*recorder
			for i := range dials {
				r.start(ln, func(s proactor.Stream) {
					recs = append(recs, r.record(s))
					ln.Stop()
				})
				r.until("one connection", func() bool { return len(recs) > i })
				r.settle()
				require.Len(r.t, recs, i+1, "accepted while stopped")
			}
			for i, rec := range recs {
				rec.readStart()
				r.until("its byte", func() bool { return len(rec.got) > 0 })
				require.Equal(r.t, []byte{byte(i)}, rec.got, "connections came out of order")
			}
		}
	}},
	{name: "what was kept comes before what is accepted later", run: func(r *rig) {
		for _, network := range networks {
			ln := r.listen(r.freeAddr(network), listenOptions)
			send := func(b byte) { _, _ = r.dial(ln.Addr()).Write([]byte{b}) }
			const dials = 4
			r.do("dial", func() {
				for i := range dials {
					send(byte(i))
				}
			})
			var recs []*recorder
			r.start(ln, func(s proactor.Stream) { recs = append(recs, r.record(s)); ln.Stop() })
			r.until("one connection", func() bool { return len(recs) == 1 })
			r.settle() // some of the others may be accepted by now
			r.start(ln, func(s proactor.Stream) { recs = append(recs, r.record(s)) })
			send(dials)
			for range 1000 {
				runtime.Gosched() // for drivers that accept on a goroutine
			}
			r.until("all connections", func() bool { return len(recs) == dials+1 })
			for i, rec := range recs {
				rec.readStart()
				r.until("its byte", func() bool { return len(rec.got) > 0 })
				require.Equal(r.t, []byte{byte(i)}, rec.got, "connections came out of order")
			}
			ln.Close()
		}
	}},
	{name: "a panic in Accepted loses no other connection", run: func(r *rig) {
		for _, network := range networks {
			ln := r.listen(r.freeAddr(network), listenOptions)
			const dials = 4
			r.do("dial", func() {
				for range dials {
					r.dial(ln.Addr())
				}
			})
			n := 0
			r.start(ln, func(s proactor.Stream) { n++; r.record(s); ln.Stop() })
			r.until("one connection", func() bool { return n == 1 })
			r.settle()
			r.start(ln, func(s proactor.Stream) {
				n++
				r.record(s)
				if n == 2 {
					panic("in Accepted")
				}
			})
			require.PanicsWithValue(r.t, "in Accepted", func() { r.until("the panic", func() bool { return false }) })
			r.until("all connections", func() bool { return n == dials })
			ln.Close()
		}
	}},
	{name: "Stop while waiting, then Start with another handler", run: func(r *rig) {
		for _, network := range networks {
			ln := r.listen(r.freeAddr(network), listenOptions)
			r.start(ln, func(proactor.Stream) { r.t.Error("the first handler was called") })
			r.settle()
			ln.Stop()
			ln.Stop()
			const dials = 8
			r.do("dial", func() {
				for range dials {
					r.dial(ln.Addr())
				}
			})
			r.settle()
			if network == "tcp" {
				requireWaiting(r.t, ln.FD(), dials-1) // one may have been half accepted
			}
			n := 0
			second := func(s proactor.Stream) { n++; r.record(s) }
			r.start(ln, second)
			r.start(ln, second)
			r.until("the connections", func() bool { return n >= dials })
			ln.Stop()
			r.start(ln, second)
			r.do("dial", func() { r.dial(ln.Addr()) })
			r.until("one more", func() bool { return n > dials })
			require.Equal(r.t, dials+1, n)
		}
	}},
	{name: "Close in Accepted without a handler", run: func(r *rig) {
		for _, network := range networks {
			ln := r.listen(r.freeAddr(network), listenOptions)
			r.start(ln, func(s proactor.Stream) { s.Close() })
			r.do("end of the connection", func() {
				_, err := r.dial(ln.Addr()).Read(make([]byte, 1))
				if err != io.EOF {
					r.t.Errorf("read: %v", err)
				}
			})
		}
	}},
	{name: "Close refuses new connections", run: func(r *rig) {
		for _, network := range networks {
			for _, started := range []bool{false, true} {
				ln := r.listen(r.freeAddr(network), listenOptions)
				addr := ln.Addr()
				if started {
					r.start(ln, func(proactor.Stream) { r.t.Error("accepted") })
					r.settle()
				}
				ln.Close()
				c, err := net.Dial(addr.Network(), addr.String())
				if err == nil {
					_ = c.Close()
				}
				require.Error(r.t, err)
				if network == "tcp" {
					require.ErrorIs(r.t, err, syscall.ECONNREFUSED)
				}
			}
		}
	}},
	{name: "Close ends connections nobody has accepted", run: func(r *rig) {
		for _, network := range networks {
			ln := r.listen(r.freeAddr(network), listenOptions)
			var c net.Conn
			r.do("dial", func() { c = r.dial(ln.Addr()) })
			n := 0
			r.start(ln, func(s proactor.Stream) { n++; s.Close() })
			ln.Stop()
			ln.Close()
			r.do("the end", func() {
				if _, err := c.Read(make([]byte, 1)); err == nil {
					r.t.Error("the connection is still there")
				}
			})
			require.Zero(r.t, n)
		}
	}},
	{name: "Close ends connections that wait for the next Start", run: func(r *rig) {
		for _, network := range networks {
			ln := r.listen(r.freeAddr(network), listenOptions)
			var conns []net.Conn
			r.do("dial", func() {
				for range 4 {
					conns = append(conns, r.dial(ln.Addr()))
				}
			})
			n := 0
			r.start(ln, func(s proactor.Stream) { n++; r.record(s); ln.Stop() })
			r.until("one connection", func() bool { return n > 0 })
			r.settle()
			ln.Close()
			r.do("the ends", func() {
				for _, c := range conns[1:] {
					if _, err := c.Read(make([]byte, 1)); err == nil {
						r.t.Error("the connection is still there")
					}
				}
			})
			require.Equal(r.t, 1, n)
		}
	}},
	{name: "Close in Accepted", run: func(r *rig) {
		ln := r.listen(r.freeAddr("tcp"), listenOptions)
		r.do("dial", func() { r.dial(ln.Addr()); r.dial(ln.Addr()); r.dial(ln.Addr()) })
		n := 0
		r.start(ln, func(s proactor.Stream) { n++; r.record(s); ln.Close() })
		r.until("one connection", func() bool { return n > 0 })
		r.settle()
		require.Equal(r.t, 1, n, "accepted after Close of the listener")
	}},
	{name: "an address in use", run: func(r *rig) {
		for _, network := range networks {
			ln := r.listen(r.freeAddr(network), listenOptions)
			_, err := r.p.Listen(ln.Addr(), listenOptions)
			require.ErrorIs(r.t, err, syscall.EADDRINUSE)
			require.ErrorContains(r.t, err, ln.Addr().String(), "the error says on what")
		}
	}},
	{name: "an address of another machine", run: func(r *rig) {
		_, err := r.p.Listen(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, listenOptions)
		require.ErrorIs(r.t, err, syscall.EADDRNOTAVAIL)
	}},
	{name: "ReuseAddr", run: func(r *rig) {
		// With connections in TIME_WAIT one would see what the option does. But a machine
		// that has many of them makes no more, so the kernel is asked for the option.
		for _, on := range []bool{true, false} {
			opt := proactor.ListenOptions{Backlog: backlog, ReuseAddr: on}
			requireReuseAddr(r.t, r.listen(r.freeAddr("tcp"), opt).FD(), on)
		}
	}},
	{name: "ReusePort", run: func(r *rig) {
		if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
			r.t.Skip("no SO_REUSEPORT")
		}
		shared := proactor.ListenOptions{Backlog: backlog, ReusePort: true}
		ln := r.listen(r.freeAddr("tcp"), shared)
		_, err := r.p.Listen(ln.Addr(), proactor.ListenOptions{Backlog: backlog})
		require.ErrorIs(r.t, err, syscall.EADDRINUSE)
		r.listen(ln.Addr(), shared)
		unix := r.freeAddr("unix")
		r.listen(unix, shared)
		_, err = r.p.Listen(unix, shared)
		require.ErrorIs(r.t, err, syscall.EADDRINUSE, "a path is not shared")
	}},
	{name: "V6Only", run: func(r *rig) {
		for _, only := range []bool{true, false} {
			opt := listenOptions
			opt.V6Only = only
			ln, err := r.p.Listen(&net.TCPAddr{IP: net.IPv6zero}, opt)
			if err != nil {
				r.t.Skipf("no IPv6 here: %v", err)
			}
			port := ln.Addr().(*net.TCPAddr).Port
			c4, err := net.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
			if only {
				require.ErrorIs(r.t, err, syscall.ECONNREFUSED)
			} else {
				require.NoError(r.t, err)
				require.NoError(r.t, c4.Close())
			}
			c6, err := net.DialTCP("tcp6", nil, &net.TCPAddr{IP: net.IPv6loopback, Port: port})
			require.NoError(r.t, err)
			require.NoError(r.t, c6.Close())
			ln.Close()
		}
	}},
	{name: "0.0.0.0 serves IPv4 only", run: func(r *rig) {
		ln := r.listen(&net.TCPAddr{IP: net.IPv4zero}, listenOptions)
		addr := ln.Addr().(*net.TCPAddr)
		require.NotNil(r.t, addr.IP.To4(), addr)
		_, err := net.DialTCP("tcp6", nil, &net.TCPAddr{IP: net.IPv6loopback, Port: addr.Port})
		require.Error(r.t, err)
	}},
	{name: "Backlog", run: func(r *rig) {
		for _, n := range []int{1, 7, 100} {
			ln := r.listen(r.freeAddr("tcp"), proactor.ListenOptions{Backlog: n})
			requireBacklog(r.t, ln.FD(), n)
		}
	}},
	{name: "TCP_NODELAY and SO_KEEPALIVE", run: func(r *rig) {
		for _, keepAlive := range []bool{false, true} {
			opt := listenOptions
			opt.KeepAlive = keepAlive
			ln := r.listen(r.freeAddr("tcp"), opt)
			var rec *recorder
			r.start(ln, func(s proactor.Stream) { rec = r.record(s) })
			r.do("dial", func() { r.dial(ln.Addr()) })
			r.until("the connection", func() bool { return rec != nil })
			requireNoDelay(r.t, rec.s.FD())
			requireKeepAlive(r.t, rec.s.FD(), keepAlive)
		}
	}},
	{name: "no descriptors left", run: func(r *rig) {
		ln := r.listen(r.freeAddr("tcp"), listenOptions)
		const dials = 3
		r.do("dial", func() {
			for range dials {
				r.dial(ln.Addr())
			}
		})
		accepted := 0
		var failures []error
		h := &acceptor{r: r,
			accepted: func(s proactor.Stream) { accepted++; r.record(s) },
			failed:   func(err error) { failures = append(failures, err) },
		}
		withoutDescriptors(r.t, func() {
			for i := range 3 {
				require.NoError(r.t, ln.Start(h))
				r.until("a failure", func() bool { return len(failures) > i })
				require.ErrorIs(r.t, failures[i], syscall.EMFILE)
				r.pollFor(retryMax)
				require.Len(r.t, failures, i+1, "told once for each Start")
			}
		})
		r.settle()
		require.Zero(r.t, accepted, "accepted without Start")
		r.do("dial", func() { r.dial(ln.Addr()) })
		r.settle()
		require.Zero(r.t, accepted, "accepted without Start")
		require.NoError(r.t, ln.Start(h))
		r.until("the connections", func() bool { return accepted == dials+1 })
		require.Len(r.t, failures, 3)
	}},
	{name: "no descriptors left, Start in AcceptFailed", run: func(r *rig) {
		ln := r.listen(r.freeAddr("tcp"), listenOptions)
		r.do("dial", func() { r.dial(ln.Addr()) })
		accepted, failed := 0, 0
		h := &acceptor{r: r, accepted: func(s proactor.Stream) { accepted++; r.record(s) }}
		h.failed = func(error) {
			failed++
			require.NoError(r.t, ln.Start(h))
		}
		withoutDescriptors(r.t, func() {
			require.NoError(r.t, ln.Start(h))
			r.until("failures", func() bool { return failed > 3 })
		})
		r.until("the connection", func() bool { return accepted == 1 })
	}},
	{name: "no descriptors left, and stopped", run: func(r *rig) {
		ln := r.listen(r.freeAddr("tcp"), listenOptions)
		r.do("dial", func() { r.dial(ln.Addr()) })
		accepted := 0
		h := &acceptor{r: r, accepted: func(s proactor.Stream) { accepted++; r.record(s) }}
		h.failed = func(err error) { r.t.Errorf("told after Stop: %v", err) }
		withoutDescriptors(r.t, func() {
			require.NoError(r.t, ln.Start(h))
			ln.Stop()
			r.pollFor(10 * time.Millisecond)
		})
		r.settle()
		require.Zero(r.t, accepted)
		require.NoError(r.t, ln.Start(h))
		r.until("the connection", func() bool { return accepted == 1 })
	}},
	{name: "no descriptors left, and stopped by another listener's failure", run: func(r *rig) {
		a, b := r.listen(r.freeAddr("tcp"), listenOptions), r.listen(r.freeAddr("tcp"), listenOptions)
		r.do("dial", func() { r.dial(a.Addr()); r.dial(b.Addr()) })
		accepted, failed := 0, 0
		h := &acceptor{r: r, accepted: func(s proactor.Stream) { accepted++; r.record(s) }}
		h.failed = func(error) {
			failed++
			a.Stop()
			b.Stop()
		}
		withoutDescriptors(r.t, func() {
			require.NoError(r.t, a.Start(h))
			require.NoError(r.t, b.Start(h))
			r.until("a failure", func() bool { return failed > 0 })
			r.pollFor(time.Millisecond)
		})
		require.Equal(r.t, 1, failed)
		require.NoError(r.t, a.Start(h))
		require.NoError(r.t, b.Start(h))
		for n := 0; accepted < 2; n++ {
			require.Less(r.t, n, 50, "the driver makes a pause of its own")
			r.settle()
		}
	}},
	{name: "Close leaves the path of a Unix socket", run: func(r *rig) {
		addr := r.freeAddr("unix")
		ln := r.listen(addr, listenOptions)
		ln.Close()
		r.pollFor(time.Millisecond)
		require.NoError(r.t, os.Remove(addr.String()))
		r.listen(addr, listenOptions)
		r.close()
		require.NoError(r.t, os.Remove(addr.String()))
	}},
	{name: "a Listen that fails leaves no path", run: func(r *rig) {
		failed := 0
		for descriptors := range 6 {
			addr := r.freeAddr("unix")
			withDescriptors(r.t, descriptors, func() {
				ln, err := r.p.Listen(addr, listenOptions)
				if err == nil {
					ln.Close()
					require.NoError(r.t, os.Remove(addr.String()))
					return
				}
				failed++
			})
			require.NoFileExists(r.t, addr.String())
		}
		require.Positive(r.t, failed)
	}},
	{name: "an address of another kind", run: func(r *rig) {
		_, err := r.p.Listen(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, listenOptions)
		require.ErrorIs(r.t, err, errors.ErrUnsupported)
	}},
	{name: "many connections at once", run: func(r *rig) {
		ln := r.listen(r.freeAddr("tcp"), proactor.ListenOptions{Backlog: 1024})
		const dials = 400
		n := 0
		r.start(ln, func(s proactor.Stream) { n++; r.record(s) })
		r.do("dial", func() {
			for range dials {
				r.dial(ln.Addr())
			}
		})
		r.until("all connections", func() bool { return n == dials })
	}},
}
