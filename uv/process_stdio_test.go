//go:build cgo && linux

package uv_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// inherit is a list of containers for descriptors; a negative number is StdioIgnore.
func inherit(fds ...int) (all []uv.StdioContainer) {
	for _, fd := range fds {
		if fd < 0 {
			all = append(all, uv.StdioContainer{})
		} else {
			all = append(all, uv.StdioContainer{Kind: uv.StdioInheritFD, FD: uintptr(fd)})
		}
	}
	return all
}

// numbered are files with known contents and positions, open for writing.
func numbered(t testing.TB, n int) (fds []int, contents func(i int) string) {
	t.Helper()
	dir := t.TempDir()
	name := func(i int) string { return filepath.Join(dir, strconv.Itoa(i)) }
	for i := range n {
		f, err := os.Create(name(i))
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		fds = append(fds, int(f.Fd()))
	}
	return fds, func(i int) string {
		b, err := os.ReadFile(name(i))
		require.NoError(t, err)
		return string(b)
	}
}

// at puts a copy of a descriptor at a number, for the length of the test.
func at(t testing.TB, fd, number int) {
	t.Helper()
	_, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(number), syscall.F_GETFD, 0)
	require.Equal(t, syscall.EBADF, errno, "%d is free", number)
	require.NoError(t, syscall.Dup3(fd, number, syscall.O_CLOEXEC))
	t.Cleanup(func() { syscall.Close(number) })
}

