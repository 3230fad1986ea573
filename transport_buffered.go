package asyncio

// Reading into the memory of a BufferedProtocol: what the driver has read is copied
// there, buffer by buffer. Whenever the protocol pauses reading between two buffers, the
// rest is kept as leftover, and the driver is not asked to read until the protocol has
// had it.

import (
	"bytes"
	"fmt"
)

// fillBuffers delivers b. The protocol may pause, close, or give way to another protocol
// at any step.
func (t *streamTransport) fillBuffers(b []byte) {
	for len(b) > 0 && t.IsReading() {
		if !t.fillsBuffers {
			t.dataReceived(b)
			return
		}
		p := t.protocol.(BufferedProtocol)
		buf := t.getBuffer(p, len(b))
		if len(buf) == 0 && t.IsClosing() {
			return
		}
		if len(buf) == 0 {
			t.fail(fmt.Errorf("%w: GetBuffer returned an empty buffer", ErrInvalidState), "Fatal error: protocol.get_buffer() call failed.")
			return
		}
		n := copy(buf, b)
		b = b[n:]
		t.bufferUpdated(p, n)
	}
	if len(b) > 0 && !t.IsClosing() {
		t.change().leftover = &leftover{transport: t, data: bytes.Clone(b)}
	}
}

func (t *streamTransport) getBuffer(p BufferedProtocol, sizeHint int) []byte {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, "GetBuffer")()
	}
	returned := false
	defer t.caught("get_buffer", &returned)
	buf := p.GetBuffer(sizeHint)
	returned = true
	return buf
}

func (t *streamTransport) bufferUpdated(p BufferedProtocol, n int) {
	if t.loop.debug {
		defer t.loop.timed(t.protocol, "BufferUpdated")()
	}
	returned := false
	defer t.caught("buffer_updated", &returned)
	p.BufferUpdated(n)
	returned = true
}

// leftover is bytes that wait until reading is resumed, and then for their turn in the
// ready queue.
type leftover struct {
	transport *streamTransport
	data      []byte
	queued    bool
}

func (r *leftover) queue() {
	if !r.queued {
		r.queued = true
		r.transport.loop.ready.push(r)
	}
}

func (r *leftover) run(*Loop) {
	r.queued = false
	t := r.transport
	if !t.IsReading() {
		return
	}
	t.change().leftover = nil
	t.fillBuffers(r.data)
	if t.IsReading() {
		t.stream.ReadStart()
	}
}
