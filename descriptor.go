package asyncio

// Descriptors of the program's that the loop watches: for AddReader and AddWriter here,
// and for calls that wait, in descriptor_wait.go.
//
// A descriptor is watched while one of its two directions has a callback or a call that
// waits. After that nothing of it is left registered anywhere.
//
// A number says nothing of the file behind it: its owner may have closed it, and the
// number may have come back. So whoever looks a number up compares the files first, and
// what has waited for the old file hears that it is gone.

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// descriptors is the feature of a loop: its watched descriptors by number.
type descriptors struct{ byFD map[int]*descriptor }

func (d *descriptors) loopClosed(*Loop) {}

// descriptor is a watched one.
type descriptor struct {
	loop        *Loop
	fd          int
	file        fileID
	watch       proactor.Watch
	read, write direction
	at          ownedPlace
	lost        error // why nothing is watched any more
}

// direction is one of the two ways to go.
type direction struct {
	callback *descriptorCallback // of AddReader or AddWriter
	used     bool                // by a call that waits, or is about to
	resting  bool                // the call wants to hear of nothing for a while
	waits    waitPoint           // its task
}

func (d *direction) inUse() bool  { return d.callback != nil || d.used }
func (d *direction) wanted() bool { return d.callback != nil || d.used && !d.resting }

// descriptorCallback is a callback of AddReader or AddWriter in the ready queue.
type descriptorCallback struct {
	call      runnable
	cancelled bool // removed, or another one has taken its place
}

func (c *descriptorCallback) run(l *Loop) {
	if !c.cancelled {
		c.call.run(l)
	}
}

func (c *descriptorCallback) describe() subject { return describe(c.call) }

func (d *descriptor) place() *ownedPlace { return &d.at }

func (d *descriptor) String() string { return fmt.Sprintf("<watched descriptor %d>", d.fd) }

// abandon leaves the watch to the driver, which closes it with the loop.
func (d *descriptor) abandon(*Loop) { d.lost = ErrLoopClosed }

// Ready implements proactor.WatchHandler. What would be told of the old file would be
// done to the new one.
func (d *descriptor) Ready(readable, writable bool) {
	if err := d.check(); err != nil {
		d.lose(err)
		return
	}
	if readable {
		d.read.ready(d.loop)
	}
	if writable {
		d.write.ready(d.loop)
	}
}

func (d *direction) ready(l *Loop) {
	if d.callback != nil {
		l.ready.push(d.callback)
	}
	d.waits.wake(nil)
}

// AddReader calls fn in every turn in which fd can be read from without blocking, or is
// at its end: loop.add_reader. Called again for the same descriptor it puts fn in the
// place of the callback that was there, which is not called any more. A panic of fn is
// reported, and fn stays. fd stays the caller's, who should call RemoveReader before
// closing it; fn is not called for another file that has got the number.
//
// The errors are EBADF; EPERM for a file that is always ready, such as a regular one;
// ErrInvalidState for the descriptor of a transport or server of this loop;
// ErrLoopClosed; and errors.ErrUnsupported where the system cannot watch descriptors, as
// on Windows. It panics with ErrInvalidArgument if fn is nil. It is for the loop's
// goroutine.
func (l *Loop) AddReader(fd int, fn func()) error { return l.addCallback("AddReader", fd, false, fn) }

// RemoveReader ends the calls of the function that AddReader was given, at once, and
// reports whether there was one: loop.remove_reader. On a closed loop there is none.
func (l *Loop) RemoveReader(fd int) bool { return l.removeCallback("RemoveReader", fd, false) }

// AddWriter is AddReader for writing: loop.add_writer.
func (l *Loop) AddWriter(fd int, fn func()) error { return l.addCallback("AddWriter", fd, true, fn) }

// RemoveWriter is RemoveReader for writing: loop.remove_writer.
func (l *Loop) RemoveWriter(fd int) bool { return l.removeCallback("RemoveWriter", fd, true) }

func (l *Loop) addCallback(method string, fd int, write bool, fn func()) error {
	if l.debug {
		l.checkGoroutine(method)
	}
	call := &descriptorCallback{call: l.newCallback(method, fn, nil)}
	if l.IsClosed() {
		return fmt.Errorf("%w: %s needs an open loop", ErrLoopClosed, method)
	}
	if err := l.descriptorIsFree(fd); err != nil {
		return err
	}
	d, err := l.watched(fd)
	if err != nil {
		return err
	}
	dir := d.direction(write)
	if old := dir.callback; old != nil {
		old.cancelled = true
	}
	dir.callback = call
	return d.adjust(dir)
}

