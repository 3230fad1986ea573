package asyncio

// Files that a task awaits. asyncio has none, so names, flags and errors are those of
// package os, with a context first. What is not here, such as os.Chmod or os.RemoveAll, a
// task calls by ToThread.
//
//	state    moves to         by
//	opening  open             OpenFile's goroutine
//	         given up         OpenFile was cancelled; the loop closes
//	open     closing          Close; the File was dropped
//	         given up         the loop closes
//	closing  closed           the descriptor is closed, and the last call has ended
//
// A file that is given up is closed at once, or when it arrives.
//
// Calls that use the file's position, which are Read, Write and Seek, form a line. The
// rest run side by side, as the system has it.

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// File is an open file: os.File for tasks. Its methods are for tasks of the loop that has
// opened it, of which several may use it at once: calls of Read, Write and Seek are made
// one after the other, in the order in which they were begun; all others run side by
// side. At most 32 calls on files of a loop run at a time, and the others wait: a file
// that makes its callers wait, such as a named pipe or a terminal, keeps places from
// others; see Loop.ConnectReadPipe for those.
//
// Close it in the end. One that is dropped is closed once the garbage collector finds it,
// and one that is open when its loop closes, by the loop; a warning tells of the first,
// and in debug mode of both.
type File struct{ o *openFile }

// openFile is what is behind a File.
type openFile struct {
	loop     *Loop
	name     string
	position Lock // held by the call that uses the file's position
	calls    int  // that have not ended; the closing is one
	closing  bool
	closed   waitPoint // the task in Close
	err      error     // of the closing
	at       ownedPlace

	mu      sync.Mutex
	file    proactor.File // under mu, until the file is open
	givenUp bool          // under mu
}

// Open opens a file for reading: os.Open.
// Suspends. Cancelled: as OpenFile.
func Open(ctx context.Context, name string) (*File, error) {
	return OpenFile(ctx, name, os.O_RDONLY, 0)
}

// Create makes a file, or empties the one that is there, and opens it for reading and
// writing: os.Create.
// Suspends. Cancelled: as OpenFile.
func Create(ctx context.Context, name string) (*File, error) {
	return OpenFile(ctx, name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenFile opens a file: os.OpenFile. flag and perm are those of package os. The error is
// a *fs.PathError. It is for a task.
// Suspends. Cancelled: a file that was opened nevertheless is closed; it may have been
// made, or emptied.
func OpenFile(ctx context.Context, name string, flag int, perm fs.FileMode) (*File, error) {
	a, err := enterFiles(ctx, "OpenFile")
	if err != nil {
		return nil, err
	}
	l := a.task.loop
	o := &openFile{loop: l, name: name}
	l.owned.add(o)
	files := l.pro.FileSystem()
	_, left, err := callFiles(a, nil, func(*fileCall) (None, error) {
		f, err := files.OpenFile(name, flag, perm)
		if err == nil {
			o.arrived(f)
		}
		return None{}, err
	})
	if left != nil || err != nil {
		l.owned.remove(o)
		if f := o.giveUp(); f != nil {
			l.pro.Work(func() { _ = f.Close() })
		}
		return nil, cmp.Or(left, err)
	}
	f := &File{o}
	runtime.SetFinalizer(f, (*File).dropped)
	return f, nil
}

// arrived takes the file that was opened. Any goroutine may call it.
func (o *openFile) arrived(f proactor.File) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.file = f
	if o.givenUp {
		_ = f.Close() // nobody has written to it
	}
}

// giveUp returns what is to be closed; nil: nothing is, or arrived will.
func (o *openFile) giveUp() proactor.File {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.givenUp = true
	return o.file
}

func (o *openFile) place() *ownedPlace { return &o.at }

// String is for logs.
func (o *openFile) String() string { return fmt.Sprintf("<file %s>", o.name) }

// abandon closes the file with its loop.
func (o *openFile) abandon(l *Loop) {
	f := o.giveUp()
	if f == nil || o.closing {
		return
	}
	l.warnUnclosed(o, "File")
	_ = f.Close() // the loop has nobody to tell
}

func (f *File) dropped() { f.o.loop.post((*droppedFile)(f.o)) }

// droppedFile is a file whose File the garbage collector has found.
type droppedFile openFile

func (d *droppedFile) run(l *Loop) {
	o := (*openFile)(d)
	if !o.closing {
		l.log().Warn("unclosed File: it was dropped, and is closed now; call Close", "file", o.name)
		o.close()
	}
}

// fileMethod is a method of File.
type fileMethod struct {
	name  string
	op    string // as package os names it
	moves bool   // it uses the file's position
}

var (
	fileRead     = fileMethod{"File.Read", "read", true}
	fileReadAt   = fileMethod{"File.ReadAt", "read", false}
	fileWrite    = fileMethod{"File.Write", "write", true}
	fileWriteAt  = fileMethod{"File.WriteAt", "write", false}
	fileSeek     = fileMethod{"File.Seek", "seek", true}
	fileStat     = fileMethod{"File.Stat", "stat", false}
	fileSync     = fileMethod{"File.Sync", "sync", false}
	fileTruncate = fileMethod{"File.Truncate", "truncate", false}
)

// onFile makes a call on the file.
func onFile[T any](ctx context.Context, f *File, m *fileMethod, fn func(c *fileCall, file proactor.File) (T, error)) (T, error) {
	var zero T
	o := f.o
	a, err := o.loop.enterOn(ctx, m.name)
	if err == nil && m.moves && !o.position.take() {
		err = o.position.acquire(a)
	}
	if err != nil {
		return zero, err
	}
	o.calls++
	ended := func() {
		if m.moves {
			o.position.Release()
		}
		o.ended()
	}
	if o.closing {
		ended()
		return zero, &fs.PathError{Op: m.op, Path: o.name, Err: fs.ErrClosed}
	}
	v, left, err := callFiles(a, ended, func(c *fileCall) (T, error) { return fn(c, o.file) })
	runtime.KeepAlive(f)
	return v, cmp.Or(left, err)
}

// ended notes that one of the calls is over.
func (o *openFile) ended() {
	o.calls--
	if o.closing && o.calls == 0 {
		o.loop.owned.remove(o)
		o.closed.wake(nil)
	}
}

// Name is the name that the file was opened by: os.File.Name.
func (f *File) Name() string { return f.o.name }

// Read reads from the file's position and moves it: os.File.Read. It reads at most 256
// KiB at a time; at the end it returns 0 and io.EOF.
// Suspends. Cancelled: if it has begun, the position moves, and what was read is lost.
func (f *File) Read(ctx context.Context, p []byte) (int, error) {
	return onFile(ctx, f, &fileRead, func(c *fileCall, file proactor.File) (int, error) {
		return c.readInto(p, true, func(b []byte, _ int) (int, error) { return file.Read(b) })
	})
}

// ReadAt reads from an offset and leaves the position alone: os.File.ReadAt. With fewer
// bytes than p has there is an error, io.EOF at the end of the file.
// Suspends. Cancelled: nothing is lost.
func (f *File) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	return onFile(ctx, f, &fileReadAt, func(c *fileCall, file proactor.File) (int, error) {
		return c.readInto(p, false, func(b []byte, at int) (int, error) { return file.ReadAt(b, off+int64(at)) })
	})
}

