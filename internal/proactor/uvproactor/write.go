//go:build cgo

package uvproactor

// The writing direction of a stream.

func (s *stream) Write(p []byte) { _ = s.conn.Write(p, nil) } // a failure is told by OnWritten

func (s *stream) WriteV(bufs [][]byte) { _ = s.conn.WriteV(bufs, nil) }

func (s *stream) Flush() { _ = s.conn.Flush() }

func (s *stream) Buffered() int {
	if s.conn.IsClosing() {
		return 0
	}
	return s.conn.WriteQueueSize()
}

func (s *stream) CloseWrite() { _ = s.conn.CloseWrite(nil) }

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
