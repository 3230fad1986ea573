//go:build cgo && linux

package uv_test

// What libuv's own tests check of children, signals and pipes that no other test here
// does. The subtests have the names of libuv's tests.

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

func TestPeersOfChildren(t *testing.T) {
	t.Run("spawn_fails_check_for_waitpid_cleanup", func(t *testing.T) {
		noZombies(t)
		l := newLoop(t)
		for range 10 {
			_, err := l.Spawn(uv.SpawnOptions{File: "/no/such/program"}, nil)
			require.ErrorIs(t, err, uv.ENOENT)
			_, err = l.Spawn(uv.SpawnOptions{File: "/no/such/program", UID: new(uint32), GID: new(uint32)}, nil)
			require.Error(t, err)
			require.Empty(t, zombies())
		}
	})
	t.Run("spawn_auto_unref", func(t *testing.T) { // a child that has ended keeps no loop
		l := newLoop(t)
		ended := false
		p, err := l.Spawn(uv.SpawnOptions{File: "true"}, func(uv.ExitStatus) { ended = true })
		require.NoError(t, err)
		require.False(t, run(t, l, uv.RunDefault))
		require.True(t, ended)
		require.False(t, p.IsActive() || p.IsClosing())
		require.ErrorIs(t, l.Close(), uv.ErrBusy)
		closed := false
		p.CloseWith(func() { closed = true })
		require.False(t, run(t, l, uv.RunDefault))
		require.True(t, closed)
	})
	t.Run("spawn_closed_process_io", func(t *testing.T) { // while the input is being written
		l := newLoop(t)
		in := newPipe(t, l)
		opt := shell("read line; exit $line")
		opt.Stdio = []uv.StdioContainer{{Kind: uv.StdioCreatePipe, Stream: &in.Stream, Flags: uv.StdioReadable}}
		var status *uv.ExitStatus
		p, err := l.Spawn(opt, func(s uv.ExitStatus) { status = &s })
		require.NoError(t, err)
		require.NoError(t, in.Write([]byte("7\n"), nil))
		in.Close()
		require.False(t, run(t, l, uv.RunDefault))
		require.Equal(t, uv.ExitStatus{Code: 7}, *status)
		p.Close()
	})
	t.Run("spawn_setuid_setgid", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("only root may")
		}
		l := newLoop(t)
		id := uint32(65534)
		require.Equal(t, "65534 65534\n", output(t, l, uv.SpawnOptions{
			File: "sh", Args: []string{"sh", "-c", "echo $(id -u) $(id -g)"}, Dir: "/", UID: &id, GID: &id,
		}))
	})
	t.Run("spawn_tcp_server", func(t *testing.T) { // the child has the listener
		l := newLoop(t)
		exe, err := os.Executable()
		require.NoError(t, err)
		ln := newTCP(t, l)
		require.NoError(t, ln.Bind(loopback, 0))
		addr := addrOf(t, ln)
		opt := uv.SpawnOptions{File: exe, Args: []string{exe, childArg, "accept on 3"}, Stdio: inherit(-1, 2, 2, -1)}
		opt.Stdio[3] = uv.StdioContainer{Kind: uv.StdioInheritStream, Stream: &ln.Stream}
		var status *uv.ExitStatus
		p, err := l.Spawn(opt, func(s uv.ExitStatus) { status = &s })
		require.NoError(t, err)
		ln.Close()
		c := newTCP(t, l)
		got := ""
		var dial func(err error)
		dial = func(err error) {
			if err == nil {
				err = c.ReadStart(func(b []byte, _ error) { got += string(b) })
			}
			if err == nil {
				return
			}
			require.ErrorIs(t, err, uv.ECONNREFUSED, "the child does not listen yet")
			c.Close()
			c = newTCP(t, l)
			require.NoError(t, c.Connect(addr, dial))
		}
		require.NoError(t, c.Connect(addr, dial))
		until(t, l, "the child's bytes, and its end", func() bool { return status != nil && got != "" })
		require.Equal(t, uv.ExitStatus{}, *status)
		require.Equal(t, "from the child", got)
		p.Close()
		c.Close()
	})
}