// Write writes all of p at the file's position and moves it: os.File.Write. More than 256
// KiB are written in pieces of so much. With fewer bytes than p has there is an error.
// Suspends. Cancelled: if it has begun, all of p, or a part of it, may be written.
func (f *File) Write(ctx context.Context, p []byte) (int, error) {
	return onFile(ctx, f, &fileWrite, func(c *fileCall, file proactor.File) (int, error) {
		return c.writeFrom(p, func(b []byte, _ int) (int, error) { return file.Write(b) })
	})
}

// WriteAt writes all of p at an offset and leaves the position alone: os.File.WriteAt.
// Suspends. Cancelled: as Write.
func (f *File) WriteAt(ctx context.Context, p []byte, off int64) (int, error) {
	return onFile(ctx, f, &fileWriteAt, func(c *fileCall, file proactor.File) (int, error) {
		return c.writeFrom(p, func(b []byte, at int) (int, error) { return file.WriteAt(b, off+int64(at)) })
	})
}

// Seek sets the file's position and returns it: os.File.Seek. whence is one of package
// io's.
// Suspends. Cancelled: if it has begun, the position is set.
func (f *File) Seek(ctx context.Context, offset int64, whence int) (int64, error) {
	return onFile(ctx, f, &fileSeek, func(_ *fileCall, file proactor.File) (int64, error) { return file.Seek(offset, whence) })
}

// Stat describes the file: os.File.Stat.
// Suspends. Cancelled: nothing is lost.
func (f *File) Stat(ctx context.Context) (fs.FileInfo, error) {
	return onFile(ctx, f, &fileStat, func(_ *fileCall, file proactor.File) (fs.FileInfo, error) { return file.Stat() })
}

// Sync waits until what was written is on the disk: os.File.Sync.
// Suspends. Cancelled: if it has begun, the disk goes on, and whether it failed is lost.
func (f *File) Sync(ctx context.Context) error {
	_, err := onFile(ctx, f, &fileSync, func(_ *fileCall, file proactor.File) (None, error) { return None{}, file.Sync() })
	return err
}

// Truncate sets the size of the file, and leaves the position alone: os.File.Truncate.
// Suspends. Cancelled: if it has begun, the size is set.
func (f *File) Truncate(ctx context.Context, size int64) error {
	_, err := onFile(ctx, f, &fileTruncate, func(_ *fileCall, file proactor.File) (None, error) { return None{}, file.Truncate(size) })
	return err
}

// Close closes the file: os.File.Close. Calls that run end as they would, and Close waits
// for them; those that have not begun, and later ones, are fs.ErrClosed. So is a second
// Close. The error may be that of an earlier Write, as where a disk is across the
// network. Where ctx, derived by the caller, has ended before, the file is closed too.
// Suspends. Cancelled: the file is closed nevertheless, and the error is lost.
func (f *File) Close(ctx context.Context) error {
	o := f.o
	a, err := o.loop.enterOn(ctx, "File.Close")
	if err != nil && (a.foreign == nil || a.task.loop != o.loop || !a.task.runsHere()) {
		return err
	}
	if o.closing {
		return &fs.PathError{Op: "close", Path: o.name, Err: fs.ErrClosed}
	}
	runtime.SetFinalizer(f, nil)
	o.close()
	if err == nil {
		err = o.closed.wait(a)
	}
	if err != nil {
		return err
	}
	return o.err
}

// close begins to close the file.
func (o *openFile) close() {
	o.closing = true
	o.calls++
	o.loop.counters.pending++
	c := &fileClosing{o: o}
	_ = o.loop.fileCalls().closing.submit(c.work, o.loop.pro) // which is never shut down
}

// fileClosing is the closing of a file.
type fileClosing struct {
	o   *openFile
	err error
}

func (c *fileClosing) work() {
	c.err = c.o.file.Close()
	c.o.loop.post(c)
}

func (c *fileClosing) run(l *Loop) {
	l.counters.pending--
	c.o.err = c.err
	c.o.ended()
}
