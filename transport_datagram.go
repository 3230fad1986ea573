package asyncio

// The transport of datagrams, over an endpoint of the driver. Its states are those of a
// stream's transport:
//
//	open      -> closing  Close, with datagrams to flush
//	          -> lost     Abort; Close, with none; ConnectionMade has panicked; the loop
//	                      closes
//	closing   -> lost     the last datagram is flushed; Abort; the loop closes
//
// An error never moves it: it belongs to one datagram.

import (
	"fmt"
	"net"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// DatagramTransport is an endpoint of datagrams: asyncio.DatagramTransport. Its methods
// never suspend and are for the loop's goroutine, where tasks run too.
type DatagramTransport struct {
	loop     *Loop
	socket   proactor.Datagram
	protocol DatagramProtocol
	peer     net.Addr // that WithRemoteAddr gave; nil: none

	high, low int   // water marks
	err       error // what ConnectionLost will tell
	lostSends int   // datagrams that were given to a lost transport
	at        ownedPlace
	state     transportState
	paused    bool // PauseWriting was called, and ResumeWriting not yet
}

// datagramHandler is a DatagramTransport as its driver's endpoint sees it.
type datagramHandler DatagramTransport

// newDatagramTransport gives s to the protocol p.
func newDatagramTransport(l *Loop, s proactor.Datagram, p DatagramProtocol, peer net.Addr) *DatagramTransport {
	t := &DatagramTransport{loop: l, socket: s, peer: peer, high: writeHighDefault, low: writeHighDefault / lowPerHigh}
	t.SetProtocol(p)
	l.owned.add(t)
	s.SetHandler((*datagramHandler)(t))
	return t
}

// become makes a move from one state to another, and in debug mode asserts that there is
// such a move.
func (t *DatagramTransport) become(s transportState) {
	if t.loop.debug && s <= t.state {
		panic(fmt.Sprintf("asyncio: a transport cannot go from%s to%s", t.state, s))
	}
	t.state = s
}

func (t *DatagramTransport) place() *ownedPlace { return &t.at }

// abandon makes the transport lost when its loop closes. No protocol hears of it; the
// driver closes the descriptor.
func (t *DatagramTransport) abandon(l *Loop) {
	was := t.state
	if was != transportLost {
		t.become(transportLost)
	}
	if was == transportOpen {
		l.warnUnclosed(t, "transport")
	}
}

// begin tells the protocol of the endpoint and then receives.
func (t *DatagramTransport) begin() {
	t.connectionMade()
	if t.state == transportOpen {
		t.socket.ReadStart()
	}
}

func (t *DatagramTransport) connectionMade() {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, "ConnectionMade")()
	}
	returned := false
	defer func() {
		if !returned {
			err := panicked(recover())
			t.report(err, "Fatal error: protocol.connection_made() call failed.")
			t.lose(err)
		}
	}()
	t.protocol.ConnectionMade(t)
	returned = true
}

// call calls one of the protocol's other methods. The endpoint survives its panic.
func (t *DatagramTransport) call(method, name string, fn func(p DatagramProtocol)) {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, method)()
	}
	returned := false
	defer t.reported("protocol."+name+"() failed", &returned)
	fn(t.protocol)
	returned = true
}

// reported is deferred around callbacks whose failure the endpoint survives.
func (t *DatagramTransport) reported(message string, returned *bool) {
	if !*returned {
		t.report(panicked(recover()), message)
	}
}

func (t *DatagramTransport) report(err error, message string) {
	t.loop.CallExceptionHandler(ErrorContext{Message: message, Exception: err, Transport: t, Protocol: t.protocol})
}

// Received does without call, whose closure would cost each datagram an allocation.
func (h *datagramHandler) Received(b []byte, from net.Addr) {
	t := (*DatagramTransport)(h)
	if t.loop.debug {
		defer t.loop.timed(t.protocol, "DatagramReceived")()
	}
	returned := false
	defer t.reported("protocol.datagram_received() failed", &returned)
	t.protocol.DatagramReceived(b, from)
	returned = true
}

func (h *datagramHandler) Failed(err error) {
	(*DatagramTransport)(h).call("ErrorReceived", "error_received", func(p DatagramProtocol) { p.ErrorReceived(err) })
}

func (h *datagramHandler) Drained() {
	t := (*DatagramTransport)(h)
	if t.paused && t.socket.Buffered() <= t.low {
		t.paused = false
		t.call("ResumeWriting", "resume_writing", DatagramProtocol.ResumeWriting)
	}
	if t.state == transportClosing {
		t.socket.Flush() // what ResumeWriting has sent
		t.loseIfFlushed()
	}
}

