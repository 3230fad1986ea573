package proactortest

// Cases about Adopt.

import (
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// netPair is a connection of package net on both sides.
func (r *rig) netPair(network string) (theirs, peer net.Conn) {
	ln, err := net.Listen(network, r.freeAddr(network).String())
	require.NoError(r.t, err)
	defer ln.Close()
	peer, err = net.Dial(network, ln.Addr().String())
	require.NoError(r.t, err)
	r.own(peer)
	theirs, err = ln.Accept()
	require.NoError(r.t, err)
	r.own(theirs)
	return theirs, peer
}

// adoptPairs runs test on a connection of each kind that can be adopted.
func (r *rig) adoptPairs(test func(theirs, peer net.Conn)) {
	for _, network := range networks {
		test(r.netPair(network))
	}
	if a, b := socketPair(r.t); a != nil {
		r.own(a)
		r.own(b)
		test(a, b)
	}
}

// unadoptable is connections that cannot be adopted.
func (r *rig) unadoptable() []net.Conn {
	udp, err := net.Dial("udp", "127.0.0.1:9")
	require.NoError(r.t, err)
	a, b := net.Pipe()
	tcp, _ := r.netPair("tcp")
	conns := []net.Conn{udp, a, b, struct{ net.Conn }{tcp}}
	if gram, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: r.freeAddr("unix").String()}); err == nil {
		conns = append(conns, gram)
	}
	for _, c := range conns {
		r.own(c)
	}
	return conns
}

