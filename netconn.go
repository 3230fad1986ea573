package asyncio

// NetConn: a net.Conn over a stream, for tasks and for goroutines. Who calls is found by
// the goroutine, and decides how a call waits:
//
//	a task of the conn's loop         it is suspended
//	a goroutine that no loop runs on  it blocks
//	a callback of the loop; a task    an error, as a loop would stand still
//	or callback of another loop
//
// What a call needs, and what comes in, lies in a netStream under a mutex: so a goroutine
// takes bytes that are there, or leaves some to be sent, without waiting for the loop.
// Only what touches the transport is the loop's.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"time"

	"github.com/seed-a026a017/asyncio/internal/goid"
)

// netConn is what the program holds. Nothing refers to it, so that the garbage collector
// finds a writer that was dropped; all else is in the netStream.
type netConn struct {
	*netStream
	writer *StreamWriter
}

// NetConn is a net.Conn over a stream, for code that knows only package net: crypto/tls,
// bufio, net/http, database drivers. From now on it has the stream's reading end to
// itself; the methods of w may still be used. It is for the loop's goroutine; the methods
// of the conn are for any.
//
// In a task of its loop Read suspends the task that calls it, whichever that is; in any
// other goroutine it blocks that goroutine. Several that read are served one after the
// other. Where to wait would hold a loop up, in a callback and in a task of another loop,
// a call that has to wait fails, and the error says what to do.
//
// Write takes all bytes at once. Back-pressure comes before the next one: a Write that
// begins while more than the transport's high-water mark is buffered waits until no more
// than the low one is. In a task it waits only if the task has made the last Write itself
// and it is not crypto/tls that calls: else somebody may hold a mutex around the call for
// which another task of the loop waits; use StreamWriter.Drain there.
//
// A CloseWrite method sends the end of the stream. Deadlines work in both worlds and wake
// a call that waits, also when they are moved; so does Close. Errors are *net.OpError as
// package net has them: errors.Is finds net.ErrClosed, os.ErrDeadlineExceeded, and
// ErrLoopClosed once the loop is closed. A read that is cancelled, with its task, has
// consumed nothing.
//
// A task that blocks its loop, on a mutex for instance that another task holds while it
// waits in a Read, is a mistake that the log names after about a second.
func NetConn(r *StreamReader, w *StreamWriter) net.Conn {
	if r == nil || w == nil {
		panic(misuse(ErrInvalidArgument, "NetConn was given a nil reader or writer"))
	}
	return newNetConn(r, w)
}

func newNetConn(r *StreamReader, w *StreamWriter) *netConn {
	l := r.shared.loop
	l.mustBeOpen("NetConn")
	l.checkGoroutine("NetConn")
	switch {
	case w.protocol.reader.shared.loop != l:
		panic(misuse(ErrWrongLoop, "NetConn was given two ends of different loops"))
	case r.busy || r.net != nil:
		panic(misuse(ErrInvalidState, "NetConn was given a stream that a task reads, or that is a NetConn already"))
	}
	return &netConn{newNetStream(l, r, w.protocol), w}
}

// netCaller is who calls a method of a conn or listener.
type netCaller struct {
	task    *task // of the loop; nil: none
	onLoop  bool  // in a task or callback of the loop
	blocked error // why the caller must not wait; nil: it may
}

// netCallerOf finds out who calls: 15 ns, for a look into goroutineLoops.
func netCallerOf(l *Loop) netCaller {
	here := loopHere()
	if here == nil {
		return netCaller{}
	}
	if here != l {
		return netCaller{blocked: fmt.Errorf("%w: to wait here would block the caller's own loop; "+
			"make the call in a task of the conn's loop, or leave it to ToThread", ErrWrongLoop)}
	}
	t := l.current
	if t == nil || !t.runsHere() {
		return netCaller{onLoop: true, blocked: fmt.Errorf("%w: to wait in a callback would block the loop; "+
			"create a task that makes the call", ErrNotCurrentTask)}
	}
	return netCaller{task: t, onLoop: true}
}

