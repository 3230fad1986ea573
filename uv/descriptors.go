//go:build cgo

package uv

// Descriptors: what they are, and pairs of them.

import (
	"math"

	"github.com/seed-a026a017/asyncio/cbridge"
)

var guesses = map[int]HandleType{
	cbridge.GuessTCP:  TCPHandle,
	cbridge.GuessPipe: PipeHandle,
	cbridge.GuessTTY:  TTYHandle,
	cbridge.GuessUDP:  UDPHandle,
	cbridge.GuessFile: FileHandle,
}

// GuessHandle is the kind of handle that fd would make: TCPHandle, UDPHandle, PipeHandle,
// TTYHandle, FileHandle for files and devices, or UnknownHandle; uv_guess_handle. Any
// goroutine may call it.
func GuessHandle(fd uintptr) HandleType {
	if fd > math.MaxInt32 {
		return UnknownHandle
	}
	return guesses[cbridge.Guess(int(fd))]
}

// SocketPair makes two sockets of the Unix domain that are connected to each other;
// uv_socketpair. typ is such as syscall.SOCK_STREAM, and proto mostly 0. They are
// close-on-exec, and the caller's, who may give them away by OpenFD. Any goroutine may
// call it.
func SocketPair(typ, proto int, nonblock0, nonblock1 bool) ([2]uintptr, error) {
	fds, code := cbridge.SocketPair(typ, proto, nonblock0, nonblock1)
	return pairResult("socketpair", fds, code)
}

// PipePair makes a pipe: its read end and its write end; uv_pipe. They are close-on-exec,
// and the caller's, who may give them away by OpenFD. Any goroutine may call it.
func PipePair(nonblockRead, nonblockWrite bool) ([2]uintptr, error) {
	fds, code := cbridge.PipePair(nonblockRead, nonblockWrite)
	return pairResult("pipe", fds, code)
}

func pairResult(op string, fds [2]int, code int) ([2]uintptr, error) {
	if code != 0 {
		return [2]uintptr{}, &Error{Op: op, Errno: Errno(code)}
	}
	return [2]uintptr{uintptr(fds[0]), uintptr(fds[1])}, nil
}
