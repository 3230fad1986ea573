package asyncio

// The one transport of streams, over a stream of the driver: its life, and what its
// protocol hears. transport_flow.go has writing, transport_buffered.go reading into a
// protocol's own memory, transport_idle.go the limit on silence.
//
//	open      -> closing  Close, with bytes to flush
//	          -> lost     Abort; Close, with none; a failure; a callback that panicked;
//	                      the loop closes
//	closing   -> lost     the last byte is flushed; Abort; a failure; the loop closes
//
// The move to lost closes the descriptor and queues connectionEnd, which calls
// ConnectionLost; when the loop closes, the driver closes it, and nobody hears. So that
// call never runs inside another one, and it comes in the next turn whether or not that
// turn polls.

import (
	"errors"
	"fmt"
	"net"
	"runtime/debug"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

type transportState uint8

const (
	transportOpen transportState = iota
	transportClosing
	transportLost
)

func (s transportState) String() string { return [...]string{"", " closing", " lost"}[s] }

// streamTransport is small, 64 bytes: a server holds one for every idle connection.
type streamTransport struct {
	loop     *Loop
	stream   proactor.Stream
	protocol Protocol
	server   *Server        // that accepted it, or nil
	rare     *rareTransport // nil: a transport like most

	at            ownedPlace
	state         transportState
	filling       filling
	readingPaused bool
	writingPaused bool // PauseWriting was called, and ResumeWriting not yet
}

// rareTransport is what few transports have, or only at their end.
type rareTransport struct {
	high, low  int          // water marks
	leftover   *leftover    // read, but not delivered since reading was paused
	idle       *idleWatch   // WithIdleTimeout; nil: no limit
	sending    *fileSending // a Sendfile in progress, or nil
	pipe       *pipeEnd     // nil: a connection
	err        error        // what ConnectionLost will tell
	wroteEOF   bool
	lostWrites int // writes to a lost connection
}

// commonTransport is a rareTransport without anything rare.
var commonTransport = rareTransport{high: writeHighDefault, low: writeHighDefault / lowPerHigh}

// look is the rare part, to be looked at only.
func (t *streamTransport) look() *rareTransport {
	if t.rare == nil {
		return &commonTransport
	}
	return t.rare
}

// change is the rare part, to be changed.
func (t *streamTransport) change() *rareTransport {
	if t.rare == nil {
		rare := commonTransport
		t.rare = &rare
	}
	return t.rare
}

// streamHandler is a streamTransport as its driver's stream sees it.
type streamHandler streamTransport

// newStreamTransport gives s to the protocol p. server is nil unless it has accepted s.
func newStreamTransport(l *Loop, s proactor.Stream, p Protocol, server *Server, c streamConfig) *streamTransport {
	t := &streamTransport{loop: l, stream: s, server: server}
	t.SetProtocol(p)
	l.owned.add(t)
	if server != nil {
		server.attach()
	}
	s.SetHandler((*streamHandler)(t))
	if c.write != nil {
		t.change().high, t.change().low = c.marks()
	}
	if c.idle > 0 {
		t.watchIdle(c.idle)
	}
	if c.pipe != nil {
		t.change().pipe = c.pipe
		t.readingPaused = c.pipe.writes()
	}
	return t
}

// become makes a move from one state to another, and in debug mode asserts that there is
// such a move.
func (t *streamTransport) become(s transportState) {
	if t.loop.debug && s <= t.state {
		panic(fmt.Sprintf("asyncio: a transport cannot go from%s to%s", t.state, s))
	}
	t.state = s
}

func (t *streamTransport) place() *ownedPlace { return &t.at }

// abandon makes the transport lost when its loop closes. No protocol hears of it, since
// no callback runs on a closed loop; the driver closes the descriptor.
func (t *streamTransport) abandon(l *Loop) {
	was := t.state
	if was != transportLost {
		t.become(transportLost)
		t.stream.LocalAddr() // as in lose
	}
	if was == transportOpen {
		l.warnUnclosed(t, "transport")
	}
}

// begin tells the protocol of the connection and then reads.
func (t *streamTransport) begin() {
	t.connectionMade()
	if t.IsReading() || t.state == transportOpen && t.look().pipe.writes() {
		t.stream.ReadStart()
	}
}

func (t *streamTransport) connectionMade() {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, "ConnectionMade")()
	}
	returned := false
	defer t.caught("connection_made", &returned)
	t.protocol.ConnectionMade(t)
	returned = true
}

