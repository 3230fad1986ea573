package asyncio

// Calls of the loop's that any goroutine may make, by a task of the loop that does the
// work: Listen and DialContext.

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// fallbackDelay is package net's: after it the next address of a name is tried too.
const fallbackDelay = 300 * time.Millisecond

// DialContext connects to address and returns a conn as NetConn does: for
// http.Transport.DialContext, database drivers and the like. network is "tcp", "tcp4",
// "tcp6" or "unix". Several addresses of a name are tried side by side, as
// WithHappyEyeballs does and package net. It suspends a task of the loop, blocks any
// other goroutine, and is an error in a callback and in a task of another loop. ctx may
// be anybody's: its end ends the call. Errors are *net.OpError.
//
// An http.Transport makes goroutines, which wait for the loop: in a task its calls belong
// into ToThread.
// Suspends in a task. Cancelled: the connection is closed.
func (l *Loop) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dial := func(ctx context.Context) (*netConn, error) {
		p := newStreamProtocol(l, streamLimitDefault, nil)
		_, _, err := l.CreateConnection(ctx, func() Protocol { return p }, network, address, WithHappyEyeballs(fallbackDelay, 1))
		if err != nil {
			return nil, err
		}
		return newNetConn(&p.reader, newStreamWriter(p)), nil
	}
	c, err := callFrom(ctx, l, "DialContext of "+address, dial, (*netConn).drop)
	if err != nil {
		if asCancelled(err) == nil {
			err = &net.OpError{Op: "dial", Net: network, Err: err}
		}
		return nil, err
	}
	return c, nil
}

// drop ends a connection that nobody wants. It is for the loop's goroutine.
func (c *netConn) drop() {
	_ = c.Close()
	c.writer.Transport().Abort()
}

// callFrom makes a call of the loop's for whoever calls: in the task that does, else in a
// new one, for which the goroutine waits. What comes when ctx has ended is dropped.
func callFrom[T any](ctx context.Context, l *Loop, what string, call Coro[T], drop func(T)) (T, error) {
	var zero T
	c := netCallerOf(l)
	if err := c.mayWait(); err != nil {
		return zero, err
	}
	if ctx.Err() != nil {
		return zero, context.Cause(ctx)
	}
	if c.task != nil {
		joined, end := taskContextHere(ctx, c.task)
		defer end()
		return call(joined)
	}
	r := &remoteWork[T]{ctx: ctx, what: what, call: call, drop: drop, done: make(chan struct{})}
	if !l.addOutsider(r) || !l.post(r) {
		return zero, fmt.Errorf("%w: %s", ErrLoopClosed, what)
	}
	defer l.removeOutsider(r)
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.complete(zero, context.Cause(ctx)) {
			l.post(callback(r.cancel))
		}
	}
	return r.value, r.err
}

// remoteWork is such a call of a goroutine.
type remoteWork[T any] struct {
	ctx  context.Context
	what string
	call Coro[T]
	drop func(T)
	task *task // the loop's; nil: not begun

	mu        sync.Mutex
	completed bool
	done      chan struct{}
	value     T
	err       error
}

// complete sets the outcome, once.
func (r *remoteWork[T]) complete(v T, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.completed {
		return false
	}
	r.completed, r.value, r.err = true, v, err
	close(r.done)
	return true
}

// run implements runnable.
func (r *remoteWork[T]) run(l *Loop) {
	if r.ctx.Err() != nil {
		return
	}
	t := newTask(l, r.ctx, r.call, nil)
	r.task = &t.task
	t.addDone(&DoneCallback{call: callback(func() {
		v, err := t.Result()
		if !r.complete(v, err) && err == nil {
			r.drop(v)
		}
	})})
}

// cancel is for the loop's goroutine.
func (r *remoteWork[T]) cancel() {
	if r.task != nil {
		r.task.cancel(nil)
	}
}

// loopClosed implements outsider.
func (r *remoteWork[T]) loopClosed() {
	var zero T
	r.complete(zero, fmt.Errorf("%w: %s", ErrLoopClosed, r.what))
}

// waits implements outsider.
func (r *remoteWork[T]) waits() []string { return []string{"a goroutine in " + r.what} }
