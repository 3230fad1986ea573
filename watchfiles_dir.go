package asyncio

// A watched directory: what was there when it was last looked at, and what has happened
// since.

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// watchedDir is a directory of a FileWatcher.
type watchedDir struct {
	watcher *FileWatcher
	watch   proactor.DirWatch // nil: gone
	path    string            // absolute
	given   string            // as WatchFiles was given it; "" if only files in it were
	named   map[string]string // files that WatchFiles was given, by their names in the directory
	self    fs.FileInfo       // of the directory
	known   map[string]fs.FileInfo

	touched map[string]bool // since the last look; nil: nothing
	all     bool            // all names are touched
	busy    bool            // a look is to come, or under way
	timer   *TimerHandle
}

// dirsOf sorts paths by their directories. It runs on a goroutine.
func dirsOf(files proactor.FileSystem, paths []string) ([]*watchedDir, error) {
	var dirs []*watchedDir
	dirOf := func(path string) *watchedDir {
		for _, d := range dirs {
			if d.path == path {
				return d
			}
		}
		d := &watchedDir{path: path, named: make(map[string]string)}
		dirs = append(dirs, d)
		return d
	}
	for _, path := range paths {
		if path == "" {
			return nil, &fs.PathError{Op: "watch", Path: path, Err: fs.ErrNotExist}
		}
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		info, err := files.Stat(abs)
		switch {
		case err == nil && info.IsDir():
			dirOf(abs).given = path
		case err == nil || isMissing(err) || errors.Is(err, syscall.ELOOP): // a link to itself is a file
			dirOf(filepath.Dir(abs)).named[filepath.Base(abs)] = path
		default:
			return nil, err
		}
	}
	return dirs, nil
}

// isMissing reports whether there is no such file. Any other error says nothing of that.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// watches reports whether changes of a name are told.
func (d *watchedDir) watches(name string) bool { return d.given != "" || d.named[name] != "" }

// pathOf is how a name is told. One that was not given is told beside the other name of a
// file that was.
func (d *watchedDir) pathOf(name, beside string) string {
	switch {
	case d.named[name] != "":
		return d.named[name]
	case d.given != "":
		return filepath.Join(d.given, name)
	}
	return filepath.Join(filepath.Dir(d.named[beside]), name)
}

// Touched implements proactor.DirHandler.
func (d *watchedDir) Touched(name string) {
	if name == "" || len(d.touched) == touchedNamesMax {
		d.all = true
	} else if !d.all {
		if d.touched == nil {
			d.touched = make(map[string]bool)
		}
		d.touched[name] = true
	}
	d.settle()
}

// settle arms the timer before a look, if there is something to look at.
func (d *watchedDir) settle() {
	if (d.all || d.touched != nil) && !d.busy && d.watch != nil {
		d.busy = true
		d.timer = d.watcher.loop.CallLater(watchSettleTime, d.scan)
	}
}

// scan looks, on a goroutine.
func (d *watchedDir) scan() {
	l := d.watcher.loop
	names := slices.Sorted(maps.Keys(d.touched))
	if d.all {
		names = nil
	}
	d.touched, d.all = nil, false
	files := l.pro.FileSystem()
	_ = l.fileCalls().pool.submit(func() { // which is never shut down
		l.post(&dirScanned{d, d.look(files, names)})
	}, l.pro)
}

// dirScan is what a look has found.
type dirScan struct {
	err  error
	all  bool                   // it was a look at all names
	self fs.FileInfo            // of the directory, with all
	now  map[string]fs.FileInfo // nil: there is no such file
}

// look looks at names, or at all for nil. It runs on a goroutine, and reads nothing that
// changes.
func (d *watchedDir) look(files proactor.FileSystem, names []string) dirScan {
	s := dirScan{all: names == nil, now: make(map[string]fs.FileInfo)}
	if s.all {
		if s.self, s.err = files.Stat(d.path); s.err != nil {
			return s
		}
		names = slices.Collect(maps.Keys(d.named))
		if d.given != "" {
			entries, err := files.ReadDir(d.path)
			if err != nil {
				return dirScan{err: err}
			}
			for _, e := range entries {
				names = append(names, e.Name())
			}
		}
	}
	for _, name := range names {
		info, err := files.Lstat(filepath.Join(d.path, name))
		switch {
		case err == nil:
			s.now[name] = info
		case isMissing(err):
			s.now[name] = nil
		default:
			return dirScan{err: err}
		}
	}
	return s
}

