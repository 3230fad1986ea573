//go:build cgo

package uv_test

// Sockets that come by descriptor: what they are, the kernel says.

import (
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// descriptor is a copy of a socket's, for a handle to own.
func descriptor(t testing.TB, c syscall.Conn) uintptr {
	t.Helper()
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	fd := -1
	require.NoError(t, raw.Control(func(old uintptr) {
		fd, err = syscall.Dup(int(old))
		syscall.CloseOnExec(fd)
	}))
	require.NoError(t, err)
	return uintptr(fd)
}

func socket(t testing.TB, family int) uintptr {
	t.Helper()
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	return uintptr(fd)
}

// served checks that a listener of the loop takes a connection and reads from it.
func served(t *testing.T, l *uv.Loop, got *[]byte, network, addr string) {
	t.Helper()
	c, err := net.Dial(network, addr)
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Write([]byte("hello"))
	require.NoError(t, err)
	until(t, l, "hello", func() bool { return string(*got) == "hello" })
}

func TestOpenFDOfTCP(t *testing.T) {
	serve := func(t *testing.T, l *uv.Loop, fd uintptr) (*uv.TCP, *[]byte) {
		s, got := newTCP(t, l), new([]byte)
		require.NoError(t, s.OpenFD(fd))
		require.ErrorIs(t, s.ReadStart(func([]byte, error) {}), uv.ENOTCONN)
		require.ErrorIs(t, s.Write([]byte("x"), nil), uv.ENOTCONN)
		require.NoError(t, s.Listen(8, func(c *uv.TCP, err error) {
			require.NoError(t, err)
			require.NoError(t, c.ReadStart(func(b []byte, err error) { *got = append(*got, b...) }))
		}))
		return s, got
	}
	t.Run("listening", func(t *testing.T) {
		l := newLoop(t)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		waiting, err := net.Dial("tcp", ln.Addr().String()) // a connection in the backlog makes it readable
		require.NoError(t, err)
		defer waiting.Close()
		fd := descriptor(t, ln.(*net.TCPListener))
		require.NoError(t, ln.Close())
		_, got := serve(t, l, fd)
		served(t, l, got, "tcp", ln.Addr().String())
	})
	t.Run("bound", func(t *testing.T) {
		l := newLoop(t)
		fd := socket(t, syscall.AF_INET)
		require.NoError(t, syscall.Bind(int(fd), &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		s, got := serve(t, l, fd)
		served(t, l, got, "tcp", addrOf(t, s).String())
	})
	t.Run("unconnected", func(t *testing.T) {
		l := newLoop(t)
		ln := listen(t, l, func(c *uv.TCP, err error) { require.NoError(t, err) })
		c := newTCP(t, l)
		require.NoError(t, c.OpenFD(socket(t, syscall.AF_INET)))
		connected, written := false, false
		require.NoError(t, c.Connect(addrOf(t, ln), func(err error) { require.NoError(t, err); connected = true }))
		require.NoError(t, c.Write([]byte("x"), func(err error) { require.NoError(t, err); written = true }))
		until(t, l, "a connection", func() bool { return connected && written })
	})
	t.Run("connected", func(t *testing.T) {
		l := newLoop(t)
		var peer *uv.TCP
		ln := listen(t, l, func(c *uv.TCP, err error) { peer = c })
		plain := dial(t, l, ln)
		c := newTCP(t, l)
		require.NoError(t, c.OpenFD(descriptor(t, plain)))
		require.ErrorIs(t, c.Listen(1, func(*uv.TCP, error) {}), uv.EINVAL)
		require.ErrorIs(t, c.Connect(loopback, func(error) {}), uv.EISCONN)
		until(t, l, "a connection", func() bool { return peer != nil })
		got, _ := collect(t, c)
		require.NoError(t, peer.Write([]byte("hello"), nil))
		until(t, l, "hello", func() bool { return got.String() == "hello" })
	})
	t.Run("reset", func(t *testing.T) { // the kernel has forgotten the peer
		l := newLoop(t)
		s, plain := peerOf(t, l)
		fd := descriptor(t, plain)
		require.NoError(t, s.CloseReset(nil))
		require.NoError(t, l.Poll(0))
		c := newTCP(t, l)
		require.NoError(t, c.OpenFD(fd))
		_, end := collect(t, c)
		until(t, l, "the reset", func() bool { return *end != nil })
		require.ErrorIs(t, *end, syscall.ECONNRESET)
	})
}

func TestOpenFDOfPipe(t *testing.T) {
	serve := func(t *testing.T, l *uv.Loop, fd uintptr) (*uv.Pipe, *[]byte) {
		p, got := newPipe(t, l), new([]byte)
		require.NoError(t, p.OpenFD(fd))
		require.ErrorIs(t, p.ReadStart(func([]byte, error) {}), uv.ENOTCONN)
		require.NoError(t, p.Listen(8, func(c *uv.Pipe, err error) {
			require.NoError(t, err)
			require.NoError(t, c.ReadStart(func(b []byte, err error) { *got = append(*got, b...) }))
		}))
		return p, got
	}
	// stays checks that the file is not removed with the handle.
	stays := func(t *testing.T, l *uv.Loop, p *uv.Pipe, path string) {
		t.Helper()
		closed := false
		p.CloseWith(func() { closed = true })
		until(t, l, "the close", func() bool { return closed })
		require.FileExists(t, path)
	}
	t.Run("listening", func(t *testing.T) {
		l := newLoop(t)
		path := shortDir(t) + "/socket"
		ln, err := net.Listen("unix", path)
		require.NoError(t, err)
		ln.(*net.UnixListener).SetUnlinkOnClose(false)
		fd := descriptor(t, ln.(*net.UnixListener))
		require.NoError(t, ln.Close())
		p, got := serve(t, l, fd)
		served(t, l, got, "unix", path)
		stays(t, l, p, path)
	})
	t.Run("bound", func(t *testing.T) {
		l := newLoop(t)
		path := shortDir(t) + "/socket"
		fd := socket(t, syscall.AF_UNIX)
		require.NoError(t, syscall.Bind(int(fd), &syscall.SockaddrUnix{Name: path}))
		p, got := serve(t, l, fd)
		served(t, l, got, "unix", path)
		stays(t, l, p, path)
	})
	t.Run("unconnected", func(t *testing.T) {
		l := newLoop(t)
		path := shortDir(t) + "/socket"
		ln := newPipe(t, l)
		require.NoError(t, ln.Bind(path))
		require.NoError(t, ln.Listen(8, func(c *uv.Pipe, err error) { require.NoError(t, err) }))
		p := newPipe(t, l)
		require.NoError(t, p.OpenFD(socket(t, syscall.AF_UNIX)))
		connected, written := false, false
		require.NoError(t, p.Connect(path, func(err error) { require.NoError(t, err); connected = true }))
		require.NoError(t, p.Write([]byte("x"), func(err error) { require.NoError(t, err); written = true }))
		until(t, l, "a connection", func() bool { return connected && written })
	})
	t.Run("connected", func(t *testing.T) {
		l := newLoop(t)
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		p, peer := newPipe(t, l), os.NewFile(uintptr(fds[1]), "peer")
		require.NoError(t, p.OpenFD(uintptr(fds[0])))
		_, err = peer.Write([]byte("hello"))
		require.NoError(t, err)
		require.NoError(t, peer.Close())
		h := new(readAll)
		require.NoError(t, p.ReadStart(h.OnRead))
		until(t, l, "the end", func() bool { return h.end != nil })
		require.Equal(t, 5, h.got)
		require.ErrorIs(t, p.Listen(1, func(*uv.Pipe, error) {}), uv.EINVAL)
	})
}
