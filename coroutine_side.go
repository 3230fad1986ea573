package asyncio

// Side coroutines: stacks for code that is no task's and has to stop half-way, such as a
// TLS handshake that waits for bytes. The loop steps one from a callback and goes on when
// it suspends. The code runs as a callback of the loop does: it may use the loop, and
// await nothing. What the runtime asks of coroutines, see coroutine.go, is asked of these
// as well, so they count as live ones of the pool.
//
//	idle      -> running  step
//	running   -> idle     suspend
//	          -> ended    the code has returned, or ended with a panic or Goexit, which
//	                      goes on in who has called step
//
// After stop, and when the loop is closed, suspend returns errSideStopped, and the code
// is to return.

import (
	"errors"
	"iter"

	"github.com/seed-a026a017/asyncio/internal/goid"
)

type sideState uint8

const (
	sideIdle sideState = iota
	sideRunning
	sideEnded
)

// errSideStopped is what suspend returns when the code has to give up.
var errSideStopped = errors.New("asyncio: given up")

type sideCoroutine struct {
	loop    *Loop
	fn      func()
	resume  func() (struct{}, bool) // nil: it has not begun
	end     func()                  // resumes it for the last time
	yield   func(struct{}) bool
	state   sideState
	stopped bool
}

// newSide makes a coroutine that runs fn from its first step on.
func (l *Loop) newSide(fn func()) *sideCoroutine { return &sideCoroutine{loop: l, fn: fn} }

// step runs the code until it suspends or has ended.
func (c *sideCoroutine) step() {
	p := &c.loop.coroutines
	if p.live > 0 && goid.ThreadLock() != p.lock { // a callback has left it so
		p.restoreLock()
	}
	if c.resume == nil {
		p.addSide(c)
		c.resume, c.end = iter.Pull(c.main)
	}
	c.state = sideRunning
	c.resume()
}

// main is what the coroutine runs.
func (c *sideCoroutine) main(yield func(struct{}) bool) {
	self := goid.Self()
	c.yield = yield
	goroutineLoops.Store(self, c.loop)
	defer func() {
		p := &c.loop.coroutines
		if goid.ThreadLock() != p.lock {
			p.restoreLock()
		}
		goroutineLoops.Delete(self)
		p.removeSide(c)
		c.state = sideEnded
	}()
	c.fn()
}

// suspend is called by the code. It returns when the next step comes, or an error if
// there will be none.
func (c *sideCoroutine) suspend() error {
	if p := &c.loop.coroutines; goid.ThreadLock() != p.lock { // the code has left it so
		p.restoreLock()
	}
	if !c.stopped {
		c.state = sideIdle
		c.stopped = !c.yield(struct{}{})
	}
	if c.stopped {
		return errSideStopped
	}
	return nil
}

// stop has the code give up, soon.
func (c *sideCoroutine) stop() {
	c.stopped = true
	if c.state == sideIdle && c.resume != nil {
		c.loop.ready.push(c)
	}
}

// run lets code that was stopped come to its end.
func (c *sideCoroutine) run(*Loop) {
	if c.state == sideIdle {
		c.step()
	}
}

// addSide notes a coroutine that is about to begin.
func (p *coroutinePool) addSide(c *sideCoroutine) {
	if p.live == 0 {
		p.lock = goid.ThreadLock()
	}
	p.live++
	if p.sides == nil {
		p.sides = make(map[*sideCoroutine]struct{})
	}
	p.sides[c] = struct{}{}
}

func (p *coroutinePool) removeSide(c *sideCoroutine) {
	p.live--
	delete(p.sides, c)
}