func TestStdio(t *testing.T) {
	t.Run("only what is listed", func(t *testing.T) {
		l := newLoop(t)
		out := newPipe(t, l)
		got, ended := "", false
		leak, err := syscall.Open("/dev/null", syscall.O_RDONLY, 0) // not close-on-exec
		require.NoError(t, err)
		defer syscall.Close(leak)
		files, _ := numbered(t, 1)
		opt := shell("for f in /proc/self/fd/*; do echo ${f##*/}; done")
		opt.Stdio = append(inherit(-1, -1, -1, -1, files[0], -1, -1, files[0]), uv.StdioContainer{})
		opt.Stdio[1] = uv.StdioContainer{Kind: uv.StdioCreatePipe, Stream: &out.Stream, Flags: uv.StdioWritable}
		require.Equal(t, uv.ExitStatus{}, exit(t, l, opt))
		require.NoError(t, out.ReadStart(func(b []byte, err error) {
			got += string(b)
			ended = err != nil
		}))
		until(t, l, "the end of the output", func() bool { return ended })
		fds := strings.Fields(got)
		fds = slices.DeleteFunc(fds, func(fd string) bool { return fd == "3" }) // the shell's look at the directory
		require.Equal(t, []string{"0", "1", "2", "4", "7"}, fds)
		flags, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(leak), syscall.F_GETFD, 0)
		require.Zero(t, flags, "what this process has stays as it was")
	})

	t.Run("clashing numbers", func(t *testing.T) {
		l := newLoop(t)
		files, contents := numbered(t, 4)
		for i, fd := range files {
			at(t, fd, 200+i)
		}
		// The child's 200 to 203 are this process's 201, 202, 203 and 200.
		numbers := slices.Repeat([]int{-1}, 204)
		copy(numbers[200:], []int{201, 202, 203, 200})
		script := `for i in 200 201 202 203; do eval "echo child $i >&$i"; done`
		opt := uv.SpawnOptions{File: "bash", Args: []string{"bash", "-c", script}, Stdio: inherit(numbers...)}
		require.Equal(t, uv.ExitStatus{}, exit(t, l, opt))
		for i, want := range []int{203, 200, 201, 202} {
			require.Equal(t, fmt.Sprintf("child %d\n", want), contents(i))
		}
		opt.File = "/no/such/program"
		_, err := l.Spawn(opt, nil)
		require.ErrorIs(t, err, uv.ENOENT, "the pipe that tells it has no number of the child's")
	})

	t.Run("swapped", func(t *testing.T) { require.Equal(t, "err\nout\n", inChild(t, "children swapped")) })

	t.Run("pipes above 2", func(t *testing.T) {
		l := newLoop(t)
		both := newPipe(t, l)
		opt := shell("read line <&5; echo got $line >&5")
		opt.Stdio = inherit(-1, -1, 2, -1, -1, -1)
		opt.Stdio[5] = uv.StdioContainer{Kind: uv.StdioCreatePipe, Stream: &both.Stream, Flags: uv.StdioReadable | uv.StdioWritable}
		got, ended := "", false
		_, err := l.Spawn(opt, nil)
		require.NoError(t, err)
		require.True(t, both.IsReadable() && both.IsWritable())
		require.NoError(t, both.Write([]byte("a line\n"), nil))
		require.NoError(t, both.ReadStart(func(b []byte, err error) {
			got += string(b)
			ended = err != nil
		}))
		until(t, l, "the end of the output", func() bool { return ended })
		require.Equal(t, "got a line\n", got)
	})

	t.Run("inherited streams", func(t *testing.T) {
		l := newLoop(t)
		client, server := connectedPair(t, l)
		opt := shell("echo from the child")
		opt.Stdio = inherit(-1, -1)
		opt.Stdio[1] = uv.StdioContainer{Kind: uv.StdioInheritStream, Stream: &server.Stream}
		require.NoError(t, server.Write([]byte("from the parent\n"), nil))
		require.Equal(t, uv.ExitStatus{}, exit(t, l, opt))
		server.Close()
		got, ended := "", false
		require.NoError(t, client.ReadStart(func(b []byte, err error) {
			got += string(b)
			ended = err != nil
		}))
		until(t, l, "the end", func() bool { return ended })
		require.Equal(t, "from the parent\nfrom the child\n", got)
	})

	t.Run("non-blocking ends", func(t *testing.T) {
		l := newLoop(t)
		for _, want := range []bool{false, true} {
			in, out := newPipe(t, l), newPipe(t, l)
			flags := map[bool]uv.StdioFlags{true: uv.StdioNonblock}[want]
			opt := shell("read go; cat /proc/self/fdinfo/0 /proc/self/fdinfo/3")
			opt.Stdio = []uv.StdioContainer{
				{Kind: uv.StdioCreatePipe, Stream: &in.Stream, Flags: uv.StdioReadable},
				{Kind: uv.StdioCreatePipe, Stream: &out.Stream, Flags: uv.StdioWritable}, {},
				{Kind: uv.StdioCreatePipe, Stream: &newPipe(t, l).Stream, Flags: uv.StdioReadable | flags},
			}
			got, ended := "", false
			_, err := l.Spawn(opt, nil)
			require.NoError(t, err)
			require.NoError(t, out.ReadStart(func(b []byte, err error) {
				got += string(b)
				ended = err != nil
			}))
			require.NoError(t, in.Write([]byte("go\n"), nil))
			until(t, l, "the end of the output", func() bool { return ended })
			var all []bool
			for line := range strings.Lines(got) {
				if octal, found := strings.CutPrefix(line, "flags:"); found {
					n, err := strconv.ParseInt(strings.TrimSpace(octal), 8, 64)
					require.NoError(t, err)
					all = append(all, n&syscall.O_NONBLOCK != 0)
				}
			}
			require.Equal(t, []bool{false, want}, all)
		}
	})

	t.Run("refused", func(t *testing.T) {
		l, other := newLoop(t), newLoop(t)
		used, closed, listening := newPipe(t, l), newPipe(t, l), newPipe(t, l)
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer syscall.Close(fds[1])
		require.NoError(t, used.OpenFD(uintptr(fds[0])))
		closed.Close()
		require.NoError(t, listening.Bind(filepath.Join(t.TempDir(), "s")))
		require.NoError(t, listening.Listen(1, func(*uv.Pipe, error) {}))
		fresh, twice := newPipe(t, l), newPipe(t, l)
		create := func(s *uv.Stream) uv.StdioContainer {
			return uv.StdioContainer{Kind: uv.StdioCreatePipe, Stream: s, Flags: uv.StdioWritable}
		}
		cases := map[string]struct {
			c    uv.StdioContainer
			want error
		}{
			"no stream":          {create(nil), uv.EINVAL},
			"a TCP":              {create(&newTCP(t, l).Stream), uv.EINVAL},
			"another loop's":     {create(&newPipe(t, other).Stream), uv.EINVAL},
			"connected":          {create(&used.Stream), uv.EINVAL},
			"listening":          {create(&listening.Stream), uv.EINVAL},
			"closed":             {create(&closed.Stream), uv.ErrClosed},
			"twice":              {create(&twice.Stream), uv.EINVAL},
			"no direction":       {uv.StdioContainer{Kind: uv.StdioCreatePipe, Stream: &fresh.Stream}, uv.EINVAL},
			"unknown flags":      {uv.StdioContainer{Kind: uv.StdioCreatePipe, Stream: &fresh.Stream, Flags: 1 << 10}, uv.EINVAL},
			"unknown kind":       {uv.StdioContainer{Kind: 17}, uv.EINVAL},
			"negative kind":      {uv.StdioContainer{Kind: -1}, uv.EINVAL},
			"no descriptor":      {uv.StdioContainer{Kind: uv.StdioInheritFD, FD: 1 << 20}, uv.EBADF},
			"no number":          {uv.StdioContainer{Kind: uv.StdioInheritFD, FD: ^uintptr(0)}, uv.EBADF},
			"inherits none":      {uv.StdioContainer{Kind: uv.StdioInheritStream}, uv.EINVAL},
			"inherits a closed":  {uv.StdioContainer{Kind: uv.StdioInheritStream, Stream: &closed.Stream}, uv.ErrClosed},
			"inherits an empty":  {uv.StdioContainer{Kind: uv.StdioInheritStream, Stream: &fresh.Stream}, uv.EBADF},
			"inherits another's": {uv.StdioContainer{Kind: uv.StdioInheritStream, Stream: &newPipe(t, other).Stream}, uv.EINVAL},
		}
		before := len(descriptors())
		for name, c := range cases {
			_, err := l.Spawn(uv.SpawnOptions{File: "true", Stdio: []uv.StdioContainer{create(&twice.Stream), c.c}}, nil)
			require.ErrorIs(t, err, c.want, name)
		}
		require.Len(t, descriptors(), before)
	})

	t.Run("without standard files", func(t *testing.T) { require.Equal(t, "0 0 0 0\n", inChild(t, "children stdio")) })
}

