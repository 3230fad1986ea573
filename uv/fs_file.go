//go:build cgo

package uv

// Files.
//
//	state    moves to
//	open     closing: Close
//	closing  closed: no request has the descriptor any more, and the close has run
//	         open: the close was cancelled, or there was no memory for it
//
// A file that is not open begins nothing.

import (
	"context"
	"io/fs"
	"slices"
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// File is an open file. It is not closed by being dropped. Its requests are not ordered
// among each other, but Close waits for those before it. Their errors are as those of FS.
type File struct {
	file *openFile
	ctx  context.Context
}

type openFile struct {
	loop   *Loop
	fd     int32
	name   string
	uses   int // requests that have the descriptor
	closed bool
	closer *Req // the close that waits for them
}

// join has the close wait for the requests before it, or begin.
func (f *openFile) join(r *Req) bool {
	if f.uses == 0 {
		return true
	}
	f.closer = r
	return false
}

func (f *openFile) leave() {
	if f.uses--; f.uses > 0 || f.closer == nil {
		return
	}
	r := f.closer
	f.closer = nil
	if r.state == reqWaiting {
		r.startFS()
	}
}

func (f *File) call(op int32) *fsCall {
	c := newFSCall(op, f.file.name)
	c.FD, c.files[0] = f.file.fd, f.file
	if f.file.closed {
		c.bad = ErrClosed
	}
	return c
}

func (f *File) fs() FS { return FS{f.file.loop, f.ctx} }

// Name is the path that the file was opened by; "" after OpenFD.
func (f *File) Name() string { return f.file.name }

// Fd is the file's descriptor, which stays the file's.
func (f *File) Fd() uintptr { return uintptr(f.file.fd) }

// WithContext is the same file, whose requests end with ctx, as those of FS.WithContext.
// They copy what they read and write. A close that ctx has ended before it began has not
// closed the file.
func (f *File) WithContext(ctx context.Context) *File { return &File{f.file, ctx} }

// Read reads from the file's position, and moves it; uv_fs_read. done gets 0 and io.EOF
// at the end. p is the request's until done is called.
func (f *File) Read(p []byte, done func(int, error)) *Req {
	return fsBegin(f.fs(), "File.Read", f.call(cbridge.FSRead).at(-1, p), readResult, done)
}

// ReadAt reads from off on, and may bring less than there is; done gets 0 and io.EOF at
// the end. p is the request's until done is called.
func (f *File) ReadAt(p []byte, off int64, done func(int, error)) *Req {
	return fsBegin(f.fs(), "File.ReadAt", f.call(cbridge.FSRead).exactly(off, p), readResult, done)
}

// ReadV is ReadAt into several pieces of memory, at least one; off -1 is the file's
// position.
func (f *File) ReadV(bufs [][]byte, off int64, done func(int, error)) *Req {
	return fsBegin(f.fs(), "File.ReadV", f.call(cbridge.FSRead).at(off, slices.Clone(bufs)...), readResult, done)
}

// Write writes all of p at the file's position, and moves it; uv_fs_write. With an error
// done gets how many bytes were written. p is the request's until done is called.
func (f *File) Write(p []byte, done func(int, error)) *Req {
	c := f.call(cbridge.FSWrite).at(-1, p)
	return fsBegin(f.fs(), "File.Write", c, noResult, written(c, done))
}

// WriteAt is Write at off.
func (f *File) WriteAt(p []byte, off int64, done func(int, error)) *Req {
	c := f.call(cbridge.FSWrite).exactly(off, p)
	return fsBegin(f.fs(), "File.WriteAt", c, noResult, written(c, done))
}

// WriteV is WriteAt of several pieces of memory, at least one; off -1 is the file's
// position.
func (f *File) WriteV(bufs [][]byte, off int64, done func(int, error)) *Req {
	c := f.call(cbridge.FSWrite).at(off, slices.Clone(bufs)...)
	return fsBegin(f.fs(), "File.WriteV", c, noResult, written(c, done))
}

// Stat tells about the file; uv_fs_fstat. Sys of what it tells is a *Stat.
func (f *File) Stat(done func(fs.FileInfo, error)) *Req {
	return fsBegin(f.fs(), "File.Stat", f.call(cbridge.FSFstat), infoResult, done)
}

// Sync brings the file to the disk; uv_fs_fsync.
func (f *File) Sync(done func(error)) *Req {
	return fsBegin(f.fs(), "File.Sync", f.call(cbridge.FSFsync), noResult, without(done))
}

// Datasync brings the file's bytes to the disk; uv_fs_fdatasync.
func (f *File) Datasync(done func(error)) *Req {
	return fsBegin(f.fs(), "File.Datasync", f.call(cbridge.FSFdatasync), noResult, without(done))
}

// Truncate changes the size of the file; uv_fs_ftruncate.
func (f *File) Truncate(size int64, done func(error)) *Req {
	return fsBegin(f.fs(), "File.Truncate", f.call(cbridge.FSFtruncate).size(size), noResult, without(done))
}

// Chmod changes the mode of the file; uv_fs_fchmod.
func (f *File) Chmod(mode fs.FileMode, done func(error)) *Req {
	return fsBegin(f.fs(), "File.Chmod", f.call(cbridge.FSFchmod).mode(mode), noResult, without(done))
}

// Chown changes who owns the file; -1 leaves one; uv_fs_fchown.
func (f *File) Chown(uid, gid int, done func(error)) *Req {
	return fsBegin(f.fs(), "File.Chown", f.call(cbridge.FSFchown).owners(uid, gid), noResult, without(done))
}

// Chtimes sets the times of the file, as FS.Chtimes; uv_fs_futime.
func (f *File) Chtimes(atime, mtime time.Time, done func(error)) *Req {
	return fsBegin(f.fs(), "File.Chtimes", f.call(cbridge.FSFutime).times(atime, mtime), noResult, without(done))
}

// Close closes the file when its requests are over; uv_fs_close. Further requests, and a
// second close, have ErrClosed. A close that was cancelled, or has ENOMEM, has not closed
// the file. Shutdown of the loop lets it close. If the loop is closed already, the file
// is closed at once.
func (f *File) Close(done func(error)) *Req {
	return fsBegin(f.fs(), "File.Close", f.call(cbridge.FSClose), noResult, without(done))
}
