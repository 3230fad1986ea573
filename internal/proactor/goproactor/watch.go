package goproactor

// Watching: the loop looks whether a watched descriptor is ready, and where it is not, a
// goroutine waits for it in the runtime's poller.
//
// The runtime's poller tells of changes only. So after every call of the handler the next
// Poll looks anew, with one poll(2) for all the descriptors that need it, before it waits
// for anything.
//
// Invariants:
//   - A direction that is wanted is in waiting, which means that a goroutine waits for it
//     and posts, or its watch is in driver.looks, or a completion is under way that puts
//     it there.
//   - A goroutine outlives the wish. It ends with the next change or with the watch.

import (
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// directions is a set of the two ways to go.
type directions uint8

const (
	toRead directions = 1 << iota
	toWrite
)

// watch implements proactor.Watch.
type watch struct {
	d       *driver
	h       proactor.WatchHandler
	file    *os.File // of the duplicate
	raw     syscall.RawConn
	fd      int // the duplicate, -1 when closed
	wanted  directions
	waiting directions
	looked  bool // in driver.looks, or the look's completion is under way
}

// watchEvent is the completion of a look, or of a goroutine's wait.
type watchEvent struct {
	w      *watch
	ready  directions
	waited bool
}

func (d *driver) Watch(fd int, h proactor.WatchHandler) (proactor.Watch, error) {
	if d.closed {
		return nil, fmt.Errorf("watch descriptor %d: the proactor is closed: %w", fd, net.ErrClosed)
	}
	w := &watch{d: d, h: h}
	if err := w.open(fd); err != nil {
		return nil, fmt.Errorf("watch descriptor %d: %w", fd, err)
	}
	d.watches[w] = struct{}{}
	return w, nil
}

// open gives the runtime's poller a duplicate.
func (w *watch) open(fd int) error {
	dup, err := system.Duplicate(fd)
	if err != nil {
		return err
	}
	w.fd = dup
	err = system.NonBlocking(dup, func() error {
		w.file = os.NewFile(uintptr(dup), "")
		return isPolled(w.file, dup)
	})
	if err == nil {
		w.raw, err = w.file.SyscallConn()
	}
	if err != nil {
		if w.file == nil {
			w.file = os.NewFile(uintptr(dup), "")
		}
		_ = w.file.Close()
	}
	return err
}

func (d *driver) Owns(fd int) bool { return d.descriptors.has(fd) }

func (w *watch) Want(readable, writable bool) error {
	w.wanted = 0
	if readable {
		w.wanted |= toRead
	}
	if writable {
		w.wanted |= toWrite
	}
	w.mark()
	return nil
}

func (w *watch) FD() int { return w.fd }

func (w *watch) Close() {
	if w.fd >= 0 {
		w.release()
		delete(w.d.watches, w)
	}
}

// release ends the goroutines on their own, and returns when none uses the descriptor.
func (w *watch) release() {
	w.fd, w.wanted = -1, 0
	_ = w.file.Close() // the file is its owner's
}

// mark makes the next Poll look, if there is something to look for.
func (w *watch) mark() {
	if w.wanted&^w.waiting != 0 && !w.looked && w.fd >= 0 {
		w.looked = true
		w.d.looks = append(w.d.looks, w)
	}
}

// look looks at all that is marked, and leaves to goroutines what is not ready.
func (d *driver) look() {
	fds := d.pollFDs[:0]
	for _, w := range d.looks {
		fds = append(fds, newPollFD(w.fd, w.wanted&^w.waiting))
	}
	pollNow(fds)
	for i, w := range d.looks {
		d.looks[i] = nil
		if ready := fds[i].ready(); ready != 0 {
			d.later(&watchEvent{w: w, ready: ready})
			continue
		}
		w.looked = false
		if w.fd >= 0 {
			w.wait(w.wanted &^ w.waiting)
		}
	}
	d.looks, d.pollFDs = d.looks[:0], fds
}

func (w *watch) wait(dirs directions) {
	w.waiting |= dirs
	for _, dir := range [2]directions{dirs & toRead, dirs & toWrite} {
		if dir != 0 {
			w.d.goroutines.Add(1)
			go w.await(dir)
		}
	}
}

// await is the goroutine. The wait fails when the watch is closed, which is no event.
func (w *watch) await(dir directions) {
	defer w.d.goroutines.Done()
	ready := func(fd uintptr) bool { return isReady(int(fd), dir) }
	wait := w.raw.Read
	if dir == toWrite {
		wait = w.raw.Write
	}
	if wait(ready) == nil {
		w.d.post(&watchEvent{w: w, ready: dir, waited: true})
	}
}

func isReady(fd int, dir directions) bool {
	p := [1]pollFD{newPollFD(fd, dir)}
	pollNow(p[:])
	return p[0].ready() != 0
}

// complete has the next Poll look anew, whatever becomes of the handler.
func (e *watchEvent) complete() {
	w := e.w
	if e.waited {
		w.waiting &^= e.ready
	} else {
		w.looked = false
	}
	w.mark()
	if ready := e.ready & w.wanted; ready != 0 {
		w.h.Ready(ready&toRead != 0, ready&toWrite != 0)
	}
}

func (e *watchEvent) discard() {}

// descriptorSet is a set of descriptors, a bit for each number.
type descriptorSet []uint64

func (s *descriptorSet) add(fd int) {
	for fd>>6 >= len(*s) {
		*s = append(*s, 0)
	}
	(*s)[fd>>6] |= 1 << (fd & 63)
}

func (s descriptorSet) remove(fd int) {
	if s.has(fd) {
		s[fd>>6] &^= 1 << (fd & 63)
	}
}

func (s descriptorSet) has(fd int) bool {
	return fd >= 0 && fd>>6 < len(s) && s[fd>>6]&(1<<(fd&63)) != 0
}
