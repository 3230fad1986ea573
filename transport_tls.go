package asyncio

// Transports that speak TLS, over any other: a protocol to the transport below, and a
// transport to the protocol above. crypto/tls does the work, and never waits: it is given
// the bytes that have come, and says that it wants more. transport_tls_handshake.go has
// the handshake, transport_tls_read.go and transport_tls_write.go the bytes,
// transport_tls_end.go the end.
//
//	state    what it is                      -> next, by
//	shaking  the handshake has the tls.Conn  -> open     it is over
//	                                         -> lost     it has failed, or is late;
//	                                                     Close; Abort
//	open     bytes go both ways              -> closing  Close; the peer's last byte
//	                                         -> lost     a record is wrong; Abort
//	closing  close_notify is sent; that of   -> lost     the time is over; a record is
//	         the peer is waited for, and                 wrong; Abort
//	         what comes before it dropped
//	lost     the transport below is lost, and tells so soon
//
// Each of them goes to lost when the transport below is lost; asyncio's names for them
// are DO_HANDSHAKE, WRAPPED, FLUSHING and SHUTDOWN, UNWRAPPED.
//
// A tls.Conn holds mutexes while it reads and writes, and across all of a handshake. So
// nothing of the user's ever enters it a second time. While the handshake lasts nobody
// else touches it. After that its calls return at once, the transport below never calls
// the user's protocol from within them, and what callbacks of the tls.Config do with the
// transport waits until the call is over: see inside.

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

type tlsState uint8

const (
	tlsShaking tlsState = iota
	tlsOpen
	tlsClosing
	tlsLost
)

func (s tlsState) String() string { return [...]string{" shaking hands", "", " closing", " lost"}[s] }

// tlsTransport is small, 104 bytes: what few connections have, or not for long, is apart.
type tlsTransport struct {
	loop     *Loop
	below    tlsBase
	protocol Protocol
	conn     *tls.Conn
	input    []byte    // of the peer's, not given to conn yet
	shake    *tlsShake // the handshake, until it is over
	rare     *tlsRare  // nil: a transport like most

	state         tlsState
	filling       filling
	heard         bool // the protocol has heard ConnectionMade
	shook         bool // the handshake has succeeded
	inside        bool // a method of conn runs
	inputEnded    bool // no more input will come
	readingPaused bool
	writingPaused bool // PauseWriting was called, and ResumeWriting not yet
	belowPaused   bool // so was that of tlsProtocol
	belowHeld     bool // the transport below does not read
	trimmed       bool // conn has given back what its handshake needed
	pulls         bool // conn is to read from tlsOfLoop.source
}

// tlsRare is what few transports have, or only at their end.
type tlsRare struct {
	high, low  int // water marks
	shutdown   time.Duration
	pending    []byte       // written, and not given to conn yet
	sending    *fileSending // a Sendfile in progress, or nil
	ending     *tlsEnding   // from closing on
	readErr    error        // of conn, to be told once reading is resumed
	err        error        // what ConnectionLost will tell
	lostWrites int          // writes after the end
}

// commonTLS is a tlsRare without anything rare.
var commonTLS = tlsRare{high: tlsWriteHighDefault, low: tlsWriteHighDefault / lowPerHigh, shutdown: tlsShutdownDefault}

// look is the rare part, to be looked at only.
func (t *tlsTransport) look() *tlsRare {
	if t.rare == nil {
		return &commonTLS
	}
	return t.rare
}

// change is the rare part, to be changed.
func (t *tlsTransport) change() *tlsRare {
	if t.rare == nil {
		rare := commonTLS
		t.rare = &rare
	}
	return t.rare
}

// tlsProtocol is a tlsTransport as the transport below sees it.
type tlsProtocol tlsTransport

// newTLSTransport makes one for the protocol p, which over or upgrade puts on another.
func newTLSTransport(l *Loop, p Protocol, o *tlsOptions, ctx context.Context) *tlsTransport {
	t := &tlsTransport{loop: l}
	t.SetProtocol(p)
	t.shake = &tlsShake{transport: t, options: o, ctx: ctx}
	return t
}

// over puts the transport on a new one, which will tell when to begin.
func (t *tlsTransport) over(below *streamTransport, c streamConfig) {
	t.below = below
	if c.write != nil {
		t.change().high, t.change().low = c.marks()
	}
}

// upgrade puts the transport on one whose protocol has heard ConnectionMade.
func (t *tlsTransport) upgrade(below tlsBase, c streamConfig) {
	t.below, t.heard = below, true
	if c.write != nil {
		t.change().high, t.change().low = c.marks()
		below.SetWriteBufferLimits(c.marks())
	}
	t.belowPaused = below.isWritingPaused()
	t.writingPaused = t.belowPaused
	below.SetProtocol((*tlsProtocol)(t))
	below.ResumeReading()
	t.begin()
}

