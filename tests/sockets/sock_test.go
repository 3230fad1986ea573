//go:build linux || darwin

package sockets_test

// The Sock calls: what CPython's test_sock_lowlevel.py and uvloop's tests of the same
// have.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// recvTask is a task in SockRecv.
func recvTask(ctx context.Context, l *asyncio.Loop, fd int, p []byte) *asyncio.Task[int] {
	return asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) { return l.SockRecv(ctx, fd, p) })
}

// waiting lets a task suspend, and checks that it waits for its descriptor.
func waiting(t *testing.T, ctx context.Context, l *asyncio.Loop, task asyncio.AnyTask) {
	t.Helper()
	n := watches(l)
	require.NoError(t, testkit.Suspend(ctx, 2))
	require.False(t, task.Done())
	require.Greater(t, watches(l), n)
}

// cancelled cancels a task and checks that it has left nothing registered.
func cancelled(t *testing.T, ctx context.Context, l *asyncio.Loop, task asyncio.AnyTask) {
	t.Helper()
	require.True(t, task.Cancel())
	require.NoError(t, asynciotest.Until(ctx, task.Done))
	require.True(t, task.Cancelled())
	require.Zero(t, watches(l))
}

func TestSockRacing(t *testing.T) {
	t.Run("SCK-02", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := pair(t)
			p := make([]byte, 1)
			task := recvTask(ctx, l, a, make([]byte, 8))
			waiting(t, ctx, l, task)
			cancelled(t, ctx, l, task)
			l.CallLater(10*time.Millisecond, func() { write(t, b, "1") })
			n, err := l.SockRecv(ctx, a, p)
			require.NoError(t, err)
			require.Equal(t, "1", string(p[:n]))
			require.Zero(t, watches(l))
		})
	})
	t.Run("SCK-03", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := pair(t)
			task := recvTask(ctx, l, a, make([]byte, 8))
			waiting(t, ctx, l, task)
			write(t, b, "1")
			require.True(t, task.Cancel())
			p := make([]byte, 1)
			n, err := l.SockRecv(ctx, a, p)
			require.NoError(t, err)
			require.Equal(t, "1", string(p[:n]))
			require.NoError(t, asynciotest.Until(ctx, task.Done))
			require.True(t, task.Cancelled())
			require.Zero(t, watches(l))
		})
	})
	t.Run("SCK-03, in the turn in which the bytes are found", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := pair(t)
			c, d := pair(t)
			task := recvTask(ctx, l, a, make([]byte, 8))
			waiting(t, ctx, l, task)
			ready := false
			require.NoError(t, l.AddReader(c, func() {
				ready = true
				task.Cancel()
				l.RemoveReader(c)
			}))
			write(t, b, "1")
			write(t, d, "1")
			require.NoError(t, asynciotest.Until(ctx, func() bool { return ready && task.Done() }))
			if task.Cancelled() { // its wake-up may have come first
				p := make([]byte, 1)
				n, err := l.SockRecv(ctx, a, p)
				require.NoError(t, err)
				require.Equal(t, "1", string(p[:n]))
			}
			require.Zero(t, watches(l))
		})
	})
	t.Run("SCK-04", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := pair(t)
			task := testkit.Start(ctx, func(ctx context.Context) error { return l.SockSendAll(ctx, a, make([]byte, 200<<20)) })
			require.NoError(t, asynciotest.Until(ctx, func() bool { return watches(l) > 0 }))
			for range 3 {
				require.NotEmpty(t, read(t, b))
				require.NoError(t, testkit.Suspend(ctx, 3))
			}
			cancelled(t, ctx, l, task)
			for read(t, b) != "" {
			}
			require.NoError(t, l.SockSendAll(ctx, a, []byte("later")))
			require.Equal(t, "later", read(t, b))
		})
	})
	t.Run("SCK-08", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			ln, addr := listening(t)
			accept := func(ctx context.Context) (int, error) {
				conn, peer, err := l.SockAccept(ctx, ln)
				if err == nil {
					require.IsType(t, (*net.TCPAddr)(nil), peer)
				}
				return conn, err
			}
			for _, connectFirst := range []bool{false, true} {
				task := asyncio.CreateTask(ctx, accept)
				waiting(t, ctx, l, task)
				c := socket(t, syscall.AF_INET, syscall.SOCK_STREAM)
				if connectFirst {
					require.NoError(t, l.SockConnect(ctx, c, addr))
				}
				if task.Cancel() {
					testkit.WantCancelled(t, second(task.Await(ctx)), nil)
				}
				if !connectFirst {
					require.NoError(t, l.SockConnect(ctx, c, addr))
				}
				var conn int
				var err error
				if task.Cancelled() {
					conn, err = accept(ctx)
				} else {
					conn, err = task.Result()
				}
				require.NoError(t, err)
				require.NoError(t, l.SockSendAll(ctx, conn, []byte("hello")))
				p := make([]byte, 8)
				n, err := l.SockRecv(ctx, c, p)
				require.NoError(t, err)
				require.Equal(t, "hello", string(p[:n]))
				closeFD(t, conn, c)
			}
			require.Zero(t, watches(l))
		})
	})
	t.Run("SCK-09", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			ln, addr := full(t)
			c := socket(t, syscall.AF_INET, syscall.SOCK_STREAM)
			task := testkit.Start(ctx, func(ctx context.Context) error { return l.SockConnect(ctx, c, addr) })
			waiting(t, ctx, l, task)
			closeFD(t, c)
			reused, other := pair(t)
			require.Equal(t, c, reused, "the number comes back")
			write(t, other, "not for SockConnect")
			require.NoError(t, testkit.Suspend(ctx, 5))
			drain(t, ln) // the connection comes about, and its socket is gone
			_, err := task.Await(ctx)
			require.ErrorIs(t, err, net.ErrClosed)
			require.ErrorIs(t, err, syscall.EBADF)
			require.Zero(t, watches(l))
			require.Equal(t, "not for SockConnect", read(t, reused))
		})
	})
	t.Run("SCK-09, another call on the number", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := pair(t)
			p := make([]byte, 8)
			task := recvTask(ctx, l, a, p)
			waiting(t, ctx, l, task)
			closeFD(t, a)
			c, d := pair(t)
			require.Equal(t, a, c)
			write(t, b, "old")
			next := make([]byte, 8)
			l.CallLater(time.Millisecond, func() { write(t, d, "new") })
			n, err := l.SockRecv(ctx, c, next)
			require.NoError(t, err)
			require.Equal(t, "new", string(next[:n]))
			_, err = task.Await(ctx)
			require.ErrorIs(t, err, net.ErrClosed)
			require.Equal(t, make([]byte, 8), p)
		})
	})
}

