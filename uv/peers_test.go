//go:build cgo

package uv_test

// What libuv's own tests check and no other test of this package does. A subtest has the
// name of libuv's, or of the first of several; docs/peers.md has them all.

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

func TestPeers(t *testing.T) {
	t.Run("close_order", func(t *testing.T) { // what is closed is told behind the rest of the turn
		l := newLoop(t)
		var order []string
		say := func(what string) func() { return func() { order = append(order, what) } }
		prepare, err := l.NewPrepare()
		require.NoError(t, err)
		check, err := l.NewCheck()
		require.NoError(t, err)
		require.NoError(t, check.Start(say("check")))
		require.NoError(t, newTimer(t, l).Start(0, 0, say("timer")))
		require.NoError(t, prepare.Start(func() {
			prepare.CloseWith(say("closed"))
			require.Empty(t, order)
		}))
		run(t, l, uv.RunNoWait)
		require.Equal(t, []string{"check", "timer", "closed"}, order)
	})
	t.Run("ref", func(t *testing.T) { // of an active handle of any kind
		l := newLoop(t)
		for _, h := range activeHandles(t, l) {
			require.True(t, l.Alive(), h.Type())
			h.Unref()
			require.False(t, l.Alive(), h.Type())
			require.False(t, run(t, l, uv.RunDefault))
			h.Ref()
			require.True(t, l.Alive(), h.Type())
			h.Close()
			run(t, l, uv.RunDefault)
		}
	})
	t.Run("unref_in_prepare_cb", func(t *testing.T) {
		l := newLoop(t)
		prepare, err := l.NewPrepare()
		require.NoError(t, err)
		require.NoError(t, prepare.Start(prepare.Unref))
		require.NoError(t, newTimer(t, l).Start(0, 0, func() {}))
		require.False(t, run(t, l, uv.RunDefault))
	})
	t.Run("active", func(t *testing.T) {
		l := newLoop(t)
		timer := newTimer(t, l)
		require.False(t, timer.IsActive())
		require.NoError(t, timer.Start(time.Hour, 0, func() {}))
		require.True(t, timer.IsActive())
		require.NoError(t, timer.Stop())
		require.False(t, timer.IsActive())
		require.NoError(t, timer.Start(time.Hour, 0, func() {}))
		timer.Close()
		require.False(t, timer.IsActive())
		require.True(t, timer.IsClosing())
	})
	t.Run("timer_init", func(t *testing.T) {
		timer := newTimer(t, newLoop(t))
		require.Zero(t, timer.Repeat())
		require.Zero(t, timer.DueIn())
		require.False(t, timer.IsActive())
	})
	t.Run("timer_start_twice", func(t *testing.T) {
		l := newLoop(t)
		timer, fired := newTimer(t, l), 0
		require.NoError(t, timer.Start(time.Hour, 0, func() { t.Error("the first start") }))
		require.NoError(t, timer.Start(time.Millisecond, 0, func() { fired++ }))
		run(t, l, uv.RunDefault)
		require.Equal(t, 1, fired)
	})
	t.Run("timer_from_check", func(t *testing.T) { // not inside the call, and no later than the next turn
		l := newLoop(t)
		timer, fired := newTimer(t, l), 0
		check, err := l.NewCheck()
		require.NoError(t, err)
		require.NoError(t, check.Start(func() {
			require.NoError(t, check.Stop())
			require.NoError(t, timer.Start(0, 0, func() { fired++ }))
			require.Zero(t, fired)
		}))
		run(t, l, uv.RunNoWait)
		run(t, l, uv.RunNoWait)
		require.Equal(t, 1, fired)
	})
	t.Run("idle_starvation", func(t *testing.T) { // timers fire beside a loop that never rests
		l := newLoop(t)
		idle, err := l.NewIdle()
		require.NoError(t, err)
		calls, fired := 0, false
		require.NoError(t, idle.Start(func() { calls++ }))
		require.NoError(t, newTimer(t, l).Start(20*time.Millisecond, 0, func() {
			fired = true
			idle.Close()
		}))
		run(t, l, uv.RunDefault)
		require.True(t, fired)
		require.Positive(t, calls)
	})
	t.Run("tcp_bind_invalid_flags", func(t *testing.T) {
		l := newLoop(t)
		require.ErrorIs(t, newTCP(t, l).Bind(loopback, uv.BindV6Only), uv.EINVAL)
	})
	t.Run("bind_or_listen_error_after_close", func(t *testing.T) {
		l := newLoop(t)
		c, p := newTCP(t, l), newPipe(t, l)
		require.NoError(t, c.Bind(loopback, 0))
		c.Close()
		p.Close()
		require.ErrorIs(t, c.Bind(loopback, 0), uv.ErrClosed)
		require.ErrorIs(t, c.Listen(1, func(*uv.TCP, error) {}), uv.ErrClosed)
		require.ErrorIs(t, p.Bind("nowhere"), uv.ErrClosed)
		require.ErrorIs(t, p.Listen(1, func(*uv.Pipe, error) {}), uv.ErrClosed)
	})
	t.Run("tcp_bind6", func(t *testing.T) {
		needIPv6(t)
		l := newLoop(t)
		ln := newTCP(t, l)
		require.NoError(t, ln.Bind(loopback6, 0))
		require.ErrorIs(t, ln.Bind(loopback6, 0), uv.EINVAL)
		require.NoError(t, ln.Listen(8, func(*uv.TCP, error) {}))
		err := newTCP(t, l).Bind(addrOf(t, ln), 0)
		require.ErrorIs(t, err, uv.EADDRINUSE)
		require.ErrorIs(t, newTCP(t, l).Bind(netip.MustParseAddrPort("[4:4:4:4:4:4:4:4]:0"), 0), uv.EADDRNOTAVAIL)
		to := addrOf(t, ln)
		ln.Close()
		var refused error
		require.NoError(t, newTCP(t, l).Connect(to, func(err error) { refused = err }))
		until(t, l, "the refusal", func() bool { return refused != nil })
		require.ErrorIs(t, refused, uv.ECONNREFUSED)
	})
	t.Run("tcp_create_early", func(t *testing.T) {
		l := newLoop(t)
		_, err := l.NewTCPFamily(47)
		require.ErrorIs(t, err, uv.EINVAL)
		ln, err := l.NewTCPFamily(syscall.AF_INET)
		require.NoError(t, err)
		_, err = ln.Fd()
		require.NoError(t, err)
		require.NoError(t, ln.Bind(loopback, 0))
		accepted := false
		require.NoError(t, ln.Listen(8, func(*uv.TCP, error) { accepted = true }))
		c, err := l.NewTCPFamily(syscall.AF_INET)
		require.NoError(t, err)
		require.NoError(t, c.Connect(addrOf(t, ln), func(err error) { require.NoError(t, err) }))
		until(t, l, "a connection", func() bool { return accepted })
	})
	t.Run("tcp_connect_error_fault", func(t *testing.T) {
		l := newLoop(t)
		c := newTCP(t, l)
		require.ErrorIs(t, c.Connect(netip.AddrPort{}, func(error) { t.Error("called") }), uv.EINVAL)
		require.NoError(t, l.Poll(0))
	})
	t.Run("ping_pong", pingPong)
	t.Run("tcp_write_fail", func(t *testing.T) { // the socket cannot write, as the write finds out
		l := newLoop(t)
		s, _ := peerOf(t, l)
		fd, err := s.Fd()
		require.NoError(t, err)
		require.NoError(t, syscall.Shutdown(int(fd), syscall.SHUT_WR))
		var failed []error
		require.NoError(t, s.Write([]byte("x"), func(err error) { failed = append(failed, err) }))
		until(t, l, "the failure", func() bool { return len(failed) > 0 })
		require.Len(t, failed, 1)
		require.ErrorIs(t, failed[0], syscall.EPIPE)
	})
	t.Run("tcp_try_write", func(t *testing.T) {
		l := newLoop(t)
		s, peer := peerOf(t, l)
		n, err := s.TryWrite([]byte("hello"))
		require.NoError(t, err)
		require.Equal(t, 5, n)
		got := make([]byte, 5)
		_, err = io.ReadFull(peer, got)
		require.NoError(t, err)
		require.Equal(t, "hello", string(got))
		peer.SetLinger(0)
		peer.Close()
		until(t, l, "the failure", func() bool { _, err = s.TryWrite([]byte("x")); return err != nil })
		require.True(t, errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET), err)
	})
	t.Run("tcp_shutdown_after_write", func(t *testing.T) {
		l := newLoop(t)
		s, peer := peerOf(t, l)
		got, end := collect(t, s)
		var order []string
		require.NoError(t, s.Write([]byte("ping"), func(err error) { require.NoError(t, err); order = append(order, "write") }))
		require.NoError(t, s.CloseWrite(func(err error) { require.NoError(t, err); order = append(order, "shutdown") }))
		until(t, l, "the shutdown", func() bool { return len(order) == 2 })
		require.Equal(t, []string{"write", "shutdown"}, order)
		all, err := io.ReadAll(peer)
		require.NoError(t, err)
		require.Equal(t, "ping", string(all))
		_, err = peer.Write([]byte("pong"))
		require.NoError(t, err)
		peer.Close()
		until(t, l, "the end", func() bool { return *end != nil })
		require.ErrorIs(t, *end, io.EOF)
		require.Equal(t, "pong", got.String())
	})
	t.Run("tcp_close_reset_accepted_after_socket_shutdown", func(t *testing.T) {
		l := newLoop(t)
		s, peer := peerOf(t, l)
		fd, err := s.Fd()
		require.NoError(t, err)
		require.NoError(t, syscall.Shutdown(int(fd), syscall.SHUT_WR))
		closed := false
		require.NoError(t, s.CloseReset(func() { closed = true }))
		until(t, l, "the close", func() bool { return closed })
		_, err = peer.Read(make([]byte, 1))
		require.True(t, err == io.EOF || errors.Is(err, syscall.ECONNRESET), err)
	})
	t.Run("readable_on_eof", func(t *testing.T) {
		l := newLoop(t)
		s, peer := peerOf(t, l)
		ends := 0
		require.NoError(t, s.ReadStart(func(_ []byte, err error) {
			require.ErrorIs(t, err, io.EOF)
			ends++
			require.True(t, s.IsReadable())
			require.True(t, s.IsWritable())
		}))
		peer.Close()
		until(t, l, "the end", func() bool { return ends == 1 })
		s.Close()
		require.False(t, s.IsReadable())
		require.False(t, s.IsWritable())
	})
	t.Run("not_readable_nor_writable_on_read_error", func(t *testing.T) {
		l := newLoop(t)
		s, peer := peerOf(t, l)
		failed := false
		require.NoError(t, s.ReadStart(func(_ []byte, err error) {
			require.ErrorIs(t, err, syscall.ECONNRESET)
			failed = true
			require.False(t, s.IsReadable())
			require.False(t, s.IsWritable())
		}))
		peer.SetLinger(0)
		peer.Close()
		until(t, l, "the reset", func() bool { return failed })
	})
	t.Run("pipe_bind_error_addrnotavail", func(t *testing.T) {
		require.ErrorIs(t, newPipe(t, newLoop(t)).Bind(filepath.Join(shortDir(t), "missing", "s")), syscall.EACCES)
	})
	t.Run("pipe_bind_error_inval", func(t *testing.T) {
		p, dir := newPipe(t, newLoop(t)), shortDir(t)
		require.NoError(t, p.Bind(filepath.Join(dir, "a")))
		require.ErrorIs(t, p.Bind(filepath.Join(dir, "b")), uv.EINVAL)
	})
	t.Run("pipe_listen_without_bind", func(t *testing.T) {
		require.ErrorIs(t, newPipe(t, newLoop(t)).Listen(8, func(*uv.Pipe, error) {}), uv.EINVAL)
	})
	t.Run("pipe_connect_multiple", func(t *testing.T) {
		l := newLoop(t)
		path := filepath.Join(shortDir(t), "s")
		ln, accepted, connected := newPipe(t, l), 0, 0
		require.NoError(t, ln.Bind(path))
		require.NoError(t, ln.Listen(8, func(_ *uv.Pipe, err error) { require.NoError(t, err); accepted++ }))
		for range 4 {
			require.NoError(t, newPipe(t, l).Connect(path, func(err error) { require.NoError(t, err); connected++ }))
		}
		until(t, l, "all", func() bool { return accepted == 4 && connected == 4 })
	})
	t.Run("pipe_connect_on_prepare", func(t *testing.T) {
		l := newLoop(t)
		prepare, err := l.NewPrepare()
		require.NoError(t, err)
		p, path := newPipe(t, l), filepath.Join(shortDir(t), "missing")
		var failed error
		require.NoError(t, prepare.Start(func() {
			require.NoError(t, prepare.Stop())
			require.NoError(t, p.Connect(path, func(err error) { failed = err }))
		}))
		require.False(t, run(t, l, uv.RunDefault))
		require.ErrorIs(t, failed, uv.ENOENT)
	})
	t.Run("pipe_set_non_blocking", func(t *testing.T) { // a write that waits for its reader
		l := newLoop(t)
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		p := newPipe(t, l)
		require.NoError(t, p.OpenFD(uintptr(fds[0])))
		require.NoError(t, p.SetBlocking(true))
		const size = 1 << 20
		read := make(chan int)
		go func() {
			total := 0
			for b := make([]byte, 10_000); total < size; {
				n, err := syscall.Read(fds[1], b)
				if err != nil && err != syscall.EINTR {
					break
				}
				total += max(n, 0)
			}
			syscall.Close(fds[1])
			read <- total
		}()
		written := false
		require.NoError(t, p.Write(make([]byte, size), func(err error) { require.NoError(t, err); written = true }))
		until(t, l, "the write", func() bool { return written })
		require.Equal(t, size, <-read)
	})
	t.Run("threadpool_cancel_getnameinfo", func(t *testing.T) { // what Cancel says holds
		l := newLoop(t)
		const requests = 50
		told := 0
		for range requests {
			var cancelled error
			r, err := l.GetNameInfo(netip.MustParseAddrPort("127.0.0.1:80"), 0, func(_, _ string, err error) {
				told++
				require.Equal(t, cancelled == nil, errors.Is(err, uv.ECANCELED), "%v, Cancel has said %v", err, cancelled)
			})
			require.NoError(t, err)
			cancelled = r.Cancel()
		}
		until(t, l, "all", func() bool { return told == requests })
	})
	t.Run("fs_write_alotof_bufs", func(t *testing.T) { // more pieces than the kernel takes at a time
		l := newLoop(t)
		f := openedFile(t, l, filepath.Join(t.TempDir(), "f"), os.O_RDWR|os.O_CREATE)
		data := pattern(30_000)
		var pieces [][]byte
		for i := 0; i < len(data); i += 7 {
			pieces = append(pieces, data[i:min(i+7, len(data))])
		}
		for written := 0; written < len(data); { // a write may be short
			n := -1
			f.WriteV(pieces[written/7:], int64(written), func(k int, err error) { require.NoError(t, err); n = k })
			until(t, l, "the write", func() bool { return n >= 0 })
			require.Zero(t, n%7*(n+written-len(data)), "a piece in parts")
			written += n
		}
		got, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
		closed := false
		f.Close(func(err error) { require.NoError(t, err); closed = true })
		until(t, l, "the close", func() bool { return closed })
	})
	t.Run("fs_scandir_empty_dir", func(t *testing.T) {
		l := newLoop(t)
		dir := t.TempDir()
		list, err := wait(t, l, func(done func([]fs.DirEntry, error)) *uv.Req { return l.FS().ReadDir(dir, done) })
		require.NoError(t, err)
		require.Empty(t, list)
	})
	t.Run("spawn_stdout_to_file", func(t *testing.T) { // both to one file, which stays the caller's
		l := newLoop(t)
		f, err := os.Create(filepath.Join(t.TempDir(), "out"))
		require.NoError(t, err)
		defer f.Close()
		opt := shell("echo out; echo err >&2")
		opt.Stdio = []uv.StdioContainer{{}, {Kind: uv.StdioInheritFD, FD: f.Fd()}, {Kind: uv.StdioInheritFD, FD: f.Fd()}}
		require.Equal(t, uv.ExitStatus{}, exit(t, l, opt))
		got, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		require.Equal(t, "out\nerr\n", string(got))
	})
	t.Run("fs_poll_getpath", func(t *testing.T) {
		p, err := newLoop(t).NewFSPoll()
		require.NoError(t, err)
		_, err = p.Path()
		require.ErrorIs(t, err, uv.EINVAL)
		path := filepath.Join(t.TempDir(), "f")
		require.NoError(t, p.Start(path, time.Hour, func(_, _ fs.FileInfo, _ error) {}))
		got, err := p.Path()
		require.NoError(t, err)
		require.Equal(t, path, got)
		require.NoError(t, p.Stop())
		_, err = p.Path()
		require.ErrorIs(t, err, uv.EINVAL)
	})
	t.Run("udp_create_early", func(t *testing.T) {
		u, err := newLoop(t).NewUDP(uv.UDPOptions{Family: syscall.AF_INET})
		require.NoError(t, err)
		_, err = u.Fd()
		require.NoError(t, err)
		require.NoError(t, u.Bind(loopback, 0))
	})
	t.Run("udp_connect6", func(t *testing.T) {
		needIPv6(t)
		l := newLoop(t)
		a, b := newUDP(t, l, uv.UDPOptions{}), newUDP(t, l, uv.UDPOptions{})
		require.NoError(t, b.Bind(loopback6, 0))
		in := receive(t, b)
		require.NoError(t, a.Connect(localUDP(t, b)))
		require.ErrorIs(t, a.Connect(localUDP(t, b)), uv.EISCONN)
		require.ErrorIs(t, a.Send(nil, localUDP(t, b), nil), uv.EISCONN)
		require.NoError(t, a.Send([]byte("six"), noAddr, nil))
		until(t, l, "a datagram", func() bool { return len(in.got) == 1 })
		require.Equal(t, "six", in.got[0])
	})
	t.Run("udp_send_hang_loop", func(t *testing.T) { // a send in each send's callback leaves room for others
		l := newLoop(t)
		u, to := newUDP(t, l, uv.UDPOptions{}), closedUDP(t)
		fired := false
		var again func(error)
		again = func(error) {
			if !u.IsClosing() {
				require.NoError(t, u.Send([]byte("x"), to, again))
			}
		}
		again(nil)
		require.NoError(t, newTimer(t, l).Start(5*time.Millisecond, 0, func() { fired = true }))
		until(t, l, "the timer", func() bool { return fired })
		u.Close()
	})
}

