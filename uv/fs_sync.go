//go:build cgo

package uv

// The file system without a loop: FSSync asks as FS does, on the goroutine that calls,
// and blocks it.

import (
	"io/fs"
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// FSSync is the file system without a loop: its methods are those of FS, block, and
// return what done of those gets. Any goroutine.
type FSSync struct{}

// OpenFD is the file of a descriptor that the caller has opened. It takes ownership.
func (FSSync) OpenFD(fd uintptr) *FileSync { return fileSync(descriptor(fd), "") }

// Open opens a file, as FS.Open.
func (FSSync) Open(path string, flag int, perm fs.FileMode) (*FileSync, error) {
	return fsNow(askOpen(path, flag, perm), func(c *fsCall, out *cbridge.FSOut) (*FileSync, error) {
		return fileSync(int32(out.Result), c.name), nil
	})
}

// Stat tells about a file, as FS.Stat.
func (FSSync) Stat(path string) (fs.FileInfo, error) {
	return fsNow(pathCall(cbridge.FSStat, path), infoResult)
}

// Lstat is Stat that does not follow a symbolic link.
func (FSSync) Lstat(path string) (fs.FileInfo, error) {
	return fsNow(pathCall(cbridge.FSLstat, path), infoResult)
}

// ReadDir reads a directory, as FS.ReadDir.
func (FSSync) ReadDir(path string) ([]fs.DirEntry, error) {
	return fsNow(pathCall(cbridge.FSScandir, path), sortedResult)
}

// OpenDir opens a directory, which is read in pieces.
func (FSSync) OpenDir(path string) (*DirSync, error) {
	return fsNow(pathCall(cbridge.FSOpendir, path), func(c *fsCall, out *cbridge.FSOut) (*DirSync, error) {
		return &DirSync{c: out.Dir, name: c.name}, nil
	})
}

// Mkdir makes a directory.
func (FSSync) Mkdir(path string, perm fs.FileMode) error {
	return fsDo(pathCall(cbridge.FSMkdir, path).mode(perm))
}

// MkdirTemp makes a directory with a name of its own, as FS.MkdirTemp.
func (FSSync) MkdirTemp(template string) (string, error) {
	return fsNow(askTemp(cbridge.FSMkdtemp, template), textResult)
}

// CreateTemp makes a file with a name of its own, as FS.CreateTemp.
func (FSSync) CreateTemp(template string) (*FileSync, error) {
	return fsNow(askTemp(cbridge.FSMkstemp, template), func(_ *fsCall, out *cbridge.FSOut) (*FileSync, error) {
		return fileSync(int32(out.Result), out.Text()), nil
	})
}

// Remove removes a file.
func (FSSync) Remove(path string) error { return fsDo(pathCall(cbridge.FSUnlink, path)) }

// Rmdir removes an empty directory.
func (FSSync) Rmdir(path string) error { return fsDo(pathCall(cbridge.FSRmdir, path)) }

// Rename gives a file another name, in place of the file that had it.
func (FSSync) Rename(from, to string) error { return fsDo(twoPathCall(cbridge.FSRename, from, to)) }

// Link gives a file a second name.
func (FSSync) Link(from, to string) error { return fsDo(twoPathCall(cbridge.FSLink, from, to)) }

// Symlink makes a symbolic link at path, as FS.Symlink.
func (FSSync) Symlink(target, path string, flags SymlinkFlags) error {
	return fsDo(askSymlink(target, path, flags))
}

// Readlink tells the target of a symbolic link.
func (FSSync) Readlink(path string) (string, error) {
	return fsNow(pathCall(cbridge.FSReadlink, path), textResult)
}

// Realpath tells the absolute path without symbolic links.
func (FSSync) Realpath(path string) (string, error) {
	return fsNow(pathCall(cbridge.FSRealpath, path), textResult)
}

// CopyFile copies a file, as FS.CopyFile.
func (FSSync) CopyFile(from, to string, flags CopyFlags) error {
	return fsDo(askCopy(from, to, flags))
}

// Access asks whether this process may use a file, as FS.Access.
func (FSSync) Access(path string, mode uint) error { return fsDo(askAccess(path, mode)) }

// Chmod changes the mode of a file.
func (FSSync) Chmod(path string, mode fs.FileMode) error {
	return fsDo(pathCall(cbridge.FSChmod, path).mode(mode))
}

// Chown changes who owns a file; -1 leaves one.
func (FSSync) Chown(path string, uid, gid int) error {
	return fsDo(pathCall(cbridge.FSChown, path).owners(uid, gid))
}

// Lchown is Chown that does not follow a symbolic link.
func (FSSync) Lchown(path string, uid, gid int) error {
	return fsDo(pathCall(cbridge.FSLchown, path).owners(uid, gid))
}

// Chtimes sets the times of a file, as FS.Chtimes.
func (FSSync) Chtimes(path string, atime, mtime time.Time) error {
	return fsDo(pathCall(cbridge.FSUtime, path).times(atime, mtime))
}

// Lchtimes is Chtimes that does not follow a symbolic link.
func (FSSync) Lchtimes(path string, atime, mtime time.Time) error {
	return fsDo(pathCall(cbridge.FSLutime, path).times(atime, mtime))
}

// StatFS tells about the file system that a path is on.
func (FSSync) StatFS(path string) (StatFS, error) {
	return fsNow(pathCall(cbridge.FSStatfs, path), statFSResult)
}

// SendFile has the kernel copy n bytes of one file to another, as FS.SendFile.
func (FSSync) SendFile(dst, src *FileSync, off, n int64) (int64, error) {
	if err := src.enter(); err != nil {
		return 0, err
	}
	defer src.leave()
	return fileNow(dst, dst.call(cbridge.FSSendfile).from(src.fd, off, n), countResult)
}

// fsDo is fsNow of what brings nothing.
func fsDo(c *fsCall) error {
	_, err := fsNow(c, noResult)
	return err
}
