package asyncio

// The one transport of streams, over a stream of the driver.
//
//	open      -> closing  Close, with bytes to flush
//	open      -> lost     Abort; Close, with none; a failure; a callback that panicked
//	closing   -> lost     the last byte is flushed; Abort; a failure
//
// Whoever makes it lost closes the descriptor and queues farewell, which calls
// ConnectionLost. So that call never runs inside another one, and it comes in the next
// turn whether or not that turn polls.
//
// The driver gathers small writes until the loop polls. Bytes count as buffered only if
// the kernel has refused them, so whatever compares a size with a water mark flushes
// first.

import (
	"fmt"
	"net"
	"runtime/debug"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

const (
	writeHighDefault = 64 << 10
	lowPerHigh       = 4 // the low-water mark is this fraction of the high one
	lostWritesLogged = 5 // writes to a lost connection are logged from this one on
)

// streamTransport is small: a server holds one for every idle connection.
type streamTransport struct {
	loop     *Loop
	stream   proactor.Stream
	protocol Protocol
	server   *Server        // that accepted it, or nil
	rare     *rareTransport // nil: a transport like most

	prev, next *streamTransport // in Loop.transports

	lostWrites    uint8 // 0: not lost; else 1 and the writes since
	closing       bool  // closing or lost
	fillsBuffers  bool  // protocol is a BufferedProtocol
	wroteEOF      bool
	readingPaused bool
	writingPaused bool // PauseWriting was called, and ResumeWriting not yet
}

// rareTransport is what few transports have, or only at their end.
type rareTransport struct {
	high, low int       // water marks
	leftover  *leftover // read, but not delivered since reading was paused
	err       error     // what ConnectionLost will tell
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

func newStreamTransport(l *Loop, s proactor.Stream, p Protocol, server *Server) *streamTransport {
	t := &streamTransport{loop: l, stream: s, server: server}
	t.SetProtocol(p)
	l.transports.add(t)
	if server != nil {
		server.clients++
	}
	s.SetHandler((*streamHandler)(t))
	return t
}

// begin tells the protocol of the connection and then reads.
func (t *streamTransport) begin() {
	t.connectionMade()
	if t.IsReading() {
		t.stream.ReadStart()
	}
}

func (t *streamTransport) connectionMade() {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, "ConnectionMade")()
	}
	defer t.caught("connection_made")
	t.protocol.ConnectionMade(t)
}

// caught is deferred around the callbacks of the protocol: a panic there ends the
// connection, and not the loop.
func (t *streamTransport) caught(callback string) {
	if v := recover(); v != nil {
		err := &PanicError{Value: v, Stack: debug.Stack()}
		t.fail(err, "Fatal error: protocol."+callback+"() call failed.")
	}
}

// fail reports an error that is the program's own, and ends the connection.
func (t *streamTransport) fail(err error, message string) {
	t.report(err, message)
	t.lose(err)
}

func (t *streamTransport) report(err error, message string) {
	t.loop.CallExceptionHandler(ErrorContext{Message: message, Exception: err, Transport: t, Protocol: t.protocol})
}

func (h *streamHandler) Data(b []byte) {
	t := (*streamTransport)(h)
	if t.fillsBuffers {
		t.fillBuffers(b)
		return
	}
	if t.loop.debug {
		defer t.loop.timed(t.protocol, "DataReceived")()
	}
	defer t.caught("data_received")
	t.protocol.DataReceived(b)
}

// Readable lets a stream's reader read for itself: where its task waits for the bytes
// they are copied once, by the kernel.
func (h *streamHandler) Readable(src proactor.Source) bool {
	p, ok := h.protocol.(*streamProtocol)
	return ok && p.reader.readable(src)
}

func (h *streamHandler) EOF() {
	t := (*streamTransport)(h)
	if !t.eofReceived() {
		t.Close()
	}
}

func (t *streamTransport) eofReceived() bool {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, "EOFReceived")()
	}
	defer t.caught("eof_received")
	return t.protocol.EOFReceived()
}

