package goproactor

// inotify(7): a descriptor for all directories of a driver, and a goroutine that reads
// it. That waits until the loop has heard of what it has read: so what a slow loop does
// not hear of waits in the kernel, whose queue is bounded and tells when it is full.

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"syscall"
)

const (
	// inotifyMask is what libuv asks for, and that it is a directory.
	inotifyMask = syscall.IN_ATTRIB | syscall.IN_CREATE | syscall.IN_MODIFY | syscall.IN_DELETE | syscall.IN_DELETE_SELF |
		syscall.IN_MOVE_SELF | syscall.IN_MOVED_FROM | syscall.IN_MOVED_TO | syscall.IN_ONLYDIR
	inotifyBufferBytes = 16 << 10
)

// inotify is there while directories are watched.
type inotify struct {
	d       *driver
	file    *os.File
	fd      int
	watches map[int32][]*dirWatch // by the kernel's number, which a directory has once
	heard   chan struct{}         // the loop has heard of what was read
	quit    chan struct{}
}

func (w *dirWatch) begin(name string) (stop func(), err error) {
	n, err := w.d.notifier()
	if err != nil {
		return nil, err
	}
	wd, err := syscall.InotifyAddWatch(n.fd, name, inotifyMask)
	if err != nil {
		n.closeUnused()
		return nil, err
	}
	n.watches[int32(wd)] = append(n.watches[int32(wd)], w)
	return func() { n.remove(int32(wd), w) }, nil
}

func (d *driver) notifier() (*inotify, error) {
	if d.inotify != nil {
		return d.inotify, nil
	}
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "inotify")
	if err := isPolled(file, fd); err != nil {
		_ = file.Close()
		return nil, err
	}
	d.inotify = &inotify{
		d:       d,
		file:    file,
		fd:      fd,
		watches: make(map[int32][]*dirWatch),
		heard:   make(chan struct{}, 1),
		quit:    make(chan struct{}),
	}
	d.goroutines.Add(1)
	go d.inotify.read()
	return d.inotify, nil
}

func (n *inotify) remove(wd int32, w *dirWatch) {
	left := n.watches[wd]
	at := slices.Index(left, w)
	if at < 0 {
		return // the directory is gone
	}
	n.watches[wd] = slices.Delete(left, at, at+1)
	if len(n.watches[wd]) == 0 {
		_, _ = syscall.InotifyRmWatch(n.fd, uint32(wd)) // EINVAL: the directory is gone
		delete(n.watches, wd)
	}
	n.closeUnused()
}

// closeUnused ends the goroutine on its own.
func (n *inotify) closeUnused() {
	if len(n.watches) == 0 && n.d.inotify == n {
		close(n.quit)
		_ = n.file.Close()
		n.d.inotify = nil
	}
}

// read is the goroutine.
func (n *inotify) read() {
	defer n.d.goroutines.Done()
	buf := make([]byte, inotifyBufferBytes)
	for {
		size, err := n.file.Read(buf)
		if err != nil {
			return // closed
		}
		n.d.post(&dirEvents{n: n, bytes: bytes.Clone(buf[:size])})
		select {
		case <-n.heard:
		case <-n.quit:
			return
		}
	}
}

// dirEvents is the completion of a read.
type dirEvents struct {
	n     *inotify
	bytes []byte
}

func (e *dirEvents) complete() {
	defer func() { e.n.heard <- struct{}{} }() // a handler may panic; there is room for one
	for b := e.bytes; len(b) >= syscall.SizeofInotifyEvent; {
		wd, mask := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])
		end := syscall.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
		name, _, _ := bytes.Cut(b[syscall.SizeofInotifyEvent:end], []byte{0})
		b = b[end:]
		e.n.tell(wd, mask, string(name))
	}
}

func (e *dirEvents) discard() {}

// tell tells one event.
func (n *inotify) tell(wd int32, mask uint32, name string) {
	watches := slices.Clone(n.watches[wd])
	switch {
	case mask&syscall.IN_Q_OVERFLOW != 0:
		for _, all := range n.watches {
			watches = append(watches, all...)
		}
	case mask&syscall.IN_IGNORED != 0: // the kernel has ended the watch
		delete(n.watches, wd)
		defer n.closeUnused()
	}
	for _, w := range watches {
		w.touched(name)
	}
}
