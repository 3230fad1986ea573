//go:build cgo

package uvproactor

// Watching: a Watch is a uv.Poll of a duplicate.

import (
	"fmt"
	"net"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
	"github.com/seed-a026a017/asyncio/uv"
)

// watch implements proactor.Watch.
type watch struct {
	d      *driver
	poll   *uv.Poll
	h      proactor.WatchHandler
	fd     int // the duplicate, -1 when closed
	wanted uv.PollEvents
}

func (d *driver) Watch(fd int, h proactor.WatchHandler) (proactor.Watch, error) {
	if d.closed {
		return nil, fmt.Errorf("watch descriptor %d: the proactor is closed: %w", fd, net.ErrClosed)
	}
	dup, err := system.Duplicate(fd)
	if err != nil {
		return nil, fmt.Errorf("watch descriptor %d: %w", fd, err)
	}
	w := &watch{d: d, h: h, fd: dup}
	err = system.NonBlocking(dup, func() (err error) {
		w.poll, err = d.loop.NewPoll(uintptr(dup))
		return err
	})
	if err != nil {
		_ = syscall.Close(dup)
		return nil, fmt.Errorf("watch descriptor %d: %w", fd, err)
	}
	d.watches[w] = struct{}{}
	return w, nil
}

func (d *driver) Owns(fd int) bool {
	h := d.loop.HandleOf(uintptr(fd))
	return h != nil && h.Type() != uv.PollHandle
}

func (w *watch) Want(readable, writable bool) error {
	var wanted uv.PollEvents
	if readable {
		wanted |= uv.Readable
	}
	if writable {
		wanted |= uv.Writable
	}
	return w.want(wanted)
}

func (w *watch) want(wanted uv.PollEvents) error {
	if w.fd < 0 || wanted == w.wanted {
		return nil
	}
	w.wanted = wanted
	if wanted == 0 {
		return w.poll.Stop()
	}
	err := w.start()
	if err != nil {
		w.wanted = 0
	}
	return err
}

func (w *watch) start() error { return w.poll.Start(w.wanted, w.ready) }

func (w *watch) FD() int { return w.fd }

func (w *watch) Close() {
	if w.fd < 0 {
		return
	}
	w.poll.Close()
	_ = syscall.Close(w.fd) // the file is its owner's
	w.fd, w.wanted = -1, 0
	delete(w.d.watches, w)
}

// ready tells of events. An error of the file has stopped the Poll: it is told as both
// directions being ready, as long as somebody wants to hear of it.
func (w *watch) ready(events uv.PollEvents, err error) {
	if w.fd < 0 || w.d.closed {
		return
	}
	if err != nil {
		events = w.wanted
		if err := w.start(); err != nil { // for want of memory
			w.d.later(func() { w.ready(0, err) })
		}
	}
	if events &= w.wanted; events != 0 {
		w.h.Ready(events&uv.Readable != 0, events&uv.Writable != 0)
	}
}
