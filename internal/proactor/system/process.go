package system

// Children of this process, as package os has them. For each a goroutine starts it and
// another one waits for it, and what they find is told by the driver's Poll.
//
// Also for the driver on libuv. uv_spawn returns when the child runs its program, so the
// loop's goroutine would wait until the kernel has given the child a processor, and until
// other starts of the process, which hold syscall.ForkLock, are over. Here the loop goes
// on meanwhile. Both drove the same loop in turns, on two processors. Per child the CPU
// time of this process and the whole time, and the longest gap of a heartbeat of 1 ms in
// milliseconds; medians of 9 to 21 runs:
//
//	                                  CPU us         all us          gap ms
//	                                  os    uv       os     uv       os     uv
//	one after another                 178   189      867    856      1.9    1.9
//	  beside other load               267   252     2358   3717      8.7   48.3
//	  and two programs that compute   281   334     4653   8347     27.2   67.2
//	100 at once, one start a turn     131   117      576    823     28.5    9.7
//	  beside other load               184   178      987   2071     43.6   45.2
//	  and two programs that compute   189   210     1719   3763      114    106
//
// uv_spawn is also less than asyncio asks for: it gives a script without "#!" to a shell,
// gives signals that this process ignores their defaults, and never tells the end of a
// child that somebody else has waited for.
//
// Invariants:
//   - A child is pending from Spawn until done is called. Who ends a pending one when the
//     driver closes is decided under mu: Close, if the child has started; its goroutine,
//     if it has not.
//   - A child that has started is waited for by exactly one goroutine, which may outlive
//     the driver.

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// Children implements proactor.Spawner. Drivers embed it.
type Children struct {
	// Tell runs f in a later Poll, unless the driver closes before. It is called on any
	// goroutine, under mu, and not after CloseChildren.
	Tell func(f func())

	mu      sync.Mutex
	pending map[*child]struct{} // under mu
	closed  bool                // under mu
}

// child implements proactor.Process.
type child struct {
	owner     *Children
	process   *os.Process // under mu while it is pending; nil: not started
	done      func(proactor.Process, error)
	exited    func(proactor.ExitStatus)
	cancelled bool // for the loop's goroutine
}

// Spawn starts a program.
func (c *Children) Spawn(opt proactor.SpawnOptions, done func(proactor.Process, error), exited func(proactor.ExitStatus)) (cancel func()) {
	p := &child{owner: c, done: done, exited: exited}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		CloseFiles(opt.Files)
		return func() {}
	}
	if c.pending == nil {
		c.pending = make(map[*child]struct{})
	}
	c.pending[p] = struct{}{}
	go p.start(opt)
	return func() { p.cancelled = true }
}

// CloseChildren ends the children that nobody has heard of. Drivers close it first.
func (c *Children) CloseChildren() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for p := range c.pending {
		if p.process != nil {
			end(p.process)
		}
	}
	clear(c.pending)
}

// start is a goroutine.
func (p *child) start(opt proactor.SpawnOptions) {
	attr := &os.ProcAttr{Dir: opt.Dir, Env: opt.Env, Files: opt.Files, Sys: processAttributes(opt)}
	process, err := os.StartProcess(opt.Path, opt.Args, attr)
	CloseFiles(opt.Files)
	c := p.owner
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		p.process = process
		c.Tell(func() { p.started(err) })
	} else if err == nil {
		end(process)
	}
}

// started tells of the start.
func (p *child) started(err error) {
	c := p.owner
	c.mu.Lock()
	delete(c.pending, p)
	c.mu.Unlock()
	switch {
	case p.cancelled:
		if err == nil {
			end(p.process)
		}
		p.done(nil, context.Canceled)
	case err != nil:
		p.done(nil, err)
	default:
		go p.wait()
		p.done(p, nil)
	}
}

// wait is a goroutine.
func (p *child) wait() {
	awaitEnd(p.process.Pid)
	status := exitStatus(p.process.Wait())
	c := p.owner
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.Tell(func() { p.exited(status) })
	}
}

// PID is the child's number.
func (p *child) PID() int { return p.process.Pid }

// Kill sends a signal.
func (p *child) Kill(sig syscall.Signal) error {
	err := p.process.Signal(sig)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// end kills a child that nobody will hear of.
func end(p *os.Process) {
	_ = p.Kill() // it may have ended, or not be ours to kill
	go p.Wait()
}

// CloseFiles closes what a child got, or would have got.
func CloseFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // nothing was written here
	}
}

func exitStatus(state *os.ProcessState, err error) proactor.ExitStatus {
	if err != nil {
		return proactor.ExitStatus{Err: err}
	}
	status := state.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return proactor.ExitStatus{Code: -int(status.Signal())}
	}
	return proactor.ExitStatus{Code: status.ExitStatus()}
}
