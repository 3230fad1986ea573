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
	short   short
	counts  func(n *notification) bool
	// notPureGo: package net takes such a fault for a connection that is not there yet.
	notPureGo bool
}

// short is how many of the errors the short form tries, by the scenario.
type short map[string]int

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
//	ENOEXEC of execve        a file that the kernel cannot run is a script to libuv
//	ENOENT of fstat          an answer, that there is no such file, and no failure
//	ENOENT of getdents64     a directory that is gone has nothing in it
//	shutdown                 it fails when the connection is gone, and a read tells
//	getsockname              package net panics; the kernel needs nothing for it
//	fstat of sockets         the kernel has what it asks for
//	clock_gettime, ioctl     they do not fail
var kinds = []kind{
	{name: "socket", numbers: []int{syscall.SYS_SOCKET}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EACCES}, short: short{network: 1}},
	{name: "bind", numbers: []int{syscall.SYS_BIND}, errnos: []syscall.Errno{syscall.EADDRINUSE, syscall.EACCES, syscall.ENOMEM}, short: short{network: 1}},
	{name: "listen", numbers: []int{syscall.SYS_LISTEN}, errnos: []syscall.Errno{syscall.EADDRINUSE}, short: short{network: 1}},
	{name: "accept4", numbers: []int{syscall.SYS_ACCEPT4}, errnos: []syscall.Errno{syscall.ECONNABORTED, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EINTR}, short: short{network: 2}},
	{name: "connect", numbers: []int{syscall.SYS_CONNECT}, errnos: []syscall.Errno{syscall.ECONNREFUSED, syscall.ENETUNREACH, syscall.EADDRNOTAVAIL, syscall.ETIMEDOUT, syscall.EACCES, syscall.ENOENT}, short: short{network: 1}},
	{name: "getpeername", numbers: []int{syscall.SYS_GETPEERNAME}, errnos: []syscall.Errno{syscall.ENOTCONN, syscall.ENOBUFS}, notPureGo: true},
	{name: "getsockopt", numbers: []int{syscall.SYS_GETSOCKOPT}, errnos: []syscall.Errno{syscall.ENOBUFS, syscall.ENOPROTOOPT}},
	{name: "setsockopt", numbers: []int{syscall.SYS_SETSOCKOPT}, errnos: []syscall.Errno{syscall.ENOMEM, syscall.EINVAL, syscall.ENOPROTOOPT}, short: short{network: 1}},
	{name: "read", numbers: []int{syscall.SYS_READ}, errnos: []syscall.Errno{syscall.ECONNRESET, syscall.EINTR, syscall.EIO, syscall.ENOMEM}, short: short{network: 2, children: 1, files: 1, libuv: 1}, counts: moves},
	{name: "readv", numbers: []int{syscall.SYS_READV}, errnos: []syscall.Errno{syscall.ECONNRESET, syscall.EINTR, syscall.EIO}, counts: moves},
	{name: "pread64", numbers: []int{syscall.SYS_PREAD64, preadv}, errnos: []syscall.Errno{syscall.EIO, syscall.EINTR}},
	{name: "recvfrom", numbers: []int{syscall.SYS_RECVFROM, syscall.SYS_RECVMSG, syscall.SYS_RECVMMSG}, errnos: []syscall.Errno{syscall.ECONNREFUSED, syscall.EINTR, syscall.ENOMEM, syscall.ECONNRESET}, short: short{network: 1}, counts: fromPeers},
	{name: "write", numbers: []int{syscall.SYS_WRITE}, errnos: []syscall.Errno{syscall.EPIPE, syscall.EINTR, syscall.ECONNRESET, syscall.ENOSPC, syscall.EIO}, short: short{network: 2, children: 1, files: 1, libuv: 1}, counts: moves},
	{name: "writev", numbers: []int{syscall.SYS_WRITEV}, errnos: []syscall.Errno{syscall.EPIPE, syscall.EINTR, syscall.ECONNRESET}, short: short{network: 1}, counts: moves},
	{name: "pwrite64", numbers: []int{syscall.SYS_PWRITE64, pwritev}, errnos: []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EINTR}},
	{name: "sendto", numbers: []int{syscall.SYS_SENDTO, syscall.SYS_SENDMSG, sysSendmmsg}, errnos: []syscall.Errno{syscall.EPERM, syscall.ECONNREFUSED, syscall.EINTR, syscall.ENETUNREACH, syscall.EMSGSIZE}, short: short{network: 1}},
	{name: "sendfile", numbers: []int{syscall.SYS_SENDFILE}, errnos: []syscall.Errno{syscall.EPIPE, syscall.EINTR, syscall.EIO, syscall.EINVAL}, short: short{network: 1}},
	{name: "epoll_create1", numbers: []int{syscall.SYS_EPOLL_CREATE1}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM}, short: short{network: 1, libuv: 1}},
	{name: "epoll_ctl", numbers: []int{syscall.SYS_EPOLL_CTL}, errnos: []syscall.Errno{syscall.ENOSPC, syscall.ENOMEM}, short: short{network: 2, children: 1, files: 1, libuv: 1}, counts: adds},
	{name: "epoll_pwait", numbers: []int{syscall.SYS_EPOLL_PWAIT, syscall.SYS_EPOLL_WAIT}, errnos: []syscall.Errno{syscall.EINTR}, short: short{network: 1}},
	{name: "poll", numbers: []int{syscall.SYS_POLL, syscall.SYS_PPOLL}, errnos: []syscall.Errno{syscall.EINTR}, short: short{network: 1}},
	{name: "eventfd2", numbers: []int{syscall.SYS_EVENTFD2}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM}, short: short{network: 1, libuv: 1}},
	{name: "timerfd_create", numbers: []int{syscall.SYS_TIMERFD_CREATE}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENOMEM}},
	{name: "pipe2", numbers: []int{syscall.SYS_PIPE2}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENFILE}, short: short{network: 1, children: 1, files: 1, libuv: 1}},
	{name: "socketpair", numbers: []int{syscall.SYS_SOCKETPAIR}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENFILE}, short: short{children: 1, libuv: 1}},
	{name: "open", numbers: []int{syscall.SYS_OPEN, syscall.SYS_OPENAT}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOENT, syscall.EACCES, syscall.ENOMEM, syscall.EINTR}, short: short{network: 1, children: 1, files: 1, libuv: 1}},
	{name: "fstat", numbers: []int{syscall.SYS_FSTAT, syscall.SYS_NEWFSTATAT, statx}, errnos: []syscall.Errno{syscall.ENOMEM, syscall.EIO}, short: short{network: 1, children: 1, files: 1, libuv: 1}, counts: notOfSockets},
	{name: "access", numbers: []int{syscall.SYS_ACCESS, syscall.SYS_FACCESSAT, faccessat2}, errnos: []syscall.Errno{syscall.EACCES, syscall.ENOENT, syscall.EIO, syscall.ENOMEM}},
	{name: "fcntl", numbers: []int{syscall.SYS_FCNTL}, errnos: []syscall.Errno{syscall.EMFILE}, short: short{network: 1, children: 1, files: 1, libuv: 1}, counts: duplicates},
	{name: "lseek", numbers: []int{syscall.SYS_LSEEK}, errnos: []syscall.Errno{syscall.ESPIPE}},
	{name: "ftruncate", numbers: []int{syscall.SYS_FTRUNCATE}, errnos: []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EINTR}},
	{name: "getdents64", numbers: []int{syscall.SYS_GETDENTS64}, errnos: []syscall.Errno{syscall.EIO, syscall.ENOMEM}, short: short{files: 1, libuv: 1}},
	{name: "mkdir", numbers: []int{syscall.SYS_MKDIR, syscall.SYS_MKDIRAT}, errnos: []syscall.Errno{syscall.ENOSPC, syscall.EACCES, syscall.EROFS}},
	{name: "rename", numbers: []int{syscall.SYS_RENAME, syscall.SYS_RENAMEAT, renameat2}, errnos: []syscall.Errno{syscall.EACCES, syscall.EXDEV, syscall.ENOSPC}},
	{name: "unlink", numbers: []int{syscall.SYS_UNLINK, syscall.SYS_UNLINKAT, syscall.SYS_RMDIR}, errnos: []syscall.Errno{syscall.EACCES, syscall.EIO, syscall.EINTR}, short: short{files: 1, libuv: 1}},
	{name: "fsync", numbers: []int{syscall.SYS_FSYNC, syscall.SYS_FDATASYNC}, errnos: []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EINTR}},
	{name: "inotify_init1", numbers: []int{syscall.SYS_INOTIFY_INIT1}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM}, short: short{files: 1, libuv: 1}},
	{name: "inotify_add_watch", numbers: []int{syscall.SYS_INOTIFY_ADD_WATCH}, errnos: []syscall.Errno{syscall.ENOSPC, syscall.ENOMEM, syscall.ENOENT, syscall.EACCES}, short: short{files: 1, libuv: 1}},
	{name: "clone", numbers: []int{syscall.SYS_CLONE, syscall.SYS_FORK, syscall.SYS_VFORK}, errnos: []syscall.Errno{syscall.EAGAIN, syscall.ENOMEM}, short: short{children: 2, libuv: 1}, counts: noThreads},
	{name: "execve", numbers: []int{syscall.SYS_EXECVE}, errnos: []syscall.Errno{syscall.ENOENT, syscall.EACCES, syscall.ENOMEM, syscall.E2BIG, syscall.EAGAIN}, short: short{children: 2, libuv: 1}},
	{name: "chdir", numbers: []int{syscall.SYS_CHDIR}, errnos: []syscall.Errno{syscall.ENOENT, syscall.EACCES, syscall.EIO}, short: short{children: 1, libuv: 1}},
	{name: "setsid", numbers: []int{syscall.SYS_SETSID}, errnos: []syscall.Errno{syscall.EPERM}},
	{name: "dup", numbers: []int{syscall.SYS_DUP2, syscall.SYS_DUP3}, errnos: []syscall.Errno{syscall.EMFILE, syscall.EBUSY}, short: short{children: 1, libuv: 1}},
	{name: "close_range", numbers: []int{closeRange}, errnos: []syscall.Errno{syscall.ENOSYS, syscall.EPERM}, short: short{libuv: 1}},
	{name: "prlimit64", numbers: []int{prlimit64, syscall.SYS_SETRLIMIT}, errnos: []syscall.Errno{syscall.EPERM}},
	{name: "wait4", numbers: []int{syscall.SYS_WAIT4, syscall.SYS_WAITID}, errnos: []syscall.Errno{syscall.EINTR}, short: short{children: 1, libuv: 1}, counts: blocks},
	{name: "pidfd_open", numbers: []int{sysPidfdOpen}, errnos: []syscall.Errno{syscall.EMFILE, syscall.ENOMEM}},
	{name: "kill", numbers: []int{syscall.SYS_KILL, pidfdSendSignal}, errnos: []syscall.Errno{syscall.EPERM}},
}

