package asyncio

// Files by their names, and the tree that they form.

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// ReadFile reads a whole file: os.ReadFile. It is for a task, as all functions of files.
// Suspends. Cancelled: nothing is lost.
func ReadFile(ctx context.Context, name string) ([]byte, error) {
	return callFileSystem(ctx, "ReadFile", func(_ *fileCall, files proactor.FileSystem) ([]byte, error) { return files.ReadFile(name) })
}

// WriteFile writes a whole file, which it makes if need be, or empties before:
// os.WriteFile.
// Suspends. Cancelled: if it has begun, the file may be empty, or have a part of data.
func WriteFile(ctx context.Context, name string, data []byte, perm fs.FileMode) error {
	return callForError(ctx, "WriteFile", func(c *fileCall, files proactor.FileSystem) error {
		f, err := files.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
		if err != nil {
			return err
		}
		_, err = c.writeFrom(data, func(b []byte, _ int) (int, error) { return f.Write(b) })
		return cmp.Or(err, f.Close())
	})
}

// Stat describes a file: os.Stat.
// Suspends. Cancelled: nothing is lost.
func Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return callFileSystem(ctx, "Stat", func(_ *fileCall, files proactor.FileSystem) (fs.FileInfo, error) { return files.Stat(name) })
}

// ReadDir lists a directory by name: os.ReadDir. With an error it may list a part of it.
// Info of an entry asks the system there and then, and does not suspend.
// Suspends. Cancelled: nothing is lost.
func ReadDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	return callFileSystem(ctx, "ReadDir", func(_ *fileCall, files proactor.FileSystem) ([]fs.DirEntry, error) { return files.ReadDir(name) })
}

// MkdirAll makes a directory, and those above it that are missing: os.MkdirAll.
// Suspends. Cancelled: if it has begun, they are made, or some of them.
func MkdirAll(ctx context.Context, name string, perm fs.FileMode) error {
	return callForError(ctx, "MkdirAll", func(_ *fileCall, files proactor.FileSystem) error { return files.MkdirAll(name, perm) })
}

// Remove removes a file or an empty directory: os.Remove.
// Suspends. Cancelled: if it has begun, the file is removed.
func Remove(ctx context.Context, name string) error {
	return callForError(ctx, "Remove", func(_ *fileCall, files proactor.FileSystem) error { return files.Remove(name) })
}

// Rename gives a file another name, where it takes the place of one that is there:
// os.Rename.
// Suspends. Cancelled: if it has begun, the file is renamed.
func Rename(ctx context.Context, from, to string) error {
	return callForError(ctx, "Rename", func(_ *fileCall, files proactor.FileSystem) error { return files.Rename(from, to) })
}

func callForError(ctx context.Context, method string, fn func(c *fileCall, files proactor.FileSystem) error) error {
	_, err := callFileSystem(ctx, method, func(c *fileCall, files proactor.FileSystem) (None, error) { return None{}, fn(c, files) })
	return err
}

// WalkDir walks the tree below root, root included, by name: filepath.WalkDir. fn is
// called in the task, and may await; what it returns, fs.SkipDir and fs.SkipAll too, has
// the meaning that it has there. A directory is read as a whole before its entries are
// visited, and symbolic links are not followed. It panics with ErrInvalidArgument if fn
// is nil.
// Suspends. Cancelled: the walk ends between two calls of fn, which is told nothing; or
// in fn, where it awaits.
func WalkDir(ctx context.Context, root string, fn fs.WalkDirFunc) error {
	if fn == nil {
		panic(misuse(ErrInvalidArgument, "WalkDir was given a nil function"))
	}
	info, left, err := walkCall(ctx, func(files proactor.FileSystem) (fs.FileInfo, error) { return files.Lstat(root) })
	switch {
	case left != nil:
		return left
	case err != nil:
		err = fn(root, nil, err)
	default:
		err = walkDir(ctx, root, fs.FileInfoToDirEntry(info), fn)
	}
	if err == fs.SkipDir || err == fs.SkipAll {
		return nil
	}
	return err
}

// walkDir visits an entry and what is below.
func walkDir(ctx context.Context, path string, d fs.DirEntry, fn fs.WalkDirFunc) error {
	err := fn(path, d, nil)
	if err == nil && d.IsDir() {
		err = walkEntries(ctx, path, d, fn)
	}
	if err == fs.SkipDir && d.IsDir() {
		return nil
	}
	return err
}

// walkEntries visits what is in a directory. An entry that is none itself skips the rest.
func walkEntries(ctx context.Context, path string, d fs.DirEntry, fn fs.WalkDirFunc) error {
	entries, left, err := walkCall(ctx, func(files proactor.FileSystem) ([]fs.DirEntry, error) { return files.ReadDir(path) })
	if left != nil {
		return left
	}
	if err != nil {
		if err := fn(path, d, err); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if err := walkDir(ctx, filepath.Join(path, e.Name()), e, fn); err != nil {
			return err
		}
	}
	return nil
}

// walkCall is a call whose failure fn is told, other than that the task is to end.
func walkCall[T any](ctx context.Context, call func(files proactor.FileSystem) (T, error)) (v T, left, err error) {
	a, err := enterFiles(ctx, "WalkDir")
	if err != nil {
		return v, err, nil
	}
	files := a.task.loop.pro.FileSystem()
	return callFiles(a, nil, func(*fileCall) (T, error) { return call(files) })
}