// Closed has nothing to do: datagramEnd comes from the ready queue.
func (h *datagramHandler) Closed() {}

// datagramEnd is a lost transport in the ready queue.
type datagramEnd DatagramTransport

func (e *datagramEnd) run(*Loop) {
	t := (*DatagramTransport)(e)
	defer t.loop.owned.remove(t)
	t.call("ConnectionLost", "connection_lost", func(p DatagramProtocol) { p.ConnectionLost(t.err) })
}

func (e *datagramEnd) describe() subject {
	return subject{name: fmt.Sprintf("callback %T.ConnectionLost", e.protocol)}
}

// lose ends the endpoint at once.
func (t *DatagramTransport) lose(err error) {
	if t.state == transportLost {
		return
	}
	t.become(transportLost)
	t.err = err
	t.socket.Close()
	t.loop.pollNextTurn()
	t.loop.ready.push((*datagramEnd)(t))
}

func (t *DatagramTransport) loseIfFlushed() {
	if t.state == transportClosing && t.socket.Buffered() == 0 {
		t.lose(nil)
	}
}

// use is called by what changes the transport: in debug mode it panics if the caller is
// not the loop's goroutine.
func (t *DatagramTransport) use(method string) {
	if t.loop.debug {
		t.loop.checkGoroutine(method)
	}
}

// SendTo sends a datagram: sendto. It never waits: what the kernel does not take is
// buffered, and data may be reused at once. Datagrams of one turn are gathered and leave
// together before the next turn begins. An empty one is sent like others. addr, a
// *net.UDPAddr or *net.UnixAddr, is nil or the peer where WithRemoteAddr has named one,
// else the error is ErrInvalidArgument; without a peer, nil is syscall.EDESTADDRREQ. Once
// the transport is lost the error is net.ErrClosed, and nothing is sent. What the network
// answers, also to an address that it cannot send to, goes to ErrorReceived.
func (t *DatagramTransport) SendTo(data []byte, addr net.Addr) error {
	t.use("DatagramTransport.SendTo")
	if t.state == transportLost {
		return t.refuseSend()
	}
	to, err := t.destination(addr)
	if err != nil {
		return err
	}
	t.socket.SendTo(data, to)
	t.loop.pollNextTurn()
	if t.socket.Buffered() > t.high && !t.paused {
		t.pauseIfFull()
	}
	return nil
}

// destination is what the driver is given for addr.
func (t *DatagramTransport) destination(addr net.Addr) (net.Addr, error) {
	if t.peer != nil {
		if addr != nil && !sameAddr(addr, t.peer) {
			return nil, fmt.Errorf("%w: this endpoint sends to %v only, not to %v; give nil, or leave WithRemoteAddr out",
				ErrInvalidArgument, t.peer, addr)
		}
		if t.socket.RemoteAddr() == nil {
			return t.peer, nil // for answers to a broadcast the socket is not connected
		}
		return nil, nil
	}
	if addr == nil {
		return nil, fmt.Errorf("asyncio: a datagram needs an address, unless WithRemoteAddr has named one: %w", syscall.EDESTADDRREQ)
	}
	if !fits(addr, t.network()) {
		return nil, fmt.Errorf("%w: a %s endpoint cannot send to %v of type %T", ErrInvalidArgument, t.network(), addr, addr)
	}
	return addr, nil
}

// fits reports whether addr is an address of the network "udp" or "unixgram".
func fits(addr net.Addr, network string) bool {
	switch a := addr.(type) {
	case *net.UDPAddr:
		return a != nil && network == "udp"
	case *net.UnixAddr:
		return a != nil && network == "unixgram"
	}
	return false
}

// sameAddr compares two addresses of datagrams.
func sameAddr(a, b net.Addr) bool {
	switch a := a.(type) {
	case *net.UDPAddr:
		b, ok := b.(*net.UDPAddr)
		return ok && a != nil && a.Port == b.Port && a.IP.Equal(b.IP) && a.Zone == b.Zone
	case *net.UnixAddr:
		b, ok := b.(*net.UnixAddr)
		return ok && a != nil && a.Name == b.Name
	}
	return false
}

