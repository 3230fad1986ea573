package asyncio

// What a loop asks of its driver. Whatever it waits for starts below the seam: a driver
// sees it all. And a driver may answer what a kernel seldom does.

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// watchedDriver counts the functions it is given, and knows one name.
type watchedDriver struct {
	proactor.Proactor
	works, lookups atomic.Int32
	there          netip.AddrPort
}

func (d *watchedDriver) Work(fn func()) {
	d.works.Add(1)
	d.Proactor.Work(fn)
}

func (d *watchedDriver) GetAddrInfo(q proactor.Query, done func([]proactor.AddrInfo, error)) (cancel func()) {
	d.lookups.Add(1)
	return d.Proactor.GetAddrInfo(proactor.Query{Network: q.Network, Host: d.there.Addr().String(), Service: strconv.Itoa(int(d.there.Port()))}, done)
}

func TestSeamOwnsWorkAndNames(t *testing.T) {
	l, err := NewEventLoop()
	require.NoError(t, err)
	defer l.Close()
	d := &watchedDriver{Proactor: l.pro}
	l.pro = d
	one := func() (int, error) { return 1, nil }
	_, err = RunUntilComplete(l, Coro[None](func(ctx context.Context) (None, error) {
		began := func(what string, works int32, f func() error) {
			before := d.works.Load()
			require.NoError(t, f(), what)
			require.Equal(t, works, d.works.Load()-before, what)
		}
		began("the default executor", 1, func() error {
			_, err := RunInExecutor(ctx, nil, one).Await(ctx)
			return err
		})
		pool := NewThreadPool(1)
		began("a pool", 1, func() error {
			_, err := RunInExecutor(ctx, pool, one).Await(ctx)
			return err
		})
		pool.Shutdown(true)
		began("files", 1, func() error {
			_, err := Stat(ctx, ".")
			return err
		})
		server, err := l.CreateServer(ctx, func() Protocol { return new(idle) }, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		addr := server.Addrs()[0].(interface{ AddrPort() netip.AddrPort }).AddrPort()
		d.there = addr
		began("names", 0, func() error {
			tr, _, err := l.CreateConnection(ctx, func() Protocol { return new(idle) }, "tcp", "somewhere.invalid:some-service")
			if err == nil {
				require.Equal(t, addr.String(), tr.RemoteAddr().String())
				tr.Close()
			}
			return err
		})
		require.EqualValues(t, 1, d.lookups.Load())
		server.CloseClients()
		server.Close()
		require.NoError(t, server.WaitClosed(ctx))
		began("the end of the default executor", 1, func() error { return l.ShutdownDefaultExecutor(ctx) })
		return None{}, nil
	}))
	require.NoError(t, err)
}

// idle is a protocol that only holds its connection.
type idle struct{}

func (*idle) ConnectionMade(Transport) {}
func (*idle) DataReceived([]byte)      {}
func (*idle) EOFReceived() bool        { return false }
func (*idle) PauseWriting()            {}
func (*idle) ResumeWriting()           {}
func (*idle) ConnectionLost(error)     {}

// bindingDriver has sockets that are none: of each Listen it is asked, a function says
// what comes of it.
type bindingDriver struct {
	proactor.Proactor
	bind   func(addr *net.TCPAddr) error
	bound  []*boundListener
	names  []netip.Addr
	chosen int // the last port
}

func (d *bindingDriver) Listen(addr net.Addr, _ proactor.ListenOptions) (proactor.Listener, error) {
	tcp := *addr.(*net.TCPAddr)
	if tcp.Port == 0 {
		d.chosen++
		tcp.Port = d.chosen
	}
	if d.bind != nil {
		if err := d.bind(&tcp); err != nil {
			return nil, err
		}
	}
	ln := &boundListener{addr: &tcp}
	d.bound = append(d.bound, ln)
	return ln, nil
}

func (d *bindingDriver) GetAddrInfo(_ proactor.Query, done func([]proactor.AddrInfo, error)) (cancel func()) {
	return d.Proactor.GetAddrInfo(proactor.Query{Network: "tcp"}, func([]proactor.AddrInfo, error) {
		var list []proactor.AddrInfo
		for _, ip := range d.names {
			list = append(list, proactor.AddrInfo{Network: "tcp", Addr: netip.AddrPortFrom(ip, 0)})
		}
		done(list, nil)
	})
}

// open is the addresses of the listeners that are not closed.
func (d *bindingDriver) open() (addrs []string) {
	for _, ln := range d.bound {
		if !ln.closed {
			addrs = append(addrs, ln.addr.String())
		}
	}
	return addrs
}

// boundListener counts what it is asked for.
type boundListener struct {
	addr           *net.TCPAddr
	h              proactor.AcceptHandler
	starts         int
	active, closed bool
}

func (l *boundListener) Start(h proactor.AcceptHandler) error {
	l.starts++
	l.h, l.active = h, true
	return nil
}
func (l *boundListener) Stop()          { l.active = false }
func (l *boundListener) Addr() net.Addr { return l.addr }
func (l *boundListener) FD() int        { return -1 }
func (l *boundListener) Close()         { l.active, l.closed = false, true }

// fail tells an error, as a driver does: the listener has stopped.
func (l *boundListener) fail(err error) {
	l.active = false
	l.h.AcceptFailed(err)
}

// onBindings runs body as a task of a loop on d.
func onBindings(t *testing.T, d *bindingDriver, body func(ctx context.Context, l *Loop)) {
	t.Helper()
	l, err := NewEventLoop()
	require.NoError(t, err)
	defer l.Close()
	d.Proactor, l.pro = l.pro, d
	_, err = RunUntilComplete(l, Do(func(ctx context.Context) error { body(ctx, l); return nil }))
	require.NoError(t, err)
}

func newIdle() Protocol { return new(idle) }

func TestServerChoosesOnePort(t *testing.T) {
	create := func(t *testing.T, d *bindingDriver, address string) (addrs []string, err error) {
		onBindings(t, d, func(ctx context.Context, l *Loop) {
			var s *Server
			if s, err = l.CreateServer(ctx, newIdle, "tcp", address); err != nil {
				require.Zero(t, l.Stats().Handles)
				return
			}
			for _, a := range s.Addrs() {
				addrs = append(addrs, a.String())
			}
			require.Equal(t, d.open(), addrs, "what was tried before is closed")
			s.Close()
		})
		require.Empty(t, d.open())
		return addrs, err
	}
	taken := func(addr *net.TCPAddr) error { return &net.OpError{Op: "listen", Addr: addr, Err: syscall.EADDRINUSE} }
	t.Run("all interfaces", func(t *testing.T) {
		addrs, err := create(t, &bindingDriver{}, ":0")
		require.NoError(t, err)
		require.Equal(t, []string{"0.0.0.0:1", "[::]:1"}, addrs)
	})
	t.Run("a name with several addresses", func(t *testing.T) {
		names := []netip.Addr{netip.MustParseAddr("::1"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}
		addrs, err := create(t, &bindingDriver{names: names}, "somewhere.invalid:0")
		require.NoError(t, err)
		require.Equal(t, []string{"[::1]:1", "127.0.0.1:1", "127.0.0.2:1"}, addrs)
	})
	t.Run("a choice that is taken at the other address", func(t *testing.T) {
		d := &bindingDriver{}
		d.bind = func(addr *net.TCPAddr) error {
			if addr.IP.To4() == nil && addr.Port < 5 {
				return taken(addr)
			}
			return nil
		}
		addrs, err := create(t, d, ":0")
		require.NoError(t, err)
		require.Equal(t, []string{"0.0.0.0:5", "[::]:5"}, addrs)
	})
	t.Run("every choice is taken", func(t *testing.T) {
		d := &bindingDriver{}
		d.bind = func(addr *net.TCPAddr) error {
			if addr.IP.To4() == nil {
				return taken(addr)
			}
			return nil
		}
		_, err := create(t, d, ":0")
		require.ErrorIs(t, err, syscall.EADDRINUSE)
		require.Equal(t, portChoicesMax, d.chosen)
	})
	t.Run("a port that the caller has chosen is tried once", func(t *testing.T) {
		tries := 0
		_, err := create(t, &bindingDriver{bind: func(addr *net.TCPAddr) error { tries++; return taken(addr) }}, ":80")
		require.ErrorIs(t, err, syscall.EADDRINUSE)
		require.Equal(t, 1, tries)
	})
	for _, absent := range []syscall.Errno{syscall.EAFNOSUPPORT, syscall.EADDRNOTAVAIL} {
		for name, is4 := range map[string]bool{"0.0.0.0:1": false, "[::]:2": true} {
			t.Run(fmt.Sprintf("a system that has %s only: %v", name, absent), func(t *testing.T) {
				addrs, err := create(t, &bindingDriver{bind: func(addr *net.TCPAddr) error {
					if (addr.IP.To4() != nil) == is4 {
						return absent
					}
					return nil
				}}, ":0")
				require.NoError(t, err)
				require.Equal(t, []string{name}, addrs)
			})
		}
	}
}

// What keeps connections from being accepted is told once, and then there is a pause for
// the socket that has met it. The other sockets go on.
func TestAcceptErrors(t *testing.T) {
	const message, other = "socket.accept() out of system resource", "socket.accept() failed"
	messages := map[syscall.Errno]string{
		syscall.EMFILE: message, syscall.ENFILE: message, syscall.ENOBUFS: message, syscall.ENOMEM: message, syscall.EPERM: other,
	}
	d := &bindingDriver{}
	onBindings(t, d, func(ctx context.Context, l *Loop) {
		var reports []ErrorContext
		l.SetExceptionHandler(func(_ *Loop, c ErrorContext) { reports = append(reports, c) })
		servers := make(map[syscall.Errno]*Server)
		for errno := range messages {
			s, err := l.CreateServer(ctx, newIdle, "tcp", ":0")
			require.NoError(t, err)
			servers[errno] = s
		}
		began := l.Time()
		for errno, s := range servers {
			reports = nil
			failed, goesOn := s.acceptors[0].listener.(*boundListener), s.acceptors[1].listener.(*boundListener)
			failed.fail(fmt.Errorf("accept: %w", errno))
			require.Len(t, reports, 1)
			require.Equal(t, messages[errno], reports[0].Message)
			require.ErrorIs(t, reports[0].Exception, errno)
			require.Same(t, s, reports[0].Server)
			require.True(t, goesOn.active)
			require.True(t, s.IsServing())
		}
		closed := servers[syscall.EPERM]
		closed.Close()
		goOn := func() bool {
			for _, s := range servers {
				if s != closed && !s.acceptors[0].accepting {
					return false
				}
			}
			return true
		}
		for !goOn() {
			for errno, s := range servers {
				if s.state == serverServing && l.Time()-began < acceptRetryDelay {
					require.Equal(t, 1, s.acceptors[0].listener.(*boundListener).starts, errno)
				}
			}
			require.NoError(t, Sleep(ctx, 5*time.Millisecond))
		}
		require.GreaterOrEqual(t, l.Time()-began, acceptRetryDelay)
		for errno, s := range servers {
			if s == closed {
				continue
			}
			require.Equal(t, 2, s.acceptors[0].listener.(*boundListener).starts, errno)
			require.Equal(t, 1, s.acceptors[1].listener.(*boundListener).starts, errno)
			require.Len(t, reports, 1)
			s.Close()
		}
		require.Len(t, d.bound, 2*len(messages))
		for _, ln := range d.bound {
			require.True(t, ln.closed)
			require.LessOrEqual(t, ln.starts, 2, "a closed server does not go on")
		}
	})
}

// blindDriver makes connections whose descriptors nobody knows.
type blindDriver struct{ proactor.Proactor }

type blindStream struct{ proactor.Stream }

func (blindStream) FD() int { return -1 }

func (d blindDriver) Adopt(conn net.Conn, keepAlive bool) (proactor.Stream, error) {
	s, err := d.Proactor.Adopt(conn, keepAlive)
	return blindStream{s}, err
}

// TestSendfileWithoutDescriptors: where the kernel cannot send a file, it is read and
// written.
func TestSendfileWithoutDescriptors(t *testing.T) {
	data := make([]byte, 3<<20+1)
	for i := range data {
		data[i] = byte(i % 251)
	}
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	for _, driver := range []Driver{Libuv, PureGo} {
		t.Run(driver.String(), func(t *testing.T) {
			l, err := NewEventLoop(WithDriver(driver))
			if err != nil {
				t.Skip(err)
			}
			defer l.Close()
			l.pro = blindDriver{l.pro}
			file, err := os.Open(path)
			require.NoError(t, err)
			defer file.Close()
			_, err = RunUntilComplete(l, Do(func(ctx context.Context) error {
				sendCopies(t, ctx, l, file, data)
				return nil
			}))
			require.NoError(t, err)
		})
	}
}

func sendCopies(t *testing.T, ctx context.Context, l *Loop, file *os.File, data []byte) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	peer, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	defer peer.Close()
	conn, err := ln.Accept()
	require.NoError(t, err)
	tr, _, err := l.ConnectAccepted(ctx, func() Protocol { return NullProtocol{} }, conn)
	require.NoError(t, err)
	_, err = l.Sendfile(ctx, tr, file, 0, -1, false)
	require.ErrorIs(t, err, ErrSendfile)
	tr.SetWriteBufferLimits(64<<10, 0)
	sending := CreateTask(ctx, func(ctx context.Context) (int64, error) { return l.Sendfile(ctx, tr, file, 0, -1, true) })
	for before := -1; tr.WriteBufferSize() == 0 || tr.WriteBufferSize() != before; { // until it is held back
		before = tr.WriteBufferSize()
		require.NoError(t, Sleep(ctx, 20*time.Millisecond))
		if sending.Done() {
			break // the kernel has taken it all
		}
	}
	require.LessOrEqual(t, tr.WriteBufferSize(), 64<<10+sendfileReadBytes)
	if !sending.Done() {
		_, err = tr.Write([]byte("no"))
		require.ErrorIs(t, err, ErrInvalidState)
		require.False(t, tr.IsReading())
	}
	received := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(peer)
		received <- b
	}()
	n, err := sending.Await(ctx)
	require.NoError(t, err)
	require.EqualValues(t, len(data), n)
	n, err = l.Sendfile(ctx, tr, file, 1000, 100, true)
	require.NoError(t, err)
	require.EqualValues(t, 100, n)
	at, err := file.Seek(0, io.SeekCurrent)
	require.NoError(t, err)
	require.EqualValues(t, 1100, at)
	tr.Close()
	got, err := ToThread(ctx, func(context.Context) ([]byte, error) { return <-received, nil })
	require.NoError(t, err)
	require.True(t, string(data)+string(data[1000:1100]) == string(got))
}

