//go:build cgo

package uv

// What is asked of the file system: checked here, the same for a loop and without one.
//
// The pool's thread touches the memory of a read or write after the call has returned, so
// it is pinned until the bridge has let go of it. That is the caller's, which is the
// request's until its callback; with a context that may end before the bridge lets go, it
// is a copy, so that the caller's is its own again when the callback has come. To pin
// takes 0.24 us, the way to a thread and back 6 to 15. A copy of 4 KiB takes 0.07 us and
// its memory, one of 1 MiB 50, so there is no copy where none is needed.
//
// A descriptor is closed when no request has it any more, or its number might be
// another file's by then. An open directory has one request at a time.

import (
	"io"
	"io/fs"
	"math"
	"runtime"
	"strings"
	"sync"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// fsNames are libuv's names of the operations.
var fsNames = map[int32]string{
	cbridge.FSOpen: "open", cbridge.FSClose: "close", cbridge.FSRead: "read", cbridge.FSWrite: "write", cbridge.FSSendfile: "sendfile",
	cbridge.FSStat: "stat", cbridge.FSLstat: "lstat", cbridge.FSFstat: "fstat", cbridge.FSFtruncate: "ftruncate", cbridge.FSUtime: "utime",
	cbridge.FSFutime: "futime", cbridge.FSAccess: "access", cbridge.FSChmod: "chmod", cbridge.FSFchmod: "fchmod", cbridge.FSFsync: "fsync",
	cbridge.FSFdatasync: "fdatasync", cbridge.FSUnlink: "unlink", cbridge.FSRmdir: "rmdir", cbridge.FSMkdir: "mkdir",
	cbridge.FSMkdtemp: "mkdtemp", cbridge.FSRename: "rename", cbridge.FSScandir: "scandir", cbridge.FSLink: "link",
	cbridge.FSSymlink: "symlink", cbridge.FSReadlink: "readlink", cbridge.FSChown: "chown", cbridge.FSFchown: "fchown",
	cbridge.FSRealpath: "realpath", cbridge.FSCopyfile: "copyfile", cbridge.FSLchown: "lchown", cbridge.FSOpendir: "opendir",
	cbridge.FSReaddir: "readdir", cbridge.FSClosedir: "closedir", cbridge.FSStatfs: "statfs", cbridge.FSMkstemp: "mkstemp",
	cbridge.FSLutime: "lutime",
}

// fsCall is one request of the file system. Some take several rounds.
type fsCall struct {
	cbridge.FSCall
	op, name string // what is done, and the path concerned, as errors have them
	path, to []byte // terminated
	bad      error  // what is wrong with the call

	// follow takes in what came of a round of a call that may need another one, which
	// again tells: a number, or a code of libuv's.
	follow func(c *fsCall, n int64) error
	again  bool

	bufs  [][]byte // of a read or write: the caller's memory, without what is done
	moved int      // bytes that were written so far
	copy  []byte   // what libuv has in place of bufs
	pins  *runtime.Pinner

	files [2]*openFile // whose descriptors it has
	dir   *openDir
}

func newFSCall(op int32, name string) *fsCall {
	return &fsCall{FSCall: cbridge.FSCall{Op: op}, op: fsNames[op], name: name}
}

// pathCall is a call about a path, or about two.
func pathCall(op int32, path string) *fsCall {
	c := newFSCall(op, path)
	c.path = c.terminated(path)
	return c
}

func twoPathCall(op int32, path, to string) *fsCall {
	c := pathCall(op, path)
	c.to = c.terminated(to)
	return c
}

// terminated is a path as C wants it.
func (c *fsCall) terminated(path string) []byte {
	switch {
	case strings.IndexByte(path, 0) >= 0:
		c.refuse(EINVAL)
	case len(path) >= cbridge.PathBytes:
		c.refuse(ENAMETOOLONG)
	default:
		return append(append(make([]byte, 0, len(path)+1), path...), 0)
	}
	return nil
}

// refuse notes what is wrong with the call; the first that is found counts.
func (c *fsCall) refuse(code Errno) {
	if c.bad == nil {
		c.bad = c.failed(code)
	}
}

// check refuses a call of which something does not hold.
func (c *fsCall) check(ok bool) {
	if !ok {
		c.refuse(EINVAL)
	}
}

// number is n for a field that has 32 bits.
func (c *fsCall) number(n int) int32 {
	c.check(n == int(int32(n)))
	return int32(n)
}

// id is that of a user or group; -1 leaves it.
func (c *fsCall) id(n int) uint32 {
	c.check(n >= -1 && int64(n) < math.MaxUint32)
	return uint32(n)
}

func (c *fsCall) failed(code Errno) error {
	return &Error{Op: c.op, Addr: c.name, Errno: code}
}

// memory is that of the next round: what libuv is given of bufs.
func (c *fsCall) memory() cbridge.FSMemory {
	switch {
	case c.copy != nil:
		return cbridge.FSMemory{One: c.copy[c.moved:]}
	case len(c.bufs) == 1:
		return cbridge.FSMemory{One: c.bufs[0]}
	case len(c.bufs) == 0:
		return cbridge.FSMemory{}
	}
	many := make([]cbridge.FSBuf, len(c.bufs))
	for i, b := range c.bufs {
		if len(b) > 0 {
			many[i] = cbridge.FSBuf{P: &b[0], N: uintptr(len(b))}
		}
	}
	return cbridge.FSMemory{Many: many}
}

func size(bufs [][]byte) (n int) {
	for _, b := range bufs {
		n += len(b)
	}
	return n
}

// duplicate has libuv work on memory of the call's own.
func (c *fsCall) duplicate() {
	c.copy = make([]byte, size(c.bufs))
	if c.Op == cbridge.FSWrite {
		n := 0
		for _, b := range c.bufs {
			n += copy(c.copy[n:], b)
		}
	}
}

// fill gives the caller the bytes that were read into a copy.
func (c *fsCall) fill(n int) {
	from := c.copy[:min(n, len(c.copy))]
	for _, b := range c.bufs {
		from = from[copy(b, from):]
	}
}

// written takes in a round of writing. One that has brought nothing would be for ever.
func (c *fsCall) written(n int64) error {
	if c.again = false; n < 0 {
		return c.failed(Errno(n))
	}
	c.moved += int(n)
	if c.Off >= 0 {
		c.Off += n
	}
	if c.copy == nil {
		c.drop(int(n))
	}
	c.again = c.left() > 0
	if c.again && n == 0 {
		return c.failed(EIO)
	}
	return nil
}

// drop takes the first n bytes off what is to be written.
func (c *fsCall) drop(n int) {
	bufs := c.bufs
	for len(bufs) > 0 && n >= len(bufs[0]) {
		n -= len(bufs[0])
		bufs = bufs[1:]
	}
	c.bufs = append([][]byte(nil), bufs...)
	if n > 0 {
		c.bufs[0] = c.bufs[0][n:]
	}
}

// left is how many bytes are still to be written.
func (c *fsCall) left() int {
	if c.copy != nil {
		return len(c.copy) - c.moved
	}
	return size(c.bufs)
}

// now does the call at once.
func (c *fsCall) now(take func(*cbridge.FSOut)) error {
	if c.bad != nil {
		return c.bad
	}
	if len(c.bufs) > 1 {
		c.pin()
		defer c.unpin()
	}
	for {
		var err error
		cbridge.FSNow(&c.FSCall, c.path, c.to, c.memory(), func(out *cbridge.FSOut) {
			if err = c.round(out); err == nil && !c.again {
				take(out)
			}
		})
		if err != nil || !c.again {
			return err
		}
	}
}

// round takes in what came of a round.
func (c *fsCall) round(out *cbridge.FSOut) error {
	switch {
	case c.follow != nil:
		return c.follow(c, out.Result)
	case out.Result < 0:
		return c.failed(Errno(out.Result))
	}
	return nil
}

// goesOn reports whether there is another round.
func (c *fsCall) goesOn() bool { return c.again }

// pins keeps the pins of all requests where the collector sees them: one that it found
// forgotten, with the loop of a program that has dropped it, would end the process.
var pins struct {
	mu   sync.Mutex
	held map[*runtime.Pinner]struct{}
}

// pin keeps the memory of the call where it is.
func (c *fsCall) pin() {
	c.pins = new(runtime.Pinner)
	if len(c.copy) > 0 {
		c.pins.Pin(&c.copy[0])
	} else {
		for _, b := range c.bufs {
			if len(b) > 0 {
				c.pins.Pin(&b[0])
			}
		}
	}
	pins.mu.Lock()
	defer pins.mu.Unlock()
	if pins.held == nil {
		pins.held = make(map[*runtime.Pinner]struct{})
	}
	pins.held[c.pins] = struct{}{}
}

func (c *fsCall) unpin() {
	if c.pins == nil {
		return
	}
	c.pins.Unpin()
	pins.mu.Lock()
	delete(pins.held, c.pins)
	pins.mu.Unlock()
	c.pins = nil
}

// begin begins the call in the bridge, and returns its id or a code.
func (c *fsCall) begin(b *cbridge.Loop) (uint64, int) {
	return b.FSBegin(&c.FSCall, c.path, c.to, c.memory())
}

// closes reports whether the call closes something, which Shutdown lets it do.
func (c *fsCall) closes() bool { return c.Op == cbridge.FSClose || c.Op == cbridge.FSClosedir }

// join takes what the call needs of its file or directory, and reports whether it may
// begin: else it waits there.
func (c *fsCall) join(r *Req) bool {
	c.setClosed(true)
	if c.dir != nil {
		return c.dir.join(r)
	}
	if c.Op == cbridge.FSClose {
		return c.files[0].join(r)
	}
	for _, f := range c.files {
		if f != nil {
			f.uses++
		}
	}
	return true
}

// released tells that the bridge has let go of the call, whatever its callback had.
func (c *fsCall) released() {
	c.unpin()
	if c.dir != nil {
		c.dir.leave()
	}
	if c.Op == cbridge.FSClose {
		return
	}
	for _, f := range c.files {
		if f != nil {
			f.leave()
		}
	}
}

// cancelled tells that the call will not run: what it would have closed is open.
func (c *fsCall) cancelled() { c.setClosed(false) }

func (c *fsCall) setClosed(closed bool) {
	switch c.Op {
	case cbridge.FSClose:
		c.files[0].closed = closed
	case cbridge.FSClosedir:
		c.dir.closed = closed
	}
}

// closeNow closes what outlives its loop, where no request can.
func (c *fsCall) closeNow() {
	if c.closes() && c.bad == nil {
		c.setClosed(true)
		_ = c.now(func(*cbridge.FSOut) {})
	}
}

// fsAnswer is what comes of a call.
type fsAnswer[T any] struct {
	*fsCall
	result func(*fsCall, *cbridge.FSOut) (T, error)
	value  T
	err    error
	done   func(T, error)
}

// take leaves the result to the bridge if nobody wants it. Of a call that may need
// another round it takes an error too.
func (a *fsAnswer[T]) take(b *cbridge.Loop, id uint64) {
	if a.done == nil && a.follow == nil {
		return
	}
	out := b.FSResult(id)
	if a.err = a.round(out); a.err != nil {
		a.again = false
	} else if !a.again {
		a.value, a.err = a.result(a.fsCall, out)
	}
}

func (a *fsAnswer[T]) tell(err error) {
	if a.done == nil {
		return
	}
	if err == nil {
		err = a.err
	}
	a.done(a.value, err)
}

// fsBegin makes a request. What is wrong with it is told by a later turn, but for a
// closed loop.
func fsBegin[T any](f FS, method string, c *fsCall, result func(*fsCall, *cbridge.FSOut) (T, error), done func(T, error)) *Req {
	l, ctx := f.loop, f.ctx
	a := &fsAnswer[T]{fsCall: c, result: result, done: done}
	err := l.mayBegin(ctx, method)
	if l.state.Load() == loopClosed {
		c.closeNow()
		return &Req{loop: l, kind: FSReq, state: reqRefused}
	}
	if err == nil {
		err = c.bad
	}
	if err == nil {
		err = startPool(fsNames[c.Op])
	}
	if err != nil {
		return l.answered(ctx, FSReq, a, err)
	}
	r := &Req{loop: l, kind: FSReq, answer: a, fs: c, state: reqWaiting}
	r.watch(ctx)
	if r.ctx != nil && len(c.bufs) > 0 {
		c.duplicate()
	}
	if len(c.bufs) > 0 {
		c.pin()
	}
	if c.join(r) {
		r.startFS()
	}
	return r
}

// startFS begins a request that has waited, or its next round.
func (r *Req) startFS() {
	l := r.loop
	r.state = reqPending
	id, code := r.fs.begin(l.b)
	if code != 0 {
		r.id = 0
		r.fs.cancelled()
		r.fs.released()
		l.answerLater(r, r.answer.failed(Errno(code)))
		return
	}
	r.id = id
	l.keep(r)
	l.stirred()
}

// fsNow makes the request without a loop.
func fsNow[T any](c *fsCall, result func(*fsCall, *cbridge.FSOut) (T, error)) (value T, err error) {
	failure := c.now(func(out *cbridge.FSOut) { value, err = result(c, out) })
	if failure != nil {
		return value, failure
	}
	return value, err
}

// Results of calls.

type nothing = struct{}

func noResult(*fsCall, *cbridge.FSOut) (nothing, error) { return nothing{}, nil }

// without makes a callback of one that wants no value.
func without(done func(error)) func(nothing, error) {
	if done == nil {
		return nil
	}
	return func(_ nothing, err error) { done(err) }
}

func readResult(c *fsCall, out *cbridge.FSOut) (int, error) {
	n := int(out.Result)
	if c.copy != nil {
		c.fill(n)
	}
	if n == 0 && size(c.bufs) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// written makes a callback of one that wants to know how much was written, with an error
// too.
func written(c *fsCall, done func(int, error)) func(nothing, error) {
	if done == nil {
		return nil
	}
	return func(_ nothing, err error) { done(c.moved, err) }
}

func textResult(_ *fsCall, out *cbridge.FSOut) (string, error) { return out.Text(), nil }

func infoResult(c *fsCall, out *cbridge.FSOut) (fs.FileInfo, error) {
	return newFileInfo(c.name, &out.Status), nil
}

func countResult(_ *fsCall, out *cbridge.FSOut) (int64, error) { return out.Result, nil }