// pingPong plays over each kind of stream, with one piece a message and with several.
func pingPong(t *testing.T) {
	const ping, rounds = "PING\n", 100
	ends := map[string]func(t *testing.T, l *uv.Loop) (client, server stream){
		"tcp": func(t *testing.T, l *uv.Loop) (stream, stream) { c, s := connectedPair(t, l); return c, s },
		"tcp6": func(t *testing.T, l *uv.Loop) (stream, stream) {
			needIPv6(t)
			var s *uv.TCP
			ln, c := newTCP(t, l), newTCP(t, l)
			require.NoError(t, ln.Bind(loopback6, 0))
			require.NoError(t, ln.Listen(1, func(a *uv.TCP, err error) { require.NoError(t, err); s = a }))
			require.NoError(t, c.Connect(addrOf(t, ln), func(err error) { require.NoError(t, err) }))
			until(t, l, "a connection", func() bool { return s != nil })
			return c, s
		},
		"pipe": func(t *testing.T, l *uv.Loop) (stream, stream) {
			var s *uv.Pipe
			ln, c, path := newPipe(t, l), newPipe(t, l), filepath.Join(shortDir(t), "s")
			require.NoError(t, ln.Bind(path))
			require.NoError(t, ln.Listen(1, func(a *uv.Pipe, err error) { require.NoError(t, err); s = a }))
			require.NoError(t, c.Connect(path, func(err error) { require.NoError(t, err) }))
			until(t, l, "a connection", func() bool { return s != nil })
			return c, s
		},
	}
	for name, open := range ends {
		for _, vectored := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				l := newLoop(t)
				client, server := open(t, l)
				send := func(s stream) error {
					if vectored {
						return s.WriteV([][]byte{[]byte(ping[:2]), []byte(ping[2:])}, nil)
					}
					return s.Write([]byte(ping), nil)
				}
				got, played := 0, 0
				require.NoError(t, server.ReadStart(func(b []byte, err error) {
					require.NoError(t, err)
					require.NoError(t, server.Write(b, nil))
				}))
				require.NoError(t, client.ReadStart(func(b []byte, err error) {
					require.NoError(t, err)
					for _, c := range b {
						require.Equal(t, ping[got%len(ping)], c)
						if got++; got%len(ping) == 0 {
							played++
							require.NoError(t, send(client))
						}
					}
				}))
				require.NoError(t, send(client))
				until(t, l, "the rounds", func() bool { return played >= rounds })
			})
		}
	}
}

