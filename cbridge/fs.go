//go:build cgo

package cbridge

// The file system. Paths that go down end with a NUL byte; nil is none.

/*
#cgo noescape br_fs_begin
#cgo nocallback br_fs_begin
#cgo noescape br_fs_result
#cgo nocallback br_fs_result
#cgo noescape br_fs_now
#cgo nocallback br_fs_now
#cgo noescape br_fs_free
#cgo nocallback br_fs_free
#include "requests.h"
#include <limits.h>
#include <stddef.h>
*/
import "C"

import (
	"iter"
	"unsafe"
)

// What is asked of the file system, uv_fs_type.
const (
	FSOpen      = C.UV_FS_OPEN
	FSClose     = C.UV_FS_CLOSE
	FSRead      = C.UV_FS_READ
	FSWrite     = C.UV_FS_WRITE
	FSSendfile  = C.UV_FS_SENDFILE
	FSStat      = C.UV_FS_STAT
	FSLstat     = C.UV_FS_LSTAT
	FSFstat     = C.UV_FS_FSTAT
	FSFtruncate = C.UV_FS_FTRUNCATE
	FSUtime     = C.UV_FS_UTIME
	FSFutime    = C.UV_FS_FUTIME
	FSAccess    = C.UV_FS_ACCESS
	FSChmod     = C.UV_FS_CHMOD
	FSFchmod    = C.UV_FS_FCHMOD
	FSFsync     = C.UV_FS_FSYNC
	FSFdatasync = C.UV_FS_FDATASYNC
	FSUnlink    = C.UV_FS_UNLINK
	FSRmdir     = C.UV_FS_RMDIR
	FSMkdir     = C.UV_FS_MKDIR
	FSMkdtemp   = C.UV_FS_MKDTEMP
	FSRename    = C.UV_FS_RENAME
	FSScandir   = C.UV_FS_SCANDIR
	FSLink      = C.UV_FS_LINK
	FSSymlink   = C.UV_FS_SYMLINK
	FSReadlink  = C.UV_FS_READLINK
	FSChown     = C.UV_FS_CHOWN
	FSFchown    = C.UV_FS_FCHOWN
	FSRealpath  = C.UV_FS_REALPATH
	FSCopyfile  = C.UV_FS_COPYFILE
	FSLchown    = C.UV_FS_LCHOWN
	FSOpendir   = C.UV_FS_OPENDIR
	FSReaddir   = C.UV_FS_READDIR
	FSClosedir  = C.UV_FS_CLOSEDIR
	FSStatfs    = C.UV_FS_STATFS
	FSMkstemp   = C.UV_FS_MKSTEMP
	FSLutime    = C.UV_FS_LUTIME
	FSCopyOver  = C.BR_FS_COPY_OVER
)

// Limits of the file system's requests.
const (
	PathBytes  = C.PATH_MAX // of a path with its NUL
	DirentsMax = C.BR_DIRENTS_MAX
)

// Flags of a copy and of a symlink.
const (
	CopyExcl         = C.UV_FS_COPYFILE_EXCL
	CopyFiclone      = C.UV_FS_COPYFILE_FICLONE
	CopyFicloneForce = C.UV_FS_COPYFILE_FICLONE_FORCE
	SymlinkDir       = C.UV_FS_SYMLINK_DIR
	SymlinkJunction  = C.UV_FS_SYMLINK_JUNCTION
)

// Kinds of entries, uv_dirent_type_t.
const (
	DirentUnknown = C.UV_DIRENT_UNKNOWN
	DirentFile    = C.UV_DIRENT_FILE
	DirentDir     = C.UV_DIRENT_DIR
	DirentLink    = C.UV_DIRENT_LINK
	DirentFIFO    = C.UV_DIRENT_FIFO
	DirentSocket  = C.UV_DIRENT_SOCKET
	DirentChar    = C.UV_DIRENT_CHAR
	DirentBlock   = C.UV_DIRENT_BLOCK
)

// FSCall is what a request asks, br_fs_call.
type FSCall struct {
	Op, FD, Src, Flags int32
	Mode, UID, GID     uint32
	Off                int64
	N                  uint64
	Atime, Mtime       float64
	Dir                uintptr
}

