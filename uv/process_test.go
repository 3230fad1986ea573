//go:build cgo

package uv_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// childProcess is a child under test: what it has written, and how it has ended.
type childProcess struct {
	*uv.Process
	in, out, err *uv.Pipe
	got          bytes.Buffer // of out
	grumble      bytes.Buffer // of err
	status       *uv.ExitStatus
	ends         int // of out and err
}

func shell(script string) uv.SpawnOptions {
	return uv.SpawnOptions{File: "sh", Args: []string{"sh", "-c", script}}
}

// spawn starts a child with three pipes.
func spawn(t testing.TB, l *uv.Loop, opt uv.SpawnOptions) *childProcess {
	t.Helper()
	c := &childProcess{in: newPipe(t, l), out: newPipe(t, l), err: newPipe(t, l)}
	opt.Stdio = append([]uv.StdioContainer{
		{Kind: uv.StdioCreatePipe, Stream: &c.in.Stream, Flags: uv.StdioReadable},
		{Kind: uv.StdioCreatePipe, Stream: &c.out.Stream, Flags: uv.StdioWritable},
		{Kind: uv.StdioCreatePipe, Stream: &c.err.Stream, Flags: uv.StdioWritable},
	}, opt.Stdio...)
	var err error
	c.Process, err = l.Spawn(opt, func(s uv.ExitStatus) {
		require.Nil(t, c.status)
		c.status = &s
	})
	require.NoError(t, err)
	read := func(p *uv.Pipe, into *bytes.Buffer) {
		require.NoError(t, p.ReadStart(func(b []byte, err error) {
			into.Write(b)
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				c.ends++
			}
		}))
	}
	read(c.out, &c.got)
	read(c.err, &c.grumble)
	return c
}

// wait waits for the end of the child and of what it writes, and closes all.
func (c *childProcess) wait(t testing.TB) {
	t.Helper()
	until(t, c.Loop(), "the end of the child", func() bool { return c.status != nil && c.ends == 2 })
	for _, h := range []uv.Handle{c.Process, c.in, c.out, c.err} {
		h.Close()
	}
}

// output is what a child writes that takes nothing and ends well.
func output(t testing.TB, l *uv.Loop, opt uv.SpawnOptions) string {
	t.Helper()
	c := spawn(t, l, opt)
	require.NoError(t, c.in.CloseWrite(nil))
	c.wait(t)
	require.Equal(t, uv.ExitStatus{}, *c.status, c.grumble.String())
	require.Empty(t, c.grumble.String())
	return c.got.String()
}

// exit runs a child without anything, and tells how it has ended.
func exit(t testing.TB, l *uv.Loop, opt uv.SpawnOptions) uv.ExitStatus {
	t.Helper()
	var status *uv.ExitStatus
	p, err := l.Spawn(opt, func(s uv.ExitStatus) { status = &s })
	require.NoError(t, err)
	until(t, l, "the end of the child", func() bool { return status != nil })
	p.Close()
	return *status
}

