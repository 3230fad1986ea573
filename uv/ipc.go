//go:build cgo

package uv

// Pipes that pass handles.
//
// A handle goes with the first byte that it is written with, and comes with the bytes of
// the read that takes it. Such a pipe is read by its callback's dispatch, never before:
// until then bytes and handles stay in the kernel, in their order. So there is nothing to
// close when the pipe is closed or stopped, and a read that wants no handles, of
// ReadStart for instance, has the kernel close those that come.

import (
	"errors"
	"syscall"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// handleReadsMax is how many reads a pipe that passes handles does in a turn: as many as
// libuv does of any stream. A read ends behind a message that brings handles.
const handleReadsMax = 32

// NewPipeIPC makes a Pipe that may pass handles to its peer, by WriteHandle, and receive
// some, by ReadStartHandles; uv_pipe_init with ipc. It connects, or OpenFD gives it one
// end of a Unix socket, such as SocketPair's; it does not listen. The error is ErrClosed.
func (l *Loop) NewPipeIPC() (*Pipe, error) {
	l.use("Loop.NewPipeIPC")
	if l.state.Load() == loopClosed {
		return nil, ErrClosed
	}
	id, code := l.b.NewIPC()
	if code != 0 {
		return nil, &Error{Op: "init", Kind: PipeHandle, Errno: Errno(code)}
	}
	p := l.adoptPipe(id)
	p.fd = ipcFD
	return p, nil
}

func (p *Pipe) passes() bool { return p.fd == ipcFD }

// WriteHandle is Write of b, which goes to the peer together with h: a TCP, a Pipe or a
// UDP of the same loop, that has a descriptor; uv_write2. The peer gets a handle of its
// own for the same socket. h stays the caller's, who may close it at once.
//
// The errors are those of Write, EINVAL if the Pipe is not of NewPipeIPC, if b is empty
// and if h is something else, ErrClosed if h is closed, EBADF if it has no descriptor,
// and what the system says when it has no room for one more, such as EMFILE and
// ETOOMANYREFS.
func (p *Pipe) WriteHandle(b []byte, h Handle, done func(error)) error {
	if err := p.check("Pipe.WriteHandle"); err != nil {
		return err
	}
	with, err := p.passable("write", b, h)
	if err != nil {
		return err
	}
	if ok, err := p.mayWrite(done); !ok {
		if err == nil {
			p.queued += len(b) // as of Write
		}
		return err
	}
	p.Flush()
	left, code := p.loop.b.IPCWrite(p.id(), b, with)
	if code != 0 && p.flags&streamWriteFailed == 0 {
		return p.fail("write", code)
	}
	if code != 0 { // what was gathered has failed just now
		p.queued += len(b)
	} else {
		p.offered(left, len(b))
	}
	if p.dones != nil || done != nil {
		p.addDone(len(b), done)
	}
	return nil
}

// TryWriteHandle is TryWrite of b with h, as WriteHandle takes it; uv_try_write2. If only
// some of b is taken, h has gone with that.
func (p *Pipe) TryWriteHandle(b []byte, h Handle) (int, error) {
	if err := p.check("Pipe.TryWriteHandle"); err != nil {
		return 0, err
	}
	with, err := p.passable("try_write", b, h)
	if err != nil {
		return 0, err
	}
	if _, err := p.TryWrite(nil); err != nil {
		return 0, err
	}
	n := p.loop.b.IPCTryWrite(p.id(), b, with)
	if n < 0 {
		return 0, p.fail("try_write", n)
	}
	return n, nil
}

// passable is the id of a handle that may go with b.
func (p *Pipe) passable(op string, b []byte, h Handle) (uint64, error) {
	var c *handle
	switch h := h.(type) {
	case *TCP:
		if h != nil {
			c = &h.handle
		}
	case *Pipe:
		if h != nil {
			c = &h.handle
		}
	case *UDP:
		if h != nil {
			c = &h.handle
		}
	case *Stream: // of one of them
		if h != nil && h.kind != TTYHandle {
			c = &h.handle
		}
	}
	switch {
	case !p.passes() || len(b) == 0 || c == nil || c.loop != p.loop:
		return 0, p.fail(op, int(EINVAL))
	case c.state != handleOpen:
		return 0, ErrClosed
	}
	if u, ok := h.(*UDP); ok {
		u.sendGathered() // which binds
	}
	return c.id(), nil
}

// ReadStartHandles is ReadStart that takes handles too. handles came with these bytes, in
// the order in which the peer has sent them; each is a new TCP, Pipe or UDP of this loop,
// the callback's to close. Other descriptors that a peer may send, of files for instance,
// are closed. An error comes without bytes and ends reading, but for two that come with
// bytes: EMFILE tells that handles which came with them are lost, because there was no
// room for their descriptors, and ENOMEM that there was no memory. After ReadStart
// handles that come are closed.
//
// The errors are those of ReadStart, and EINVAL if the Pipe is not of NewPipeIPC.
func (p *Pipe) ReadStartHandles(cb func(b []byte, handles []Handle, err error)) error {
	if err := p.check("Pipe.ReadStartHandles"); err != nil {
		return err
	}
	if !p.passes() || cb == nil {
		return p.fail("read_start", int(EINVAL))
	}
	if p.flags&streamConnected == 0 {
		return p.fail("read_start", int(ENOTCONN))
	}
	p.h = &handleReader{p, cb}
	return p.ReadStart(nil)
}

// handleReader is the StreamHandler of ReadStartHandles.
type handleReader struct {
	p  *Pipe
	cb func(b []byte, handles []Handle, err error)
}

func (r *handleReader) OnRead(b []byte, err error) { r.cb(b, nil, err) }
func (*handleReader) OnWritten(int, error)         {}
func (*handleReader) OnClosed()                    {}

// OnReadable reads until there is nothing more, or somebody else is to read.
func (r *handleReader) OnReadable() bool {
	p := r.p
	for range handleReadsMax {
		if p.h != StreamHandler(r) || p.state != handleOpen || p.flags&streamReading == 0 || !r.read() {
			break
		}
	}
	return true
}

// read brings the bytes of one read, and the handles that came with them.
func (r *handleReader) read() bool {
	p, l := r.p, r.p.loop
	if l.pulled == nil {
		l.pulled = make([]byte, pullBytesMax)
	}
	var fds cbridge.FDs
	n := l.b.IPCRead(p.id(), l.pulled, &fds)
	switch {
	case n == 0:
		return false
	case n < 0:
		p.readEnd(p.readError(n))
		return false
	}
	var handles []Handle
	var err error
	for _, fd := range fds.FDs[:fds.N] {
		h, failed := l.received(int(fd))
		if h != nil {
			handles = append(handles, h)
		} else if errors.Is(failed, ENOMEM) {
			err = p.fail("recvmsg", int(ENOMEM))
		}
	}
	if fds.Lost != 0 {
		err = p.fail("recvmsg", int(EMFILE))
	}
	if l.checks {
		l.pulledUsed = max(l.pulledUsed, n)
	}
	l.calls++
	r.cb(l.pulled[:n:n], handles, err)
	return true
}

// received makes a handle of a descriptor that has come, or closes it.
func (l *Loop) received(fd int) (Handle, error) {
	h := Handle(nil)
	err := error(EINVAL)
	switch kindOfReceived(fd) {
	case TCPHandle:
		var t *TCP
		if t, err = l.NewTCP(); err == nil {
			h, err = t, t.OpenFD(uintptr(fd))
		}
	case PipeHandle:
		var p *Pipe
		if p, err = l.NewPipe(); err == nil {
			h, err = p, p.OpenFD(uintptr(fd))
		}
	case UDPHandle:
		var u *UDP
		if u, err = l.NewUDP(UDPOptions{}); err == nil {
			h, err = u, u.OpenFD(uintptr(fd))
		}
	}
	if err == nil {
		return h, nil
	}
	syscall.Close(fd)
	if h != nil {
		h.Close()
	}
	return nil, err
}

// kindOfReceived is GuessHandle, and knows datagrams of Unix sockets, which a UDP may be
// too.
func kindOfReceived(fd int) HandleType {
	kind := GuessHandle(uintptr(fd))
	if kind != UnknownHandle {
		return kind
	}
	if typ, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE); err == nil && typ == syscall.SOCK_DGRAM {
		return UDPHandle
	}
	return UnknownHandle
}
