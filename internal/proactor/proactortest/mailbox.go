package proactortest

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// wire is a kind of endpoint: its network, and whether it is connected.
type wire struct {
	network   string // udp4, udp6 or unixgram
	connected bool
}

var wires = []wire{
	{"udp4", false}, {"udp4", true}, {"udp6", false}, {"udp6", true}, {"unixgram", false}, {"unixgram", true},
}

func (w wire) String() string {
	if w.connected {
		return w.network + " connected"
	}
	return w.network
}

// longest is a datagram that the wire carries as the system is set up.
func (w wire) longest() int {
	switch w.network {
	case "udp4":
		return 65507 // what fits IPv4's length, without the headers
	case "udp6":
		return 65527
	}
	return 150_000 // less than a socket's send buffer
}

// anyAddr is an address of the wire to bind.
func (r *rig) anyAddr(w wire) net.Addr {
	switch w.network {
	case "udp4":
		return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	case "udp6":
		return &net.UDPAddr{IP: net.IPv6loopback}
	}
	if runtime.GOOS == "windows" {
		r.t.Skip("Windows has no datagrams over Unix sockets")
	}
	dir, err := os.MkdirTemp("", "proactor")
	require.NoError(r.t, err)
	r.t.Cleanup(func() { require.NoError(r.t, os.RemoveAll(dir)) })
	return &net.UnixAddr{Net: "unixgram", Name: filepath.Join(dir, "s")}
}

// packetPeer is the other side: a socket of package net that is not connected.
type packetPeer interface {
	net.PacketConn
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}

func (r *rig) packetPeer(w wire) packetPeer {
	r.t.Helper()
	return r.packetPeerAt(w, r.anyAddr(w))
}

func (r *rig) packetPeerAt(w wire, addr net.Addr) packetPeer {
	r.t.Helper()
	c, err := net.ListenPacket(w.network, addr.String())
	if w.network == "udp6" && err != nil {
		r.t.Skipf("this system has no IPv6: %v", err)
	}
	require.NoError(r.t, err)
	r.own(c)
	return c.(packetPeer)
}

// endpoint opens one of the driver's and its peer. It receives from the start, if read
// says so.
func (r *rig) endpoint(w wire, read bool) (*mailbox, packetPeer) {
	r.t.Helper()
	peer := r.packetPeer(w)
	var remote net.Addr
	if w.connected {
		remote = peer.LocalAddr()
	}
	m := r.openDatagram(r.anyAddr(w), remote, proactor.DatagramOptions{})
	m.peer = peer.LocalAddr()
	if read {
		m.readStart()
	}
	return m, peer
}

func (r *rig) openDatagram(local, remote net.Addr, opt proactor.DatagramOptions) *mailbox {
	r.t.Helper()
	g, err := r.p.OpenDatagram(local, remote, opt)
	require.NoError(r.t, err)
	m := &mailbox{r: r, g: g, connected: remote != nil}
	g.SetHandler(m)
	return m
}

// mailbox is a DatagramHandler that keeps what it hears and checks what always holds:
//   - no handler runs inside the call that caused it, outside Poll, or after Close of the
//     proactor;
//   - Received comes only while receiving;
//   - after Close only Closed comes, and after that nothing;
//   - at Drained, Buffered is smaller than it was.
type mailbox struct {
	r         *rig
	g         proactor.Datagram
	peer      net.Addr
	connected bool

	got     []message
	errs    []error
	drained int
	closed  bool

	onReceived func(b []byte, from net.Addr)
	onFailed   func(err error)
	onDrained  func()
	onClosed   func()

	reading  bool // between readStart and readStop
	closing  bool // close was called
	buffered int  // after the last send or Drained
}

// message is a datagram that was received.
type message struct {
	text string
	from net.Addr
}

func (m *mailbox) readStart() { m.reading = true; m.g.ReadStart() }
func (m *mailbox) readStop()  { m.reading = false; m.g.ReadStop() }
func (m *mailbox) close()     { m.closing = true; m.g.Close() }

// send sends to the peer, or to addr if the endpoint is not connected.
func (m *mailbox) send(p []byte) { m.sendTo(p, m.peer) }

func (m *mailbox) sendTo(p []byte, addr net.Addr) {
	if m.connected {
		addr = nil
	}
	m.g.SendTo(p, addr)
	m.buffered = m.g.Buffered()
}

func (m *mailbox) enter(name string) (leave func()) {
	m.r.t.Helper()
	switch {
	case m.closed:
		m.r.t.Errorf("%s after Closed", name)
	case name == "Closed":
		if !m.closing {
			m.r.t.Errorf("Closed without Close")
		}
	case m.closing:
		m.r.t.Errorf("%s after Close", name)
	}
	return m.r.handler(name)
}

func (m *mailbox) Received(b []byte, from net.Addr) {
	defer m.enter("Received")()
	if !m.reading {
		m.r.t.Errorf("Received while receiving is stopped")
	}
	if m.onReceived != nil {
		m.onReceived(b, from)
	} else {
		m.got = append(m.got, message{string(b), from})
	}
	clear(b) // it is the driver's memory, but nobody else may need what was in it
}

func (m *mailbox) Failed(err error) {
	defer m.enter("Failed")()
	if err == nil {
		err = errors.New("Failed(nil)")
		m.r.t.Error(err)
	}
	m.errs = append(m.errs, err)
	if m.onFailed != nil {
		m.onFailed(err)
	}
}

func (m *mailbox) Drained() {
	defer m.enter("Drained")()
	now := m.g.Buffered()
	if now >= m.buffered {
		m.r.t.Errorf("Drained with %d bytes buffered, %d before", now, m.buffered)
	}
	m.buffered = now
	m.drained++
	if m.onDrained != nil {
		m.onDrained()
	}
}

func (m *mailbox) Closed() {
	defer m.enter("Closed")()
	m.closed = true
	if m.onClosed != nil {
		m.onClosed()
	}
}

func (m *mailbox) isClosed() bool { return m.closed }

// texts is what has come, without the addresses.
func (m *mailbox) texts() []string {
	var texts []string
	for _, g := range m.got {
		texts = append(texts, g.text)
	}
	return texts
}

// has is for until: so many datagrams have come.
func (m *mailbox) has(n int) func() bool { return func() bool { return len(m.got) >= n } }

// hasErrors is for until: so many errors were told.
func (m *mailbox) hasErrors(n int) func() bool { return func() bool { return len(m.errs) >= n } }

func (m *mailbox) nothingBuffered() bool { return m.g.Buffered() == 0 }
