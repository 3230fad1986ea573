package asyncio

// Writers that nobody has closed. CPython closes the connection of a StreamWriter when
// the last reference to it goes. Here the garbage collector finds that out, which in a
// program that makes little garbage may take minutes. So when a server's handler returns
// and has not closed its writer, the collector is asked to look: at once if it was not
// asked lately, and never for more than a hundredth of the time.

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

const (
	lookIntervalMin = time.Second
	lookShare       = 100 // what a look has taken, times this, is how long the next one waits
)

func newStreamWriter(p *streamProtocol) *StreamWriter {
	w := &StreamWriter{protocol: p}
	runtime.SetFinalizer(w, (*StreamWriter).dropped) // a tenth of the memory that AddCleanup takes
	return w
}

func (w *StreamWriter) dropped() { w.protocol.reader.shared.loop.post((*droppedWriter)(w.protocol)) }

// droppedWriter is a stream whose writer the garbage collector has found.
type droppedWriter streamProtocol

func (d *droppedWriter) run(l *Loop) {
	t := d.reader.transport
	if t.IsClosing() {
		return
	}
	attrs := []any{"transport", fmt.Sprint(t)}
	if d.server != nil {
		attrs = append(attrs, "handler", callbackSubject(funcCode(d.server.handler)).name)
	}
	l.log().Warn("unclosed StreamWriter: it was dropped, and is closed now; call Close", attrs...)
	t.Close()
}

// look is when the collector was asked, and whether it is about to be asked again.
var look struct {
	mu    sync.Mutex
	next  time.Time
	timed bool
}

// lookForDropped has the collector look for writers that were dropped, soon.
func lookForDropped() {
	look.mu.Lock()
	defer look.mu.Unlock()
	if look.timed {
		return
	}
	look.timed = true
	time.AfterFunc(time.Until(look.next), func() {
		look.mu.Lock()
		look.timed = false // what is dropped from here on needs another look
		look.mu.Unlock()
		began := time.Now()
		runtime.GC()
		look.mu.Lock()
		defer look.mu.Unlock()
		look.next = time.Now().Add(max(lookIntervalMin, lookShare*time.Since(began)))
	})
}