// The descriptor is closed, and its number comes back, between the event and the task.
func TestSockClosedBeforeTheTaskRuns(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		refused := 0
		for round := range 20 {
			a, b := pair(t)
			c, d := pair(t)
			p := make([]byte, 8)
			task := recvTask(ctx, l, a, p)
			waiting(t, ctx, l, task)
			var reused, other int
			require.NoError(t, l.AddReader(c, func() {
				l.RemoveReader(c)
				closeFD(t, a)
				reused, other = pair(t)
				require.Equal(t, a, reused)
				write(t, other, "new")
			}))
			for i := range 2 { // in either order
				write(t, [2]int{b, d}[(i+round)%2], "old")
			}
			n, err := task.Await(ctx)
			if err == nil {
				require.Equal(t, "old", string(p[:n]))
			} else {
				refused++
				require.ErrorIs(t, err, net.ErrClosed)
				require.Zero(t, p[0])
			}
			require.NoError(t, asynciotest.Until(ctx, func() bool { return other != 0 }))
			require.Equal(t, "new", read(t, reused))
			require.Zero(t, watches(l))
			closeFD(t, b, c, d, reused, other)
		}
		if l.Driver() == asyncio.Libuv {
			require.NotZero(t, refused)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// full is a listening socket with a full backlog, so that a further connect waits.
func full(t *testing.T) (ln int, addr *net.TCPAddr) {
	t.Helper()
	ln = socket(t, syscall.AF_INET, syscall.SOCK_STREAM)
	require.NoError(t, syscall.Bind(ln, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(ln, 0))
	addr = tcpAddr(t, ln)
	for range 2 {
		c := socket(t, syscall.AF_INET, syscall.SOCK_STREAM)
		err := syscall.Connect(c, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: addr.Port})
		if err != nil {
			require.Equal(t, syscall.EINPROGRESS, err)
		}
	}
	return ln, addr
}

// drain accepts what there is.
func drain(t *testing.T, ln int) {
	t.Helper()
	for {
		c, _, err := syscall.Accept(ln)
		if errors.Is(err, syscall.EAGAIN) {
			return
		}
		require.NoError(t, err)
		closeFD(t, c)
	}
}

func TestSockBlocking(t *testing.T) {
	t.Run("SCK-05", func(t *testing.T) {
		for _, debug := range []bool{false, true} {
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := asynciotest.New(t, append(opts, asyncio.WithDebug(debug))...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					fd := socket(t, syscall.AF_INET, syscall.SOCK_STREAM)
					require.NoError(t, syscall.SetNonblock(fd, false))
					for _, err := range everyCall(l, ctx, fd) {
						require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
						require.ErrorContains(t, err, "the socket must be non-blocking")
					}
				})
			})
		}
	})
}

