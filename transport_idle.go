package asyncio

// WithIdleTimeout: a connection on which no byte came or left for a time is lost. The
// watch notes when the last byte moved and looks at the note when the time may be over,
// so a busy connection moves no timer. What the program writes counts as moved if nothing
// was left behind before, and what was left behind when the kernel takes some of it.

import (
	"fmt"
	"time"

	"github.com/seed-a026a017/asyncio/internal/timerheap"
)

// idleWatch is the limit of one transport.
type idleWatch struct {
	timerheap.Timer
	transport *streamTransport
	limit     time.Duration
	moved     time.Duration // when the last byte came or left, on the loop's clock
}

// watchIdle begins the watch.
func (t *streamTransport) watchIdle(limit time.Duration) {
	w := &idleWatch{transport: t, limit: limit, moved: t.loop.pro.Now()}
	t.change().idle = w
	t.loop.timers.Arm(w, t.loop.deadline(limit))
}

// touch notes that bytes came or left.
func (t *streamTransport) touch() {
	if w := t.rare.idle; w != nil {
		w.moved = t.loop.pro.Now()
	}
}

// touchWrite notes that bytes leave, unless others are before them.
func (t *streamTransport) touchWrite() {
	if t.rare.idle != nil && t.stream.Buffered() == 0 {
		t.touch()
	}
}

// run looks whether the time is over.
func (w *idleWatch) run(l *Loop) {
	t := w.transport
	if t.state == transportLost {
		return
	}
	if silent := l.pro.Now() - w.moved; silent < w.limit {
		l.timers.Arm(w, l.deadline(w.limit-silent))
		return
	}
	t.lose(fmt.Errorf("%w: no byte came or left for %v on %s", ErrTimeout, w.limit, t))
}

func (w *idleWatch) describe() subject {
	return subject{name: "idle timeout of " + w.transport.String()}
}

// end ends the watch.
func (w *idleWatch) end() { w.transport.loop.timers.Disarm(w) }
