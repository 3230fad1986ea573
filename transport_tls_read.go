package asyncio

// Reading. What comes is given to conn where it lies, and what conn makes of it is
// gathered in memory that the loop's transports share, and handed over in one piece.
// While the protocol has paused reading, what comes is kept as it is, up to a mark.
//
// Two copies are spared where there is much: conn pulls from the kernel itself, as its
// memory has room for a record and more; and a task that waits in Read of a stream is
// given its bytes where it wants them.

import (
	"cmp"
	"fmt"
	"io"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

const (
	tlsReadHigh = 256 << 10 // bytes of input from which on the transport below is held
	tlsReadLow  = tlsReadHigh / lowPerHigh
	// tlsScratchBytes is how much is handed over at a time: four records
	tlsScratchBytes = 64 << 10
	tlsScratchMax   = 4 // kept; one for each level at which TLS is read over TLS
)

// getScratch lends memory.
func (s *tlsOfLoop) getScratch() []byte {
	last := len(s.scratch) - 1
	if last < 0 {
		return make([]byte, tlsScratchBytes)
	}
	b := s.scratch[last]
	s.scratch = s.scratch[:last]
	return b
}

func (s *tlsOfLoop) putScratch(b []byte) {
	if len(s.scratch) < tlsScratchMax {
		s.scratch = append(s.scratch, b)
	}
}

// DataReceived implements Protocol.
func (p *tlsProtocol) DataReceived(b []byte) {
	t := (*tlsTransport)(p)
	switch {
	case t.state == tlsLost:
	case len(t.input) > 0 || !t.mayRead():
		t.input = append(t.input, b...)
		t.goOn()
	default:
		t.input = b
		t.read()
		t.input = append([]byte(nil), t.input...)
		t.control()
	}
}

// readable and stopPulling implement pullProtocol.
func (p *tlsProtocol) readable(src proactor.Source) bool {
	t := (*tlsTransport)(p)
	if len(t.input) > 0 || !t.mayRead() {
		return false
	}
	s := featureOf[tlsOfLoop](t.loop)
	s.source, s.pullable = src, pullBytesMax
	t.pulls = true
	t.read()
	p.stopPulling()
	return true
}

func (p *tlsProtocol) stopPulling() { p.pulls = false }

// pull reads what the kernel has into p. A read that does not fill p has got all.
func (t *tlsTransport) pull(p []byte) int {
	s := featureOf[tlsOfLoop](t.loop)
	n := s.source.Pull(p)
	s.pullable -= n
	if n < len(p) || s.pullable <= 0 {
		t.pulls, s.source = false, nil
	}
	return n
}

// EOFReceived implements Protocol: what has come is to be read first.
func (p *tlsProtocol) EOFReceived() bool {
	t := (*tlsTransport)(p)
	t.inputEnded = true
	t.goOn()
	_, stays := t.below.(*streamTransport) // TLS below does not stay open
	return stays
}

// mayRead reports whether conn is to be read now.
func (t *tlsTransport) mayRead() bool {
	return t.state == tlsOpen && !t.readingPaused || t.state == tlsClosing
}

// goOn does what the input, or its end, makes possible.
func (t *tlsTransport) goOn() {
	switch {
	case t.state == tlsShaking && t.shake.side != nil:
		t.shake.queue()
	case t.mayRead():
		t.read()
	}
	if len(t.input) == 0 {
		t.input = nil
	}
	t.control()
}

// tlsGoOn is a transport in the ready queue, that has been resumed or closed.
type tlsGoOn tlsTransport

func (g *tlsGoOn) run(*Loop) {
	t := (*tlsTransport)(g)
	t.finishWrites()
	t.goOn()
}

func (g *tlsGoOn) describe() subject {
	return subject{name: "reading of " + (*tlsTransport)(g).String()}
}

func (t *tlsTransport) goOnLater() { t.loop.ready.push((*tlsGoOn)(t)) }

// control holds the transport below while more than enough input waits. If that is TLS
// itself, nothing more is to come as long as the protocol has paused reading: the end of
// the connection would come after it, and be told before.
func (t *tlsTransport) control() {
	high, low := tlsReadHigh, tlsReadLow
	if _, ok := t.below.(*streamTransport); !ok && t.state == tlsOpen && t.readingPaused {
		high, low = 0, -1
	}
	switch n := len(t.input); {
	case t.state == tlsLost:
	case n >= high && !t.belowHeld && t.state != tlsClosing && (n > 0 || low < 0):
		t.belowHeld = true
		t.below.PauseReading()
	case (n <= low || t.state == tlsClosing) && t.belowHeld:
		t.belowHeld = false
		t.below.ResumeReading()
	}
}

// read hands over what conn makes of the input.
func (t *tlsTransport) read() {
	s := featureOf[tlsOfLoop](t.loop)
	scratch := s.getScratch()
	returned := false
	defer t.readCaught(&returned)
	for again := true; again && t.mayRead(); {
		if t.filling != fillsNone && t.state == tlsOpen {
			again = t.readBuffered()
		} else {
			again = t.readPlain(scratch)
		}
	}
	if !t.trimmed {
		t.trimmed = trimTLS(t.conn)
	}
	returned = true
	s.putScratch(scratch)
}

// readCaught is deferred around calls of conn: callbacks of the tls.Config run there.
func (t *tlsTransport) readCaught(returned *bool) {
	if !*returned && t.state != tlsLost {
		t.fail(panicked(recover()), "Fatal error: a callback of the tls.Config failed.")
	}
}

// readPlain hands over what fits into memory. It reports whether there may be more.
func (t *tlsTransport) readPlain(memory []byte) bool {
	if p, ok := t.protocol.(*streamProtocol); ok && t.state == tlsOpen {
		if direct := p.reader.directly(); direct != nil {
			n, err := t.fill(direct)
			p.reader.filled(direct[:n])
			return t.wants(err)
		}
	}
	n, err := t.fill(memory)
	if n > 0 && t.state == tlsOpen {
		t.call("DataReceived", "data_received", func() { t.protocol.DataReceived(memory[:n]) })
	}
	return t.wants(err)
}

// readBuffered is readPlain into the memory of a BufferedProtocol, which may pause,
// close, or give way to another protocol at any step.
func (t *tlsTransport) readBuffered() bool {
	p := t.protocol.(BufferedProtocol)
	t.filling = fillsLast
	var buf []byte
	t.call("GetBuffer", "get_buffer", func() { buf = p.GetBuffer(cmp.Or(len(t.input), fillBytesMin)) })
	switch {
	case t.state != tlsOpen || t.readingPaused || t.filling != fillsLast:
		return true
	case len(buf) == 0:
		t.fail(fmt.Errorf("%w: GetBuffer returned an empty buffer", ErrInvalidState), "Fatal error: protocol.get_buffer() call failed.")
		return false
	}
	n, err := t.fill(buf)
	if n > 0 && t.state == tlsOpen {
		t.call("BufferUpdated", "buffer_updated", func() { p.BufferUpdated(n) })
	}
	return t.wants(err)
}

// fill reads until memory is full, or conn wants more input, or has failed.
func (t *tlsTransport) fill(memory []byte) (n int, err error) {
	if err = t.look().readErr; err != nil {
		return 0, err
	}
	t.inside = true
	for m := 0; n < len(memory) && err == nil; n += m {
		m, err = t.conn.Read(memory[n:])
	}
	t.inside = false
	return n, err
}

// wants handles what has ended a fill. It reports whether to go on.
func (t *tlsTransport) wants(err error) bool {
	switch {
	case err == nil:
		return true
	case err == errTLSWants{}:
		return false
	case !t.mayRead(): // what was handed over before has made the protocol pause
		t.change().readErr = err
	case err == io.EOF || t.state == tlsClosing && err == io.ErrUnexpectedEOF:
		t.peerClosed()
	case err == io.ErrUnexpectedEOF:
		t.failed(fmt.Errorf("asyncio: TLS with %v: it has closed the connection in the middle of a record: %w", t.peer(), err))
	default:
		t.failed(fmt.Errorf("asyncio: TLS with %v: %w", t.peer(), err))
	}
	return false
}

// peerClosed is called when the peer's last byte has come.
func (t *tlsTransport) peerClosed() {
	if t.state == tlsClosing {
		t.below.Close()
		return
	}
	stays := false
	t.call("EOFReceived", "eof_received", func() { stays = t.protocol.EOFReceived() })
	if stays {
		t.loop.log().Warn("returning true from EOFReceived has no effect over TLS: both directions end", "transport", t.String())
	}
	switch t.state {
	case tlsOpen:
		t.shutDown(true)
	case tlsClosing:
		t.below.Close()
	}
}

func (t *tlsTransport) PauseReading() {
	t.use("Transport.PauseReading")
	if t.IsReading() {
		t.readingPaused = true
		t.control()
	}
}

func (t *tlsTransport) ResumeReading() {
	t.use("Transport.ResumeReading")
	if t.state <= tlsOpen && t.readingPaused {
		t.readingPaused = false
		t.goOnLater()
	}
}

func (t *tlsTransport) IsReading() bool { return !t.IsClosing() && !t.readingPaused }