// everyCall is what each of the calls says of a descriptor.
func everyCall(l *asyncio.Loop, ctx context.Context, fd int) (errs []error) {
	p := make([]byte, 8)
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	_, err := l.SockRecv(ctx, fd, p)
	errs = append(errs, err, l.SockSendAll(ctx, fd, p), l.SockConnect(ctx, fd, addr))
	_, _, err = l.SockAccept(ctx, fd)
	errs = append(errs, err)
	_, _, err = l.SockRecvFrom(ctx, fd, p)
	errs = append(errs, err)
	_, err = l.SockSendTo(ctx, fd, p, addr)
	return append(errs, err)
}

func TestSockRefuses(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		a, b := pair(t)
		write(t, b, "unread")
		const wide = math.MaxInt &^ math.MaxUint32 // bits that the kernel drops
		none := []int{-1, 1 << 20}
		if wide != 0 {
			none = append(none, a|wide)
		}
		for _, fd := range none {
			require.ErrorIs(t, l.AddReader(fd, func() {}), syscall.EBADF)
			for _, err := range everyCall(l, ctx, fd) {
				require.ErrorIs(t, err, syscall.EBADF)
				require.ErrorIs(t, err, net.ErrClosed)
			}
		}
		r, _ := pipe(t)
		for _, err := range everyCall(l, ctx, r) {
			require.ErrorIs(t, err, syscall.ENOTSOCK)
		}
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _ = l.SockConnect(ctx, r, nil) })
		server, err := l.CreateServer(ctx, func() asyncio.Protocol { return asyncio.NullProtocol{} }, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		for _, err := range everyCall(l, ctx, server.Sockets()[0].FD()) {
			require.ErrorIs(t, err, asyncio.ErrInvalidState)
			require.ErrorContains(t, err, "is used by <server on 127.0.0.1")
		}
		udp, _, err := l.CreateDatagramEndpoint(ctx, func() asyncio.DatagramProtocol { return asyncio.NullDatagramProtocol{} }, "udp", "127.0.0.1:0")
		require.NoError(t, err)
		fd := udp.ExtraInfo("socket").(asyncio.TransportSocket).FD()
		for _, err := range everyCall(l, ctx, fd) {
			require.ErrorIs(t, err, asyncio.ErrInvalidState)
			require.ErrorContains(t, err, "is used by transport")
		}
		udp.Abort()
		server.Close()
		for _, err := range everyCall(l, l.Context(), r) {
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
		}
	})
}

// One call at a time waits in each direction: of two, asyncio leaves the first to wait
// for ever.
func TestSockTwoAtOnce(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		a, b := pair(t)
		p := make([]byte, 8)
		task := recvTask(ctx, l, a, p)
		waiting(t, ctx, l, task)
		_, err := l.SockRecv(ctx, a, make([]byte, 8))
		require.ErrorIs(t, err, asyncio.ErrConcurrentRead)
		require.ErrorIs(t, err, asyncio.ErrInvalidState)
		require.NoError(t, l.SockSendAll(ctx, a, []byte("the other way")))
		readers := 0
		require.NoError(t, l.AddReader(a, func() { readers++ }), "a callback is told beside the call")
		write(t, b, "x")
		n, err := task.Await(ctx)
		require.NoError(t, err)
		require.Equal(t, "x", string(p[:n]))
		require.Equal(t, 1, watches(l))
		write(t, b, "y")
		require.NoError(t, asynciotest.Until(ctx, func() bool { return readers > 1 }))
		require.True(t, l.RemoveReader(a))
		for read(t, b) != "" {
		}
		send := testkit.Start(ctx, func(ctx context.Context) error { return l.SockSendAll(ctx, a, make([]byte, 8<<20)) })
		require.NoError(t, asynciotest.Until(ctx, func() bool { return watches(l) > 0 }))
		err = l.SockSendAll(ctx, a, make([]byte, 8<<20))
		require.ErrorIs(t, err, asyncio.ErrInvalidState)
		cancelled(t, ctx, l, send)
	})
}

