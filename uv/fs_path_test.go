//go:build cgo

package uv_test

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// fileSystem is what FS, made synchronous, and FSSync have in common.
type fileSystem interface {
	Stat(path string) (fs.FileInfo, error)
	Lstat(path string) (fs.FileInfo, error)
	ReadDir(path string) ([]fs.DirEntry, error)
	Mkdir(path string, perm fs.FileMode) error
	MkdirTemp(template string) (string, error)
	Remove(path string) error
	Rmdir(path string) error
	Rename(from, to string) error
	Link(from, to string) error
	Symlink(target, path string, flags uv.SymlinkFlags) error
	Readlink(path string) (string, error)
	Realpath(path string) (string, error)
	CopyFile(from, to string, flags uv.CopyFlags) error
	Access(path string, mode uint) error
	Chmod(path string, mode fs.FileMode) error
	Chown(path string, uid, gid int) error
	Lchown(path string, uid, gid int) error
	Chtimes(path string, atime, mtime time.Time) error
	Lchtimes(path string, atime, mtime time.Time) error
	StatFS(path string) (uv.StatFS, error)
}

// awaited is FS with a loop that runs until the request is over.
type awaited struct {
	t testing.TB
	l *uv.Loop
}

func (a awaited) do(begin func(f uv.FS, done func(error)) *uv.Req) error {
	return do(a.t, a.l, func(done func(error)) *uv.Req { return begin(a.l.FS(), done) })
}

func await[T any](a awaited, begin func(f uv.FS, done func(T, error)) *uv.Req) (T, error) {
	return wait(a.t, a.l, func(done func(T, error)) *uv.Req { return begin(a.l.FS(), done) })
}

func (a awaited) Stat(path string) (fs.FileInfo, error) {
	return await(a, func(f uv.FS, done func(fs.FileInfo, error)) *uv.Req { return f.Stat(path, done) })
}

func (a awaited) Lstat(path string) (fs.FileInfo, error) {
	return await(a, func(f uv.FS, done func(fs.FileInfo, error)) *uv.Req { return f.Lstat(path, done) })
}

func (a awaited) ReadDir(path string) ([]fs.DirEntry, error) {
	return await(a, func(f uv.FS, done func([]fs.DirEntry, error)) *uv.Req { return f.ReadDir(path, done) })
}

func (a awaited) Mkdir(path string, perm fs.FileMode) error {
	return a.do(func(f uv.FS, done func(error)) *uv.Req { return f.Mkdir(path, perm, done) })
}

func (a awaited) MkdirTemp(template string) (string, error) {
	return await(a, func(f uv.FS, done func(string, error)) *uv.Req { return f.MkdirTemp(template, done) })
}

func (a awaited) Remove(path string) error {
	return a.do(func(f uv.FS, done func(error)) *uv.Req { return f.Remove(path, done) })
}

func (a awaited) Rmdir(path string) error {
	return a.do(func(f uv.FS, done func(error)) *uv.Req { return f.Rmdir(path, done) })
}

func (a awaited) Rename(from, to string) error {
	return a.do(func(f uv.FS, done func(error)) *uv.Req { return f.Rename(from, to, done) })
}

func (a awaited) Link(from, to string) error {
	return a.do(func(f uv.FS, done func(error)) *uv.Req { return f.Link(from, to, done) })
}

func (a awaited) Symlink(target, path string, flags uv.SymlinkFlags) error {
	return a.do(func(f uv.FS, done func(error)) *uv.Req { return f.Symlink(target, path, flags, done) })
}

func (a awaited) Readlink(path string) (string, error) {
	return await(a, func(f uv.FS, done func(string, error)) *uv.Req { return f.Readlink(path, done) })
}

func (a awaited) Realpath(path string) (string, error) {
	return await(a, func(f uv.FS, done func(string, error)) *uv.Req { return f.Realpath(path, done) })
}

func (a awaited) CopyFile(from, to string, flags uv.CopyFlags) error {
	return a.do(func(f uv.FS, done func(error)) *uv.Req { return f.CopyFile(from, to, flags, done) })
}