// activeHandles are active handles, of each kind, one at a time.
func activeHandles(t *testing.T, l *uv.Loop) func(func(int, uv.Handle) bool) {
	makers := []func() uv.Handle{
		func() uv.Handle {
			timer := newTimer(t, l)
			require.NoError(t, timer.Start(time.Hour, 0, func() {}))
			return timer
		},
		func() uv.Handle {
			h, err := l.NewIdle()
			require.NoError(t, err)
			require.NoError(t, h.Start(func() {}))
			return h
		},
		func() uv.Handle {
			h, err := l.NewPrepare()
			require.NoError(t, err)
			require.NoError(t, h.Start(func() {}))
			return h
		},
		func() uv.Handle {
			h, err := l.NewCheck()
			require.NoError(t, err)
			require.NoError(t, h.Start(func() {}))
			return h
		},
		func() uv.Handle {
			h, err := l.NewAsync(func() {})
			require.NoError(t, err)
			return h
		},
		func() uv.Handle { return listen(t, l, func(*uv.TCP, error) {}) },
		func() uv.Handle {
			p := newPipe(t, l)
			require.NoError(t, p.Bind(filepath.Join(shortDir(t), "s")))
			require.NoError(t, p.Listen(1, func(*uv.Pipe, error) {}))
			return p
		},
		func() uv.Handle {
			u, _ := boundUDP(t, l, uv.UDPOptions{})
			require.NoError(t, u.RecvStart(func(uv.Datagram, error) {}))
			return u
		},
	}
	return func(yield func(int, uv.Handle) bool) {
		for i, make := range makers {
			if !yield(i, make()) {
				return
			}
		}
	}
}

// sendUrgent sends a byte out of band.
func sendUrgent(t *testing.T, c *net.TCPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { err = syscall.Sendto(int(fd), []byte("!"), syscall.MSG_OOB, nil) }))
	require.NoError(t, err)
}
