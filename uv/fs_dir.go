//go:build cgo

package uv

// Directories that are read in pieces, and what is found in directories.

import (
	"context"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// Dir is an open directory. It is not closed by being dropped. Its requests are done in
// order, one after the other. Their errors are as those of FS.
type Dir struct{ dir openDir }

type openDir struct {
	loop   *Loop
	c      uintptr
	name   string
	busy   bool
	closed bool
	queue  []*Req // those that wait, and some that do not any more
}

// join has the request wait for those before it, or begin.
func (d *openDir) join(r *Req) bool {
	if d.busy {
		d.queue = append(d.queue, r)
		return false
	}
	d.busy = true
	return true
}

func (d *openDir) leave() {
	d.busy = false
	for len(d.queue) > 0 && !d.busy {
		r := d.queue[0]
		d.queue = d.queue[1:]
		if r.state == reqWaiting {
			d.busy = true
			r.startFS()
		}
	}
}

func (d *Dir) call(op int32) *fsCall {
	c := newFSCall(op, d.dir.name)
	c.dir, c.Dir = &d.dir, d.dir.c
	if d.dir.closed {
		c.bad = ErrClosed
	}
	return c
}

func (d *Dir) fs() FS { return FS{d.dir.loop, context.Background()} }

// Read brings the next entries, at most n > 0, in the system's order, without "." and
// ".."; uv_fs_readdir. done gets none and io.EOF at the end. The slice is the callback's
// to keep. No read brings more than 65,536.
func (d *Dir) Read(n int, done func([]fs.DirEntry, error)) *Req {
	return fsBegin(d.fs(), "Dir.Read", d.call(cbridge.FSReaddir).entries(n), entriesResult, done)
}

// Close closes the directory, as File.Close; uv_fs_closedir.
func (d *Dir) Close(done func(error)) *Req {
	return fsBegin(d.fs(), "Dir.Close", d.call(cbridge.FSClosedir), noResult, without(done))
}

// entries is for a read of a directory.
func (c *fsCall) entries(n int) *fsCall {
	c.check(n > 0)
	c.N = uint64(max(1, min(n, cbridge.DirentsMax)))
	return c
}

func entriesResult(c *fsCall, out *cbridge.FSOut) ([]fs.DirEntry, error) {
	if out.Result == 0 {
		return nil, io.EOF
	}
	return entriesOf(c, out), nil
}

func sortedResult(c *fsCall, out *cbridge.FSOut) ([]fs.DirEntry, error) {
	list := entriesOf(c, out)
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

func entriesOf(c *fsCall, out *cbridge.FSOut) []fs.DirEntry {
	list := make([]fs.DirEntry, 0, out.Result)
	dir := strings.TrimSuffix(c.name, "/") + "/"
	for kind, name := range cbridge.Entries(out.Text()) {
		e := &dirEntry{dir: dir, name: name}
		if kind == cbridge.DirentUnknown { // some file systems do not tell
			if info, err := e.Info(); err == nil {
				e.typ = info.Mode().Type()
			}
		} else {
			e.typ = entryTypes[kind]
		}
		list = append(list, e)
	}
	return list
}

var entryTypes = [...]fs.FileMode{
	cbridge.DirentFile:   0,
	cbridge.DirentDir:    fs.ModeDir,
	cbridge.DirentLink:   fs.ModeSymlink,
	cbridge.DirentFIFO:   fs.ModeNamedPipe,
	cbridge.DirentSocket: fs.ModeSocket,
	cbridge.DirentChar:   fs.ModeDevice | fs.ModeCharDevice,
	cbridge.DirentBlock:  fs.ModeDevice,
}

// dirEntry is a fs.DirEntry.
type dirEntry struct {
	dir, name string // dir ends with a slash
	typ       fs.FileMode
}

func (e *dirEntry) Name() string               { return e.name }
func (e *dirEntry) IsDir() bool                { return e.typ.IsDir() }
func (e *dirEntry) Type() fs.FileMode          { return e.typ }
func (e *dirEntry) Info() (fs.FileInfo, error) { return FSSync{}.Lstat(e.dir + e.name) }
func (e *dirEntry) String() string             { return fs.FormatDirEntry(e) }