// childAcceptOn3 listens on its descriptor 3, and answers once.
func childAcceptOn3() error {
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	ln, err := l.NewTCP()
	if err == nil {
		err = ln.OpenFD(3)
	}
	if err != nil {
		return err
	}
	err = ln.Listen(1, func(c *uv.TCP, err error) {
		if err == nil {
			err = c.Write([]byte("from the child"), func(error) { c.Close() })
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		ln.Close()
	})
	if err != nil {
		return err
	}
	_, err = l.Run(uv.RunDefault)
	return errors.Join(err, l.Close())
}

func TestPeersOfSignals(t *testing.T) {
	t.Run("we_get_signals_mixed", func(t *testing.T) { // of one number, once and for ever
		l := newLoop(t)
		wait := notified(t, syscall.SIGUSR1)
		var all [3]*uv.Signal
		var told [3]int
		for i := range all {
			all[i] = newSignal(t, l)
			start := all[i].StartOneshot
			if i == 1 {
				start = all[i].Start
			}
			require.NoError(t, start(syscall.SIGUSR1, func(syscall.Signal) { told[i]++ }))
		}
		for _, want := range [][3]int{{1, 1, 1}, {1, 2, 1}} {
			raise(t, syscall.SIGUSR1)
			wait()
			until(t, l, "the signal", func() bool { return told[1] == want[1] })
			require.NoError(t, l.Poll(0))
			require.Equal(t, want, told)
		}
		require.True(t, all[1].IsActive())
		require.NoError(t, all[0].StartOneshot(syscall.SIGUSR1, func(syscall.Signal) { told[0]++ }))
		require.NoError(t, all[1].Stop())
		raise(t, syscall.SIGUSR1)
		wait()
		until(t, l, "the one that is left", func() bool { return told[0] == 2 })
		require.False(t, run(t, l, uv.RunDefault), "none of them keeps the loop")
		require.Equal(t, [3]int{2, 2, 1}, told)
	})
	t.Run("signal_pending_on_close", func(t *testing.T) {
		l := newLoop(t)
		wait := notified(t, syscall.SIGUSR1)
		s := newSignal(t, l)
		require.NoError(t, s.Start(syscall.SIGUSR1, func(syscall.Signal) { t.Error("called after Close") }))
		raise(t, syscall.SIGUSR1)
		wait()
		closed := false
		s.CloseWith(func() { closed = true })
		require.False(t, run(t, l, uv.RunDefault))
		require.True(t, closed)
	})
	t.Run("signal_close_loop_alive", func(t *testing.T) { // until it is closed, and no longer
		l := newLoop(t)
		s := newSignal(t, l)
		closed := false
		require.NoError(t, s.Start(syscall.SIGUSR1, func(syscall.Signal) {
			s.CloseWith(func() { closed = true })
			require.True(t, l.Alive())
		}))
		raise(t, syscall.SIGUSR1)
		require.False(t, run(t, l, uv.RunDefault))
		require.True(t, closed)
		require.False(t, l.Alive())
	})
}

func TestPeersOfPipes(t *testing.T) {
	t.Run("pipe_getsockname", func(t *testing.T) { // of pipes with names, and without
		l := newLoop(t)
		path := filepath.Join(shortDir(t), "s")
		ln, c := newPipe(t, l), newPipe(t, l)
		_, err := ln.LocalAddr()
		require.ErrorIs(t, err, uv.EBADF)
		_, err = ln.RemoteAddr()
		require.ErrorIs(t, err, uv.EBADF)
		require.NoError(t, ln.Bind(path))
		name, err := ln.LocalAddr()
		require.NoError(t, err)
		require.Equal(t, path, name)
		_, err = ln.RemoteAddr()
		require.ErrorIs(t, err, uv.ENOTCONN)
		connected := false
		require.NoError(t, ln.Listen(1, func(*uv.Pipe, error) {}))
		require.NoError(t, c.Connect(path, func(err error) { connected = err == nil }))
		until(t, l, "a connection", func() bool { return connected })
		name, err = c.LocalAddr()
		require.NoError(t, err)
		require.Empty(t, name)
		name, err = c.RemoteAddr()
		require.NoError(t, err)
		require.Equal(t, path, name)
	})
	t.Run("pipe_server_close", func(t *testing.T) { // before it has accepted
		l := newLoop(t)
		path := filepath.Join(shortDir(t), "s")
		ln, c := newPipe(t, l), newPipe(t, l)
		require.NoError(t, ln.Bind(path))
		require.NoError(t, ln.Listen(1, func(*uv.Pipe, error) { t.Error("accepted after Close") }))
		var end error
		require.NoError(t, c.Connect(path, func(err error) {
			require.NoError(t, err)
			require.NoError(t, c.ReadStart(func(_ []byte, err error) { end = err }))
		}))
		ln.Close()
		until(t, l, "the end", func() bool { return end != nil })
		require.True(t, errors.Is(end, io.EOF) || errors.Is(end, uv.ECONNRESET), "%v", end)
		_, err := net.Dial("unix", path)
		require.ErrorIs(t, err, syscall.ENOENT)
	})
	t.Run("pipe_close_stdout_read_stdin", func(t *testing.T) { // the number that is free is not used
		l := newLoop(t)
		exe, err := os.Executable()
		require.NoError(t, err)
		in := newPipe(t, l)
		opt := uv.SpawnOptions{File: exe, Args: []string{exe, childArg, "read 0"}, Stdio: inherit(-1, -1, 2)}
		opt.Stdio[0] = uv.StdioContainer{Kind: uv.StdioCreatePipe, Stream: &in.Stream, Flags: uv.StdioReadable}
		var status *uv.ExitStatus
		p, err := l.Spawn(opt, func(s uv.ExitStatus) { status = &s })
		require.NoError(t, err)
		require.NoError(t, in.Write([]byte("to the child"), nil))
		require.NoError(t, in.CloseWrite(nil))
		until(t, l, "the end of the child", func() bool { return status != nil })
		require.Equal(t, uv.ExitStatus{}, *status)
		p.Close()
		in.Close()
	})
}

// childReads0 reads its standard input to the end, after it has closed its output.
func childReads0() error {
	if err := syscall.Close(1); err != nil {
		return err
	}
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	p, err := l.NewPipe()
	if err == nil {
		err = p.OpenFD(0)
	}
	if err != nil {
		return err
	}
	got := ""
	var end error
	err = p.ReadStart(func(b []byte, err error) {
		if got += string(b); err != nil {
			end = err
			p.Close()
		}
	})
	if err != nil {
		return err
	}
	if _, err := l.Run(uv.RunDefault); err != nil {
		return err
	}
	if got != "to the child" || !errors.Is(end, io.EOF) {
		return fmt.Errorf("%q and %w have come", got, end)
	}
	return l.Close()
}