// remember takes the first look.
func (d *watchedDir) remember(s dirScan) {
	d.self, d.known, d.busy = s.self, make(map[string]fs.FileInfo), false
	for name, info := range s.now {
		if info != nil {
			d.known[name] = info
		}
	}
	d.settle()
}

// dirScanned is a look that is over.
type dirScanned struct {
	d    *watchedDir
	scan dirScan
}

func (s *dirScanned) run(l *Loop) {
	d := s.d
	if d.watch == nil {
		return
	}
	isGone := s.scan.all && s.scan.err == nil && !l.pro.FileSystem().SameFile(d.self, s.scan.self)
	switch {
	case isGone || errors.Is(s.scan.err, fs.ErrNotExist):
		d.tellGone()
	case s.scan.err != nil:
		d.all = true
		d.timer = l.CallLater(watchRetryTime, d.scan)
	default:
		d.busy = false
		d.compare(l.pro.FileSystem(), s.scan)
		d.settle()
	}
}

func (s *dirScanned) describe() subject { return subject{name: "the look at a watched directory"} }

// tellGone tells that all names are gone, and the directory.
func (d *watchedDir) tellGone() {
	for _, name := range slices.Sorted(maps.Keys(d.known)) {
		d.watcher.tell(FileChange{Name: d.pathOf(name, ""), Op: FileRemoved})
	}
	if d.given != "" {
		d.watcher.tell(FileChange{Name: d.given, Op: FileRemoved})
	}
	d.end()
	d.watcher.dirGone(d)
}

// end ends the watch.
func (d *watchedDir) end() {
	if d.timer != nil {
		d.timer.Cancel()
	}
	if d.watch != nil {
		d.watch.Close()
		d.watch = nil
	}
}

// compare tells how what there is now differs from what was known.
func (d *watchedDir) compare(files proactor.FileSystem, s dirScan) {
	if s.all {
		for name := range d.known { // a name that was not found
			if _, seen := s.now[name]; !seen {
				s.now[name] = nil
			}
		}
	}
	names := slices.Sorted(maps.Keys(s.now))
	var removed []string
	for _, name := range names {
		if d.known[name] != nil && s.now[name] == nil {
			removed = append(removed, name)
		}
	}
	for _, name := range names {
		was, is := d.known[name], s.now[name]
		isNew := is != nil && (was == nil || !files.SameFile(was, is))
		change := FileChange{Name: d.pathOf(name, ""), Op: FileChanged}
		switch {
		case is == nil:
			continue // told below, unless it has another name now
		case isNew:
			from := slices.IndexFunc(removed, func(old string) bool { return movedTo(files, d.known[old], is) })
			if from >= 0 {
				old := removed[from]
				removed = slices.Delete(removed, from, from+1)
				delete(d.known, old)
				change = FileChange{Name: d.pathOf(name, old), Op: FileRenamed, From: d.pathOf(old, "")}
			} else if was == nil {
				change.Op = FileCreated
			}
		case s.all && looksAlike(was, is):
			continue
		}
		if d.watches(name) {
			d.known[name] = is
		}
		if d.watches(name) || change.Op == FileRenamed {
			d.watcher.tell(change)
		}
	}
	for _, name := range removed {
		delete(d.known, name)
		d.watcher.tell(FileChange{Name: d.pathOf(name, ""), Op: FileRemoved})
	}
}

// movedTo reports whether a file that is gone has another name now. A new file that was
// given the number of one that was just removed is taken for it: times and size do not
// tell, since a file may be written and renamed at once.
func movedTo(files proactor.FileSystem, was, is fs.FileInfo) bool {
	return files.SameFile(was, is) && was.Mode().Type() == is.Mode().Type()
}

// looksAlike reports whether a file has not changed, for all that one can see. The times
// of a directory are those of what is in it.
func looksAlike(was, is fs.FileInfo) bool {
	return was.Mode() == is.Mode() && (is.IsDir() || was.ModTime().Equal(is.ModTime()) && was.Size() == is.Size())
}
