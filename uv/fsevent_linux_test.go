//go:build cgo

package uv_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// change is what an FSEvent has told.
type change struct {
	name   string
	events uv.FSEvents
}

// changes keeps what an FSEvent tells.
type changes struct {
	e    *uv.FSEvent
	told []change
}

func watch(t testing.TB, l *uv.Loop, path string) *changes {
	t.Helper()
	e, err := l.NewFSEvent()
	require.NoError(t, err)
	c := &changes{e: e}
	require.NoError(t, e.Start(path, 0, c.take(t)))
	return c
}

func (c *changes) take(t testing.TB) func(string, uv.FSEvents, error) {
	return func(name string, events uv.FSEvents, err error) {
		require.NoError(t, err)
		c.told = append(c.told, change{name, events})
	}
}

// has reports whether a change was told.
func (c *changes) has(name string, events uv.FSEvents) bool {
	for _, x := range c.told {
		if x == (change{name, events}) {
			return true
		}
	}
	return false
}

func appendTo(t testing.TB, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString("x")
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestFSEvent(t *testing.T) {
	t.Run("UV-137", func(t *testing.T) {
		l := newLoop(t)
		dir := t.TempDir()
		d := watch(t, l, dir)
		require.Equal(t, uv.FSEventHandle, d.e.Type())
		require.True(t, d.e.IsActive())
		require.NoError(t, l.Poll(0))
		require.Empty(t, d.told)
		step := func(what string, do func(), want ...change) {
			d.told = nil
			do()
			require.Empty(t, d.told, "told inside the call")
			until(t, l, what, func() bool {
				for _, w := range want {
					if !d.has(w.name, w.events) {
						return false
					}
				}
				return true
			})
		}
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		step("create and change", func() { appendTo(t, a) }, change{"a", uv.FSRename}, change{"a", uv.FSChange})
		f := watch(t, l, a)
		step("change", func() { appendTo(t, a) }, change{"a", uv.FSChange})
		until(t, l, "the file's own change", func() bool { return f.has("a", uv.FSChange) })
		require.False(t, f.has("a", uv.FSRename))
		step("rename", func() { require.NoError(t, os.Rename(a, b)) }, change{"a", uv.FSRename}, change{"b", uv.FSRename})
		until(t, l, "the file's own rename", func() bool { return f.has("a", uv.FSRename) })
		step("delete", func() { require.NoError(t, os.Remove(b)) }, change{"b", uv.FSRename})

		// Stopped in the callback it tells nothing more, although there is more.
		calls := 0
		require.NoError(t, d.e.Stop())
		require.False(t, d.e.IsActive())
		require.NoError(t, d.e.Start(dir, 0, func(string, uv.FSEvents, error) {
			calls++
			require.NoError(t, d.e.Stop())
		}))
		for _, name := range []string{"c", "d", "e"} {
			appendTo(t, filepath.Join(dir, name))
		}
		until(t, l, "a call", func() bool { return calls > 0 })
		appendTo(t, filepath.Join(dir, "f"))
		f.e.Close()
		run(t, l, uv.RunDefault)
		require.Equal(t, 1, calls)
	})
	t.Run("closing in the callback", func(t *testing.T) {
		l := newLoop(t)
		dir := t.TempDir()
		all := []*changes{watch(t, l, dir), watch(t, l, dir), watch(t, l, dir)}
		calls, closed := 0, 0
		for _, c := range all {
			require.NoError(t, c.e.Stop())
			require.NoError(t, c.e.Start(dir, 0, func(string, uv.FSEvents, error) {
				calls++
				for _, c := range all { // itself, and those that are still to be told
					c.e.CloseWith(func() { closed++ })
				}
			}))
		}
		appendTo(t, filepath.Join(dir, "a"))
		run(t, l, uv.RunDefault)
		require.Equal(t, 1, calls)
		require.Equal(t, 3, closed)
	})
	t.Run("stopped and started in the callback", func(t *testing.T) {
		l := newLoop(t)
		dir, other := t.TempDir(), t.TempDir()
		c := watch(t, l, dir)
		again := &changes{}
		require.NoError(t, c.e.Stop())
		require.NoError(t, c.e.Start(dir, 0, func(string, uv.FSEvents, error) {
			require.NoError(t, c.e.Stop())
			require.NoError(t, c.e.Start(other, 0, again.take(t)))
			appendTo(t, filepath.Join(other, "b"))
		}))
		appendTo(t, filepath.Join(dir, "a")) // two changes
		until(t, l, "the other directory", func() bool { return again.has("b", uv.FSChange) })
		require.False(t, again.has("a", uv.FSChange), "of before the start")
	})
	t.Run("the same file twice", func(t *testing.T) {
		l := newLoop(t)
		dir := t.TempDir()
		file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
		appendTo(t, file)
		require.NoError(t, os.Link(file, link))
		a, b := watch(t, l, file), watch(t, l, link)
		c := watch(t, l, dir+"/./file")
		for i, want := range []string{file, link, dir + "/./file"} {
			path, err := []*changes{a, b, c}[i].e.Path()
			require.NoError(t, err)
			require.Equal(t, want, path)
		}
		appendTo(t, file)
		until(t, l, "all three", func() bool {
			return a.has("file", uv.FSChange) && b.has("link", uv.FSChange) && c.has("file", uv.FSChange)
		})
		require.NoError(t, a.e.Stop())
		a.told, b.told = nil, nil
		appendTo(t, file)
		until(t, l, "those that are left", func() bool { return len(b.told) > 0 })
		require.Empty(t, a.told)
		require.NoError(t, a.e.Start(file, 0, a.take(t)))
		appendTo(t, file)
		until(t, l, "it again", func() bool { return a.has("file", uv.FSChange) })
	})
	t.Run("the directory is removed", func(t *testing.T) {
		l := newLoop(t)
		dir := filepath.Join(t.TempDir(), "dir")
		require.NoError(t, os.Mkdir(dir, 0o700))
		c := watch(t, l, dir)
		require.NoError(t, os.Remove(dir))
		until(t, l, "its end", func() bool { return c.has("dir", uv.FSRename) })
		require.True(t, c.e.IsActive())
		require.NoError(t, os.Mkdir(dir, 0o700))
		c.told = nil
		appendTo(t, filepath.Join(dir, "a"))
		require.NoError(t, l.Poll(0))
		require.Empty(t, c.told, "another directory")
		require.NoError(t, c.e.Stop())
		require.NoError(t, c.e.Start(dir, 0, c.take(t)))
		appendTo(t, filepath.Join(dir, "b"))
		until(t, l, "the other directory", func() bool { return c.has("b", uv.FSChange) })
		for range 50 { // its watch is gone before it is stopped
			require.NoError(t, os.RemoveAll(dir))
			require.NoError(t, c.e.Stop())
			require.NoError(t, os.Mkdir(dir, 0o700))
			require.NoError(t, c.e.Start(dir, 0, c.take(t)))
			require.NoError(t, l.Poll(0))
		}
	})
	t.Run("more changes than the system keeps", func(t *testing.T) {
		text := proc(t, "/proc/sys/fs/inotify/max_queued_events")
		most, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || most > 20000 {
			t.Skip("too many")
		}
		l := newLoop(t)
		dir := t.TempDir()
		c := watch(t, l, dir)
		for i := range most/2 + 100 {
			name := filepath.Join(dir, strconv.Itoa(i%1000))
			require.NoError(t, os.Mkdir(name, 0o700))
			require.NoError(t, os.Remove(name))
		}
		require.NoError(t, l.Poll(0))
		require.GreaterOrEqual(t, len(c.told), most)
		appendTo(t, filepath.Join(dir, "after"))
		until(t, l, "what comes after", func() bool { return c.has("after", uv.FSChange) })
	})
	t.Run("a long name", func(t *testing.T) {
		l := newLoop(t)
		dir := t.TempDir()
		c := watch(t, l, dir)
		for _, name := range []string{strings.Repeat("n", 255), "\xff\xfe", "a b\nc", "ü"} {
			appendTo(t, filepath.Join(dir, name))
			until(t, l, "it", func() bool { return c.has(name, uv.FSRename) && c.has(name, uv.FSChange) })
		}
	})
	t.Run("keeps the loop alive", func(t *testing.T) {
		l := newLoop(t)
		c := watch(t, l, t.TempDir())
		require.True(t, l.Alive())
		c.e.Unref()
		run(t, l, uv.RunDefault)
		c.e.Ref()
		require.True(t, l.Alive())
		require.NoError(t, c.e.Stop())
		require.NoError(t, c.e.Stop())
		run(t, l, uv.RunDefault)
	})
	t.Run("refused", func(t *testing.T) {
		l := newLoop(t)
		dir := t.TempDir()
		e, err := l.NewFSEvent()
		require.NoError(t, err)
		take := func(string, uv.FSEvents, error) { t.Error("told") }
		for _, c := range []struct {
			path  string
			flags uv.FSEventFlags
			cb    func(string, uv.FSEvents, error)
			want  error
		}{
			{dir, 0, nil, uv.EINVAL},
			{dir, 8, take, uv.EINVAL},
			{dir + "\x00", 0, take, uv.EINVAL},
			{"", 0, take, uv.ENOENT},
			{filepath.Join(dir, "none"), 0, take, os.ErrNotExist},
			{filepath.Join(dir, strings.Repeat("x", 5000)), 0, take, uv.ENAMETOOLONG},
			{dir, uv.FSEventRecursive, take, uv.ErrNotSupported},
			{dir, uv.FSEventRecursive | uv.FSEventStat, take, errors.ErrUnsupported},
		} {
			err := e.Start(c.path, c.flags, c.cb)
			require.ErrorIs(t, err, c.want, c.path)
			var failed *uv.Error
			require.ErrorAs(t, err, &failed)
			require.Equal(t, c.path, failed.Addr)
			require.False(t, e.IsActive())
			_, err = e.Path()
			require.ErrorIs(t, err, uv.EINVAL)
		}
		require.NoError(t, e.Start(dir, uv.FSEventWatchEntry|uv.FSEventStat, take))
		require.ErrorIs(t, e.Start(dir, 0, take), uv.EINVAL, "started already")
		path, err := e.Path()
		require.NoError(t, err)
		require.Equal(t, dir, path)
		e.Close()
		require.ErrorIs(t, e.Start(dir, 0, take), uv.ErrClosed)
		require.ErrorIs(t, e.Stop(), uv.ErrClosed)
		_, err = e.Path()
		require.ErrorIs(t, err, uv.ErrClosed)
		run(t, l, uv.RunDefault)
		require.NoError(t, l.Close())
		_, err = l.NewFSEvent()
		require.ErrorIs(t, err, uv.ErrClosed)
	})
	t.Run("a callback that panics", func(t *testing.T) {
		l := newLoop(t)
		dir := t.TempDir()
		c := watch(t, l, dir)
		names := map[string]int{}
		require.NoError(t, c.e.Stop())
		require.NoError(t, c.e.Start(dir, 0, func(name string, _ uv.FSEvents, _ error) {
			names[name]++
			panic("boom")
		}))
		for i := range 20 {
			require.NoError(t, os.Mkdir(filepath.Join(dir, strconv.Itoa(i)), 0o700))
		}
		for len(names) < 20 {
			require.PanicsWithValue(t, "boom", func() { _ = l.Poll(0) })
		}
		for name, n := range names {
			require.Equal(t, 1, n, name)
		}
	})
	t.Run("without standard files", func(t *testing.T) { require.Equal(t, "watched\n", inChild(t, "fs event stdio")) })
}

// childFSEventStdio has closed its standard files, whose numbers libuv must not get.
func childFSEventStdio() error {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	out, err := syscall.Dup(1)
	if err != nil {
		return err
	}
	for fd := range 3 {
		syscall.Close(fd)
	}
	e, err := l.NewFSEvent()
	if err != nil {
		return err
	}
	told := 0
	if err := e.Start(dir, 0, func(string, uv.FSEvents, error) { told++; e.Close() }); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "a"), 0o700); err != nil {
		return err
	}
	l.Run(uv.RunDefault)
	if err := l.Close(); err != nil || told != 1 {
		return fmt.Errorf("%d, %v", told, err)
	}
	_, err = syscall.Write(out, []byte("watched\n"))
	return err
}
