//go:build cgo

package uvproactor

// The writing direction of a stream.

import (
	"errors"
	"math"

	"github.com/seed-a026a017/asyncio/uv"
)

// Write hears of failures by OnWritten, but for those of a write after CloseWrite.
func (s *stream) Write(p []byte) {
	if err := s.conn.Write(p, nil); err != nil {
		s.refused(len(p), err)
	}
}

func (s *stream) WriteV(bufs [][]byte) {
	if err := s.conn.WriteV(bufs, nil); err != nil {
		n := 0
		for _, p := range bufs {
			n += len(p)
		}
		s.refused(n, err)
	}
}

// refused counts n bytes that were not written because of err.
func (s *stream) refused(n int, err error) {
	if n == 0 || s.conn.IsClosing() {
		return
	}
	if s.lost == 0 {
		s.fail(err)
	}
	s.lost = int32(min(int64(s.lost)+int64(n), math.MaxInt32))
}

func (s *stream) Flush() { _ = s.conn.Flush() }

func (s *stream) Buffered() int {
	if s.conn.IsClosing() {
		return 0
	}
	return s.conn.WriteQueueSize() + int(s.lost)
}

// CloseWrite fails at once on a closed stream, and after another one.
func (s *stream) CloseWrite() { _ = s.conn.CloseWrite(s.shutdown) }

// shutdown is the end of CloseWrite. A peer that has reset the connection needs no end,
// and a failed write or Close, which cancels it, tells for itself.
func (s *stream) shutdown(err error) {
	if err != nil && !errors.Is(err, uv.ENOTCONN) && !errors.Is(err, uv.ECANCELED) {
		s.failed(err)
	}
}

// OnWritten implements uv.StreamHandler.
func (s *stream) OnWritten(_ int, err error) {
	switch {
	case s.broken || s.d.closed:
	case err != nil:
		s.failed(err)
	default:
		s.h.Drained()
	}
}
