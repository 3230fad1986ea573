package goproactor

// The writing direction of a stream. The loop gathers what is written in a turn and
// offers it to the kernel itself. What the kernel does not take becomes a
// pendingWrite: a goroutine that waits and writes. What is written meanwhile queues
// behind it.
//
// Invariants:
//   - While a pendingWrite is under way only its goroutine writes to the descriptor.
//   - buffered counts the bytes in queue and those of the pendingWrite that the loop has
//     not heard of; when the stream is broken, also what was written since.

import (
	"errors"
	"net"
	"sync"
	"syscall"
)

const (
	// gatherBytesMax: so many bytes go to the kernel at once. Below it a copy (0.6 us for
	// 16 KiB, measured on loopback) costs less than the fixed part of one more write (1
	// us); above it, the peer had better begin.
	gatherBytesMax = 16 << 10
	// vectorPieces bounds one vectored write: 64 large buffers are 4 MiB, more than a
	// socket takes.
	vectorPieces = 64
	// pendingPieces bounds what a pendingWrite writes before it reports: a handler hears
	// of 256 KiB at the latest.
	pendingPieces = 4
)

type output struct {
	queue    chunks
	buffered int
	pending  *pendingWrite
	dirty    bool // in driver.dirty
	ending   bool // CloseWrite was called
	shut     bool // and the kernel knows
}

// Write after CloseWrite fails as the kernel's write would.
func (s *stream) Write(p []byte) {
	if len(p) == 0 || !s.accepts(len(p)) {
		return
	}
	if s.gathers() {
		s.gather(p)
		return
	}
	piece := [1][]byte{p}
	s.offer(piece[:])
}

func (s *stream) WriteV(bufs [][]byte) {
	n := 0
	for _, p := range bufs {
		n += len(p)
	}
	if n == 0 || !s.accepts(n) {
		return
	}
	if !s.gathers() {
		s.offer(bufs)
		return
	}
	for _, p := range bufs {
		s.gather(p)
	}
}

func (s *stream) Flush()        { s.flush() }
func (s *stream) Buffered() int { return s.buffered }

func (s *stream) CloseWrite() {
	if s.usable() && !s.ending {
		s.ending = true
		s.mark()
	}
}

// accepts counts n bytes that are written, and reports whether there is any use in
// keeping them. A broken stream counts them too: a writer that stops when much is
// buffered has to stop, so that a Poll can tell it of the failure.
func (s *stream) accepts(n int) bool {
	if s.closed {
		return false
	}
	if s.ending {
		s.breaks("write", syscall.EPIPE)
	}
	s.buffered += n
	return s.usable()
}

// gathers reports whether what is written now has to wait, or had better.
func (s *stream) gathers() bool { return s.pending != nil || s.buffered < gatherBytesMax }

func (s *stream) gather(p []byte) {
	s.queue.add(p)
	if s.pending == nil {
		s.mark()
	}
}

// mark makes the next Poll flush the stream.
func (s *stream) mark() {
	if !s.dirty {
		s.dirty = true
		s.d.dirty = append(s.d.dirty, s)
	}
}

func (s *stream) flush() {
	if !s.usable() || s.pending != nil {
		return
	}
	if !s.queue.empty() {
		s.offer(nil)
	}
	if s.ending && !s.shut && s.usable() && s.pending == nil {
		s.shut = true
		// A peer that has reset the connection, or on some systems closed it, needs no
		// end: ENOTCONN.
		if err := s.conn.CloseWrite(); err != nil && !errors.Is(err, syscall.ENOTCONN) {
			s.breaks("shutdown", err)
		}
	}
}

// offer gives the kernel the queue and then extra. A pendingWrite starts with what it
// does not take.
func (s *stream) offer(extra [][]byte) {
	v := &s.d.vector
	for more := true; more; {
		v.bufs = s.queue.appendTo(v.bufs[:0], vectorPieces)
		v.bufs = append(v.bufs, extra[:min(len(extra), vectorPieces-len(v.bufs))]...)
		size := v.size()
		n, err := s.tryWrite(v)
		clear(v.bufs) // the caller's memory is the caller's
		if err != nil {
			s.breaks("write", err)
			return
		}
		s.buffered -= n
		more = n == size && s.buffered > 0
		n = s.queue.consume(n)
		for len(extra) > 0 && n >= len(extra[0]) {
			n -= len(extra[0])
			extra = extra[1:]
		}
		if len(extra) > 0 && !more {
			s.queue.add(extra[0][n:])
			extra = extra[1:]
		}
	}
	for _, p := range extra {
		s.queue.add(p)
	}
	if !s.queue.empty() {
		s.launch()
	}
}

// size counts the bytes of v.
func (v *vector) size() int {
	n := 0
	for _, b := range v.bufs {
		n += len(b)
	}
	return n
}

// pendingWrite is one go at writing what the kernel did not take: the goroutine's share
// of it, and the completion.
type pendingWrite struct {
	s     *stream
	queue chunks // the goroutine's

	mu     sync.Mutex
	taken  int   // under mu: bytes written that the loop has not heard of
	over   bool  // under mu: the goroutine ends
	err    error // under mu: because of this
	posted bool  // under mu: f is in the driver's queue
}

func (s *stream) launch() {
	s.pending = &pendingWrite{s: s, queue: s.queue}
	s.queue = chunks{}
	s.d.goroutines.Add(1)
	go s.pending.run()
}

func (f *pendingWrite) run() {
	defer f.s.d.goroutines.Done()
	defer f.queue.drop()
	var v vector
	for !f.queue.empty() {
		v.bufs = f.queue.appendTo(v.bufs[:0], pendingPieces)
		n, err := f.s.waitWrite(&v)
		if errors.Is(err, net.ErrClosed) {
			return // by Close, which drops the rest
		}
		f.queue.consume(n)
		f.report(n, err)
		if err != nil {
			return
		}
	}
}

// report tells the loop of progress. Reports that the loop has not taken yet become one.
func (f *pendingWrite) report(n int, err error) {
	f.mu.Lock()
	f.taken += n
	f.err = err
	f.over = err != nil || f.queue.empty()
	post := !f.posted
	f.posted = true
	f.mu.Unlock()
	if post {
		f.s.d.post(f)
	}
}

func (f *pendingWrite) complete() {
	f.mu.Lock()
	n, over, err := f.taken, f.over, f.err
	f.taken, f.posted = 0, false
	f.mu.Unlock()
	s := f.s
	if !s.usable() {
		return
	}
	s.buffered -= n
	if over {
		s.pending = nil
		if err == nil {
			s.flush()
		} else {
			s.breaks("write", err)
		}
	}
	if n > 0 {
		s.h.Drained()
	}
}

func (f *pendingWrite) discard() {}

// dropOutput is for a stream that closes. A pendingWrite drops its own share when it
// notices.
func (s *stream) dropOutput() {
	s.queue.drop()
	s.buffered = 0
	s.pending = nil
}
