package asyncio

// Children: their life, and what a protocol hears of it.
//
//	starting -> running  the child has started; ConnectionMade comes next
//	         -> lost     it has not, or its start was cancelled: nobody hears of that
//	running  -> exited   the child has ended: ProcessExited
//	exited   -> lost     so have its pipes: ConnectionLost
//
// The loop's end makes any of them lost, and kills a child that runs. What the driver
// tells goes through the ready queue, so a child that ends at once is heard of in order.
//
// Each pipe is a transport of its own. It tells of its end when its protocol has heard,
// whichever protocol that is by then.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// SubprocessProtocol hears of a child: asyncio.SubprocessProtocol. For each descriptor
// data comes before PipeConnectionLost; ConnectionLost comes last, after ProcessExited
// and the end of every pipe. Between these there is no order: a child may close its pipes
// before it ends, and leave them to another process.
//
// All run on the loop's goroutine, as those of a Protocol. A protocol that has the
// methods PauseWriting() and ResumeWriting() hears of the pipe to the child as a Protocol
// does. A panic of PipeDataReceived ends its pipe, one of ConnectionMade closes the
// transport, and any other is reported.
type SubprocessProtocol interface {
	// ConnectionMade hands over the transport of a child that runs: connection_made.
	ConnectionMade(t *SubprocessTransport)
	// PipeDataReceived brings what the child has written to its descriptor fd, 1 or 2:
	// pipe_data_received. data is valid until the call returns.
	PipeDataReceived(fd int, data []byte)
	// PipeConnectionLost tells that a pipe has ended: pipe_connection_lost. err is nil at
	// the end of an output, and after Close; that of Stdin, once the child does not read
	// any more, matches syscall.EPIPE if there was something left to write.
	PipeConnectionLost(fd int, err error)
	// ProcessExited tells that the child has ended: process_exited. ReturnCode knows how.
	ProcessExited()
	// ConnectionLost is the last call: connection_lost. err is nil, unless ConnectionMade
	// has panicked.
	ConnectionLost(err error)
}

type subprocessState uint8

const (
	subprocessStarting subprocessState = iota
	subprocessRunning
	subprocessExited
	subprocessLost
)

func (s subprocessState) String() string {
	return [...]string{"starting", "running", "exited", "lost"}[s]
}

// returnCodeUnknown is the code of a child that somebody else has waited for, as in
// asyncio.
const returnCodeUnknown = 255

// SubprocessTransport is a child and its pipes: asyncio.SubprocessTransport. Its methods
// never suspend and are for the loop's goroutine.
type SubprocessTransport struct {
	loop     *Loop
	protocol SubprocessProtocol
	child    proactor.Process // nil: starting
	pipes    [3]Transport     // by the child's descriptor; nil: no pipe
	open     [3]bool          // those that have not ended
	code     int
	err      error     // what ConnectionLost will tell
	exits    waitQueue // tasks that wait for the exit
	cancel   func()    // of the start
	at       ownedPlace
	state    subprocessState
	ended    bool // the code is known
	closing  bool // Close was called
}

// SubprocessExec runs a program and returns its transport with the protocol that factory
// has made for it: loop.subprocess_exec, and subprocess_shell. A program that is missing
// is os.ErrNotExist, one that may not be run os.ErrPermission; options that make no sense
// are ErrInvalidArgument. The transport is to be closed, or its child to be waited for,
// before the loop closes. It is for a task of the loop. ConnectionMade has returned when
// SubprocessExec does.
// Suspends. Cancelled: the child is killed; a protocol whose ConnectionMade was called
// hears ConnectionLost.
func (l *Loop) SubprocessExec(ctx context.Context, factory func() SubprocessProtocol, opts ProcessOptions) (*SubprocessTransport, SubprocessProtocol, error) {
	if factory == nil {
		panic(misuse(ErrInvalidArgument, "SubprocessExec was given a nil factory"))
	}
	a, err := l.enterOn(ctx, "SubprocessExec")
	if err == nil {
		err = opts.check()
	}
	if err != nil {
		return nil, nil, err
	}
	p := factory()
	if p == nil {
		panic(misuse(ErrInvalidArgument, "the factory of SubprocessExec has returned nil"))
	}
	t := &SubprocessTransport{loop: l, protocol: p}
	err = t.start(a, &opts, func(fd int) Protocol { return &subprocessPipe{t: t, fd: fd} })
	if err != nil {
		return nil, nil, err
	}
	return t, p, nil
}

