package asyncio

// The handshake. crypto/tls cannot stop and begin again in the middle of one, so it runs
// on a coroutine of its own, which suspends where it wants bytes that have not come. A
// step takes 0.1 to 2 ms, and a thousand peers may come at once: so the steps of a loop
// wait in a line, and a turn takes some of them.

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/timerheap"
)

// tlsStepsTimeMax is how long the handshakes of a turn may take, but for the last one's
// step. A task that sleeps needs three turns for a round, so it is held up for 3 to 5 ms.
const tlsStepsTimeMax = time.Millisecond

// tlsShake is what a connection has until its handshake is over.
type tlsShake struct {
	timerheap.Timer
	transport *tlsTransport
	options   *tlsOptions
	ctx       context.Context // of the callbacks of the tls.Config
	side      *sideCoroutine  // nil: it has not begun
	err       error           // of the handshake that has ended
	queued    bool            // in tlsOfLoop.steps
	done      waitPoint
}

// tlsOfLoop is what the TLS transports of a loop share: a feature of the loop.
type tlsOfLoop struct {
	steps   []*tlsShake // that wait for their turn
	queued  bool        // in the ready queue
	scratch [][]byte    // free memory to read into

	source   proactor.Source // what a transport that pulls reads from
	pullable int             // bytes that it may
}

func (s *tlsOfLoop) loopClosed(*Loop) { *s = tlsOfLoop{} }

// begin is called when the transport below can be used.
func (t *tlsTransport) begin() {
	if t.state == tlsLost {
		return
	}
	h := t.shake
	if h.options.server {
		t.conn = tls.Server((*tlsWire)(t), h.options.config)
	} else {
		t.conn = tls.Client((*tlsWire)(t), h.options.config)
	}
	t.loop.timers.Arm(h, t.loop.deadline(h.options.handshake))
	h.side = t.loop.newSide(h.shakeHands)
	h.queue()
}

// queue lets the handshake go on.
func (h *tlsShake) queue() {
	if h.queued {
		return
	}
	h.queued = true
	s := featureOf[tlsOfLoop](h.transport.loop)
	s.steps = append(s.steps, h)
	if !s.queued {
		s.queued = true
		h.transport.loop.ready.push(s)
	}
}

// run makes the steps of a turn.
func (s *tlsOfLoop) run(l *Loop) {
	defer func() {
		s.queued = len(s.steps) > 0
		if s.queued {
			l.ready.push(s)
			l.pollNextTurn() // the rest of the world comes first
		}
	}()
	for end := l.pro.Now() + tlsStepsTimeMax; len(s.steps) > 0 && l.pro.Now() < end; {
		h := s.steps[0]
		s.steps[0] = nil
		s.steps = s.steps[1:]
		h.queued = false
		h.step()
	}
	if len(s.steps) == 0 {
		s.steps = nil
	}
}

func (s *tlsOfLoop) describe() subject { return subject{name: "handshakes of TLS"} }

// step goes on with the handshake, as far as the bytes go that are there.
func (h *tlsShake) step() {
	t := h.transport
	if t.state != tlsShaking || h.side.state == sideEnded {
		return
	}
	defer func() { // also after a Goexit in a callback, which goes on
		if h.side.state == sideEnded {
			t.shaken(h.err)
		}
	}()
	h.side.step()
	t.control()
}

// shakeHands is what the coroutine runs.
func (h *tlsShake) shakeHands() {
	returned := false
	defer func() {
		if !returned {
			h.err = panicked(recover())
		}
	}()
	h.err = h.transport.conn.HandshakeContext(h.ctx)
	returned = true
}

// shaken is the end of the handshake.
func (t *tlsTransport) shaken(err error) {
	h := t.shake
	var panicked *PanicError
	switch {
	case t.state == tlsLost: // a callback has ended the connection
	case err != nil && t.below.IsClosing(): // ConnectionLost tells why
	case err == nil:
		t.loop.timers.Disarm(h)
		t.become(tlsOpen)
		t.shake, t.shook = nil, true
		if h.options.shutdown != tlsShutdownDefault {
			t.change().shutdown = h.options.shutdown
		}
		t.opened()
		h.done.wake(nil)
		t.goOn()
	case errors.As(err, &panicked) || err == errCallbackGoexit:
		t.fail(err, "Fatal error: a callback of the tls.Config failed.")
	case t.inputEnded && (err == io.EOF || err == io.ErrUnexpectedEOF):
		t.failed(t.shakeError(fmt.Errorf("the peer has closed the connection: %w", syscall.ECONNRESET)))
	default:
		t.failed(t.shakeError(err))
	}
}