func TestProcess(t *testing.T) {
	t.Run("UV-116", func(t *testing.T) {
		l, err := uv.NewLoop()
		require.NoError(t, err)
		newPipe(t, l).Close() // with the first stream libuv opens a descriptor that it keeps
		before := len(descriptors())
		for i := range 1000 {
			file := []string{"/no/such/program", "no-such-program"}[i%2]
			p := newPipe(t, l)
			opt := uv.SpawnOptions{File: file, Stdio: []uv.StdioContainer{
				{}, {Kind: uv.StdioCreatePipe, Stream: &p.Stream, Flags: uv.StdioWritable},
			}}
			_, err := l.Spawn(opt, func(uv.ExitStatus) { t.Error("exited") })
			require.ErrorIs(t, err, uv.ENOENT)
			require.ErrorIs(t, err, os.ErrNotExist)
			var e *uv.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, file, e.Addr)
			_, err = p.Fd()
			require.ErrorIs(t, err, uv.EBADF, "the pipe is as new")
			p.Close()
		}
		until(t, l, "the closes", func() bool { return !l.Alive() })
		require.Len(t, descriptors(), before)
		_, err = l.Spawn(uv.SpawnOptions{File: "/no/such/program"}, nil)
		require.Error(t, err)
		require.NoError(t, l.Close(), "a failed Spawn leaves no handle")
	})

	t.Run("UV-117", func(t *testing.T) {
		l := newLoop(t)
		missing := filepath.Join(t.TempDir(), "missing")
		script := filepath.Join(t.TempDir(), "script")
		require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n"), 0o644))
		for _, c := range []struct {
			opt  uv.SpawnOptions
			want uv.Errno
			addr string
		}{
			{uv.SpawnOptions{File: "true", Dir: missing}, uv.ENOENT, missing},
			{uv.SpawnOptions{File: "true", Dir: script}, uv.ENOTDIR, script},
			{uv.SpawnOptions{File: script}, uv.EACCES, script},
			{uv.SpawnOptions{File: "script", Env: []string{"PATH=" + filepath.Dir(script)}}, uv.EACCES, "script"},
			{uv.SpawnOptions{File: "true", Env: []string{}}, uv.ENOENT, "true"},
			{uv.SpawnOptions{File: ""}, uv.ENOENT, ""},
			{uv.SpawnOptions{File: filepath.Dir(script)}, uv.EACCES, filepath.Dir(script)},
			{uv.SpawnOptions{File: "tr\x00ue"}, uv.EINVAL, "tr\x00ue"},
			{uv.SpawnOptions{File: "true", Args: []string{"true", "a\x00b"}}, uv.EINVAL, "true"},
			{uv.SpawnOptions{File: "true", Env: []string{"PATH=/bin:/usr/bin", "A=\x00"}}, uv.EINVAL, "true"},
			{uv.SpawnOptions{File: "true", Dir: "/\x00"}, uv.EINVAL, "/\x00"},
		} {
			_, err := l.Spawn(c.opt, nil)
			require.ErrorIs(t, err, c.want, "%q", c.opt)
			var e *uv.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.addr, e.Addr)
		}
	})

	t.Run("UV-118", func(t *testing.T) {
		l := newLoop(t)
		c := spawn(t, l, uv.SpawnOptions{File: "cat"})
		require.False(t, c.in.IsReadable())
		require.True(t, c.in.IsWritable())
		require.True(t, c.out.IsReadable())
		require.False(t, c.out.IsWritable())
		require.True(t, c.IsActive())
		data := make([]byte, 10<<20)
		for i := range data {
			data[i] = byte(i * i >> 8)
		}
		require.NoError(t, c.in.Write(data, func(err error) {
			require.NoError(t, err)
			require.Nil(t, c.status, "it lives until the end of its input")
			require.NoError(t, c.in.CloseWrite(nil))
		}))
		c.wait(t)
		require.Equal(t, uv.ExitStatus{}, *c.status)
		require.Equal(t, sha256.Sum256(data), sha256.Sum256(c.got.Bytes()))
	})

	t.Run("UV-119", func(t *testing.T) {
		l := newLoop(t)
		out := newPipe(t, l)
		opt := shell("head -c 100000 /dev/zero")
		opt.Stdio = []uv.StdioContainer{{}, {Kind: uv.StdioCreatePipe, Stream: &out.Stream, Flags: uv.StdioWritable}}
		require.Equal(t, uv.ExitStatus{}, exit(t, l, opt))
		n, ended := 0, false
		require.NoError(t, out.ReadStart(func(b []byte, err error) {
			n += len(b)
			ended = err != nil
		}))
		until(t, l, "the end of the output", func() bool { return ended })
		require.Equal(t, 100000, n)
	})

	t.Run("UV-122", func(t *testing.T) {
		l := newLoop(t)
		c := spawn(t, l, uv.SpawnOptions{File: "sleep", Args: []string{"sleep", "1000"}})
		require.NoError(t, c.Kill(0))
		require.NoError(t, uv.Kill(c.PID(), 0))
		require.ErrorIs(t, c.Kill(1000), uv.EINVAL)
		require.NoError(t, c.Kill(syscall.SIGTERM))
		until(t, l, "the end", func() bool { return c.status != nil })
		require.Equal(t, uv.ExitStatus{Signal: syscall.SIGTERM}, *c.status)
		require.False(t, c.IsActive())
		require.ErrorIs(t, c.Kill(syscall.SIGTERM), uv.ESRCH)
		require.ErrorIs(t, c.Kill(0), syscall.ESRCH)
		require.ErrorIs(t, uv.Kill(1<<40, 0), uv.ESRCH)
		require.ErrorIs(t, uv.Kill(os.Getpid(), 1000), uv.EINVAL)
		c.wait(t)
		require.Equal(t, uv.ErrClosed, c.Kill(0))
	})

	t.Run("UV-123", func(t *testing.T) {
		l := newLoop(t)
		p, err := l.Spawn(uv.SpawnOptions{File: "sleep", Args: []string{"sleep", "1000"}, Detached: true}, nil)
		require.NoError(t, err)
		require.True(t, l.Alive())
		p.Unref()
		more, err := l.Run(uv.RunDefault)
		require.NoError(t, err)
		require.False(t, more)
		require.NoError(t, p.Kill(0), "it sleeps")
		session, _, errno := syscall.RawSyscall(syscall.SYS_GETSID, uintptr(p.PID()), 0, 0)
		require.Zero(t, errno)
		require.Equal(t, p.PID(), int(session))
		own, _, _ := syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
		require.NotEqual(t, session, own)
		require.NoError(t, p.Kill(syscall.SIGKILL))
		p.Close()
	})

	t.Run("what the child is told", func(t *testing.T) {
		l := newLoop(t)
		dir, err := filepath.EvalSymlinks(t.TempDir())
		require.NoError(t, err)
		require.Equal(t, dir+"\n", output(t, l, uv.SpawnOptions{File: "pwd", Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH")}}))
		require.Equal(t, "B=2\nA=1\n", output(t, l, uv.SpawnOptions{File: "/usr/bin/env", Env: []string{"B=2", "A=1"}}))
		require.Empty(t, output(t, l, uv.SpawnOptions{File: "/usr/bin/env", Env: []string{}}))
		t.Setenv("UV_TEST_VARIABLE", "x y")
		require.Equal(t, "x y\n", output(t, l, shell("echo \"$UV_TEST_VARIABLE\"")))
		require.Equal(t, "another name\n", output(t, l, uv.SpawnOptions{File: "sh", Args: []string{"another name", "-c", "echo $0"}}))
		require.Equal(t, "a b||\n", output(t, l, uv.SpawnOptions{File: "sh", Args: []string{"sh", "-c", `echo "$1|$2|$3"`, "sh", "a b", "", ""}}))
		long := strings.Repeat("x", 100_000)
		require.Equal(t, long, output(t, l, uv.SpawnOptions{File: "printf", Args: []string{"printf", "%s", long}}))
		_, err = l.Spawn(uv.SpawnOptions{File: "true", Args: []string{"true", strings.Repeat("x", 1<<20)}}, nil)
		require.ErrorIs(t, err, uv.E2BIG)
	})

	t.Run("the program that is found", func(t *testing.T) {
		l := newLoop(t)
		dir := t.TempDir()
		write := func(name, text string, mode os.FileMode) {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho "+text+"\n"), mode))
		}
		write("a/tool", "a", 0o644)
		write("b/tool", "b", 0o755)
		write("c/tool", "c", 0o755)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "d/tool"), 0o755))
		path := "PATH=" + strings.Join([]string{dir + "/missing", dir + "/d", dir + "/a", dir + "/b/", dir + "/c"}, ":")
		require.Equal(t, "b\n", output(t, l, uv.SpawnOptions{File: "tool", Env: []string{path}}))
		require.Equal(t, "c\n", output(t, l, uv.SpawnOptions{File: "c/tool", Dir: dir}), "a path begins at Dir")
		for _, relative := range []string{"PATH=b", "PATH=", "PATH=:" + dir + "/b", "PATH=."} {
			t.Chdir(filepath.Join(dir, map[bool]string{true: "", false: "b"}[relative == "PATH=b"]))
			_, err := l.Spawn(uv.SpawnOptions{File: "tool", Env: []string{relative}}, nil)
			require.ErrorIs(t, err, uv.ENOENT, relative)
		}
	})

	t.Run("how it ends", func(t *testing.T) {
		l := newLoop(t)
		for _, code := range []int{0, 1, 127, 255} {
			require.Equal(t, uv.ExitStatus{Code: code}, exit(t, l, shell("exit "+strconv.Itoa(code))))
		}
		require.Equal(t, uv.ExitStatus{Signal: syscall.SIGKILL}, exit(t, l, shell("kill -KILL $$")))
		require.Equal(t, uv.ExitStatus{Signal: syscall.SIGABRT}, exit(t, l, shell("ulimit -c 0; kill -ABRT $$")))
	})

	t.Run("closed while it runs", func(t *testing.T) {
		l := newLoop(t)
		p, err := l.Spawn(uv.SpawnOptions{File: "sleep", Args: []string{"sleep", "1000"}}, func(uv.ExitStatus) { t.Error("told after Close") })
		require.NoError(t, err)
		require.Equal(t, uv.ProcessHandle, p.Type())
		require.Equal(t, "process", p.Type().String())
		require.Equal(t, []uv.Handle{p}, slices.Collect(l.Handles()))
		require.ErrorIs(t, l.Close(), uv.ErrBusy)
		_, err = p.Fd()
		require.ErrorIs(t, err, uv.EINVAL)
		closed := false
		p.CloseWith(func() { closed = true })
		p.Close()
		until(t, l, "the close", func() bool { return closed })
		require.NoError(t, uv.Kill(p.PID(), 0), "it is forgotten, not ended")
		require.NoError(t, l.Close())
		require.NoError(t, uv.Kill(p.PID(), syscall.SIGKILL))
		require.Eventually(t, func() bool { return errors.Is(uv.Kill(p.PID(), 0), uv.ESRCH) }, patience, time.Millisecond, "no zombie")
		_, err = l.Spawn(uv.SpawnOptions{File: "true"}, nil)
		require.Equal(t, uv.ErrClosed, err)
	})

	t.Run("closed in the callback, and in the turn that would call it", func(t *testing.T) {
		l := newLoop(t)
		var all []*uv.Process
		told := 0
		for range 5 {
			p, err := l.Spawn(uv.SpawnOptions{File: "true"}, func(uv.ExitStatus) {
				told++
				for _, p := range all {
					p.Close()
				}
			})
			require.NoError(t, err)
			all = append(all, p)
		}
		until(t, l, "an end", func() bool { return told > 0 })
		until(t, l, "the closes", func() bool { return !l.Alive() })
		require.Equal(t, 1, told)
	})

	t.Run("UV-125", func(t *testing.T) {
		l := newLoop(t)
		exe, err := os.Executable()
		require.NoError(t, err)
		var now syscall.Rlimit
		require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now))
		want := min(now.Max/2, 999)
		opt := shell("ulimit -S -n " + strconv.FormatUint(want, 10) + "; exec " + exe + " " + childArg + " limit")
		lines := strings.Fields(output(t, l, opt))
		require.Len(t, lines, 2)
		raised, err := strconv.Atoi(lines[0])
		require.NoError(t, err)
		require.Greater(t, uint64(raised), want, "Go has raised its own")
		require.Equal(t, strconv.FormatUint(want, 10), lines[1], "and the child has what was before")
	})

	t.Run("UV-126", func(t *testing.T) {
		require.Equal(t, "EPERM EPERM\n", inChild(t, "uid"))
	})
}

