package proactor

// Pipes: one end of a pipe, a FIFO, a connected stream socket or a terminal, given as a
// file.
//
//   - A file that is always ready, such as a regular one or /dev/null, is refused with
//     EPERM; one that is not open for the use with EBADF; a socket that is not connected
//     with ENOTCONN, and one that brings no stream of bytes with EPROTOTYPE. What is
//     refused is as it was.
//   - The driver goes on with a duplicate, which it owns, and closes the file. Only the
//     numbers of the standard files go on, as /dev/null: no other file gets them, which a
//     program would then take for its own output.
//   - The end of a Stream for reading is that the last writer is gone. A FIFO that nobody
//     has opened for writing yet is not at its end.
//   - The end of a Stream for writing only, told by EOF, is that its reader is gone; of a
//     socket, that the peer has ended its side. ReadStart begins to listen for that, and
//     Data is never called. What is written after that fails with EPIPE.
//   - CloseWrite is for sockets only, and else fails with ENOTSOCK: the end of a pipe is
//     its Close, when Buffered is 0.
//   - There are no addresses: LocalAddr and RemoteAddr are nil.
//   - The file behind the descriptors becomes non-blocking, and stays so for all who
//     share it.

import "os"

// PipeOpener makes streams of files.
type PipeOpener interface {
	// OpenPipe takes over f, unless there is an error. os.ErrClosed is that of a closed
	// one, and errors.ErrUnsupported that of a system without such pipes.
	OpenPipe(f *os.File, use PipeUse) (Stream, error)
}

// PipeUse is a set of what a pipe is for.
type PipeUse uint8

// The uses of a pipe.
const (
	PipeRead PipeUse = 1 << iota
	PipeWrite
)
