//go:build cgo

package uv

// Streams: what TCP connections, pipes and terminals share. Reading is in read.go,
// writing in write.go, listening in listen.go.

import (
	"fmt"
	"unsafe"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// flags of a stream.
const (
	streamReading     uint8 = 1 << iota // the user wants bytes
	streamWriteFailed                   // a write has failed: nothing more can be written
	streamShutdown                      // CloseWrite was called
	streamConnecting
	streamConnected // may read and write
	streamLateQueued
)

// Stream is the common part of TCP, Pipe and TTY, uv_stream_t.
type Stream struct {
	handle
	h        StreamHandler
	late     *latePart
	dones    *doneQueue // while writes with a callback are outstanding, see write.go
	requests *streamRequests
	queued   int    // bytes that the bridge keeps because the kernel has not taken them
	seq      uint64 // the flush that gathered and op belong to, and before which the stream has written
	gathered uint32 // bytes in the coming flush
	op       uint16 // index of this stream's write operation in it
	flags    uint8
	several  bool // a write has come behind the first one before a flush
}

// StreamHandler hears of a stream. It is an alternative to callbacks for code that has an
// object for each stream anyway.
type StreamHandler interface {
	// OnRead brings bytes, or the error that has ended reading; io.EOF in the sense of
	// errors.Is at the end. The bytes are valid until OnRead returns.
	OnRead(b []byte, err error)
	// OnWritten tells that the kernel has taken n bytes that it had left behind before,
	// or that writing has failed.
	OnWritten(n int, err error)
	// OnClosed is the last call, after Close.
	OnClosed()
}

// streamRequests are the callbacks of requests that a stream rarely has.
type streamRequests struct {
	connected func(error)
	connectTo fmt.Stringer // the address, for errors
	stopWatch func() bool  // of ConnectContext
	shutdown  func(error)
	listener  *listener
}

// Handle is the TCP, the Pipe or the TTY that the stream is part of: all of it.
func (s *Stream) Handle() Handle {
	switch s.kind {
	case PipeHandle:
		return (*Pipe)(unsafe.Pointer(s))
	case TTYHandle:
		return (*TTY)(unsafe.Pointer(s))
	}
	return (*TCP)(unsafe.Pointer(s))
}

func (s *Stream) reqs() *streamRequests {
	if s.requests == nil {
		s.requests = new(streamRequests)
	}
	return s.requests
}

// open gives the stream a descriptor.
func (s *Stream) open(method string, fd uintptr) error {
	if err := s.check(method); err != nil {
		return err
	}
	code := s.loop.b.Open(s.id(), int(fd))
	if code < 0 {
		return s.fail("open", code)
	}
	if code > 0 {
		s.flags |= streamConnected
	}
	return nil
}

type readFunc func(b []byte, err error)

func (f readFunc) OnRead(b []byte, err error) { f(b, err) }
func (readFunc) OnWritten(int, error)         {}
func (readFunc) OnClosed()                    {}

// SetHandler chooses who hears of the stream. A later ReadStart with a callback takes its
// place.
func (s *Stream) SetHandler(h StreamHandler) {
	s.loop.use("Stream.SetHandler")
	s.h = h
}

func (s *Stream) record(r cbridge.Record) {
	if r.Gen != s.gen {
		return
	}
	switch r.Kind {
	case cbridge.RecRead:
		s.read(r)
	case cbridge.RecEOF:
		s.readEnd(errReadEOF)
	case cbridge.RecReadable:
		s.pull()
	case cbridge.RecReadError:
		s.readEnd(s.fail("read", int(r.Status)))
	case cbridge.RecWritten:
		s.written(int(r.Value))
	case cbridge.RecWriteError:
		s.writeFailed(s.fail("write", int(r.Status)))
	case cbridge.RecConnect:
		s.connectEnd(s.result("connect", int(r.Status)))
	case cbridge.RecShutdown:
		s.shutdownEnd(s.result("shutdown", int(r.Status)))
	case cbridge.RecAccept:
		s.accepted(r)
	case cbridge.RecAcceptError:
		s.acceptFailed(s.fail("accept", int(r.Status)))
	case cbridge.RecClosed:
		s.finish()
	}
}

// connectEnd ends the connect request. After Close it brings ECANCELED.
func (s *Stream) connectEnd(err error) {
	s.flags &^= streamConnecting
	switch {
	case err != nil:
	case s.state == handleOpen:
		s.flags |= streamConnected
	default:
		err = s.fail("connect", int(ECANCELED))
	}
	r := s.requests
	if r == nil || r.connected == nil {
		return
	}
	done := r.connected
	r.connected = nil
	s.requests = nil // r is the old connect's: the end of its context must not find a later one
	if r.shutdown != nil {
		s.reqs().shutdown = r.shutdown
	}
	if e, ok := err.(*Error); ok {
		e.Addr = r.connectTo.String()
	}
	if r.stopWatch != nil {
		r.stopWatch()
	}
	if err != nil { // the callback may connect anew, and panic
		s.dropGathered()
		s.queued = 0
		s.cancelRequests()
		s.flags &^= streamShutdown
	}
	s.loop.calls++
	done(err)
}

// cancelRequests ends what is outstanding with ECANCELED.
func (s *Stream) cancelRequests() {
	if s.dones != nil {
		s.failDones(s.fail("write", int(ECANCELED)))
	}
	if s.requests != nil && s.requests.shutdown != nil {
		s.shutdownEnd(s.fail("shutdown", int(ECANCELED)))
	}
}

// IsActive reports whether the stream reads, writes, connects or listens; uv_is_active.
func (s *Stream) IsActive() bool {
	s.loop.use("Stream.IsActive")
	if s.state != handleOpen {
		return false
	}
	s.loop.flush()
	return s.active || s.flags&streamConnecting != 0 || s.loop.b.IsActive(s.id())
}

// IsReadable and IsWritable report what the stream could do; uv_is_readable,
// uv_is_writable.
func (s *Stream) IsReadable() bool {
	s.loop.use("Stream.IsReadable")
	return s.state == handleOpen && s.flags&streamConnected != 0 && s.loop.b.IsReadable(s.id())
}

// IsWritable reports whether the stream could write; uv_is_writable.
func (s *Stream) IsWritable() bool {
	s.loop.use("Stream.IsWritable")
	return s.state == handleOpen && s.flags&(streamConnected|streamWriteFailed|streamShutdown) == streamConnected &&
		s.loop.b.IsWritable(s.id())
}

// Fd is the descriptor, borrowed: it stays the stream's, which closes it; uv_fileno. The
// error is ErrClosed, or EBADF while there is none.
func (s *Stream) Fd() (uintptr, error) {
	if err := s.check("Stream.Fd"); err != nil {
		return 0, err
	}
	fd := s.loop.b.Fileno(s.id())
	if fd < 0 {
		return 0, s.fail("fileno", fd)
	}
	return uintptr(fd), nil
}

// SendBufferSize is the size of the socket's send buffer, which Linux tells twice as
// large as it was set; uv_send_buffer_size.
func (s *Stream) SendBufferSize() (int, error) { return s.bufferSize("send_buffer_size", false, 0) }

// SetSendBufferSize sets the size of the socket's send buffer; uv_send_buffer_size.
func (s *Stream) SetSendBufferSize(n int) error { return s.setBufferSize("send_buffer_size", false, n) }

// RecvBufferSize is the size of the socket's receive buffer, which Linux tells twice as
// large as it was set; uv_recv_buffer_size.
func (s *Stream) RecvBufferSize() (int, error) { return s.bufferSize("recv_buffer_size", true, 0) }

// SetRecvBufferSize sets the size of the socket's receive buffer; uv_recv_buffer_size.
func (s *Stream) SetRecvBufferSize(n int) error { return s.setBufferSize("recv_buffer_size", true, n) }

// SetBlocking makes writes wait until the kernel has taken them; uv_stream_set_blocking.
// libuv advises against it.
func (s *Stream) SetBlocking(on bool) error {
	if err := s.check("Stream.SetBlocking"); err != nil {
		return err
	}
	s.loop.flush()
	s.fd = min(s.fd, noRawFD)
	return s.result("set_blocking", s.loop.b.SetBlocking(s.id(), on))
}

// Close closes the descriptor at once. What was written before is offered to the kernel;
// what it does not take is dropped, and the callbacks of those writes, of a connect and
// of a CloseWrite get ECANCELED.
func (s *Stream) Close() { s.CloseWith(nil) }

// CloseWith is Close with a callback.
func (s *Stream) CloseWith(closed func()) {
	if s.check("Stream.Close") != nil {
		return
	}
	s.loop.submit(cbridge.OpClose, s.slot, s.gen, 0)
	s.loop.flush()
	s.closing(closed)
}

// Abort is Close that drops also what Write has gathered and not yet offered to the
// kernel.
func (s *Stream) Abort() {
	if s.check("Stream.Abort") != nil {
		return
	}
	s.dropGathered()
	s.CloseWith(nil)
}

// closing is the Go side of a close that the bridge has begun.
func (s *Stream) closing(closed func()) {
	s.state = handleClosing
	s.flags &^= streamReading
	s.late = nil
	if closed != nil {
		s.extra().closed = closed
	}
	if s.requests != nil && s.requests.listener != nil {
		s.requests.listener.close(s)
	}
}

// finish is the last record of a stream.
func (s *Stream) finish() {
	l := s.loop
	s.state = handleClosed
	s.gone()
	l.streams[s.slot] = nil
	l.submit(cbridge.OpAck, s.slot, s.gen, 0)
	s.cancelRequests()
	if l.counted != nil {
		l.uncount(s.slot)
	}
	if s.x != nil && s.x.closed != nil {
		l.later(s.farewell)
		l.later(s.x.closed)
	} else if len(l.deferred) > 0 { // the callbacks of its own requests come first
		l.later(s.farewell)
	} else {
		l.calls++
		s.farewell()
	}
}

func (s *Stream) farewell() {
	if s.h != nil {
		s.h.OnClosed()
	}
}