// FSStatus is a br_stat: the numbers of a uv_stat_t, in its order, or of a uv_statfs_t,
// and times, each as seconds and nanoseconds.
type FSStatus struct {
	Numbers [12]uint64
	Times   [8]int64
}

// FSOut is what came of a request, br_fs_out. Its text is valid until the request is
// freed.
type FSOut struct {
	Result  int64
	text    *byte
	textLen uint64
	Dir     uintptr
	held    unsafe.Pointer
	Status  FSStatus
}

// FSBuf is a piece of memory, uv_buf_t.
type FSBuf struct {
	P *byte
	N uintptr
}

func init() {
	var c FSCall
	var o FSOut
	var b FSBuf
	checkLayout("fs call", unsafe.Sizeof(c), C.sizeof_br_fs_call)
	checkLayout("fs call.off", unsafe.Offsetof(c.Off), unsafe.Offsetof(C.br_fs_call{}.off))
	checkLayout("fs call.dir", unsafe.Offsetof(c.Dir), unsafe.Offsetof(C.br_fs_call{}.dir))
	checkLayout("fs out", unsafe.Sizeof(o), C.sizeof_br_fs_out)
	checkLayout("fs out.held", unsafe.Offsetof(o.held), unsafe.Offsetof(C.br_fs_out{}.held))
	checkLayout("fs out.stat", unsafe.Offsetof(o.Status), unsafe.Offsetof(C.br_fs_out{}.stat))
	checkLayout("buf", unsafe.Sizeof(b), C.sizeof_uv_buf_t)
	checkLayout("buf.n", unsafe.Offsetof(b.N), unsafe.Offsetof(C.uv_buf_t{}.len))
}

// Text is a copy of the path or the entries that a request has brought.
func (o *FSOut) Text() string { return string(unsafe.Slice(o.text, o.textLen)) }

// Entries are the names in the text of a directory, each with its kind.
func Entries(text string) iter.Seq2[byte, string] {
	return func(yield func(byte, string) bool) {
		for i := 0; i < len(text); {
			end := i + 1
			for text[end] != 0 {
				end++
			}
			if !yield(text[i], text[i+1:end]) {
				return
			}
			i = end + 1
		}
	}
}

// FSMemory is memory of a request: a piece, or pieces. It must be pinned.
type FSMemory struct {
	One  []byte
	Many []FSBuf
}

// c is what the bridge is given. Of a pointer to char cgo does not look what it points
// to.
func (m FSMemory) c(call *FSCall) (*C.char, C.uint) {
	if m.Many != nil {
		return (*C.char)(unsafe.Pointer(unsafe.SliceData(m.Many))), C.uint(len(m.Many))
	}
	if m.One != nil {
		call.N = uint64(len(m.One))
	}
	return chars(m.One), 0
}

// FSBegin begins a request; RecDone follows if the code is 0.
func (l *Loop) FSBegin(call *FSCall, path, to []byte, m FSMemory) (uint64, int) {
	var id C.uint64_t
	p, n := m.c(call)
	code := C.br_fs_begin(l.c, (*C.br_fs_call)(unsafe.Pointer(call)), chars(path), chars(to), p, n, &id)
	return uint64(id), int(code)
}

// FSResult is the result of a request whose RecDone has come, valid until the next one.
func (l *Loop) FSResult(id uint64) *FSOut {
	C.br_fs_result(l.c, C.uint64_t(id), (*C.br_fs_out)(unsafe.Pointer(&l.out)))
	return &l.out
}

// FSNow does a request at once, and blocks; take is given what came of it. Any goroutine.
func FSNow(call *FSCall, path, to []byte, m FSMemory, take func(*FSOut)) {
	var out FSOut
	p, n := m.c(call)
	C.br_fs_now((*C.br_fs_call)(unsafe.Pointer(call)), chars(path), chars(to), p, n, (*C.br_fs_out)(unsafe.Pointer(&out)))
	take(&out)
	if out.held != nil {
		C.br_fs_free(out.held)
	}
}

// FSMarks reports whether times may be marks: infinity for now, and NaN for none.
func FSMarks() bool { return C.br_fs_marks() != 0 }
