//go:build cgo

package uv

// DirFS: a tree of files as package fs has it.

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

// dirFS is the tree below a directory.
type dirFS string

// DirFS is the tree of files below a directory, as os.DirFS, by FSSync. It is an
// fs.StatFS, fs.ReadDirFS, fs.ReadFileFS and fs.ReadLinkFS too. As with os.DirFS,
// symbolic links may lead out of the tree. Its errors are *fs.PathError around an Errno.
func DirFS(dir string) fs.FS { return dirFS(dir) }

// at does something with the path that a name stands for.
func at[T any](d dirFS, op, name string, do func(path string) (T, error)) (T, error) {
	var none T
	if !fs.ValidPath(name) || strings.IndexByte(name, 0) >= 0 || d == "" {
		return none, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	value, err := do(string(d) + "/" + name)
	if err != nil {
		return none, pathError(op, name, err)
	}
	return value, nil
}

// pathError tells what failed with the name that the caller knows.
func pathError(op, name string, err error) error {
	var failed *Error
	if errors.As(err, &failed) {
		err = failed.Errno
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func (d dirFS) Open(name string) (fs.File, error) {
	return at(d, "open", name, func(path string) (fs.File, error) {
		f, err := FSSync{}.Open(path, os.O_RDONLY, 0)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if info.IsDir() {
			return &dirFSDir{FileSync: f, name: name}, nil
		}
		return f, nil
	})
}

func (d dirFS) Stat(name string) (fs.FileInfo, error) { return at(d, "stat", name, FSSync{}.Stat) }

func (d dirFS) Lstat(name string) (fs.FileInfo, error) { return at(d, "lstat", name, FSSync{}.Lstat) }

func (d dirFS) ReadLink(name string) (string, error) {
	return at(d, "readlink", name, FSSync{}.Readlink)
}

func (d dirFS) ReadDir(name string) ([]fs.DirEntry, error) {
	return at(d, "readdir", name, FSSync{}.ReadDir)
}

func (d dirFS) ReadFile(name string) ([]byte, error) {
	return at(d, "readfile", name, func(path string) ([]byte, error) {
		f, err := FSSync{}.Open(path, os.O_RDONLY, 0)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(f)
	})
}

// dirFSDir is an open directory of a tree, an fs.ReadDirFile.
type dirFSDir struct {
	*FileSync
	name string
	read bool
	list []fs.DirEntry // what ReadDir has not given yet
}

// ReadDir reads the directory at the first call.
func (d *dirFSDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if err := d.enter(); err != nil {
		return nil, pathError("readdir", d.name, err)
	}
	defer d.leave()
	if !d.read {
		list, err := FSSync{}.ReadDir(d.Name())
		if err != nil {
			return nil, pathError("readdir", d.name, err)
		}
		d.list, d.read = list, true
	}
	if n > 0 && len(d.list) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.list) {
		n = len(d.list)
	}
	list := d.list[:n:n]
	d.list = d.list[n:]
	return list, nil
}
