//go:build cgo

package uv

// Files that change, as looking at them again and again tells. It works where the system
// does not tell by itself, as for files of the network or of /proc.
//
// This is libuv's uv_fs_poll_t in Go, on a timer and requests of this package: libuv's
// own takes a start after a stop for the old one while the old one still looks.
//
//	state    moves to
//	stopped  looking: Start
//	looking  waiting: the look is over; stopped: Stop, Close
//	waiting  looking: the interval is over; stopped: Stop, Close
//
// A number counts the starts and stops, so that a look that is over too late is none.

import (
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// FSPoll looks at a file in intervals, and tells when it is another one than before;
// uv_fs_poll_t.
type FSPoll struct {
	local
	path     string
	interval time.Duration
	cb       func(prev, cur fs.FileInfo, err error)
	epoch    uint64
	timer    Timer // of no loop's list; the FSPoll keeps the loop alive, not this
	look     *Req
	seen     fs.FileInfo // the file as it was last
	last     Errno       // why it could not be seen; 0 if it was, or was not looked at
	looked   bool
}

// NewFSPoll makes a handle that looks at a file; uv_fs_poll_init. The error is ErrClosed.
func (l *Loop) NewFSPoll() (*FSPoll, error) {
	p := new(FSPoll)
	if err := l.addLocal(&p.local, p, FSPollHandle); err != nil {
		return nil, err
	}
	p.timer.handle = handle{loop: l, kind: TimerHandle, unreferenced: true}
	p.timer.node.t = &p.timer
	return p, nil
}

// Start looks at the file at path now and then in intervals, of at least 1 ms, and calls
// cb when it differs from what it was; uv_fs_poll_start. The first look is not told,
// unless it fails. A failure is told once, until the file can be seen again or fails in
// another way: cb then gets an error, such as ENOENT, and as cur, and as prev if there
// was none, a FileInfo of zeros. Sys of a FileInfo is its *Stat. When it was read last
// makes no difference.
//
// The errors are ErrClosed, and EINVAL if the handle is started, for a NUL byte, a
// negative interval and without cb.
func (p *FSPoll) Start(path string, interval time.Duration, cb func(prev, cur fs.FileInfo, err error)) error {
	if err := p.check("FSPoll.Start"); err != nil {
		return err
	}
	if cb == nil || p.active || interval < 0 || strings.ContainsRune(path, 0) {
		return &Error{Op: "start", Kind: FSPollHandle, Addr: path, Errno: EINVAL}
	}
	p.path, p.interval, p.cb = path, max(interval, time.Millisecond), cb
	p.seen, p.last, p.looked = zeroInfo(path), 0, false
	p.epoch++
	p.setActive(true)
	p.begin()
	return nil
}

// nothing is a file of zeros.
func zeroInfo(path string) fs.FileInfo { return newFileInfo(path, new(cbridge.FSStatus)) }

// begin moves to looking.
func (p *FSPoll) begin() {
	epoch, began := p.epoch, p.loop.Clock()
	p.look = p.loop.FS().Stat(p.path, func(cur fs.FileInfo, err error) {
		if epoch == p.epoch {
			p.wait(p.loop.Clock() - began)
			p.tell(cur, err)
		}
	})
}

// wait moves to waiting, for what a look of that length has left of the interval. It
// precedes the callback, which may panic.
func (p *FSPoll) wait(took time.Duration) {
	p.look = nil
	_ = p.timer.Start(p.interval-took%p.interval, 0, p.begin)
}

// tell compares what was seen with what was seen before.
func (p *FSPoll) tell(cur fs.FileInfo, err error) {
	prev, last, looked := p.seen, p.last, p.looked
	p.last, p.looked = 0, true
	if err != nil {
		p.last = UNKNOWN
		_ = errors.As(err, &p.last)
		if p.last != last {
			p.cb(prev, zeroInfo(p.path), err)
		}
		return
	}
	p.seen = cur
	if looked && (last != 0 || differ(prev.Sys().(*Stat), cur.Sys().(*Stat))) {
		p.cb(prev, cur, nil)
	}
}

// differ compares as libuv does.
func differ(a, b *Stat) bool {
	same := a.Ctime.Equal(b.Ctime) && a.Mtime.Equal(b.Mtime) && a.Birthtime.Equal(b.Birthtime) &&
		a.Size == b.Size && a.Mode == b.Mode && a.UID == b.UID && a.GID == b.GID &&
		a.Ino == b.Ino && a.Dev == b.Dev && a.Flags == b.Flags && a.Gen == b.Gen
	return !same
}

// Stop ends the calls at once; uv_fs_poll_stop. It is idempotent. The error is ErrClosed.
func (p *FSPoll) Stop() error {
	if err := p.check("FSPoll.Stop"); err != nil {
		return err
	}
	p.stop()
	return nil
}

// stop moves to stopped.
func (p *FSPoll) stop() {
	if !p.active {
		return
	}
	p.epoch++
	p.cb, p.seen = nil, nil
	p.timer.disarm()
	if p.look != nil {
		_ = p.look.Cancel() // one that runs is over soon
		p.look = nil
	}
	p.setActive(false)
}

// Path is the path that Start was given; uv_fs_poll_getpath. The error is ErrClosed, or
// EINVAL while the handle is stopped.
func (p *FSPoll) Path() (string, error) {
	if err := p.check("FSPoll.Path"); err != nil {
		return "", err
	}
	if !p.active {
		return "", p.fail("getpath", int(EINVAL))
	}
	return p.path, nil
}

// Close stops the handle and closes it.
func (p *FSPoll) Close() { p.CloseWith(nil) }

// CloseWith is Close with a callback.
func (p *FSPoll) CloseWith(closed func()) {
	if p.check("FSPoll.Close") != nil {
		return
	}
	p.stop()
	p.close(closed)
}
