package asyncio

// Datagrams without callbacks: an endpoint that tasks receive from. What has come waits
// in a queue with a limit. Beyond the limit the oldest is dropped: it has waited longest,
// so it is the one that its sender has most likely given up, and sent again. A datagram
// stays in the queue until the task that receives it runs, so one that is woken for it
// and cancelled loses nothing, as for a Queue.

import (
	"bytes"
	"context"
	"fmt"
	"net"
)

const (
	receiveLimitDefault = 256 << 10
	// receivedOverheadBytes is what every datagram counts for beside its payload: about
	// what it takes in memory.
	receivedOverheadBytes = 64
)

// DatagramEndpoint sends and receives datagrams in tasks. asyncio has no counterpart: it
// is to a DatagramTransport what a stream's reader and writer are to a Transport. Its
// methods are for the loop's goroutine, and those that take a context for tasks.
type DatagramEndpoint struct {
	transport *DatagramTransport
	queue     fifoStore[receivedDatagram]
	bytes     int // in queue, as the limit counts them
	limit     int
	dropped   uint64
	receivers waitQueue
	drains    waitQueue
	closes    waitQueue
	paused    bool // by PauseWriting
	lost      bool
}

// receivedDatagram is a datagram, or an error, that waits to be received.
type receivedDatagram struct {
	data []byte
	from net.Addr
	err  error
}

func (d *receivedDatagram) size() int { return len(d.data) + receivedOverheadBytes }

// OpenDatagram binds an endpoint whose datagrams tasks receive, in the spirit of
// OpenConnection. Network, localAddr and errors are those of Loop.CreateDatagramEndpoint;
// WithReceiveLimit sets how much may wait to be received.
// Suspends. Cancelled: the endpoint is closed.
func OpenDatagram(ctx context.Context, network, localAddr string, opts ...DatagramOption) (*DatagramEndpoint, error) {
	a, err := enterTask(ctx, "OpenDatagram")
	if err != nil {
		return nil, err
	}
	c := newDatagramConfig(opts)
	e := &DatagramEndpoint{limit: c.receiveLimit}
	factory := func() DatagramProtocol { return (*endpointProtocol)(e) }
	if _, err := a.task.loop.createDatagramEndpoint(ctx, a, factory, network, localAddr, c); err != nil {
		return nil, err
	}
	return e, nil
}

// Receive returns the next datagram and who has sent it, which is nil for a Unix socket
// without a name. data is the caller's; it may be empty. An error that the network has
// told, such as ECONNREFUSED after a datagram to nobody, comes in its turn, and the
// endpoint goes on. After Close, what has come before is received, then the error is
// net.ErrClosed. Any number of tasks may wait: each datagram wakes the one that has
// waited longest, and a task that calls before that one runs comes first.
// Suspends if there is none. Cancelled: nothing is consumed.
func (e *DatagramEndpoint) Receive(ctx context.Context) (data []byte, from net.Addr, err error) {
	a, err := e.transport.loop.enterOn(ctx, "Receive")
	if err != nil {
		return nil, nil, err
	}
	for e.queue.len() == 0 {
		if e.transport.IsClosing() {
			return nil, nil, e.closedError("read")
		}
		if woken, err := e.receivers.wait(a); err != nil {
			if woken && e.queue.len() > 0 {
				e.receivers.wakeNext()
			}
			return nil, nil, err
		}
	}
	d := e.take()
	return d.data, d.from, d.err
}

func (e *DatagramEndpoint) take() receivedDatagram {
	d := e.queue.pop()
	e.bytes -= d.size()
	return d
}

// put adds what has come, and drops the oldest as long as there is too much. A datagram
// that is alone is kept, whatever its size.
func (e *DatagramEndpoint) put(d receivedDatagram) {
	e.queue.push(d)
	e.bytes += d.size()
	for e.bytes > e.limit && e.queue.len() > 1 {
		e.take()
		e.dropped++
	}
	e.receivers.wakeNext()
}

