//go:build cgo && linux

package uv_test

// What libuv's own tests check of files and of their changes that no other test here
// does. The subtests have the names of libuv's tests.

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// openedBoth is a file with some text that is open for a loop, and without one.
func openedBoth(t testing.TB, l *uv.Loop) (*uv.File, *uv.FileSync, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, []byte("some text"), 0o640))
	s, err := uv.FSSync{}.Open(path, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return openedFile(t, l, path, os.O_RDWR), s, path
}

// withoutDescriptors calls f while no descriptor can be opened.
func withoutDescriptors(t testing.TB, f func()) {
	t.Helper()
	var was syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was))
	set := func(limit syscall.Rlimit) { // without package syscall, which would give it to children too
		_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, syscall.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
		require.Zero(t, errno)
	}
	set(syscall.Rlimit{Cur: 3, Max: was.Max})
	defer set(was)
	f()
}

func TestPeersOfFiles(t *testing.T) {
	t.Run("fs_file_loop", func(t *testing.T) {
		l := newLoop(t)
		dir := t.TempDir()
		link := filepath.Join(dir, "link")
		require.NoError(t, os.Symlink(link, link))
		_, err := wait(t, l, func(done func(*uv.File, error)) *uv.Req { return l.FS().Open(link, os.O_RDONLY, 0, done) })
		failed(t, err, "open", uv.ELOOP, link)
		for i := range 100 { // more than the kernel follows
			require.NoError(t, os.Symlink(strconv.Itoa(i+1), filepath.Join(dir, strconv.Itoa(i))))
		}
		_, err = uv.FSSync{}.Open(filepath.Join(dir, "0"), os.O_RDONLY, 0)
		failed(t, err, "open", uv.ELOOP, filepath.Join(dir, "0"))
	})
	t.Run("fs_fstat", func(t *testing.T) {
		l := newLoop(t)
		f, s, path := openedBoth(t, l)
		require.NoError(t, os.Chtimes(path, time.Unix(1, 2), time.Unix(3, 4)))
		var want syscall.Stat_t
		require.NoError(t, syscall.Stat(path, &want))
		async, err := wait(t, l, f.Stat)
		require.NoError(t, err)
		sync, err := s.Stat()
		require.NoError(t, err)
		for _, info := range []fs.FileInfo{async, sync} {
			got := info.Sys().(*uv.Stat)
			require.Equal(t, []uint64{
				want.Dev, uint64(want.Mode), uint64(want.Nlink), uint64(want.Uid), uint64(want.Gid), want.Rdev, want.Ino,
				uint64(want.Size), uint64(want.Blksize), uint64(want.Blocks),
			}, []uint64{got.Dev, got.Mode, got.Nlink, got.UID, got.GID, got.Rdev, got.Ino, got.Size, got.BlkSize, got.Blocks})
			for i, at := range []time.Time{got.Atime, got.Mtime, got.Ctime} {
				require.Equal(t, []syscall.Timespec{want.Atim, want.Mtim, want.Ctim}[i].Nano(), at.UnixNano())
			}
			require.False(t, got.Birthtime.After(time.Now()))
		}
		closeFile(t, l, f)
	})
	t.Run("fs_chmod", func(t *testing.T) { // of an open file
		l := newLoop(t)
		f, s, path := openedBoth(t, l)
		mode := func() fs.FileMode {
			info, err := os.Stat(path)
			require.NoError(t, err)
			return info.Mode()
		}
		require.NoError(t, do(t, l, func(done func(error)) *uv.Req { return f.Chmod(0o604|fs.ModeSetgid, done) }))
		require.Equal(t, 0o604|fs.ModeSetgid, mode())
		require.NoError(t, s.Chmod(0o400))
		require.Equal(t, fs.FileMode(0o400), mode())
		closeFile(t, l, f)
	})
	t.Run("fs_chown", func(t *testing.T) { // of an open file
		l := newLoop(t)
		f, s, path := openedBoth(t, l)
		for i, chown := range []func(uid, gid int) error{
			func(uid, gid int) error {
				return do(t, l, func(done func(error)) *uv.Req { return f.Chown(uid, gid, done) })
			}, s.Chown,
		} {
			want := []int{os.Getuid(), os.Getgid()}
			if want[0] == 0 { // others may not
				want = []int{12 + i, 34 + i}
			}
			require.NoError(t, chown(-1, -1))
			require.NoError(t, chown(want[0], want[1]))
			var st syscall.Stat_t
			require.NoError(t, syscall.Stat(path, &st))
			require.Equal(t, want, []int{int(st.Uid), int(st.Gid)})
		}
		closeFile(t, l, f)
	})
	t.Run("fs_futime", func(t *testing.T) {
		l := newLoop(t)
		f, s, path := openedBoth(t, l)
		for _, chtimes := range []func(atime, mtime time.Time) error{
			func(atime, mtime time.Time) error {
				return do(t, l, func(done func(error)) *uv.Req { return f.Chtimes(atime, mtime, done) })
			}, s.Chtimes,
		} {
			for _, at := range []time.Time{time.Unix(1_700_000_000, 500_000_000), time.Unix(-14220000, 0), time.Unix(0, 0)} {
				require.NoError(t, chtimes(at, at.Add(time.Hour)))
				var st syscall.Stat_t
				require.NoError(t, syscall.Stat(path, &st))
				require.Equal(t, []int64{at.UnixNano(), at.Add(time.Hour).UnixNano()}, []int64{st.Atim.Nano(), st.Mtim.Nano()})
			}
		}
		closeFile(t, l, f)
	})
	t.Run("fs_unlink_readonly", func(t *testing.T) {
		bothWays(t, func(t *testing.T, s fileSystem) {
			path := filepath.Join(t.TempDir(), "f")
			require.NoError(t, os.WriteFile(path, []byte("text"), 0o400))
			require.NoError(t, s.Remove(path))
			require.NoFileExists(t, path)
		})
	})
	t.Run("fs_rename_to_existing_file", func(t *testing.T) {
		bothWays(t, func(t *testing.T, s fileSystem) {
			dir := t.TempDir()
			from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
			require.NoError(t, os.WriteFile(from, []byte("text"), 0o600))
			require.NoError(t, os.WriteFile(to, nil, 0o600))
			require.NoError(t, s.Rename(from, to))
			text, err := os.ReadFile(to)
			require.NoError(t, err)
			require.Equal(t, "text", string(text))
			require.NoFileExists(t, from)
		})
	})
	t.Run("fs_stat_missing_path", func(t *testing.T) {
		bothWays(t, func(t *testing.T, s fileSystem) {
			missing := filepath.Join(t.TempDir(), "missing")
			info, err := s.Stat(missing)
			require.Nil(t, info)
			failed(t, err, "stat", uv.ENOENT, missing)
			_, err = s.Lstat(missing)
			failed(t, err, "lstat", uv.ENOENT, missing)
			_, err = s.Readlink(missing)
			failed(t, err, "readlink", uv.ENOENT, missing)
			_, err = s.Realpath(missing)
			failed(t, err, "realpath", uv.ENOENT, missing)
			_, err = s.ReadDir(missing)
			failed(t, err, "scandir", uv.ENOENT, missing)
		})
	})
	t.Run("fs_symlink_dir", func(t *testing.T) {
		bothWays(t, func(t *testing.T, s fileSystem) {
			dir, err := filepath.EvalSymlinks(t.TempDir())
			require.NoError(t, err)
			real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
			require.NoError(t, os.MkdirAll(filepath.Join(real, "inside"), 0o700))
			require.NoError(t, s.Symlink(real, link, uv.SymlinkDir))
			info, err := s.Lstat(link)
			require.NoError(t, err)
			require.Equal(t, fs.ModeSymlink, info.Mode().Type())
			require.EqualValues(t, len(real), info.Size())
			list, err := s.ReadDir(link)
			require.NoError(t, err)
			require.Equal(t, []string{"inside"}, names(list))
			path, err := s.Realpath(filepath.Join(link, "inside"))
			require.NoError(t, err)
			require.Equal(t, filepath.Join(real, "inside"), path)
			require.NoError(t, s.Remove(link))
			require.DirExists(t, real)
		})
	})
	t.Run("fs_async_dir", func(t *testing.T) {
		bothWays(t, func(t *testing.T, s fileSystem) {
			dir := filepath.Join(t.TempDir(), "dir")
			require.NoError(t, s.Mkdir(dir, 0o755))
			for _, name := range []string{"file1", "file2"} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
			}
			require.NoError(t, os.Symlink("file1", filepath.Join(dir, "link")))
			list, err := s.ReadDir(dir)
			require.NoError(t, err)
			require.Equal(t, []string{"file1", "file2", "link"}, names(list))
			for i, want := range []fs.FileMode{0, 0, fs.ModeSymlink} {
				require.Equal(t, want, list[i].Type())
			}
			failed(t, s.Rmdir(dir), "rmdir", uv.ENOTEMPTY, dir)
			for _, name := range names(list) {
				require.NoError(t, s.Remove(filepath.Join(dir, name)))
			}
			require.NoError(t, s.Rmdir(dir))
			require.NoDirExists(t, dir)
		})
	})
	t.Run("fs_read_dir", func(t *testing.T) { // as a file
		l := newLoop(t)
		dir := t.TempDir()
		f := openedFile(t, l, dir, os.O_RDONLY)
		_, err := wait(t, l, func(done func(int, error)) *uv.Req { return f.Read(make([]byte, 10), done) })
		failed(t, err, "read", uv.EISDIR, dir)
		closeFile(t, l, f)
		_, err = uv.FSSync{}.Open(dir, os.O_RDWR, 0)
		failed(t, err, "open", uv.EISDIR, dir)
	})
	t.Run("fs_readdir_file", func(t *testing.T) {
		l := newLoop(t)
		for path, code := range map[string]uv.Errno{"/dev/null": uv.ENOTDIR, filepath.Join(t.TempDir(), "missing"): uv.ENOENT} {
			d, err := wait(t, l, func(done func(*uv.Dir, error)) *uv.Req { return l.FS().OpenDir(path, done) })
			require.Nil(t, d)
			failed(t, err, "opendir", code, path)
		}
		d := openDir(t, l, t.TempDir())
		_, err := wait(t, l, func(done func([]fs.DirEntry, error)) *uv.Req { return d.Read(1, done) })
		require.ErrorContains(t, err, "EOF", "an empty one")
		require.NoError(t, do(t, l, d.Close))
	})
	t.Run("fs_partial_read", func(t *testing.T) { // what is there, into the first of the buffers
		l := newLoop(t)
		r, w := filePipe(t, l)
		_, err := wait(t, l, func(done func(int, error)) *uv.Req { return w.Write([]byte("abc"), done) })
		require.NoError(t, err)
		bufs := [][]byte{make([]byte, 2), make([]byte, 2), make([]byte, 2)}
		n, err := wait(t, l, func(done func(int, error)) *uv.Req { return r.ReadV(bufs, -1, done) })
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.Equal(t, [][]byte{[]byte("ab"), []byte("c\x00"), {0, 0}}, bufs)
		closeFile(t, l, r)
		closeFile(t, l, w)
	})
}