func TestSockClientOps(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		for _, network := range []string{"tcp", "unix"} {
			server, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
				line, err := r.ReadLine(ctx)
				if err == nil {
					_, err = w.Write(append([]byte("got "), line...))
				}
				return errors.Join(err, w.Close())
			}, network, freeAddress(t, network))
			require.NoError(t, err)
			family := map[string]int{"tcp": syscall.AF_INET, "unix": syscall.AF_UNIX}[network]
			fd := socket(t, family, syscall.SOCK_STREAM)
			require.NoError(t, l.SockConnect(ctx, fd, server.Addrs()[0]))
			require.NoError(t, l.SockSendAll(ctx, fd, []byte("hello\n")))
			var got []byte
			p := make([]byte, 4)
			for {
				n, err := l.SockRecv(ctx, fd, p)
				got = append(got, p[:n]...)
				if err != nil {
					require.Equal(t, io.EOF, err)
					break
				}
			}
			require.Equal(t, "got hello\n", string(got))
			n, from, err := l.SockRecvFrom(ctx, fd, p)
			require.Zero(t, n)
			require.Equal(t, io.EOF, err)
			require.Nil(t, from)
			closeFD(t, fd)
			_, err = l.SockRecv(ctx, fd, p)
			require.ErrorIs(t, err, net.ErrClosed)
			server.Close()
			require.NoError(t, server.WaitClosed(ctx))
		}
	})
}

// test_sock_client_fail
func TestSockConnectRefused(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: testkit.UnusedPort(t)}
		err := l.SockConnect(ctx, socket(t, syscall.AF_INET, syscall.SOCK_STREAM), addr)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.ErrorContains(t, err, addr.String())
		err = l.SockConnect(ctx, socket(t, syscall.AF_UNIX, syscall.SOCK_STREAM), &net.UnixAddr{Name: t.TempDir()[:20] + "/nobody"})
		require.Error(t, err)
		require.Zero(t, watches(l))
	})
}

// A Unix socket cannot wait for room in the backlog of its peer; asyncio takes it for
// connected.
func TestSockConnectToFullUnixServer(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems refuse the connection")
	}
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		ln := socket(t, syscall.AF_UNIX, syscall.SOCK_STREAM)
		path := freeAddress(t, "unix")
		require.NoError(t, syscall.Bind(ln, &syscall.SockaddrUnix{Name: path}))
		require.NoError(t, syscall.Listen(ln, 0))
		addr := &net.UnixAddr{Name: path, Net: "unix"}
		require.NoError(t, l.SockConnect(ctx, socket(t, syscall.AF_UNIX, syscall.SOCK_STREAM), addr))
		late := socket(t, syscall.AF_UNIX, syscall.SOCK_STREAM)
		require.ErrorIs(t, l.SockConnect(ctx, late, addr), syscall.EAGAIN)
		drain(t, ln)
		require.NoError(t, l.SockConnect(ctx, late, addr), "it may try again")
	})
}

// test_sock_client_connect_racing: a connect that is cancelled, and connected anew.
func TestSockConnectRacing(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		ln, addr := full(t)
		c := socket(t, syscall.AF_INET, syscall.SOCK_STREAM)
		connect := func(ctx context.Context) error { return l.SockConnect(ctx, c, addr) }
		for range 3 {
			task := testkit.Start(ctx, connect)
			waiting(t, ctx, l, task)
			cancelled(t, ctx, l, task)
		}
		task := testkit.Start(ctx, connect)
		waiting(t, ctx, l, task)
		drain(t, ln)
		_, err := task.Await(ctx)
		require.NoError(t, err)
		_ = l.SockConnect(ctx, c, addr) // Linux tells of the connection once more
		require.ErrorIs(t, l.SockConnect(ctx, c, addr), syscall.EISCONN)
		drain(t, ln)
	})
}

