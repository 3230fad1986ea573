package asyncio

// Writing to a NetConn. A task writes to the transport itself. A goroutine leaves the
// bytes in the netStream, and the loop is told to send them; so it waits for nobody,
// unless too much is there already. All of one Write is in one piece, and the pieces are
// sent in the order in which they came.

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// pendingBytesMax is what goroutines may have left to be sent when another Write begins.
const pendingBytesMax = 64 << 10

// netOutput is what is to be sent. The mutex of the netStream guards it.
type netOutput struct {
	pending []byte // left by goroutines
	spare   []byte // the memory of what was sent last
	full    bool   // the transport has called PauseWriting
	last    uint64 // number of the task that made the last Write; 0: a goroutine or callback
	ended   bool   // by CloseWrite
	err     error  // what has broken the connection; nil: nothing
	ending  bool   // the transport was not told yet of ended
}

// room is nil and true if bytes may be taken now; false: a Write had better wait.
func (s *netStream) room() (err error, now bool) {
	switch {
	case s.closed != nil:
		return s.closed, true
	case s.out.ended:
		return fmt.Errorf("%w: Write after CloseWrite", ErrInvalidState), true
	case s.writeLimit.passed:
		return os.ErrDeadlineExceeded, true
	case s.out.err != nil:
		return s.out.err, true
	}
	return nil, !s.out.full && len(s.out.pending) <= pendingBytesMax
}

// admit answers the Writes that wait, if they need not wait any more.
func (s *netStream) admit(onLoop bool) {
	for e := s.writes.waiting(); e != nil; e = s.writes.waiting() {
		err, now := s.room()
		if !now {
			return
		}
		e.err = err
		e.answer(onLoop)
		s.writes.remove(e)
	}
}

func (s *netStream) write(c netCaller, p []byte) (int, error) {
	s.mu.Lock()
	err, now := s.room()
	if !now && s.waitsForRoom(c) {
		err = s.waitForRoom(c)
	}
	if err != nil {
		s.mu.Unlock()
		return 0, err
	}
	s.out.last = 0
	if c.task != nil {
		s.out.last = c.task.number
	}
	if !c.onLoop {
		post := s.leave(p)
		s.mu.Unlock()
		if post {
			s.loop.post(s)
		}
		return len(p), nil
	}
	left := len(s.out.pending) > 0 || s.out.ending
	s.mu.Unlock()
	if left {
		s.flush()
	}
	return s.protocol.reader.transport.Write(p)
}

// waitsForRoom reports whether a Write for which there is no room waits: not in a
// callback, and not in a task around whose call a mutex may be held.
func (s *netStream) waitsForRoom(c netCaller) bool {
	if !c.onLoop {
		return true
	}
	return c.task != nil && s.out.last == c.task.number && !calledByTLS()
}

// waitForRoom waits in the line of Writes.
func (s *netStream) waitForRoom(c netCaller) error {
	if err := c.mayWait(); err != nil {
		return err
	}
	e := s.writes.join(c.task)
	var err error
	if c.task == nil {
		e.block()
	} else if err = e.park(); err != nil {
		s.writes.remove(e)
	}
	if err == nil {
		err = e.err
	}
	e.free()
	return err
}

// leave keeps p for the loop to send. True: the caller posts s.
func (s *netStream) leave(p []byte) bool {
	if s.out.pending == nil {
		s.out.pending, s.out.spare = s.out.spare, nil
	}
	s.out.pending = append(s.out.pending, p...)
	return s.toPost()
}

// flush gives the transport what goroutines have left, and then the end of the stream or
// of the connection, if it is time. It is for the loop's goroutine.
func (s *netStream) flush() {
	s.mu.Lock()
	pending, ending, closed := s.out.pending, s.out.ending, s.closed == net.ErrClosed
	s.out.pending, s.out.ending = nil, false
	s.mu.Unlock()
	t := s.protocol.reader.transport
	if len(pending) > 0 {
		s.send(t, pending)
	}
	if ending {
		_ = t.WriteEOF() // which closeWrite knows to be possible
	}
	if closed {
		t.Close()
	}
}

// send writes what goroutines have left, and keeps its memory if that is not much.
func (s *netStream) send(t Transport, pending []byte) {
	_, err := t.Write(pending)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.out.err == nil {
		s.out.err = err
	}
	if cap(pending) <= pendingBytesMax && s.out.spare == nil {
		s.out.spare = pending[:0]
	}
	s.admit(true)
}

// setFull tells that the transport has too much to send, or no more. It is for the loop's
// goroutine.
func (s *netStream) setFull(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.full = full
	s.admit(true)
}

// lost tells that the connection has ended. It is for the loop's goroutine.
func (s *netStream) lost(err error) {
	s.loop.removeOutsider(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out.err == nil {
		if s.out.err = err; err == nil {
			s.out.err = net.ErrClosed
		}
	}
	s.admit(true)
}

func (s *netStream) closeWrite(onLoop bool) error {
	s.mu.Lock()
	err := s.closed
	switch {
	case err != nil:
	case !s.halves:
		err = fmt.Errorf("%w: the transport cannot end one direction alone", errors.ErrUnsupported)
	case s.out.ended: // before
		s.mu.Unlock()
		return nil
	}
	if err != nil {
		s.mu.Unlock()
		return err
	}
	s.out.ended, s.out.ending = true, true
	s.admit(onLoop)
	post := !onLoop && s.toPost()
	s.mu.Unlock()
	if onLoop {
		s.flush()
	} else if post {
		s.loop.post(s)
	}
	return nil
}
