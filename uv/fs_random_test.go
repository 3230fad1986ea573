//go:build cgo

package uv_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-a026a017/asyncio/uv"
)

// Two trees have the same done to them: one by package os, the other by FS or FSSync.
// What came of each step, and the trees at the end, are the same.

type twins struct {
	t            *testing.T
	rt           *rapid.T
	ours, theirs string
	s            fileSystem
}

// path draws a path of a tree, from its root on. Some are of nothing, some go through
// files or symbolic links.
func (w *twins) path(label string) string {
	return rapid.SampledFrom([]string{"a", "b", "c", "a/a", "a/b", "b/a", "b/c", "a/a/a", "c/x", "a/../b", "link", "link/a", "missing/x", ".", "a/"}).Draw(w.rt, label)
}

// code is what an error says of the system.
func code(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return uv.FromSyscall(errno)
	}
	var ours uv.Errno
	if errors.As(err, &ours) {
		return ours
	}
	return err
}

func (w *twins) same(step string, ours, theirs any, err, theirErr error) {
	require.Equal(w.t, code(theirErr), code(err), "%s: %v, %v", step, theirErr, err)
	require.Equal(w.t, theirs, ours, step)
}

func (w *twins) sameError(step string, err, theirErr error) { w.same(step, nil, nil, err, theirErr) }

// facts are what may be compared of a file; directories differ in size.
func facts(info fs.FileInfo, err error) string {
	if err != nil {
		return ""
	}
	size := info.Size()
	if info.IsDir() {
		size = 0
	}
	return fmt.Sprint(info.Name(), size, info.Mode())
}

func (w *twins) step() {
	a := w.path("path")
	ours, theirs := w.ours+"/"+a, w.theirs+"/"+a
	switch step := rapid.SampledFrom([]string{
		"mkdir", "write", "write", "rename", "link", "symlink", "remove", "rmdir", "chmod", "stat", "lstat", "readdir", "readlink",
		"access", "copy", "chtimes", "realpath",
	}).Draw(w.rt, "step"); step {
	case "mkdir":
		w.sameError(step, w.s.Mkdir(ours, 0o755), os.Mkdir(theirs, 0o755))
	case "write":
		text := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(w.rt, "text")
		err, theirErr := writeFile(ours, text), os.WriteFile(theirs, text, 0o644)
		w.sameError(step, err, theirErr)
	case "rename", "link", "copy":
		b := w.path("to")
		to, theirTo := w.ours+"/"+b, w.theirs+"/"+b
		switch step {
		case "rename":
			w.sameError(step, w.s.Rename(ours, to), syscall.Rename(theirs, theirTo))
		case "link":
			w.sameError(step, w.s.Link(ours, to), os.Link(theirs, theirTo))
		case "copy":
			err, theirErr := w.s.CopyFile(ours, to, 0), copyFile(theirs, theirTo)
			if theirErr == errDirectory { // what is wrong with the target may come first
				require.Error(w.t, err)
				return
			}
			w.sameError(step, err, theirErr)
		}
	case "symlink":
		target := w.path("target")
		w.sameError(step, w.s.Symlink(target, ours, 0), os.Symlink(target, theirs))
	case "remove":
		w.sameError(step, w.s.Remove(ours), syscall.Unlink(theirs))
	case "rmdir":
		w.sameError(step, w.s.Rmdir(ours), syscall.Rmdir(theirs))
	case "chmod":
		mode := fs.FileMode(rapid.IntRange(0, 0o777).Draw(w.rt, "mode")) | 0o700
		w.sameError(step, w.s.Chmod(ours, mode), os.Chmod(theirs, mode))
	default:
		w.look(step, ours, theirs)
	}
}