// caught is deferred around the callbacks of the protocol: a panic there ends the
// connection, and not the loop. runtime.Goexit, as of t.FailNow, ends both.
func (t *streamTransport) caught(callback string, returned *bool) {
	if *returned {
		return
	}
	t.fail(panicked(recover()), "Fatal error: protocol."+callback+"() call failed.")
}

// panicked is the error of a call that has not returned, of which v was recovered.
func panicked(v any) error {
	if v == nil {
		return errCallbackGoexit
	}
	return &PanicError{Value: v, Stack: debug.Stack()}
}

var errCallbackGoexit = errors.New("asyncio: the callback ended with runtime.Goexit")

// fail reports an error that is the program's own, and ends the connection.
func (t *streamTransport) fail(err error, message string) {
	t.report(err, message)
	t.lose(err)
}

func (t *streamTransport) report(err error, message string) {
	c := ErrorContext{Message: message, Exception: err, Transport: t, Protocol: t.protocol}
	if t.server != nil {
		c.Context = t.server.ctx
	}
	t.loop.CallExceptionHandler(c)
}

func (h *streamHandler) Data(b []byte) {
	t := (*streamTransport)(h)
	if t.rare != nil {
		t.touch()
	}
	if t.filling != fillsNone {
		t.fillBuffers(b)
		return
	}
	t.dataReceived(b)
}

func (t *streamTransport) dataReceived(b []byte) {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, "DataReceived")()
	}
	returned := false
	defer t.caught("data_received", &returned)
	t.protocol.DataReceived(b)
	returned = true
}

// Readable lets a protocol read for itself.
func (h *streamHandler) Readable(src proactor.Source) bool {
	t := (*streamTransport)(h)
	p, pulls := h.protocol.(pullProtocol)
	if !pulls && t.filling == fillsNone {
		return false
	}
	if t.rare != nil {
		t.touch()
	}
	if t.filling != fillsNone {
		return t.pullBuffers(src)
	}
	return p.readable(src)
}

func (h *streamHandler) EOF() {
	t := (*streamTransport)(h)
	if p := t.look().pipe; p != nil {
		t.pipeEnded(p)
	} else if !t.eofReceived() {
		t.Close()
	}
}

func (t *streamTransport) eofReceived() bool {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, "EOFReceived")()
	}
	returned := false
	defer t.caught("eof_received", &returned)
	stays := t.protocol.EOFReceived()
	returned = true
	return stays
}

// Failed tells of errors of the connection, which are nobody's fault: only ConnectionLost
// hears of them.
func (h *streamHandler) Failed(err error) {
	t := (*streamTransport)(h)
	if t.loop.debug {
		t.loop.log().Debug("Fatal error on transport", "transport", t.String(), "exception", err)
	}
	t.lose(err)
}

// Closed has nothing to do: connectionEnd comes from the ready queue.
func (h *streamHandler) Closed() {}

// connectionEnd is a lost transport in the ready queue.
type connectionEnd streamTransport

func (e *connectionEnd) run(*Loop) {
	t := (*streamTransport)(e)
	defer t.leave()
	returned := false
	defer t.caught("connection_lost", &returned)
	t.protocol.ConnectionLost(t.look().err)
	returned = true
}

func (e *connectionEnd) describe() subject {
	return subject{name: fmt.Sprintf("callback %T.ConnectionLost", e.protocol)}
}

// leave is the end of the transport.
func (t *streamTransport) leave() {
	t.loop.owned.remove(t)
	if s := t.server; s != nil {
		t.server = nil
		s.detach()
	}
	if p := t.look().pipe; p != nil && p.ended != nil {
		p.ended()
	}
}