func TestPeersOfChanges(t *testing.T) {
	t.Run("fs_event_watch_file_exact_path", func(t *testing.T) {
		l := newLoop(t)
		dir := t.TempDir()
		file, longer := filepath.Join(dir, "file"), filepath.Join(dir, "file2")
		appendTo(t, file)
		appendTo(t, longer)
		c := watch(t, l, file)
		appendTo(t, longer)
		require.NoError(t, l.Poll(0))
		require.Empty(t, c.told)
		appendTo(t, file)
		until(t, l, "its change", func() bool { return c.has("file", uv.FSChange) })
	})
	t.Run("fs_event_watch_file_current_dir", func(t *testing.T) {
		l := newLoop(t)
		t.Chdir(t.TempDir())
		appendTo(t, "file")
		file, dir := watch(t, l, "file"), watch(t, l, ".")
		appendTo(t, "file")
		until(t, l, "its change", func() bool { return file.has("file", uv.FSChange) && dir.has("file", uv.FSChange) })
	})
	t.Run("fs_event_no_callback_after_close", func(t *testing.T) {
		l := newLoop(t)
		dir := t.TempDir()
		file := filepath.Join(dir, "file")
		appendTo(t, file)
		all := []*changes{watch(t, l, file), watch(t, l, dir), watch(t, l, dir)}
		appendTo(t, file) // is to be told by the turn that closes them
		closed := 0
		for _, c := range all {
			c.e.CloseWith(func() { closed++ })
		}
		appendTo(t, file)
		run(t, l, uv.RunDefault)
		require.Equal(t, 3, closed)
		for _, c := range all {
			require.Empty(t, c.told)
		}
	})
	t.Run("fs_event_error_reporting", func(t *testing.T) {
		l := newLoop(t)
		e, err := l.NewFSEvent()
		require.NoError(t, err)
		take := func(string, uv.FSEvents, error) { t.Error("told") }
		dir := t.TempDir()
		withoutDescriptors(t, func() { err = e.Start(dir, 0, take) })
		require.ErrorIs(t, err, uv.EMFILE)
		require.False(t, e.IsActive())
		require.NoError(t, e.Start(dir, 0, take), "there are some again")
		e.Close()
		run(t, l, uv.RunDefault)
	})
	t.Run("fs_poll_close_request", func(t *testing.T) { // while it looks for the first time
		for _, stop := range []bool{false, true} {
			l := newLoop(t)
			closed := 0
			x := look(t, l, filepath.Join(t.TempDir(), "missing"), time.Millisecond)
			if stop {
				require.NoError(t, x.p.Stop())
			}
			x.p.CloseWith(func() { closed++ })
			run(t, l, uv.RunDefault)
			require.Equal(t, 1, closed)
			require.Empty(t, x.told)
			require.False(t, errors.Is(l.Close(), uv.ErrBusy))
		}
	})
}
