package faults_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// kind is a kind of system calls, with the errors that it usually gives.
type kind struct {
	name    string
	numbers []int
	errnos  []syscall.Errno
	short   int // so many of the errors are tried by the short form
	counts  func(n *notification) bool
	// ofChildren: calls of processes that the program has started count as well.
	ofChildren bool
	// notPureGo: package net takes such a fault for a connection that is not there yet.
	notPureGo bool
}

// What is not here, and why:
//
//	futex, mmap, madvise,    Go's runtime, and libuv's pool, end the process for
//	clone of threads         want of what they get by them
//	rt_sigaction, tgkill     they do not fail, and the runtime relies on it
//	close                    whatever it says, the descriptor is closed: one that is
//	                         refused here would stay open
//	EAGAIN of what is ready  a poller that tells changes only, as Go's does, would
//	                         wait for one for ever
//	EINTR of connect         the kernel goes on with the connect; one that is refused
//	                         here is none
//	shutdown                 it fails when the connection is gone, and a read tells
//	getsockname              package net panics; the kernel needs nothing for it
//	fstat of sockets         the kernel has what it asks for
//	clock_gettime, ioctl     they do not fail
var kinds = []kind{
	{name: "socket", numbers: []int{syscall.SYS_SOCKET}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EACCES}, short: 1},
	{name: "bind", numbers: []int{syscall.SYS_BIND}, errnos: []syscall.Errno{syscall.EADDRINUSE, syscall.EACCES, syscall.ENOMEM}, short: 1},
	{name: "listen", numbers: []int{syscall.SYS_LISTEN}, errnos: []syscall.Errno{syscall.EADDRINUSE}, short: 1},
	{name: "accept4", numbers: []int{syscall.SYS_ACCEPT4}, errnos: []syscall.Errno{syscall.ECONNABORTED, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EINTR}, short: 2},
	{name: "connect", numbers: []int{syscall.SYS_CONNECT}, errnos: []syscall.Errno{syscall.ECONNREFUSED, syscall.ENETUNREACH, syscall.EADDRNOTAVAIL, syscall.ETIMEDOUT, syscall.EACCES, syscall.ENOENT}, short: 1},
	{name: "getpeername", numbers: []int{syscall.SYS_GETPEERNAME}, errnos: []syscall.Errno{syscall.ENOTCONN, syscall.ENOBUFS}, notPureGo: true},
	{name: "getsockopt", numbers: []int{syscall.SYS_GETSOCKOPT}, errnos: []syscall.Errno{syscall.ENOBUFS, syscall.ENOPROTOOPT}},
	{name: "setsockopt", numbers: []int{syscall.SYS_SETSOCKOPT}, errnos: []syscall.Errno{syscall.ENOMEM, syscall.EINVAL, syscall.ENOPROTOOPT}, short: 1},
	{name: "read", numbers: []int{syscall.SYS_READ}, errnos: []syscall.Errno{syscall.ECONNRESET, syscall.EINTR, syscall.EIO, syscall.ENOMEM}, short: 2, counts: ofFiles(0)},
	{name: "readv", numbers: []int{syscall.SYS_READV}, errnos: []syscall.Errno{syscall.ECONNRESET, syscall.EINTR, syscall.EIO}, counts: ofFiles(0)},
	{name: "pread64", numbers: []int{syscall.SYS_PREAD64, preadv}, errnos: []syscall.Errno{syscall.EIO, syscall.EINTR}},
	{name: "recvfrom", numbers: []int{syscall.SYS_RECVFROM, syscall.SYS_RECVMSG, syscall.SYS_RECVMMSG}, errnos: []syscall.Errno{syscall.ECONNREFUSED, syscall.EINTR, syscall.ENOMEM, syscall.ECONNRESET}, short: 1},
	{name: "write", numbers: []int{syscall.SYS_WRITE}, errnos: []syscall.Errno{syscall.EPIPE, syscall.EINTR, syscall.ECONNRESET, syscall.ENOSPC, syscall.EIO}, short: 2, counts: ofFiles(0)},
	{name: "writev", numbers: []int{syscall.SYS_WRITEV}, errnos: []syscall.Errno{syscall.EPIPE, syscall.EINTR, syscall.ECONNRESET}, short: 1, counts: ofFiles(0)},
	{name: "pwrite64", numbers: []int{syscall.SYS_PWRITE64, pwritev}, errnos: []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EINTR}},
	{name: "sendto", numbers: []int{syscall.SYS_SENDTO, syscall.SYS_SENDMSG, sysSendmmsg}, errnos: []syscall.Errno{syscall.EPERM, syscall.ECONNREFUSED, syscall.EINTR, syscall.ENETUNREACH, syscall.EMSGSIZE}, short: 1},
	{name: "sendfile", numbers: []int{syscall.SYS_SENDFILE}, errnos: []syscall.Errno{syscall.EPIPE, syscall.EINTR, syscall.EIO, syscall.EINVAL}, short: 1},
	{name: "epoll_create1", numbers: []int{syscall.SYS_EPOLL_CREATE1}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM}, short: 1},
	{name: "epoll_ctl", numbers: []int{syscall.SYS_EPOLL_CTL}, errnos: []syscall.Errno{syscall.ENOSPC, syscall.ENOMEM}, short: 2, counts: adds},
	{name: "epoll_pwait", numbers: []int{syscall.SYS_EPOLL_PWAIT, syscall.SYS_EPOLL_WAIT}, errnos: []syscall.Errno{syscall.EINTR}, short: 1},
	{name: "poll", numbers: []int{syscall.SYS_POLL, syscall.SYS_PPOLL}, errnos: []syscall.Errno{syscall.EINTR}, short: 1},
	{name: "eventfd2", numbers: []int{syscall.SYS_EVENTFD2}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM}, short: 1},
	{name: "timerfd_create", numbers: []int{syscall.SYS_TIMERFD_CREATE}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENOMEM}},
	{name: "pipe2", numbers: []int{syscall.SYS_PIPE2}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENFILE}, short: 1},
	{name: "socketpair", numbers: []int{syscall.SYS_SOCKETPAIR}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENFILE}},
	{name: "open", numbers: []int{syscall.SYS_OPEN, syscall.SYS_OPENAT}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOENT, syscall.EACCES, syscall.ENOMEM, syscall.EINTR}, short: 1},
	{name: "fstat", numbers: []int{syscall.SYS_FSTAT, syscall.SYS_NEWFSTATAT, statx}, errnos: []syscall.Errno{syscall.ENOMEM, syscall.EIO}, short: 1, counts: ofPaths},
	{name: "fcntl", numbers: []int{syscall.SYS_FCNTL}, errnos: []syscall.Errno{syscall.EMFILE}, short: 1, counts: duplicates},
	{name: "lseek", numbers: []int{syscall.SYS_LSEEK}, errnos: []syscall.Errno{syscall.ESPIPE}},
	{name: "getdents64", numbers: []int{syscall.SYS_GETDENTS64}, errnos: []syscall.Errno{syscall.ENOENT, syscall.EIO}},
	{name: "unlink", numbers: []int{syscall.SYS_UNLINK, syscall.SYS_UNLINKAT}, errnos: []syscall.Errno{syscall.EACCES, syscall.EIO}},
	{name: "fsync", numbers: []int{syscall.SYS_FSYNC, syscall.SYS_FDATASYNC}, errnos: []syscall.Errno{syscall.EIO, syscall.ENOSPC}},
	{name: "inotify", numbers: []int{syscall.SYS_INOTIFY_INIT1, syscall.SYS_INOTIFY_ADD_WATCH}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENOSPC, syscall.ENOMEM}, short: 1},
	{name: "fork", numbers: []int{syscall.SYS_CLONE, syscall.SYS_FORK, syscall.SYS_VFORK}, errnos: []syscall.Errno{syscall.EAGAIN, syscall.ENOMEM}, short: 1, counts: noThreads},
	{name: "execve", numbers: []int{syscall.SYS_EXECVE}, errnos: []syscall.Errno{syscall.ENOENT, syscall.EACCES, syscall.ENOMEM, syscall.E2BIG}, short: 1, ofChildren: true},
	{name: "dup", numbers: []int{syscall.SYS_DUP2, syscall.SYS_DUP3}, errnos: []syscall.Errno{syscall.EMFILE, syscall.EBUSY}, ofChildren: true},
	{name: "wait4", numbers: []int{syscall.SYS_WAIT4, syscall.SYS_WAITID}, errnos: []syscall.Errno{syscall.EINTR}, short: 1},
	{name: "pidfd_open", numbers: []int{sysPidfdOpen}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENOMEM}},
	{name: "kill", numbers: []int{syscall.SYS_KILL, pidfdSendSignal}, errnos: []syscall.Errno{syscall.EPERM}},
}