// topOf is the transport that the program has of a connection.
func topOf(t Transport) Transport {
	for {
		p, ok := t.Protocol().(*tlsProtocol)
		if !ok {
			return t
		}
		t = (*tlsTransport)(p)
	}
}

// become makes a move from one state to another, and in debug mode asserts that there is
// such a move.
func (t *tlsTransport) become(s tlsState) {
	if t.loop.debug && (s <= t.state || s == tlsClosing && t.state != tlsOpen) {
		panic(fmt.Sprintf("asyncio: a TLS transport cannot go from%s to%s", t.state, s))
	}
	t.state = s
}

// ConnectionMade implements BaseProtocol.
func (p *tlsProtocol) ConnectionMade(Transport) { (*tlsTransport)(p).begin() }

// ConnectionLost implements BaseProtocol.
func (p *tlsProtocol) ConnectionLost(err error) {
	t := (*tlsTransport)(p)
	if own := t.look().err; own != nil {
		err = own
	}
	if t.state != tlsLost {
		t.become(tlsLost)
		t.drop(err)
	}
	if t.heard {
		t.call("ConnectionLost", "connection_lost", func() { t.protocol.ConnectionLost(err) })
	}
}

// heldBytes implements holdingProtocol.
func (p *tlsProtocol) heldBytes() int {
	held := len(p.input)
	if above, ok := p.protocol.(holdingProtocol); ok {
		held += above.heldBytes()
	}
	return held
}

// call makes a callback of the protocol: a panic there ends the connection.
func (t *tlsTransport) call(method, callback string, fn func()) {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, method)()
	}
	returned := false
	defer t.caught(callback, &returned)
	fn()
	returned = true
}

// caught is as that of streamTransport.
func (t *tlsTransport) caught(callback string, returned *bool) {
	if !*returned {
		t.fail(panicked(recover()), "Fatal error: protocol."+callback+"() call failed.")
	}
}

// fail reports an error that is the program's own, and ends the connection.
func (t *tlsTransport) fail(err error, message string) {
	t.report(err, message)
	t.lose(err)
}

func (t *tlsTransport) report(err error, message string) {
	c := ErrorContext{Message: message, Exception: err, Transport: t, Protocol: t.protocol}
	if s := t.serverBelow(); s != nil {
		c.Context = s.ctx
	}
	t.loop.CallExceptionHandler(c)
}

// failed ends the connection for an error that is nobody's fault: only ConnectionLost
// hears of it. The peer is told, if that goes at once.
func (t *tlsTransport) failed(err error) {
	if t.loop.debug {
		t.loop.log().Debug("Fatal error on SSL protocol", "transport", t.String(), "exception", err)
	}
	t.below.WriteBufferSize() // which offers the kernel what conn has written
	t.lose(err)
}

func (t *tlsTransport) use(method string) {
	if t.loop.debug {
		t.loop.checkGoroutine(method)
	}
}

func (t *tlsTransport) IsClosing() bool {
	return t.state >= tlsClosing || t.below.IsClosing()
}

func (t *tlsTransport) SetProtocol(p Protocol) {
	t.use("Transport.SetProtocol")
	if p == nil {
		panic(misuse(ErrInvalidArgument, "a transport was given a nil protocol"))
	}
	t.protocol = p
	t.filling = fillsNone
	if _, ok := p.(BufferedProtocol); ok {
		t.filling = fillsNext
	}
}

func (t *tlsTransport) Protocol() Protocol   { return t.protocol }
func (t *tlsTransport) LocalAddr() net.Addr  { return t.below.LocalAddr() }
func (t *tlsTransport) RemoteAddr() net.Addr { return t.below.RemoteAddr() }
func (t *tlsTransport) Loop() *Loop          { return t.loop }

// peer names the peer in errors.
func (t *tlsTransport) peer() any {
	if a := t.RemoteAddr(); a != nil {
		return a
	}
	return "a peer"
}

func (t *tlsTransport) ExtraInfo(key string) any {
	switch key {
	case "ssl_object", "peercert", "cipher", "alpn":
		if !t.shook {
			return nil
		}
		return tlsInfo(key, t.conn.ConnectionState())
	}
	return t.below.ExtraInfo(key)
}

func tlsInfo(key string, state tls.ConnectionState) any {
	switch key {
	case "peercert":
		if len(state.PeerCertificates) > 0 {
			return state.PeerCertificates[0]
		}
		return nil
	case "cipher":
		return tls.CipherSuiteName(state.CipherSuite)
	case "alpn":
		return state.NegotiatedProtocol
	}
	return state
}

// mayCarryTLS implements tlsBase.
func (t *tlsTransport) mayCarryTLS() error { return t.mayWriteFile("StartTLS") }

func (t *tlsTransport) isWritingPaused() bool { return t.writingPaused }

// String is for logs.
func (t *tlsTransport) String() string { return fmt.Sprintf("<TLS%s over %v>", t.state, t.below) }