// mayWait is nil if the caller may wait, by suspending or by blocking.
func (c *netCaller) mayWait() error {
	if t := c.task; t != nil && goid.ThreadLock() != t.loop.coroutines.lock {
		return t.lockedThread()
	}
	return c.blocked
}

// Read implements net.Conn.
// Suspends in a task. Cancelled: nothing is consumed.
func (c *netConn) Read(p []byte) (int, error) {
	n, err := c.read(netCallerOf(c.loop), p)
	runtime.KeepAlive(c) // also while a call waits somebody has the writer
	if err != nil && err != io.EOF {
		err = c.opError("read", err)
	}
	return n, err
}

// Write implements net.Conn: all of p is sent or buffered, or nothing.
// Suspends in a task, if it has to wait for room. Cancelled: nothing was written.
func (c *netConn) Write(p []byte) (int, error) {
	n, err := c.write(netCallerOf(c.loop), p)
	runtime.KeepAlive(c)
	if err != nil {
		err = c.opError("write", err)
	}
	return n, err
}

// Close implements net.Conn. What is buffered is sent, then the connection ends. It does
// not wait for that.
func (c *netConn) Close() error {
	runtime.SetFinalizer(c.writer, nil)
	if !c.close(netCallerOf(c.loop).onLoop) {
		return c.opError("close", net.ErrClosed)
	}
	return nil
}

// CloseWrite sends the end of the stream after what was written; reading goes on.
func (c *netConn) CloseWrite() error {
	err := c.closeWrite(netCallerOf(c.loop).onLoop)
	runtime.KeepAlive(c)
	if err != nil {
		err = c.opError("close", err)
	}
	return err
}

// LocalAddr implements net.Conn.
func (c *netConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *netConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *netConn) SetDeadline(t time.Time) error { return c.setDeadlines(t, true, true) }

// SetReadDeadline implements net.Conn.
func (c *netConn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, true, false) }

// SetWriteDeadline implements net.Conn.
func (c *netConn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, false, true) }

func (c *netConn) setDeadlines(t time.Time, read, write bool) error {
	open := c.limit(netCallerOf(c.loop).onLoop, t, read, write)
	runtime.KeepAlive(c)
	if !open {
		return c.opError("set", net.ErrClosed)
	}
	return nil
}

func (c *netConn) String() string { return fmt.Sprintf("<conn %v->%v>", c.local, c.remote) }

// opError dresses err as package net does. A cancellation stays what it is.
func (s *netStream) opError(op string, err error) error {
	var known *net.OpError
	if asCancelled(err) != nil || errors.As(err, &known) {
		return err
	}
	e := &net.OpError{Op: op, Net: "stream", Source: s.local, Addr: s.remote, Err: err}
	if s.remote != nil {
		e.Net = s.remote.Network()
	} else if s.local != nil {
		e.Net = s.local.Network()
	}
	return e
}

// calledByTLS reports whether crypto/tls is among those who call, near above: it holds a
// mutex around each Write. It is asked only by a Write that is about to wait, 1 us.
func calledByTLS() bool {
	var pcs [tlsFramesMax]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if strings.HasPrefix(f.Function, "crypto/tls.") {
			return true
		}
	}
	return false
}

// tlsFramesMax is how far above crypto/tls is looked for: its conn may be wrapped.
const tlsFramesMax = 24

// taskContextHere is the context of the calling task with the end of ctx: for calls that
// are given a context of somebody else's.
func taskContextHere(ctx context.Context, t *task) (context.Context, context.CancelFunc) {
	if own, _ := ctx.Value(ownKey{}).(ownContext); own != nil && own.ownTask() == t {
		return ctx, func() {}
	}
	joined, cancel := context.WithCancelCause(t.Context())
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	return joined, func() {
		stop()
		cancel(nil)
	}
}
