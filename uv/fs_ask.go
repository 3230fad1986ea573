//go:build cgo

package uv

// What is asked of the file system, made of what the methods of FS and File, FSSync and
// FileSync are given, and checked.

import (
	"io/fs"
	"math"
	"strings"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// SymlinkFlags say what a symbolic link is for, on Windows.
type SymlinkFlags int

// SymlinkDir is a link to a directory, SymlinkJunction a junction.
const (
	SymlinkDir SymlinkFlags = 1 << iota
	SymlinkJunction
)

// CopyFlags say how CopyFile copies.
type CopyFlags int

// CopyExcl is EEXIST if there is a target. CopyFiclone shares the blocks where the file
// system can, CopyFicloneForce fails where it cannot.
const (
	CopyExcl CopyFlags = 1 << iota
	CopyFiclone
	CopyFicloneForce
)

// UTimeNow, as a time of Chtimes, is the kernel's now. It is a mark, compared by ==.
var UTimeNow = time.Date(1, 1, 1, 0, 0, 0, 1, time.FixedZone("now", 0))

// descriptor is one as libuv has it; a number that is none is -1.
func descriptor(fd uintptr) int32 {
	if fd > math.MaxInt32 {
		return -1
	}
	return int32(fd)
}

// sysMode is a mode as the system has it, as package os makes it.
func sysMode(mode fs.FileMode) uint32 {
	m := uint32(mode.Perm())
	for _, bit := range []struct {
		is  fs.FileMode
		sys uint32
	}{{fs.ModeSetuid, syscall.S_ISUID}, {fs.ModeSetgid, syscall.S_ISGID}, {fs.ModeSticky, syscall.S_ISVTX}} {
		if mode&bit.is != 0 {
			m |= bit.sys
		}
	}
	return m
}

func askOpen(path string, flag int, perm fs.FileMode) *fsCall {
	c := pathCall(cbridge.FSOpen, path)
	c.Flags = c.number(flag)
	c.Mode = sysMode(perm)
	return c
}

func askTemp(op int32, template string) *fsCall {
	c := pathCall(op, template)
	c.check(strings.HasSuffix(template, "XXXXXX"))
	return c
}

func askAccess(path string, mode uint) *fsCall {
	c := pathCall(cbridge.FSAccess, path)
	c.check(mode <= 7)
	c.Flags = int32(mode & 7)
	return c
}

func askSymlink(target, path string, flags SymlinkFlags) *fsCall {
	c := twoPathCall(cbridge.FSSymlink, target, path)
	c.name = path
	c.check(flags&^(SymlinkDir|SymlinkJunction) == 0)
	c.Flags = int32(flags)
	return c
}

// askCopy lets libuv copy if there is no target. One that is there libuv would empty, and
// then remove if it cannot copy, so the bridge copies over it.
func askCopy(from, to string, flags CopyFlags) *fsCall {
	c := twoPathCall(cbridge.FSCopyfile, from, to)
	c.check(flags&^(CopyExcl|CopyFiclone|CopyFicloneForce) == 0)
	c.Flags = int32(flags | CopyExcl)
	if flags&CopyExcl == 0 {
		c.follow = (*fsCall).copied
	}
	return c
}

// copied takes in a round of copying.
func (c *fsCall) copied(n int64) error {
	c.again = Errno(n) == EEXIST && c.Op == cbridge.FSCopyfile
	if n >= 0 || c.again {
		c.Op = cbridge.FSCopyOver
		return nil
	}
	return c.failed(Errno(n))
}

func (c *fsCall) owners(uid, gid int) *fsCall {
	c.UID, c.GID = c.id(uid), c.id(gid)
	return c
}

func (c *fsCall) times(atime, mtime time.Time) *fsCall {
	c.Atime, c.Mtime = c.seconds(atime), c.seconds(mtime)
	return c
}

// seconds is a time as libuv has it. A number of seconds with a fraction is seldom a
// double, and libuv cuts what it is given to microseconds, towards 1970: from the middle
// of one it cannot come to the next.
func (c *fsCall) seconds(t time.Time) float64 {
	mark := 0.0
	switch {
	case t == UTimeNow:
		mark = math.Inf(1)
	case t.IsZero():
		mark = math.NaN()
	default:
		s, us := t.Unix(), t.Nanosecond()/1000
		c.check(s > -1<<42 && s < 1<<42) // libuv counts microseconds
		half := 0.5
		switch {
		case us == 0:
			return float64(s)
		case s < 0:
			half = -half
		}
		return float64(s) + (float64(us)+half)/1e6
	}
	if !cbridge.FSMarks() {
		c.refuse(ENOSYS)
	}
	return mark
}

// at is for a read or write of bufs at off; -1 is the position.
func (c *fsCall) at(off int64, bufs ...[]byte) *fsCall {
	c.check(off >= -1 && len(bufs) > 0)
	c.Off, c.bufs = off, bufs
	if c.Op == cbridge.FSWrite {
		c.follow = (*fsCall).written
	}
	return c
}

// from is for a sendfile.
func (c *fsCall) from(fd int32, off, n int64) *fsCall {
	c.check(off >= 0 && n >= 0)
	c.Src, c.Off, c.N = fd, off, uint64(n)
	return c
}

// exactly is at for an offset that is not the position.
func (c *fsCall) exactly(off int64, p []byte) *fsCall {
	c.check(off >= 0)
	return c.at(off, p)
}

func (c *fsCall) size(n int64) *fsCall {
	c.check(n >= 0)
	c.Off = n
	return c
}

func (c *fsCall) mode(mode fs.FileMode) *fsCall {
	c.Mode = sysMode(mode)
	return c
}
