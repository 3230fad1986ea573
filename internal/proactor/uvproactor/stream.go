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
	conn   *uv.Stream
	d      *driver
	h      proactor.Handler
	names  *names
	lost   int32 // bytes written after CloseWrite
	ended  bool  // EOF was told: there is nothing to read
	broken bool  // Failed was told: only Closed follows
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

func (s *stream) Close() { s.conn.Abort() }

func (s *stream) LocalAddr() net.Addr  { return s.addresses().local }
func (s *stream) RemoteAddr() net.Addr { return s.addresses().remote }

func (s *stream) FD() int { return fd(s.conn) }

// fail tells a failure that a method has met, from a later Poll.
func (s *stream) fail(err error) {
	s.d.later(func() { s.failed(err) })
}

func (s *stream) failed(err error) {
	if s.broken || s.d.closed || s.conn.IsClosing() {
		return
	}
	s.broken = true
	s.ReadStop()
	s.h.Failed(err)
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

func fd(s *uv.Stream) int {
	n, err := s.Fd()
	if err != nil {
		return -1
	}
	return int(n)
}