func (l *Loop) removeCallback(method string, fd int, write bool) bool {
	if l.debug {
		l.checkGoroutine(method)
	}
	if l.IsClosed() {
		return false
	}
	d := featureOf[descriptors](l).byFD[fd]
	if d == nil || d.direction(write).callback == nil {
		return false
	}
	dir := d.direction(write)
	dir.callback.cancelled = true
	dir.callback = nil
	_ = d.adjust(nil) // an error is told to whoever else uses the descriptor
	return true
}

// descriptorIsFree refuses the descriptors of the loop's own transports and servers.
func (l *Loop) descriptorIsFree(fd int) error {
	if !l.pro.Owns(fd) {
		return nil
	}
	user := "a transport or server of this loop"
	for _, o := range l.owned.all() {
		switch o := o.(type) {
		case *streamTransport:
			if o.stream.FD() == fd {
				user = "transport " + o.String()
			}
		case *DatagramTransport:
			if o.socket.FD() == fd {
				user = "transport " + o.String()
			}
		case *acceptor:
			if o.listener.FD() == fd {
				user = o.String()
			}
		}
	}
	return fmt.Errorf("%w: File descriptor %d is used by %s", ErrInvalidState, fd, user)
}

// watched finds the descriptor, or makes a paused one. Its caller uses it and calls
// adjust.
func (l *Loop) watched(fd int) (*descriptor, error) {
	all := featureOf[descriptors](l)
	if d := all.byFD[fd]; d != nil {
		if err := d.check(); err == nil {
			return d, nil
		} else {
			d.lose(err)
		}
	}
	d := &descriptor{loop: l, fd: fd}
	var err error
	if d.watch, err = l.pro.Watch(fd, d); err != nil {
		if errors.Is(err, syscall.EPERM) {
			err = fmt.Errorf("%w: a file of this kind, such as a regular one, is always ready and cannot be watched", err)
		}
		return nil, fmt.Errorf("asyncio: %w", err)
	}
	if d.file, err = fileOf(d.watch.FD()); err != nil {
		d.watch.Close()
		return nil, err
	}
	if all.byFD == nil {
		all.byFD = make(map[int]*descriptor)
	}
	all.byFD[fd] = d
	l.owned.add(d)
	return d, nil
}

func (d *descriptor) direction(write bool) *direction {
	if write {
		return &d.write
	}
	return &d.read
}

// check tells whether the number is still that of the file that is watched. An open one
// that cannot be asked is taken for that file.
func (d *descriptor) check() error {
	if d.lost != nil {
		return d.lost
	}
	f, err := fileOf(d.fd)
	if errors.Is(err, syscall.EBADF) || err == nil && f != d.file {
		return fmt.Errorf("asyncio: descriptor %d was closed while it was waited for: %w: %w", d.fd, net.ErrClosed, syscall.EBADF)
	}
	return nil
}

// adjust watches what is wanted. Nothing: the watch is closed. An error, for want of
// resources, loses the descriptor: who waits is told it, and of a callback that is lost,
// unless it is one that is just being added, the exception handler.
func (d *descriptor) adjust(adding *direction) error {
	switch {
	case d.lost != nil:
		return d.lost
	case !d.read.inUse() && !d.write.inUse():
		d.lose(net.ErrClosed)
		return nil
	}
	err := d.watch.Want(d.read.wanted(), d.write.wanted())
	if err == nil {
		return nil
	}
	err = fmt.Errorf("asyncio: watch descriptor %d: %w", d.fd, err)
	others := 0
	for _, dir := range [2]*direction{&d.read, &d.write} {
		if dir != adding && dir.callback != nil {
			others++
		}
	}
	d.lose(err)
	for range others {
		d.loop.CallExceptionHandler(ErrorContext{Message: "Cannot watch a descriptor any more; its callback is gone", Exception: err})
	}
	return err
}

// lose ends the watch. Calls that wait return err; callbacks are gone.
func (d *descriptor) lose(err error) {
	d.lost = err
	d.watch.Close()
	d.loop.owned.remove(d)
	delete(featureOf[descriptors](d.loop).byFD, d.fd)
	for _, dir := range [2]*direction{&d.read, &d.write} {
		if dir.callback != nil {
			dir.callback.cancelled = true
			dir.callback = nil
		}
		dir.waits.wake(err)
	}
}