const (
	statx           = 332
	preadv          = 295
	pwritev         = 296
	prlimit64       = 302
	renameat2       = 316
	pidfdSendSignal = 424
	closeRange      = 436
	faccessat2      = 439
)

// moves reports whether bytes go or come that may not: not the eight bytes of an event
// descriptor, not those of inotify and of the null device, and not the standard files.
// Nor those that libuv and Go's runtime send themselves through a pipe, which are few;
// the steps send more.
func moves(n *notification) bool {
	f := n.file(0)
	switch {
	case int32(n.args[0]) <= 2 || f == os.DevNull || f == "anon_inode:[eventfd]" || f == "anon_inode:inotify" || strings.HasPrefix(f, "anon_inode:[timerfd"):
		return false
	case strings.HasPrefix(f, "pipe:"):
		return n.nr != syscall.SYS_READ && n.nr != syscall.SYS_WRITE || n.args[2] > ownBytesMax
	}
	return true
}

// ownBytesMax is what libuv reads of its pipe for signals.
const ownBytesMax = 512

// fromPeers reports whether a socket is not one of netlink, by which the C library asks
// the kernel, and of which it takes ECONNREFUSED for the end of the world.
func fromPeers(n *notification) bool {
	_, inode, _ := strings.Cut(n.file(0), "socket:[")
	inode, _, _ = strings.Cut(inode, "]")
	netlink, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/netlink", n.pid))
	for line := range strings.Lines(string(netlink)) {
		if strings.HasSuffix(strings.TrimSpace(line), " "+inode) {
			return false
		}
	}
	return err == nil
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

func notOfSockets(n *notification) bool {
	return n.nr != syscall.SYS_FSTAT || !strings.HasPrefix(n.file(0), "socket:")
}

// blocks reports whether a call waits for a child. One that looks does not wait, and is
// not interrupted.
func blocks(n *notification) bool {
	options := n.args[2]
	if n.nr == syscall.SYS_WAITID {
		options = n.args[3]
	}
	return options&syscall.WNOHANG == 0
}

func duplicates(n *notification) bool {
	return n.args[1] == syscall.F_DUPFD || n.args[1] == syscall.F_DUPFD_CLOEXEC
}

func noThreads(n *notification) bool {
	return n.nr != syscall.SYS_CLONE || n.args[0]&syscall.CLONE_THREAD == 0
}
