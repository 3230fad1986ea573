package asynchttp

// Connections that somebody has taken over, as a net.Conn: a handler that has hijacked
// one, a client whose server has switched protocols. What the peer had sent before is
// read from it.

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"time"

	"github.com/seed-a026a017/asyncio"
)

// hijackedConn is a wire as a net.Conn. Who calls makes the difference:
//
//	the task that has it          Read suspends it. Write takes everything, and first
//	                              waits while too much is on its way
//	a goroutine that is no task   Read and Write block it
//	another task of the loop      Read returns ErrNotCurrentTask. Write takes everything
//
// The other methods work everywhere.
type hijackedConn struct {
	w             *wire
	ctx           context.Context // of the task
	local, remote net.Addr
}

// Hijack implements http.Hijacker.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := w.usable("Hijack"); err != nil {
		return nil, nil, err
	}
	c := w.x.c
	if c.state == connHijacked {
		return nil, nil, http.ErrHijacked
	}
	w.x.body.mayContinue = false
	if w.status != 0 {
		if err := w.FlushError(); err != nil {
			return nil, nil, err
		}
	}
	w.x.returnUnread()
	c.readBy, c.writeBy = 0, 0
	c.enter(connHijacked)
	c.server.remove(c)
	conn := newHijackedConn(&c.wire, w.ctx)
	return conn, bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)), nil
}

// newHijackedConn gives a wire to the task of ctx.
func newHijackedConn(w *wire, ctx context.Context) *hijackedConn {
	task := asyncio.CurrentTask(ctx)
	return &hijackedConn{w: w, ctx: task.Context(), local: w.transport.LocalAddr(), remote: w.transport.RemoteAddr()}
}

// inLoop runs fn on the loop's goroutine, with the context of the task that calls if that
// is the one that has hijacked, or of a new one while a goroutine waits. In other tasks
// of the loop it does what they want, or else is the error of a wait there.
func (c *hijackedConn) inLoop(fn func(ctx context.Context) (int, error), elsewhere func() (int, error)) (int, error) {
	if asyncio.CurrentTask(c.ctx) != nil {
		return fn(c.ctx)
	}
	if err := asyncio.Sleep(context.Background(), 0); err != nil { // on a loop's goroutine nobody may wait so
		if elsewhere != nil {
			return elsewhere()
		}
		return 0, &net.OpError{Op: "read", Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
	}
	return asyncio.RunCoroutineThreadsafe(c.w.loop, fn).Result(context.Background())
}

// now runs what does not wait.
func (c *hijackedConn) now(fn func() error) error {
	call := func() (int, error) { return 0, fn() }
	_, err := c.inLoop(func(context.Context) (int, error) { return call() }, call)
	return err
}

// Read implements net.Conn.
func (c *hijackedConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return c.inLoop(func(ctx context.Context) (int, error) { return c.w.read(ctx, p) }, nil)
}

// Write implements net.Conn.
func (c *hijackedConn) Write(p []byte) (int, error) {
	return c.inLoop(func(ctx context.Context) (int, error) {
		if err := c.w.drain(ctx); err != nil {
			return 0, err
		}
		return c.w.buffer(p)
	}, func() (int, error) { return c.w.buffer(p) })
}

// Close implements net.Conn.
func (c *hijackedConn) Close() error {
	return c.now(func() error {
		c.w.close()
		return nil
	})
}

// CloseWrite sends the end of this direction.
func (c *hijackedConn) CloseWrite() error { return c.now(c.w.transport.WriteEOF) }

// LocalAddr implements net.Conn.
func (c *hijackedConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *hijackedConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *hijackedConn) SetDeadline(t time.Time) error {
	return c.now(func() error {
		c.w.setReadBy(c.w.clock(t))
		c.w.setWriteBy(c.w.clock(t))
		return nil
	})
}

// SetReadDeadline implements net.Conn.
func (c *hijackedConn) SetReadDeadline(t time.Time) error {
	return c.now(func() error {
		c.w.setReadBy(c.w.clock(t))
		return nil
	})
}

// SetWriteDeadline implements net.Conn.
func (c *hijackedConn) SetWriteDeadline(t time.Time) error {
	return c.now(func() error {
		c.w.setWriteBy(c.w.clock(t))
		return nil
	})
}
