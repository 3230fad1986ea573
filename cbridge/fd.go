//go:build cgo

package cbridge

// Descriptors. The functions are for any goroutine.

/*
#cgo noescape br_guess
#cgo nocallback br_guess
#cgo noescape br_socketpair
#cgo nocallback br_socketpair
#cgo noescape br_pipe_pair
#cgo nocallback br_pipe_pair
#include "bridge.h"
*/
import "C"

// What Guess tells.
const (
	GuessNothing = C.BR_GUESS_NOTHING
	GuessTCP     = C.BR_GUESS_TCP
	GuessPipe    = C.BR_GUESS_PIPE
	GuessTTY     = C.BR_GUESS_TTY
	GuessUDP     = C.BR_GUESS_UDP
	GuessFile    = C.BR_GUESS_FILE
)

// Guess is uv_guess_handle.
func Guess(fd int) int { return int(C.br_guess(cint(fd))) }

// SocketPair is uv_socketpair.
func SocketPair(typ, protocol int, nonblock0, nonblock1 bool) (fds [2]int, err int) {
	var c [2]C.int
	err = int(C.br_socketpair(cint(typ), cint(protocol), flag(nonblock0), flag(nonblock1), &c[0]))
	return [2]int{int(c[0]), int(c[1])}, err
}

// PipePair is uv_pipe.
func PipePair(nonblockRead, nonblockWrite bool) (fds [2]int, err int) {
	var c [2]C.int
	err = int(C.br_pipe_pair(flag(nonblockRead), flag(nonblockWrite), &c[0]))
	return [2]int{int(c[0]), int(c[1])}, err
}
