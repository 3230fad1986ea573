package asyncio

// Writing to a stream transport, and the water marks that hold the writer back.
//
// The driver gathers small writes until the loop polls, which after a write it does
// before the next turn. Bytes count as buffered only if the kernel has refused them, so
// whatever compares a size with a water mark flushes first.

import (
	"fmt"
	"net"
)

const (
	writeHighDefault = 64 << 10
	lowPerHigh       = 4 // the low-water mark is this fraction of the high one
	lostWritesLogged = 4 // so many writes to a lost connection are not logged
)

func (t *streamTransport) Write(p []byte) (int, error) {
	t.use("Transport.Write")
	if t.state == transportLost || t.rare != nil && t.rare.refuses() {
		return 0, t.refuseWrite(len(p))
	}
	if t.rare != nil && len(p) > 0 {
		t.touchWrite()
	}
	t.stream.Write(p)
	t.written()
	return len(p), nil
}

func (t *streamTransport) WriteV(bufs [][]byte) error {
	t.use("Transport.WriteV")
	if t.state == transportLost || t.rare != nil && t.rare.refuses() {
		return t.refuseWrite(sizeOf(bufs))
	}
	if t.rare != nil && sizeOf(bufs) > 0 {
		t.touchWrite()
	}
	t.stream.WriteV(bufs)
	t.written()
	return nil
}

// refuses reports whether nothing may be written though the connection is there.
func (r *rareTransport) refuses() bool { return r.wroteEOF || r.sending != nil || r.pipe.reads() }

// sizeOf is the number of bytes in bufs.
func sizeOf(bufs [][]byte) (n int) {
	for _, b := range bufs {
		n += len(b)
	}
	return n
}

// written sees to it that what was gathered leaves soon, and calls PauseWriting when the
// kernel leaves more than the high-water mark behind.
func (t *streamTransport) written() {
	t.loop.pollNextTurn()
	if t.stream.Buffered() > t.look().high && !t.writingPaused {
		t.pauseIfFull()
	}
}

// refuseWrite tells why n bytes cannot be written. A program that goes on writing to a
// lost connection hears of it in the log too, for few look at the error of every write.
func (t *streamTransport) refuseWrite(n int) error {
	switch {
	case t.look().pipe.reads():
		return t.onlyReads("Write")
	case t.state != transportLost && t.look().sending != nil:
		return t.sendfileInProgress("Write")
	case t.look().wroteEOF:
		return fmt.Errorf("%w: write to %v after WriteEOF; write first, then send the end", ErrInvalidState, t)
	case n == 0:
		return nil
	}
	if t.look().lostWrites >= lostWritesLogged {
		t.loop.log().Warn("write to a connection that is lost; stop at the first net.ErrClosed", "transport", t.String())
	} else {
		t.change().lostWrites++
	}
	return t.opError("write", net.ErrClosed)
}

func (t *streamTransport) pauseIfFull() {
	t.stream.Flush()
	if t.stream.Buffered() > t.look().high {
		t.writingPaused = true
		t.pauseWriting()
	}
}

func (h *streamHandler) Drained() {
	t := (*streamTransport)(h)
	if t.rare != nil {
		t.touch()
	}
	if t.writingPaused && t.stream.Buffered() <= t.look().low {
		t.writingPaused = false
		t.resumeWriting()
	}
	t.stirSending()
	if t.state == transportClosing {
		t.stream.Flush() // what ResumeWriting has written
		t.loseIfFlushed()
	}
}

func (t *streamTransport) pauseWriting() {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, "PauseWriting")()
	}
	returned := false
	defer t.reported("protocol.pause_writing() failed", &returned)
	t.protocol.PauseWriting()
	returned = true
}

func (t *streamTransport) resumeWriting() {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, "ResumeWriting")()
	}
	returned := false
	defer t.reported("protocol.resume_writing() failed", &returned)
	t.protocol.ResumeWriting()
	returned = true
}

// reported is deferred around callbacks whose failure the connection survives.
func (t *streamTransport) reported(message string, returned *bool) {
	if !*returned {
		t.report(panicked(recover()), message)
	}
}

func (t *streamTransport) SetWriteBufferLimits(high, low int) {
	t.use("Transport.SetWriteBufferLimits")
	high, low = waterMarks("SetWriteBufferLimits", high, low, writeHighDefault)
	t.change().high, t.change().low = high, low
	if t.state != transportLost && t.stream.Buffered() > high && !t.writingPaused {
		t.pauseIfFull()
	}
}

// waterMarks puts the defaults in place of -1. It panics unless they are two marks then.
func waterMarks(method string, high, low, highDefault int) (int, int) {
	switch {
	case high == -1 && low == -1:
		high = highDefault
	case high == -1:
		high = lowPerHigh * low
	}
	if low == -1 {
		low = high / lowPerHigh
	}
	if high < low || low < 0 {
		panic(misuse(ErrInvalidArgument, "%s needs high >= low >= 0, not high %d and low %d", method, high, low))
	}
	return high, low
}

func (t *streamTransport) WriteBufferLimits() (low, high int) { return t.look().low, t.look().high }

func (t *streamTransport) WriteBufferSize() int {
	if t.state == transportLost {
		return 0
	}
	t.stream.Flush()
	return t.stream.Buffered()
}

func (t *streamTransport) WriteEOF() error {
	t.use("Transport.WriteEOF")
	if p := t.look().pipe; p != nil {
		return t.endPipe(p)
	}
	if t.state == transportOpen && t.look().sending != nil {
		return t.sendfileInProgress("WriteEOF")
	}
	if t.state == transportOpen && !t.look().wroteEOF {
		t.change().wroteEOF = true
		t.stream.CloseWrite()
		t.loop.pollNextTurn()
	}
	return nil
}

func (t *streamTransport) CanWriteEOF() bool { return !t.look().pipe.reads() }
