package system

// The end of a child. package os waits for it in a thread of its own, and the runtime
// ends a program of 10,000 threads. A descriptor of the process is readable once it has
// ended, for which a goroutine can park: 300 children that slept took 300 threads and 616
// us of CPU time each, and take 2 and 454 us.
//
// To park costs more than a thread does that waits for a moment: a child that ended at
// once took 25 % more CPU time. So a goroutine parks when briefly is over, and it is 4 %.

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

const (
	briefly      = 2 * time.Millisecond
	sysPidfdOpen = 434 // pidfd_open, on all machines; package syscall does not have it
)

// awaitEnd waits until a child has ended. It may return earlier, where the system does
// not tell, as before Linux 5.10 or without descriptors.
func awaitEnd(pid int) {
	fd, _, errno := syscall.Syscall(sysPidfdOpen, uintptr(pid), syscall.O_NONBLOCK, 0)
	if errno != 0 {
		return
	}
	if endsBriefly(fd) {
		_ = syscall.Close(int(fd))
		return
	}
	f := os.NewFile(fd, "child")
	defer f.Close()
	raw, err := f.SyscallConn()
	if err == nil {
		_ = raw.Read(hasEnded) // it fails if the runtime's poller does not take the file
	}
}

// endsBriefly waits in this thread for a moment, and reports whether the child has ended.
func endsBriefly(fd uintptr) bool {
	const readable = 1
	asked := struct {
		fd               int32
		events, happened int16
	}{fd: int32(fd), events: readable}
	limit := syscall.NsecToTimespec(briefly.Nanoseconds())
	n, _, _ := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&asked)), 1, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	return n == 1
}

// hasEnded reports whether a child, of which fd is, has ended, and leaves it to be waited
// for.
func hasEnded(fd uintptr) bool {
	const byPidfd = 3
	var info [32]int32 // siginfo_t: the first number is 0 if there is nothing to tell
	_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, byPidfd, fd, uintptr(unsafe.Pointer(&info)), syscall.WEXITED|syscall.WNOHANG|syscall.WNOWAIT, 0, 0)
	return errno != 0 && errno != syscall.EINTR || info[0] != 0
}
