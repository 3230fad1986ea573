package system

// Children of this process, as package os has them.

import (
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// StartProcess starts a child and closes its files here. It waits until the child runs
// the program.
func StartProcess(opt proactor.SpawnOptions) (*os.Process, error) {
	defer CloseFiles(opt.Files)
	return os.StartProcess(opt.Path, opt.Args, &os.ProcAttr{Dir: opt.Dir, Env: opt.Env, Files: opt.Files, Sys: processAttributes(opt)})
}

// CloseFiles closes what a child got, or would have got.
func CloseFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // nothing was written here
	}
}

// WaitProcess waits until the child ends.
func WaitProcess(p *os.Process) proactor.ExitStatus {
	state, err := p.Wait()
	if err != nil {
		return proactor.ExitStatus{Err: err}
	}
	status := state.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return proactor.ExitStatus{Code: -int(status.Signal())}
	}
	return proactor.ExitStatus{Code: status.ExitStatus()}
}

// EndProcess kills a child that nobody will hear of.
func EndProcess(p *os.Process) {
	_ = p.Kill() // it may have ended, or not be ours to kill
	go p.Wait()
}
