package signals

import "syscall"

// last is the largest number of a signal.
const last syscall.Signal = 64

// kept reports whether a signal is not for programs.
func kept(sig syscall.Signal) bool {
	switch sig {
	case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGURG, syscall.SIGPROF,
		syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGSYS:
		return true
	case 16: // SIGSTKFLT, but on MIPS
		return sig != syscall.SIGUSR1
	case 32, 33, 34: // glibc has the first two, musl the third, and Go's runtime leaves them alone
		return true
	}
	return false
}
