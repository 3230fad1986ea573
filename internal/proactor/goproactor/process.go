package goproactor

// Processes: a child is a goroutine, which starts it and then waits for it. Starting off
// the loop's goroutine costs a loop nothing, however long a fork takes.

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// process implements proactor.Process, and is the completion of its start.
type process struct {
	d         *driver
	child     *os.Process // the goroutine's until it has posted
	err       error       // likewise
	done      func(proactor.Process, error)
	exited    func(proactor.ExitStatus)
	cancelled bool
}

// exitEvent is the completion of a wait.
type exitEvent struct {
	p      *process
	status proactor.ExitStatus
}

func (d *driver) Spawn(opt proactor.SpawnOptions, done func(proactor.Process, error), exited func(proactor.ExitStatus)) (cancel func()) {
	p := &process{d: d, done: done, exited: exited}
	if d.closed {
		system.CloseFiles(opt.Files)
		return func() {}
	}
	d.goroutines.Add(1)
	go func() {
		defer d.goroutines.Done()
		p.child, p.err = system.StartProcess(opt)
		d.post(p)
	}()
	return func() { p.cancelled = true }
}

func (p *process) PID() int { return p.child.Pid }

func (p *process) Kill(sig syscall.Signal) error {
	err := p.child.Signal(sig)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

func (p *process) complete() {
	switch {
	case p.cancelled:
		p.discard()
		p.done(nil, context.Canceled)
	case p.err != nil:
		p.done(nil, p.err)
	default:
		go p.wait()
		p.done(p, nil)
	}
}

// discard ends a child that nobody has heard of.
func (p *process) discard() {
	if p.child != nil {
		system.EndProcess(p.child)
	}
}

// wait is the goroutine. It outlives the driver if the child does.
func (p *process) wait() { p.d.post(&exitEvent{p, system.WaitProcess(p.child)}) }

func (e *exitEvent) complete() { e.p.exited(e.status) }

func (e *exitEvent) discard() {}