func (h *streamHandler) Drained() {
	t := (*streamTransport)(h)
	if t.writingPaused && t.stream.Buffered() <= t.look().low {
		t.writingPaused = false
		t.resumeWriting()
	}
	t.closeIfFlushed() // after ResumeWriting, which may write
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

// Closed has nothing to do: farewell comes from the ready queue.
func (h *streamHandler) Closed() {}

// farewell is a lost transport in the ready queue.
type farewell streamTransport

func (f *farewell) run(l *Loop) {
	t := (*streamTransport)(f)
	defer t.leave()
	defer t.caught("connection_lost")
	t.protocol.ConnectionLost(t.look().err)
}

// leave is the end of the transport.
func (t *streamTransport) leave() {
	t.loop.transports.remove(t)
	if s := t.server; s != nil {
		t.server = nil
		s.detach()
	}
}

// lose ends the connection at once. The first error wins.
func (t *streamTransport) lose(err error) {
	if t.lostWrites > 0 {
		return
	}
	t.closing, t.lostWrites = true, 1
	if err != nil {
		t.change().err = err
	}
	t.stream.LocalAddr() // so that ConnectionLost may ask: a driver learns the addresses when it is asked first
	t.stream.Close()
	t.loop.ready.push((*farewell)(t))
}

// use is called by what changes the transport: in debug mode it panics if the caller is
// not the loop's goroutine.
func (t *streamTransport) use(method string) {
	if t.loop.debug {
		t.loop.checkGoroutine(method)
	}
}

func (t *streamTransport) Close() {
	if t.use("Transport.Close"); t.closing {
		return
	}
	t.closing = true
	t.stream.ReadStop()
	t.stream.Flush()
	t.closeIfFlushed()
}

func (t *streamTransport) closeIfFlushed() {
	if t.closing && t.stream.Buffered() == 0 {
		t.lose(nil)
	}
}

func (t *streamTransport) Abort() {
	t.use("Transport.Abort")
	t.lose(nil)
}

func (t *streamTransport) IsClosing() bool { return t.closing }

func (t *streamTransport) PauseReading() {
	if t.use("Transport.PauseReading"); t.IsReading() {
		t.readingPaused = true
		t.stream.ReadStop()
	}
}

func (t *streamTransport) ResumeReading() {
	if t.use("Transport.ResumeReading"); t.closing || !t.readingPaused {
		return
	}
	t.readingPaused = false
	if rest := t.look().leftover; rest != nil {
		rest.queue()
	} else {
		t.stream.ReadStart()
	}
}

func (t *streamTransport) IsReading() bool { return !t.closing && !t.readingPaused }

func (t *streamTransport) Write(p []byte) (int, error) {
	if t.use("Transport.Write"); t.wroteEOF || t.lostWrites > 0 {
		return 0, t.refuseWrite(len(p))
	}
	t.stream.Write(p)
	t.pauseIfFull()
	return len(p), nil
}

func (t *streamTransport) WriteV(bufs [][]byte) error {
	if t.use("Transport.WriteV"); t.wroteEOF || t.lostWrites > 0 {
		n := 0
		for _, b := range bufs {
			n += len(b)
		}
		return t.refuseWrite(n)
	}
	t.stream.WriteV(bufs)
	t.pauseIfFull()
	return nil
}

// refuseWrite tells why n bytes cannot be written. A program that goes on writing to a
// lost connection hears of it in the log too, for few look at the error of every write.
func (t *streamTransport) refuseWrite(n int) error {
	switch {
	case t.wroteEOF:
		return fmt.Errorf("%w: write to %v after WriteEOF; write first, then send the end", ErrInvalidState, t.RemoteAddr())
	case n == 0:
		return nil
	}
	if t.lostWrites >= lostWritesLogged {
		t.loop.log().Warn("write to a connection that is lost; stop at the first net.ErrClosed", "transport", t.String())
	} else {
		t.lostWrites++
	}
	return &net.OpError{Op: "write", Net: t.network(), Source: t.LocalAddr(), Addr: t.RemoteAddr(), Err: net.ErrClosed}
}

// pauseIfFull calls PauseWriting when the kernel leaves more than the high-water mark
// behind.
func (t *streamTransport) pauseIfFull() {
	if t.stream.Buffered() <= t.look().high || t.writingPaused {
		return
	}
	if t.stream.Flush(); t.stream.Buffered() > t.look().high {
		t.writingPaused = true
		t.pauseWriting()
	}
}

func (t *streamTransport) pauseWriting() {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, "PauseWriting")()
	}
	defer t.reported("protocol.pause_writing() failed")
	t.protocol.PauseWriting()
}

