package asyncio

// What a server's connections hold. Nothing is counted while they read and write: the
// buffers know their sizes, and are asked when somebody wants to know.

import "time"

// ServerStats is a copy, safe to keep.
type ServerStats struct {
	Connections   int // accepted and not lost
	ReadBuffered  int // bytes that have come and wait for the program, see Loop.Buffered
	WriteBuffered int // bytes written that the kernel has not taken
	ReadsPaused   int // connections that are not read now: their program has enough
	WritesPaused  int // connections over their high-water mark: Drain waits, PauseWriting was called

	ConnectionsMax int           // WithMaxConnections; 0: no limit
	ReadLimit      int           // bytes; WithLimit
	WriteHigh      int           // bytes; WithWriteBufferLimits: the marks that a connection begins with
	WriteLow       int           // bytes
	IdleTimeout    time.Duration // WithIdleTimeout; 0: no limit
}

// Stats tells what the server's connections hold, and how much that may be. It looks at
// every connection of the loop, so ask now and then, not for every request.
func (s *Server) Stats() ServerStats {
	if s.loop.debug {
		s.loop.checkGoroutine("Server.Stats")
	}
	high, low := s.stream.marks()
	stats := ServerStats{
		Connections:    s.clients,
		ConnectionsMax: s.maximum,
		ReadLimit:      s.stream.limit,
		WriteHigh:      high,
		WriteLow:       low,
		IdleTimeout:    s.stream.idle,
	}
	s.eachTransport(func(t *streamTransport) {
		read, write := t.held()
		stats.ReadBuffered += read
		stats.WriteBuffered += write
		if t.readingPaused {
			stats.ReadsPaused++
		}
		if t.writingPaused {
			stats.WritesPaused++
		}
	})
	return stats
}

// eachTransport calls fn for the connections that the server has accepted.
func (s *Server) eachTransport(fn func(t *streamTransport)) {
	s.loop.owned.each(func(o owned) {
		if t, ok := o.(*streamTransport); ok && t.server == s {
			fn(t)
		}
	})
}

// holdingProtocol is a protocol of this package that keeps bytes for the program.
type holdingProtocol interface{ heldBytes() int }

// held implements holder.
func (t *streamTransport) held() (read, write int) {
	if rest := t.look().leftover; rest != nil {
		read = len(rest.data)
	}
	if p, ok := t.protocol.(holdingProtocol); ok {
		read += p.heldBytes()
	}
	if t.state != transportLost {
		write = t.stream.Buffered()
	}
	return read, write
}
