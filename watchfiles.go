package asyncio

// Watching files. The driver tells names of a directory in which something may have
// happened, and no more: that is all that every system has. So a watcher remembers what
// files there were, looks a little later at those that were told, and compares. Names are
// what counts: a file that an editor replaces by another one is watched on, and when the
// driver has lost count of what has happened, all names are looked at.
//
//	state of a directory  moves to          by
//	calm                  touched           the driver
//	touched               scanned           a timer, so that much is looked at once
//	scanned               calm, or touched  the scan, which runs on a goroutine
//	any                   gone              a scan that does not find it; Close

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"iter"
	"time"
)

const (
	// watchSettleTime is from the first touch to the look. Within it an editor replaces a
	// file, and a program writes a small one.
	watchSettleTime = 10 * time.Millisecond
	// watchRetryTime is between two looks at what cannot be looked at, as for want of
	// descriptors.
	watchRetryTime = time.Second
	// fileChangesMax is how many changes wait for a task.
	fileChangesMax = 1024
	// touchedNamesMax is how many names of a directory are looked at one by one; beyond
	// it all are.
	touchedNamesMax = 1024
)

// FileOp is what has happened to a file.
type FileOp int

const (
	// FileCreated tells that there is a file of a name that there was not.
	FileCreated FileOp = iota + 1
	// FileChanged tells that the file has other contents or attributes, or that another
	// one has taken its place.
	FileChanged
	// FileRenamed tells that a file that was in the directory has this name now. If there
	// was one of that name, it is gone. The file may have changed as well.
	FileRenamed
	// FileRemoved tells that there is no file of the name any more.
	FileRemoved
	// ChangesLost tells that more has happened than there was room for: the oldest
	// changes are lost. Look at all files anew.
	ChangesLost
)

func (op FileOp) String() string {
	switch op {
	case FileCreated:
		return "created"
	case FileChanged:
		return "changed"
	case FileRenamed:
		return "renamed"
	case FileRemoved:
		return "removed"
	case ChangesLost:
		return "changes lost"
	}
	return fmt.Sprintf("FileOp(%d)", int(op))
}

// FileChange is something that has happened to a watched file.
type FileChange struct {
	// Name is the file: as it was given to WatchFiles, or in a directory the directory's
	// name as it was given, with the file's. "" with ChangesLost.
	Name string
	Op   FileOp
	From string // the former name, with FileRenamed
}

// String is for logs.
func (c FileChange) String() string {
	switch c.Op {
	case FileRenamed:
		return fmt.Sprintf("%s renamed from %s", c.Name, c.From)
	case ChangesLost:
		return c.Op.String()
	}
	return c.Name + " " + c.Op.String()
}

// FileWatcher is a stream of changes of files. Its methods are for the loop's goroutine,
// and those that take a context for tasks, of which several may wait.
type FileWatcher struct {
	loop    *Loop
	dirs    []*watchedDir
	live    int // directories that are not gone
	changes fifoStore[FileChange]
	unread  map[string]FileOp // by name, the last change that waits
	lost    bool              // changes, since a task was told
	waits   waitQueue
	err     error // why there is nothing more
	at      ownedPlace
}

// WatchFiles watches files and directories, those that its paths name. It is for a task.
//
// A file is watched by its name: it need not exist, and goes on being watched when it was
// removed, or replaced by another one, as editors do. Its directory has to exist. A
// directory is watched for what is in it, not for what is below the directories there; if
// it is removed or renamed itself, that is told as FileRemoved of all of it, and it is
// watched no more. A symbolic link to a directory stands for that, any other one for
// itself.
//
// What happens to a name within some 10 ms is told as one change, and what nobody reads
// meanwhile too. So a file that is made and removed at once may not be told at all, and
// one that is being written is told as created, and then any number of times as changed.
// On systems that tell nothing by themselves the driver looks twice a second. At most
// 1,024 changes wait to be read: beyond that the oldest are lost, which is told.
//
// The errors are those of package os: fs.ErrNotExist, ENOSPC or EMFILE for want of the
// system's watches; and ErrInvalidArgument for no paths at all. Close the watcher in the
// end; the loop does when it closes.
// Suspends. Cancelled: nothing is watched.
func WatchFiles(ctx context.Context, paths ...string) (*FileWatcher, error) {
	a, err := enterFiles(ctx, "WatchFiles")
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%w: WatchFiles was given no path", ErrInvalidArgument)
	}
	w := &FileWatcher{loop: a.task.loop, unread: make(map[string]FileOp)}
	w.loop.owned.add(w)
	if err := w.begin(a, paths); err != nil {
		_ = w.Close()
		return nil, err
	}
	return w, nil
}

