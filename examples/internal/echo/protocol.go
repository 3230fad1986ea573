package echo

// The echo with protocols: the server's, and the client's.

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/seed-a026a017/asyncio"
)

// serverProtocol is the server's side of one connection, told in callbacks. The loop
// calls one at a time.
type serverProtocol struct {
	asyncio.NullProtocol // whatever we do not care for
	transport            asyncio.Transport
}

// ConnectionMade is the first call. Nothing is read before it.
func (p *serverProtocol) ConnectionMade(t asyncio.Transport) { p.transport = t }

// DataReceived sends the bytes back. It need not copy them: what the kernel does not take
// at once, Write keeps a copy of.
func (p *serverProtocol) DataReceived(data []byte) {
	if _, err := p.transport.Write(data); err != nil {
		p.transport.Abort() // the connection is lost; ConnectionLost hears why
	}
}

// PauseWriting is the back-pressure: the client sends faster than it reads, so we stop
// reading what it sends, or its bytes would pile up here.
func (p *serverProtocol) PauseWriting() { p.transport.PauseReading() }

// ResumeWriting goes on when the client has caught up.
func (p *serverProtocol) ResumeWriting() { p.transport.ResumeReading() }

// EOFReceived says what the client's last byte means to us: false closes the transport,
// once it has sent what is left.
func (p *serverProtocol) EOFReceived() bool { return false }

// clientProtocol sends one message and collects what comes back.
type clientProtocol struct {
	asyncio.NullProtocol
	message   []byte
	transport asyncio.Transport
	reply     bytes.Buffer
	failure   error
	ended     *asyncio.Event // where the callbacks meet the coroutine that waits
}

// ConnectionMade sends everything, and with it the end of the stream. Write does not
// wait: what the kernel does not take is sent when it does.
func (p *clientProtocol) ConnectionMade(t asyncio.Transport) {
	p.transport = t
	if _, err := t.Write(p.message); err != nil {
		p.fail(err)
		return
	}
	if err := t.WriteEOF(); err != nil {
		p.fail(err)
	}
}

// fail notes what went wrong and drops the connection; ConnectionLost will tell.
func (p *clientProtocol) fail(err error) {
	p.failure = err
	p.transport.Abort()
}

func (p *clientProtocol) DataReceived(data []byte) {
	p.reply.Write(data) // a copy: data is the loop's again when we return. A Buffer's Write has no error.
}

// ConnectionLost is the last call; err is nil after a normal end.
func (p *clientProtocol) ConnectionLost(err error) {
	p.failure = errors.Join(p.failure, err)
	p.ended.Set()
}

// askProtocol sends a message to an echo server and returns what comes back.
func askProtocol(ctx context.Context, address string, message []byte) ([]byte, error) {
	loop, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return nil, err
	}
	p := &clientProtocol{message: message, ended: asyncio.NewEvent()}
	t, _, err := loop.CreateConnection(ctx, func() asyncio.Protocol { return p }, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	defer t.Abort() // for the case that we are cancelled; after a normal end it does nothing
	if err := p.ended.Wait(ctx); err != nil {
		return nil, err
	}
	if p.failure != nil {
		return nil, fmt.Errorf("echo of %s: %w", address, p.failure)
	}
	return p.reply.Bytes(), nil
}
