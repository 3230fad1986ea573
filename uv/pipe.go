//go:build cgo

package uv

// Unix domain sockets and pipes.

import "context"

// Pipe is a Unix domain socket, connected or listening, or one end of a pipe; uv_pipe_t.
type Pipe struct {
	Stream
}

// NewPipe makes a handle without a descriptor; uv_pipe_init. The error is ErrClosed.
func (l *Loop) NewPipe() (*Pipe, error) {
	l.use("Loop.NewPipe")
	if l.state.Load() == loopClosed {
		return nil, ErrClosed
	}
	id, code := l.b.NewPipe()
	if code != 0 {
		return nil, &Error{Op: "init", Kind: PipeHandle, Errno: Errno(code)}
	}
	return l.adoptPipe(id), nil
}

// adoptPipe makes the Go side of a handle that the bridge has made.
func (l *Loop) adoptPipe(id uint64) *Pipe {
	p := new(Pipe)
	p.handle = handle{loop: l, slot: uint32(id), gen: uint32(id >> 32), kind: PipeHandle}
	l.register(&p.Stream)
	p.born()
	return p
}

// OpenFD takes ownership of a socket, as TCP.OpenFD does, of one end of a pipe, or of a
// terminal or another device that can be waited for; uv_pipe_open. The file of a bound
// socket stays when the handle is closed. The errors are ErrClosed, EBUSY if there is a
// descriptor already, EEXIST if a handle of this loop has fd, EINVAL for other files,
// EPERM for a device that is always ready, and EBADF.
func (p *Pipe) OpenFD(fd uintptr) error { return p.open("Pipe.OpenFD", fd) }

// path is a path, or with a leading "@" a name in Linux's abstract name space, as in
// package net.
type path string

func (p path) String() string { return string(p) }

// system is the path as the bridge wants it.
func (p path) system() string {
	if len(p) > 1 && p[0] == '@' {
		return "\x00" + string(p[1:])
	}
	return string(p)
}

// Bind makes a socket at a path, or with a leading "@" in Linux's abstract name space;
// uv_pipe_bind. The file is removed when the handle is closed. A path that does not fit
// is ENAMETOOLONG, never cut short.
func (p *Pipe) Bind(name string) error {
	if err := p.check("Pipe.Bind"); err != nil {
		return err
	}
	if code := p.loop.b.PipeBind(p.id(), path(name).system()); code != 0 {
		return &Error{Op: "bind", Kind: PipeHandle, Addr: name, Errno: Errno(code)}
	}
	return nil
}

// Listen listens; uv_listen. It is TCP.Listen for a bound Unix domain socket.
func (p *Pipe) Listen(backlog int, onConn func(conn *Pipe, err error)) error {
	return p.ListenWith(backlog, ListenOptions{}, onConn)
}

// ListenWith is Listen with options, of which a Unix domain socket heeds MaxConns and
// Stopped.
func (p *Pipe) ListenWith(backlog int, opt ListenOptions, onConn func(conn *Pipe, err error)) error {
	if onConn == nil {
		return p.fail("listen", int(EINVAL))
	}
	return p.listen(backlog, opt, func(h Handle, err error) {
		conn, _ := h.(*Pipe)
		onConn(conn, err)
	})
}

// Connect connects to the socket at a path; uv_pipe_connect. done is called once in a
// later turn. If it returns an error, done is not called.
func (p *Pipe) Connect(name string, done func(error)) error {
	if err := p.check("Pipe.Connect"); err != nil {
		return err
	}
	if err := p.mayConnect(done); err != nil {
		return err
	}
	p.loop.flush()
	if code := p.loop.b.PipeConnect(p.id(), path(name).system()); code != 0 {
		return &Error{Op: "connect", Kind: PipeHandle, Addr: name, Errno: Errno(code)}
	}
	p.connecting(path(name), done)
	return nil
}

// ConnectContext is Connect that ends with ctx: done then gets the cause of its end, and
// the handle is closed.
func (p *Pipe) ConnectContext(ctx context.Context, name string, done func(error)) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := p.Connect(name, done); err != nil {
		return err
	}
	p.watch(ctx)
	return nil
}

// PipeMode is what everybody may do with a Unix domain socket.
type PipeMode int

// The modes of a Pipe.
const (
	PipeReadable PipeMode = 1 << iota
	PipeWritable
)

// Chmod lets everybody read, or write, the file that the socket is bound to;
// uv_pipe_chmod. It waits for the file system. The errors are ErrClosed, EBADF without a
// socket, EINVAL for no mode and for a socket without a file, and those of the system.
func (p *Pipe) Chmod(mode PipeMode) error {
	if err := p.check("Pipe.Chmod"); err != nil {
		return err
	}
	return p.result("chmod", p.loop.b.PipeChmod(p.id(), int(mode)))
}

// SetPendingInstances matters on Windows only; uv_pipe_pending_instances. The error is
// ErrClosed, or EINVAL for a negative number.
func (p *Pipe) SetPendingInstances(n int) error {
	if err := p.check("Pipe.SetPendingInstances"); err != nil {
		return err
	}
	if n < 0 {
		return p.fail("pending_instances", int(EINVAL))
	}
	return nil
}

// LocalAddr is the path that the socket is bound to, "" without one; uv_pipe_getsockname.
func (p *Pipe) LocalAddr() (string, error) { return p.name("getsockname", false) }

// RemoteAddr is the path that the peer is bound to, "" without one; uv_pipe_getpeername.
func (p *Pipe) RemoteAddr() (string, error) { return p.name("getpeername", true) }

func (p *Pipe) name(op string, peer bool) (string, error) {
	if err := p.check(op); err != nil {
		return "", err
	}
	var buf [256]byte
	n := p.loop.b.PipeName(p.id(), peer, buf[:])
	if n < 0 {
		return "", p.fail(op, n)
	}
	if n > 0 && buf[0] == 0 {
		buf[0] = '@'
	}
	return string(buf[:n]), nil
}
