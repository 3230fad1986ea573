//go:build cgo

package uv

// Writing.
//
// Small writes are gathered: they are copied into the bridge's arena and become one
// operation of the coming flush, which offers all of a stream's pieces to the kernel in
// one writev. Large ones are offered at once from the caller's memory, together with what
// was gathered before them. What the kernel does not take, the bridge copies and keeps.
//
// A write of medium size is offered at once if it is likely to be the only one until the
// flush: then gathering saves no system call and costs a copy, and the peer begins later.
// It is likely when it is the first, and when none has come behind the last first one. So
// a stream that writes in many pieces makes one system call too many, once.
//
// Bytes outstanding are queued, which the bridge keeps, and gathered, while the stream's
// seq is that of the coming flush. They leave in order, so the callback of a write is due
// when as many bytes have left as were outstanding behind it.

import "github.com/seed-a026a017/asyncio/cbridge"

const (
	// writeDirectMin is the size from which a write is not gathered: copying costs more
	// than a system call then.
	writeDirectMin = 16 * 1024
	// writeAloneMin is the size from which a write is not gathered if it is likely to be
	// the only one until the flush. Echoes of 1 KiB gain 2 to 5 % by that, of 10 KiB 6 to
	// 14 %.
	writeAloneMin = 1024
	// gatherBytesMax is what a stream gathers before it is flushed early, so that the
	// peer can begin.
	gatherBytesMax = 64 * 1024
)

// doneQueue is the callbacks of writes, oldest first.
type doneQueue struct {
	total   uint64 // bytes outstanding when the queue was made, and written since
	waiting []done
	settles bool // the stream is in Loop.settling
}

type done struct {
	end uint64 // due when so many bytes of total have left
	f   func(error)
}

// WriteQueueSize is the number of bytes written that the kernel has not taken;
// uv_stream_get_write_queue_size.
func (s *Stream) WriteQueueSize() int {
	if s.seq == s.loop.seq {
		return s.queued + int(s.gathered)
	}
	return s.queued
}

// Write queues p and takes no hold of it; uv_write. Small writes leave together at the
// next poll or Flush, large ones are offered to the kernel at once. done, which may be
// nil, is called once, in a later turn and in the order of the writes: with nil when the
// kernel has taken all of p, with an error when writing has failed, with ECANCELED when
// the stream was closed before. The error is ErrClosed, EPIPE after CloseWrite, or
// ENOTCONN before a connect; then done is not called.
func (s *Stream) Write(p []byte, done func(error)) error {
	if err := s.check("Stream.Write"); err != nil {
		return err
	}
	if s.flags != streamConnected && s.flags != streamConnected|streamReading {
		if ok, err := s.mayWrite(done); !ok {
			if err == nil {
				s.queued += len(p) // a writer that stops when much is outstanding has to stop, and hear of the failure
			}
			return err
		}
	}
	switch {
	case len(p) >= writeDirectMin:
		s.direct(p)
	case len(p) >= writeAloneMin && s.alone():
		s.direct(p)
		s.seq, s.gathered = s.loop.seq, 0
	case len(p) > 0:
		s.gather(p)
	}
	if s.dones != nil || done != nil {
		s.addDone(len(p), done)
	}
	return nil
}

// WriteV is Write of several pieces in order.
func (s *Stream) WriteV(bufs [][]byte, done func(error)) error {
	if len(bufs) == 0 {
		return s.Write(nil, done)
	}
	s.several = s.several || len(bufs) > 1
	for _, b := range bufs[:len(bufs)-1] {
		if err := s.Write(b, nil); err != nil {
			return err
		}
	}
	return s.Write(bufs[len(bufs)-1], done)
}

// mayWrite reports whether a stream out of the ordinary may write; if not, done has been
// seen to unless there is an error.
func (s *Stream) mayWrite(done func(error)) (bool, error) {
	switch {
	case s.flags&streamShutdown != 0:
		return false, s.fail("write", int(EPIPE))
	case s.flags&(streamConnected|streamConnecting) == 0:
		return false, s.fail("write", int(ENOTCONN))
	case s.flags&streamWriteFailed == 0:
		return true, nil
	}
	if done != nil {
		s.loop.later(func() { done(s.fail("write", int(EPIPE))) })
	}
	return false, nil
}

// alone reports whether a write is likely to be the only one until the coming flush: it
// is the first one, and the last time none came behind the first.
func (s *Stream) alone() bool {
	if s.seq == s.loop.seq || s.queued > 0 {
		return false
	}
	several := s.several
	s.several = false
	return !several
}

// hasOp reports whether this stream has an operation in the coming flush. One that has
// written alone has none.
func (s *Stream) hasOp() bool { return s.seq == s.loop.seq && s.gathered > 0 }

