//go:build cgo

package uv

// Files and directories without a loop. Several goroutines may use one at a time; a
// descriptor is closed when none has it any more, as package os does.

import (
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// FileSync is an open file without a loop: its methods are those of File, block, and
// return what done of those gets. It is an fs.File, io.Writer, io.ReaderAt and
// io.WriterAt, and is not closed by being dropped. Any goroutine.
type FileSync struct {
	fd   int32
	name string
	mu   sync.Mutex
	open bool
	uses int // calls that have the descriptor
}

func fileSync(fd int32, name string) *FileSync { return &FileSync{fd: fd, name: name, open: true} }

func (f *FileSync) enter() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open {
		return ErrClosed
	}
	f.uses++
	return nil
}

// leave closes the file if it is the last one to have it, after Close.
func (f *FileSync) leave() {
	f.mu.Lock()
	f.uses--
	last := f.uses == 0 && !f.open
	f.mu.Unlock()
	if last {
		_ = fsDo(f.call(cbridge.FSClose))
	}
}

func (f *FileSync) call(op int32) *fsCall {
	c := newFSCall(op, f.name)
	c.FD = f.fd
	return c
}

// fileNow does a call that has the descriptor.
func fileNow[T any](f *FileSync, c *fsCall, result func(*fsCall, *cbridge.FSOut) (T, error)) (T, error) {
	if err := f.enter(); err != nil {
		var none T
		return none, err
	}
	defer f.leave()
	return fsNow(c, result)
}

func fileDo(f *FileSync, c *fsCall) error {
	_, err := fileNow(f, c, noResult)
	return err
}

// Name is the path that the file was opened by; "" after OpenFD.
func (f *FileSync) Name() string { return f.name }

// Fd is the file's descriptor, which stays the file's.
func (f *FileSync) Fd() uintptr { return uintptr(f.fd) }

// Read reads from the file's position, and moves it; 0 and io.EOF at the end.
func (f *FileSync) Read(p []byte) (int, error) {
	return fileNow(f, f.call(cbridge.FSRead).at(-1, p), readResult)
}

// ReadAt fills p from off on, or returns an error: io.EOF if the file ends before.
func (f *FileSync) ReadAt(p []byte, off int64) (n int, err error) {
	for {
		m, err := fileNow(f, f.call(cbridge.FSRead).exactly(off+int64(n), p[n:]), readResult)
		if n += m; err != nil || n == len(p) {
			return n, err
		}
	}
}

// ReadV reads into several pieces of memory, and may bring less than there is; off -1 is
// the file's position.
func (f *FileSync) ReadV(bufs [][]byte, off int64) (int, error) {
	return fileNow(f, f.call(cbridge.FSRead).at(off, bufs...), readResult)
}

// Write writes all of p at the file's position, and moves it.
func (f *FileSync) Write(p []byte) (int, error) { return f.write(f.call(cbridge.FSWrite).at(-1, p)) }

// WriteAt is Write at off.
func (f *FileSync) WriteAt(p []byte, off int64) (int, error) {
	return f.write(f.call(cbridge.FSWrite).exactly(off, p))
}

// WriteV is WriteAt of several pieces of memory; off -1 is the file's position.
func (f *FileSync) WriteV(bufs [][]byte, off int64) (int, error) {
	return f.write(f.call(cbridge.FSWrite).at(off, bufs...))
}

// write tells what was written also with an error.
func (f *FileSync) write(c *fsCall) (int, error) {
	err := fileDo(f, c)
	return c.moved, err
}

// Stat tells about the file.
func (f *FileSync) Stat() (fs.FileInfo, error) {
	return fileNow(f, f.call(cbridge.FSFstat), infoResult)
}

// Sync brings the file to the disk.
func (f *FileSync) Sync() error { return fileDo(f, f.call(cbridge.FSFsync)) }

// Datasync brings the file's bytes to the disk.
func (f *FileSync) Datasync() error { return fileDo(f, f.call(cbridge.FSFdatasync)) }

// Truncate changes the size of the file.
func (f *FileSync) Truncate(size int64) error {
	return fileDo(f, f.call(cbridge.FSFtruncate).size(size))
}

// Chmod changes the mode of the file.
func (f *FileSync) Chmod(mode fs.FileMode) error {
	return fileDo(f, f.call(cbridge.FSFchmod).mode(mode))
}

// Chown changes who owns the file; -1 leaves one.
func (f *FileSync) Chown(uid, gid int) error {
	return fileDo(f, f.call(cbridge.FSFchown).owners(uid, gid))
}

// Chtimes sets the times of the file, as FS.Chtimes.
func (f *FileSync) Chtimes(atime, mtime time.Time) error {
	return fileDo(f, f.call(cbridge.FSFutime).times(atime, mtime))
}

// Close closes the file, or has the last call that runs close it. A second one is
// ErrClosed.
func (f *FileSync) Close() error {
	f.mu.Lock()
	if !f.open {
		f.mu.Unlock()
		return ErrClosed
	}
	f.open = false
	last := f.uses == 0
	f.mu.Unlock()
	if last {
		return fsDo(f.call(cbridge.FSClose))
	}
	return nil
}

// DirSync is an open directory without a loop. It is not closed by being dropped. Any
// goroutine.
type DirSync struct {
	mu   sync.Mutex
	c    uintptr // 0: closed
	name string
}

func (d *DirSync) call(op int32) (*fsCall, error) {
	c := newFSCall(op, d.name)
	c.Dir = d.c
	if d.c == 0 {
		return c, ErrClosed
	}
	return c, nil
}

// Read brings the next entries, at most n, as Dir.Read; none and io.EOF at the end.
func (d *DirSync) Read(n int) ([]fs.DirEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, err := d.call(cbridge.FSReaddir)
	if err != nil {
		return nil, err
	}
	return fsNow(c.entries(n), entriesResult)
}

// Close closes the directory. A second one is ErrClosed.
func (d *DirSync) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, err := d.call(cbridge.FSClosedir)
	if err != nil {
		return err
	}
	d.c = 0
	return fsDo(c)
}

var (
	_ fs.File     = (*FileSync)(nil)
	_ io.Writer   = (*FileSync)(nil)
	_ io.ReaderAt = (*FileSync)(nil)
	_ io.WriterAt = (*FileSync)(nil)
)
