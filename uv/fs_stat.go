//go:build cgo

package uv

// What the system tells about files and file systems.

import (
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// Stat is what is known of a file, uv_stat_t. What the system does not tell is 0.
type Stat struct {
	Dev, Mode, Nlink, UID, GID, Rdev, Ino, Size, BlkSize, Blocks, Flags, Gen uint64
	Atime, Mtime, Ctime, Birthtime                                           time.Time
}

// StatFS is what is known of a file system, uv_statfs_t. FragSize is told by libuv 1.52
// and later, and 0 before.
type StatFS struct {
	Type, BlkSize, Blocks, Free, Available, Files, FreeFiles, FragSize uint64
}

func newStat(s *cbridge.FSStatus) Stat {
	n, t := &s.Numbers, &s.Times
	return Stat{
		Dev: n[0], Mode: n[1], Nlink: n[2], UID: n[3], GID: n[4], Rdev: n[5], Ino: n[6], Size: n[7], BlkSize: n[8], Blocks: n[9],
		Flags: n[10], Gen: n[11],
		Atime: time.Unix(t[0], t[1]), Mtime: time.Unix(t[2], t[3]), Ctime: time.Unix(t[4], t[5]), Birthtime: time.Unix(t[6], t[7]),
	}
}

func statFSResult(_ *fsCall, out *cbridge.FSOut) (StatFS, error) {
	n := &out.Status.Numbers
	return StatFS{n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]}, nil
}

// fileInfo is a fs.FileInfo.
type fileInfo struct {
	name string
	stat Stat
}

// newFileInfo tells about the file at a path.
func newFileInfo(path string, s *cbridge.FSStatus) fs.FileInfo {
	if path != "" {
		path = filepath.Base(path)
	}
	return &fileInfo{path, newStat(s)}
}

func (i *fileInfo) Name() string       { return i.name }
func (i *fileInfo) Size() int64        { return int64(i.stat.Size) }
func (i *fileInfo) ModTime() time.Time { return i.stat.Mtime }
func (i *fileInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i *fileInfo) Sys() any           { return &i.stat }
func (i *fileInfo) String() string     { return fs.FormatFileInfo(i) }

func (i *fileInfo) Mode() fs.FileMode {
	sys := uint32(i.stat.Mode)
	mode := fs.FileMode(sys & 0o777)
	switch sys & syscall.S_IFMT {
	case syscall.S_IFBLK:
		mode |= fs.ModeDevice
	case syscall.S_IFCHR:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case syscall.S_IFDIR:
		mode |= fs.ModeDir
	case syscall.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case syscall.S_IFLNK:
		mode |= fs.ModeSymlink
	case syscall.S_IFSOCK:
		mode |= fs.ModeSocket
	}
	if sys&syscall.S_ISUID != 0 {
		mode |= fs.ModeSetuid
	}
	if sys&syscall.S_ISGID != 0 {
		mode |= fs.ModeSetgid
	}
	if sys&syscall.S_ISVTX != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}
