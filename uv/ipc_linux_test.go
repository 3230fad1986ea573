//go:build cgo

package uv_test

// Handles that go and come over pipes.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

func newIPC(t testing.TB, l *uv.Loop) *uv.Pipe {
	t.Helper()
	p, err := l.NewPipeIPC()
	require.NoError(t, err)
	return p
}

// ipcPair is two pipes that pass handles to each other.
func ipcPair(t testing.TB, a, b *uv.Loop) (x, y *uv.Pipe) {
	t.Helper()
	x, fd := ipcAndPeer(t, a)
	y = newIPC(t, b)
	require.NoError(t, y.OpenFD(fd))
	return x, y
}

// ipcAndPeer is a pipe that passes handles, and the socket at its other end.
func ipcAndPeer(t testing.TB, l *uv.Loop) (*uv.Pipe, uintptr) {
	t.Helper()
	fds, err := uv.SocketPair(syscall.SOCK_STREAM, 0, false, false)
	require.NoError(t, err)
	p := newIPC(t, l)
	require.NoError(t, p.OpenFD(fds[0]))
	return p, fds[1]
}

// mailbag keeps what comes.
type mailbag struct {
	bytes   []byte
	handles []uv.Handle
	at      []int // how many bytes had come before the read that brought each handle
	lost    int
	err     error
}

func (m *mailbag) take(b []byte, handles []uv.Handle, err error) {
	for _, h := range handles {
		m.handles = append(m.handles, h)
		m.at = append(m.at, len(m.bytes))
	}
	m.bytes = append(m.bytes, b...)
	switch {
	case err != nil && len(b) > 0:
		m.lost++
	case err != nil:
		m.err = err
	}
}

// sendFDs writes bytes with descriptors, as a peer of any kind may.
func sendFDs(t testing.TB, sock uintptr, b []byte, fds ...int) {
	t.Helper()
	require.NoError(t, syscall.Sendmsg(int(sock), b, syscall.UnixRights(fds...), nil, 0))
}