// Dropped counts the datagrams, and errors, that were dropped because more than the limit
// waited to be received. What the kernel has dropped before is not known.
func (e *DatagramEndpoint) Dropped() uint64 { return e.dropped }

// SendTo sends a datagram, or buffers it, and never waits. Call Drain now and then.
// Address and errors are those of DatagramTransport.SendTo.
func (e *DatagramEndpoint) SendTo(data []byte, addr net.Addr) error {
	return e.transport.SendTo(data, addr)
}

// Drain waits while too much is buffered, as StreamWriter.Drain does. The error is
// net.ErrClosed once the endpoint is lost.
// Suspends, if need be. Cancelled: nothing is lost, what was sent leaves.
func (e *DatagramEndpoint) Drain(ctx context.Context) error {
	a, err := e.transport.loop.enterOn(ctx, "Drain")
	if err != nil {
		return err
	}
	if e.paused && !e.lost {
		if _, err := e.drains.wait(a); err != nil {
			return err
		}
	}
	if e.transport.state == transportLost {
		return e.closedError("write")
	}
	return nil
}

func (e *DatagramEndpoint) closedError(op string) error {
	t := e.transport
	return &net.OpError{Op: op, Net: t.network(), Source: t.LocalAddr(), Addr: t.RemoteAddr(), Err: net.ErrClosed}
}

// Close stops receiving at once, sends what is buffered and then ends the endpoint. Tasks
// that wait in Receive get net.ErrClosed. It does not wait, see WaitClosed, and its error
// is always nil.
func (e *DatagramEndpoint) Close() error {
	e.transport.Close()
	e.receivers.wakeAll()
	return nil
}

// WaitClosed waits until the endpoint has ended.
// Suspends. Cancelled: nothing changes.
func (e *DatagramEndpoint) WaitClosed(ctx context.Context) error {
	a, err := e.transport.loop.enterOn(ctx, "WaitClosed")
	if err != nil || e.lost {
		return err
	}
	_, err = e.closes.wait(a)
	return err
}

// LocalAddr is the address that datagrams come to.
func (e *DatagramEndpoint) LocalAddr() net.Addr { return e.transport.LocalAddr() }

// RemoteAddr is the peer of a connected endpoint; nil: datagrams may come from anybody.
func (e *DatagramEndpoint) RemoteAddr() net.Addr { return e.transport.RemoteAddr() }

// Transport is the transport below. To close it there closes the endpoint; tasks that
// wait in Receive hear of that when what is buffered has left.
func (e *DatagramEndpoint) Transport() *DatagramTransport { return e.transport }

// String is for logs.
func (e *DatagramEndpoint) String() string {
	return fmt.Sprintf("<endpoint %v waiting=%d dropped=%d>", e.transport, e.queue.len(), e.dropped)
}

// endpointProtocol is a DatagramEndpoint as its transport sees it.
type endpointProtocol DatagramEndpoint

// heldBytes implements holdingProtocol.
func (p *endpointProtocol) heldBytes() int { return p.bytes }

func (p *endpointProtocol) ConnectionMade(t *DatagramTransport) { p.transport = t }

func (p *endpointProtocol) DatagramReceived(data []byte, addr net.Addr) {
	(*DatagramEndpoint)(p).put(receivedDatagram{data: bytes.Clone(data), from: addr})
}

func (p *endpointProtocol) ErrorReceived(err error) {
	(*DatagramEndpoint)(p).put(receivedDatagram{err: err})
}

func (p *endpointProtocol) ConnectionLost(error) {
	p.lost = true
	p.receivers.wakeAll()
	p.drains.wakeAll()
	p.closes.wakeAll()
}

func (p *endpointProtocol) PauseWriting() { p.paused = true }

func (p *endpointProtocol) ResumeWriting() {
	p.paused = false
	p.drains.wakeAll()
}
