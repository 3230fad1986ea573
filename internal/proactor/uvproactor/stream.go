//go:build cgo

package uvproactor

import (
	"net"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/uv"
)

// stream implements proactor.Stream, and hears of its connection. It is small: a server
// holds one for every idle connection.
type stream struct {
	conn  *uv.Stream
	d     *driver
	h     proactor.Handler
	names *names
	ended bool // EOF was told: there is nothing to read
	mute  bool // Failed was told: only Closed follows
}

// names are the addresses, kept from the first question on because a closed socket does
// not know them.
type names struct {
	local, remote net.Addr
}

func newStream(d *driver, c *uv.Stream) *stream {
	s := &stream{conn: c, d: d}
	c.SetHandler(s)
	return s
}

func (s *stream) SetHandler(h proactor.Handler) { s.h = h }

func (s *stream) ReadStart() {
	if s.ended || s.mute {
		return
	}
	if err := s.conn.ReadStart(nil); err != nil && !s.conn.IsClosing() {
		s.fail(err)
	}
}

func (s *stream) ReadStop() { _ = s.conn.ReadStop() } // it fails on a closed stream only

func (s *stream) Write(p []byte) { _ = s.conn.Write(p, nil) } // a failure is told by OnWritten

func (s *stream) WriteV(bufs [][]byte) { _ = s.conn.WriteV(bufs, nil) }

func (s *stream) Flush() { _ = s.conn.Flush() }

func (s *stream) Buffered() int {
	if s.conn.IsClosing() {
		return 0
	}
	return s.conn.WriteQueueSize()
}

func (s *stream) Close() { s.conn.Abort() }

func (s *stream) Pull(p []byte) int { return s.conn.Pull(p) }

func (s *stream) CloseWrite() { _ = s.conn.CloseWrite(nil) }

// fail tells a failure that a method has met, from a later Poll.
func (s *stream) fail(err error) {
	s.d.later(func() { s.failed(err) })
}

func (s *stream) failed(err error) {
	if s.mute || s.d.closed || s.conn.IsClosing() {
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
		s.names.local, s.names.remote = addresses(s.conn.Handle())
	}
	return s.names
}

func (s *stream) LocalAddr() net.Addr  { return s.addresses().local }
func (s *stream) RemoteAddr() net.Addr { return s.addresses().remote }

func (s *stream) FD() int { return fd(s.conn) }

func fd(s *uv.Stream) int {
	n, err := s.Fd()
	if err != nil {
		return -1
	}
	return int(n)
}
