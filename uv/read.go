//go:build cgo

package uv

// Reading. The bridge reads what is small into its slab, and a record names the bytes.
// Between the read and the callback the world may move on: a callback of the same turn
// may have stopped the stream. Bytes that are out of the kernel must not be lost, so they
// are copied to the stream's late part, and an end or an error behind them is kept there
// too. A ReadStart delivers the late part first, in the next turn.
//
// Of a stream that brings much a record tells only that it is readable. It is read when
// the record is dispatched, straight before its callback, into one buffer that all such
// streams of the loop share; or by its handler, with Pull, straight into the memory where
// the bytes are wanted.

import "github.com/seed-a026a017/asyncio/cbridge"

// pullBytesMax is what one stream may bring in a turn when it is read by itself. 256 KiB
// cost 0.8 times a C server's time for echoes of 100 KiB, where 64 KiB cost as much as
// that server, which reads 64 KiB too.
const pullBytesMax = 256 * 1024

// PullHandler is a StreamHandler that may read by itself what comes in bulk.
type PullHandler interface {
	StreamHandler
	// OnReadable tells that a stream that brings much has more. True: the handler has
	// called Pull, or will before the next turn. False: OnRead brings the bytes.
	OnReadable() bool
}

// latePart is what was read and not yet delivered.
type latePart struct {
	data []byte
	err  error
}

// ReadStart begins to read, or goes on after ReadStop; uv_read_start. cb is called with
// bytes, which are valid until it returns, and once with an error, which ends reading:
// errors.Is finds io.EOF in it at the end of the stream. After that another ReadStart
// reports the end again. cb nil keeps the callback, or the handler, that there is; while
// the stream reads, another one takes its place. The error is ErrClosed, ENOTCONN before
// the stream is connected, or EINVAL without a callback.
func (s *Stream) ReadStart(cb func(b []byte, err error)) error {
	if err := s.check("Stream.ReadStart"); err != nil {
		return err
	}
	if s.flags&streamConnected == 0 {
		return s.fail("read_start", int(ENOTCONN))
	}
	if cb != nil {
		s.h = readFunc(cb)
	}
	if s.h == nil {
		return s.fail("read_start", int(EINVAL))
	}
	if s.flags&streamReading != 0 {
		return nil
	}
	s.flags |= streamReading
	if s.late != nil {
		s.queueLate()
		if s.late.err != nil {
			return nil
		}
	}
	s.loop.submit(cbridge.OpReadStart, s.slot, s.gen, 0)
	return nil
}

// ReadStop ends the calls of the read callback at once; uv_read_stop. Bytes that were
// read already are kept for the next ReadStart. Idempotent; the error is ErrClosed.
func (s *Stream) ReadStop() error {
	if err := s.check("Stream.ReadStop"); err != nil {
		return err
	}
	if s.flags&streamReading == 0 {
		return nil
	}
	s.flags &^= streamReading
	s.loop.submit(cbridge.OpReadStop, s.slot, s.gen, 0)
	return nil
}

func (s *Stream) queueLate() {
	if s.flags&streamLateQueued == 0 {
		s.flags |= streamLateQueued
		s.loop.late = append(s.loop.late, s)
	}
}

// deliverLate delivers the late parts of the streams that read again.
func (l *Loop) deliverLate() {
	for n := len(l.late); n > 0; n-- {
		s := l.late[0]
		l.late[0] = nil
		l.late = l.late[1:]
		s.flags &^= streamLateQueued
		s.deliverLate()
	}
	if len(l.late) == 0 {
		l.late = nil
	}
}

func (s *Stream) deliverLate() {
	if p := s.late; p != nil && len(p.data) > 0 && s.flags&streamReading != 0 {
		data := p.data
		p.data = nil
		if p.err == nil {
			s.late = nil
		} else {
			s.queueLate() // the end comes in the next turn
		}
		s.loop.calls++
		s.h.OnRead(data, nil)
		return
	}
	if p := s.late; p != nil && p.err != nil && len(p.data) == 0 && s.flags&streamReading != 0 {
		s.flags &^= streamReading
		if s.kind == TTYHandle && p.err == errReadEOF {
			s.late = nil // somebody has typed it, and may type on
		}
		s.loop.calls++
		s.h.OnRead(nil, p.err) // and p stays: the next ReadStart reports the same
	}
}