// refuseSend tells why nothing can be sent. A program that goes on hears of it in the log
// too, as for Write.
func (t *DatagramTransport) refuseSend() error {
	if t.lostSends >= lostWritesLogged {
		t.loop.log().Warn("SendTo of a transport that is lost; stop at the first net.ErrClosed", "transport", t.String())
	} else {
		t.lostSends++
	}
	return &net.OpError{Op: "write", Net: t.network(), Source: t.LocalAddr(), Addr: t.RemoteAddr(), Err: net.ErrClosed}
}

func (t *DatagramTransport) pauseIfFull() {
	t.socket.Flush()
	if t.socket.Buffered() > t.high {
		t.paused = true
		t.call("PauseWriting", "pause_writing", DatagramProtocol.PauseWriting)
	}
}

// Close stops receiving at once, sends what is buffered and then ends the endpoint:
// close. ConnectionLost follows.
func (t *DatagramTransport) Close() {
	t.use("DatagramTransport.Close")
	if t.state != transportOpen {
		return
	}
	t.become(transportClosing)
	t.socket.ReadStop()
	t.socket.Flush()
	t.loseIfFlushed()
}

// Abort ends the endpoint and drops what the kernel does not take at once: abort.
// ConnectionLost follows.
func (t *DatagramTransport) Abort() {
	t.use("DatagramTransport.Abort")
	t.lose(nil)
}

// IsClosing reports whether the endpoint has ended or is about to: is_closing.
func (t *DatagramTransport) IsClosing() bool { return t.state != transportOpen }

// SetWriteBufferLimits sets the water marks of the write buffer, in bytes, as for a
// Transport: set_write_buffer_limits.
func (t *DatagramTransport) SetWriteBufferLimits(high, low int) {
	t.use("DatagramTransport.SetWriteBufferLimits")
	t.high, t.low = waterMarks("SetWriteBufferLimits", high, low, writeHighDefault)
	if t.state != transportLost && t.socket.Buffered() > t.high && !t.paused {
		t.pauseIfFull()
	}
}

// WriteBufferLimits is the two water marks: get_write_buffer_limits.
func (t *DatagramTransport) WriteBufferLimits() (low, high int) { return t.low, t.high }

// WriteBufferSize is what the kernel does not take for now: the bytes of each datagram,
// and eight more: get_write_buffer_size.
func (t *DatagramTransport) WriteBufferSize() int {
	if t.state == transportLost {
		return 0
	}
	t.socket.Flush()
	return t.socket.Buffered()
}

// held implements holder.
func (t *DatagramTransport) held() (read, write int) {
	if p, ok := t.protocol.(holdingProtocol); ok {
		read = p.heldBytes()
	}
	if t.state != transportLost {
		write = t.socket.Buffered()
	}
	return read, write
}

// SetProtocol makes p hear of the endpoint from now on: set_protocol.
func (t *DatagramTransport) SetProtocol(p DatagramProtocol) {
	t.use("DatagramTransport.SetProtocol")
	if p == nil {
		panic(misuse(ErrInvalidArgument, "a transport was given a nil protocol"))
	}
	t.protocol = p
}

// Protocol is the one that hears of the endpoint: get_protocol.
func (t *DatagramTransport) Protocol() DatagramProtocol { return t.protocol }

// LocalAddr is the address that datagrams come to.
func (t *DatagramTransport) LocalAddr() net.Addr { return t.socket.LocalAddr() }

// RemoteAddr is the peer of a connected endpoint; nil: datagrams may come from anybody.
func (t *DatagramTransport) RemoteAddr() net.Addr { return t.socket.RemoteAddr() }

// ExtraInfo looks deeper: get_extra_info. "sockname" and "peername" are a net.Addr,
// "socket" is a TransportSocket. What the transport does not know is nil.
func (t *DatagramTransport) ExtraInfo(key string) any {
	switch key {
	case "sockname":
		return t.LocalAddr()
	case "peername":
		if peer := t.RemoteAddr(); peer != nil {
			return peer
		}
	case "socket":
		return TransportSocket{source: t.socket, local: t.LocalAddr(), remote: t.RemoteAddr()}
	}
	return nil
}

// Loop is the loop of the endpoint.
func (t *DatagramTransport) Loop() *Loop { return t.loop }

// network is "udp" or "unixgram".
func (t *DatagramTransport) network() string { return t.LocalAddr().Network() }

// String is for logs: the ends, and what is left to send.
func (t *DatagramTransport) String() string {
	to := "*"
	if t.peer != nil {
		to = t.peer.String()
	}
	return fmt.Sprintf("<%s transport%s %v->%s bufsize=%d>", t.network(), t.state, t.LocalAddr(), to, t.socket.Buffered())
}