const (
	statx           = 332
	preadv          = 295
	pwritev         = 296
	pidfdSendSignal = 424
)

// ofFiles spares descriptors of which the kernel always takes and gives eight bytes, and
// the standard files.
func ofFiles(arg int) func(n *notification) bool {
	return func(n *notification) bool {
		f := n.file(arg)
		return int32(n.args[arg]) > 2 && f != "anon_inode:[eventfd]" && !strings.HasPrefix(f, "anon_inode:[timerfd")
	}
}

// adds reports whether a descriptor is put into a set. What changes or takes out one that
// is there does not fail, and to put it in again fails with EEXIST.
func adds(n *notification) bool {
	if n.args[1] != syscall.EPOLL_CTL_ADD {
		return false
	}
	set, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", n.pid, int32(n.args[0])))
	for line := range strings.Lines(string(set)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "tfd:" && f[1] == strconv.Itoa(int(n.args[2])) {
			return false
		}
	}
	return err == nil
}

func ofPaths(n *notification) bool {
	return n.nr != syscall.SYS_FSTAT || strings.HasPrefix(n.file(0), "/")
}

func duplicates(n *notification) bool {
	return n.args[1] == syscall.F_DUPFD || n.args[1] == syscall.F_DUPFD_CLOEXEC
}

func noThreads(n *notification) bool {
	return n.nr != syscall.SYS_CLONE || n.args[0]&syscall.CLONE_THREAD == 0
}
