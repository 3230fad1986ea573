package asynchttp

// A wire is the bytes of one connection, both ways, as a task sees them: it waits for
// bytes that are not there, and while too much that it has written is still on its way.
// At most one task waits for each. The protocol around the wire feeds it.
//
//	reading   what comes is buffered; beyond readHighBytes the peer is held back until
//	          no more than readLowBytes are left
//	writing   the transport takes everything; beyond its high-water mark the task waits
//	deadline  one timer serves both. It is armed for the earliest deadline that somebody
//	          waits for, and when one moves on the timer stays, fires, and looks again

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/seed-a026a017/asyncio"
)

const (
	readHighBytes = 64 << 10
	readLowBytes  = 16 << 10
)

// waiting is the one task that waits for something.
type waiting = *asyncio.Future[asyncio.None]

// wireOwner hears of the wire's deadlines.
type wireOwner interface {
	// overdue is called when the deadline for reading is over and no task waits.
	overdue()
}

type wire struct {
	loop      *asyncio.Loop
	transport asyncio.Transport
	owner     wireOwner
	in        []byte // what has come: in[off:]
	off       int
	reader    waiting // nil: no task waits for bytes
	writer    waiting // nil: no task waits until enough was sent
	timer     *asyncio.TimerHandle
	readBy    time.Duration // deadlines, of Loop.Time's clock; 0: none
	writeBy   time.Duration
	err       error // what has ended the connection
	eof       bool  // the peer sends no more
	lost      bool
	closed    bool // by close
	full      bool // between PauseWriting and ResumeWriting
	held      bool // reading is paused
	idle      bool // no task: the owner is overdue when the time for reading is over
}

// unread is what was not read yet.
func (w *wire) unread() []byte { return w.in[w.off:] }

// feed adds bytes that have come, and wakes who waits for them.
func (w *wire) feed(b []byte) {
	w.store(b)
	wake(&w.reader)
	if !w.held && len(w.in)-w.off > readHighBytes {
		w.held = true
		w.transport.PauseReading()
	}
}

// store adds bytes.
func (w *wire) store(b []byte) {
	if len(b) == 0 {
		return
	}
	if w.off > 0 && len(w.in)+len(b) > cap(w.in) {
		w.in = w.in[:copy(w.in, w.unread())]
		w.off = 0
	}
	w.in = append(grow(w.in, len(b)), b...)
}

// putBack puts b before what was not read.
func (w *wire) putBack(b []byte) {
	if w.off >= len(b) { // it was there before
		w.off -= copy(w.in[w.off-len(b):], b)
		return
	}
	rest, off := w.in, w.off
	w.in, w.off = nil, 0
	w.store(b)
	w.store(rest[off:])
	freeBlock(rest)
}

// consume drops n bytes.
func (w *wire) consume(n int) {
	w.off += n
	if w.off == len(w.in) {
		freeBlock(w.in)
		w.in, w.off = nil, 0
	}
	if w.held && len(w.in)-w.off <= readLowBytes {
		w.held = false
		w.transport.ResumeReading()
	}
}

// read reads what is there into p, and waits only if that is nothing.
func (w *wire) read(ctx context.Context, p []byte) (int, error) {
	for w.off == len(w.in) {
		switch {
		case w.closed, w.lost && w.err != nil:
			return 0, w.failure("read")
		case w.eof:
			return 0, io.EOF
		case w.lost:
			return 0, w.failure("read")
		case w.isOver(w.readBy):
			return 0, os.ErrDeadlineExceeded
		}
		if err := w.wait(ctx, &w.reader); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.unread())
	w.consume(n)
	return n, nil
}

// send writes the pieces, and waits while too much is on its way.
func (w *wire) send(ctx context.Context, pieces ...[]byte) error {
	switch {
	case w.lost || w.closed:
		return w.failure("write")
	case w.isOver(w.writeBy):
		return os.ErrDeadlineExceeded
	}
	var err error
	if len(pieces) == 1 {
		_, err = w.transport.Write(pieces[0])
	} else {
		err = w.transport.WriteV(pieces)
	}
	if err != nil || !w.full {
		return err
	}
	return w.drain(ctx)
}

