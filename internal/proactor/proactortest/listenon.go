package proactortest

// Cases about ListenOn.

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

var listenOnCases = []testCase{
	{name: "ListenOn a socket that listens", run: func(r *rig) {
		for _, addr := range r.freeAddrs() {
			for _, keepAlive := range []bool{false, true} {
				theirs, err := net.Listen(addr.Network(), addr.String())
				require.NoError(r.t, err)
				r.own(theirs)
				_ = theirs.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Unix(1, 0))
				addr := theirs.Addr()
				r.do("dial", func() { r.dial(addr) })
				ln, err := r.p.ListenOn(theirs, proactor.ListenOptions{Backlog: 7, KeepAlive: keepAlive})
				require.NoError(r.t, err)
				require.Equal(r.t, addr.String(), ln.Addr().String())
				requireOpen(r.t, ln.FD(), true)
				var recs []*recorder
				r.settle()
				r.start(ln, func(s proactor.Stream) { recs = append(recs, r.record(s)) })
				r.until("the connection that waited", func() bool { return len(recs) == 1 })
				var peer net.Conn
				r.do("dial", func() { peer = r.dial(addr) })
				r.until("another one", func() bool { return len(recs) == 2 })
				if addr.Network() == "tcp" {
					requireBacklog(r.t, ln.FD(), 7)
					requireNoDelay(r.t, recs[1].s.FD())
					requireKeepAlive(r.t, recs[1].s.FD(), keepAlive)
				}
				recs[1].readStart()
				r.do("a byte", func() { _, _ = peer.Write([]byte{42}) })
				r.until("the byte", func() bool { return len(recs[1].got) == 1 })
				ln.Close()
				require.Equal(r.t, -1, ln.FD())
				_, err = net.Dial(addr.Network(), addr.String())
				require.ErrorIs(r.t, err, syscall.ECONNREFUSED, "the last descriptor of the socket is closed")
				if name := addr.String(); addr.Network() == "unix" && name[0] != '@' {
					require.NoError(r.t, os.Remove(name), "the path is not the driver's")
				}
			}
		}
	}},
	{name: "ListenOn without standard input", run: func(r *rig) {
		for _, addr := range r.freeAddrs() {
			theirs, err := net.Listen(addr.Network(), addr.String())
			require.NoError(r.t, err)
			withoutStdin(r.t, func() {
				ln, err := r.p.ListenOn(theirs, listenOptions)
				require.NoError(r.t, err)
				ln.Close()
				requireOpen(r.t, 0, false)
			})
		}
	}},
	{name: "ListenOn, and Close of the proactor", run: func(r *rig) {
		for _, network := range networks {
			theirs, err := net.Listen(network, r.freeAddr(network).String())
			require.NoError(r.t, err)
			_, err = r.p.ListenOn(theirs, listenOptions)
			require.NoError(r.t, err)
			_ = theirs.Close() // a habit that does no harm
		}
	}},
	{name: "ListenOn what it cannot serve leaves it alone", run: func(r *rig) {
		theirs, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(r.t, err)
		_, err = r.p.ListenOn(struct{ net.Listener }{theirs}, listenOptions)
		require.ErrorIs(r.t, err, errors.ErrUnsupported)
		r.close()
		_, err = r.p.ListenOn(theirs, listenOptions)
		require.ErrorIs(r.t, err, net.ErrClosed)
		r.spawn(func() { r.dial(theirs.Addr()) })
		c, err := theirs.Accept()
		require.NoError(r.t, err)
		require.NoError(r.t, c.Close())
		require.NoError(r.t, theirs.Close())
		r.peers.Wait()
	}},
	{name: "ListenOn a closed listener", run: func(r *rig) {
		for _, network := range networks {
			theirs, err := net.Listen(network, r.freeAddr(network).String())
			require.NoError(r.t, err)
			require.NoError(r.t, theirs.Close())
			_, err = r.p.ListenOn(theirs, listenOptions)
			require.Error(r.t, err)
		}
	}},
	{name: "ListenOn without descriptors leaves it alone", run: func(r *rig) {
		for _, network := range networks {
			theirs, err := net.Listen(network, r.freeAddr(network).String())
			require.NoError(r.t, err)
			var ln proactor.Listener
			withoutDescriptors(r.t, func() { ln, err = r.p.ListenOn(theirs, listenOptions) })
			if err != nil { // a driver may need none
				ln, err = r.p.ListenOn(theirs, listenOptions)
				require.NoError(r.t, err)
			}
			n := 0
			r.start(ln, func(s proactor.Stream) { n++; r.record(s) })
			r.do("dial", func() { r.dial(ln.Addr()) })
			r.until("the connection", func() bool { return n == 1 })
		}
	}},
}
