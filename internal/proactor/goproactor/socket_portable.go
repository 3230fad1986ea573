//go:build !(linux || darwin) || goproactor_portable

package goproactor

// What the driver does to sockets where it can only wait, which is Windows: reads and
// writes are overlapped there. Every write is a pendingWrite. The tag goproactor_portable
// puts this file to the test elsewhere.

import (
	"io"
	"net"
	"runtime"
	"time"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// reader reads for one stream, on the stream's goroutine.
type reader struct {
	s    *stream
	size int // of the buffer to read into
}

func newReader(s *stream) *reader { return &reader{s: s, size: smallBufferBytes} }

// read waits until the gate is open and there is something to read, and reads once.
func (r *reader) read() ([]byte, error) {
	if !r.s.gate.enter() {
		return nil, net.ErrClosed
	}
	switch r.s.use {
	case 0:
	case proactor.PipeWrite:
		if err := r.s.raw.Read(func(fd uintptr) bool { return hungUp(int(fd)) }); err != nil {
			return nil, err
		}
		return nil, io.EOF
	default: // where a FIFO has no writer yet, a read would find the end
		if err := r.s.raw.Read(func(fd uintptr) bool { return isReady(int(fd), toRead) }); err != nil {
			return nil, err
		}
	}
	if runtime.GOOS == "windows" {
		// There the wait is a read of no bytes, and comes before the second call. It
		// spares an idle stream its buffer.
		waited := false
		err := r.s.raw.Read(func(uintptr) bool {
			waited = !waited
			return !waited
		})
		if err != nil {
			return nil, err
		}
	}
	buf := getBuffer(r.size)
	buf = buf[:cap(buf)]
	n, err := r.s.conn.Read(buf)
	if n == 0 {
		putBuffer(buf)
		return nil, err
	}
	r.size = nextSize(len(buf), n)
	return buf[:n], nil
}

// takeOver takes c itself: Windows has no duplicates that package net takes.
func takeOver(c conn) (net.Conn, error) {
	return c, c.SetDeadline(time.Time{})
}

// tryWrite cannot try without waiting here.
func (s *stream) tryWrite(*vector) (int, error) { return 0, nil }

// waitWrite waits until the kernel has taken v.
func (s *stream) waitWrite(v *vector) (int, error) {
	bufs := net.Buffers(v.bufs)
	n, err := bufs.WriteTo(s.conn)
	return int(n), err
}

// vector is a list of pieces to write.
type vector struct {
	bufs [][]byte
}
