package testkit

import (
	"fmt"
	"syscall"
	"unsafe"
)

// HandlersOffStack is the signals whose handler does not ask for a stack of its own,
// which Go's goroutines need.
func HandlersOffStack() (bad []string) {
	const ignored, onStack, signals = 1, 0x08000000, 64
	for sig := 1; sig <= signals; sig++ {
		var action struct {
			handler, flags uintptr
			_              [16]byte
		}
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), 0, uintptr(unsafe.Pointer(&action)), signals/8, 0, 0)
		if errno != 0 || action.handler > ignored && action.flags&onStack == 0 {
			bad = append(bad, fmt.Sprintf("%d: flags %#x, %v", sig, action.flags, errno))
		}
	}
	return bad
}