var adoptCases = []testCase{
	{name: "Adopt reads and writes", run: func(r *rig) {
		r.adoptPairs(func(theirs, peer net.Conn) {
			_, err := peer.Write([]byte("before"))
			require.NoError(r.t, err)
			require.NoError(r.t, theirs.SetDeadline(time.Unix(1, 0)))
			local, remote := theirs.LocalAddr(), theirs.RemoteAddr()
			s, err := r.p.Adopt(theirs, false)
			require.NoError(r.t, err)
			require.Equal(r.t, local.Network(), s.LocalAddr().Network())
			if local.Network() == "tcp" {
				require.Equal(r.t, local.String(), s.LocalAddr().String())
				require.Equal(r.t, remote.String(), s.RemoteAddr().String())
			}
			requireOpen(r.t, s.FD(), true)
			rec := r.record(s)
			r.settle()
			require.Empty(r.t, rec.got, "it does not read before ReadStart")
			rec.readStart()
			r.until("what waited", func() bool { return string(rec.got) == "before" })
			rec.write([]byte("hello"))
			rec.s.Flush()
			requireNext(r.t, peer, "hello")
			require.NoError(r.t, peer.(peerConn).CloseWrite())
			r.until("the end", rec.isEOF)
			rec.write([]byte("bye"))
			r.until("flushed", func() bool { rec.s.Flush(); return rec.s.Buffered() == 0 })
			fd := s.FD()
			rec.close()
			requireOpen(r.t, fd, false)
			r.do("bye", func() { requireRest(r.t, peer, "bye") })
			r.until("closed", rec.isClosed)
		})
	}},
	{name: "Adopt moves much", run: func(r *rig) {
		r.adoptPairs(func(theirs, peer net.Conn) {
			s, err := r.p.Adopt(theirs, false)
			require.NoError(r.t, err)
			rec := r.record(s)
			var got checker
			rec.onData = got.check
			rec.readStart()
			const total = 3 << 20
			r.spawn(func() { sendPattern(peer, total, 1, 70000, 4096); _ = peer.(peerConn).CloseWrite() })
			r.until("all", rec.isEOF)
			require.Equal(r.t, total, got.off)
			require.False(r.t, got.wrong)
		})
	}},
	{name: "Adopt, and the caller closes too", run: func(r *rig) {
		theirs, peer := r.netPair("tcp")
		s, err := r.p.Adopt(theirs, false)
		require.NoError(r.t, err)
		rec := r.record(s)
		rec.readStart()
		_ = theirs.Close()
		_ = peer.Close()
		r.poll(0)
		rec.close()
		r.until("closed", rec.isClosed)
	}},
	{name: "Adopt sets TCP_NODELAY and SO_KEEPALIVE", run: func(r *rig) {
		for _, keepAlive := range []bool{false, true} {
			theirs, _ := r.netPair("tcp")
			require.NoError(r.t, theirs.(*net.TCPConn).SetNoDelay(false))
			require.NoError(r.t, theirs.(*net.TCPConn).SetKeepAlive(!keepAlive))
			s, err := r.p.Adopt(theirs, keepAlive)
			require.NoError(r.t, err)
			requireNoDelay(r.t, s.FD())
			requireKeepAlive(r.t, s.FD(), keepAlive)
		}
	}},
	{name: "Adopt without standard input", run: func(r *rig) {
		r.adoptPairs(func(theirs, _ net.Conn) {
			withoutStdin(r.t, func() {
				s, err := r.p.Adopt(theirs, false)
				require.NoError(r.t, err)
				s.Close()
				requireOpen(r.t, 0, false)
			})
		})
	}},
	{name: "Adopt, and Close of the proactor", run: func(r *rig) {
		r.adoptPairs(func(theirs, _ net.Conn) {
			_, err := r.p.Adopt(theirs, false)
			require.NoError(r.t, err)
			_ = theirs.Close()
		})
	}},
	{name: "Adopt what was reset", run: func(r *rig) {
		theirs, peer := r.netPair("tcp")
		reset(peer)
		r.settle()
		s, err := r.p.Adopt(theirs, true)
		require.NoError(r.t, err)
		rec := r.record(s)
		rec.readStart()
		r.until("closed", rec.isClosed)
		require.ErrorIs(r.t, rec.err, syscall.ECONNRESET)
	}},
	{name: "Adopt what its peer has closed", run: func(r *rig) {
		r.adoptPairs(func(theirs, peer net.Conn) {
			_, err := peer.Write([]byte("last"))
			require.NoError(r.t, err)
			require.NoError(r.t, peer.Close())
			s, err := r.p.Adopt(theirs, false)
			require.NoError(r.t, err)
			rec := r.record(s)
			rec.readStart()
			r.until("the end", rec.isEOF)
			require.Equal(r.t, "last", string(rec.got))
		})
	}},
	{name: "Adopt what it cannot leaves it alone", run: func(r *rig) {
		for _, c := range r.unadoptable() {
			_, err := r.p.Adopt(c, false)
			require.ErrorIs(r.t, err, errors.ErrUnsupported, "%T", c)
			require.ErrorContains(r.t, err, "a stream socket was expected")
			require.NoError(r.t, c.SetDeadline(time.Time{}), "it is open")
		}
		theirs, peer := r.netPair("tcp")
		r.close()
		_, err := r.p.Adopt(theirs, false)
		require.ErrorIs(r.t, err, net.ErrClosed)
		_, err = peer.Write([]byte("hello"))
		require.NoError(r.t, err)
		requireNext(r.t, theirs, "hello")
	}},
	{name: "Adopt a closed connection", run: func(r *rig) {
		r.adoptPairs(func(theirs, _ net.Conn) {
			require.NoError(r.t, theirs.Close())
			_, err := r.p.Adopt(theirs, false)
			require.ErrorIs(r.t, err, net.ErrClosed)
		})
	}},
	{name: "Adopt a socket that is not connected", run: func(r *rig) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(r.t, err)
		r.own(ln)
		f, err := ln.(*net.TCPListener).File()
		require.NoError(r.t, err)
		r.own(f)
		c, err := net.FileConn(f)
		if err != nil {
			r.t.Skipf("no such conn on this system: %v", err)
		}
		r.own(c)
		_, err = r.p.Adopt(c, false)
		require.ErrorIs(r.t, err, syscall.ENOTCONN)
		zero := &net.UnixConn{}
		_, err = r.p.Adopt(zero, false)
		require.Error(r.t, err)
	}},
	{name: "Adopt without descriptors leaves it alone", run: func(r *rig) {
		r.adoptPairs(func(theirs, peer net.Conn) {
			for n := range 32 { // a driver may need several, or none; others in use count too
				var s proactor.Stream
				var err error
				withDescriptors(r.t, n, func() { s, err = r.p.Adopt(theirs, false) })
				if err != nil {
					_, err = peer.Write([]byte("hello"))
					require.NoError(r.t, err)
					requireNext(r.t, theirs, "hello")
					continue
				}
				rec := r.record(s)
				rec.readStart()
				r.do("a byte", func() { _, _ = peer.Write([]byte{42}) })
				r.until("the byte", func() bool { return len(rec.got) == 1 })
				rec.close()
				r.until("closed", rec.isClosed)
				return
			}
			r.t.Fatal("so many descriptors are not enough")
		})
	}},
	{name: "Adopt and Connect of both ends", run: func(r *rig) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(r.t, err)
		r.own(ln)
		a := r.connect(ln.Addr(), proactor.ConnectOptions{})
		a.wait()
		require.NoError(r.t, a.err)
		theirs, err := ln.Accept()
		require.NoError(r.t, err)
		s, err := r.p.Adopt(theirs, false)
		require.NoError(r.t, err)
		rec := r.record(s)
		rec.readStart()
		a.rec.readStart()
		a.rec.write([]byte("ping"))
		rec.write([]byte("pong"))
		r.until("both", func() bool { return string(rec.got) == "ping" && string(a.rec.got) == "pong" })
	}},
}
