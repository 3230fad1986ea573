package testkit

import (
	"syscall"
	"unsafe"
)

// HaveChildren reports whether this process has a child or a zombie. It takes the status
// of none.
func HaveChildren() bool {
	const all, exited, noHang, noWait = 0, 0x4, 0x1, 0x1000000
	var info [128]byte
	_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, all, 0, uintptr(unsafe.Pointer(&info)), exited|noHang|noWait, 0, 0)
	return errno != syscall.ECHILD
}