func (a awaited) Access(path string, mode uint) error {
	return a.do(func(f uv.FS, done func(error)) *uv.Req { return f.Access(path, mode, done) })
}

func (a awaited) Chmod(path string, mode fs.FileMode) error {
	return a.do(func(f uv.FS, done func(error)) *uv.Req { return f.Chmod(path, mode, done) })
}

func (a awaited) Chown(path string, uid, gid int) error {
	return a.do(func(f uv.FS, done func(error)) *uv.Req { return f.Chown(path, uid, gid, done) })
}

func (a awaited) Lchown(path string, uid, gid int) error {
	return a.do(func(f uv.FS, done func(error)) *uv.Req { return f.Lchown(path, uid, gid, done) })
}

func (a awaited) Chtimes(path string, atime, mtime time.Time) error {
	return a.do(func(f uv.FS, done func(error)) *uv.Req { return f.Chtimes(path, atime, mtime, done) })
}

func (a awaited) Lchtimes(path string, atime, mtime time.Time) error {
	return a.do(func(f uv.FS, done func(error)) *uv.Req { return f.Lchtimes(path, atime, mtime, done) })
}

func (a awaited) StatFS(path string) (uv.StatFS, error) {
	return await(a, func(f uv.FS, done func(uv.StatFS, error)) *uv.Req { return f.StatFS(path, done) })
}

// bothWays runs a test with a loop and without one.
func bothWays(t *testing.T, f func(t *testing.T, s fileSystem)) {
	t.Run("async", func(t *testing.T) { f(t, awaited{t, newLoop(t)}) })
	t.Run("sync", func(t *testing.T) { f(t, uv.FSSync{}) })
}

func TestFilePaths(t *testing.T) {
	t.Run("UV-130", func(t *testing.T) { bothWays(t, testChain) })
	t.Run("temporary names", func(t *testing.T) { bothWays(t, testTemporary) })
	t.Run("copies", func(t *testing.T) { bothWays(t, testCopies) })
	t.Run("modes, owners and access", func(t *testing.T) { bothWays(t, testModes) })
	t.Run("times", func(t *testing.T) { bothWays(t, testTimes) })
	t.Run("file systems", func(t *testing.T) { bothWays(t, testStatFS) })
	t.Run("what is told of a file", func(t *testing.T) { bothWays(t, testStat) })
	t.Run("bad arguments", func(t *testing.T) { bothWays(t, testBadArguments) })
}

func testChain(t *testing.T, s fileSystem) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("a"), []byte("text"), 0o600))
	require.NoError(t, s.Rename(at("a"), at("b")))
	failed(t, s.Rename(at("a"), at("b")), "rename", uv.ENOENT, at("a"))
	require.NoError(t, s.Link(at("b"), at("c")))
	failed(t, s.Link(at("b"), at("c")), "link", uv.EEXIST, at("b"))
	one, err := s.Stat(at("b"))
	require.NoError(t, err)
	two, err := s.Stat(at("c"))
	require.NoError(t, err)
	require.Equal(t, one.Sys().(*uv.Stat).Ino, two.Sys().(*uv.Stat).Ino)
	require.EqualValues(t, 2, two.Sys().(*uv.Stat).Nlink)
	require.NoError(t, s.Symlink("c", at("d"), 0))
	failed(t, s.Symlink("c", at("d"), 0), "symlink", uv.EEXIST, at("d"))
	target, err := s.Readlink(at("d"))
	require.NoError(t, err)
	require.Equal(t, "c", target)
	_, err = s.Readlink(at("c"))
	failed(t, err, "readlink", uv.EINVAL, at("c"))
	link, err := s.Lstat(at("d"))
	require.NoError(t, err)
	require.Equal(t, fs.ModeSymlink, link.Mode().Type())
	real, err := s.Realpath(at("./d"))
	require.NoError(t, err)
	require.Equal(t, at("c"), real)
	require.NoError(t, s.Symlink("y", at("x"), 0))
	require.NoError(t, s.Symlink("x", at("y"), 0))
	_, err = s.Realpath(at("x"))
	failed(t, err, "realpath", uv.ELOOP, at("x"))
	for _, name := range []string{"b", "c", "d", "x", "y"} {
		require.NoError(t, s.Remove(at(name)))
	}
	failed(t, s.Remove(at("b")), "unlink", uv.ENOENT, at("b"))
	require.NoError(t, s.Mkdir(at("e"), 0o700))
	require.NoError(t, s.Mkdir(at("e/f"), 0o700))
	err = s.Rmdir(at("e"))
	failed(t, err, "rmdir", uv.ENOTEMPTY, at("e"))
	require.ErrorIs(t, err, fs.ErrExist)
	require.NoError(t, s.Rmdir(at("e/f")))
	require.NoError(t, s.Rmdir(at("e")))
	list, err := s.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, list)
}

