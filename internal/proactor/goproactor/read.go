package goproactor

// The reading direction of a stream: a goroutine that waits and reads, and the loop that
// hands over what it has read.
//
// Invariants:
//   - The reader takes a buffer only when the gate is open and there is probably
//     something to read; an idle connection has none.
//   - result belongs to the reader while the gate is open or reading, to the loop from
//     pass until let.
//   - held is true if and only if the loop holds the gate and kept is false and no Data
//     runs: reading is stopped.
//   - The reader ends with the result that carries an error (io.EOF is one), or when the
//     gate is closed.

import (
	"errors"
	"io"
	"net"
)

type input struct {
	gate    gate
	result  result
	started bool // the reader runs, or has run
	reading bool // the handler wants to be called
	held    bool // the loop shut the gate, or did not open it again
	kept    bool // result was brought while reading was stopped
	over    bool // the last result was handed over
}

// result is what one read has brought: bytes in a pooled buffer, or an error.
type result struct {
	buf []byte
	err error
}

// readEvent is the completion of a read.
type readEvent stream

func (s *stream) ReadStart() {
	if s.reading || s.over || !s.usable() {
		return
	}
	s.reading = true
	switch {
	case !s.started:
		s.started = true
		s.d.goroutines.Add(1)
		go s.readAll()
	case s.kept:
		s.kept = false
		s.d.later((*readEvent)(s))
	case s.held:
		s.held = false
		s.gate.let()
	}
}

func (s *stream) ReadStop() {
	if s.reading {
		s.reading = false
		s.held = s.gate.shut()
	}
}

// readAll is the reader.
func (s *stream) readAll() {
	defer s.d.goroutines.Done()
	r := newReader(s)
	for {
		buf, err := r.read()
		if errors.Is(err, net.ErrClosed) {
			return // by Close, which waits for no result
		}
		s.result = result{buf, err}
		s.gate.pass()
		s.d.post((*readEvent)(s))
		if err != nil {
			return
		}
	}
}

// nextSize is the size of the buffer to read into after a read that brought n bytes into
// size bytes: the small one until it was filled, the large one until what comes would fit
// a small one.
func nextSize(size, n int) int {
	switch {
	case n == size:
		return largeBufferBytes
	case n <= smallBufferBytes:
		return smallBufferBytes
	}
	return size
}

func (a *readEvent) complete() {
	s := (*stream)(a)
	switch {
	case !s.usable():
		a.discard()
	case !s.reading:
		s.kept = true
	case s.result.err == io.EOF:
		s.over, s.reading = true, false
		s.h.EOF()
	case s.result.err != nil:
		s.over, s.reading, s.broken = true, false, true
		s.h.Failed(s.named("read", s.result.err))
	default:
		defer s.handedOver() // also when the handler panics
		s.h.Data(s.result.buf)
	}
}

// handedOver follows a call of Data.
func (s *stream) handedOver() {
	s.releaseResult()
	if s.closed {
		return
	}
	if s.reading {
		s.gate.let()
	} else {
		s.held = true
	}
}

func (a *readEvent) discard() { (*stream)(a).releaseResult() }

func (s *stream) releaseResult() {
	putBuffer(s.result.buf)
	s.result = result{}
}

func (s *stream) dropKept() {
	if s.kept {
		s.kept = false
		s.releaseResult()
	}
}