func TestPassHandles(t *testing.T) {
	t.Run("every kind arrives and works", func(t *testing.T) {
		l := newLoop(t, uv.WithChecks())
		x, y := ipcPair(t, l, l)
		var got mailbag
		require.NoError(t, y.ReadStartHandles(got.take))

		ln := newTCP(t, l) // listens at the receiver's
		require.NoError(t, ln.Bind(loopback, 0))
		addr := addrOf(t, ln)
		a, b := connectedPair(t, l)
		udp, err := l.NewUDP(uv.UDPOptions{})
		require.NoError(t, err)
		require.NoError(t, udp.Bind(loopback, 0))
		fds, err := uv.PipePair(false, false)
		require.NoError(t, err)
		w := newPipe(t, l)
		require.NoError(t, w.OpenFD(fds[1]))
		unix, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		post, err := l.NewUDP(uv.UDPOptions{})
		require.NoError(t, err)
		require.NoError(t, post.OpenFD(uintptr(unix)))

		sent := 0
		done := func(err error) { require.NoError(t, err); sent++ }
		for i, h := range []uv.Handle{ln, a, udp, w, post, &b.Stream} {
			require.NoError(t, x.WriteHandle([]byte{byte('0' + i)}, h, done))
			h.Close() // the kernel has its copy
		}
		until(t, l, "six handles", func() bool { return len(got.handles) == 6 && sent == 6 })
		require.Equal(t, "012345", string(got.bytes))
		require.Equal(t, []int{0, 1, 2, 3, 4, 5}, got.at)
		for _, h := range got.handles {
			var fd uintptr
			fd, err = h.(interface{ Fd() (uintptr, error) }).Fd()
			require.NoError(t, err)
			flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFD, 0)
			require.Zero(t, errno)
			require.NotZero(t, flags&syscall.FD_CLOEXEC)
		}

		var conn *uv.TCP
		require.NoError(t, got.handles[0].(*uv.TCP).Listen(8, func(c *uv.TCP, err error) { conn = c }))
		client := newTCP(t, l)
		require.NoError(t, client.Connect(addr, func(err error) { require.NoError(t, err) }))
		until(t, l, "a connection", func() bool { return conn != nil })
		var echo []byte
		require.NoError(t, got.handles[5].(*uv.TCP).ReadStart(func(b []byte, err error) { echo = append(echo, b...) }))
		require.NoError(t, got.handles[1].(*uv.TCP).Write([]byte("over there"), nil))
		until(t, l, "the bytes", func() bool { return string(echo) == "over there" })
		_, err = got.handles[2].(*uv.UDP).LocalAddr()
		require.NoError(t, err)
		require.NoError(t, got.handles[3].(*uv.Pipe).Write([]byte("pipe"), nil))
		require.NoError(t, l.Poll(0))
		buf := make([]byte, 10)
		n, err := syscall.Read(int(fds[0]), buf)
		require.NoError(t, err)
		require.Equal(t, "pipe", string(buf[:n]))
		require.NoError(t, syscall.Close(int(fds[0])))
		require.IsType(t, post, got.handles[4])
	})
	t.Run("a listener that listens already", func(t *testing.T) {
		l, other := newLoop(t), newLoop(t)
		x, y := ipcPair(t, l, other)
		ln := listen(t, l, func(*uv.TCP, error) { t.Error("accepted by the old one") })
		require.NoError(t, ln.AcceptStop())
		addr := addrOf(t, ln)
		require.NoError(t, x.WriteHandle([]byte("x"), ln, nil))
		ln.Close()
		var got mailbag
		require.NoError(t, y.ReadStartHandles(got.take))
		until(t, other, "the listener", func() bool { return len(got.handles) == 1 })
		conns := 0
		require.NoError(t, got.handles[0].(*uv.TCP).Listen(8, func(c *uv.TCP, err error) {
			require.NoError(t, err)
			conns++
		}))
		c, err := net.Dial("tcp", addr.String())
		require.NoError(t, err)
		defer c.Close()
		until(t, other, "a connection", func() bool { return conns == 1 })
	})
	t.Run("nothing at all", func(t *testing.T) {
		l := newLoop(t)
		x, y := ipcPair(t, l, l)
		var got mailbag
		require.NoError(t, y.ReadStartHandles(got.take))
		done := false
		require.NoError(t, x.Write(nil, func(err error) { require.NoError(t, err); done = true }))
		until(t, l, "the callback", func() bool { return done })
		require.NoError(t, l.Poll(0))
		require.Equal(t, mailbag{}, got)
	})
	t.Run("what waits for room keeps its order", func(t *testing.T) {
		l := newLoop(t)
		x, y := ipcPair(t, l, l)
		bulk := pattern(1 << 20)
		want := append([]byte(nil), bulk...)
		require.NoError(t, x.Write(bulk, nil))
		require.Positive(t, x.WriteQueueSize())
		var at []int
		done := 0
		for i := range 20 {
			c := newTCP(t, l)
			require.NoError(t, c.Bind(loopback, 0))
			at = append(at, len(want))
			part := bytes.Repeat([]byte{byte(i)}, 1+i*1000)
			want = append(want, part...)
			require.NoError(t, x.WriteHandle(part, c, func(err error) { require.NoError(t, err); done++ }))
			c.Close()
			want = append(want, 'x', 'y')
			require.NoError(t, x.Write([]byte("xy"), nil))
		}
		_, err := x.TryWriteHandle([]byte("z"), x)
		require.ErrorIs(t, err, uv.EAGAIN)
		require.NoError(t, x.CloseWrite(nil))
		var got mailbag
		require.NoError(t, y.ReadStartHandles(got.take))
		until(t, l, "the end", func() bool { return got.err != nil })
		require.ErrorIs(t, got.err, io.EOF)
		require.True(t, bytes.Equal(want, got.bytes))
		require.Equal(t, 20, done)
		require.Len(t, got.handles, 20)
		for i := range at { // a read may begin before the handle's first byte, and ends behind its message
			require.LessOrEqual(t, got.at[i], at[i])
			if i > 0 {
				require.Greater(t, got.at[i], at[i-1])
			}
		}
		require.NoError(t, y.ReadStartHandles(got.take), "the end comes again")
		got.err = nil
		until(t, l, "the end again", func() bool { return got.err != nil })
	})
	t.Run("what is wrong", func(t *testing.T) {
		l, other := newLoop(t), newLoop(t)
		x, y := ipcPair(t, l, l)
		none := func(error) { t.Error("called") }
		c, closed, foreign := newTCP(t, l), newTCP(t, l), newTCP(t, other)
		closed.Close()
		for _, h := range []uv.Handle{nil, (*uv.TCP)(nil), (*uv.UDP)(nil), foreign, newTimer(t, l)} {
			require.ErrorIs(t, x.WriteHandle([]byte("x"), h, none), uv.EINVAL)
			_, err := x.TryWriteHandle([]byte("x"), h)
			require.ErrorIs(t, err, uv.EINVAL)
		}
		require.ErrorIs(t, x.WriteHandle(nil, y, none), uv.EINVAL)
		require.ErrorIs(t, x.WriteHandle([]byte("x"), closed, none), uv.ErrClosed)
		require.ErrorIs(t, x.WriteHandle([]byte("x"), c, none), uv.EBADF)
		_, program := openTerminal(t)
		require.ErrorIs(t, x.WriteHandle([]byte("x"), newTTY(t, l, program), none), uv.EINVAL)
		require.ErrorIs(t, x.WriteHandle([]byte("x"), &newTTY(t, l, program).Stream, none), uv.EINVAL)
		require.ErrorIs(t, newIPC(t, l).WriteHandle([]byte("x"), x, none), uv.ENOTCONN)
		plain := newPipe(t, l)
		require.ErrorIs(t, plain.WriteHandle([]byte("x"), x, none), uv.EINVAL)
		require.ErrorIs(t, plain.ReadStartHandles(func([]byte, []uv.Handle, error) {}), uv.EINVAL)
		require.ErrorIs(t, x.ReadStartHandles(nil), uv.EINVAL)
		require.ErrorIs(t, newIPC(t, l).ReadStartHandles(func([]byte, []uv.Handle, error) {}), uv.ENOTCONN)
		ln := newIPC(t, l)
		require.NoError(t, ln.Bind(shortDir(t)+"/s"))
		require.ErrorIs(t, ln.Listen(1, func(*uv.Pipe, error) {}), uv.EINVAL)
		fds, err := uv.PipePair(false, false)
		require.NoError(t, err)
		require.ErrorIs(t, newIPC(t, l).OpenFD(fds[0]), uv.EINVAL)
		syscall.Close(int(fds[0]))
		syscall.Close(int(fds[1]))
		require.NoError(t, x.CloseWrite(nil))
		require.ErrorIs(t, x.WriteHandle([]byte("x"), y, none), uv.EPIPE)
		x.Close()
		require.ErrorIs(t, x.WriteHandle([]byte("x"), y, none), uv.ErrClosed)
		require.ErrorIs(t, x.ReadStartHandles(func([]byte, []uv.Handle, error) {}), uv.ErrClosed)
	})
	t.Run("the peer is gone", func(t *testing.T) {
		l := newLoop(t)
		x, peer := ipcAndPeer(t, l)
		syscall.Close(int(peer))
		var failed error
		c := newTCP(t, l)
		require.NoError(t, c.Bind(loopback, 0))
		require.NoError(t, x.WriteHandle([]byte("x"), c, func(err error) { failed = err }))
		until(t, l, "the failure", func() bool { return failed != nil })
		require.ErrorIs(t, failed, syscall.EPIPE)
		failed = nil
		require.NoError(t, x.WriteHandle([]byte("x"), c, func(err error) { failed = err }))
		until(t, l, "the second failure", func() bool { return failed != nil })
		_, err := x.TryWriteHandle([]byte("x"), c)
		require.ErrorIs(t, err, uv.EPIPE)
	})
	t.Run("over a path", func(t *testing.T) {
		l := newLoop(t)
		path := shortDir(t) + "/s"
		ln := newPipe(t, l)
		require.NoError(t, ln.Bind(path))
		var server *uv.Pipe
		require.NoError(t, ln.Listen(1, func(c *uv.Pipe, err error) { server = c }))
		x := newIPC(t, l)
		require.NoError(t, x.Connect(path, func(err error) { require.NoError(t, err) }))
		c := newTCP(t, l)
		require.NoError(t, c.Bind(loopback, 0))
		require.NoError(t, x.WriteHandle([]byte("early"), c, nil))
		until(t, l, "a connection", func() bool { return server != nil })
		fd, err := server.Fd()
		require.NoError(t, err)
		copied, err := syscall.Dup(int(fd))
		require.NoError(t, err)
		y := newIPC(t, l)
		require.NoError(t, y.OpenFD(uintptr(copied)))
		var got mailbag
		require.NoError(t, y.ReadStartHandles(got.take))
		until(t, l, "the handle", func() bool { return len(got.handles) == 1 })
		require.Equal(t, "early", string(got.bytes))
	})
}

