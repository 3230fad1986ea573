// Package cputime reads the clock of another process's CPU time, all its threads together.
package cputime

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

// Of is the CPU time that a process has used. A process that has ended is an error.
func Of(pid int) (time.Duration, error) {
	// clock_getcpuclockid(3): the id of a process's clock is made of its number.
	const clockSched = 2
	id := ^uintptr(pid)<<3 | clockSched
	var t syscall.Timespec
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(int32(id)), uintptr(unsafe.Pointer(&t)), 0)
	if errno != 0 {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, errno)
	}
	return time.Duration(t.Nano()), nil
}
