package asyncio

// Calls on sockets that the program owns: loop.sock_recv and its kin.
//
// Each tries the system call first. While that would block, it waits until the descriptor
// is ready, in its task, and tries again there. So a call that is cancelled has taken
// nothing, and has left nothing registered. What it tries after a wait it does to the
// file that it has waited for, whatever file the number names by then; if it is another
// one, it does nothing and says so.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// A call that finds a ready descriptor of no use so often in a row waits for a while: a
// Unix datagram socket, for one, is always ready to send, although its receiver is full.
const (
	uselessWaitsMax = 8
	uselessPause    = time.Millisecond
)

// What a try returns that is not the last: the system call would have blocked, or it has
// done a part.
var (
	errNotReady = errors.New("asyncio: not ready")
	errNotAll   = errors.New("asyncio: not all yet")
)

// SockRecv receives at most len(p) bytes from a non-blocking socket that the caller owns:
// loop.sock_recv and sock_recv_into. It returns io.EOF at the end of a stream. What does
// not fit p of a datagram is lost.
//
// The errors of this call and its kin are those of the system; ErrInvalidArgument for a
// blocking descriptor, in debug mode or not; ErrInvalidState for that of a transport or
// server of this loop, and if another task waits in the same direction already
// (ErrConcurrentRead, if that is reading); EBADF with net.ErrClosed if the descriptor was
// closed, also during the wait, as far as the loop notices: only an event or another call
// brings that out, so cancel what waits before closing. On Windows all of them return
// errors.ErrUnsupported.
// Suspends. Cancelled: nothing was received.
func (l *Loop) SockRecv(ctx context.Context, fd int, p []byte) (n int, err error) {
	err = l.sockCall(ctx, "SockRecv", fd, false, func(fd int) (err error) {
		n, err = sockRecv(fd, p)
		return err
	})
	return n, err
}

// SockSendAll sends all of p over a non-blocking socket that the caller owns:
// loop.sock_sendall.
// Suspends. Cancelled: how much was sent is not known.
func (l *Loop) SockSendAll(ctx context.Context, fd int, p []byte) error {
	return l.sockCall(ctx, "SockSendAll", fd, true, func(fd int) error {
		n, err := sockSendTo(fd, p, nil)
		if err != nil {
			return err
		}
		if p = p[n:]; len(p) > 0 { // others get their turn before the rest
			return errNotAll
		}
		return nil
	})
}

// SockConnect connects a non-blocking socket that the caller owns to addr, a
// *net.TCPAddr, *net.UDPAddr, *net.IPAddr or *net.UnixAddr: loop.sock_connect. An address
// without an IP is this host. A Unix server whose backlog is full is EAGAIN: there is
// nothing to wait for. It panics with ErrInvalidArgument if addr is nil.
// Suspends. Cancelled: the system goes on connecting; another SockConnect waits for the
// same.
func (l *Loop) SockConnect(ctx context.Context, fd int, addr net.Addr) error {
	if addr == nil {
		panic(misuse(ErrInvalidArgument, "SockConnect was given a nil address"))
	}
	begun := false
	err := l.sockCall(ctx, "SockConnect", fd, true, func(fd int) error {
		if begun {
			return sockConnected(fd)
		}
		begun = true
		return sockConnect(fd, addr)
	})
	var failed *sockError
	if errors.As(err, &failed) {
		failed.addr = addr
	}
	return err
}

// SockAccept accepts a connection from a non-blocking socket that listens and that the
// caller owns: loop.sock_accept. The new descriptor is the caller's, non-blocking and
// close-on-exec. A connection that its peer has given up is passed over.
// Suspends. Cancelled: the connection waits for the next SockAccept.
func (l *Loop) SockAccept(ctx context.Context, fd int) (conn int, peer net.Addr, err error) {
	conn = -1
	err = l.sockCall(ctx, "SockAccept", fd, false, func(fd int) (err error) {
		conn, peer, err = sockAccept(fd)
		return err
	})
	return conn, peer, err
}

// SockRecvFrom receives a datagram of at most len(p) bytes, the rest of it is lost, and
// tells whom it is from: loop.sock_recvfrom and sock_recvfrom_into. The address is nil
// for a connected stream, and for a peer without a name.
// Suspends. Cancelled: nothing was received.
func (l *Loop) SockRecvFrom(ctx context.Context, fd int, p []byte) (n int, from net.Addr, err error) {
	err = l.sockCall(ctx, "SockRecvFrom", fd, false, func(fd int) (err error) {
		n, from, err = sockRecvFrom(fd, p)
		return err
	})
	return n, from, err
}

// SockSendTo sends a datagram to addr, of the types that SockConnect takes:
// loop.sock_sendto. A nil addr is the peer of a connected socket.
// Suspends. Cancelled: nothing was sent.
func (l *Loop) SockSendTo(ctx context.Context, fd int, p []byte, addr net.Addr) (n int, err error) {
	err = l.sockCall(ctx, "SockSendTo", fd, true, func(fd int) (err error) {
		n, err = sockSendTo(fd, p, addr)
		return err
	})
	return n, err
}

// sockCall tries until it is ready.
func (l *Loop) sockCall(ctx context.Context, method string, fd int, write bool, try func(fd int) error) error {
	a, err := l.enterOn(ctx, method)
	if err != nil {
		return err
	}
	if err := l.descriptorIsFree(fd); err != nil {
		return err
	}
	blocking, err := sockBlocks(fd)
	switch {
	case err != nil:
		return &sockError{method: method, fd: fd, err: err}
	case blocking:
		return fmt.Errorf("%w: %s: the socket must be non-blocking, and descriptor %d is not; use syscall.SetNonblock", ErrInvalidArgument, method, fd)
	}
	named := func(at int) error { // the caller's descriptor, or the watched one
		err := try(at)
		if err == nil || err == errNotReady || err == errNotAll || err == io.EOF {
			return err
		}
		return &sockError{method: method, fd: fd, err: err}
	}
	if err = named(fd); err == errNotReady || err == errNotAll {
		err = l.sockWait(ctx, a, fd, write, named)
	}
	return err
}

// sockWait goes on with a call that would have blocked.
func (l *Loop) sockWait(ctx context.Context, a awaiter, fd int, write bool, try func(fd int) error) error {
	u, err := l.useDescriptor(fd, write)
	if err != nil {
		return err
	}
	defer u.done()
	for useless := 0; ; useless++ {
		if useless >= uselessWaitsMax {
			if err := u.rest(ctx, uselessPause); err != nil {
				return err
			}
		}
		if err := u.wait(a); err != nil {
			return err
		}
		switch err := try(u.d.watch.FD()); err {
		case errNotReady:
		case errNotAll:
			useless = -1
		default:
			return err
		}
	}
}

// sockError says which call has failed, and on what.
type sockError struct {
	method string
	fd     int
	addr   net.Addr // or nil
	err    error
}

func (e *sockError) Error() string {
	on := fmt.Sprintf("asyncio: %s on descriptor %d", e.method, e.fd)
	if e.addr != nil {
		on += fmt.Sprintf(" to %v", e.addr)
	}
	return on + ": " + e.err.Error()
}

func (e *sockError) Unwrap() error { return e.err }

// Is makes a descriptor that is none a closed one.
func (e *sockError) Is(target error) bool {
	return target == net.ErrClosed && errors.Is(e.err, syscall.EBADF)
}
