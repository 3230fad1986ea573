package asyncio

// The transport of one end of a pipe: a streamTransport that goes one way.
//
//	              reading                      writing
//	the end       the last writer is gone:     the reader is gone: ConnectionLost,
//	              EOFReceived, ConnectionLost  with EPIPE if that loses bytes
//	Write         ErrInvalidState              as on a connection
//	WriteEOF      ErrInvalidState              Close: a pipe has no other end
//	PauseReading  as on a connection           nothing
//
// asyncio has ReadTransport and WriteTransport for it.

import (
	"fmt"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// pipeEnd is what a transport knows of its pipe. That of a connection is nil.
type pipeEnd struct {
	file  *os.File // closed
	use   proactor.PipeUse
	ended func() // hears, after the protocol, that the transport has ended; nil: nobody
}

func (p *pipeEnd) reads() bool  { return p != nil && p.use == proactor.PipeRead }
func (p *pipeEnd) writes() bool { return p != nil && p.use == proactor.PipeWrite }

// extraInfo is Transport.ExtraInfo.
func (p *pipeEnd) extraInfo(key string) any {
	if key == "pipe" {
		return p.file
	}
	return nil
}

// String is for logs.
func (p *pipeEnd) String() string {
	if p.reads() {
		return "pipe transport from " + p.file.Name()
	}
	return "pipe transport to " + p.file.Name()
}

// pipeEnded hears that nobody is at the other end any more.
func (t *streamTransport) pipeEnded(p *pipeEnd) {
	switch {
	case p.reads():
		t.eofReceived()
		t.Close()
	case t.stream.Buffered() > 0:
		t.lose(t.opError("write", syscall.EPIPE))
	default:
		t.lose(nil)
	}
}

// endPipe is WriteEOF of a pipe.
func (t *streamTransport) endPipe(p *pipeEnd) error {
	if p.reads() {
		return t.onlyReads("WriteEOF")
	}
	if t.state == transportOpen {
		t.change().wroteEOF = true
		t.Close()
	}
	return nil
}

// onlyReads is the error of a method that writes.
func (t *streamTransport) onlyReads(method string) error {
	return fmt.Errorf("%w: %s to a %v, which ConnectReadPipe has made", ErrInvalidState, method, t)
}