// dropGathered takes back what the stream has gathered for the coming flush.
func (s *Stream) dropGathered() {
	if s.hasOp() {
		s.loop.ops[s.op].Kind = cbridge.OpNop
		s.seq = 0
	}
}

// gather copies p into the arena, as part of this stream's operation in the coming flush.
func (s *Stream) gather(p []byte) {
	l := s.loop
	if l.arenaUsed+uint32(len(p)) > cbridge.ArenaBytes || l.npieces == cbridge.PiecesMax || l.nops == cbridge.OpsMax && !s.hasOp() {
		l.flush()
	}
	off, n := l.arenaUsed, uint32(len(p))
	copy(l.arena[off:], p)
	l.arenaUsed = off + n
	if s.hasOp() {
		l.extend(&l.ops[s.op], off, n)
	} else {
		s.op = uint16(l.nops)
		l.ops[s.op] = cbridge.Op{Kind: cbridge.OpWrite, Slot: s.slot, Gen: s.gen, Off: off, Len: n}
		l.nops++
	}
	if s.seq == l.seq {
		s.several = true
	} else {
		s.seq, s.gathered = l.seq, 0
	}
	s.gathered += n
	if s.gathered >= gatherBytesMax {
		s.direct(nil)
	}
}

// extend adds a piece to a write operation, or lengthens its last piece if the new one
// follows it in the arena.
func (l *Loop) extend(op *cbridge.Op, off, n uint32) {
	switch {
	case op.N == 0 && op.Off+op.Len == off:
		op.Len += n
	case op.N > 0 && l.pieces[op.Tail].Off+l.pieces[op.Tail].Len == off:
		l.pieces[op.Tail].Len += n
	default:
		l.pieces[l.npieces] = cbridge.Piece{Off: off, Len: n}
		if op.N == 0 {
			op.Next = l.npieces
		} else {
			l.pieces[op.Tail].Next = l.npieces
		}
		op.Tail = l.npieces
		op.N++
		l.npieces++
	}
}

// direct offers to the kernel what the stream has gathered, and then p.
func (s *Stream) direct(p []byte) {
	l := s.loop
	op, failed := -1, 0
	if s.hasOp() {
		op = int(s.op)
		s.seq = 0
	} else if p, failed = s.writeNow(p); len(p) == 0 {
		return
	}
	left := l.b.Write(s.id(), op, p)
	if left < 0 && failed < 0 && failed != int(EAGAIN) && failed != int(EINTR) {
		left = failed // the first of two errors tells more
	}
	n := len(p)
	if op >= 0 {
		n += int(s.gathered)
	}
	s.offered(left, n)
}

// offered takes in what the bridge says of n bytes: how many it keeps, or why writing has
// failed.
func (s *Stream) offered(left, n int) {
	l := s.loop
	if left >= 0 {
		s.queued += left
		l.stirred()
		if s.dones != nil {
			s.settleLater()
		}
		return
	}
	s.flags |= streamWriteFailed
	s.queued += n // the kernel has not taken them, until writeFailed tells why
	err := s.fail("write", left)
	l.later(func() { s.writeFailed(err) })
}

// writeNow is one write(2) of p, if nothing is before it. It returns the rest, and the
// code of an error, which is for the bridge to find again.
func (s *Stream) writeNow(p []byte) (rest []byte, code int) {
	if s.queued > 0 || s.flags&^streamReading != streamConnected {
		return p, 0
	}
	fd := s.rawFD()
	if fd <= 0 {
		return p, 0
	}
	s.loop.b.WriteCalls++
	n := rawWrite(fd, p)
	return p[max(n, 0):], min(n, 0)
}

// Flush offers the kernel now what Write has gathered.
func (s *Stream) Flush() error {
	if err := s.check("Stream.Flush"); err != nil {
		return err
	}
	if s.hasOp() {
		s.direct(nil)
	}
	return nil
}

// TryWrite writes as much of p as the kernel takes now; uv_try_write. The error is EAGAIN
// if it takes nothing, or if earlier writes are outstanding.
func (s *Stream) TryWrite(p []byte) (int, error) {
	if err := s.check("Stream.TryWrite"); err != nil {
		return 0, err
	}
	if s.flags&streamConnected == 0 {
		return 0, s.fail("try_write", int(EBADF))
	}
	s.Flush()
	if s.flags&(streamShutdown|streamWriteFailed) != 0 {
		return 0, s.fail("try_write", int(EPIPE))
	}
	if len(p) == 0 {
		return 0, nil
	}
	n := s.loop.b.TryWrite(s.id(), p)
	if n < 0 {
		return 0, s.fail("try_write", n)
	}
	return n, nil
}

