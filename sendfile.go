package asyncio

// Sending files. The kernel copies from the file to the socket, sendfile(2), and the loop
// only waits until the socket takes more. Where that is not to be had the bytes are read
// in the executor and written with back-pressure.
//
// While a transport sends a file nothing else may write to it, and it does not read, as
// in asyncio: a protocol that answers what it receives would have its answer refused.
//
//	state of the sending  what ends the wait
//	buffer to be emptied  Drained of the driver; Close; the connection is lost
//	socket full           the Watch of a duplicate; Close; the connection is lost
//	file being read       the executor
//	buffer too full       Drained, once the protocol was resumed; Close; lost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

const (
	// sendfileBytesMax is what one system call sends before others have their turn: with
	// the file in memory, about 100 us. So 100 MiB take 1.0 to 1.1 times the processor
	// time of a C program that calls sendfile and poll, and 1.4 times with 64 KiB.
	sendfileBytesMax = 512 << 10
	// sendfileReadBytes is how much is read at a time where the kernel does not send by
	// itself.
	sendfileReadBytes = 64 << 10
)

// ErrSendfile: the system cannot send this file by itself, and nothing else was allowed:
// asyncio.SendfileNotAvailableError.
var ErrSendfile = errors.New("asyncio: sendfile is not available")

// fileSending is a file on its way to a socket.
type fileSending struct {
	loop          *Loop
	file          *os.File
	offset, count int64 // count -1: to the end
	sent          int64
	watch         proactor.Watch // nil: the socket has always taken something so far
	wait          waitPoint
}

// Sendfile sends a file over a transport: loop.sendfile. It begins at offset and sends
// count bytes, or all to the end if count is -1, after what was written before. It
// returns how many bytes it has sent, also with an error; if that is any, the file's
// position is behind them. A file that shrinks meanwhile ends where it ends.
//
// On Linux the bytes of a regular file go from the kernel's cache to the socket and
// never through this process. If they are not in that cache, the loop waits for the
// disk. Other files, and other systems, are read in the loop's executor and written
// piece by piece, if fallback allows that; else the error is ErrSendfile.
//
// Until it returns, reading is paused, and Write, WriteEOF and another Sendfile are
// refused with ErrInvalidState. Close and Abort end the connection, and Sendfile with
// net.ErrClosed, once a read of the file that runs has returned. A transport that is
// closing, or after WriteEOF, is ErrInvalidState too; a negative offset, and a count of 0
// or below -1, are ErrInvalidArgument. If the file cannot be read, the connection stays.
// It is for a task of the loop.
// Suspends. Cancelled: what was sent is sent; the connection stays.
func (l *Loop) Sendfile(ctx context.Context, t Transport, f *os.File, offset, count int64, fallback bool) (int64, error) {
	if t == nil {
		panic(misuse(ErrInvalidArgument, "Sendfile was given a nil transport"))
	}
	a, s, err := l.newSending(ctx, "Sendfile", f, offset, count)
	if err != nil {
		return 0, err
	}
	sender, ok := t.(fileSender)
	switch {
	case !ok:
		return 0, fmt.Errorf("%w: sendfile is not supported for a transport of type %T", ErrInvalidArgument, t)
	case t.Loop() != l:
		return 0, fmt.Errorf("%w: Sendfile over a transport of another loop", ErrWrongLoop)
	}
	if err := sender.mayWriteFile("Sendfile"); err != nil {
		return 0, err
	}
	defer s.setPosition()
	err = sender.sendFile(ctx, a, s, fallback)
	return s.sent, s.described(err)
}

// fileSender is a transport that can send files.
type fileSender interface {
	mayWriteFile(method string) error
	sendFile(ctx context.Context, a awaiter, s *fileSending, fallback bool) error
	fileSink
}

// fileSink takes a file piece by piece.
type fileSink interface {
	isOpen() bool
	isWritingPaused() bool
	writePiece(b []byte)
	whyClosed() error
}

