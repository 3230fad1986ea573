package asynchttp

// One connection of a server. Its states:
//
//	idle       nothing has come since the last answer; no task, no memory
//	           -> heading    a byte came
//	           -> lost       the client has gone; IdleTimeout; Shutdown
//	heading    a part of a plain head is here; no task
//	           -> serving    the rest came; a line that is not plain; too much; the
//	                         client's end
//	           -> lost       ReadHeaderTimeout; Shutdown
//	serving    a task runs handlers, one request after another, as long as there are any
//	           -> idle, heading
//	           -> closing    an answer that ends the connection
//	           -> lingering  an answer that ends the connection, with bytes unread
//	           -> hijacked   the handler has taken the connection
//	           -> lost
//	closing    the rest of the answer is on its way, for WriteTimeout at the most
//	           -> lost
//	lingering  the end is sent, and what comes is dropped, so that the client reads the
//	           answer before it hears of a reset
//	hijacked   the program's
//	lost
//
// enter makes every move but that to lost, which ConnectionLost does.
//
// The end of a client cancels the task: its context is done, and an Await interrupted.

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/seed-a026a017/asyncio"
)

type connState uint8

const (
	connIdle connState = iota
	connHeading
	connServing
	connClosing
	connLingering
	connHijacked
	connLost
)

// lingerTime is how long a client may take to read an answer before it hears of a reset.
const lingerTime = 500 * time.Millisecond

// requestBytesMin is what makes another request, and how many empty lines may come before
// it.
const requestBytesMin = 4

// pipelinedMax is how many requests that are there already are served in a row before
// others have their turn.
const pipelinedMax = 16

type connection struct {
	wire
	server     *Server
	base       context.Context // of Start
	prev, next *connection     // in the server's list
	task       *asyncio.Task[asyncio.None]
	exchange   *exchange // that the task is in
	remote     string    // its address; "": not asked for yet
	tls        *tls.ConnectionState
	head       string        // plain, of the next request
	checked    int           // bytes of lines that are plain, while heading
	wholeBy    time.Duration // the deadline for the request, with its body
	state      connState
	begun      bool // the task has run
	answered   bool // a request before
	another    bool // has begun since
	afterPost  bool // the last one was a POST
	cancelled  bool // the task was, since the client has gone
}

// startNow runs the task from within DataReceived, which saves a turn.
var startNow = asyncio.EagerStart(true)

// enter makes a move.
func (c *connection) enter(s connState) {
	c.state = s
	c.idle = s <= connHeading
	switch s {
	case connIdle:
		c.checked = 0
		c.readBy = c.after(c.server.idleTimeout())
	case connHeading:
		c.beginHead()
	case connServing:
		c.begun, c.cancelled = false, false
		c.task = nil
		if t := asyncio.CreateTask((*connectionContext)(c), c.serve, startNow); !t.Done() {
			c.task = t
		}
		return
	case connClosing:
		c.task = nil
		c.writeBy = c.after(c.server.WriteTimeout)
		c.transport.Close()
	case connLingering:
		c.task = nil
		if err := c.transport.WriteEOF(); err != nil || c.eof {
			c.transport.Close()
			return
		}
		c.idle, c.readBy = true, c.after(lingerTime)
		c.consume(len(c.unread()))
	}
	c.schedule()
}

// beginHead sets the time for the head of a request, which begins.
func (c *connection) beginHead() {
	c.readBy = c.after(c.server.headerTimeout())
	c.wholeBy = c.after(c.server.ReadTimeout)
}

// ConnectionMade implements asyncio.Protocol.
func (c *connection) ConnectionMade(t asyncio.Transport) {
	c.transport = t
	if state, ok := t.ExtraInfo("ssl_object").(tls.ConnectionState); ok {
		c.tls = &state
	}
	c.server.add(c)
	c.enter(connIdle)
	c.setReadBy(c.after(c.server.headerTimeout())) // the first request has no idle time
	if c.server.closing {
		t.Close() // its handshake was longer than the server's life
	}
}

// DataReceived implements asyncio.Protocol.
func (c *connection) DataReceived(data []byte) {
	switch c.state {
	case connIdle, connHeading:
		if c.off == len(c.in) {
			c.advance(data)
		} else {
			c.store(data)
			c.advance(nil)
		}
	case connServing, connHijacked:
		c.feed(data)
	}
}

// advance looks at what has come: at data, which is not buffered, or else at what is. If
// a request can begin, a task serves it.
func (c *connection) advance(data []byte) {
	buffered := data == nil
	if buffered {
		data = c.unread()
	}
	if c.state == connIdle && len(data) > 0 {
		c.enter(connHeading)
	}
	n, ready := c.cutHead(data)
	if buffered {
		c.consume(n)
	} else {
		c.store(data[n:])
	}
	if ready {
		c.enter(connServing)
	}
}

// cutHead finds a plain head at the beginning of data, which is then in head, and says
// how much of data was taken. It is ready also if data is not plain.
func (c *connection) cutHead(data []byte) (n int, ready bool) {
	if c.answered && !c.another {
		if c.another = len(data) >= requestBytesMin; !c.another {
			return 0, false
		}
	}
	if c.afterPost { // some clients send an empty line after a body
		for n < min(requestBytesMin, len(data)) && (data[n] == '\r' || data[n] == '\n') {
			n++
		}
		c.afterPost, c.checked = false, 0
	}
	rest := data[n:]
	limit := min(plainBytesMax, c.server.headBytesMax())
	if end := headEnd(rest, max(0, c.checked-1)); end > 0 && end <= limit {
		c.head = string(rest[:end])
		return n + end, true
	}
	if len(rest) > limit || c.eof {
		return n, len(rest) > 0
	}
	checked, plain := plainSoFar(rest, c.checked)
	c.checked = checked
	return n, !plain
}