func testTemporary(t *testing.T, s fileSystem) {
	dir := t.TempDir()
	template := filepath.Join(dir, "dXXXXXX")
	one, err := s.MkdirTemp(template)
	require.NoError(t, err)
	two, err := s.MkdirTemp(template)
	require.NoError(t, err)
	require.NotEqual(t, one, two)
	require.DirExists(t, one)
	require.Equal(t, len(template), len(one))
	for _, bad := range []string{"", "XXXXX", filepath.Join(dir, "tXXXXXXx")} {
		_, err := s.MkdirTemp(bad)
		failed(t, err, "mkdtemp", uv.EINVAL, bad)
	}
	_, err = s.MkdirTemp(filepath.Join(dir, "missing", "tXXXXXX"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestCreateTemp(t *testing.T) {
	l := newLoop(t)
	template := filepath.Join(t.TempDir(), "fXXXXXX")
	f, err := wait(t, l, func(done func(*uv.File, error)) *uv.Req { return l.FS().CreateTemp(template, done) })
	require.NoError(t, err)
	g, err := uv.FSSync{}.CreateTemp(template)
	require.NoError(t, err)
	require.NotEqual(t, f.Name(), g.Name())
	require.FileExists(t, f.Name())
	require.FileExists(t, g.Name())
	_, err = g.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, g.Close())
	closeFile(t, l, f)
	_, err = wait(t, l, func(done func(*uv.File, error)) *uv.Req { return l.FS().CreateTemp("fXXXXX", done) })
	failed(t, err, "mkstemp", uv.EINVAL, "fXXXXX")
	_, err = uv.FSSync{}.CreateTemp("fXXXXX")
	failed(t, err, "mkstemp", uv.EINVAL, "fXXXXX")
}

func testCopies(t *testing.T, s fileSystem) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	text := strings.Repeat("some text. ", 100_000)
	require.NoError(t, os.WriteFile(from, []byte(text), 0o640))
	same := func(path, want string) {
		t.Helper()
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	require.NoError(t, s.CopyFile(from, to, 0))
	same(to, text)
	info, err := s.Stat(to)
	require.NoError(t, err)
	require.EqualValues(t, 0o640, info.Mode())
	failed(t, s.CopyFile(from, to, uv.CopyExcl), "copyfile", uv.EEXIST, from)
	require.NoError(t, s.CopyFile(from, to, uv.CopyFiclone))
	same(to, text)
	require.NoError(t, s.CopyFile(from, from, 0), "onto itself")
	same(from, text)
	require.NoError(t, os.Truncate(from, 0))
	require.NoError(t, s.CopyFile(from, to, 0))
	same(to, "")
	require.NoError(t, os.WriteFile(to, []byte("precious"), 0o600))
	failed(t, s.CopyFile(dir, to, 0), "copyfile", uv.EISDIR, dir)
	same(to, "precious")
	failed(t, s.CopyFile(filepath.Join(dir, "missing"), to, 0), "copyfile", uv.ENOENT, filepath.Join(dir, "missing"))
	same(to, "precious")
	if s.CopyFile(from, to, uv.CopyFicloneForce) == nil { // few file systems can
		same(to, "")
		require.NoError(t, os.WriteFile(to, []byte("precious"), 0o600))
	}
	same(to, "precious")
	require.NoError(t, os.WriteFile(from, []byte(text), 0o640))
	require.NoError(t, os.Symlink("target", filepath.Join(dir, "link")))
	require.NoError(t, s.CopyFile(from, filepath.Join(dir, "link"), 0))
	same(filepath.Join(dir, "target"), text)
	failed(t, s.CopyFile(dir, filepath.Join(dir, "made"), 0), "copyfile", uv.EISDIR, dir)
	require.NoFileExists(t, filepath.Join(dir, "made"))
	made := filepath.Join(dir, "made")
	if err := s.CopyFile(to, made, uv.CopyFicloneForce); err != nil { // few file systems can
		require.NoFileExists(t, made)
	}
	failed(t, s.CopyFile(from, to, 8), "copyfile", uv.EINVAL, from)
}

func testModes(t *testing.T, s fileSystem) {
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	for _, mode := range []fs.FileMode{0o644, 0o700 | fs.ModeSetuid, 0o750 | fs.ModeSetgid, 0o777 | fs.ModeSticky, 0o200} {
		require.NoError(t, s.Chmod(path, mode))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode())
		ours, err := s.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, ours.Mode())
	}
	require.NoError(t, s.Chmod(path, 0o600))
	require.NoError(t, s.Access(path, 0))
	require.NoError(t, s.Access(path, 4|2))
	failed(t, s.Access(path, 1), "access", uv.EACCES, path)
	require.ErrorIs(t, s.Access(path, 1), fs.ErrPermission)
	require.ErrorIs(t, s.Access(path+"x", 0), fs.ErrNotExist)
	for _, chown := range []func(string, int, int) error{s.Chown, s.Lchown} {
		require.NoError(t, chown(path, -1, -1))
		require.NoError(t, chown(path, os.Getuid(), -1))
		require.NoError(t, chown(path, -1, os.Getgid()))
	}
	if os.Getuid() == 0 {
		require.NoError(t, s.Chown(path, 12, 34))
		link := path + "link"
		require.NoError(t, os.Symlink(path, link))
		require.NoError(t, s.Lchown(link, 56, 78))
		info, err := s.Stat(path)
		require.NoError(t, err)
		require.EqualValues(t, []uint64{12, 34}, []uint64{info.Sys().(*uv.Stat).UID, info.Sys().(*uv.Stat).GID})
		info, err = s.Lstat(link)
		require.NoError(t, err)
		require.EqualValues(t, []uint64{56, 78}, []uint64{info.Sys().(*uv.Stat).UID, info.Sys().(*uv.Stat).GID})
	}
}

