package asyncio

// Sending files over sockets that the program owns.

import (
	"context"
	"fmt"
	"os"
)

// SockSendfile sends a file over a non-blocking stream socket that the caller owns:
// loop.sock_sendfile. The offset, the count, what it returns and where it leaves the
// file's position are as in Sendfile. Where the kernel cannot send the file, it is read
// in the loop's executor and sent piece by piece. Errors of the descriptor are those of
// SockRecv; one that is no stream is ErrInvalidArgument.
// Suspends. Cancelled: what was sent is sent; of a file that was read, a part of one more
// piece may be.
func (l *Loop) SockSendfile(ctx context.Context, fd int, f *os.File, offset, count int64) (int64, error) {
	a, s, err := l.newSending(ctx, "SockSendfile", f, offset, count)
	if err != nil {
		return 0, err
	}
	err = l.sockCall(ctx, "SockSendfile", fd, true, func(fd int) error {
		if !sockIsStream(fd) {
			return fmt.Errorf("%w: only sockets of streams are supported", ErrInvalidArgument)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	defer s.setPosition()
	native := sendfileSupports(f)
	if native {
		err = l.sockSendNative(a, s, fd)
	}
	if !native || s.sent == 0 && isUnsupportedFile(err) {
		err = l.sockSendCopies(ctx, s, fd)
	}
	return s.sent, s.described(err)
}

// sockSendNative has the kernel send the file.
func (l *Loop) sockSendNative(a awaiter, s *fileSending, fd int) error {
	u, err := l.useDescriptor(fd, true)
	if err != nil {
		return err
	}
	defer u.done()
	for {
		over, full, err := s.sendSome(u.d.watch.FD())
		switch {
		case err != nil:
			return &sockError{method: "SockSendfile", fd: fd, err: os.NewSyscallError("sendfile", err)}
		case over:
			return nil
		case full:
			err = u.wait(a)
		default:
			if err = a.yield(); err == nil {
				err = u.d.check()
			}
		}
		if err != nil {
			return err
		}
	}
}

// sockSendCopies reads the file and sends it.
func (l *Loop) sockSendCopies(ctx context.Context, s *fileSending, fd int) error {
	for buf := make([]byte, s.next(sendfileReadBytes)); ; {
		size := s.next(len(buf))
		if size == 0 {
			return nil
		}
		n, err := s.read(ctx, buf[:size])
		if err == nil && n > 0 {
			err = l.SockSendAll(ctx, fd, buf[:n])
		}
		if err != nil || n == 0 {
			return err
		}
		s.sent += int64(n)
	}
}
