package proactortest

import (
	"bytes"
	"errors"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// recorder is a Handler that keeps what it hears and checks what always holds:
//   - no handler runs inside the call that caused it, outside Poll, or after Close of the
//     proactor;
//   - Data comes only while reading, never empty, never after EOF;
//   - after Failed or Close only Closed comes, after Closed nothing;
//   - at Drained, Buffered is smaller than it was.
//
// It belongs to the loop's goroutine; with -race its plain fields find a driver that
// calls from another one.
type recorder struct {
	r *rig
	s proactor.Stream

	got     []byte // what Data brought, unless onData is set
	eof     bool
	err     error // of Failed
	drained int
	closed  bool

	onData    func(b []byte)
	onEOF     func()
	onDrained func()
	onClosed  func()

	reading  bool // between readStart and readStop
	closing  bool // close was called
	buffered int  // after the last write or Drained
}

func (r *rig) record(s proactor.Stream) *recorder {
	rec := &recorder{r: r, s: s}
	s.SetHandler(rec)
	return rec
}

func (rec *recorder) readStart() { rec.reading = true; rec.s.ReadStart() }
func (rec *recorder) readStop()  { rec.reading = false; rec.s.ReadStop() }
func (rec *recorder) close()     { rec.closing = true; rec.s.Close() }

func (rec *recorder) write(p []byte) {
	rec.s.Write(p)
	rec.buffered = rec.s.Buffered()
}

func (rec *recorder) writeV(bufs ...[]byte) {
	rec.s.WriteV(bufs)
	rec.buffered = rec.s.Buffered()
}

func (rec *recorder) enter(name string) (leave func()) {
	rec.r.t.Helper()
	switch {
	case rec.closed:
		rec.r.t.Errorf("%s after Closed", name)
	case name == "Closed":
		if !rec.closing {
			rec.r.t.Errorf("Closed without Close")
		}
	case rec.closing:
		rec.r.t.Errorf("%s after Close", name)
	case rec.err != nil:
		rec.r.t.Errorf("%s after Failed", name)
	}
	return rec.r.handler(name)
}

func (rec *recorder) Data(b []byte) {
	defer rec.enter("Data")()
	switch {
	case len(b) == 0:
		rec.r.t.Errorf("Data without data")
	case !rec.reading:
		rec.r.t.Errorf("Data while reading is stopped")
	case rec.eof:
		rec.r.t.Errorf("Data after EOF")
	}
	if rec.onData != nil {
		rec.onData(b)
	} else {
		rec.got = append(rec.got, b...)
	}
	clear(b) // it is the driver's memory, but nobody else may need what was in it
}

func (rec *recorder) EOF() {
	defer rec.enter("EOF")()
	switch {
	case rec.eof:
		rec.r.t.Errorf("EOF twice")
	case !rec.reading:
		rec.r.t.Errorf("EOF while reading is stopped")
	}
	rec.eof = true
	if rec.onEOF != nil {
		rec.onEOF()
	}
}

func (rec *recorder) Drained() {
	defer rec.enter("Drained")()
	now := rec.s.Buffered()
	if now >= rec.buffered {
		rec.r.t.Errorf("Drained with %d bytes buffered, %d before", now, rec.buffered)
	}
	rec.buffered = now
	rec.drained++
	if rec.onDrained != nil {
		rec.onDrained()
	}
}

func (rec *recorder) Failed(err error) {
	defer rec.enter("Failed")()
	if err == nil {
		err = errors.New("Failed(nil)")
		rec.r.t.Error(err)
	}
	rec.err = err
	rec.close()
}

func (rec *recorder) Closed() {
	defer rec.enter("Closed")()
	rec.closed = true
	if rec.onClosed != nil {
		rec.onClosed()
	}
}

func (rec *recorder) isClosed() bool { return rec.closed }
func (rec *recorder) isEOF() bool    { return rec.eof }

// acceptor is an AcceptHandler.
type acceptor struct {
	r        *rig
	accepted func(s proactor.Stream)
	failed   func(err error) // nil: no failure is expected
}

func (a *acceptor) Accepted(s proactor.Stream) {
	defer a.r.handler("Accepted")()
	a.accepted(s)
}

func (a *acceptor) AcceptFailed(err error) {
	defer a.r.handler("AcceptFailed")()
	if a.failed == nil {
		a.r.t.Errorf("AcceptFailed: %v", err)
		return
	}
	a.failed(err)
}

// patternBytes is prime, so that no buffer size divides it and bytes out of order show.
const patternBytes = 65521

var pattern = func() []byte {
	b := make([]byte, 2*patternBytes)
	x := uint32(1)
	for i := range patternBytes {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
		b[i+patternBytes] = b[i]
	}
	return b
}()

// patternAt is up to n bytes of an endless pattern from offset off.
func patternAt(off, n int) []byte {
	off %= patternBytes
	return pattern[off : off+min(n, patternBytes)]
}

// checker follows a stream of pattern bytes.
type checker struct {
	off   int
	wrong bool
}

func (c *checker) check(b []byte) {
	for len(b) > 0 {
		want := patternAt(c.off, len(b))
		c.wrong = c.wrong || !bytes.Equal(b[:len(want)], want)
		c.off += len(want)
		b = b[len(want):]
	}
}
