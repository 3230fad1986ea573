//go:build linux || darwin

package proactortest

// What the cases ask the kernel.

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// openDescriptors lists the descriptors of this process.
func openDescriptors() []string {
	dir := "/dev/fd"
	if _, err := os.Stat("/proc/self/fd"); err == nil {
		dir = "/proc/self/fd"
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var open []string
	for _, e := range entries {
		if target, err := os.Readlink(dir + "/" + e.Name()); err == nil {
			open = append(open, e.Name()+" "+target)
		} else if _, err := os.Lstat(dir + "/" + e.Name()); err == nil {
			open = append(open, e.Name())
		}
	}
	return open
}

// requireOpen requires that fd is a descriptor, or is none. A driver that has no
// descriptors says -1.
func requireOpen(t *testing.T, fd int, open bool) {
	t.Helper()
	if fd != -1 {
		var stat syscall.Stat_t
		require.Equal(t, open, syscall.Fstat(fd, &stat) == nil, "descriptor %d", fd)
	}
}

// filePair is two connected sockets that have no names, as files.
func filePair(t *testing.T) (a, b *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	var files [2]*os.File
	for i, fd := range fds {
		syscall.CloseOnExec(fd)
		require.NoError(t, syscall.SetNonblock(fd, true))
		files[i] = os.NewFile(uintptr(fd), "socketpair")
	}
	return files[0], files[1]
}

// socketPair is two connected sockets that have no names.
func socketPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	var conns [2]net.Conn
	one, two := filePair(t)
	for i, f := range []*os.File{one, two} {
		var err error
		conns[i], err = net.FileConn(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	return conns[0], conns[1]
}

func requireOption(t *testing.T, fd, level, option int, on bool, name string) {
	t.Helper()
	if fd == -1 {
		return
	}
	value, err := syscall.GetsockoptInt(fd, level, option)
	require.NoError(t, err, name)
	require.Equal(t, on, value != 0, name)
}

func requireNoDelay(t *testing.T, fd int) {
	t.Helper()
	requireOption(t, fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, true, "TCP_NODELAY")
}

func requireKeepAlive(t *testing.T, fd int, on bool) {
	t.Helper()
	requireOption(t, fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, on, "SO_KEEPALIVE")
}

func requireBroadcast(t *testing.T, fd int, on bool) {
	t.Helper()
	requireOption(t, fd, syscall.SOL_SOCKET, syscall.SO_BROADCAST, on, "SO_BROADCAST")
}

// withoutStdin runs f while the lowest number of a descriptor is free.
func withoutStdin(t *testing.T, f func()) {
	t.Helper()
	stdin, err := syscall.Dup(0)
	require.NoError(t, err)
	syscall.CloseOnExec(stdin)
	require.NoError(t, syscall.Close(0))
	defer func() {
		_ = syscall.Close(0) // a driver that fails the case has left it open
		again, err := syscall.Dup(stdin)
		require.NoError(t, err)
		require.Zero(t, again)
		require.NoError(t, syscall.Close(stdin))
	}()
	f()
}

// withoutDescriptors runs f while the process can open no descriptor.
func withoutDescriptors(t *testing.T, f func()) {
	t.Helper()
	withDescriptors(t, 0, f)
}

// withDescriptors runs f while the process can open n descriptors at the most.
func withDescriptors(t *testing.T, n int, f func()) {
	t.Helper()
	var old syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old))
	free, err := syscall.Dup(0)
	require.NoError(t, err)
	require.NoError(t, syscall.Close(free))
	low := old
	low.Cur = uint64(free + n) // descriptors are given from the lowest free one
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low))
	defer func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old)) }()
	f()
}

// shrinkBuffers makes the connection take little of what the driver writes. Much less
// than this, and TCP on the loopback device, where a segment has 64 KiB, waits for its
// timers.
func shrinkBuffers(t *testing.T, rec *recorder, peer peerConn) {
	t.Helper()
	require.NoError(t, peer.SetReadBuffer(128<<10))
	if fd := rec.s.FD(); fd != -1 {
		require.NoError(t, syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 64<<10))
	}
}

func setReceiveBuffer(t *testing.T, fd, bytes int) {
	t.Helper()
	if fd != -1 {
		require.NoError(t, syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, bytes))
	}
}

// The descriptors of a program's own: plain numbers, non-blocking, closed at the end of
// the case unless it has closed them.

