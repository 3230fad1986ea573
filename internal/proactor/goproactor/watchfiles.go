package goproactor

// Watching directories: with inotify on Linux; elsewhere somebody looks now and then.

import (
	"io/fs"
	"net"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// dirWatch implements proactor.DirWatch.
type dirWatch struct {
	d    *driver
	h    proactor.DirHandler
	stop func() // nil: closed
}

func (d *driver) WatchDir(name string, h proactor.DirHandler) (proactor.DirWatch, error) {
	err := error(net.ErrClosed)
	w := &dirWatch{d: d, h: h}
	if !d.closed {
		w.stop, err = w.begin(name)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "watch", Path: name, Err: err}
	}
	d.dirs[w] = struct{}{}
	return w, nil
}

func (w *dirWatch) Close() {
	if w.stop != nil {
		w.release()
		delete(w.d.dirs, w)
	}
}

// release ends the goroutine on its own.
func (w *dirWatch) release() {
	w.stop()
	w.stop = nil
}

func (w *dirWatch) touched(name string) {
	if w.stop != nil {
		w.h.Touched(name)
	}
}
