package goproactor

// A stream is a connection. This file has its life: how it begins, fails and ends.
// read.go has one direction, write.go the other.
//
// Invariants:
//   - A stream is usable until broken (a failure was found) or closed (Close was called);
//     both are for good.
//   - Results of goroutines that arrive after that are released, and no handler hears of
//     them but Closed.

import (
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// conn is what *net.TCPConn, *net.UnixConn and pipeConn have in common.
type conn interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

type stream struct {
	d    *driver
	conn conn
	raw  syscall.RawConn
	fd   int
	use  proactor.PipeUse // of OpenPipe, or 0
	h    proactor.Handler
	err  error // what broke it, until the handler has heard

	broken bool
	closed bool
	input
	output
}

// Kinds of completion that a stream is itself, so that they cost no memory.
type (
	failedEvent stream // a failure that the loop has found
	closedEvent stream // the stream was closed
)

// newStream takes over c, also when it fails.
func newStream(d *driver, c net.Conn) (*stream, error) {
	s := &stream{d: d, conn: c.(conn), fd: -1}
	raw, err := s.conn.SyscallConn()
	if err == nil {
		s.raw = raw
		err = raw.Control(func(fd uintptr) { s.fd = int(fd) })
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	d.descriptors.add(s.fd)
	s.gate.bell = make(chan struct{}, 1)
	d.streams[s] = struct{}{}
	return s, nil
}

func (s *stream) SetHandler(h proactor.Handler) { s.h = h }

// Close cannot report an error to anyone: the descriptor is gone in any case, and what
// the peer got only the peer knows.
func (s *stream) Close() {
	if s.closed {
		return
	}
	_ = s.release()
	delete(s.d.streams, s)
	s.d.later((*closedEvent)(s))
}

func (s *stream) LocalAddr() net.Addr  { return addressOf(s.conn.LocalAddr()) }
func (s *stream) RemoteAddr() net.Addr { return addressOf(s.conn.RemoteAddr()) }
func (s *stream) FD() int              { return s.fd }

func (s *stream) usable() bool { return !s.broken && !s.closed }

// breaks makes the stream unusable. The handler hears of it from a later Poll.
func (s *stream) breaks(op string, err error) {
	if !s.usable() {
		return
	}
	s.broken = true
	s.err = s.named(op, err)
	s.d.later((*failedEvent)(s))
}

// named makes err say what failed, and on what.
func (s *stream) named(op string, err error) error {
	var known *net.OpError
	if errors.As(err, &known) {
		return err
	}
	if errno, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError(op, errno)
	}
	failed := &net.OpError{Op: op, Net: "pipe", Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: err}
	if s.use == 0 {
		failed.Net = failed.Source.Network()
	}
	return failed
}

func (f *failedEvent) complete() {
	if s := (*stream)(f); !s.closed {
		err := s.err
		s.err = nil
		s.h.Failed(err)
	}
}

func (f *failedEvent) discard() {}

// release frees the descriptor and the buffers. The goroutines of the stream let go of
// the descriptor on their own, and conn.Close waits until they have.
func (s *stream) release() error {
	s.closed = true
	s.d.descriptors.remove(s.fd)
	s.fd = -1
	s.gate.close()
	err := s.conn.Close()
	if errors.Is(err, net.ErrClosed) { // by the caller of Adopt
		err = nil
	}
	s.dropKept()
	s.dropOutput()
	return err
}

func (f *closedEvent) complete() {
	if s := (*stream)(f); s.h != nil {
		s.h.Closed()
	}
}

func (f *closedEvent) discard() {}