// newSending checks what calls have in common.
func (l *Loop) newSending(ctx context.Context, method string, f *os.File, offset, count int64) (awaiter, *fileSending, error) {
	if f == nil {
		panic(misuse(ErrInvalidArgument, "%s was given a nil file", method))
	}
	a, err := l.enterOn(ctx, method)
	switch {
	case err != nil:
		return a, nil, err
	case offset < 0:
		return a, nil, fmt.Errorf("%w: %s from offset %d: it must not be negative", ErrInvalidArgument, method, offset)
	case count == 0 || count < -1:
		return a, nil, fmt.Errorf("%w: %s of %d bytes: it takes a positive count, or -1 for all to the end", ErrInvalidArgument, method, count)
	}
	return a, &fileSending{loop: l, file: f, offset: offset, count: count}, nil
}

// described says how much was sent before err.
func (s *fileSending) described(err error) error {
	if err == nil || errors.Is(err, ErrCancelled) {
		return err
	}
	return fmt.Errorf("asyncio: send file %s: after %d bytes: %w", s.file.Name(), s.sent, err)
}

// setPosition puts the file's position behind what was sent. A pipe has none.
func (s *fileSending) setPosition() {
	if s.sent > 0 {
		_, _ = s.file.Seek(s.offset+s.sent, io.SeekStart)
	}
}

// next is how many bytes to send now, limit at the most.
func (s *fileSending) next(limit int) int {
	if s.count < 0 {
		return limit
	}
	return int(min(s.count-s.sent, int64(limit)))
}

// sendSome is one sendfile(2) to fd. over tells that all is sent, again that the socket
// takes no more for now.
func (s *fileSending) sendSome(fd int) (over, again bool, err error) {
	size := s.next(sendfileBytesMax)
	if size == 0 {
		return true, false, nil
	}
	n, err := sendfile(fd, s.file, s.offset+s.sent, size)
	s.sent += int64(n)
	if errors.Is(err, syscall.EAGAIN) {
		return false, true, nil
	}
	return err == nil && n == 0, false, err
}

// writable waits until the socket takes more, or the wait is ended.
func (s *fileSending) writable(a awaiter) error {
	if err := s.watch.Want(false, true); err != nil {
		return err
	}
	s.loop.counters.pending++
	defer func() { s.loop.counters.pending-- }()
	err := s.wait.wait(a)
	return errors.Join(err, s.watch.Want(false, false))
}

// Ready implements proactor.WatchHandler.
func (s *fileSending) Ready(bool, bool) { s.wait.wake(nil) }

// closeWatch lets go of the duplicate.
func (s *fileSending) closeWatch() {
	if s.watch != nil {
		s.watch.Close()
	}
}

// read reads the next piece in the executor. What cannot be read from an offset is read
// from where it stands.
func (s *fileSending) read(ctx context.Context, p []byte) (int, error) {
	at, seekable := s.offset+s.sent, s.isSeekable()
	if !seekable && s.offset > 0 {
		return 0, fmt.Errorf("read from offset %d: %w", s.offset, syscall.ESPIPE)
	}
	reading := RunInExecutor(ctx, nil, func() (n int, err error) {
		if seekable {
			n, err = s.file.ReadAt(p, at)
		} else {
			n, err = s.file.Read(p)
		}
		if n > 0 || err == io.EOF {
			err = nil // what is behind these bytes shows in the next read
		}
		return n, err
	})
	defer reading.Cancel() // if ctx, derived by the caller, has ended
	return reading.Await(ctx)
}

func (s *fileSending) isSeekable() bool {
	_, err := s.file.Seek(0, io.SeekCurrent)
	return err == nil
}

// mayWriteFile tells why a method that writes more than Write cannot do so now.
func (t *streamTransport) mayWriteFile(method string) error {
	switch {
	case t.look().pipe.reads():
		return t.onlyReads(method)
	case t.look().sending != nil:
		return t.sendfileInProgress(method)
	case t.IsClosing():
		return fmt.Errorf("%w: %s over %s: the transport is closing: %w", ErrInvalidState, method, t, net.ErrClosed)
	case t.look().wroteEOF:
		return fmt.Errorf("%w: %s over %s after WriteEOF", ErrInvalidState, method, t)
	}
	return nil
}

func (t *streamTransport) sendfileInProgress(method string) error {
	return fmt.Errorf("%w: %s over %s while a sendfile is in progress; wait until it has returned", ErrInvalidState, method, t)
}