// Whatever a peer sends, nothing of it stays.
func TestForeignDescriptors(t *testing.T) {
	eventfd := func(t *testing.T) int {
		n, _, errno := syscall.Syscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC, 0)
		require.Zero(t, errno)
		return int(n)
	}
	t.Run("odd kinds and many", func(t *testing.T) {
		l := newLoop(t)
		y, peer := ipcAndPeer(t, l)
		var got mailbag
		require.NoError(t, y.ReadStartHandles(got.take))
		file, event, sock := int(openFile(t)), eventfd(t), int(socket(t, syscall.AF_INET))
		seq, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		before := len(descriptors())
		sendFDs(t, peer, []byte("a"), file, event, sock, seq, event)
		many := make([]int, 253)
		for i := range many {
			many[i] = event
		}
		many[100] = sock
		sendFDs(t, peer, []byte("b"), many...)
		sendFDs(t, peer, []byte("c"))
		until(t, l, "the bytes", func() bool { return len(got.bytes) == 3 })
		require.Equal(t, "abc", string(got.bytes))
		require.Len(t, got.handles, 2)
		require.Equal(t, []int{0, 1}, got.at)
		require.Zero(t, got.lost)
		require.Len(t, descriptors(), before+2)
		for _, h := range got.handles {
			h.Close()
		}
		for _, fd := range []int{event, sock, seq, int(peer)} {
			syscall.Close(fd)
		}
		until(t, l, "the end", func() bool { return got.err != nil })
	})
	t.Run("what the socket's options bring", func(t *testing.T) {
		const soPassPidFD = 76
		l := newLoop(t)
		y, peer := ipcAndPeer(t, l)
		fd, err := y.Fd()
		require.NoError(t, err)
		require.NoError(t, syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_PASSCRED, 1))
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soPassPidFD, 1) // since Linux 6.5
		sock := int(socket(t, syscall.AF_INET))
		var got mailbag
		require.NoError(t, y.ReadStartHandles(got.take))
		before := len(descriptors())
		sendFDs(t, peer, []byte("a"), sock)
		until(t, l, "the handle", func() bool { return len(got.handles) == 1 })
		require.Zero(t, got.lost)
		require.Len(t, descriptors(), before+1)
		closeFDs(t, uintptr(sock), peer)
	})
	t.Run("with a number that a Poll still has", func(t *testing.T) {
		l := newLoop(t)
		y, peer := ipcAndPeer(t, l)
		sock, old := int(socket(t, syscall.AF_INET)), socket(t, syscall.AF_INET)
		poll, err := l.NewPoll(old)
		require.NoError(t, err)
		var gone error
		require.NoError(t, poll.Start(uv.Writable, func(_ uv.PollEvents, err error) { gone = err }))
		closeFDs(t, old) // its owner says nothing
		sendFDs(t, peer, []byte("a"), sock)
		var got mailbag
		require.NoError(t, y.ReadStartHandles(got.take))
		until(t, l, "the handle", func() bool { return len(got.handles) == 1 && gone != nil })
		fd, err := got.handles[0].(*uv.TCP).Fd()
		require.NoError(t, err)
		require.Equal(t, old, fd)
		require.ErrorIs(t, gone, uv.EBADF)
		closeFDs(t, uintptr(sock), peer)
	})
	for name, start := range map[string]func(*uv.Pipe, *mailbag) error{
		"ReadStart": func(p *uv.Pipe, m *mailbag) error {
			return p.ReadStart(func(b []byte, err error) { m.take(b, nil, err) })
		},
		"ReadStart instead of ours": func(p *uv.Pipe, m *mailbag) error {
			if err := p.ReadStartHandles(m.take); err != nil {
				return err
			}
			return p.ReadStart(func(b []byte, err error) { m.take(b, nil, err) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t)
			y, peer := ipcAndPeer(t, l)
			event := eventfd(t)
			before := len(descriptors())
			var got mailbag
			require.NoError(t, start(y, &got))
			for range 10 {
				sendFDs(t, peer, []byte("x"), event, event)
			}
			syscall.Close(int(peer))
			until(t, l, "the end", func() bool { return got.err != nil })
			require.ErrorIs(t, got.err, io.EOF)
			require.Len(t, got.bytes, 10)
			require.Empty(t, got.handles)
			require.Len(t, descriptors(), before-1)
			syscall.Close(event)
		})
	}
	t.Run("closed with handles pending", func(t *testing.T) {
		l := newLoop(t)
		y, peer := ipcAndPeer(t, l)
		event := eventfd(t)
		sendFDs(t, peer, []byte("x"), event)
		sendFDs(t, peer, []byte("y"), event)
		calls := 0
		require.NoError(t, y.ReadStartHandles(func(b []byte, handles []uv.Handle, err error) {
			calls++
			require.NoError(t, y.ReadStop())
		}))
		until(t, l, "the first", func() bool { return calls == 1 })
		require.NoError(t, l.Poll(0))
		require.Equal(t, 1, calls)
		y.Close()
		x, _ := ipcPair(t, l, l) // and those that wait to leave
		require.NoError(t, x.Write(pattern(1<<20), nil))
		cancelled := 0
		for range 5 {
			require.NoError(t, x.WriteHandle([]byte("z"), x, func(err error) {
				require.ErrorIs(t, err, uv.ECANCELED)
				cancelled++
			}))
		}
		x.Close()
		until(t, l, "the ends of the writes", func() bool { return cancelled == 5 })
		syscall.Close(int(peer))
		syscall.Close(event)
	})
	t.Run("a panic of the callback", func(t *testing.T) {
		l := newLoop(t)
		y, peer := ipcAndPeer(t, l)
		event, sock := eventfd(t), int(socket(t, syscall.AF_INET))
		for i := range 5 {
			sendFDs(t, peer, []byte{byte(i)}, event, sock)
		}
		var got mailbag
		require.NoError(t, y.ReadStartHandles(func(b []byte, handles []uv.Handle, err error) {
			got.take(b, handles, err)
			panic("mine")
		}))
		for range 5 {
			require.PanicsWithValue(t, "mine", func() {
				for range 100 {
					l.Poll(time.Millisecond)
				}
			})
		}
		require.Equal(t, []byte{0, 1, 2, 3, 4}, got.bytes)
		require.Len(t, got.handles, 5)
		for _, fd := range []int{event, sock, int(peer)} {
			syscall.Close(fd)
		}
		y.Close()
	})
	t.Run("no room", func(t *testing.T) {
		require.Equal(t, "told\n", inChild(t, "ipc emfile"))
	})
}

