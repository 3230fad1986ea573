package asyncio

// Calls on files. What may wait for a disk runs on a goroutine of a pool, and a call goes
// from the loop to there and back:
//
//	state    moves to               by
//	waiting  running: begin         the goroutine
//	         left: abort            the task; the call is not made
//	running  left: abort            the task; the call goes on, its result is dropped
//	         told: run              the loop
//
// A task that leaves takes its memory along: so no call reads into it or writes from it.
// The goroutine has memory of its own and copies, and a task leaves before or after the
// copying of a piece. So a ReadAt of 1 MiB that the kernel has in memory takes 1.7 times
// what it takes a goroutine by itself, 113 us for 68. ReadFile copies nothing.

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

const (
	// fileCallsMax is how many calls on files a loop has running. Each may hold a thread
	// of the system, of which the runtime allows 10,000.
	fileCallsMax = 32
	// fileChunkBytes is how much goes through the memory of a goroutine at a time: it
	// stays in a processor's cache. Most files need less than fileSmallBytes.
	fileChunkBytes = 256 << 10
	fileSmallBytes = 8 << 10
)

// fileCalls is the feature of a loop that runs its calls on files. Closing has a pool of
// its own, so that a file can be closed on which calls are stuck.
type fileCalls struct{ pool, closing *threadPool }

func (*fileCalls) loopClosed(*Loop) {}

func (l *Loop) fileCalls() *fileCalls {
	c := featureOf[fileCalls](l)
	if c.pool == nil {
		c.pool, c.closing = &threadPool{max: fileCallsMax}, &threadPool{max: fileCallsMax}
	}
	return c
}

type fileCallState uint8

const (
	fileCallWaiting fileCallState = iota
	fileCallRunning
	fileCallLeft
	fileCallTold
)

// fileCall is a call on files, for one task.
type fileCall struct {
	loop  *Loop
	call  func()
	ended func() // on the loop: the call is over, or will not be made; nil: nobody cares
	done  waitPoint

	mu    sync.Mutex
	state fileCallState // under mu
}

// become makes a move, and returns what the state was.
func (c *fileCall) become(s fileCallState) fileCallState {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.state
	if was != fileCallLeft {
		c.state = s
	}
	return was
}

// work runs on the goroutine.
func (c *fileCall) work() {
	if c.become(fileCallRunning) == fileCallWaiting {
		c.call()
		c.loop.post(c)
	}
}

// run tells the task that waits.
func (c *fileCall) run(l *Loop) {
	if c.ended != nil {
		c.ended()
	}
	if c.become(fileCallTold) == fileCallRunning {
		l.counters.pending--
		c.done.wake(nil)
	}
}

func (c *fileCall) describe() subject { return subject{name: "the end of a call on files"} }

// abort implements aborter.
func (c *fileCall) abort(t *task) bool {
	if !c.done.abort(t) {
		return false
	}
	c.loop.counters.pending--
	if c.become(fileCallLeft) == fileCallWaiting && c.ended != nil {
		c.ended()
	}
	return true
}

// lend runs copying while the task's memory may be touched. It is false if the task has
// left.
func (c *fileCall) lend(copying func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == fileCallLeft {
		return false
	}
	copying()
	return true
}

// callFiles suspends the task while fn runs on a goroutine. The second error is fn's, the
// first one says that the task waits no more. ended is a fileCall's.
func callFiles[T any](a awaiter, ended func(), fn func(c *fileCall) (T, error)) (v T, left, err error) {
	l := a.task.loop
	r := new(Result[T])
	c := &fileCall{loop: l, ended: ended}
	c.call = func() { r.Value, r.Err = fn(c) }
	c.done.task = a.task
	l.counters.pending++
	_ = l.fileCalls().pool.submit(c.work, l.pro) // which is never shut down
	if left = a.park(c); left != nil {
		return v, left, nil
	}
	return r.Value, nil, r.Err
}

// callFileSystem is callFiles for a function of the task that ctx is of.
func callFileSystem[T any](ctx context.Context, method string, fn func(c *fileCall, files proactor.FileSystem) (T, error)) (T, error) {
	a, err := enterFiles(ctx, method)
	if err != nil {
		var zero T
		return zero, err
	}
	files := a.task.loop.pro.FileSystem()
	v, left, err := callFiles(a, nil, func(c *fileCall) (T, error) { return fn(c, files) })
	return v, cmp.Or(left, err)
}

// enterFiles is enterTask for a task whose loop is open.
func enterFiles(ctx context.Context, method string) (awaiter, error) {
	a, err := enterTask(ctx, method)
	if err == nil && a.task.loop.IsClosed() {
		err = fmt.Errorf("%w: %s needs an open loop", ErrLoopClosed, method)
	}
	return a, err
}

// fileMemory has the memory of goroutines, by its size.
var fileMemory = [2]sync.Pool{
	{New: func() any { b := make([]byte, fileSmallBytes); return &b }},
	{New: func() any { b := make([]byte, fileChunkBytes); return &b }},
}

// withMemory gives fn memory for n bytes, or for a chunk if that is less.
func withMemory(n int, fn func(b []byte)) {
	pool := &fileMemory[0]
	if n > fileSmallBytes {
		pool = &fileMemory[1]
	}
	b := pool.Get().(*[]byte)
	defer pool.Put(b)
	fn((*b)[:min(n, len(*b))])
}

// readInto fills p by calls of read, which is told where in p it is. With once it calls
// read once.
func (c *fileCall) readInto(p []byte, once bool, read func(b []byte, at int) (int, error)) (n int, err error) {
	withMemory(len(p), func(b []byte) {
		for more := true; more && err == nil; more = !once && n < len(p) {
			var m int
			m, err = read(b[:min(len(b), len(p)-n)], n)
			if !c.lend(func() { n += copy(p[n:], b[:m]) }) {
				return
			}
		}
	})
	return n, err
}

// writeFrom writes p by calls of write.
func (c *fileCall) writeFrom(p []byte, write func(b []byte, at int) (int, error)) (n int, err error) {
	withMemory(len(p), func(b []byte) {
		for more := true; more && err == nil; more = n < len(p) {
			size := 0
			if !c.lend(func() { size = copy(b, p[n:]) }) {
				return
			}
			size, err = write(b[:size], n)
			n += size
		}
	})
	return n, err
}
