package asyncio

// A netStream is what a NetConn shares with its loop: the bytes that have come, those
// that goroutines have left to be sent, and the calls that wait for either. Its mutex is
// held for a copy, or a system call that takes what is there, and never while anything
// waits or a transport is called.
//
// Bytes go from the transport to the reader, and from there straight into the memory of
// the Read that waits; what nobody waits for is kept, and the peer held back as by a
// StreamReader. In bulk they are read where they are wanted: by the task that waits, in
// its own step, or into the memory of a goroutine.

import (
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// netStream has its methods called by any goroutine, but for those that say otherwise.
type netStream struct {
	loop          *Loop
	reader        *StreamReader   // its fields are the loop's
	protocol      *streamProtocol // of the writer; its fields are the loop's
	local, remote net.Addr
	halves        bool // CloseWrite can be done

	mu     sync.Mutex
	closed error // net.ErrClosed: by Close; ErrLoopClosed: with the loop; nil: it is open
	end    error // of reading: io.EOF, or what has broken the connection; nil: none yet

	buf       readBuffer
	held      atomic.Int64 // bytes in buf
	reads     netLine
	paused    bool // the transport was told to read no more
	readLimit netDeadline

	out        netOutput
	writes     netLine
	writeLimit netDeadline

	posted bool // run is in the loop's inbox
	resume bool // run shall let the transport read again
}

// newNetStream takes over what r holds.
func newNetStream(l *Loop, r *StreamReader, p *streamProtocol) *netStream {
	t := p.reader.transport
	s := &netStream{loop: l, reader: r, protocol: p, local: t.LocalAddr(), remote: t.RemoteAddr(), halves: t.CanWriteEOF(), paused: r.paused}
	s.reads.mu, s.writes.mu = &s.mu, &s.mu
	s.out.full = p.paused
	s.keep(r.buf.bytes())
	r.buf.consume(&r.shared.buffers, r.buf.len())
	if s.end = r.err; s.end == nil && r.eof {
		s.end = io.EOF
	}
	r.stopPulling()
	r.net = s
	if w := p.waiting(); w.net == nil {
		w.net = s
	}
	if p.lost {
		s.lost(p.failure())
	} else {
		l.addOutsider(s)
	}
	return s
}

// keep appends b to what nobody has read.
func (s *netStream) keep(b []byte) {
	if len(b) > 0 {
		netBuffers.mu.Lock()
		s.buf.write(&netBuffers.pool, b)
		netBuffers.mu.Unlock()
		s.count()
	}
}

// take is what a Read gets now; false: it has to wait. What is there comes before the end
// of the stream, but not before that of the conn.
func (s *netStream) take(p []byte) (n int, err error, now bool) {
	switch {
	case s.closed != nil:
		return 0, s.closed, true
	case len(p) == 0:
		return 0, nil, true
	case s.readLimit.passed:
		return 0, os.ErrDeadlineExceeded, true
	case s.buf.len() > 0:
		n = copy(p, s.buf.bytes())
		netBuffers.mu.Lock()
		s.buf.consume(&netBuffers.pool, n)
		netBuffers.mu.Unlock()
		s.count()
		return n, nil, true
	}
	return 0, s.end, s.end != nil
}

// serve answers the Reads that wait, as far as that can be done.
func (s *netStream) serve(onLoop bool) {
	for e := s.reads.waiting(); e != nil; e = s.reads.waiting() {
		n, err, now := s.take(e.p)
		if !now {
			return
		}
		e.n, e.err = n, err
		e.answer(onLoop)
	}
}

func (s *netStream) read(c netCaller, p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads.first == nil || s.closed != nil || s.readLimit.passed || len(p) == 0 {
		n, err, now := s.take(p)
		if c.onLoop && !now {
			n = s.pull(p)
			now = n > 0
		}
		if now {
			s.goOn(c.onLoop)
			return n, err
		}
	}
	if err := c.mayWait(); err != nil {
		return 0, err
	}
	e := s.reads.join(c.task)
	e.p = p
	if c.task == nil {
		e.block()
	} else if err := s.suspend(e); err != nil {
		return 0, err
	}
	n, err := e.n, e.err
	e.free()
	s.goOn(c.onLoop)
	return n, err
}

// suspend waits in a task until e has something to say, and takes it out of the line.
func (s *netStream) suspend(e *netCall) error {
	for {
		err := e.park()
		if err != nil {
			s.unread(e)
		} else if e.state == netCallCalled {
			var now bool
			if e.n, e.err, now = s.take(e.p); !now {
				e.n = s.pull(e.p)
				now = e.n > 0
			}
			if !now {
				e.state = netCallWaiting
				continue
			}
		}
		s.reads.remove(e)
		s.serve(true)
		if err != nil {
			e.free()
		}
		return err
	}
}

// unread puts back what a Read has got that was cancelled then.
func (s *netStream) unread(e *netCall) {
	if e.n > 0 {
		netBuffers.mu.Lock()
		s.buf.unread(&netBuffers.pool, e.p[:e.n])
		netBuffers.mu.Unlock()
		s.count()
	}
}

// pull reads what the kernel has into p. It is for the loop's goroutine.
func (s *netStream) pull(p []byte) int {
	if s.closed != nil || s.end != nil || len(p) == 0 {
		return 0
	}
	return s.reader.pull(p)
}

// goOn lets a transport that was paused read again, if little is left. It follows
// whatever takes bytes, so no call waits while the transport is paused.
func (s *netStream) goOn(onLoop bool) {
	if !s.paused || s.buf.len() > s.reader.limit || s.closed != nil {
		return
	}
	s.paused = false
	if !onLoop {
		s.resume = true
		if s.toPost() {
			s.loop.post(s)
		}
		return
	}
	s.mu.Unlock()
	s.resumeReading()
	s.mu.Lock()
}

// resumeReading is for the loop's goroutine, with the mutex unlocked.
func (s *netStream) resumeReading() {
	if r := s.reader; r.paused {
		r.paused = false
		r.transport.ResumeReading()
	}
}

// toPost reports whether the caller shall post s, so that the loop calls run.
func (s *netStream) toPost() bool {
	was := s.posted
	s.posted = true
	return !was
}

// run implements runnable: it does what goroutines have left to the loop.
func (s *netStream) run(*Loop) {
	s.mu.Lock()
	s.posted = false
	resume := s.resume && !s.paused
	s.resume = false
	s.mu.Unlock()
	s.flush()
	if resume {
		s.resumeReading()
	}
}

// feed brings bytes that have come. It is for the loop's goroutine.
func (s *netStream) feed(b []byte) {
	s.mu.Lock()
	if s.closed != nil {
		s.mu.Unlock()
		return
	}
	if s.buf.len() == 0 && len(b) > 0 {
		if e := s.reads.waiting(); e != nil {
			e.n = copy(e.p, b)
			b = b[e.n:]
			e.answer(true)
		}
	}
	s.keep(b)
	s.fed()
}

// fed is the end of what brings bytes: it unlocks the mutex.
func (s *netStream) fed() {
	s.serve(true)
	r := s.reader
	pause := !s.paused && s.buf.len() > 2*r.limit && r.transport != nil
	s.paused = s.paused || pause
	s.mu.Unlock()
	if pause && !r.paused {
		r.paused = true
		r.transport.PauseReading()
	}
}

// readable is StreamReader.readable, for the loop's goroutine.
func (s *netStream) readable(src proactor.Source) bool {
	r := s.reader
	s.mu.Lock()
	e := s.reads.waiting()
	switch {
	case s.closed != nil:
		s.mu.Unlock()
		return false
	case e != nil && r.pulls(e.p) && e.task != nil:
		r.pullable, r.source = pullBytesMax, src
		e.call(true)
		s.mu.Unlock()
	case e != nil && r.pulls(e.p):
		if n := src.Pull(e.p); n > 0 {
			r.recent = int32(min(n, math.MaxInt32))
			e.n = n
			e.answer(true)
		}
		s.mu.Unlock()
	case e == nil && r.recent >= pullBytesMin && s.reads.first == nil:
		netBuffers.mu.Lock()
		n := s.buf.fill(&netBuffers.pool, src, fillBytesMin)
		netBuffers.mu.Unlock()
		s.count()
		if n > 0 {
			r.recent = int32(n)
		}
		s.fed()
	default:
		s.mu.Unlock()
		return false
	}
	return true
}

// ended tells that no more will come, and why. It is for the loop's goroutine.
func (s *netStream) ended(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil || s.end == io.EOF {
		s.end = err
	}
	s.serve(true)
}

// close closes the conn; false if Close was called before.
func (s *netStream) close(onLoop bool) bool {
	s.mu.Lock()
	was := s.closed
	s.shut(onLoop, net.ErrClosed)
	post := !onLoop && s.toPost()
	s.mu.Unlock()
	switch {
	case was != nil:
	case onLoop:
		s.flush()
	case post:
		s.loop.post(s)
	}
	return was != net.ErrClosed
}

// shut ends all calls that wait, and forgets what nobody will read.
func (s *netStream) shut(onLoop bool, why error) {
	s.closed = why
	s.readLimit.stop()
	s.writeLimit.stop()
	s.buf = readBuffer{}
	s.count()
	s.serve(onLoop)
	s.admit(onLoop)
}

// loopClosed implements outsider.
func (s *netStream) loopClosed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed == nil {
		s.shut(false, errLoopOfConnClosed)
	}
}

var errLoopOfConnClosed = fmt.Errorf("%w: and its conns with it", ErrLoopClosed)

// waits implements outsider.
func (s *netStream) waits() (calls []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls = s.reads.describe(calls, "Read", s.remote)
	return s.writes.describe(calls, "Write", s.remote)
}

// heldBytes is how many bytes have come that nobody has read. It takes no mutex: who asks
// may hold that of the inbox.
func (s *netStream) heldBytes() int { return int(s.held.Load()) }

// count notes how many those are.
func (s *netStream) count() { s.held.Store(int64(s.buf.len())) }