// look does a step that changes nothing that is compared.
func (w *twins) look(step, ours, theirs string) {
	switch step {
	case "stat":
		got, err := w.s.Stat(ours)
		want, theirErr := os.Stat(theirs)
		w.same(step, facts(got, err), facts(want, theirErr), err, theirErr)
	case "lstat":
		got, err := w.s.Lstat(ours)
		want, theirErr := os.Lstat(theirs)
		w.same(step, facts(got, err), facts(want, theirErr), err, theirErr)
	case "readdir":
		got, err := w.s.ReadDir(ours)
		want, theirErr := os.ReadDir(theirs)
		w.same(step, names(got), names(want), err, theirErr)
	case "readlink":
		got, err := w.s.Readlink(ours)
		want, theirErr := os.Readlink(theirs)
		w.same(step, got, want, err, theirErr)
	case "access":
		mode := rapid.UintRange(0, 7).Draw(w.rt, "access")
		w.sameError(step, w.s.Access(ours, mode), syscall.Access(theirs, uint32(mode)))
	case "chtimes":
		at := time.Unix(rapid.Int64Range(-1e9, 8e9).Draw(w.rt, "seconds"), 1000*rapid.Int64Range(0, 999_999).Draw(w.rt, "microseconds"))
		err, theirErr := w.s.Chtimes(ours, at, at), os.Chtimes(theirs, at, at)
		w.sameError(step, err, theirErr)
		if err == nil {
			got, err := w.s.Stat(ours)
			require.NoError(w.t, err)
			require.Equal(w.t, at.UnixMicro(), got.ModTime().UnixMicro())
		}
	case "realpath":
		got, err := w.s.Realpath(ours)
		want, theirErr := filepath.EvalSymlinks(theirs)
		require.Equal(w.t, theirErr == nil, err == nil, "%v, %v", theirErr, err)
		if err == nil {
			rel, _ := filepath.Rel(w.ours, got)
			theirRel, _ := filepath.Rel(w.theirs, want)
			require.Equal(w.t, theirRel, rel)
		}
	}
}

// writeFile is os.WriteFile.
func writeFile(path string, text []byte) error {
	f, err := uv.FSSync{}.Open(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

var errDirectory = errors.New("a directory cannot be copied")

// copyFile is what CopyFile does.
func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errDirectory
	}
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer dst.Close()
	if at, err := dst.Stat(); err != nil || os.SameFile(info, at) {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Truncate(info.Size()), dst.Chmod(info.Mode()))
}

// tree is all that there is below a directory.
func tree(t testing.TB, dir string) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		rel, _ := filepath.Rel(dir, path)
		if rel == "." {
			return nil
		}
		info, err := d.Info()
		require.NoError(t, err)
		line := rel + " " + facts(info, nil)
		switch info.Mode().Type() {
		case 0:
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			line += fmt.Sprintf(" %q", text)
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			require.NoError(t, err)
			line += " " + target
		}
		all = append(all, line)
		return nil
	}))
	return all
}

func TestFileTwins(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	l := newLoop(t)
	rapid.Check(t, func(rt *rapid.T) {
		top, err := os.MkdirTemp(dir, "")
		require.NoError(t, err)
		// By a link to "." a path leads out of its tree: each has a parent of its own.
		w := &twins{t: t, rt: rt, ours: top + "/ours/tree", theirs: top + "/them/tree"}
		require.NoError(t, os.MkdirAll(w.ours, 0o755))
		require.NoError(t, os.MkdirAll(w.theirs, 0o755))
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			w.s = uv.FSSync{}
			if rapid.Bool().Draw(rt, "async") {
				w.s = awaited{t, l}
			}
			w.step()
		}
		require.Equal(t, tree(t, filepath.Dir(w.theirs)), tree(t, filepath.Dir(w.ours)))
		require.NoError(t, os.RemoveAll(top))
	})
}

