//go:build cgo

package uv_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/cbridge"
	"github.com/seed-a026a017/asyncio/uv"
)

func names(list []fs.DirEntry) (s []string) {
	for _, e := range list {
		s = append(s, e.Name())
	}
	return s
}

// allocations are those of a loop that has begun a request before.
func allocations(t testing.TB, l *uv.Loop) int64 {
	t.Helper()
	_, err := wait(t, l, func(done func(fs.FileInfo, error)) *uv.Req { return l.FS().Stat("/", done) })
	require.NoError(t, err)
	return cbridge.LiveAllocations()
}

func openDir(t testing.TB, l *uv.Loop, path string) *uv.Dir {
	t.Helper()
	d, err := wait(t, l, func(done func(*uv.Dir, error)) *uv.Req { return l.FS().OpenDir(path, done) })
	require.NoError(t, err)
	return d
}

// all reads a directory in pieces of n.
func all(t testing.TB, n int, read func(n int) ([]fs.DirEntry, error)) (list []fs.DirEntry) {
	t.Helper()
	for {
		some, err := read(n)
		require.LessOrEqual(t, len(some), n)
		if err == io.EOF {
			require.Empty(t, some)
			return list
		}
		require.NoError(t, err)
		require.NotEmpty(t, some)
		list = append(list, some...)
	}
}

func TestDirectories(t *testing.T) {
	t.Run("UV-129", func(t *testing.T) {
		entries := 10_000
		if slow {
			entries = 500
		}
		dir := t.TempDir()
		var want []string
		for i := range entries {
			name := fmt.Sprintf("entry-%05d", i)
			want = append(want, name)
			require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		}
		l := newLoop(t)
		var s uv.FSSync
		before := allocations(t, l)
		list, err := wait(t, l, func(done func([]fs.DirEntry, error)) *uv.Req { return l.FS().ReadDir(dir, done) })
		require.NoError(t, err)
		require.Equal(t, want, names(list))
		list, err = s.ReadDir(dir)
		require.NoError(t, err)
		require.Equal(t, want, names(list))
		d := openDir(t, l, dir)
		list = all(t, 64, func(n int) ([]fs.DirEntry, error) {
			return wait(t, l, func(done func([]fs.DirEntry, error)) *uv.Req { return d.Read(n, done) })
		})
		got := names(list)
		slices.Sort(got)
		require.Equal(t, want, got)
		require.NoError(t, do(t, l, d.Close))
		sd, err := s.OpenDir(dir)
		require.NoError(t, err)
		got = names(all(t, 1<<40, sd.Read))
		slices.Sort(got)
		require.Equal(t, want, got)
		require.NoError(t, sd.Close())
		require.Equal(t, before, cbridge.LiveAllocations(), "the memory is returned")
		require.Equal(t, fs.ModeDir, list[0].Type())
		require.True(t, list[0].IsDir())
		info, err := list[0].Info()
		require.NoError(t, err)
		require.Equal(t, list[0].Name(), info.Name())
	})
	t.Run("requests are in order", func(t *testing.T) {
		l := newLoop(t)
		dir := t.TempDir()
		for i := range 20 {
			require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600))
		}
		d := openDir(t, l, dir)
		var log []string
		seen := map[string]bool{}
		read := func(i int) *uv.Req {
			return d.Read(5, func(list []fs.DirEntry, err error) {
				for _, e := range list {
					require.False(t, seen[e.Name()])
					seen[e.Name()] = true
				}
				log = append(log, fmt.Sprint(i, len(list), err))
			})
		}
		for i := range 5 {
			if i == 2 {
				r := read(9)
				require.NoError(t, r.Cancel(), "it waits for those before it")
			}
			read(i)
		}
		closing := d.Close(func(err error) { log = append(log, fmt.Sprint("close ", err)) })
		require.NoError(t, closing.Cancel())
		d.Close(func(err error) { log = append(log, fmt.Sprint("close ", err)) })
		d.Read(5, func(_ []fs.DirEntry, err error) { require.Equal(t, uv.ErrClosed, err) })
		d.Close(func(err error) { require.Equal(t, uv.ErrClosed, err) })
		_, err := l.Run(uv.RunDefault)
		require.NoError(t, err)
		require.Contains(t, log[0], "canceled")
		require.Contains(t, log[1], "canceled")
		require.Equal(t, []string{"0 5 <nil>", "1 5 <nil>", "2 5 <nil>", "3 5 <nil>", "4 0 EOF", "close <nil>"}, log[2:])
		require.Len(t, seen, 20)
	})
	t.Run("a close that was cancelled", func(t *testing.T) {
		l := newLoop(t)
		before := allocations(t, l)
		d := openDir(t, l, t.TempDir())
		_, release := stuckPool(t, l)
		var told error
		r := d.Close(func(err error) { told = err })
		require.NoError(t, r.Cancel())
		until(t, l, "it is told", func() bool { return told != nil })
		require.ErrorIs(t, told, uv.ECANCELED)
		var read error
		r = d.Read(1, func(_ []fs.DirEntry, err error) { read = err })
		require.NoError(t, r.Cancel())
		until(t, l, "it is told", func() bool { return read != nil })
		release()
		_, err := wait(t, l, func(done func([]fs.DirEntry, error)) *uv.Req { return d.Read(1, done) })
		require.Equal(t, io.EOF, err, "the directory is open")
		require.NoError(t, do(t, l, d.Close))
		require.Equal(t, before, cbridge.LiveAllocations())
	})
	t.Run("a loop that is closed", func(t *testing.T) {
		l := newLoop(t)
		before := len(descriptors())
		d := openDir(t, l, t.TempDir())
		require.NoError(t, l.Close())
		require.Equal(t, uv.ErrClosed, d.Read(1, nil).Cancel())
		require.Equal(t, uv.ErrClosed, d.Close(nil).Cancel())
		require.Equal(t, uv.ErrClosed, d.Close(nil).Cancel())
		require.Less(t, len(descriptors()), before)
	})
	t.Run("bad arguments", func(t *testing.T) {
		l := newLoop(t)
		dir := t.TempDir()
		d := openDir(t, l, dir)
		sd, err := uv.FSSync{}.OpenDir(dir)
		require.NoError(t, err)
		for _, n := range []int{0, -1} {
			_, err := wait(t, l, func(done func([]fs.DirEntry, error)) *uv.Req { return d.Read(n, done) })
			failed(t, err, "readdir", uv.EINVAL, dir)
			_, err = sd.Read(n)
			failed(t, err, "readdir", uv.EINVAL, dir)
		}
		require.NoError(t, do(t, l, d.Close))
		require.NoError(t, sd.Close())
		require.Equal(t, uv.ErrClosed, sd.Close())
		_, err = sd.Read(1)
		require.Equal(t, uv.ErrClosed, err)
		_, err = uv.FSSync{}.OpenDir(filepath.Join(dir, "missing"))
		failed(t, err, "opendir", uv.ENOENT, filepath.Join(dir, "missing"))
	})
}

