package proactortest

// Cases about files. What package os has is not tested again: these are the rules on top.

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// openFile opens a file of the case's own, in a function of Work.
func (r *rig) openFile(name string, flag int) proactor.File {
	r.t.Helper()
	var f proactor.File
	r.blocking(func(files proactor.FileSystem) (err error) {
		f, err = files.OpenFile(name, flag, 0o600)
		return err
	})
	return f
}

// blocking runs f in a function of Work, until it is done. Its error fails the case.
func (r *rig) blocking(f func(files proactor.FileSystem) error) {
	r.t.Helper()
	require.NoError(r.t, r.fails(f))
}

// fails is blocking for what fails.
func (r *rig) fails(f func(files proactor.FileSystem) error) error {
	r.t.Helper()
	var mu sync.Mutex
	var err error
	over := false
	r.work(func() {
		e := f(r.p.FileSystem())
		mu.Lock()
		defer mu.Unlock()
		err, over = e, true
	})
	r.until("the calls", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return over
	})
	return err
}

var fileCases = []testCase{
	{name: "a file and its names", run: func(r *rig) {
		dir := r.t.TempDir()
		name := filepath.Join(dir, "a", "b", "f")
		r.blocking(func(files proactor.FileSystem) error { return files.MkdirAll(filepath.Dir(name), 0o700) })
		f := r.openFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
		var stat, again fs.FileInfo
		r.blocking(func(files proactor.FileSystem) (err error) {
			if _, err = f.Write([]byte("hello")); err != nil {
				return err
			}
			if stat, err = f.Stat(); err != nil {
				return err
			}
			again, err = files.Lstat(name)
			return err
		})
		require.EqualValues(r.t, 5, stat.Size())
		files := r.p.FileSystem()
		require.True(r.t, files.SameFile(stat, again))
		r.blocking(func(files proactor.FileSystem) error { return files.Rename(name, name+"2") })
		var data []byte
		var list []fs.DirEntry
		r.blocking(func(files proactor.FileSystem) (err error) {
			if data, err = files.ReadFile(name + "2"); err == nil {
				list, err = files.ReadDir(filepath.Dir(name))
			}
			return err
		})
		require.Equal(r.t, "hello", string(data))
		require.Len(r.t, list, 1)
		require.Equal(r.t, "f2", list[0].Name())
		r.blocking(func(files proactor.FileSystem) error { return files.Remove(name + "2") })
		r.blocking(func(proactor.FileSystem) error { return f.Close() })
	}},
	{name: "links", run: func(r *rig) {
		dir := r.t.TempDir()
		if err := os.Symlink("nowhere", filepath.Join(dir, "link")); err != nil {
			r.t.Skip(err)
		}
		var info fs.FileInfo
		r.blocking(func(files proactor.FileSystem) (err error) {
			info, err = files.Lstat(filepath.Join(dir, "link"))
			return err
		})
		require.NotZero(r.t, info.Mode()&fs.ModeSymlink)
		require.ErrorIs(r.t, r.fails(func(files proactor.FileSystem) error {
			_, err := files.Stat(filepath.Join(dir, "link"))
			return err
		}), fs.ErrNotExist)
	}},
	{name: "errors", run: func(r *rig) {
		dir := r.t.TempDir()
		var path *fs.PathError
		for _, f := range []func(files proactor.FileSystem) error{
			func(files proactor.FileSystem) error {
				f, err := files.OpenFile(filepath.Join(dir, "none"), os.O_RDONLY, 0)
				require.Nil(r.t, f)
				return err
			},
			func(files proactor.FileSystem) error {
				_, err := files.ReadFile(filepath.Join(dir, "none"))
				return err
			},
			func(files proactor.FileSystem) error {
				_, err := files.ReadDir(filepath.Join(dir, "none"))
				return err
			},
			func(files proactor.FileSystem) error { return files.Remove(filepath.Join(dir, "none")) },
		} {
			err := r.fails(f)
			require.ErrorIs(r.t, err, fs.ErrNotExist)
			require.ErrorAs(r.t, err, &path)
		}
		var link *os.LinkError
		err := r.fails(func(files proactor.FileSystem) error {
			return files.Rename(filepath.Join(dir, "none"), filepath.Join(dir, "x"))
		})
		require.ErrorIs(r.t, err, fs.ErrNotExist)
		require.ErrorAs(r.t, err, &link)
	}},
	{name: "Close, and calls after it", run: func(r *rig) {
		f := r.openFile(filepath.Join(r.t.TempDir(), "f"), os.O_RDWR|os.O_CREATE)
		r.blocking(func(proactor.FileSystem) error { return f.Close() })
		for _, call := range []func() error{
			f.Close,
			f.Sync,
			func() error { _, err := f.Read(make([]byte, 1)); return err },
			func() error { _, err := f.WriteAt(make([]byte, 1), 0); return err },
			func() error { _, err := f.Seek(0, io.SeekStart); return err },
		} {
			require.ErrorIs(r.t, r.fails(func(proactor.FileSystem) error { return call() }), fs.ErrClosed)
		}
	}},
	{name: "Close while calls run", run: func(r *rig) {
		const readers = 8
		f := r.openFile(filepath.Join(r.t.TempDir(), "f"), os.O_RDWR|os.O_CREATE)
		r.blocking(func(proactor.FileSystem) error { return f.Truncate(1 << 20) })
		var all sync.WaitGroup
		for range readers {
			all.Add(1)
			r.work(func() {
				defer all.Done()
				for {
					n, err := f.ReadAt(make([]byte, 1<<16), 0)
					if err == nil && n == 1<<16 {
						continue
					}
					if !isClosed(err) {
						r.t.Errorf("%d bytes, and %v", n, err)
					}
					return
				}
			})
		}
		r.settle()
		r.blocking(func(proactor.FileSystem) error { return f.Close() })
		r.do("the readers", all.Wait)
	}},
	{name: "the file outlives the driver", run: func(r *rig) {
		f := r.openFile(filepath.Join(r.t.TempDir(), "f"), os.O_RDWR|os.O_CREATE)
		r.close()
		_, err := f.Write([]byte("x"))
		require.NoError(r.t, err)
		require.NoError(r.t, f.Close())
		_, err = r.p.FileSystem().Stat(r.t.TempDir())
		require.NoError(r.t, err)
	}},
}

func isClosed(err error) bool {
	path, ok := err.(*fs.PathError)
	return ok && path.Unwrap() == fs.ErrClosed
}