// watchingDriver has watches that are none. Want fails while failing says so.
type watchingDriver struct {
	proactor.Proactor
	failing error
	watches []*fakeWatch
}

type fakeWatch struct {
	d                  *watchingDriver
	fd                 int
	h                  proactor.WatchHandler
	readable, writable bool
	closed             bool
}

func (d *watchingDriver) Watch(fd int, h proactor.WatchHandler) (proactor.Watch, error) {
	w := &fakeWatch{d: d, fd: fd, h: h}
	d.watches = append(d.watches, w)
	return w, nil
}

func (w *fakeWatch) Want(readable, writable bool) error {
	w.readable, w.writable = readable, writable
	return w.d.failing
}
func (w *fakeWatch) FD() int { return w.fd }
func (w *fakeWatch) Close()  { w.closed = true }

// descriptorOf is the descriptor of a connection to nowhere in particular.
func descriptorOf(t *testing.T, c syscall.Conn) (fd int) {
	t.Helper()
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(n uintptr) { fd = int(n) }))
	return fd
}

// awaitDescriptor is one wait of a call.
func awaitDescriptor(l *Loop, a awaiter, fd int, write bool) error {
	u, err := l.useDescriptor(fd, write)
	if err != nil {
		return err
	}
	defer u.done()
	return u.wait(a)
}