func (t *streamTransport) resumeWriting() {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, "ResumeWriting")()
	}
	defer t.reported("protocol.resume_writing() failed")
	t.protocol.ResumeWriting()
}

// reported is deferred around callbacks whose panic the connection survives.
func (t *streamTransport) reported(message string) {
	if v := recover(); v != nil {
		t.report(&PanicError{Value: v, Stack: debug.Stack()}, message)
	}
}

func (t *streamTransport) SetWriteBufferLimits(high, low int) {
	t.use("Transport.SetWriteBufferLimits")
	switch {
	case high == -1 && low == -1:
		high = writeHighDefault
	case high == -1:
		high = lowPerHigh * low
	}
	if low == -1 {
		low = high / lowPerHigh
	}
	if high < low || low < 0 {
		panic(misuse(ErrInvalidState, "SetWriteBufferLimits needs high >= low >= 0, not high %d and low %d", high, low))
	}
	t.change().high, t.change().low = high, low
	if t.lostWrites == 0 {
		t.pauseIfFull()
	}
}

func (t *streamTransport) WriteBufferLimits() (low, high int) { return t.look().low, t.look().high }

func (t *streamTransport) WriteBufferSize() int {
	if t.lostWrites > 0 {
		return 0
	}
	t.stream.Flush()
	return t.stream.Buffered()
}

func (t *streamTransport) WriteEOF() error {
	if t.use("Transport.WriteEOF"); !t.closing && !t.wroteEOF {
		t.wroteEOF = true
		t.stream.CloseWrite()
	}
	return nil
}

func (t *streamTransport) CanWriteEOF() bool { return true }

func (t *streamTransport) SetProtocol(p Protocol) {
	if t.use("Transport.SetProtocol"); p == nil {
		panic(misuse(ErrInvalidState, "a transport was given a nil protocol"))
	}
	t.protocol = p
	_, t.fillsBuffers = p.(BufferedProtocol)
}

func (t *streamTransport) Protocol() Protocol   { return t.protocol }
func (t *streamTransport) LocalAddr() net.Addr  { return t.stream.LocalAddr() }
func (t *streamTransport) RemoteAddr() net.Addr { return t.stream.RemoteAddr() }
func (t *streamTransport) Loop() *Loop          { return t.loop }

func (t *streamTransport) ExtraInfo(key string) any {
	switch key {
	case "sockname":
		return t.LocalAddr()
	case "peername":
		return t.RemoteAddr()
	case "socket":
		return TransportSocket{fd: t.stream.FD(), local: t.LocalAddr(), remote: t.RemoteAddr()}
	}
	return nil
}

// network is "tcp" or "unix".
func (t *streamTransport) network() string {
	if a := t.LocalAddr(); a != nil {
		return a.Network()
	}
	return "stream" // a closed socket may not know
}

// String is for logs: the ends, and what is left to write.
func (t *streamTransport) String() string {
	state := ""
	switch {
	case t.lostWrites > 0:
		state = " lost"
	case t.closing:
		state = " closing"
	}
	return fmt.Sprintf("<%s transport%s %v->%v bufsize=%d>", t.network(), state, t.LocalAddr(), t.RemoteAddr(), t.stream.Buffered())
}

// transportList is the transports of a loop that are not lost, or whose ConnectionLost
// has not run.
type transportList struct {
	first *streamTransport
	count int
}

func (s *transportList) add(t *streamTransport) {
	t.next = s.first
	if s.first != nil {
		s.first.prev = t
	}
	s.first = t
	s.count++
}

func (s *transportList) remove(t *streamTransport) {
	if t.prev == nil {
		s.first = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.prev, t.next = nil, nil
	s.count--
}

// of is the transports that s accepted.
func (s *transportList) of(server *Server) []*streamTransport {
	var found []*streamTransport
	for t := s.first; t != nil; t = t.next {
		if t.server == server {
			found = append(found, t)
		}
	}
	return found
}

// abandon makes the transports lost that are left when the loop closes. No protocol hears
// of it, since no callback runs on a closed loop; the driver closes the descriptors.
func (s *transportList) abandon(l *Loop) {
	for t := s.first; t != nil; t = t.next {
		if l.debug && !t.closing {
			l.log().Warn("unclosed transport", "transport", t.String())
		}
		t.closing, t.lostWrites = true, 1
	}
	s.first, s.count = nil, 0
}