func testTimes(t *testing.T, s fileSystem) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "f"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Symlink("f", link))
	for i, at := range []time.Time{
		time.Unix(0, 0), time.Unix(1, 1000), time.Unix(1_700_000_000, 123_456_000), time.Unix(1_700_000_001, 999_999_999),
		time.Unix(4_000_000_000, 1000), time.Unix(-5, 0), time.Unix(-5, 750_000_000), time.Unix(-1, 500_000_000), time.Now(),
	} {
		other := time.Unix(int64(1000+i), 0)
		require.NoError(t, s.Chtimes(link, at, other))
		info, err := s.Stat(path)
		require.NoError(t, err)
		st := info.Sys().(*uv.Stat)
		require.True(t, at.Truncate(time.Microsecond).Equal(st.Atime.Truncate(time.Microsecond)), "%v %v", at, st.Atime)
		require.True(t, other.Equal(info.ModTime()), "%v %v", other, info.ModTime())
		require.NoError(t, s.Lchtimes(link, other, at))
		info, err = s.Lstat(link)
		require.NoError(t, err)
		require.True(t, at.Truncate(time.Microsecond).Equal(info.ModTime().Truncate(time.Microsecond)), "%v %v", at, info.ModTime())
	}
	major, minor, _ := uv.Version()
	for _, mark := range []time.Time{{}, uv.UTimeNow} {
		was, err := s.Stat(path)
		require.NoError(t, err)
		err = s.Chtimes(path, time.Unix(1, 0), mark)
		if major == 1 && minor < 51 {
			failed(t, err, "utime", uv.ENOSYS, path)
			require.ErrorIs(t, err, uv.ErrNotSupported)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			continue
		}
		require.NoError(t, err)
		is, err := s.Stat(path)
		require.NoError(t, err)
		if mark.IsZero() {
			require.Equal(t, was.ModTime(), is.ModTime())
		} else {
			require.WithinDuration(t, time.Now(), is.ModTime(), time.Minute)
		}
	}
	failed(t, s.Chtimes(path, time.Unix(1<<50, 0), time.Unix(0, 0)), "utime", uv.EINVAL, path)
	require.NotEqual(t, uv.UTimeNow, time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC))
}