// childIPCOutOfDescriptors receives handles for which there are no descriptors, and sends
// one that cannot be kept.
func childIPCOutOfDescriptors() error {
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	fds, err := uv.SocketPair(syscall.SOCK_STREAM, 0, false, false)
	if err != nil {
		return err
	}
	y, err := l.NewPipeIPC()
	if err != nil {
		return err
	}
	if err := y.OpenFD(fds[0]); err != nil {
		return err
	}
	if err := syscall.Sendmsg(int(fds[1]), []byte("x"), syscall.UnixRights(int(fds[1]), int(fds[1])), nil, 0); err != nil {
		return err
	}
	var got mailbag
	if err := y.ReadStartHandles(got.take); err != nil {
		return err
	}
	if err := y.Write(make([]byte, 1<<20), nil); err != nil || y.WriteQueueSize() == 0 {
		return fmt.Errorf("nothing waits: %v", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
		return err
	}
	var hogs []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		hogs = append(hogs, f)
	}
	if err := y.WriteHandle([]byte("y"), y, func(error) { panic("called") }); !errorIs(err, uv.EMFILE) {
		return fmt.Errorf("WriteHandle without room: %v", err)
	}
	hogs[0].Close()
	for end := time.Now().Add(patience); got.lost == 0 && time.Now().Before(end); {
		l.Poll(time.Millisecond)
	}
	if got.lost != 1 || got.err != nil || string(got.bytes) != "x" || len(got.handles) != 1 {
		return fmt.Errorf("%+v", got)
	}
	fmt.Println("told")
	return nil
}