// childSwap has a child whose output is this process's errors, and the other way round.
func childSwap() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	if err := syscall.Dup3(int(w.Fd()), 2, 0); err != nil {
		return err
	}
	w.Close()
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	opt := shell("echo out; echo err >&2")
	opt.Stdio = inherit(-1, 2, 1)
	if _, err := l.Spawn(opt, nil); err != nil {
		return err
	}
	_, err = l.Run(uv.RunDefault)
	syscall.Close(2)
	out, readErr := io.ReadAll(r)
	_, writeErr := os.Stdout.Write(out)
	return errors.Join(err, readErr, writeErr)
}

// childSpawnStdio spawns while some of the numbers 0 to 2 are free, and other things get
// them.
func childSpawnStdio() error {
	out, err := syscall.Dup(1)
	if err != nil {
		return err
	}
	syscall.CloseOnExec(out)
	var codes []string
	for free := range 4 {
		for fd := range free {
			syscall.Close(fd)
		}
		code, err := spawnThroughPipes()
		if err != nil {
			return err
		}
		codes = append(codes, strconv.Itoa(code))
	}
	_, err = syscall.Write(out, []byte(strings.Join(codes, " ")+"\n"))
	return err
}

// spawnThroughPipes sends a line through cat.
func spawnThroughPipes() (code int, err error) {
	l, err := uv.NewLoop()
	if err != nil {
		return 0, err
	}
	defer closeAll(l)
	in, inErr := l.NewPipe()
	out, outErr := l.NewPipe()
	if err := errors.Join(inErr, outErr); err != nil {
		return 0, err
	}
	got, code := "", -1
	_, err = l.Spawn(uv.SpawnOptions{File: "cat", Stdio: []uv.StdioContainer{
		{Kind: uv.StdioCreatePipe, Stream: &in.Stream, Flags: uv.StdioReadable},
		{Kind: uv.StdioCreatePipe, Stream: &out.Stream, Flags: uv.StdioWritable},
	}}, func(s uv.ExitStatus) { code = s.Code })
	if err != nil {
		return 0, err
	}
	for _, p := range []*uv.Pipe{in, out} {
		if fd, err := p.Fd(); err != nil || fd < 3 {
			return 0, fmt.Errorf("a pipe has %d, %v", fd, err)
		}
	}
	err = errors.Join(in.Write([]byte("line"), nil), in.CloseWrite(nil), out.ReadStart(func(b []byte, err error) { got += string(b) }))
	if err != nil {
		return 0, err
	}
	if _, err := l.Run(uv.RunDefault); err != nil {
		return 0, err
	}
	if got != "line" {
		return 0, fmt.Errorf("%q came back", got)
	}
	return code, nil
}