// read brings bytes from the slab.
func (s *Stream) read(r cbridge.Record) {
	b := s.loop.b.Slab[r.Value : r.Value+uint64(r.Status) : r.Value+uint64(r.Status)]
	if s.loop.checks {
		s.loop.slabUsed = max(s.loop.slabUsed, int(r.Value)+len(b))
	}
	switch {
	case s.state != handleOpen:
	case s.late == nil && s.flags&streamReading != 0:
		s.loop.calls++
		s.h.OnRead(b, nil)
	default:
		if s.late == nil {
			s.late = new(latePart)
		}
		s.late.data = append(s.late.data, b...)
	}
}

// pull reads what a readable stream has, as much as fits the loop's buffer. If there is
// more, the next turn tells.
func (s *Stream) pull() {
	l := s.loop
	if s.state != handleOpen || s.flags&streamReading == 0 || s.late != nil {
		return
	}
	if h, ok := s.h.(PullHandler); ok {
		l.readable = s
		pulls := h.OnReadable()
		l.readable = nil
		if pulls {
			l.calls++
			return
		}
		if s.state != handleOpen || s.flags&streamReading == 0 { // the handler has changed its mind
			return
		}
	}
	if l.pulled == nil {
		l.pulled = make([]byte, pullBytesMax)
	}
	n := s.readNow(l.pulled)
	switch {
	case n > 0:
		if l.checks {
			l.pulledUsed = max(l.pulledUsed, n)
		}
		l.calls++
		s.h.OnRead(l.pulled[:n:n], nil)
	case n < 0:
		s.readEnd(s.readError(n))
	}
}

// Pull reads into p at once what the kernel has, and returns how much that is. It is 0 if
// there is nothing, if the stream does not read, and if bytes that were read before it
// are still to be delivered. It is 0 too at the end of the stream and when reading has
// failed: a later turn tells that to the handler.
func (s *Stream) Pull(p []byte) int {
	l := s.loop
	if s.check("Stream.Pull") != nil || s.flags&streamReading == 0 || s.late != nil || len(p) == 0 {
		return 0
	}
	if l.cur < l.lim && l.readable != s { // an earlier read of the stream may be among the records
		return 0
	}
	n := s.readNow(p)
	if n < 0 {
		err := s.readError(n)
		l.later(func() { s.readEnd(err) })
		return 0
	}
	return n
}

// readNow is one read(2) of a stream that brings much: the number of bytes, 0 if there
// are none or the stream is at its end, or a code, after which the bridge has stopped
// reading.
func (s *Stream) readNow(p []byte) int {
	if fd := s.rawFD(); fd > 0 {
		n := rawRead(fd, p)
		switch {
		case n == int(EAGAIN) || n == int(EINTR):
			return 0
		case n < 0:
			s.loop.submit(cbridge.OpReadStop, s.slot, s.gen, 0)
		case n < cbridge.LargeBytesMin:
			s.loop.submit(cbridge.OpReadSmall, s.slot, s.gen, 0) // at the end too, so that the bridge finds it
		}
		return n
	}
	return s.loop.b.Read(s.id(), p)
}

// Descriptors of streams that the bridge alone reads and writes.
const (
	noRawFD = -1
	ipcFD   = -2 // of a Pipe that passes handles
)

// rawFD is the descriptor for rawRead and rawWrite, not positive if there is none to use.
func (s *Stream) rawFD() int {
	if s.fd == 0 {
		s.fd = noRawFD
		if fd := s.loop.b.Fileno(s.id()); fd > 0 && rawIO(fd) {
			s.fd = int32(fd)
		}
	}
	return int(s.fd)
}

// readEnd brings the end of the stream, or an error; the bridge has stopped reading.
func (s *Stream) readEnd(err error) {
	if s.state != handleOpen {
		return
	}
	if s.late == nil {
		s.late = new(latePart)
	}
	s.late.err = err
	if s.flags&streamLateQueued == 0 {
		s.deliverLate()
	}
}

func (s *Stream) readError(code int) error {
	if code == int(EOF) {
		return errReadEOF
	}
	return s.fail("read", code)
}

var errReadEOF error = &Error{Op: "read", Errno: EOF}