func errorIs(err error, code uv.Errno) bool {
	e, ok := err.(*uv.Error)
	return ok && e.Errno == code
}

// A listener goes to a child, which serves.
func TestPassHandleToChild(t *testing.T) {
	l := newLoop(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	p := newIPC(t, l)
	var status []uv.ExitStatus
	_, err = l.Spawn(uv.SpawnOptions{
		File: exe, Args: []string{exe, childArg, "ipc serve"},
		Stdio: []uv.StdioContainer{
			{}, {Kind: uv.StdioInheritFD, FD: 2}, {Kind: uv.StdioInheritFD, FD: 2},
			{Kind: uv.StdioCreatePipe, Stream: &p.Stream, Flags: uv.StdioReadable | uv.StdioWritable},
		},
	}, func(s uv.ExitStatus) { status = append(status, s) })
	require.NoError(t, err)
	ln := newTCP(t, l)
	require.NoError(t, ln.Bind(loopback, 0))
	addr := addrOf(t, ln)
	require.NoError(t, p.WriteHandle([]byte("serve"), ln, nil))
	ln.Close()
	var got mailbag
	require.NoError(t, p.ReadStartHandles(got.take))
	until(t, l, "the child", func() bool { return string(got.bytes) == "serving" || len(status) > 0 })
	c, err := net.Dial("tcp", addr.String())
	require.NoError(t, err)
	defer c.Close()
	until(t, l, "the end of the child", func() bool { return len(status) > 0 && got.err != nil })
	require.Equal(t, uv.ExitStatus{}, status[0])
	answer, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "from the child", string(answer))
}

