//go:build cgo

package uvproactor

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/system"
)

// process implements proactor.Process.
type process struct {
	d         *driver
	child     *os.Process // the goroutine's until it has posted
	err       error       // likewise
	done      func(proactor.Process, error)
	exited    func(proactor.ExitStatus)
	cancelled bool
}

func (d *driver) Spawn(opt proactor.SpawnOptions, done func(proactor.Process, error), exited func(proactor.ExitStatus)) (cancel func()) {
	p := &process{d: d, done: done, exited: exited}
	if d.closed {
		system.CloseFiles(opt.Files)
		return func() {}
	}
	go func() {
		p.child, p.err = system.StartProcess(opt)
		d.loop.Post(p.started)
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

func (p *process) started() {
	switch {
	case p.cancelled:
		if p.child != nil {
			system.EndProcess(p.child)
		}
		p.done(nil, context.Canceled)
	case p.err != nil:
		p.done(nil, p.err)
	default:
		go func() {
			status := system.WaitProcess(p.child)
			p.d.later(func() { p.exited(status) })
		}()
		p.done(p, nil)
	}
}
