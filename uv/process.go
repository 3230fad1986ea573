//go:build cgo

package uv

import "syscall"

// Kill sends a signal to a process, or to those that kill(2) says of another number; sig
// 0 asks whether it is there; uv_kill. Any goroutine.
func Kill(pid int, sig syscall.Signal) error {
	if pid != int(int32(pid)) {
		return &Error{Op: "kill", Errno: ESRCH}
	}
	if err := syscall.Kill(pid, sig); err != nil {
		errno, _ := err.(syscall.Errno)
		return &Error{Op: "kill", Errno: FromSyscall(errno)}
	}
	return nil
}