// test_huge_content
func TestSockHugeContent(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		data := bytes.Repeat([]byte("Hello World\n"), 1<<20)
		ln, addr := listening(t)
		sent := testkit.Start(ctx, func(ctx context.Context) error {
			conn, _, err := l.SockAccept(ctx, ln)
			if err != nil {
				return err
			}
			defer syscall.Close(conn)
			return l.SockSendAll(ctx, conn, data)
		})
		c := socket(t, syscall.AF_INET, syscall.SOCK_STREAM)
		require.NoError(t, l.SockConnect(ctx, c, addr))
		var got []byte
		buf := make([]byte, 1<<16)
		for {
			n, err := l.SockRecv(ctx, c, buf)
			got = append(got, buf[:n]...)
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
		}
		require.True(t, bytes.Equal(data, got))
		_, err := sent.Await(ctx)
		require.NoError(t, err)
	})
}

// test_sock_accept: the descriptor is non-blocking and close-on-exec.
func TestSockAccept(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		ln, addr := listening(t)
		peer, err := net.Dial("tcp", addr.String())
		require.NoError(t, err)
		conn, from, err := l.SockAccept(ctx, ln)
		require.NoError(t, err)
		require.Equal(t, peer.LocalAddr(), from)
		_, err = syscall.Read(conn, make([]byte, 1))
		require.ErrorIs(t, err, syscall.EAGAIN)
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(conn), syscall.F_GETFD, 0)
		require.Zero(t, errno)
		require.NotZero(t, flags&syscall.FD_CLOEXEC)
		require.NoError(t, peer.Close())
		_, err = l.SockRecv(ctx, conn, make([]byte, 1))
		require.Equal(t, io.EOF, err)
		closeFD(t, conn)
	})
}

// A loop that closes ends what waits.
func TestSockCloseOfTheLoop(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l, err := asyncio.NewEventLoop(opts...)
		require.NoError(t, err)
		a, _ := pair(t)
		var ended error
		task := asyncio.CreateTask(l.Context(), func(ctx context.Context) (int, error) {
			n, err := l.SockRecv(ctx, a, make([]byte, 1))
			ended = err
			return n, err
		})
		asynciotest.Turns(t, l, 3)
		require.False(t, task.Done())
		require.NoError(t, l.Close())
		require.ErrorIs(t, ended, asyncio.ErrLoopClosed)
		_, err = l.SockRecv(l.Context(), a, make([]byte, 1))
		require.Error(t, err)
	})
}

// test_create_connection_sock: a socket that is connected becomes a transport's.
func TestSockBecomesATransport(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		ln, addr := listening(t)
		c := socket(t, syscall.AF_INET, syscall.SOCK_STREAM)
		require.NoError(t, l.SockConnect(ctx, c, addr))
		conn, _, err := l.SockAccept(ctx, ln)
		require.NoError(t, err)
		f := os.NewFile(uintptr(c), "")
		taken, err := net.FileConn(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		tap := testkit.NewTap(l)
		transport, _, err := l.ConnectAccepted(ctx, tap.Factory, taken)
		require.NoError(t, err)
		require.NoError(t, l.SockSendAll(ctx, conn, []byte("hello")))
		tap.Receive(t, ctx, 5)
		_, err = transport.Write([]byte("there"))
		require.NoError(t, err)
		p := make([]byte, 8)
		n, err := l.SockRecv(ctx, conn, p)
		require.NoError(t, err)
		require.Equal(t, "there", string(p[:n]))
		closeFD(t, conn)
		require.NoError(t, tap.End(t, ctx))
	})
}

// A call that makes progress does not rest, however often it waits.
func TestSockSendAllInSmallSteps(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		a, b := pair(t)
		require.NoError(t, syscall.SetsockoptInt(a, syscall.SOL_SOCKET, syscall.SO_SNDBUF, 4096))
		const size = 512 << 10
		got, steps, rests, sent := 0, 0, 0, false
		require.NoError(t, l.AddReader(b, func() {
			got += len(read(t, b))
			steps++
			if l.Stats().Timers > 0 && !sent {
				rests++
			}
		}))
		require.NoError(t, l.SockSendAll(ctx, a, make([]byte, size)))
		sent = true
		require.NoError(t, asynciotest.Until(ctx, func() bool { return got == size }))
		require.True(t, l.RemoveReader(b))
		require.Greater(t, steps, 16)
		require.Zero(t, rests, "of %d steps", steps)
	})
}
