//go:build cgo

package uv

// Children. The bridge makes them with uv_spawn, inside the call that asks for one: it
// returns when the child runs its program, or with the error that keeps it from that.
// That takes 0.12 to 0.15 ms, as long as Start of os/exec, so it needs no goroutine of
// its own; but 100 in one callback hold the loop for as long as all take. The longest gap
// of a heartbeat of 5 ms was 81 ms then, and 7.7 ms with one start in each turn, on two
// cores with twenty other programs running. What a child is to have is in
// process_spawn.go.

import (
	"syscall"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// Process is a child, active until it has ended; uv_process_t. Close forgets the child,
// and does not end it; its end is then waited for in silence.
type Process struct {
	bridged
	pid    int
	exited func(ExitStatus)
}

// ExitStatus is how a child has ended.
type ExitStatus struct {
	Code   int            // 0 if a signal ended it
	Signal syscall.Signal // 0: it exited
}

// PID is the number of the child; uv_process_get_pid. Once the child has ended the system
// may give it to another process.
func (p *Process) PID() int { return p.pid }

// Kill sends a signal to the child; 0 asks whether it is there; uv_process_kill. The
// errors are ErrClosed, ESRCH once the child has ended, EINVAL and EPERM.
func (p *Process) Kill(sig syscall.Signal) error {
	if err := p.check("Process.Kill"); err != nil {
		return err
	}
	return p.result("kill", p.loop.b.ProcessKill(p.id(), int(sig)))
}

func (p *Process) record(r cbridge.Record) {
	if r.Kind != cbridge.RecExit || p.state != handleOpen {
		return
	}
	exited := p.exited
	p.exited = nil
	p.loop.calls++
	if exited != nil {
		exited(ExitStatus{Code: int(r.Value), Signal: syscall.Signal(r.Status)})
	}
}

func (p *Process) ended() { p.exited = nil }

// Kill sends a signal to a process, or to those that kill(2) says of another number; sig
// 0 asks whether it is there; uv_kill. Any goroutine.
func Kill(pid int, sig syscall.Signal) error {
	if pid != int(int32(pid)) {
		return &Error{Op: "kill", Errno: ESRCH}
	}
	if err := syscall.Kill(pid, sig); err != nil {
		errno, _ := err.(syscall.Errno)
		return &Error{Op: "kill", Errno: FromSyscall(errno)}
	}
	return nil
}

// DisableStdioInheritance keeps programs that this process starts by other means than
// Spawn from inheriting descriptors that it has itself inherited;
// uv_disable_stdio_inheritance. It is best called first of all. Any goroutine.
func DisableStdioInheritance() { cbridge.DisableStdioInheritance() }
