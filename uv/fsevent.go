//go:build cgo

package uv

// Files that change, as the system tells: by inotify on Linux.
//
// A number counts the calls of Start and Stop, as in poll.go: what was seen before either
// is not told after it.

import (
	"path/filepath"
	"runtime"
	"strings"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// FSEvents is a set of what has happened to a file.
type FSEvents int

// What an FSEvent tells; uv_fs_event.
const (
	FSRename FSEvents = 1 << iota // it has come, gone, or got another name
	FSChange                      // what is in it, or in its inode, is another
)

// FSEventFlags changes what an FSEvent watches.
type FSEventFlags uint

// The flags of an FSEvent; uv_fs_event_flags.
const (
	FSEventWatchEntry FSEventFlags = 1 << iota // no system heeds it
	FSEventStat                                // no system heeds it
	FSEventRecursive                           // directories below too; ErrNotSupported on Linux
)

const anyFSEventFlag = FSEventWatchEntry | FSEventStat | FSEventRecursive

// FSEvent watches a file, or what is in a directory; uv_fs_event_t.
type FSEvent struct {
	bridged
	path  string // "" while stopped
	cb    func(name string, events FSEvents, err error)
	epoch uint32
}

// NewFSEvent makes a handle that watches a file; uv_fs_event_init. The error is
// ErrClosed.
func (l *Loop) NewFSEvent() (*FSEvent, error) {
	l.use("Loop.NewFSEvent")
	if l.state.Load() == loopClosed {
		return nil, ErrClosed
	}
	id, code := l.b.NewFSEvent()
	if code != 0 {
		return nil, &Error{Op: "init", Kind: FSEventHandle, Errno: Errno(code)}
	}
	e := new(FSEvent)
	l.addBridged(e, FSEventHandle, id)
	return e, nil
}

// Start calls cb for every change of the file at path, or in the directory there;
// uv_fs_event_start. name is the last part of the path of what has changed. The file is
// watched, not its path: what is renamed is watched on, and what comes to the path later
// is not. When it is removed, cb hears of a FSRename, on Linux of two, and of nothing
// more until Stop and Start. Equal changes may be told as one. Changes that come faster
// than they are told, 16,384 on a usual Linux, are lost, and libuv does not say so. Those
// that there is no memory for are told by an error, ENOMEM.
//
// The errors are ErrClosed, EINVAL if the handle is started, for a NUL byte, unknown
// flags and without cb, ErrNotSupported for FSEventRecursive where the system has none,
// and those of the system, such as ENOENT, and ENOSPC or EMFILE for too many watches.
func (e *FSEvent) Start(path string, flags FSEventFlags, cb func(name string, events FSEvents, err error)) error {
	if err := e.check("FSEvent.Start"); err != nil {
		return err
	}
	code := 0
	switch {
	case cb == nil || e.path != "" || flags&^anyFSEventFlag != 0 || strings.ContainsRune(path, 0):
		code = int(EINVAL)
	case path == "":
		code = int(ENOENT)
	case flags&FSEventRecursive != 0 && runtime.GOOS != "darwin":
		code = int(ENOSYS)
	default:
		e.epoch++
		code = e.loop.b.FSEventStart(e.id(), terminated(path), uint32(flags), e.epoch)
	}
	if code != 0 {
		return &Error{Op: "start", Kind: FSEventHandle, Addr: path, Errno: Errno(code)}
	}
	e.path, e.cb = path, cb
	e.loop.stirred()
	return nil
}

// Stop ends the calls at once; uv_fs_event_stop. It is idempotent. The error is
// ErrClosed.
func (e *FSEvent) Stop() error {
	if err := e.check("FSEvent.Stop"); err != nil {
		return err
	}
	e.ended()
	return e.result("stop", e.loop.b.FSEventStop(e.id()))
}

// Path is the path that Start was given; uv_fs_event_getpath. The error is ErrClosed, or
// EINVAL while the handle is stopped.
func (e *FSEvent) Path() (string, error) {
	if err := e.check("FSEvent.Path"); err != nil {
		return "", err
	}
	if e.path == "" {
		return "", e.fail("getpath", int(EINVAL))
	}
	return e.path, nil
}

func (e *FSEvent) record(r cbridge.Record) {
	if uint32(r.Value>>32) != e.epoch || e.cb == nil || e.state != handleOpen {
		return
	}
	name, ok := e.loop.b.FSEventName(r.Value)
	if !ok {
		name = filepath.Base(e.path)
	}
	e.loop.calls++
	if r.Status != 0 {
		e.cb(name, 0, &Error{Op: "watch", Kind: FSEventHandle, Addr: e.path, Errno: Errno(r.Status)})
		return
	}
	e.cb(name, FSEvents(r.Aux), nil)
}

// ended forgets what was watched.
func (e *FSEvent) ended() {
	e.epoch++
	e.path, e.cb = "", nil
}
