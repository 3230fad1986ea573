//go:build cgo

package uv

// Waking the loop, and what other goroutines hand to it. A producer first adds its work
// to the inbox and then wakes the loop. Whether it has to end a wait for that is said by
// wait.Sleep.

import (
	"encoding/binary"
	"sync"
	"syscall"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// Wake ends the wait of the turn that runs, or makes the next one not wait. Wakes
// coalesce. It may be called from any goroutine and at any time.
func (l *Loop) Wake() {
	waiter, descriptor := l.sleep.Wake()
	if descriptor {
		l.inbox.signal(l.b)
	} else if waiter {
		l.waiter.Wake()
	}
}

// inbox holds what other goroutines hand over, in the order in which they did.
type inbox struct {
	loop   *Loop
	mu     sync.Mutex
	posts  []post
	spare  []post
	rest   []post // what a panic has left of the posts that were being run
	closed bool
}

// post is a posted function or an Async that was sent.
type post struct {
	f     func()
	async *Async
}

// Post runs f on the loop's goroutine in a coming turn, waking the loop if it waits.
// Posts of one goroutine run in order. It may be called from any goroutine and at any
// time; the error is ErrClosed, and then f does not run. A function that was accepted
// before the loop was closed, but that no turn has run, is dropped by Close.
func (l *Loop) Post(f func()) error {
	if f == nil {
		return &Error{Op: "post", Errno: EINVAL}
	}
	return l.inbox.add(post{f: f})
}

func (in *inbox) add(p post) error {
	in.mu.Lock()
	if in.closed {
		in.mu.Unlock()
		return ErrClosed
	}
	in.posts = append(in.posts, p)
	in.mu.Unlock()
	in.loop.Wake()
	return nil
}

func (in *inbox) empty() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.posts)+len(in.rest) == 0
}

func (in *inbox) close() {
	in.mu.Lock()
	in.closed, in.posts, in.spare, in.rest = true, nil, nil, nil
	in.mu.Unlock()
}

// signal makes the wake-up descriptor readable. The lock keeps it from being closed
// meanwhile.
func (in *inbox) signal(b *cbridge.Loop) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return
	}
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	for {
		// EAGAIN means that as many wakes are unread as fit, which is what one more would
		// say.
		if _, err := syscall.Write(b.WakeWrite, one[:]); err != syscall.EINTR {
			return
		}
	}
}

// runPosts runs what is in the inbox at this moment; what is added meanwhile waits for
// the next turn.
func (l *Loop) runPosts() {
	in := &l.inbox
	if len(in.rest) == 0 {
		in.mu.Lock()
		in.rest, in.posts, in.spare = in.posts, in.spare[:0], nil
		in.mu.Unlock()
	}
	all := in.rest
	for len(in.rest) > 0 {
		p := in.rest[0]
		in.rest[0] = post{}
		in.rest = in.rest[1:]
		l.calls++
		if p.async != nil {
			p.async.deliver()
		} else {
			p.f()
		}
	}
	in.rest = nil
	in.spare = all[:0]
	l.posted = false
}

func closeWake(b *cbridge.Loop) {
	syscall.Close(b.WakeRead)
	if b.WakeWrite != b.WakeRead {
		syscall.Close(b.WakeWrite)
	}
}
