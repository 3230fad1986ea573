package files_test

// What may fail: every error is package os's, and nothing is left of what failed.

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func init() {
	testkit.RunChild(map[string]func(opts ...asyncio.Option){"disk full": diskFull, "file too large": fileTooLarge})
}

func TestFaults(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		dir := t.TempDir()
		file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
		put(t, file, "text")
		require.NoError(t, os.Symlink(link, link))
		for _, c := range []struct {
			name string
			flag int
			want syscall.Errno
		}{
			{filepath.Join(dir, "none"), os.O_RDONLY, syscall.ENOENT},
			{filepath.Join(dir, "none", "x"), os.O_RDWR | os.O_CREATE, syscall.ENOENT},
			{filepath.Join(file, "x"), os.O_RDONLY, syscall.ENOTDIR},
			{dir, os.O_RDWR, syscall.EISDIR},
			{file, os.O_RDWR | os.O_CREATE | os.O_EXCL, syscall.EEXIST},
			{link, os.O_RDONLY, syscall.ELOOP},
			{filepath.Join(dir, strings.Repeat("x", 300)), os.O_RDONLY, syscall.ENAMETOOLONG},
			{file + "\x00", os.O_RDONLY, syscall.EINVAL},
			{"", os.O_RDONLY, syscall.ENOENT},
			{"/proc/sys/kernel/osrelease", os.O_WRONLY, syscall.EACCES}, // for root too
		} {
			_, want := os.OpenFile(c.name, c.flag, 0o600)
			f, err := asyncio.OpenFile(ctx, c.name, c.flag, 0o600)
			require.Nil(t, f)
			require.ErrorIs(t, err, c.want)
			require.Equal(t, want, err)
		}
		f := open(t, ctx, dir, os.O_RDONLY)
		_, err := f.Read(ctx, make([]byte, 1))
		require.ErrorIs(t, err, syscall.EISDIR)
		closeFile(t, ctx, f)
		require.ErrorIs(t, asyncio.Remove(ctx, dir), syscall.ENOTEMPTY)
		require.ErrorIs(t, asyncio.MkdirAll(ctx, filepath.Join(file, "x"), 0o700), syscall.ENOTDIR)
		require.ErrorIs(t, asyncio.Rename(ctx, dir, filepath.Join(dir, "x")), syscall.EINVAL)
		_, err = asyncio.ReadDir(ctx, file)
		require.ErrorIs(t, err, syscall.ENOTDIR)
		_, err = asyncio.ReadFile(ctx, dir)
		require.ErrorIs(t, err, syscall.EISDIR)
		f = open(t, ctx, "/dev/full", os.O_WRONLY)
		n, err := f.Write(ctx, pattern(1<<20))
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Zero(t, n)
		closeFile(t, ctx, f)
		require.Zero(t, l.Stats().Handles)
	})
}

func TestNoDescriptors(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		dir := t.TempDir()
		name := filepath.Join(dir, "f")
		put(t, name, "text")
		open := open(t, ctx, name, os.O_RDONLY)
		var old syscall.Rlimit
		require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old))
		free, err := syscall.Dup(0)
		require.NoError(t, err)
		require.NoError(t, syscall.Close(free))
		none := old
		none.Cur = uint64(free)
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none))
		_, openErr := asyncio.Open(ctx, name)
		_, readErr := asyncio.ReadFile(ctx, name)
		_, dirErr := asyncio.ReadDir(ctx, dir)
		writeErr := asyncio.WriteFile(ctx, filepath.Join(dir, "g"), nil, 0o600)
		_, watchErr := asyncio.WatchFiles(ctx, dir)
		_, statErr := open.Stat(ctx)
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old))
		for _, err := range []error{openErr, readErr, dirErr, writeErr, watchErr} {
			require.ErrorIs(t, err, syscall.EMFILE)
		}
		require.NoError(t, statErr)
		require.Equal(t, 1, l.Stats().Handles)
		closeFile(t, ctx, open)
	})
}

// child runs a program in a process of its own, which has mounts of its own.
func child(t *testing.T, program string, driver asyncio.Driver) {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = testkit.ChildEnv(program, driver)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Skipf("no process with mounts of its own: %v", err)
	}
	require.NoError(t, err, "%s", out)
	require.Equal(t, "ok\n", string(out))
}

func TestDiskFull(t *testing.T) {
	for _, d := range asynciotest.Drivers() {
		for _, program := range []string{"disk full", "file too large"} {
			t.Run(d.String()+"/"+program, func(t *testing.T) { child(t, program, d) })
		}
	}
}

// inChild says "ok", or what is wrong.
func inChild(body func(ctx context.Context, dir string) error, opts ...asyncio.Option) {
	dir, err := os.MkdirTemp("", "files")
	if err == nil {
		_, err = asyncio.Run(asyncio.Do(func(ctx context.Context) error { return body(ctx, dir) }), opts...)
	}
	if err != nil {
		testkit.Say("%v", err)
		return
	}
	testkit.Say("ok")
}

// diskFull writes more than a disk has room for. What was written is there.
func diskFull(opts ...asyncio.Option) {
	const room = 1 << 20
	inChild(func(ctx context.Context, dir string) error {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
			testkit.Say("ok") // it cannot be shown here
			os.Exit(0)
		}
		return tooMuch(ctx, dir, room, syscall.ENOSPC)
	}, opts...)
}

// fileTooLarge writes more than a file may have.
func fileTooLarge(opts ...asyncio.Option) {
	const room = 1 << 20
	inChild(func(ctx context.Context, dir string) error {
		defer os.RemoveAll(dir)
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: room, Max: room}); err != nil {
			return err
		}
		return tooMuch(ctx, dir, room, syscall.EFBIG)
	}, opts...)
}

func tooMuch(ctx context.Context, dir string, room int, want syscall.Errno) error {
	name := filepath.Join(dir, "f")
	f, err := asyncio.Create(ctx, name)
	if err != nil {
		return err
	}
	n, err := f.Write(ctx, pattern(2*room))
	if n != room || !isErrno(err, want) {
		return fmt.Errorf("Write: %d, %v", n, err)
	}
	if n, err = f.WriteAt(ctx, pattern(10), int64(room)); n != 0 || !isErrno(err, want) {
		return fmt.Errorf("WriteAt: %d, %v", n, err)
	}
	if err := f.Close(ctx); err != nil {
		return err
	}
	data, err := asyncio.ReadFile(ctx, name)
	if err != nil || len(data) != room {
		return fmt.Errorf("%d bytes are there, and %v", len(data), err)
	}
	if err := asyncio.Remove(ctx, name); err != nil {
		return err
	}
	if err := asyncio.WriteFile(ctx, name, pattern(2*room), 0o600); !isErrno(err, want) {
		return fmt.Errorf("WriteFile: %v", err)
	}
	return asyncio.Remove(ctx, name)
}

func isErrno(err error, want syscall.Errno) bool {
	path, ok := err.(*os.PathError)
	return ok && path.Err == want
}