// tryBytesMax is how much TryWriteV writes by one system call: small pieces are copied
// for that.
const tryBytesMax = 64 * 1024

// TryWriteV is TryWrite of several pieces in order.
func (s *Stream) TryWriteV(bufs [][]byte) (int, error) {
	if err := s.check("Stream.TryWriteV"); err != nil {
		return 0, err
	}
	if _, err := s.TryWrite(nil); err != nil || len(bufs) == 0 {
		return 0, err
	}
	var some []byte
	n := 0
	for len(bufs) > 0 {
		p := bufs[0]
		bufs = bufs[1:]
		if len(bufs) > 0 && len(p)+len(bufs[0]) <= tryBytesMax {
			some = append(some[:0], p...)
			for len(bufs) > 0 && len(some)+len(bufs[0]) <= tryBytesMax {
				some = append(some, bufs[0]...)
				bufs = bufs[1:]
			}
			p = some
		}
		k, err := s.TryWrite(p)
		n += k
		if err != nil && n == 0 {
			return 0, err
		}
		if k < len(p) {
			break
		}
	}
	return n, nil
}

// addDone puts a callback behind the n bytes that were just written.
func (s *Stream) addDone(n int, f func(error)) {
	q := s.dones
	if q == nil {
		q = &doneQueue{total: uint64(s.WriteQueueSize())} // without what has left already
		s.dones = q
	} else {
		q.total += uint64(n)
	}
	if f != nil {
		q.waiting = append(q.waiting, done{q.total, f})
	}
	s.settleLater()
}

func (s *Stream) settleLater() {
	if !s.dones.settles {
		s.dones.settles = true
		s.loop.settling = append(s.loop.settling, s)
	}
}

// settle calls back for writes that the flush of this turn, or an earlier one, has
// finished.
func (l *Loop) settle() {
	for n := len(l.settling); n > 0; n-- {
		s := l.settling[0]
		l.settling[0] = nil
		l.settling = l.settling[1:]
		if s.dones != nil {
			s.dones.settles = false
			s.settle()
		}
	}
	if len(l.settling) == 0 {
		l.settling = nil
	}
}

// settle calls back for the writes that are done. If one of the callbacks panics, the
// next turn goes on.
func (s *Stream) settle() {
	finished := false
	defer func() {
		if !finished && s.dones != nil {
			s.settleLater()
		}
	}()
	for s.flags&streamWriteFailed == 0 && s.dones != nil {
		q := s.dones
		if len(q.waiting) == 0 {
			if !q.settles {
				s.dones = nil
			}
			break
		}
		if q.waiting[0].end > q.total-uint64(s.WriteQueueSize()) {
			break
		}
		f := q.waiting[0].f
		q.waiting = q.waiting[1:]
		s.loop.calls++
		f(nil)
	}
	finished = true
}

// written tells that the kernel has taken n bytes that it had left behind.
func (s *Stream) written(n int) {
	s.queued -= n
	if s.dones != nil {
		s.settle()
	}
	if s.h != nil && s.state == handleOpen {
		s.loop.calls++
		s.h.OnWritten(n, nil)
	}
}

// writeFailed ends writing.
func (s *Stream) writeFailed(err error) {
	s.flags |= streamWriteFailed
	s.queued, s.seq = 0, 0
	s.failDones(err)
	if s.h != nil && s.state == handleOpen {
		s.loop.calls++
		s.h.OnWritten(0, err) // before the records behind, which may bring an end that this error has caused
	}
}

// failDones ends the writes that are outstanding, each by itself, so that a panic of one
// does not lose the others.
func (s *Stream) failDones(err error) {
	if s.dones == nil {
		return
	}
	for _, d := range s.dones.waiting {
		s.loop.later(func() { d.f(err) })
	}
	s.dones = nil
}

// CloseWrite sends the end of the stream after everything written; uv_shutdown. done,
// which may be nil, is called once in a later turn. The error is ErrClosed, or ENOTCONN
// before a connect and after another CloseWrite.
func (s *Stream) CloseWrite(done func(error)) error {
	if err := s.check("Stream.CloseWrite"); err != nil {
		return err
	}
	if s.flags&streamShutdown != 0 || s.flags&(streamConnected|streamConnecting) == 0 {
		return s.fail("shutdown", int(ENOTCONN))
	}
	s.flags |= streamShutdown
	if done != nil {
		s.reqs().shutdown = done
	}
	s.loop.submit(cbridge.OpShutdown, s.slot, s.gen, 0)
	return nil
}

func (s *Stream) shutdownEnd(err error) {
	if s.requests == nil || s.requests.shutdown == nil {
		return
	}
	done := s.requests.shutdown
	s.requests.shutdown = nil
	s.loop.later(func() { done(err) })
}