func (t *tlsTransport) shakeError(err error) error {
	return fmt.Errorf("asyncio: handshake of TLS with %v: %w", t.peer(), err)
}

// opened lets the bytes flow.
func (t *tlsTransport) opened() {
	t.writePending()
	if t.heard {
		return
	}
	t.heard = true
	t.call("ConnectionMade", "connection_made", func() { t.protocol.ConnectionMade(t) })
}

// run is the end of the time that the handshake has.
func (h *tlsShake) run(*Loop) {
	t := h.transport
	if t.state == tlsShaking {
		t.failed(t.shakeError(fmt.Errorf("it takes longer than %v: %w, %w", h.options.handshake, syscall.ECONNABORTED, ErrTimeout)))
	}
}

func (h *tlsShake) describe() subject {
	return subject{name: "time limit of the handshake on " + h.transport.String()}
}

// made waits until the handshake is over.
func (t *tlsTransport) made(a awaiter) (Transport, Protocol, error) {
	h := t.shake
	if err := h.done.wait(a); err != nil {
		t.Abort()
		return nil, nil, err
	}
	return t, t.protocol, nil
}

// giveUp ends a handshake that is not over when the connection is lost.
func (h *tlsShake) giveUp(err error) {
	t := h.transport
	t.loop.timers.Disarm(h)
	t.shake = nil
	if h.side != nil {
		h.side.stop()
	}
	if err == nil {
		err = t.shakeError(fmt.Errorf("the connection was closed: %w", syscall.ECONNRESET))
	}
	if s := t.serverBelow(); s != nil && !t.heard && t.loop.debug {
		t.loop.CallExceptionHandler(ErrorContext{
			Message: "Error on transport creation for incoming connection", Exception: err,
			Transport: t, Protocol: t.protocol, Server: s, Context: s.ctx,
		})
	}
	h.done.wake(err)
}

// serverBelow is the server that has accepted the connection, or nil.
func (t *tlsTransport) serverBelow() *Server {
	if below, ok := t.below.(*streamTransport); ok {
		return below.server
	}
	return nil
}

// errTLSWants is what crypto/tls is told when no bytes are there. It is temporary, so
// that a Read may be made again.
type errTLSWants struct{}

func (errTLSWants) Error() string   { return "asyncio: no bytes are there" }
func (errTLSWants) Timeout() bool   { return false }
func (errTLSWants) Temporary() bool { return true }

// tlsWire is a tlsTransport as its tls.Conn sees it: the connection below.
type tlsWire tlsTransport

// Read gives what has come. If that is nothing, a handshake suspends here.
func (w *tlsWire) Read(p []byte) (int, error) {
	t := (*tlsTransport)(w)
	for len(t.input) == 0 {
		if t.pulls {
			if n := t.pull(p); n > 0 {
				return n, nil
			}
		}
		switch {
		case t.inputEnded:
			return 0, io.EOF
		case t.state == tlsLost:
			return 0, net.ErrClosed
		case t.shake == nil:
			return 0, errTLSWants{}
		}
		if err := t.shake.side.suspend(); err != nil {
			return 0, err
		}
	}
	n := copy(p, t.input)
	t.input = t.input[n:]
	return n, nil
}

// Write never waits.
func (w *tlsWire) Write(p []byte) (int, error) { return w.below.Write(p) }

// Close is for callbacks of the tls.Config, which are shown the connection.
func (w *tlsWire) Close() error {
	w.below.Abort()
	return nil
}

func (w *tlsWire) LocalAddr() net.Addr              { return w.below.LocalAddr() }
func (w *tlsWire) RemoteAddr() net.Addr             { return w.below.RemoteAddr() }
func (w *tlsWire) SetDeadline(time.Time) error      { return nil }
func (w *tlsWire) SetReadDeadline(time.Time) error  { return nil }
func (w *tlsWire) SetWriteDeadline(time.Time) error { return nil }
