package asyncio

// Children whose pipes tasks read and write, without callbacks of their own.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// Process is a child: asyncio.subprocess.Process. Its methods are for the loop's
// goroutine, and those that take a context for tasks.
//
// The ends of pipes are nil unless ProcessOptions asks for them. A child may wait for
// somebody to read its outputs before it ends, and a pipe stays open here until its end
// was read, so read them: Communicate does, and reads both at once.
type Process struct {
	Stdin          *StreamWriter
	Stdout, Stderr *StreamReader
	transport      *SubprocessTransport
}

// CreateSubprocess runs a program: asyncio.create_subprocess_exec, and
// create_subprocess_shell. Errors are those of Loop.SubprocessExec. The child is to be
// waited for before the loop closes, which kills it.
// Suspends. Cancelled: the child is killed.
func CreateSubprocess(ctx context.Context, opts ProcessOptions) (*Process, error) {
	a, err := enterTask(ctx, "CreateSubprocess")
	if err == nil {
		err = opts.check()
	}
	if err != nil {
		return nil, err
	}
	l := a.task.loop
	p := &processProtocol{}
	if err := p.start(l, a, &opts); err != nil {
		return nil, err
	}
	return &p.process, nil
}

// processProtocol stands between a child and its Process:
// asyncio.subprocess.SubprocessStreamProtocol. The pipes have protocols of their own. It
// closes the transport when the child and its outputs have ended, and Stdin with it.
type processProtocol struct {
	process Process
	outputs [2]*processOutput // nil: no pipe
}

func (p *processProtocol) start(l *Loop, a awaiter, o *ProcessOptions) error {
	limit := o.Limit
	if limit == 0 {
		limit = newStreamConfig(nil).limit
	}
	p.process.transport = &SubprocessTransport{loop: l, protocol: p}
	return p.process.transport.start(a, o, func(fd int) Protocol {
		if fd == 0 {
			s := newStreamProtocol(l, limit, nil)
			p.process.Stdin = &StreamWriter{protocol: s} // the transport holds it, so nobody can drop it
			return s
		}
		out := new(processOutput)
		out.reader.init(l, limit)
		p.outputs[fd-1] = out
		if fd == 1 {
			p.process.Stdout = &out.reader
		} else {
			p.process.Stderr = &out.reader
		}
		return out
	})
}

func (p *processProtocol) closeIfOver() {
	if t := p.process.transport; t.ended && !t.open[1] && !t.open[2] {
		t.Close()
	}
}

// ProcessExited implements SubprocessProtocol, with the methods below.
func (p *processProtocol) ProcessExited() {
	for _, out := range p.outputs {
		if out != nil {
			out.readOn()
		}
	}
	p.closeIfOver()
}

func (p *processProtocol) ConnectionMade(*SubprocessTransport) {}
func (p *processProtocol) PipeDataReceived(int, []byte)        {}
func (p *processProtocol) PipeConnectionLost(int, error)       {}
func (p *processProtocol) ConnectionLost(error)                {}

// outputRestBytesMax is about what is on its way from a child that has ended: what a pipe
// holds, 64 KiB, and what the driver has read of it.
const outputRestBytesMax = 128 << 10

// processOutput is the protocol of one output. When the child has ended it reads what is
// left beyond the reader's limit, and with it the end: else a child that was killed
// because nobody wants to read it would hold its pipe for as long as the loop lives.
type processOutput struct {
	streamProtocol
	limit int // bytes in the reader, at which it is paused after all; 0: the child runs
}

func (o *processOutput) readOn() {
	o.limit = o.reader.buf.len() + outputRestBytesMax
	if o.reader.paused {
		o.reader.paused = false
		o.reader.transport.ResumeReading()
	}
}

// ConnectionMade implements Protocol.
func (o *processOutput) ConnectionMade(t Transport) {
	o.streamProtocol.ConnectionMade(outputTransport{t, o})
}

// outputTransport is the transport as the reader sees it.
type outputTransport struct {
	Transport
	output *processOutput
}

// PauseReading is called when the reader has enough.
func (t outputTransport) PauseReading() {
	r := &t.output.reader
	if r.paused = r.buf.len() >= t.output.limit; r.paused {
		t.Transport.PauseReading()
	}
}

// PID is the child's number. It stays when the child has ended.
func (p *Process) PID() int { return p.transport.PID() }

// ReturnCode is SubprocessTransport.ReturnCode: returncode.
func (p *Process) ReturnCode() (code int, exited bool) { return p.transport.ReturnCode() }

// Wait waits until the child has ended, and returns its ReturnCode: wait. It does not
// wait for the pipes, which another process may hold open. A child that writes more than
// a pipe holds, to one that nobody reads, never ends: use Communicate. Any number of
// tasks may wait.
// Suspends. Cancelled: the child goes on.
func (p *Process) Wait(ctx context.Context) (int, error) {
	a, err := p.transport.loop.enterOn(ctx, "Process.Wait")
	if err != nil {
		return 0, err
	}
	return p.transport.wait(a)
}

// Communicate writes input to Stdin and closes it, reads Stdout and Stderr to their ends,
// and waits until the child has ended: communicate. An output that is no Pipe is nil. A
// child that does not read all of the input is no error. Input for a Stdin that is no
// Pipe is ErrInvalidArgument.
// Suspends. Cancelled: the child goes on; what was not read stays in the readers.
func (p *Process) Communicate(ctx context.Context, input []byte) (stdout, stderr []byte, err error) {
	if _, err := p.transport.loop.enterOn(ctx, "Process.Communicate"); err != nil {
		return nil, nil, err
	}
	if len(input) > 0 && p.Stdin == nil {
		return nil, nil, fmt.Errorf("asyncio: Communicate was given input for a child whose Stdin is no Pipe: %w", ErrInvalidArgument)
	}
	_, stdout, stderr, err = Gather3(ctx,
		Do(func(ctx context.Context) error { return p.feed(ctx, input) }),
		Coro[[]byte](func(ctx context.Context) ([]byte, error) { return p.readAll(ctx, 1, p.Stdout) }),
		Coro[[]byte](func(ctx context.Context) ([]byte, error) { return p.readAll(ctx, 2, p.Stderr) }))
	if err == nil {
		_, err = p.Wait(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	return stdout, stderr, nil
}

// feed writes all of the input, as far as the child reads it.
func (p *Process) feed(ctx context.Context, input []byte) error {
	if p.Stdin == nil {
		return nil
	}
	_, err := p.Stdin.Write(input)
	if err == nil {
		err = p.Stdin.Drain(ctx)
	}
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, p.Stdin.Close())
}

// readAll reads an output to its end.
func (p *Process) readAll(ctx context.Context, fd int, r *StreamReader) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	data, err := r.ReadAll(ctx)
	if err == nil {
		p.transport.PipeTransport(fd).Close()
	}
	return data, err
}

// SendSignal is SubprocessTransport.SendSignal: send_signal.
func (p *Process) SendSignal(sig os.Signal) error { return p.transport.SendSignal(sig) }

// Terminate sends SIGTERM: terminate.
func (p *Process) Terminate() error { return p.transport.Terminate() }

// Kill sends SIGKILL: kill.
func (p *Process) Kill() error { return p.transport.Kill() }

// String is for logs.
func (p *Process) String() string { return fmt.Sprintf("<Process %d>", p.PID()) }