func rawOwn(t *testing.T, fds ...int) {
	for _, fd := range fds {
		require.NoError(t, syscall.SetNonblock(fd, true))
		var opened syscall.Stat_t
		require.NoError(t, syscall.Fstat(fd, &opened))
		t.Cleanup(func() {
			var now syscall.Stat_t
			if syscall.Fstat(fd, &now) == nil && now.Ino == opened.Ino {
				_ = syscall.Close(fd)
			}
		})
	}
}

// rawPair is two connected sockets.
func rawPair(t *testing.T) (a, b int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	rawOwn(t, fds[:]...)
	return fds[0], fds[1]
}

func rawPipe(t *testing.T) (read, write int) {
	t.Helper()
	var fds [2]int
	require.NoError(t, syscall.Pipe(fds[:]))
	rawOwn(t, fds[:]...)
	return fds[0], fds[1]
}

// rawPath is a regular file.
func rawPath(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	return exe
}

// fifo is a pipe with a name.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	return path
}

// usr1 and usr2 are signals that mean nothing.
const usr1, usr2 = syscall.SIGUSR1, syscall.SIGUSR2

// raise sends this process a signal.
func raise(t *testing.T, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, syscall.Kill(os.Getpid(), sig))
}

// withStdin runs f while the standard input is another file.
func withStdin(t *testing.T, input *os.File, f func(stdin *os.File)) {
	t.Helper()
	old, err := syscall.Dup(0)
	require.NoError(t, err)
	syscall.CloseOnExec(old)
	require.NoError(t, syscall.Close(0))
	var stdin *os.File
	defer func() {
		_ = stdin.Close()
		again, err := syscall.Dup(old)
		require.NoError(t, err)
		require.Zero(t, again)
		require.NoError(t, syscall.Close(old))
	}()
	fd, err := syscall.Dup(int(input.Fd()))
	require.NoError(t, err)
	require.Zero(t, fd)
	stdin = os.NewFile(0, "stdin")
	f(stdin)
}

func rawFile(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Open(rawPath(t), syscall.O_RDONLY, 0)
	require.NoError(t, err)
	rawOwn(t, fd)
	return fd
}

func rawDup(t *testing.T, fd int) int {
	t.Helper()
	dup, err := syscall.Dup(fd)
	require.NoError(t, err)
	rawOwn(t, dup)
	return dup
}

func rawClose(t *testing.T, fd int) {
	t.Helper()
	require.NoError(t, syscall.Close(fd))
}

func rawWrite(t *testing.T, fd int, s string) {
	t.Helper()
	n, err := syscall.Write(fd, []byte(s))
	require.NoError(t, err)
	require.Equal(t, len(s), n)
}

// rawRead is what there is to read, "" if that is nothing.
func rawRead(t *testing.T, fd int) string {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := syscall.Read(fd, buf)
	if err == syscall.EAGAIN {
		return ""
	}
	require.NoError(t, err)
	return string(buf[:n])
}

// rawFill writes until there is no room.
func rawFill(t *testing.T, fd int) {
	t.Helper()
	for {
		if _, err := syscall.Write(fd, make([]byte, 64<<10)); err != nil {
			require.Equal(t, syscall.EAGAIN, err)
			return
		}
	}
}

// rawConnect begins to connect.
func rawConnect(t *testing.T, addr *net.TCPAddr) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	rawOwn(t, fd)
	err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte(addr.IP.To4())})
	require.Equal(t, syscall.EINPROGRESS, err)
	return fd
}

func rawError(t *testing.T, fd int, want syscall.Errno) {
	t.Helper()
	got, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	require.NoError(t, err)
	require.Equal(t, want, syscall.Errno(got))
}

func rawBlocking(t *testing.T, fd int, on bool) {
	t.Helper()
	require.NoError(t, syscall.SetNonblock(fd, !on))
}

func requireBlocking(t *testing.T, fd int, on bool) {
	t.Helper()
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	require.Zero(t, errno)
	require.Equal(t, on, flags&syscall.O_NONBLOCK == 0)
}

// rawKill asks whether there is a process of the number.
func rawKill(pid int) error { return syscall.Kill(pid, 0) }

// rawSession is the group of a process that leads one, as the leader of a session does.
func rawSession(t *testing.T, pid int) int {
	t.Helper()
	group, err := syscall.Getpgid(pid)
	require.NoError(t, err)
	return group
}
