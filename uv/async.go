//go:build cgo

package uv

import "sync/atomic"

// Async lets other goroutines have a function called on the loop's; uv_async_t. All of a
// loop's share its one wake-up.
type Async struct {
	local
	f       func()
	pending atomic.Bool // sent, and not yet delivered
	closed  atomic.Bool
}

// NewAsync makes an async handle that calls f; uv_async_init. It is active until it is
// closed. f may be nil: then Send only wakes the loop. The error is ErrClosed.
func (l *Loop) NewAsync(f func()) (*Async, error) {
	a := &Async{f: f}
	if err := l.addLocal(&a.local, a, AsyncHandle); err != nil {
		return nil, err
	}
	a.setActive(true)
	return a, nil
}

// Send has the function called in a coming turn; uv_async_send. Sends that come before
// the call has begun are one. It may be called from any goroutine and at any time; the
// error is ErrClosed.
func (a *Async) Send() error {
	if a.closed.Load() {
		return ErrClosed
	}
	if a.pending.Swap(true) {
		return nil
	}
	return a.loop.inbox.add(post{async: a})
}

func (a *Async) deliver() {
	a.pending.Store(false)
	if a.state == handleOpen && a.f != nil {
		a.f()
	}
}

// Close closes the handle; what was sent and not yet delivered is not.
func (a *Async) Close() { a.CloseWith(nil) }

// CloseWith is Close with a callback.
func (a *Async) CloseWith(closed func()) {
	if a.check("Async.Close") != nil {
		return
	}
	a.closed.Store(true)
	a.setActive(false)
	a.close(closed)
}
