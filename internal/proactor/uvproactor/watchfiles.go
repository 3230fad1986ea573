//go:build cgo

package uvproactor

// Watching directories: a DirWatch is a uv.FSEvent.
//
// What libuv is told of by inotify it reads as a whole, when it polls. If that is as much
// as the kernel keeps, there was more that is lost, which libuv does not say: then the
// driver tells every directory that all may have changed.

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
	"github.com/seed-a026a017/asyncio/uv"
)

// dirWatch implements proactor.DirWatch.
type dirWatch struct {
	d     *driver
	h     proactor.DirHandler
	event *uv.FSEvent // nil: closed
	base  string      // what libuv calls the directory itself
}

func (d *driver) WatchDir(name string, h proactor.DirHandler) (proactor.DirWatch, error) {
	err := error(net.ErrClosed)
	w := &dirWatch{d: d, h: h, base: filepath.Base(name)}
	if !d.closed {
		err = w.begin(name)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "watch", Path: name, Err: err}
	}
	d.dirs[w] = struct{}{}
	return w, nil
}

func (w *dirWatch) Close() {
	if w.event != nil {
		w.event.Close()
		w.event = nil
		delete(w.d.dirs, w)
	}
}

func (w *dirWatch) begin(name string) error {
	if err := system.CheckDir(name); err != nil {
		return err
	}
	event, err := w.d.loop.NewFSEvent()
	if err != nil {
		return err
	}
	if err := event.Start(name, 0, w.changed); err != nil {
		event.Close()
		if errno := uv.Errno(0); errors.As(err, &errno) {
			return errno // the name is told once
		}
		return err
	}
	w.event = event
	return nil
}

// changed hears of a change, or of an error of the watch.
func (w *dirWatch) changed(name string, _ uv.FSEvents, err error) {
	if err != nil || name == w.base {
		name = ""
	}
	w.touched(name)
	if d := w.d; d.countChange() == keptChanges() {
		for all := range d.dirs {
			all.touched("")
		}
	}
}

func (w *dirWatch) touched(name string) {
	if w.event != nil && !w.d.closed {
		w.h.Touched(name)
	}
}

// countChange counts the changes that one Poll tells.
func (d *driver) countChange() int {
	c := &d.changes
	if c.poll != d.polls {
		c.poll, c.count = d.polls, 0
	}
	c.count++
	return c.count
}

// keptChanges is how many changes the kernel keeps until they are read.
var keptChanges = sync.OnceValue(func() int {
	const usual = 16384
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		return usual
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return usual
	}
	return n
})