// An open file, read and written by a loop, without one, and by package os.
func TestFileReadsAndWrites(t *testing.T) {
	dir := t.TempDir()
	l := newLoop(t)
	rapid.Check(t, func(rt *rapid.T) {
		flag := os.O_RDWR | os.O_CREATE | os.O_TRUNC
		if rapid.Bool().Draw(rt, "append") {
			flag |= os.O_APPEND
		}
		f := openedFile(t, l, dir+"/loop", flag)
		g, err := uv.FSSync{}.Open(dir+"/sync", flag, 0o644)
		require.NoError(t, err)
		want, err := os.OpenFile(dir+"/os", flag, 0o644)
		require.NoError(t, err)
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			randomStep(t, rt, l, f, g, want, flag&os.O_APPEND != 0)
		}
		closeFile(t, l, f)
		require.NoError(t, g.Close())
		require.NoError(t, want.Close())
		all := tree(t, dir)
		require.Len(t, all, 3)
		require.Equal(t, all[0][len("loop loop"):], all[2][len("sync sync"):])
		require.Equal(t, all[0][len("loop loop"):], all[1][len("os os"):])
	})
}

func randomStep(t *testing.T, rt *rapid.T, l *uv.Loop, f *uv.File, g *uv.FileSync, want *os.File, appends bool) {
	p := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(rt, "bytes")
	off := rapid.Int64Range(0, 1000).Draw(rt, "offset")
	cuts := []int{0, len(p) / 3, 0}
	await := func(begin func(done func(int, error)) *uv.Req) (int, error) { return wait(t, l, begin) }
	// each does a step three times, on memory of its own, and compares.
	each := func(what string, ours, sync, theirs func(p []byte) (int, error)) {
		a, b, c := append([]byte(nil), p...), append([]byte(nil), p...), append([]byte(nil), p...)
		n, err := ours(a)
		m, syncErr := sync(b)
		k, theirErr := theirs(c)
		require.Equal(t, k, n, what)
		require.Equal(t, k, m, what)
		require.Equal(t, code(theirErr), code(err), what)
		require.Equal(t, code(theirErr), code(syncErr), what)
		require.Equal(t, c, a, what)
		require.Equal(t, c, b, what)
	}
	switch rapid.SampledFrom([]string{"read", "readat", "readv", "write", "writeat", "writev", "truncate"}).Draw(rt, "step") {
	case "read":
		each("read", func(p []byte) (int, error) {
			return await(func(done func(int, error)) *uv.Req { return f.Read(p, done) })
		}, g.Read, want.Read)
	case "readv":
		each("readv", func(p []byte) (int, error) {
			return await(func(done func(int, error)) *uv.Req { return f.ReadV(pieces(p, cuts...), -1, done) })
		}, func(p []byte) (int, error) { return g.ReadV(pieces(p, cuts...), -1) }, want.Read)
	case "readat":
		each("readat", func(p []byte) (int, error) {
			n, err := await(func(done func(int, error)) *uv.Req { return f.ReadAt(p, off, done) })
			if err == nil && n < len(p) {
				err = io.EOF // may be short
			}
			return n, err
		}, func(p []byte) (int, error) { return g.ReadAt(p, off) }, func(p []byte) (int, error) { return want.ReadAt(p, off) })
	case "write":
		each("write", func(p []byte) (int, error) {
			return await(func(done func(int, error)) *uv.Req { return f.Write(p, done) })
		}, g.Write, want.Write)
	case "writev":
		each("writev", func(p []byte) (int, error) {
			return await(func(done func(int, error)) *uv.Req { return f.WriteV(pieces(p, cuts...), -1, done) })
		}, func(p []byte) (int, error) { return g.WriteV(pieces(p, cuts...), -1) }, want.Write)
	case "writeat":
		if appends {
			return // package os refuses
		}
		each("writeat", func(p []byte) (int, error) {
			return await(func(done func(int, error)) *uv.Req { return f.WriteAt(p, off, done) })
		}, func(p []byte) (int, error) { return g.WriteAt(p, off) }, func(p []byte) (int, error) { return want.WriteAt(p, off) })
	case "truncate":
		require.NoError(t, do(t, l, func(done func(error)) *uv.Req { return f.Truncate(off, done) }))
		require.NoError(t, g.Truncate(off))
		require.NoError(t, want.Truncate(off))
	}
}