// begin watches first and then looks what there is, so that nothing comes between.
func (w *FileWatcher) begin(a awaiter, paths []string) error {
	files := w.loop.pro.FileSystem()
	dirs, left, err := callFiles(a, nil, func(*fileCall) ([]*watchedDir, error) { return dirsOf(files, paths) })
	if left != nil || err != nil {
		return cmp.Or(left, err)
	}
	for _, d := range dirs {
		d.watcher, d.busy = w, true
		if d.watch, err = w.loop.pro.WatchDir(d.path, d); err != nil {
			return fmt.Errorf("asyncio: %w", err)
		}
		w.dirs = append(w.dirs, d)
		w.live++
	}
	first, left, err := callFiles(a, nil, func(*fileCall) ([]dirScan, error) {
		scans := make([]dirScan, len(dirs))
		for i, d := range dirs {
			if scans[i] = d.look(files, nil); scans[i].err != nil {
				return nil, scans[i].err
			}
		}
		return scans, nil
	})
	if left != nil || err != nil {
		return cmp.Or(left, err)
	}
	for i, d := range dirs {
		d.remember(first[i])
	}
	return nil
}

func (w *FileWatcher) place() *ownedPlace { return &w.at }

// String is for logs.
func (w *FileWatcher) String() string {
	return fmt.Sprintf("<file watcher directories=%d waiting=%d>", w.live, w.changes.len())
}

// abandon leaves the watches to the driver, which closes them with the loop.
func (w *FileWatcher) abandon(l *Loop) {
	l.warnUnclosed(w, "FileWatcher")
	w.err = ErrLoopClosed
}

// Next returns the next change. The error is fs.ErrClosed after Close, and
// fs.ErrNotExist when every directory that was watched is gone. Each change goes to the
// task that has waited longest.
// Suspends if there is none. Cancelled: nothing is consumed.
func (w *FileWatcher) Next(ctx context.Context) (FileChange, error) {
	a, err := w.loop.enterOn(ctx, "FileWatcher.Next")
	if err != nil {
		return FileChange{}, err
	}
	for !w.hasNext() {
		if w.err != nil {
			return FileChange{}, w.err
		}
		if woken, err := w.waits.wait(a); err != nil {
			if woken && w.hasNext() {
				w.waits.wakeNext()
			}
			return FileChange{}, err
		}
	}
	if w.lost {
		w.lost = false
		return FileChange{Op: ChangesLost}, nil
	}
	c := w.changes.pop()
	if w.unread[c.Name] == c.Op {
		delete(w.unread, c.Name)
	}
	return c, nil
}

func (w *FileWatcher) hasNext() bool { return w.lost || w.changes.len() > 0 }

// Changes is all of what Next returns, until Close; another error is the last.
// Suspends, between two changes. Cancelled: as Next.
func (w *FileWatcher) Changes(ctx context.Context) iter.Seq2[FileChange, error] {
	return func(yield func(FileChange, error) bool) {
		for {
			c, err := w.Next(ctx)
			if err != nil && w.err == errWatcherClosed && err == w.err || !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// tell queues a change. One that says no more than the last unread one of its name does
// is left out.
func (w *FileWatcher) tell(c FileChange) {
	if last := w.unread[c.Name]; c.Op == FileChanged && last != 0 && last != FileRemoved {
		return
	}
	if w.changes.len() == fileChangesMax {
		oldest := w.changes.pop()
		if w.unread[oldest.Name] == oldest.Op {
			delete(w.unread, oldest.Name)
		}
		w.lost = true
	}
	w.changes.push(c)
	w.unread[c.Name] = c.Op
	w.waits.wakeNext()
}

var errWatcherClosed = fmt.Errorf("asyncio: the FileWatcher was closed: %w", fs.ErrClosed)

// Close ends the watching at once, and drops what nobody has read. Tasks that wait in
// Next get fs.ErrClosed, which is also the error of a second Close.
func (w *FileWatcher) Close() error {
	if w.err == errWatcherClosed {
		return w.err
	}
	w.err = errWatcherClosed
	for _, d := range w.dirs {
		d.end()
	}
	w.changes, w.unread, w.lost = fifoStore[FileChange]{}, nil, false
	w.loop.owned.remove(w)
	w.waits.wakeAll()
	return nil
}

// dirGone ends the stream with the last of its directories.
func (w *FileWatcher) dirGone(d *watchedDir) {
	if w.live--; w.live == 0 && w.err == nil {
		w.err = &fs.PathError{Op: "watch", Path: d.path, Err: fs.ErrNotExist}
		w.waits.wakeAll()
	}
}
