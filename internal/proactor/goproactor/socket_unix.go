//go:build (linux || darwin) && !goproactor_portable

package goproactor

// What the driver does to sockets of systems that have non-blocking descriptors and
// edge-triggered readiness. The same functions in the same order are in
// socket_portable.go.

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// reader reads for one stream, on the stream's goroutine.
type reader struct {
	s       *stream
	size    int  // of the buffer to read into
	emptied bool // the last read took everything there was
	result  result
	step    func(fd uintptr) bool // the method try
	peek    [1]byte
}

func newReader(s *stream) *reader {
	r := &reader{s: s, size: smallBufferBytes, emptied: s.use != 0}
	r.step = r.try
	return r
}

// read waits until the gate is open and there is something to read, and reads once.
func (r *reader) read() ([]byte, error) {
	if err := r.s.raw.Read(r.step); err != nil {
		return nil, err
	}
	got := r.result
	r.result = result{} // an idle reader must not hold on to the buffer
	return got.buf, got.err
}

// try is false if there is nothing to read. The runtime's poller then waits for an edge,
// so that must be sure: a read that took everything may have left the end of the stream
// behind. While the loop still has the last result, a look ahead finds out, and mostly
// the goroutine is parked again before the loop has come to the result. That spares
// waking it twice. At a pipe there is always a look: where a FIFO has no writer yet, a
// read would find the end.
func (r *reader) try(fd uintptr) bool {
	g := &r.s.gate
	var failed error // told by the look, and by it alone: the kernel tells an error once
	if r.emptied && (r.s.use != 0 || g.state.Load() != gateOpen) {
		failed = r.look(int(fd))
		if failed == syscall.EAGAIN {
			return false
		}
	}
	if !g.enter() {
		r.result = result{err: net.ErrClosed}
		return true
	}
	if r.s.use == proactor.PipeWrite {
		r.result = result{err: io.EOF}
		return true
	}
	buf := getBuffer(r.size)
	buf = buf[:cap(buf)]
	n, err := syscall.Read(int(fd), buf)
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), buf)
	}
	if n <= 0 && failed != nil && failed != syscall.EINTR {
		err = failed
	}
	if n > 0 {
		r.emptied = n < len(buf)
		r.size = nextSize(len(buf), n)
		r.result = result{buf: buf[:n]}
		return true
	}
	putBuffer(buf)
	switch err {
	case nil:
		r.result = result{err: io.EOF}
	case syscall.EAGAIN:
		g.leave()
		return false
	default:
		r.result = result{err: err}
	}
	return true
}

// look is EAGAIN if there is nothing to read; of a pipe for writing only, if its reader
// is there.
func (r *reader) look(fd int) error {
	found := false
	switch r.s.use {
	case 0:
		_, _, err := syscall.Recvfrom(fd, r.peek[:], syscall.MSG_PEEK)
		return err
	case proactor.PipeWrite:
		found = hungUp(fd)
	default:
		found = isReady(fd, toRead)
	}
	if !found {
		return syscall.EAGAIN
	}
	return nil
}

// takeOver goes on with a duplicate of c's descriptor, so that c can be closed, as the
// caller may do at any time. Until there is one, c is left alone.
func takeOver(c conn) (net.Conn, error) {
	f, err := c.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return nil, err
	}
	own, err := net.FileConn(f)
	return own, errors.Join(err, f.Close())
}

// tryWrite writes as much of v as the kernel takes without waiting, which may be nothing.
func (s *stream) tryWrite(v *vector) (int, error) {
	n, err := v.write(s.fd)
	if err == syscall.EAGAIN {
		err = nil
	}
	return n, err
}

// waitWrite waits until the kernel takes some of v.
func (s *stream) waitWrite(v *vector) (n int, err error) {
	waitErr := s.raw.Write(func(fd uintptr) bool {
		n, err = v.write(int(fd))
		return err != syscall.EAGAIN
	})
	if waitErr != nil {
		return 0, waitErr
	}
	return n, err
}
