//go:build cgo

package uv_test

import (
	"context"
	"io/fs"
	"math"
	"os"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/uv"
)

// path is one below the sequence's directory that may be there, or one that cannot be.
func (m *machine) path() string {
	return []string{m.dir + "/a", m.dir + "/b", m.dir + "/d", m.dir + "/d/e", m.dir, m.dir + "/XXXXXX", "", "a\x00b", "/nosuch/a"}[m.next()%9]
}

func (m *machine) makeWatch() uv.Handle {
	if m.next()%2 == 0 {
		return made(m.l.NewFSEvent())
	}
	return made(m.l.NewFSPoll())
}

func (m *machine) fsEvent(e *uv.FSEvent) {
	switch m.next() % 8 {
	case 0, 1, 2:
		var cb func(string, uv.FSEvents, error)
		if m.next()%8 != 0 {
			cb = func(string, uv.FSEvents, error) { m.inside() }
		}
		e.Start(m.path(), uv.FSEventFlags(max(0, m.next()%24-16)), cb)
	case 3:
		e.Stop()
	case 4:
		e.Path()
		e.Fd()
	default:
		m.change()
	}
}

func (m *machine) fsPoll(p *uv.FSPoll) {
	switch m.next() % 8 {
	case 0, 1, 2:
		var cb func(_, _ fs.FileInfo, _ error)
		if m.next()%8 != 0 {
			cb = func(_, _ fs.FileInfo, _ error) { m.inside() }
		}
		p.Start(m.path(), time.Duration(m.next()%4-1)*time.Millisecond, cb)
	case 3:
		p.Stop()
	case 4:
		p.Path()
	default:
		m.change()
	}
}

// change changes what may be watched, by package os.
func (m *machine) change() {
	a, b := []string{"/a", "/b", "/d", "/d/e"}[m.next()%4], []string{"/a", "/b", "/d", "/d/e"}[m.next()%4]
	switch m.next() % 8 {
	case 0, 1, 2:
		os.WriteFile(m.dir+a, make([]byte, m.next()), 0o600)
	case 3:
		os.Remove(m.dir + a)
	case 4:
		os.Mkdir(m.dir+a, 0o700)
	case 5, 6:
		os.Rename(m.dir+a, m.dir+b)
	case 7:
		os.RemoveAll(m.dir + a)
	}
}

// fileRequest begins a request about a path, or about what is open.
func (m *machine) fileRequest() *uv.Req {
	ctx := context.Background()
	if m.next()%4 == 0 {
		with, cancel := context.WithCancel(ctx)
		ctx = with
		if m.next()%2 == 0 {
			cancel()
		} else {
			defer cancel()
		}
	}
	switch m.next() % 4 {
	case 0:
		return m.opens(m.l.FS().WithContext(ctx))
	case 1:
		return m.pathRequest(m.l.FS().WithContext(ctx))
	case 2:
		m.filesAtOnce()
		return nil
	}
	if len(m.files) > 0 && m.next()%4 != 0 {
		return m.openRequest(m.files[m.next()%len(m.files)].WithContext(ctx))
	}
	if len(m.dirs) == 0 {
		return nil
	}
	d, f := m.dirs[m.next()%len(m.dirs)], m.told("Dir")
	if m.next()%4 == 0 {
		return d.Close(f)
	}
	return d.Read(m.next()-1, func(_ []fs.DirEntry, err error) { f(err) })
}

// told is a callback that must come once, but on a loop that is closed.
func (m *machine) told(call string) func(error) {
	f, begun := m.once(call)
	m.begins = append(m.begins, begun)
	return f
}

// beginFiles begins such a request.
func (m *machine) beginFiles() *uv.Req {
	var err error
	if m.closed {
		err = uv.ErrClosed
	}
	begins := len(m.begins)
	r := m.fileRequest()
	for _, begun := range m.begins[begins:] {
		begun(err)
	}
	m.begins = m.begins[:begins]
	return r
}

