package proactortest

// Cases about endpoints of datagrams: how they begin and end, and what is odd.

import (
	"errors"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

var datagramEdgeCases = []testCase{
	{name: "Closed comes once, from a later Poll", eachWire: func(r *rig, w wire) {
		m, peer := r.endpoint(w, true)
		r.write(peer, "unheard", m.g.LocalAddr())
		local := m.g.LocalAddr()
		remote := m.g.RemoteAddr()
		fd := m.g.FD()
		m.send([]byte("the last"))
		m.close()
		m.close()
		requireOpen(r.t, fd, false)
		require.False(r.t, r.p.Owns(fd))
		require.False(r.t, m.closed)
		for range 2 {
			require.Equal(r.t, -1, m.g.FD())
			require.Equal(r.t, local, m.g.LocalAddr())
			require.Equal(r.t, remote, m.g.RemoteAddr())
			m.send([]byte("x"))
			m.g.SendTo([]byte("x"), nil)
			m.g.Flush()
			m.readStop()
			m.readStart()
			require.Zero(r.t, m.g.Buffered())
			r.until("closed", m.isClosed)
			r.settle()
		}
		require.Empty(r.t, m.got)
		var heard []string
		require.NoError(r.t, peer.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
		for b := make([]byte, 10); ; {
			n, _, err := peer.ReadFrom(b)
			if err != nil {
				break
			}
			heard = append(heard, string(b[:n]))
		}
		require.Subset(r.t, []string{"the last"}, heard, "it was sent after Close")
	}},
	{name: "Close in Received, with more to come", eachWire: func(r *rig, w wire) {
		for range 20 {
			m, peer := r.endpoint(w, false)
			for range 5 {
				r.write(peer, "x", m.g.LocalAddr())
			}
			m.onReceived = func([]byte, net.Addr) { m.close() }
			m.readStart()
			r.until("closed", m.isClosed)
		}
	}},
	{name: "Close in Failed and in Drained", run: func(r *rig) {
		m, peer := r.endpoint(wire{"unixgram", true}, true)
		for range 100 {
			m.send(make([]byte, 1000))
		}
		m.g.Flush()
		m.buffered = m.g.Buffered()
		m.onDrained = m.close
		done := r.spawn(func() { readOne(r.t, peer); readOne(r.t, peer) })
		r.until("closed", m.isClosed)
		require.Equal(r.t, 1, m.drained)
		r.until("two", done)
		m, _ = r.endpoint(wire{"udp4", false}, true)
		m.onFailed = func(error) { m.close() }
		m.g.SendTo(nil, nil)
		m.g.SendTo(nil, nil)
		r.until("closed", m.isClosed)
		require.Len(r.t, m.errs, 1)
	}},
	{name: "Drained comes even if it is the first Poll that makes room", run: func(r *rig) {
		m, peer := r.endpoint(wire{"unixgram", true}, false)
		sent := 0
		for ; m.g.Buffered() == 0; sent++ {
			m.send([]byte("x"))
			m.g.Flush()
		}
		m.buffered = m.g.Buffered()
		for range sent - 1 {
			readOne(r.t, peer)
		}
		r.until("drained", func() bool { return m.drained > 0 })
		require.Zero(r.t, m.g.Buffered())
	}},
	{name: "Drained comes even if Failed sends", run: func(r *rig) {
		m, peer := r.endpoint(wire{"unixgram", false}, false)
		other := r.packetPeer(wire{"unixgram", false})
		for range 3 {
			for m.g.Buffered() == 0 {
				m.send([]byte("x"))
				m.g.Flush()
			}
			m.send([]byte("x"))
		}
		m.g.Flush()
		m.buffered = m.g.Buffered()
		m.onFailed = func(error) { m.g.SendTo([]byte("y"), other.LocalAddr()) }
		require.NoError(r.t, peer.Close())
		r.until("errors", m.hasErrors(2))
		r.until("drained", func() bool { return m.drained > 0 })
	}},
	{name: "Close with kept datagrams, and with some under way", eachWire: func(r *rig, w wire) {
		for i := range 10 {
			m, peer := r.endpoint(w, true)
			m.onReceived = func([]byte, net.Addr) { m.readStop() }
			for range 4 {
				r.write(peer, "x", m.g.LocalAddr())
			}
			if i%2 == 0 {
				r.until("one", func() bool { return !m.reading })
			}
			if i%3 == 0 {
				m.close()
				r.until("closed", m.isClosed)
			} // else it is left to the proactor
		}
	}},
	{name: "proactor in Received", eachWire: func(r *rig, w wire) {
		m, peer := r.endpoint(w, true)
		other, otherPeer := r.endpoint(w, true)
		m.onReceived = func([]byte, net.Addr) { m.send([]byte("unheard")); r.closeInside() }
		other.onReceived = m.onReceived
		r.write(peer, "x", m.g.LocalAddr())
		r.write(otherPeer, "x", other.g.LocalAddr())
		for !r.closed {
			r.poll(time.Until(r.deadline))
		}
		_, err := r.p.OpenDatagram(r.anyAddr(w), nil, proactor.DatagramOptions{})
		require.ErrorIs(r.t, err, net.ErrClosed)
	}},
	{name: "proactor with datagrams left behind", run: func(r *rig) {
		m, _ := r.endpoint(wire{"unixgram", true}, true)
		n, _ := r.endpoint(wire{"unixgram", false}, true)
		for range 100 {
			m.send(make([]byte, 1000))
			n.send(make([]byte, 1000))
		}
		r.settle()
		m.send(nil)
		n.close()
	}},
	{name: "a sender without a name", run: func(r *rig) {
		m, _ := r.endpoint(wire{"unixgram", false}, true)
		c, err := net.DialUnix("unixgram", nil, m.g.LocalAddr().(*net.UnixAddr))
		require.NoError(r.t, err)
		r.own(c)
		_, err = c.Write([]byte("who?"))
		require.NoError(r.t, err)
		r.until("it", m.has(1))
		require.Equal(r.t, []message{{"who?", nil}}, m.got)
		nameless := r.openDatagram(nil, m.g.LocalAddr(), proactor.DatagramOptions{})
		nameless.send([]byte("me"))
		r.until("it", m.has(2))
		require.Equal(r.t, message{"me", nil}, m.got[1])
	}},
	{name: "abstract names", run: func(r *rig) {
		if runtime.GOOS != "linux" {
			r.t.Skip("only Linux has them")
		}
		w := wire{"unixgram", false}
		name := "@" + r.anyAddr(w).String()
		m := r.openDatagram(&net.UnixAddr{Net: "unixgram", Name: name}, nil, proactor.DatagramOptions{})
		m.readStart()
		require.Equal(r.t, name, m.g.LocalAddr().String())
		peer := r.packetPeerAt(w, &net.UnixAddr{Net: "unixgram", Name: name + "-peer"})
		r.write(peer, "x", m.g.LocalAddr())
		r.until("it", m.has(1))
		require.Equal(r.t, peer.LocalAddr(), m.got[0].from)
		m.sendTo([]byte("y"), m.got[0].from)
		r.poll(0)
		require.Equal(r.t, message{"y", m.g.LocalAddr()}, r.next(peer))

		given := r.openDatagram(&net.UnixAddr{Net: "unixgram"}, nil, proactor.DatagramOptions{})
		given.readStart()
		require.Regexp(r.t, "^@.+", given.g.LocalAddr().String())
		r.write(peer, "z", given.g.LocalAddr())
		r.until("it", given.has(1))
	}},
	{name: "IPv4 on a socket of IPv6", run: func(r *rig) {
		r.packetPeer(wire{"udp6", false}) // or skip
		m := r.openDatagram(&net.UDPAddr{}, nil, proactor.DatagramOptions{})
		m.readStart()
		port := m.g.LocalAddr().(*net.UDPAddr).Port
		for i, w := range []wire{{"udp4", false}, {"udp6", false}} {
			peer := r.packetPeer(w)
			r.write(peer, "x", &net.UDPAddr{IP: peer.LocalAddr().(*net.UDPAddr).IP, Port: port})
			r.until("it", m.has(i+1))
			require.Equal(r.t, peer.LocalAddr().String(), m.got[i].from.String())
			require.Len(r.t, m.got[i].from.(*net.UDPAddr).IP, len(peer.LocalAddr().(*net.UDPAddr).IP))
			m.sendTo([]byte("y"), m.got[i].from)
			m.sendTo([]byte("z"), peer.LocalAddr())
			r.poll(0)
			require.Equal(r.t, "y", r.next(peer).text)
			require.Equal(r.t, "z", r.next(peer).text)
		}
		require.Empty(r.t, m.errs)

		only := r.openDatagram(&net.UDPAddr{IP: net.IPv6unspecified}, nil, proactor.DatagramOptions{V6Only: true})
		addr := &net.UDPAddr{IP: net.IPv4(0, 0, 0, 0), Port: only.g.LocalAddr().(*net.UDPAddr).Port}
		r.openDatagram(addr, nil, proactor.DatagramOptions{}) // the port is free in IPv4
	}},
	{name: "options", run: func(r *rig) {
		for _, on := range []bool{false, true} {
			m := r.openDatagram(r.anyAddr(wire{"udp4", false}), nil, proactor.DatagramOptions{Broadcast: on})
			requireBroadcast(r.t, m.g.FD(), on)
		}
		if runtime.GOOS == "windows" {
			_, err := r.p.OpenDatagram(r.anyAddr(wire{"udp4", false}), nil, proactor.DatagramOptions{ReusePort: true})
			require.ErrorIs(r.t, err, errors.ErrUnsupported)
			return
		}
		first := r.openDatagram(r.anyAddr(wire{"udp4", false}), nil, proactor.DatagramOptions{ReusePort: true})
		r.openDatagram(first.g.LocalAddr(), nil, proactor.DatagramOptions{ReusePort: true})
		_, err := r.p.OpenDatagram(first.g.LocalAddr(), nil, proactor.DatagramOptions{})
		require.ErrorIs(r.t, err, syscall.EADDRINUSE)
	}},
	{name: "what cannot be opened", run: func(r *rig) {
		taken := r.packetPeer(wire{"udp4", false}).LocalAddr()
		for _, c := range []struct {
			local, remote net.Addr
			want          error
		}{
			{taken, nil, syscall.EADDRINUSE},
			{nil, nil, errors.ErrUnsupported},
			{&net.TCPAddr{}, nil, errors.ErrUnsupported},
			{nil, &net.TCPAddr{Port: 1}, errors.ErrUnsupported},
			{&net.UnixAddr{Net: "unix", Name: "x"}, nil, errors.ErrUnsupported},
			{&net.UDPAddr{IP: net.IPv6loopback}, taken, nil},
			{&net.UnixAddr{Net: "unixgram", Name: "x"}, taken, nil},
			{&net.UDPAddr{Port: 1 << 16}, nil, nil},
			{nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: -1}, nil},
			{&net.UDPAddr{IP: net.IPv4(192, 0, 2, 1)}, nil, nil},
			{nil, &net.UnixAddr{Net: "unixgram", Name: "/nonexistent/socket"}, nil},
		} {
			g, err := r.p.OpenDatagram(c.local, c.remote, proactor.DatagramOptions{})
			require.Error(r.t, err, "%v %v", c.local, c.remote)
			require.Nil(r.t, g)
			if c.want != nil {
				require.ErrorIs(r.t, err, c.want)
			}
		}
		withoutDescriptors(r.t, func() {
			_, err := r.p.OpenDatagram(r.anyAddr(wire{"udp4", false}), nil, proactor.DatagramOptions{})
			require.ErrorIs(r.t, err, syscall.EMFILE)
		})
	}},
	{name: "without standard input", run: func(r *rig) {
		for _, w := range wires {
			_, peer := r.endpoint(w, false)
			var remote net.Addr
			if w.connected {
				remote = peer.LocalAddr()
			}
			withoutStdin(r.t, func() {
				r.openDatagram(r.anyAddr(w), remote, proactor.DatagramOptions{}).close()
				requireOpen(r.t, 0, false)
			})
			r.settle()
		}
	}},
	{name: "an address that the handler changes is changed for nobody else", run: func(r *rig) {
		m, peer := r.endpoint(wire{"udp4", false}, true)
		want := peer.LocalAddr().String()
		for i := range 3 {
			r.write(peer, "x", m.g.LocalAddr())
			r.until("it", m.has(i+1))
			from := m.got[i].from.(*net.UDPAddr)
			require.Equal(r.t, want, from.String())
			from.IP[0], from.Port = 9, 9
		}
	}},
	{name: "to send costs no memory", run: func(r *rig) {
		for _, w := range []wire{{"udp4", false}, {"udp4", true}, {"udp6", false}} {
			m, _ := r.endpoint(w, false)
			p, addr := make([]byte, 100), m.peer
			if w.connected {
				addr = nil
			}
			allocs := testing.AllocsPerRun(200, func() {
				m.g.SendTo(p, addr)
				m.g.SendTo(p, addr)
				m.g.Flush()
			})
			if sendsAtOnce && !sanitized {
				require.Zero(r.t, allocs, w.String())
			}
		}
	}},
}

// sendsAtOnce reports whether drivers can send without a goroutine here.
const sendsAtOnce = runtime.GOOS == "linux" || runtime.GOOS == "darwin"