// childIPCServe answers one connection to the listener that comes over descriptor 3.
func childIPCServe() error {
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	p, err := l.NewPipeIPC()
	if err != nil {
		return err
	}
	if err := p.OpenFD(3); err != nil {
		return err
	}
	var failed error
	if err := p.ReadStartHandles(func(b []byte, handles []uv.Handle, err error) {
		if failed = err; err != nil || len(handles) != 1 {
			return
		}
		p.ReadStop()
		failed = handles[0].(*uv.TCP).Listen(1, func(c *uv.TCP, err error) {
			handles[0].Close()
			c.Write([]byte("from the child"), nil)
			c.CloseWrite(func(error) { l.Stop() })
		})
		p.Write([]byte("serving"), nil)
	}); err != nil {
		return err
	}
	if err := l.RunForever(context.Background()); err != nil {
		return err
	}
	return failed
}

func TestPassHandlesUnderLoad(t *testing.T) {
	t.Run("UV-085", func(t *testing.T) {
		l := newLoop(t)
		x, y := ipcPair(t, l, l)
		const messages, every = 10_000, 100 // a handle with each hundredth
		started := time.Now()
		var done [2]int
		var got [2]mailbag
		for i, p := range []*uv.Pipe{x, y} {
			require.NoError(t, p.ReadStartHandles(got[i].take))
		}
		for i := range messages {
			for k, p := range []*uv.Pipe{x, y} {
				finished := func(err error) { require.NoError(t, err); done[k]++ }
				b := fmt.Appendf(nil, "%08d", i)
				if i%every > 0 {
					require.NoError(t, p.Write(b, finished))
					continue
				}
				c := newTCP(t, l)
				require.NoError(t, c.Bind(netip.AddrPortFrom(loopback.Addr(), 0), 0))
				require.NoError(t, p.WriteHandle(b, c, finished))
				c.Close()
			}
		}
		until(t, l, "everything", func() bool {
			return done == [2]int{messages, messages} && len(got[0].bytes) == 8*messages && len(got[1].bytes) == 8*messages
		})
		for k := range got {
			require.Len(t, got[k].handles, messages/every)
			for i := range messages {
				require.Equal(t, fmt.Sprintf("%08d", i), string(got[k].bytes[8*i:8*i+8]))
			}
			for i, at := range got[k].at {
				require.LessOrEqual(t, at, 8*every*i)
			}
		}
		t.Log(time.Since(started))
	})
}
