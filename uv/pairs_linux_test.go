//go:build cgo

package uv_test

// What descriptors are, and pairs of them.

import (
	"bytes"
	"errors"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

func closeFDs(t testing.TB, fds ...uintptr) {
	t.Helper()
	for _, fd := range fds {
		require.NoError(t, syscall.Close(int(fd)))
	}
}

func TestGuessHandle(t *testing.T) {
	fifo, err := uv.PipePair(false, false)
	require.NoError(t, err)
	pair, err := uv.SocketPair(syscall.SOCK_STREAM, 0, false, false)
	require.NoError(t, err)
	tcp := socket(t, syscall.AF_INET6)
	udp, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	for fd, want := range map[uintptr]uv.HandleType{
		fifo[0]: uv.PipeHandle, fifo[1]: uv.PipeHandle, pair[0]: uv.PipeHandle, tcp: uv.TCPHandle, uintptr(udp): uv.UDPHandle,
		openFile(t): uv.FileHandle, null.Fd(): uv.FileHandle, 1 << 20: uv.UnknownHandle, 1 << 33: uv.UnknownHandle, ^uintptr(0): uv.UnknownHandle,
	} {
		require.Equal(t, want, uv.GuessHandle(fd), "%d", fd)
	}
	require.Equal(t, "file", uv.FileHandle.String())
	closeFDs(t, fifo[0], fifo[1], pair[0], pair[1], tcp, uintptr(udp))
}

func TestPairs(t *testing.T) {
	is := func(fd uintptr, command, flag int) bool {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, uintptr(command), 0)
		require.Zero(t, errno)
		return int(flags)&flag != 0
	}
	socketPair := func(a, b bool) ([2]uintptr, error) { return uv.SocketPair(syscall.SOCK_STREAM, 0, a, b) }
	for name, pair := range map[string]func(a, b bool) ([2]uintptr, error){"SocketPair": socketPair, "PipePair": uv.PipePair} {
		t.Run(name, func(t *testing.T) {
			for i := range 4 {
				fds, err := pair(i&1 != 0, i&2 != 0)
				require.NoError(t, err)
				require.True(t, is(fds[0], syscall.F_GETFD, syscall.FD_CLOEXEC) && is(fds[1], syscall.F_GETFD, syscall.FD_CLOEXEC))
				require.Equal(t, i&1 != 0, is(fds[0], syscall.F_GETFL, syscall.O_NONBLOCK))
				require.Equal(t, i&2 != 0, is(fds[1], syscall.F_GETFL, syscall.O_NONBLOCK))
				_, err = syscall.Write(int(fds[1]), []byte("x"))
				require.NoError(t, err)
				n, err := syscall.Read(int(fds[0]), make([]byte, 2))
				require.NoError(t, err)
				require.Equal(t, 1, n)
				closeFDs(t, fds[0], fds[1])
			}
		})
	}
	_, err := uv.SocketPair(77, 0, false, false)
	require.Error(t, err)
	_, err = uv.SocketPair(syscall.SOCK_STREAM, 77, true, true)
	require.ErrorIs(t, err, syscall.EPROTONOSUPPORT)
	fds, err := uv.SocketPair(syscall.SOCK_DGRAM, 0, false, false)
	require.NoError(t, err)
	closeFDs(t, fds[0], fds[1])
}

func TestTryWriteV(t *testing.T) {
	l := newLoop(t)
	a, b := connectedPair(t, l)
	var got, want []byte
	require.NoError(t, b.ReadStart(func(b []byte, err error) { got = append(got, b...) }))
	for _, bufs := range [][][]byte{
		nil, {nil}, {[]byte("one")}, {[]byte("two"), nil, []byte("three")}, {pattern(1000), pattern(70_000), {1}, pattern(50_000), pattern(20_000)},
	} {
		n, err := a.TryWriteV(bufs)
		require.NoError(t, err)
		all := bytes.Join(bufs, nil)
		require.Len(t, all, n)
		want = append(want, all...)
		until(t, l, "the bytes", func() bool { return len(got) == len(want) })
		require.True(t, bytes.Equal(want, got))
	}
	require.NoError(t, b.ReadStop())
	n, err := a.TryWriteV([][]byte{pattern(100), make([]byte, 64<<20)})
	require.NoError(t, err)
	require.Less(t, n, 64<<20)
	for err == nil { // the kernel still carries some over
		_, err = a.TryWriteV([][]byte{pattern(100_000), {2}})
	}
	require.ErrorIs(t, err, uv.EAGAIN)
	require.NoError(t, a.CloseWrite(nil))
	_, err = a.TryWriteV(nil)
	require.ErrorIs(t, err, uv.EPIPE)
	a.Close()
	_, err = a.TryWriteV([][]byte{{1}})
	require.ErrorIs(t, err, uv.ErrClosed)
	_, err = newTCP(t, l).TryWriteV([][]byte{{1}})
	require.ErrorIs(t, err, uv.EBADF)
}