func testStatFS(t *testing.T, s fileSystem) {
	dir := t.TempDir()
	got, err := s.StatFS(dir)
	require.NoError(t, err)
	var want syscall.Statfs_t
	require.NoError(t, syscall.Statfs(dir, &want))
	require.EqualValues(t, want.Type, got.Type)
	require.EqualValues(t, want.Bsize, got.BlkSize)
	require.EqualValues(t, want.Blocks, got.Blocks)
	require.EqualValues(t, want.Files, got.Files)
	require.LessOrEqual(t, got.Available, got.Free)
	major, minor, _ := uv.Version()
	require.Equal(t, major == 1 && minor >= 52, got.FragSize > 0)
	_, err = s.StatFS(dir + "/missing")
	failed(t, err, "statfs", uv.ENOENT, dir+"/missing")
}

func testStat(t *testing.T, s fileSystem) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	require.NoError(t, os.WriteFile(file, []byte("text"), 0o640))
	require.NoError(t, os.Symlink("f", filepath.Join(dir, "link")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	l := newLoop(t)
	p, err := l.NewPipe()
	require.NoError(t, err)
	require.NoError(t, p.Bind(filepath.Join(dir, "socket")))
	for _, path := range []string{dir, dir + "/", file, filepath.Join(dir, "link"), filepath.Join(dir, "fifo"), filepath.Join(dir, "socket"), "/dev/null", "/", "."} {
		for _, c := range []struct {
			ours   func(string) (fs.FileInfo, error)
			theirs func(string) (fs.FileInfo, error)
		}{{s.Stat, os.Stat}, {s.Lstat, os.Lstat}} {
			got, err := c.ours(path)
			require.NoError(t, err)
			want, err := c.theirs(path)
			require.NoError(t, err)
			require.Equal(t, want.Name(), got.Name(), path)
			require.Equal(t, want.Size(), got.Size(), path)
			require.Equal(t, want.Mode(), got.Mode(), path)
			require.Equal(t, want.IsDir(), got.IsDir(), path)
			require.True(t, want.ModTime().Equal(got.ModTime()), path)
			require.NotZero(t, got.Sys().(*uv.Stat).Ino)
		}
	}
}

func testBadArguments(t *testing.T, s fileSystem) {
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	for _, err := range []error{
		s.Access(path, 8), s.Access(path, math.MaxUint), s.Chown(path, -2, 0), s.Chown(path, 0, 1<<32), s.Lchown(path, math.MinInt, 0),
		s.Symlink("x\x00", path+"2", 0), s.Symlink("x", path+"2", 4), s.CopyFile(path, path+"\x00", 0), s.Rename(path+"\x00", path), s.Link(path, "\x00"),
	} {
		require.ErrorIs(t, err, uv.EINVAL)
	}
	require.ErrorIs(t, s.Symlink(strings.Repeat("x", 5000), path+"2", 0), uv.ENAMETOOLONG)
}