// lose ends the connection at once. The first error wins.
func (t *streamTransport) lose(err error) {
	if t.state == transportLost {
		return
	}
	t.become(transportLost)
	if err != nil {
		t.change().err = err
	}
	if t.rare != nil && t.rare.idle != nil {
		t.rare.idle.end()
	}
	t.stirSending()
	t.stream.LocalAddr() // so that ConnectionLost may ask: a driver learns the addresses when it is asked first
	t.stream.Close()
	t.loop.pollNextTurn()
	t.loop.ready.push((*connectionEnd)(t))
}

// use is called by what changes the transport: in debug mode it panics if the caller is
// not the loop's goroutine.
func (t *streamTransport) use(method string) {
	if t.loop.debug {
		t.loop.checkGoroutine(method)
	}
}

func (t *streamTransport) Close() {
	t.use("Transport.Close")
	if t.state != transportOpen {
		return
	}
	t.become(transportClosing)
	t.stirSending()
	t.stream.ReadStop()
	t.stream.Flush()
	t.loseIfFlushed()
}

func (t *streamTransport) loseIfFlushed() {
	if t.state == transportClosing && t.stream.Buffered() == 0 {
		t.lose(nil)
	}
}

func (t *streamTransport) Abort() {
	t.use("Transport.Abort")
	t.lose(nil)
}

func (t *streamTransport) IsClosing() bool { return t.state != transportOpen }

func (t *streamTransport) PauseReading() {
	t.use("Transport.PauseReading")
	if t.IsReading() {
		t.readingPaused = true
		t.stream.ReadStop()
	}
}

func (t *streamTransport) ResumeReading() {
	t.use("Transport.ResumeReading")
	if t.state != transportOpen || !t.readingPaused || t.look().pipe.writes() {
		return
	}
	t.readingPaused = false
	if rest := t.look().leftover; rest != nil {
		rest.queue()
	} else {
		t.stream.ReadStart()
	}
}

func (t *streamTransport) IsReading() bool { return t.state == transportOpen && !t.readingPaused }

func (t *streamTransport) SetProtocol(p Protocol) {
	t.use("Transport.SetProtocol")
	if p == nil {
		panic(misuse(ErrInvalidArgument, "a transport was given a nil protocol"))
	}
	if old, ok := t.protocol.(pullProtocol); ok {
		old.stopPulling()
	}
	t.protocol = p
	t.filling = fillsNone
	if _, ok := p.(BufferedProtocol); ok {
		t.filling = fillsNext
	}
}

func (t *streamTransport) Protocol() Protocol   { return t.protocol }
func (t *streamTransport) LocalAddr() net.Addr  { return t.stream.LocalAddr() }
func (t *streamTransport) RemoteAddr() net.Addr { return t.stream.RemoteAddr() }
func (t *streamTransport) Loop() *Loop          { return t.loop }

func (t *streamTransport) ExtraInfo(key string) any {
	if p := t.look().pipe; p != nil {
		return p.extraInfo(key)
	}
	switch key {
	case "sockname":
		return t.LocalAddr()
	case "peername":
		return t.RemoteAddr()
	case "socket":
		return TransportSocket{source: t.stream, local: t.LocalAddr(), remote: t.RemoteAddr()}
	case "peercred":
		if fd := t.stream.FD(); fd >= 0 && t.network() == "unix" {
			return peerCredentials(fd)
		}
	}
	return nil
}

// network is "tcp", "unix" or "pipe".
func (t *streamTransport) network() string {
	if t.look().pipe != nil {
		return "pipe"
	}
	if a := t.LocalAddr(); a != nil {
		return a.Network()
	}
	return "stream" // a closed socket may not know
}

// String is for logs: the ends, and what is left to write.
func (t *streamTransport) String() string {
	if p := t.look().pipe; p != nil {
		return fmt.Sprintf("<%v%s bufsize=%d>", p, t.state, t.stream.Buffered())
	}
	return fmt.Sprintf("<%s transport%s %v->%v bufsize=%d>", t.network(), t.state, t.LocalAddr(), t.RemoteAddr(), t.stream.Buffered())
}