func TestPipeChmod(t *testing.T) {
	l := newLoop(t)
	p, path := newPipe(t, l), shortDir(t)+"/s"
	require.ErrorIs(t, p.Chmod(uv.PipeReadable), uv.EBADF)
	require.NoError(t, p.Bind(path))
	require.NoError(t, os.Chmod(path, 0o700))
	mode := func() os.FileMode {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info.Mode().Perm()
	}
	for _, wrong := range []uv.PipeMode{0, 4, -1} {
		require.ErrorIs(t, p.Chmod(wrong), uv.EINVAL)
	}
	require.NoError(t, p.Chmod(uv.PipeReadable))
	require.Equal(t, os.FileMode(0o744), mode())
	require.NoError(t, p.Chmod(uv.PipeWritable))
	require.Equal(t, os.FileMode(0o766), mode())
	require.NoError(t, p.Chmod(uv.PipeReadable|uv.PipeWritable))
	require.NoError(t, os.Remove(path))
	require.ErrorIs(t, p.Chmod(uv.PipeReadable), os.ErrNotExist)
	require.NoError(t, p.SetPendingInstances(4))
	require.ErrorIs(t, p.SetPendingInstances(-1), uv.EINVAL)
	p.Close()
	require.ErrorIs(t, p.Chmod(uv.PipeReadable), uv.ErrClosed)
	require.ErrorIs(t, p.SetPendingInstances(1), uv.ErrClosed)
	fds, err := uv.SocketPair(syscall.SOCK_STREAM, 0, false, false)
	require.NoError(t, err)
	unnamed := newPipe(t, l)
	require.NoError(t, unnamed.OpenFD(fds[0]))
	require.ErrorIs(t, unnamed.Chmod(uv.PipeReadable), uv.EINVAL)
	closeFDs(t, fds[1])
	if runtime.GOOS == "linux" {
		abstract := newPipe(t, l)
		require.NoError(t, abstract.Bind("@asyncio-uv-chmod"))
		require.ErrorIs(t, abstract.Chmod(uv.PipeReadable), uv.EINVAL)
	}
}

func TestKeepAliveConfig(t *testing.T) {
	l := newLoop(t)
	a, _ := connectedPair(t, l)
	fd, err := a.Fd()
	require.NoError(t, err)
	value := func(option int) int {
		n, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, option)
		require.NoError(t, err)
		return n
	}
	err = a.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 20 * time.Second, Interval: 1500 * time.Millisecond, Count: 3})
	if _, minor, _ := uv.Version(); minor < 52 {
		require.ErrorIs(t, err, uv.ErrNotSupported)
		require.ErrorIs(t, err, syscall.ENOSYS)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		a.Close()
		require.ErrorIs(t, a.SetKeepAliveConfig(net.KeepAliveConfig{}), uv.ErrClosed)
		return
	}
	require.NoError(t, err)
	require.Equal(t, []int{20, 2, 3}, []int{value(syscall.TCP_KEEPIDLE), value(syscall.TCP_KEEPINTVL), value(syscall.TCP_KEEPCNT)})
	require.NoError(t, a.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: -1, Count: -1}))
	require.Equal(t, []int{20, 15, 3}, []int{value(syscall.TCP_KEEPIDLE), value(syscall.TCP_KEEPINTVL), value(syscall.TCP_KEEPCNT)})
}
