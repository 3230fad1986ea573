package asyncio

// Starting a child: the driver starts the program, then this process's ends of the pipes
// become transports, then the protocol hears of it. Until then nothing is known to
// anybody but the task that waits here, which gives it all up if it is cancelled.

import (
	"fmt"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// subprocessStart is a start under way. When the child runs, it waits in the ready queue
// for ConnectionMade.
type subprocessStart struct {
	t          *SubprocessTransport
	files      childFiles
	protocolOf func(fd int) Protocol
	err        error
	over       waitPoint
}

// start runs the program, and gives its pipes to the protocols that protocolOf makes.
func (t *SubprocessTransport) start(a awaiter, o *ProcessOptions, protocolOf func(fd int) Protocol) error {
	env := o.environment()
	path, err := o.executable(env)
	if err != nil {
		return err
	}
	files, err := o.openFiles()
	if err != nil {
		return err
	}
	s := &subprocessStart{t: t, files: files, protocolOf: protocolOf}
	opt := proactor.SpawnOptions{Path: path, Args: o.arguments(), Env: env, Dir: o.Dir, Files: files.child, NewSession: o.NewSession}
	t.loop.owned.add(t)
	t.cancel = t.loop.pro.Spawn(opt, s.done, t.exited)
	if err := s.over.wait(a); err != nil {
		s.giveUp()
		return err
	}
	if s.err != nil {
		return s.named(o, path)
	}
	return nil
}

// giveUp ends a start that nobody waits for any more.
func (s *subprocessStart) giveUp() {
	if s.t.state != subprocessStarting {
		s.t.Close()
		return
	}
	s.t.cancel()
	s.fail(nil)
}

// fail ends the start before anybody has heard of it.
func (s *subprocessStart) fail(err error) {
	s.err = err
	s.files.closeParent()
	s.t.become(subprocessLost)
	s.t.loop.owned.remove(s.t)
}

// done is the driver's.
func (s *subprocessStart) done(child proactor.Process, err error) {
	t := s.t
	if t.state == subprocessLost {
		return // given up: the driver ends the child
	}
	if err == nil {
		t.child = child
		err = s.connectPipes()
	}
	if err != nil {
		s.fail(err)
		s.over.wake(nil)
		return
	}
	t.become(subprocessRunning)
	t.loop.ready.push(s)
}

// run tells the protocol, and begins to read.
func (s *subprocessStart) run(*Loop) {
	defer s.over.wake(nil) // also if ConnectionMade ends with runtime.Goexit
	s.t.connectionMade()
	for _, p := range s.t.pipes {
		if p, ok := p.(*streamTransport); ok {
			p.begin()
		}
	}
}

func (s *subprocessStart) describe() subject {
	return subject{name: fmt.Sprintf("callback %T.ConnectionMade", s.t.protocol)}
}

// named makes the error say what could not be started.
func (s *subprocessStart) named(o *ProcessOptions, path string) error {
	if o.Dir != "" {
		if info, err := os.Stat(o.Dir); err != nil || !info.IsDir() {
			return fmt.Errorf("asyncio: start %q: its Dir %q is no directory: %w", path, o.Dir, s.err)
		}
	}
	return fmt.Errorf("asyncio: start %q: %w", path, s.err)
}

// connectPipes makes transports of the parent's ends. They begin after ConnectionMade.
func (s *subprocessStart) connectPipes() error {
	t := s.t
	var streams [3]proactor.Stream
	for fd, f := range s.files.parent {
		if f == nil {
			continue
		}
		stream, err := t.loop.openPipe(f, pipeUse(fd))
		if err != nil {
			for _, made := range streams {
				if made != nil {
					made.Close()
				}
			}
			_ = t.child.Kill(syscall.SIGKILL) // it may have ended
			return err
		}
		streams[fd] = stream
	}
	for fd, stream := range streams {
		if stream != nil {
			end := &pipeEnd{file: s.files.parent[fd], use: pipeUse(fd), ended: func() { t.pipeEnded(fd) }}
			t.pipes[fd] = newStreamTransport(t.loop, stream, s.protocolOf(fd), nil, streamConfig{pipe: end})
			t.open[fd] = true
		}
	}
	return nil
}

// pipeUse is what this process does with the pipe of the child's descriptor.
func pipeUse(fd int) proactor.PipeUse {
	if fd == 0 {
		return proactor.PipeWrite
	}
	return proactor.PipeRead
}

// subprocessPipe is the protocol of one pipe of SubprocessExec.
type subprocessPipe struct {
	NullProtocol
	t  *SubprocessTransport
	fd int
}

func (p *subprocessPipe) DataReceived(data []byte) { p.t.protocol.PipeDataReceived(p.fd, data) }

func (p *subprocessPipe) ConnectionLost(err error) { p.t.protocol.PipeConnectionLost(p.fd, err) }

// flowProtocol is what a SubprocessProtocol may have besides.
type flowProtocol interface {
	PauseWriting()
	ResumeWriting()
}

func (p *subprocessPipe) PauseWriting() {
	if f, ok := p.t.protocol.(flowProtocol); ok {
		f.PauseWriting()
	}
}

func (p *subprocessPipe) ResumeWriting() {
	if f, ok := p.t.protocol.(flowProtocol); ok {
		f.ResumeWriting()
	}
}
