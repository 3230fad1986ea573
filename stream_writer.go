package asyncio

// Writing a stream. A StreamWriter is a small thing of its own, to which neither the
// transport nor the protocol refers: if the program drops it without closing it, the
// garbage collector tells.

import (
	"context"
	"crypto/tls"
	"fmt"
	"runtime"
	"syscall"
)

// StreamWriter is the writing end of a stream, and closes both: asyncio.StreamWriter. Its
// methods are for the loop's goroutine, and those that take a context for tasks. A writer
// that is dropped without Close is closed, and a warning is logged, when the garbage
// collector finds it.
type StreamWriter struct{ protocol *streamProtocol }

// Transport is the transport below.
func (w *StreamWriter) Transport() Transport { return w.protocol.reader.transport }

// Write sends p, or buffers it, and never waits: write. Call Drain now and then. Errors
// are those of Transport.Write.
func (w *StreamWriter) Write(p []byte) (int, error) { return w.Transport().Write(p) }

// WriteV is Write of several pieces in order: writelines.
func (w *StreamWriter) WriteV(bufs [][]byte) error { return w.Transport().WriteV(bufs) }

// WriteEOF sends the end of the stream after what is buffered; reading goes on:
// write_eof.
func (w *StreamWriter) WriteEOF() error { return w.Transport().WriteEOF() }

// CanWriteEOF reports whether WriteEOF can do that: can_write_eof.
func (w *StreamWriter) CanWriteEOF() bool { return w.Transport().CanWriteEOF() }

// ExtraInfo is Transport.ExtraInfo: get_extra_info.
func (w *StreamWriter) ExtraInfo(key string) any { return w.Transport().ExtraInfo(key) }

// IsClosing reports whether the stream is closed or being closed: is_closing.
func (w *StreamWriter) IsClosing() bool { return w.Transport().IsClosing() }

// Close sends what is buffered and then ends the connection, both directions: close. It
// does not wait for that, see WaitClosed, and its error is always nil.
func (w *StreamWriter) Close() error {
	runtime.SetFinalizer(w, nil)
	w.Transport().Close()
	return nil
}

// StartTLS has the stream speak TLS from now on: start_tls. It drains first; server says
// which part this end takes, and the rest is as for Loop.StartTLS. What is written while
// the handshake lasts goes over TLS, and so does what the reader has not given away yet.
// Suspends. Cancelled: the connection is aborted, or only the wait in Drain has ended.
func (w *StreamWriter) StartTLS(ctx context.Context, cfg *tls.Config, server bool, opts ...StreamOption) error {
	if err := w.Drain(ctx); err != nil {
		return err
	}
	p := w.protocol
	_, err := p.reader.shared.loop.StartTLS(ctx, w.Transport(), p, cfg, server, opts...)
	return err
}

// Drain waits while too much is buffered: drain. Too much is more than the transport's
// high-water mark, until it is no more than the low one. The error is that of the
// connection if it has failed, and matches ECONNRESET once it is lost. Any number of
// tasks may be in Drain.
// Suspends, if need be. Cancelled: nothing is lost, what was written is sent.
func (w *StreamWriter) Drain(ctx context.Context) error {
	p := w.protocol
	a, err := p.reader.shared.loop.enterOn(ctx, "Drain")
	if err != nil {
		return err
	}
	if p.reader.err != nil {
		return p.reader.err
	}
	if w.IsClosing() {
		// ConnectionLost is on its way. A loop that writes and drains, and never waits
		// otherwise, has to hear of it.
		if err := a.yield(); err != nil {
			return err
		}
	}
	switch {
	case p.lost:
		return fmt.Errorf("asyncio: drain: the connection is lost: %w", syscall.ECONNRESET)
	case p.paused:
		return p.waitIn(&p.waiting().drains, a)
	}
	return nil
}

// WaitClosed waits until the connection is lost: wait_closed. The error is what broke it,
// nil after Close.
// Suspends. Cancelled: nothing changes.
func (w *StreamWriter) WaitClosed(ctx context.Context) error {
	p := w.protocol
	a, err := p.reader.shared.loop.enterOn(ctx, "WaitClosed")
	switch {
	case err != nil:
		return err
	case p.lost:
		return p.failure()
	}
	return p.waitIn(&p.waiting().closes, a)
}

// waitIn suspends a's task until q is woken, and tells what has broken the connection
// meanwhile.
func (p *streamProtocol) waitIn(q *waitQueue, a awaiter) error {
	if _, err := q.wait(a); err != nil {
		return err
	}
	return p.failure()
}
