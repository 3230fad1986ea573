package asyncio

// Pipes that a program gives to the loop: the read end, or the write end.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// ConnectReadPipe gives the read end of a pipe to the protocol that factory makes:
// loop.connect_read_pipe. f may be one end of os.Pipe, a FIFO, a connected stream socket
// or a terminal, such as os.Stdin. DataReceived brings what is written to the pipe;
// EOFReceived and ConnectionLost follow when its last writer is gone. The transport
// writes nothing.
//
// f is taken over: it is closed when ConnectReadPipe returns, and the transport's Close
// closes the pipe. Of standard input, output and error the number stays, and stands for
// os.DevNull then, as f does. The file itself becomes non-blocking, for other programs
// that share it too. An f that is refused is as it was: ErrInvalidArgument for one that
// is not a pipe of its kind, with syscall.EPERM for a file that is always ready, such as
// a regular one, EBADF for one that is not open for reading, ENOTCONN or EPROTOTYPE for
// another socket; os.ErrClosed; errors.ErrUnsupported where the system cannot do it, as
// on Windows. It panics with ErrInvalidArgument if factory or f is nil.
//
// It is for a task of the loop. ConnectionMade has returned when ConnectReadPipe does.
// Suspends. Cancelled: the pipe is closed; a protocol whose ConnectionMade was called
// hears ConnectionLost.
func (l *Loop) ConnectReadPipe(ctx context.Context, factory func() Protocol, f *os.File) (Transport, Protocol, error) {
	return l.connectPipe(ctx, "ConnectReadPipe", factory, f, proactor.PipeRead)
}

// ConnectWritePipe is ConnectReadPipe of the write end: loop.connect_write_pipe. The
// transport reads nothing. When the pipe's last reader is gone, the connection is lost,
// with EPIPE if bytes were still to be written. WriteEOF ends the pipe as Close does.
// Suspends. Cancelled: the pipe is closed; a protocol whose ConnectionMade was called
// hears ConnectionLost.
func (l *Loop) ConnectWritePipe(ctx context.Context, factory func() Protocol, f *os.File) (Transport, Protocol, error) {
	return l.connectPipe(ctx, "ConnectWritePipe", factory, f, proactor.PipeWrite)
}

func (l *Loop) connectPipe(ctx context.Context, method string, factory func() Protocol, f *os.File, use proactor.PipeUse) (Transport, Protocol, error) {
	if factory == nil || f == nil {
		panic(misuse(ErrInvalidArgument, "%s was given a nil factory or file", method))
	}
	a, err := l.enterOn(ctx, method)
	if err != nil {
		return nil, nil, err
	}
	s, err := l.openPipe(f, use)
	if err != nil {
		return nil, nil, err
	}
	return l.adopt(ctx, a, s, factory, streamConfig{pipe: &pipeEnd{file: f, use: use}})
}

// openPipe takes f over.
func (l *Loop) openPipe(f *os.File, use proactor.PipeUse) (proactor.Stream, error) {
	s, err := l.pro.OpenPipe(f, use)
	if errors.Is(err, syscall.EPERM) {
		err = fmt.Errorf("%w: it is always ready; only pipes, FIFOs, sockets and terminals can be waited for", err)
	}
	for _, kind := range []error{syscall.EPERM, syscall.EBADF, syscall.ENOTCONN, syscall.EPROTOTYPE} {
		if errors.Is(err, kind) {
			return nil, fmt.Errorf("%w: %w", ErrInvalidArgument, err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("asyncio: %w", err)
	}
	return s, nil
}