func (m *machine) keepFile(f *uv.File, err error) {
	if (f == nil) == (err == nil) {
		panic("a file and an error, or neither")
	}
	if f != nil {
		f.Name()
		f.Fd()
		m.files = append(m.files, f)
		if m.ending {
			f.Close(nil)
		}
	}
}

// opens begins a request that opens something.
func (m *machine) opens(f uv.FS) *uv.Req {
	switch m.next() % 4 {
	case 0, 1:
		told := m.told("FS.Open")
		flag := []int{os.O_RDONLY, os.O_RDWR | os.O_CREATE, os.O_WRONLY | os.O_CREATE | os.O_EXCL, os.O_RDWR | os.O_APPEND, -1}[m.next()%5]
		return f.Open(m.path(), flag, 0o600, func(file *uv.File, err error) {
			m.keepFile(file, err)
			told(err)
		})
	case 2:
		told := m.told("FS.CreateTemp")
		return f.CreateTemp(m.path(), func(file *uv.File, err error) {
			m.keepFile(file, err)
			told(err)
		})
	}
	told := m.told("FS.OpenDir")
	return f.OpenDir(m.path(), func(d *uv.Dir, err error) {
		if d != nil {
			m.dirs = append(m.dirs, d)
			if m.ending {
				d.Close(nil)
			}
		}
		told(err)
	})
}

// anyTime is a time, or one that no file system can keep.
func (m *machine) anyTime() time.Time {
	return []time.Time{{}, time.Unix(1, 5), time.Unix(-1, 0), time.Unix(math.MaxInt64/2, 0), time.Now()}[m.next()%5]
}

func (m *machine) pathRequest(f uv.FS) *uv.Req {
	done, a, b := m.told("FS of a path"), m.path(), m.path()
	info := func(_ fs.FileInfo, err error) { done(err) }
	text := func(_ string, err error) { done(err) }
	switch m.next() % 20 {
	case 0:
		return f.Stat(a, info)
	case 1:
		return f.Lstat(a, info)
	case 2:
		return f.StatFS(a, func(_ uv.StatFS, err error) { done(err) })
	case 3:
		return f.Access(a, uint(m.next()), done)
	case 4:
		return f.Chmod(a, fs.FileMode(m.next()*m.next()), done)
	case 5:
		return f.Chown(a, -1, -1, done)
	case 6:
		return f.Lchown(a, -1, os.Getgid(), done)
	case 7:
		return f.Chtimes(a, m.anyTime(), m.anyTime(), done)
	case 8:
		return f.Lchtimes(a, m.anyTime(), m.anyTime(), done)
	case 9, 10:
		return f.CopyFile(a, b, uv.CopyFlags(m.next()%9), done)
	case 11:
		return f.Link(a, b, done)
	case 12:
		return f.Symlink(a, b, uv.SymlinkFlags(m.next()%4), done)
	case 13:
		return f.Rename(a, b, done)
	case 14:
		return f.Remove(a, done)
	case 15:
		return f.Mkdir(a, fs.FileMode(m.next()*3), done)
	case 16:
		return f.Rmdir(a, done)
	case 17:
		return f.MkdirTemp(a, text)
	case 18:
		if m.next()%2 == 0 {
			return f.Readlink(a, text)
		}
		return f.Realpath(a, text)
	}
	return f.ReadDir(a, func(_ []fs.DirEntry, err error) { done(err) })
}