// become makes a move from one state to another, and in debug mode asserts that there is
// such a move.
func (t *SubprocessTransport) become(s subprocessState) {
	if t.loop.debug && s <= t.state {
		panic(fmt.Sprintf("asyncio: a child cannot go from %s to %s", t.state, s))
	}
	t.state = s
}

func (t *SubprocessTransport) place() *ownedPlace { return &t.at }

// abandon kills a child that runs when its loop closes, as asyncio does with one that is
// dropped. The driver waits for it.
func (t *SubprocessTransport) abandon(l *Loop) {
	was := t.state
	if was != subprocessLost {
		t.become(subprocessLost)
	}
	switch was {
	case subprocessStarting:
		t.cancel()
	case subprocessRunning:
		if !t.closing {
			l.warnUnclosed(t, "subprocess: it is killed")
		}
		_ = t.child.Kill(syscall.SIGKILL) // it may have ended, or not be ours to kill
	}
}

// connectionMade is the first call of the protocol.
func (t *SubprocessTransport) connectionMade() {
	t.call("ConnectionMade", func() { t.protocol.ConnectionMade(t) }, func(err error) {
		t.err = err
		t.Close()
	})
}

// call calls a method of the protocol. A panic is reported, and failed hears of it.
func (t *SubprocessTransport) call(method string, fn func(), failed func(err error)) {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, method)()
	}
	returned := false
	defer func() {
		if returned {
			return
		}
		err := panicked(recover())
		t.loop.CallExceptionHandler(ErrorContext{
			Message:   fmt.Sprintf("Exception in callback %T.%s", t.protocol, method),
			Exception: err, Transport: t, Protocol: t.protocol,
		})
		if failed != nil {
			failed(err)
		}
	}()
	fn()
	returned = true
}

// subprocessExit is a child's end in the ready queue.
type subprocessExit struct {
	t      *SubprocessTransport
	status proactor.ExitStatus
}

// exited is the driver's.
func (t *SubprocessTransport) exited(status proactor.ExitStatus) {
	if t.state != subprocessLost {
		t.loop.ready.push(&subprocessExit{t, status})
	}
}

func (e *subprocessExit) run(l *Loop) {
	t := e.t
	t.become(subprocessExited)
	t.code, t.ended = e.status.Code, true
	if e.status.Err != nil {
		t.code = returnCodeUnknown
		l.log().Warn("a child's end was heard of by somebody else; its return code is not known, and said to be 255",
			"pid", t.PID(), "error", e.status.Err)
	}
	t.exits.wakeAll()
	defer t.loseIfOver()
	t.call("ProcessExited", t.protocol.ProcessExited, nil)
}

func (e *subprocessExit) describe() subject {
	return subject{name: fmt.Sprintf("callback %T.ProcessExited", e.t.protocol)}
}

// pipeEnded is called when a pipe's protocol has heard of its end.
func (t *SubprocessTransport) pipeEnded(fd int) {
	t.open[fd] = false
	if p, ok := t.protocol.(*processProtocol); ok {
		p.closeIfOver()
	}
	t.loseIfOver()
}

// loseIfOver ends the transport when the child and its pipes have ended.
func (t *SubprocessTransport) loseIfOver() {
	if t.state == subprocessExited && t.open == [3]bool{} {
		t.become(subprocessLost)
		t.loop.ready.push((*subprocessEnd)(t))
	}
}

// subprocessEnd is a lost transport in the ready queue.
type subprocessEnd SubprocessTransport

func (e *subprocessEnd) run(l *Loop) {
	t := (*SubprocessTransport)(e)
	l.owned.remove(t)
	t.call("ConnectionLost", func() { t.protocol.ConnectionLost(t.err) }, nil)
}

func (e *subprocessEnd) describe() subject {
	return subject{name: fmt.Sprintf("callback %T.ConnectionLost", e.protocol)}
}

