package proactortest

// Cases about watched directories.

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// watchedDir is a DirHandler that keeps the names that it hears.
type watchedDir struct {
	r      *rig
	w      proactor.DirWatch
	names  map[string]int
	closed bool
	heard  func(name string)
}

func (r *rig) watchDir(name string) *watchedDir {
	r.t.Helper()
	d := &watchedDir{r: r, names: make(map[string]int)}
	var err error
	d.w, err = r.p.WatchDir(name, d)
	require.NoError(r.t, err)
	return d
}

func (d *watchedDir) close() {
	d.closed = true
	d.w.Close()
}

func (d *watchedDir) Touched(name string) {
	defer d.r.handler("Touched")()
	if d.closed {
		d.r.t.Errorf("%q is told after Close", name)
	}
	d.names[name]++
	if d.heard != nil {
		d.heard(name)
	}
}

// tells does something and waits until a name is told for it, or that all may have
// changed.
func (d *watchedDir) tells(name string, do func() error) {
	d.r.t.Helper()
	clear(d.names)
	require.NoError(d.r.t, do())
	d.r.until(name, func() bool { return d.names[name] > 0 || d.names[""] > 0 })
}

func writeFile(name string) func() error {
	return func() error { return os.WriteFile(name, []byte("x"), 0o600) }
}

var watchDirCases = []testCase{
	{name: "what happens to files", run: func(r *rig) {
		dir := r.t.TempDir()
		in := func(name string) string { return filepath.Join(dir, name) }
		d := r.watchDir(dir)
		d.tells("a", writeFile(in("a")))
		d.tells("a", func() error { return os.Chmod(in("a"), 0o400) })
		d.tells("a", func() error { return os.Rename(in("a"), in("b")) })
		r.until("both names", func() bool { return d.names["b"] > 0 || d.names[""] > 0 })
		d.tells("b", func() error { return os.Remove(in("b")) })
		d.tells("sub", func() error { return os.Mkdir(in("sub"), 0o700) })
		require.NoError(r.t, writeFile(in("sub/below"))())
		d.tells("last", writeFile(in("last")))
		require.Zero(r.t, d.names["below"])
		d.close()
		require.NoError(r.t, writeFile(in("c"))())
		r.settle()
		d.w.Close()
	}},
	{name: "two watches, and two of one directory", run: func(r *rig) {
		one, two := r.t.TempDir(), r.t.TempDir()
		a, b, c := r.watchDir(one), r.watchDir(one), r.watchDir(two)
		a.tells("x", writeFile(filepath.Join(one, "x")))
		r.until("the other one", func() bool { return len(b.names) > 0 })
		c.tells("y", writeFile(filepath.Join(two, "y")))
		require.Zero(r.t, a.names["y"])
		a.close()
		b.tells("x", func() error { return os.Remove(filepath.Join(one, "x")) })
		b.close()
		c.tells("y", func() error { return os.Remove(filepath.Join(two, "y")) })
		again := r.watchDir(one)
		again.tells("z", writeFile(filepath.Join(one, "z")))
	}},
	{name: "a directory that is removed, or renamed", run: func(r *rig) {
		dir := filepath.Join(r.t.TempDir(), "dir")
		require.NoError(r.t, os.Mkdir(dir, 0o700))
		d := r.watchDir(dir)
		d.tells("", func() error { return os.Rename(dir, dir+"2") })
		d.tells("f", writeFile(filepath.Join(dir+"2", "f")))
		d.tells("f", func() error { return os.Remove(filepath.Join(dir+"2", "f")) })
		d.tells("", func() error { return os.Remove(dir + "2") })
		r.settle()
		d.close()
	}},
	{name: "much at once", run: func(r *rig) {
		const files = 2000
		dir := r.t.TempDir()
		d := r.watchDir(dir)
		for i := range files {
			require.NoError(r.t, writeFile(filepath.Join(dir, fmt.Sprint(i)))())
		}
		r.until("all of them", func() bool {
			for i := range files {
				if d.names[fmt.Sprint(i)] == 0 && d.names[""] == 0 {
					return false
				}
			}
			return true
		})
	}},
	{name: "more than the kernel keeps", run: func(r *rig) {
		const changes = 20_000 // of which it keeps 16,384 as a rule; equal ones in a row are one
		dir, other := r.t.TempDir(), r.t.TempDir()
		d, o := r.watchDir(dir), r.watchDir(other)
		var files [2]*os.File
		for i := range files {
			var err error
			files[i], err = os.Create(filepath.Join(dir, fmt.Sprint(i)))
			require.NoError(r.t, err)
			r.own(files[i])
		}
		for i := range changes {
			_, err := files[i%2].WriteAt([]byte("x"), 0)
			require.NoError(r.t, err)
		}
		o.tells("last", writeFile(filepath.Join(other, "last")))
		d.tells("last", writeFile(filepath.Join(dir, "last")))
	}},
	{name: "Close in a handler", run: func(r *rig) {
		dir := r.t.TempDir()
		var all []*watchedDir
		heard := 0
		for range 3 {
			d := r.watchDir(dir)
			d.heard = func(string) {
				heard++
				for _, d := range all {
					d.close()
				}
			}
			all = append(all, d)
		}
		require.NoError(r.t, writeFile(filepath.Join(dir, "x"))())
		r.until("one", func() bool { return heard > 0 })
		r.settle()
		require.Equal(r.t, 1, heard)
	}},
	{name: "what cannot be watched", run: func(r *rig) {
		dir := r.t.TempDir()
		require.NoError(r.t, writeFile(filepath.Join(dir, "file"))())
		for name, want := range map[string]error{
			filepath.Join(dir, "none"):      fs.ErrNotExist,
			"":                              fs.ErrNotExist,
			filepath.Join(dir, "file"):      syscall.ENOTDIR,
			filepath.Join(dir, "file", "x"): syscall.ENOTDIR,
			filepath.Join(dir, "\x00"):      syscall.EINVAL,
		} {
			_, err := r.p.WatchDir(name, &watchedDir{r: r})
			require.ErrorIs(r.t, err, want, "%q", name)
			var path *fs.PathError
			require.ErrorAs(r.t, err, &path)
			require.Equal(r.t, name, path.Path)
		}
		withoutDescriptors(r.t, func() {
			w, err := r.p.WatchDir(dir, &watchedDir{r: r})
			if err == nil { // it needs none
				w.Close()
				return
			}
			require.ErrorIs(r.t, err, syscall.EMFILE)
		})
		r.watchDir(dir).tells("x", writeFile(filepath.Join(dir, "x")))
	}},
	{name: "Close of the driver", run: func(r *rig) {
		dir := r.t.TempDir()
		d := r.watchDir(dir)
		require.NoError(r.t, writeFile(filepath.Join(dir, "x"))())
		d.closed = true
		r.close()
		d.w.Close()
		_, err := r.p.WatchDir(dir, d)
		require.ErrorIs(r.t, err, net.ErrClosed)
	}},
}
