//go:build cgo

package uvproactor

import (
	"net"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/uv"
)

// conn is a connected stream of package uv.
type conn interface {
	uv.Handle
	SetHandler(uv.StreamHandler)
	ReadStart(func([]byte, error)) error
	ReadStop() error
	Write([]byte, func(error)) error
	Pull([]byte) int
	Flush() error
	WriteQueueSize() int
	CloseWrite(func(error)) error
	Abort()
	Fd() (uintptr, error)
}

// stream implements proactor.Stream, and hears of its conn.
type stream struct {
	conn
	d     *driver
	h     proactor.Handler
	names *names
	ended bool // EOF was told: there is nothing to read
	mute  bool // Failed was told: only Closed follows
}

// names are the addresses, kept from the first question on because a closed socket does not know them.
type names struct {
	local, remote net.Addr
}

func newStream(d *driver, c conn) *stream {
	s := &stream{conn: c, d: d}
	c.SetHandler(s)
	return s
}

func (s *stream) SetHandler(h proactor.Handler) { s.h = h }

func (s *stream) ReadStart() {
	if s.ended || s.mute {
		return
	}
	if err := s.conn.ReadStart(nil); err != nil && !s.IsClosing() {
		s.fail(err)
	}
}

func (s *stream) ReadStop() { _ = s.conn.ReadStop() } // it fails on a closed stream only

func (s *stream) Write(p []byte) { _ = s.conn.Write(p, nil) } // a failure is told by OnWritten

func (s *stream) WriteV(bufs [][]byte) {
	for _, b := range bufs {
		s.Write(b)
	}
}

func (s *stream) Flush() { _ = s.conn.Flush() }

func (s *stream) Buffered() int {
	if s.IsClosing() {
		return 0
	}
	return s.WriteQueueSize()
}

func (s *stream) Close() { s.Abort() }

func (s *stream) CloseWrite() { _ = s.conn.CloseWrite(nil) }

// fail tells a failure that a method has met, from a later Poll.
func (s *stream) fail(err error) {
	s.d.later(func() { s.failed(err) })
}

func (s *stream) failed(err error) {
	if s.mute || s.d.closed || s.IsClosing() {
		return
	}
	s.mute = true
	s.ReadStop()
	s.h.Failed(err)
}

// OnRead and the methods below are uv.StreamHandler.
func (s *stream) OnRead(b []byte, err error) {
	switch {
	case s.mute || s.d.closed:
	case err == nil:
		s.h.Data(b)
	case isEOF(err):
		s.ended = true
		s.h.EOF()
	default:
		s.failed(err)
	}
}

// OnReadable implements uv.PullHandler.
func (s *stream) OnReadable() bool {
	if s.mute || s.d.closed {
		return false
	}
	h, ok := s.h.(proactor.PullHandler)
	return ok && h.Readable(s)
}

func isEOF(err error) bool {
	e, ok := err.(*uv.Error)
	return ok && e.Errno == uv.EOF
}

func (s *stream) OnWritten(_ int, err error) {
	switch {
	case s.mute || s.d.closed:
	case err != nil:
		s.failed(err)
	default:
		s.h.Drained()
	}
}

func (s *stream) OnClosed() {
	if s.h != nil && !s.d.closed {
		s.h.Closed()
	}
}

func (s *stream) addresses() *names {
	if s.names == nil {
		s.names = new(names)
		s.names.local, s.names.remote = addresses(s.conn)
	}
	return s.names
}

func (s *stream) LocalAddr() net.Addr  { return s.addresses().local }
func (s *stream) RemoteAddr() net.Addr { return s.addresses().remote }

func (s *stream) FD() int { return fd(s.conn) }

func fd(c interface{ Fd() (uintptr, error) }) int {
	n, err := c.Fd()
	if err != nil {
		return -1
	}
	return int(n)
}