// wait suspends a's task until the child has ended.
func (t *SubprocessTransport) wait(a awaiter) (int, error) {
	if !t.ended {
		if _, err := t.exits.wait(a); err != nil {
			return 0, err
		}
	}
	return t.code, nil
}

// use is called by what changes the transport: in debug mode it panics if the caller is
// not the loop's goroutine.
func (t *SubprocessTransport) use(method string) {
	if t.loop.debug {
		t.loop.checkGoroutine(method)
	}
}

// PID is the child's number: get_pid. It stays when the child has ended.
func (t *SubprocessTransport) PID() int { return t.child.PID() }

// ReturnCode is what the child has exited with, and -N if signal N has ended it:
// get_returncode. exited is false as long as the child runs. A child whose end somebody
// else has waited for has 255, and a warning is logged.
func (t *SubprocessTransport) ReturnCode() (code int, exited bool) { return t.code, t.ended }

// PipeTransport is the transport of the pipe to the child's descriptor 0, or from its
// descriptors 1 and 2: get_pipe_transport. nil: there is no such pipe.
func (t *SubprocessTransport) PipeTransport(fd int) Transport {
	if fd < 0 || fd >= len(t.pipes) {
		return nil
	}
	return t.pipes[fd]
}

// SendSignal sends a signal to the child: send_signal. To a child that has ended the
// error is os.ErrProcessDone, and no other process that has got its number is meant; if
// the loop has not heard of the end so far, there is no error, and no signal.
func (t *SubprocessTransport) SendSignal(sig os.Signal) error {
	t.use("SubprocessTransport.SendSignal")
	number, ok := sig.(syscall.Signal)
	switch {
	case !ok:
		return fmt.Errorf("asyncio: SendSignal was given %v of type %T, which is no signal of this system: %w", sig, sig, ErrInvalidArgument)
	case t.ended:
		return fmt.Errorf("asyncio: send %v to child %d: %w", sig, t.PID(), os.ErrProcessDone)
	case t.state == subprocessLost:
		return fmt.Errorf("asyncio: send %v to child %d, which was killed: %w", sig, t.PID(), ErrLoopClosed)
	}
	err := t.child.Kill(number)
	if err == nil || errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return fmt.Errorf("asyncio: send %v to child %d: %w", sig, t.PID(), err)
}

// Terminate sends SIGTERM: terminate. Errors are those of SendSignal.
func (t *SubprocessTransport) Terminate() error { return t.SendSignal(syscall.SIGTERM) }

// Kill sends SIGKILL: kill. Errors are those of SendSignal.
func (t *SubprocessTransport) Kill() error { return t.SendSignal(syscall.SIGKILL) }

// Close closes the pipes, and kills a child that still runs: close. What is left to write
// to a child that is killed is dropped. ProcessExited and ConnectionLost follow.
func (t *SubprocessTransport) Close() {
	t.use("SubprocessTransport.Close")
	if t.closing || t.state == subprocessLost {
		return
	}
	t.closing = true
	if !t.ended { // first, so that no child hears of the end of its input and makes it to its own
		_ = t.child.Kill(syscall.SIGKILL) // it may have ended, or not be ours to kill
	}
	for _, p := range t.pipes {
		switch {
		case p == nil:
		case t.ended:
			p.Close()
		default:
			p.Abort()
		}
	}
}

// IsClosing reports whether the transport was closed: is_closing.
func (t *SubprocessTransport) IsClosing() bool { return t.closing || t.state == subprocessLost }

// String is for logs.
func (t *SubprocessTransport) String() string {
	var b strings.Builder
	b.WriteString("<subprocess")
	if t.closing {
		b.WriteString(" closing")
	}
	switch {
	case t.child == nil:
		fmt.Fprintf(&b, " %s", t.state)
	case t.ended:
		fmt.Fprintf(&b, " pid=%d returncode=%d", t.PID(), t.code)
	default:
		fmt.Fprintf(&b, " pid=%d %s", t.PID(), t.state)
	}
	for fd, p := range t.pipes {
		if p != nil {
			fmt.Fprintf(&b, " %s=%v", strings.ToLower(stdioNames[fd]), p)
		}
	}
	b.WriteByte('>')
	return b.String()
}
