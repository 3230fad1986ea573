//go:build cgo

package uv

// FS: the requests about paths. What they ask is made and checked in fs_ask.go, and runs
// as fs_call.go tells.

import (
	"context"
	"io/fs"
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// FS is the file system, asynchronous, on libuv's pool of threads: the uv_fs_* functions.
// What waits for a thread can be cancelled.
//
// What is wrong with a call comes through its done, as an *Error whose Addr is the path,
// of two the first; with a closed loop done does not come, and ErrClosed is what Cancel
// of the request says. done may be nil, and what was opened is then closed. It is called
// in a later turn.
type FS struct {
	loop *Loop
	ctx  context.Context
}

// FS is the file system by this loop.
func (l *Loop) FS() FS { return FS{l, context.Background()} }

// WithContext is the file system whose requests end with ctx. done then gets the cause;
// what has not begun is cancelled, what runs is left to itself and its result freed: what
// was opened is closed, a temporary file or directory removed. A File or Dir that is
// opened so does not end with ctx.
func (f FS) WithContext(ctx context.Context) FS { return FS{f.loop, ctx} }

// OpenFD is the file of a descriptor that the caller has opened. It takes ownership.
func (f FS) OpenFD(fd uintptr) *File { return f.file(descriptor(fd), "") }

func (f FS) file(fd int32, name string) *File {
	return &File{&openFile{loop: f.loop, fd: fd, name: name}, context.Background()}
}

func (f FS) opened(c *fsCall, out *cbridge.FSOut) (*File, error) {
	return f.file(int32(out.Result), c.name), nil
}

// Open opens a file; uv_fs_open. flag is package os's, such as os.O_RDWR|os.O_CREATE. The
// descriptor is closed on exec.
func (f FS) Open(path string, flag int, perm fs.FileMode, done func(*File, error)) *Req {
	return fsBegin(f, "FS.Open", askOpen(path, flag, perm), f.opened, done)
}

// Stat tells about a file; uv_fs_stat. Sys of what it tells is a *Stat.
func (f FS) Stat(path string, done func(fs.FileInfo, error)) *Req {
	return fsBegin(f, "FS.Stat", pathCall(cbridge.FSStat, path), infoResult, done)
}

// Lstat is Stat that does not follow a symbolic link; uv_fs_lstat.
func (f FS) Lstat(path string, done func(fs.FileInfo, error)) *Req {
	return fsBegin(f, "FS.Lstat", pathCall(cbridge.FSLstat, path), infoResult, done)
}

// ReadDir reads a directory, by name, without "." and ".."; uv_fs_scandir. Info of an
// entry is a synchronous Lstat. The slice is the callback's to keep.
func (f FS) ReadDir(path string, done func([]fs.DirEntry, error)) *Req {
	return fsBegin(f, "FS.ReadDir", pathCall(cbridge.FSScandir, path), sortedResult, done)
}

// OpenDir opens a directory, which is read in pieces; uv_fs_opendir.
func (f FS) OpenDir(path string, done func(*Dir, error)) *Req {
	opened := func(c *fsCall, out *cbridge.FSOut) (*Dir, error) {
		return &Dir{openDir{loop: f.loop, c: out.Dir, name: c.name}}, nil
	}
	return fsBegin(f, "FS.OpenDir", pathCall(cbridge.FSOpendir, path), opened, done)
}

// Mkdir makes a directory; uv_fs_mkdir.
func (f FS) Mkdir(path string, perm fs.FileMode, done func(error)) *Req {
	return fsBegin(f, "FS.Mkdir", pathCall(cbridge.FSMkdir, path).mode(perm), noResult, without(done))
}

// MkdirTemp makes a directory with a name of its own and tells its path; uv_fs_mkdtemp.
// The template ends in XXXXXX, else EINVAL.
func (f FS) MkdirTemp(template string, done func(string, error)) *Req {
	return fsBegin(f, "FS.MkdirTemp", askTemp(cbridge.FSMkdtemp, template), textResult, done)
}

// CreateTemp makes a file with a name of its own, which Name tells, and opens it;
// uv_fs_mkstemp. The template ends in XXXXXX, else EINVAL.
func (f FS) CreateTemp(template string, done func(*File, error)) *Req {
	opened := func(_ *fsCall, out *cbridge.FSOut) (*File, error) { return f.file(int32(out.Result), out.Text()), nil }
	return fsBegin(f, "FS.CreateTemp", askTemp(cbridge.FSMkstemp, template), opened, done)
}

// Remove removes a file; uv_fs_unlink.
func (f FS) Remove(path string, done func(error)) *Req {
	return fsBegin(f, "FS.Remove", pathCall(cbridge.FSUnlink, path), noResult, without(done))
}

// Rmdir removes an empty directory; uv_fs_rmdir.
func (f FS) Rmdir(path string, done func(error)) *Req {
	return fsBegin(f, "FS.Rmdir", pathCall(cbridge.FSRmdir, path), noResult, without(done))
}

// Rename gives a file another name, in place of the file that had it; uv_fs_rename.
func (f FS) Rename(from, to string, done func(error)) *Req {
	return fsBegin(f, "FS.Rename", twoPathCall(cbridge.FSRename, from, to), noResult, without(done))
}

// Link gives a file a second name; uv_fs_link.
func (f FS) Link(from, to string, done func(error)) *Req {
	return fsBegin(f, "FS.Link", twoPathCall(cbridge.FSLink, from, to), noResult, without(done))
}

// Symlink makes a symbolic link at path; uv_fs_symlink. The flags are for Windows. The
// path of an error is the link's.
func (f FS) Symlink(target, path string, flags SymlinkFlags, done func(error)) *Req {
	return fsBegin(f, "FS.Symlink", askSymlink(target, path, flags), noResult, without(done))
}

// Readlink tells the target of a symbolic link; uv_fs_readlink.
func (f FS) Readlink(path string, done func(string, error)) *Req {
	return fsBegin(f, "FS.Readlink", pathCall(cbridge.FSReadlink, path), textResult, done)
}

// Realpath tells the absolute path without symbolic links; uv_fs_realpath.
func (f FS) Realpath(path string, done func(string, error)) *Req {
	return fsBegin(f, "FS.Realpath", pathCall(cbridge.FSRealpath, path), textResult, done)
}

// CopyFile copies a file; uv_fs_copyfile. A target that it has made and cannot finish is
// removed. One that was there stays, as far as it was written, and untouched if there is
// nothing to copy. The error is EISDIR for a directory.
func (f FS) CopyFile(from, to string, flags CopyFlags, done func(error)) *Req {
	return fsBegin(f, "FS.CopyFile", askCopy(from, to, flags), noResult, without(done))
}

// Access asks whether this process may read (4), write (2) or execute (1) a file, or
// whether there is one (0); uv_fs_access.
func (f FS) Access(path string, mode uint, done func(error)) *Req {
	return fsBegin(f, "FS.Access", askAccess(path, mode), noResult, without(done))
}

// Chmod changes the mode of a file; uv_fs_chmod.
func (f FS) Chmod(path string, mode fs.FileMode, done func(error)) *Req {
	return fsBegin(f, "FS.Chmod", pathCall(cbridge.FSChmod, path).mode(mode), noResult, without(done))
}

// Chown changes who owns a file; -1 leaves one; uv_fs_chown.
func (f FS) Chown(path string, uid, gid int, done func(error)) *Req {
	return fsBegin(f, "FS.Chown", pathCall(cbridge.FSChown, path).owners(uid, gid), noResult, without(done))
}

// Lchown is Chown that does not follow a symbolic link; uv_fs_lchown.
func (f FS) Lchown(path string, uid, gid int, done func(error)) *Req {
	return fsBegin(f, "FS.Lchown", pathCall(cbridge.FSLchown, path).owners(uid, gid), noResult, without(done))
}

// Chtimes sets the times of a file's last access and change; uv_fs_utime. They are exact
// to the microsecond until the year 2255. From libuv 1.51 on the zero Time leaves one as
// it is, and UTimeNow is the kernel's now; before, they are ErrNotSupported.
func (f FS) Chtimes(path string, atime, mtime time.Time, done func(error)) *Req {
	return fsBegin(f, "FS.Chtimes", pathCall(cbridge.FSUtime, path).times(atime, mtime), noResult, without(done))
}

// Lchtimes is Chtimes that does not follow a symbolic link; uv_fs_lutime.
func (f FS) Lchtimes(path string, atime, mtime time.Time, done func(error)) *Req {
	return fsBegin(f, "FS.Lchtimes", pathCall(cbridge.FSLutime, path).times(atime, mtime), noResult, without(done))
}

// StatFS tells about the file system that a path is on; uv_fs_statfs.
func (f FS) StatFS(path string, done func(StatFS, error)) *Req {
	return fsBegin(f, "FS.StatFS", pathCall(cbridge.FSStatfs, path), statFSResult, done)
}

// SendFile has the kernel copy n bytes from off on of one file to the position of
// another; uv_fs_sendfile. They may be fewer. The name of an error is that of dst.
func (f FS) SendFile(dst, src *File, off, n int64, done func(int64, error)) *Req {
	c := dst.call(cbridge.FSSendfile).from(src.file.fd, off, n)
	if src.file.closed && c.bad == nil {
		c.bad = ErrClosed
	}
	c.files[1] = src.file
	return fsBegin(f, "FS.SendFile", c, countResult, done)
}
