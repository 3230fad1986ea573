package proactor

// Files: the file system, as package os has it.
//
//   - The methods block. They are for functions of Work, as many at a time as there may
//     be, and for one file too: calls that use its position come one after the other,
//     which their caller sees to.
//   - Names, flags and errors are those of package os; a failure is a *fs.PathError or,
//     of Rename, an *os.LinkError.
//   - A file is its opener's, and outlives the driver. Close may come while calls of it
//     run: those end as they would, and the descriptor with the last of them; calls that
//     begin later are fs.ErrClosed, as is a second Close.
//   - What a call is given, it does not touch after it has returned.

import (
	"io"
	"io/fs"
)

// Filer has a file system.
type Filer interface {
	// FileSystem is where files are. Any goroutine may ask for it, also after Close.
	FileSystem() FileSystem
}

// FileSystem is a tree of files and directories.
type FileSystem interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	ReadFile(name string) ([]byte, error)
	// Stat follows symbolic links, Lstat does not.
	Stat(name string) (fs.FileInfo, error)
	Lstat(name string) (fs.FileInfo, error)
	// ReadDir lists a directory by name. With an error it may list a part of it.
	ReadDir(name string) ([]fs.DirEntry, error)
	MkdirAll(name string, perm fs.FileMode) error
	Remove(name string) error
	Rename(from, to string) error
	// SameFile reports whether two that Stat or Lstat returned are of one file.
	SameFile(a, b fs.FileInfo) bool
}

// File is an open file, such as an *os.File.
type File interface {
	io.Reader
	io.Writer
	io.Seeker
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Sync() error
	Truncate(size int64) error
}
