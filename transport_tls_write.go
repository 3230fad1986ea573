package asyncio

// Writing. What is written goes through conn to the transport below at once; that has the
// buffer, and tells when it is over its own marks. What cannot go yet, since the
// handshake lasts or conn is at work, is pending.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
)

// tlsWriteHighDefault is asyncio's mark: twice its largest read.
const tlsWriteHighDefault = 512 << 10

func (t *tlsTransport) Write(p []byte) (int, error) {
	t.use("Transport.Write")
	if t.state != tlsOpen || t.rare != nil && t.rare.sending != nil {
		if err := t.refuseWrite(len(p)); err != nil {
			return 0, err
		}
	}
	if err := t.send(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (t *tlsTransport) WriteV(bufs [][]byte) error {
	// As one, so that small pieces share a record.
	_, err := t.Write(slices.Concat(bufs...))
	return err
}

// refuseWrite tells why n bytes cannot be written; nil: they can.
func (t *tlsTransport) refuseWrite(n int) error {
	switch {
	case t.state == tlsShaking || n == 0:
		return nil
	case t.state == tlsOpen:
		return t.sendfileInProgress("Write")
	}
	if t.look().lostWrites >= lostWritesLogged {
		t.loop.log().Warn("write to a connection that is lost; stop at the first net.ErrClosed", "transport", t.String())
	} else {
		t.change().lostWrites++
	}
	return t.opError("write", net.ErrClosed)
}

// send writes p, now or once that can be.
func (t *tlsTransport) send(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if t.state == tlsShaking || t.inside {
		r := t.change()
		r.pending = append(r.pending, p...)
		if t.inside {
			t.goOnLater()
		}
	} else if err := t.encrypt(p); err != nil {
		return err
	}
	t.checkFull()
	return nil
}

// encrypt gives p to conn.
func (t *tlsTransport) encrypt(p []byte) error {
	t.inside = true
	_, err := t.conn.Write(p)
	t.inside = false
	if err != nil && t.state == tlsOpen && !t.below.IsClosing() {
		t.failed(fmt.Errorf("asyncio: TLS with %v: %w", t.peer(), err))
	}
	return err
}

// writePending writes what had to wait.
func (t *tlsTransport) writePending() {
	if len(t.look().pending) == 0 {
		return
	}
	p := t.rare.pending
	t.rare.pending = nil
	_ = t.encrypt(p) // what it means, ConnectionLost tells
}

// checkFull calls PauseWriting when more than the high-water mark is buffered.
func (t *tlsTransport) checkFull() {
	if !t.writingPaused && (t.belowPaused || len(t.look().pending) > 0) && t.WriteBufferSize() > t.look().high {
		t.writingPaused = true
		t.called("PauseWriting", "pause_writing", t.protocol.PauseWriting)
	}
}

// checkEmpty calls ResumeWriting once no more than the low-water mark is.
func (t *tlsTransport) checkEmpty() {
	if t.writingPaused && t.WriteBufferSize() <= t.look().low {
		t.writingPaused = false
		t.called("ResumeWriting", "resume_writing", t.protocol.ResumeWriting)
	}
	t.stirSending()
}

// stirSending has a Sendfile that waits look again at the transport.
func (t *tlsTransport) stirSending() {
	if r := t.rare; r != nil && r.sending != nil {
		r.sending.wait.wake(nil)
	}
}

// called makes a callback whose failure the connection survives.
func (t *tlsTransport) called(method, callback string, fn func()) {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, method)()
	}
	returned := false
	defer func() {
		if !returned {
			t.report(panicked(recover()), "protocol."+callback+"() failed")
		}
	}()
	fn()
	returned = true
}

// PauseWriting implements Protocol.
func (p *tlsProtocol) PauseWriting() {
	t := (*tlsTransport)(p)
	t.belowPaused = true
	if !t.inside {
		t.checkFull()
	}
}

// ResumeWriting implements Protocol.
func (p *tlsProtocol) ResumeWriting() {
	t := (*tlsTransport)(p)
	t.belowPaused = false
	t.checkEmpty()
}

func (t *tlsTransport) SetWriteBufferLimits(high, low int) {
	t.use("Transport.SetWriteBufferLimits")
	high, low = waterMarks("SetWriteBufferLimits", high, low, tlsWriteHighDefault)
	t.change().high, t.change().low = high, low
	if t.state == tlsLost {
		return
	}
	t.below.SetWriteBufferLimits(high, low)
	t.checkFull()
	t.checkEmpty()
}

func (t *tlsTransport) WriteBufferLimits() (low, high int) { return t.look().low, t.look().high }

func (t *tlsTransport) WriteBufferSize() int {
	if t.state == tlsLost {
		return 0
	}
	return len(t.look().pending) + t.below.WriteBufferSize()
}

func (t *tlsTransport) WriteEOF() error {
	return fmt.Errorf("%w: WriteEOF over TLS, which ends both directions at once; call Close: %w", ErrInvalidState, errors.ErrUnsupported)
}

func (t *tlsTransport) CanWriteEOF() bool { return false }

// mayWriteFile tells why a method that writes more than Write cannot do so now.
func (t *tlsTransport) mayWriteFile(method string) error {
	switch {
	case t.look().sending != nil:
		return t.sendfileInProgress(method)
	case t.IsClosing():
		return fmt.Errorf("%w: %s over %s: the transport is closing: %w", ErrInvalidState, method, t, net.ErrClosed)
	case t.state == tlsShaking:
		return fmt.Errorf("%w: %s over %s before its handshake is over", ErrInvalidState, method, t)
	}
	return nil
}

func (t *tlsTransport) sendfileInProgress(method string) error {
	return fmt.Errorf("%w: %s over %s while a sendfile is in progress; wait until it has returned", ErrInvalidState, method, t)
}

// sendFile is the whole of Sendfile: the kernel cannot encrypt.
func (t *tlsTransport) sendFile(ctx context.Context, a awaiter, s *fileSending, fallback bool) error {
	if !fallback {
		_, err := s.file.Stat() // of a closed file it is no matter of TLS
		return cmp.Or(err, ErrSendfile)
	}
	t.change().sending = s
	reading := t.IsReading()
	t.PauseReading()
	defer func() {
		t.rare.sending = nil
		if reading {
			t.ResumeReading()
		}
	}()
	return s.sendCopies(ctx, a, t)
}

func (t *tlsTransport) isOpen() bool { return t.state == tlsOpen && !t.below.IsClosing() }

func (t *tlsTransport) writePiece(b []byte) { _ = t.send(b) }

func (t *tlsTransport) whyClosed() error {
	return cmp.Or(t.look().err, t.opError("sendfile", net.ErrClosed))
}

func (t *tlsTransport) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tls", Source: t.LocalAddr(), Addr: t.RemoteAddr(), Err: err}
}