func TestUseDescriptor(t *testing.T) {
	l, err := NewEventLoop()
	require.NoError(t, err)
	defer l.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	fd := descriptorOf(t, ln.(*net.TCPListener))
	if _, err := fileOf(fd); err != nil {
		t.Skip("no descriptors can be watched here:", err)
	}
	d := &watchingDriver{Proactor: l.pro}
	l.pro = d
	enospc := os.NewSyscallError("epoll_ctl", syscall.ENOSPC)
	run := func(name string, f func(ctx context.Context, a awaiter)) {
		t.Run(name, func(t *testing.T) {
			d.failing, d.watches = nil, nil
			_, err := RunUntilComplete(l, Do(func(ctx context.Context) error {
				a, err := enter(ctx)
				require.NoError(t, err)
				f(ctx, a)
				return nil
			}))
			require.NoError(t, err)
			for _, w := range d.watches {
				require.True(t, w.closed)
			}
			require.Zero(t, l.Stats().Handles)
		})
	}
	run("both directions", func(ctx context.Context, a awaiter) {
		l.CallSoon(func() {
			require.True(t, d.watches[0].writable && !d.watches[0].readable)
			d.watches[0].h.Ready(false, true)
		})
		require.NoError(t, awaitDescriptor(l, a, fd, true))
		l.CallSoon(func() {
			require.True(t, d.watches[1].readable && !d.watches[1].writable)
			d.watches[1].h.Ready(true, false)
		})
		require.NoError(t, awaitDescriptor(l, a, fd, false))
	})
	run("there is no room for another watch", func(ctx context.Context, a awaiter) {
		d.failing = enospc
		require.ErrorIs(t, awaitDescriptor(l, a, fd, true), syscall.ENOSPC)
		require.ErrorIs(t, l.AddReader(fd, func() {}), syscall.ENOSPC)
		require.False(t, l.RemoveReader(fd))
	})
	run("nor for a watch that changes", func(ctx context.Context, a awaiter) {
		var reported error
		l.SetExceptionHandler(func(_ *Loop, c ErrorContext) { reported = c.Exception })
		require.NoError(t, l.AddReader(fd, func() { t.Error("nobody watches") }))
		l.CallSoon(func() {
			d.failing = enospc
			require.ErrorIs(t, l.AddWriter(fd, func() {}), syscall.ENOSPC)
		})
		require.ErrorIs(t, awaitDescriptor(l, a, fd, true), syscall.ENOSPC, "who waits hears of it")
		require.False(t, l.RemoveReader(fd))
		require.ErrorIs(t, reported, syscall.ENOSPC, "and so does whoever has added the callback")
	})
	run("another one waits", func(ctx context.Context, a awaiter) {
		first := CreateTask(ctx, Do(func(ctx context.Context) error {
			a, err := enter(ctx)
			require.NoError(t, err)
			return awaitDescriptor(l, a, fd, false)
		}))
		require.NoError(t, a.yield())
		require.ErrorIs(t, awaitDescriptor(l, a, fd, false), ErrConcurrentRead)
		first.Cancel()
		_, err := first.Await(ctx)
		require.ErrorIs(t, err, ErrCancelled)
	})
}