func TestDirFS(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "text", "b/c": "", "b/d/e": "more text"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	require.NoError(t, os.Symlink("a", filepath.Join(dir, "link")))
	tree := uv.DirFS(dir)
	require.NoError(t, fstest.TestFS(tree, "a", "b/c", "b/d/e", "link"))
	require.Implements(t, (*fs.StatFS)(nil), tree)
	require.Implements(t, (*fs.ReadDirFS)(nil), tree)
	require.Implements(t, (*fs.ReadFileFS)(nil), tree)
	theirs := os.DirFS(dir)
	for _, name := range []string{".", "a", "b", "b/d/e", "link", "missing", "a/x", "../a", "/a", "", "b/", "a\x00"} {
		got, err := fs.Stat(tree, name)
		want, wantErr := fs.Stat(theirs, name)
		sameError(t, wantErr, err, name)
		if err == nil {
			require.Equal(t, want.Name(), got.Name())
			require.Equal(t, want.Mode(), got.Mode())
		}
		text, err := fs.ReadFile(tree, name)
		wantText, wantErr := fs.ReadFile(theirs, name)
		sameError(t, wantErr, err, name)
		require.Equal(t, string(wantText), string(text))
		list, err := fs.ReadDir(tree, name)
		wantList, wantErr := fs.ReadDir(theirs, name)
		sameError(t, wantErr, err, name)
		require.Equal(t, names(wantList), names(list))
	}
	_, err := uv.DirFS("").Open(".")
	require.ErrorIs(t, err, fs.ErrInvalid)
}

// sameError checks that an error is of the kind of package os's.
func sameError(t testing.TB, want, got error, what string) {
	t.Helper()
	require.Equal(t, want == nil, got == nil, "%q: %v, %v", what, want, got)
	if want == nil {
		return
	}
	var path *fs.PathError
	require.ErrorAs(t, got, &path, what)
	require.Equal(t, what, path.Path)
	for _, kind := range []error{fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrInvalid} {
		require.Equal(t, errors.Is(want, kind), errors.Is(got, kind), "%q: %v, %v", what, want, got)
	}
}
