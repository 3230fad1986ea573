//go:build cgo

package uvproactor

// The reading direction of a stream.

import (
	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/uv"
)

func (s *stream) ReadStart() {
	if s.ended || s.broken {
		return
	}
	if err := s.conn.ReadStart(nil); err != nil && !s.conn.IsClosing() {
		s.fail(err)
	}
}

func (s *stream) ReadStop() { _ = s.conn.ReadStop() } // it fails on a closed stream only

func (s *stream) Pull(p []byte) int { return s.conn.Pull(p) }

// OnRead implements uv.StreamHandler.
func (s *stream) OnRead(b []byte, err error) {
	switch {
	case s.broken || s.d.closed:
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
	if s.broken || s.d.closed {
		return false
	}
	h, ok := s.h.(proactor.PullHandler)
	return ok && h.Readable(s)
}

func isEOF(err error) bool {
	e, ok := err.(*uv.Error)
	return ok && e.Errno == uv.EOF
}
