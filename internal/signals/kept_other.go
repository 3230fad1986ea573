//go:build !unix

package signals

import "syscall"

// last is the largest number of a signal.
const last syscall.Signal = 31

// kept reports whether a signal is not for programs: all but those of the console.
func kept(sig syscall.Signal) bool { return sig != syscall.SIGINT && sig != syscall.SIGTERM }
