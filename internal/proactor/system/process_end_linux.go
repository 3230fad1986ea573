package system

// The end of a child. package os waits for it in a thread of its own, and the runtime
// ends a program of 10,000 threads. A descriptor of the process is readable once it has
// ended, for which a goroutine can park: 300 children that slept took 300 threads and 616
// us of CPU time each, and take 2 and 454 us.

import (
	"os"
	"syscall"
	"unsafe"
)

// sysPidfdOpen is the number of pidfd_open, which package syscall does not have; it is
// the same on all machines.
const sysPidfdOpen = 434

// awaitEnd parks the goroutine until a child has ended. It may return earlier, where the
// system does not tell, as before Linux 5.10 or without descriptors.
func awaitEnd(pid int) {
	fd, _, errno := syscall.Syscall(sysPidfdOpen, uintptr(pid), syscall.O_NONBLOCK, 0)
	if errno != 0 {
		return
	}
	f := os.NewFile(fd, "child")
	defer f.Close()
	raw, err := f.SyscallConn()
	if err == nil {
		_ = raw.Read(hasEnded) // it fails if the runtime's poller does not take the file
	}
}

// hasEnded reports whether a child, of which fd is, has ended, and leaves it to be waited
// for.
func hasEnded(fd uintptr) bool {
	const byPidfd = 3
	var info [32]int32 // siginfo_t: the first number is 0 if there is nothing to tell
	_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, byPidfd, fd, uintptr(unsafe.Pointer(&info)), syscall.WEXITED|syscall.WNOHANG|syscall.WNOWAIT, 0, 0)
	return errno != 0 && errno != syscall.EINTR || info[0] != 0
}