// childLimit prints the limit of descriptors that it has, and that its child has.
func childLimit() error {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		return err
	}
	if _, err := os.Stdout.WriteString(strconv.FormatUint(now.Cur, 10) + "\n"); err != nil {
		return err
	}
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	opt := shell("ulimit -S -n")
	opt.Stdio = []uv.StdioContainer{{}, {Kind: uv.StdioInheritFD, FD: 1}, {Kind: uv.StdioInheritFD, FD: 2}}
	if _, err := l.Spawn(opt, nil); err != nil {
		return err
	}
	_, err = l.Run(uv.RunDefault)
	return err
}

// childUID spawns for other users than its own, which is not root.
func childUID() error {
	if os.Getuid() == 0 {
		if err := errors.Join(syscall.Setgid(65534), syscall.Setuid(65534)); err != nil {
			return err
		}
	}
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	var names []string
	for _, opt := range []uv.SpawnOptions{{UID: new(uint32)}, {GID: new(uint32)}} {
		opt.File = "true"
		_, err := l.Spawn(opt, nil)
		var e uv.Errno
		if !errors.As(err, &e) {
			return errors.New("it was not refused")
		}
		names = append(names, e.Name())
	}
	_, err = os.Stdout.WriteString(strings.Join(names, " ") + "\n")
	return errors.Join(err, l.Close())
}