// openRequest begins a request of a file that is or was open.
func (m *machine) openRequest(f *uv.File) *uv.Req {
	done := m.told("File")
	number := func(_ int, err error) { done(err) }
	off := int64(m.next()*1000 - 1000)
	bufs := make([][]byte, m.next()%7)
	for i := range bufs {
		bufs[i] = make([]byte, i*m.next())
	}
	switch m.next() % 16 {
	case 0:
		return f.Read(make([]byte, m.next()), number)
	case 1:
		return f.ReadAt(make([]byte, m.next()), off, number)
	case 2:
		return f.ReadV(bufs, off, number)
	case 3:
		return f.Write(make([]byte, m.next()), number)
	case 4:
		return f.WriteAt(make([]byte, m.next()), off, number)
	case 5:
		return f.WriteV(bufs, off, number)
	case 6:
		return f.Stat(func(_ fs.FileInfo, err error) { done(err) })
	case 7:
		return f.Sync(done)
	case 8:
		return f.Datasync(done)
	case 9:
		return f.Truncate(off, done)
	case 10:
		return f.Chmod(fs.FileMode(m.next()*m.next()), done)
	case 11:
		return f.Chown(-1, -1, done)
	case 12:
		return f.Chtimes(m.anyTime(), m.anyTime(), done)
	case 13:
		other := m.files[m.next()%len(m.files)]
		return m.l.FS().SendFile(f, other, off, int64(m.next()-1), func(_ int64, err error) { done(err) })
	}
	return f.Close(done)
}

// filesAtOnce does without the loop what the requests do.
func (m *machine) filesAtOnce() {
	var s uv.FSSync
	a, b := m.path(), m.path()
	switch m.next() % 16 {
	case 0:
		s.Stat(a)
		s.Lstat(b)
		s.StatFS(a)
		s.Access(a, uint(m.next()))
	case 1:
		s.Chmod(a, fs.FileMode(m.next()*m.next()))
		s.Chown(a, -1, -1)
		s.Lchown(a, -1, -1)
	case 2:
		s.Chtimes(a, m.anyTime(), m.anyTime())
		s.Lchtimes(a, m.anyTime(), m.anyTime())
	case 3:
		s.CopyFile(a, b, uv.CopyFlags(m.next()%9))
	case 4:
		s.Link(a, b)
		s.Symlink(a, b, 0)
		s.Readlink(b)
		s.Realpath(b)
	case 5:
		s.Rename(a, b)
		s.Remove(a)
	case 6:
		s.Mkdir(a, 0o700)
		s.Rmdir(b)
		s.MkdirTemp(a)
	case 7:
		s.ReadDir(a)
		fs.WalkDir(uv.DirFS(m.dir), ".", func(string, fs.DirEntry, error) error { return nil })
	case 8, 9:
		if d, err := s.OpenDir(a); err == nil {
			d.Read(m.next() - 1)
			d.Close()
			d.Close()
		}
	case 10:
		if fds, err := uv.PipePair(m.next()%2 == 0, true); err == nil {
			s.OpenFD(fds[0]).Close()
			syscall.Close(int(fds[1]))
		}
	case 11:
		if f, err := s.CreateTemp(a); err == nil {
			f.Close()
		}
	default:
		if f, err := s.Open(a, []int{os.O_RDONLY, os.O_RDWR | os.O_CREATE, -1}[m.next()%3], 0o600); err == nil {
			m.fileAtOnce(s, f)
			f.Close()
			f.Close()
		}
	}
}

func (m *machine) fileAtOnce(s uv.FSSync, f *uv.FileSync) {
	p, off := make([]byte, m.next()), int64(m.next()*1000-1000)
	switch m.next() % 8 {
	case 0:
		f.Read(p)
		f.Write(p)
	case 1:
		f.ReadAt(p, off)
		f.WriteAt(p, off)
	case 2:
		f.ReadV([][]byte{p, nil, p}, off)
		f.WriteV([][]byte{p, nil, p}, off)
	case 3:
		f.Stat()
		f.Sync()
		f.Datasync()
	case 4:
		f.Truncate(off)
	case 5:
		f.Chmod(0o600)
		f.Chown(-1, -1)
		f.Chtimes(m.anyTime(), m.anyTime())
	case 6:
		s.SendFile(f, f, off, int64(m.next()-1))
	case 7:
		f.Fd()
		f.Name()
	}
}
