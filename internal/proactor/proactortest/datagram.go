package proactortest

// Cases about endpoints of datagrams. The kernel may drop what is not taken, so no case
// has more under way than a socket's buffer holds.

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// underWay is how many small datagrams a socket's buffer surely holds; a Unix socket's
// line has room for eleven on Linux.
func (w wire) underWay() int {
	if w.network == "unixgram" {
		return 8
	}
	return 60
}

var datagramCases = []testCase{
	{name: "there and back", eachWire: func(r *rig, w wire) {
		m, peer := r.endpoint(w, true)
		m.send([]byte("ping"))
		r.poll(0)
		require.Equal(r.t, message{"ping", m.g.LocalAddr()}, r.next(peer))
		r.write(peer, "pong", m.g.LocalAddr())
		r.until("the answer", m.has(1))
		require.Equal(r.t, []message{{"pong", peer.LocalAddr()}}, m.got)
		require.Empty(r.t, m.errs)
	}},
	{name: "addresses", eachWire: func(r *rig, w wire) {
		m, peer := r.endpoint(w, false)
		requireOpen(r.t, m.g.FD(), true)
		require.True(r.t, m.g.FD() == -1 || r.p.Owns(m.g.FD()))
		if w.connected {
			require.Equal(r.t, peer.LocalAddr(), m.g.RemoteAddr())
		} else {
			require.Nil(r.t, m.g.RemoteAddr())
		}
		if a, ok := m.g.LocalAddr().(*net.UDPAddr); ok {
			require.NotZero(r.t, a.Port)
		} else {
			require.Equal(r.t, "unixgram", m.g.LocalAddr().Network())
		}
	}},
	{name: "empty datagrams", eachWire: func(r *rig, w wire) {
		m, peer := r.endpoint(w, true)
		m.send(nil)
		m.send([]byte{})
		m.send([]byte("x"))
		require.Equal(r.t, 3*proactor.DatagramOverheadBytes+1, m.g.Buffered())
		r.poll(0)
		for _, want := range []string{"", "", "x"} {
			require.Equal(r.t, want, r.next(peer).text)
		}
		for _, text := range []string{"", "y", ""} {
			r.write(peer, text, m.g.LocalAddr())
		}
		r.until("three datagrams", m.has(3))
		require.Equal(r.t, []string{"", "y", ""}, m.texts())
	}},
	{name: "the longest", eachWire: func(r *rig, w wire) {
		m, peer := r.endpoint(w, true)
		long := strings.Repeat("0123456789", w.longest()/10+1)[:w.longest()]
		for range 3 {
			m.send([]byte(long))
			m.send([]byte("short"))
			r.poll(0)
			require.True(r.t, long == r.next(peer).text)
			require.Equal(r.t, "short", r.next(peer).text)
			r.write(peer, long, m.g.LocalAddr())
			r.write(peer, "short", m.g.LocalAddr())
			r.until("two datagrams", m.has(2))
			require.True(r.t, long == m.got[0].text)
			require.Equal(r.t, "short", m.got[1].text)
			m.got = nil
		}
		require.Empty(r.t, m.errs)
	}},
	{name: "one that is too long fails alone", eachWire: func(r *rig, w wire) {
		m, peer := r.endpoint(w, true)
		for _, text := range []string{"before", strings.Repeat("x", 1<<20), "after"} {
			m.send([]byte(text))
		}
		r.until("the error", m.hasErrors(1))
		require.ErrorIs(r.t, m.errs[0], syscall.EMSGSIZE)
		require.Equal(r.t, "before", r.next(peer).text)
		require.Equal(r.t, "after", r.next(peer).text)
		r.until("taken", m.nothingBuffered)
	}},
	{name: "order, and no hold of what was sent", eachWire: func(r *rig, w wire) {
		m, peer := r.endpoint(w, true)
		buf := make([]byte, 10_000)
		for round := range 30 {
			for i := range w.underWay() {
				b := fmt.Appendf(buf[:0], "%d.%d", round, i)
				if i%3 == 1 { // long enough to be tried at once
					b = buf[:5000]
				}
				m.send(b)
				clear(buf)
			}
			r.poll(0)
			for i := range w.underWay() {
				got := r.next(peer).text
				if i%3 != 1 {
					require.Equal(r.t, fmt.Sprintf("%d.%d", round, i), got)
				} else {
					require.Len(r.t, got, 5000)
				}
			}
		}
	}},
	{name: "datagrams of one turn leave at the next Poll, or at Flush", eachWire: func(r *rig, w wire) {
		m, peer := r.endpoint(w, true)
		m.g.Flush() // of nothing
		m.send([]byte("one"))
		m.send([]byte("two"))
		require.Equal(r.t, 6+2*proactor.DatagramOverheadBytes, m.g.Buffered())
		r.poll(0)
		require.Equal(r.t, "one", readOne(r.t, peer).text)
		require.Equal(r.t, "two", readOne(r.t, peer).text)
		r.until("taken", m.nothingBuffered)
		m.send([]byte("now"))
		m.g.Flush()
		require.Equal(r.t, "now", readOne(r.t, peer).text, "without a Poll")
		r.until("taken", m.nothingBuffered)
	}},
	{name: "many to receive come in order", eachWire: func(r *rig, w wire) {
		m, peer := r.endpoint(w, false)
		var want []string
		for i := range w.underWay() {
			want = append(want, strings.Repeat("a", i*7%100)+fmt.Sprint(i))
			r.write(peer, want[i], m.g.LocalAddr())
		}
		m.readStart()
		r.until("all", m.has(len(want)))
		require.Equal(r.t, want, m.texts())
	}},
	{name: "ReadStop keeps, ReadStart goes on", eachWire: func(r *rig, w wire) {
		m, peer := r.endpoint(w, true)
		var want []string
		next := 0
		m.onReceived = func(b []byte, from net.Addr) {
			m.got = append(m.got, message{string(b), from})
			m.readStop()
		}
		for round := range 20 {
			for range w.underWay() / 2 {
				want = append(want, fmt.Sprint(next))
				r.write(peer, want[next], m.g.LocalAddr())
				next++
			}
			for range w.underWay() / 2 {
				n := len(m.got)
				r.until("one", m.has(n+1))
				r.poll(0)
				require.Len(r.t, m.got, n+1)
				m.readStart()
				m.readStart()
				if round%2 == 0 {
					m.readStop()
					m.readStop()
					r.poll(0)
					m.readStart()
				}
			}
		}
		require.Equal(r.t, want, m.texts())
	}},
	{name: "stopped for good", eachWire: func(r *rig, w wire) {
		m, peer := r.endpoint(w, true)
		r.settle()
		m.readStop()
		r.write(peer, "a", m.g.LocalAddr())
		r.write(peer, "b", m.g.LocalAddr())
		r.settle()
		require.Empty(r.t, m.got)
		m.readStart()
		r.until("both", m.has(2))
		require.Equal(r.t, []string{"a", "b"}, m.texts())
	}},
	{name: "a handler that panics", eachWire: func(r *rig, w wire) {
		m, peer := r.endpoint(w, false)
		for i := range 4 {
			r.write(peer, fmt.Sprint(i), m.g.LocalAddr())
		}
		m.onReceived = func(b []byte, from net.Addr) {
			m.got = append(m.got, message{string(b), from})
			if len(m.got) == 2 {
				panic("in Received")
			}
		}
		m.readStart()
		require.PanicsWithValue(r.t, "in Received", func() { r.until("the panic", func() bool { return false }) })
		r.until("the others", m.has(4))
		require.Equal(r.t, []string{"0", "1", "2", "3"}, m.texts())
	}},
	{name: "nobody there, and then somebody", run: func(r *rig) {
		for _, w := range wires {
			if !w.connected || w.network == "unixgram" {
				continue
			}
			m, peer := r.endpoint(w, true)
			addr := peer.LocalAddr()
			require.NoError(r.t, peer.Close())
			for i := range 3 {
				m.send([]byte("anybody?"))
				r.until("the error", m.hasErrors(i+1))
				require.ErrorIs(r.t, m.errs[i], syscall.ECONNREFUSED)
				require.ErrorContains(r.t, m.errs[i], addr.String())
			}
			peer = r.packetPeerAt(w, addr)
			m.send([]byte("hello"))
			r.poll(0)
			require.Equal(r.t, "hello", r.next(peer).text)
			r.write(peer, "yes", m.g.LocalAddr())
			r.until("the answer", m.has(1))
		}
	}},
	{name: "nobody there, Unix", run: func(r *rig) {
		m, peer := r.endpoint(wire{"unixgram", true}, true)
		require.NoError(r.t, peer.Close())
		m.send([]byte("anybody?"))
		r.until("the error", m.hasErrors(1))
		require.ErrorIs(r.t, m.errs[0], syscall.ECONNREFUSED)
		m, peer = r.endpoint(wire{"unixgram", false}, true)
		m.sendTo([]byte("anybody?"), &net.UnixAddr{Net: "unixgram", Name: m.g.LocalAddr().String() + "-missing"})
		m.send([]byte("you"))
		r.until("the error", m.hasErrors(1))
		require.ErrorIs(r.t, m.errs[0], syscall.ENOENT)
		require.ErrorContains(r.t, m.errs[0], "-missing")
		require.Equal(r.t, "you", r.next(peer).text)
	}},
	{name: "addresses that do not fit", eachWire: func(r *rig, w wire) {
		m, peer := r.endpoint(w, true)
		bad := []net.Addr{
			&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1},
			&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1 << 16},
			&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: -1},
			&net.UDPAddr{IP: net.IP{1, 2, 3}, Port: 1},
			(*net.UDPAddr)(nil),
			(*net.UnixAddr)(nil),
			&net.UnixAddr{Net: "unixgram"},
		}
		if w.connected {
			bad = append(bad, m.peer)
		} else {
			bad = append(bad, nil)
		}
		switch w.network {
		case "udp4":
			bad = append(bad, &net.UDPAddr{IP: net.IPv6loopback, Port: 1})
		case "unixgram":
			bad = append(bad, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1})
		default:
			bad = append(bad, &net.UnixAddr{Net: "unixgram", Name: "x"})
		}
		for i, addr := range bad {
			m.g.SendTo([]byte("x"), addr)
			require.Len(r.t, m.errs, i)
			require.Zero(r.t, m.g.Buffered())
			r.until("the error", m.hasErrors(i+1))
			if addr == nil {
				require.ErrorIs(r.t, m.errs[i], syscall.EDESTADDRREQ)
			} else if w.connected {
				require.ErrorIs(r.t, m.errs[i], syscall.EISCONN)
			}
		}
		m.send([]byte("still there"))
		r.poll(0)
		require.Equal(r.t, "still there", r.next(peer).text)
	}},
	{name: "a peer that does not receive", eachWire: func(r *rig, w wire) {
		if w.network != "unixgram" {
			r.t.Skip("the kernel drops what a UDP socket has no room for")
		}
		m, peer := r.endpoint(w, true)
		const count, size = 100, 1000
		for i := range count {
			m.send(fmt.Appendf(make([]byte, 0, size), "%0*d", size, i))
		}
		m.g.Flush()
		m.buffered = m.g.Buffered()
		r.settle()
		left := m.g.Buffered()
		require.Zero(r.t, left%(size+proactor.DatagramOverheadBytes))
		require.Greater(r.t, left, (count-50)*(size+proactor.DatagramOverheadBytes))
		r.settle()
		require.Equal(r.t, left, m.g.Buffered())
		m.send([]byte("the last"))
		done := r.spawn(func() {
			for i := range count {
				if got := readOne(r.t, peer); got.text != fmt.Sprintf("%0*d", size, i) {
					r.t.Errorf("datagram %d is %q", i, got.text)
				}
			}
			if got := readOne(r.t, peer).text; got != "the last" {
				r.t.Errorf("the last is %q", got)
			}
		})
		r.until("all", done)
		r.until("taken", m.nothingBuffered)
		require.Positive(r.t, m.drained)
		require.Empty(r.t, m.errs)
	}},
	{name: "a peer whose line is full of others' datagrams", run: func(r *rig) {
		w := wire{"unixgram", false}
		m, peer := r.endpoint(w, true)
		full, err := net.DialUnix("unixgram", nil, peer.LocalAddr().(*net.UnixAddr))
		require.NoError(r.t, err)
		r.own(full)
		n := 0
		for ; ; n++ {
			require.NoError(r.t, full.SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
			if _, err := full.Write([]byte("other")); err != nil {
				break
			}
		}
		m.send([]byte("mine"))
		m.g.Flush()
		m.buffered = m.g.Buffered()
		require.Positive(r.t, m.buffered)
		r.settle()
		for range n {
			require.Equal(r.t, "other", r.next(peer).text)
		}
		r.until("taken", m.nothingBuffered)
		require.Equal(r.t, "mine", r.next(peer).text)
		require.Empty(r.t, m.errs)
	}},
	{name: "an endpoint that talks to itself does not hold a Poll", run: func(r *rig) {
		m := r.openDatagram(r.anyAddr(wire{"udp4", false}), nil, proactor.DatagramOptions{})
		heard := 0
		m.onReceived = func(b []byte, from net.Addr) {
			heard++
			m.sendTo(b, from)
		}
		m.readStart()
		for range 20 {
			m.sendTo([]byte("me"), m.g.LocalAddr())
		}
		for heard < 1000 {
			before := heard
			r.poll(caseTimeout)
			require.LessOrEqual(r.t, heard-before, 2*64)
		}
	}},
	{name: "many endpoints at once", run: func(r *rig) {
		const endpoints, rounds = 20, 30
		heard := 0
		var ms []*mailbox
		for i := range endpoints {
			m := r.openDatagram(r.anyAddr(wire{"udp4", false}), nil, proactor.DatagramOptions{})
			m.onReceived = func(b []byte, from net.Addr) {
				heard++
				if b[0] < rounds {
					m.sendTo([]byte{b[0] + 1, byte(i)}, from)
				}
			}
			m.readStart()
			ms = append(ms, m)
		}
		for i, m := range ms {
			m.sendTo([]byte{1}, ms[(i+7)%endpoints].g.LocalAddr())
		}
		r.until("the end", func() bool { return heard == endpoints*rounds })
	}},
}

// next is the next datagram that the peer has, which was sent already or is on its way.
func (r *rig) next(peer net.PacketConn) (m message) {
	r.t.Helper()
	r.do("a datagram for the peer", func() { m = readOne(r.t, peer) })
	return m
}

// readOne blocks. It is for a peer's goroutine.
func readOne(t *testing.T, peer net.PacketConn) message {
	b := make([]byte, 1<<18)
	if err := peer.SetReadDeadline(time.Now().Add(caseTimeout)); err != nil {
		t.Errorf("read: %v", err)
	}
	n, from, err := peer.ReadFrom(b)
	if err != nil {
		t.Errorf("read: %v", err)
	}
	return message{string(b[:n]), from}
}

// write sends a datagram to an endpoint.
func (r *rig) write(peer net.PacketConn, text string, to net.Addr) {
	r.t.Helper()
	_, err := peer.WriteTo([]byte(text), to)
	require.NoError(r.t, err)
}
