//go:build unix && !linux

package signals

import "syscall"

// last is the largest number of a signal.
const last syscall.Signal = 31

// kept reports whether a signal is not for programs.
func kept(sig syscall.Signal) bool {
	switch sig {
	case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGURG, syscall.SIGPROF,
		syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGSYS, syscall.SIGEMT:
		return true
	}
	return false
}