// sendFile is the whole of Sendfile.
func (t *streamTransport) sendFile(ctx context.Context, a awaiter, s *fileSending, fallback bool) error {
	native := sendfileSupports(s.file) && t.stream.FD() >= 0
	if !native && !fallback {
		_, err := s.file.Stat() // of a closed file it is no matter of the system's
		return cmp.Or(err, ErrSendfile)
	}
	t.change().sending = s
	reading := t.IsReading()
	t.PauseReading()
	defer func() {
		s.closeWatch()
		t.rare.sending = nil
		if reading {
			t.ResumeReading()
		}
	}()
	if native {
		err := t.sendNative(a, s)
		switch {
		case s.sent > 0 || !isUnsupportedFile(err):
			return err
		case !fallback:
			return fmt.Errorf("%w: %w", ErrSendfile, err)
		}
	}
	return s.sendCopies(ctx, a, t)
}

// sendNative has the kernel send the file.
func (t *streamTransport) sendNative(a awaiter, s *fileSending) error {
	for t.stream.Flush(); t.state == transportOpen && t.stream.Buffered() > 0; t.stream.Flush() {
		if err := s.wait.wait(a); err != nil {
			return err
		}
	}
	for t.state == transportOpen {
		before := s.sent
		over, full, err := s.sendSome(t.stream.FD())
		if s.sent > before {
			t.touch()
		}
		switch {
		case err != nil:
			return t.sendfileFailed(err)
		case over:
			return nil
		case full:
			err = t.untilWritable(a, s)
		default:
			err = a.yield()
		}
		if err != nil {
			return err
		}
	}
	return t.whyClosed()
}

// untilWritable waits until the kernel takes more of the file.
func (t *streamTransport) untilWritable(a awaiter, s *fileSending) (err error) {
	if s.watch == nil {
		if s.watch, err = t.loop.pro.Watch(t.stream.FD(), s); err != nil {
			return err
		}
	}
	return s.writable(a)
}

// sendCopies reads the file and writes it.
func (s *fileSending) sendCopies(ctx context.Context, a awaiter, t fileSink) error {
	for buf := make([]byte, s.next(sendfileReadBytes)); ; {
		size := s.next(len(buf))
		if size == 0 {
			return nil
		}
		n, err := s.read(ctx, buf[:size])
		if err != nil || n == 0 {
			return err
		}
		for t.isOpen() && t.isWritingPaused() {
			if err := s.wait.wait(a); err != nil {
				return err
			}
		}
		if !t.isOpen() {
			return t.whyClosed()
		}
		t.writePiece(buf[:n])
		s.sent += int64(n)
	}
}

func (t *streamTransport) isOpen() bool          { return t.state == transportOpen }
func (t *streamTransport) isWritingPaused() bool { return t.writingPaused }

func (t *streamTransport) writePiece(b []byte) {
	t.touchWrite()
	t.stream.Write(b)
	t.written()
}

// stirSending has a Sendfile that waits look again at the transport.
func (t *streamTransport) stirSending() {
	if t.rare != nil && t.rare.sending != nil {
		t.rare.sending.wait.wake(nil)
	}
}

// whyClosed is the error of a Sendfile whose transport has been closed, or was lost.
func (t *streamTransport) whyClosed() error {
	if err := t.look().err; err != nil {
		return err
	}
	return t.opError("sendfile", net.ErrClosed)
}

// sendfileFailed ends the connection, unless err is the file's.
func (t *streamTransport) sendfileFailed(err error) error {
	if isFileError(err) {
		return err
	}
	err = t.opError("sendfile", os.NewSyscallError("sendfile", err))
	t.lose(err)
	return err
}

func (t *streamTransport) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: t.network(), Source: t.LocalAddr(), Addr: t.RemoteAddr(), Err: err}
}

// isUnsupportedFile reports whether err says that sendfile(2) cannot read such a file.
func isUnsupportedFile(err error) bool {
	return isOneOf(err, syscall.EINVAL, syscall.ENOSYS, syscall.EOPNOTSUPP, syscall.ESPIPE)
}

// isFileError reports whether an error of sendfile(2) says nothing of the connection.
func isFileError(err error) bool {
	return isUnsupportedFile(err) || errors.Is(err, os.ErrClosed) ||
		isOneOf(err, syscall.EIO, syscall.ENOMEM, syscall.EBADF, syscall.EISDIR, syscall.EOVERFLOW, syscall.EACCES, syscall.EPERM)
}

func isOneOf(err error, errnos ...syscall.Errno) bool {
	for _, errno := range errnos {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