// buffer writes p, and does not wait.
func (w *wire) buffer(p []byte) (int, error) {
	switch {
	case w.lost || w.closed:
		return 0, w.failure("write")
	case w.isOver(w.writeBy):
		return 0, os.ErrDeadlineExceeded
	}
	return w.transport.Write(p)
}

// close sends what was written and ends the connection. What comes is dropped.
func (w *wire) close() {
	w.closed = true
	w.transport.Close()
	w.consume(len(w.unread()))
	wake(&w.reader)
	wake(&w.writer)
	w.schedule()
}

// drain waits until enough was sent. That the peer sends no more is no reason to give
// up: it may still read.
func (w *wire) drain(ctx context.Context) error {
	for w.full {
		switch {
		case w.lost || w.closed:
			return w.failure("write")
		case w.isOver(w.writeBy):
			return os.ErrDeadlineExceeded
		}
		if err := w.wait(ctx, &w.writer); err != nil && !(w.eof && !w.lost && errors.Is(err, asyncio.ErrCancelled)) {
			return err
		}
	}
	return nil
}

// failure is the error of a call on a connection that is lost.
func (w *wire) failure(op string) error {
	err := w.err
	if err == nil {
		err = net.ErrClosed
	}
	failed := &net.OpError{Op: op, Source: w.transport.LocalAddr(), Addr: w.transport.RemoteAddr(), Err: err}
	if failed.Source != nil {
		failed.Net = failed.Source.Network()
	}
	return failed
}

// isOver reports whether a deadline has passed.
func (w *wire) isOver(by time.Duration) bool { return by != 0 && w.loop.Time() >= by }

// wait suspends the task of ctx until what it waits for may be there.
func (w *wire) wait(ctx context.Context, place *waiting) error {
	if *place != nil {
		return fmt.Errorf("asynchttp: %w", asyncio.ErrConcurrentRead)
	}
	f := asyncio.NewFuture[asyncio.None](w.loop)
	*place = f
	w.schedule()
	_, err := f.Await(ctx)
	*place = nil
	return err
}

// wake ends a wait, if there is one.
func wake(place *waiting) {
	if f := *place; f != nil && !f.Done() {
		_ = f.SetResult(asyncio.None{}) // it is not done
	}
}

// earliest is the first deadline that somebody waits for; 0: none.
func (w *wire) earliest() time.Duration {
	at := time.Duration(0)
	if w.reader != nil || w.idle {
		at = w.readBy
	}
	if by := w.writeBy; by != 0 && (w.writer != nil || w.transport.IsClosing()) && (at == 0 || by < at) {
		at = by
	}
	return at
}

// schedule sees to it that the timer fires no later than the earliest deadline.
func (w *wire) schedule() {
	at := w.earliest()
	if at == 0 || w.lost || w.timer != nil && w.timer.When() <= at {
		return
	}
	if w.timer != nil {
		w.timer.Cancel()
	}
	w.timer = w.loop.CallAt(at, w.tick)
}

// tick looks which deadlines are over.
func (w *wire) tick() {
	w.timer = nil
	if w.isOver(w.readBy) {
		wake(&w.reader)
		if w.idle {
			w.owner.overdue()
		}
	}
	if w.isOver(w.writeBy) {
		wake(&w.writer)
		if w.transport.IsClosing() {
			w.transport.Abort() // the rest was to be sent by now
		}
	}
	w.schedule()
}

// after is d from now as a deadline; 0 for none.
func (w *wire) after(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return w.loop.Time() + d
}

// clock is a moment as a deadline of the loop's clock.
func (w *wire) clock(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(1, w.loop.Time()+time.Until(t))
}

// setReadBy moves the deadline for reading, also of a task that waits.
func (w *wire) setReadBy(by time.Duration) {
	w.readBy = by
	w.schedule()
}

func (w *wire) setWriteBy(by time.Duration) {
	w.writeBy = by
	w.schedule()
}

// ended is called when the connection is lost.
func (w *wire) ended(err error) {
	w.lost, w.err = true, err
	if w.timer != nil {
		w.timer.Cancel()
		w.timer = nil
	}
	wake(&w.reader)
	wake(&w.writer)
}

// PauseWriting implements asyncio.Protocol.
func (w *wire) PauseWriting() { w.full = true }

// ResumeWriting implements asyncio.Protocol.
func (w *wire) ResumeWriting() {
	w.full = false
	wake(&w.writer)
}
