package asyncio

// The end of a connection that speaks TLS. Close sends close_notify behind what was
// written, and waits until the peer has sent its own, or closes the connection; what it
// sends before is dropped. Then the transport below is closed, which sends what it still
// has. All of that has a time limit. A peer that takes what was written, be it slowly,
// gets that time again and again.

import (
	"fmt"
	"time"

	"github.com/seed-a026a017/asyncio/internal/timerheap"
)

// tlsEnding is what a transport has from closing on.
type tlsEnding struct {
	timerheap.Timer
	transport *tlsTransport
	limit     time.Duration
	left      int  // bytes that were buffered when the time began
	notified  bool // close_notify is sent
	answered  bool // the peer has sent its own, or its end
}

func (t *tlsTransport) Close() {
	t.use("Transport.Close")
	switch t.state {
	case tlsShaking:
		t.lose(nil)
	case tlsOpen:
		t.shutDown(false)
	}
}

func (t *tlsTransport) Abort() {
	t.use("Transport.Abort")
	t.lose(nil)
}

// shutDown ends an open connection. Answered says that the peer has sent its last byte.
func (t *tlsTransport) shutDown(answered bool) {
	t.become(tlsClosing)
	e := &tlsEnding{transport: t, limit: t.look().shutdown, left: t.below.WriteBufferSize(), answered: answered}
	t.change().ending = e
	t.loop.timers.Arm(e, t.loop.deadline(e.limit))
	t.stirSending()
	if !t.inside {
		t.notify()
	}
	t.goOnLater()
}

// notify sends what is pending, and close_notify.
func (t *tlsTransport) notify() {
	e := t.look().ending
	if e.notified {
		return
	}
	e.notified = true
	t.writePending()
	t.inside = true
	_ = t.conn.CloseWrite() // where that fails the transport below does, and tells
	t.inside = false
	if e.answered {
		t.below.Close()
	}
}

// finishWrites does what had to wait until conn was free.
func (t *tlsTransport) finishWrites() {
	switch t.state {
	case tlsOpen:
		t.writePending()
		t.checkFull()
	case tlsClosing:
		t.notify()
	}
}

// run is the end of the time that the end has.
func (e *tlsEnding) run(l *Loop) {
	t := e.transport
	if t.state != tlsClosing {
		return
	}
	if left := t.below.WriteBufferSize(); left < e.left {
		e.left = left
		l.timers.Arm(e, l.deadline(e.limit))
		return
	}
	t.lose(fmt.Errorf("%w: the end of TLS with %v takes longer than %v", ErrTimeout, t.peer(), e.limit))
}

func (e *tlsEnding) describe() subject {
	return subject{name: "time limit of the end of " + e.transport.String()}
}

// lose ends the connection at once. The first error wins.
func (t *tlsTransport) lose(err error) {
	if t.state == tlsLost {
		return
	}
	t.become(tlsLost)
	if err != nil {
		t.change().err = err
	}
	t.drop(err)
	t.below.Abort()
}

// drop lets go of what a lost transport does not need.
func (t *tlsTransport) drop(err error) {
	if t.shake != nil {
		t.shake.giveUp(err)
	}
	t.input = nil
	r := t.rare
	if r == nil {
		return
	}
	r.pending = nil
	if r.ending != nil {
		t.loop.timers.Disarm(r.ending)
	}
	t.stirSending()
}