// EOFReceived implements asyncio.Protocol.
func (c *connection) EOFReceived() bool {
	c.eof = true
	switch c.state {
	case connHeading:
		if c.answered && !c.another {
			return false // no request has begun yet
		}
		c.advance(nil)
		return c.state >= connServing
	case connServing:
		if c.reader == nil && len(c.unread()) == 0 {
			c.clientGone()
		}
		wake(&c.reader)
		return true
	case connHijacked:
		wake(&c.reader)
		return true
	}
	return false
}

// clientGone cancels the task, once.
func (c *connection) clientGone() {
	if c.state == connServing && c.task != nil && !c.cancelled && (c.begun || c.lost) {
		c.cancelled = true
		c.task.Cancel("the client has gone")
	}
}

// ConnectionLost implements asyncio.Protocol.
func (c *connection) ConnectionLost(err error) {
	c.ended(err)
	c.clientGone()
	c.server.remove(c)
	if c.state != connHijacked { // else somebody may still read what has come
		c.state = connLost
		c.consume(len(c.unread()))
	}
}

// overdue implements wireOwner.
func (c *connection) overdue() {
	if c.server.mayClose() {
		c.transport.Close()
	} else {
		c.readBy += time.Millisecond
	}
}

// serve is the task: it serves requests as long as there are any.
func (c *connection) serve(ctx context.Context) (asyncio.None, error) {
	c.begun = true
	returned := false
	defer func() {
		if !returned { // runtime.Goexit in a handler
			c.transport.Abort()
		}
	}()
	for n := 1; c.serveNext(ctx); n++ {
		if n%pipelinedMax == 0 && asyncio.Sleep(ctx, 0) != nil {
			c.transport.Abort()
			break
		}
	}
	returned = true
	return asyncio.None{}, nil
}

// serveNext serves one request, and reports whether another one is there.
func (c *connection) serveNext(ctx context.Context) bool {
	keep := false
	_ = asyncio.Timeout(ctx, asyncio.Forever, func(ctx context.Context) error { // a context that ends with the request
		keep = c.serveIn(ctx)
		return nil
	})
	c.answered, c.another = true, false
	switch {
	case c.lost || c.state == connHijacked || c.state == connLingering:
		return false
	case !keep || c.server.closing || ctx.Err() != nil: // a task that was cancelled serves no other
		c.enter(connClosing)
		return false
	}
	c.writeBy = 0
	rest := c.unread()
	if c.eof && len(rest) < requestBytesMin {
		c.enter(connClosing)
		return false
	}
	if c.checked = 0; len(rest) > 0 {
		c.beginHead()
		n, ready := c.cutHead(rest)
		c.consume(n)
		if ready {
			return true
		}
	}
	c.task = nil
	if len(c.unread()) > 0 {
		c.enter(connHeading)
	} else {
		c.enter(connIdle)
	}
	return false
}

// serveIn serves the next request in the context that ends with it, and reports whether
// the connection can take another one.
func (c *connection) serveIn(ctx context.Context) bool {
	x, err := c.newExchange(ctx)
	if err != nil {
		c.refuse(ctx, err)
		return false
	}
	c.exchange = x
	defer func() {
		c.exchange = nil
		x.end()
	}()
	if x.refusesExpectation() {
		return false
	}
	if !c.handle(x) {
		return false
	}
	if c.state == connHijacked {
		return false
	}
	if err := x.response.finish(); err != nil {
		c.transport.Abort()
		return false
	}
	if !x.reusable() {
		if x.response.leavesBody {
			c.enter(connLingering)
		}
		return false
	}
	return true
}

// handle calls the handler. It is false if that has panicked, which ends the connection.
func (c *connection) handle(x *exchange) (returned bool) {
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil {
			return // runtime.Goexit
		}
		if err, ok := v.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			c.server.log().Error("http: panic serving "+c.remoteAddr(), "panic", v, "stack", string(debug.Stack()))
		}
		x.response.abandon()
		if c.state != connHijacked {
			c.transport.Close()
		}
	}()
	handler := c.server.Handler
	if handler == nil {
		handler = http.DefaultServeMux
	}
	if x.request.RequestURI == "*" && x.request.Method == http.MethodOptions {
		handler = http.HandlerFunc(answerOptions)
	}
	handler.ServeHTTP(&x.response, x.request)
	return true
}

// remoteAddr is the client's address.
func (c *connection) remoteAddr() string {
	if c.remote == "" {
		if addr := c.transport.RemoteAddr(); addr != nil {
			c.remote = addr.String()
		}
	}
	return c.remote
}

// connectionContext is a connection as the context that its tasks get their values from.
type connectionContext connection

func (c *connectionContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *connectionContext) Done() <-chan struct{}       { return nil }
func (c *connectionContext) Err() error                  { return nil }

func (c *connectionContext) Value(key any) any {
	switch key {
	case http.ServerContextKey:
		return c.server
	case http.LocalAddrContextKey:
		return c.transport.LocalAddr()
	}
	return c.base.Value(key)
}
