// Package proactor is the seam between an event loop and the outside world: what a loop
// needs from below, and no more.
//
// A loop calls Poll once a turn. Poll starts what was submitted, waits if it may, and
// then calls the handlers of all that has happened, in order, on the loop's goroutine.
// Nothing else calls a handler, so whatever a handler does cannot race with another one
// and may call back into the proactor freely.
//
// Rules that every implementation keeps:
//   - All methods are for the loop's goroutine, except Wake.
//   - No handler runs inside the call that caused it; the earliest moment is the next
//     Poll.
//   - Bytes reach Handler.Data in the order the peer sent them; ReadStop loses none.
//   - After Failed only Closed follows; after Closed nothing follows. Closed comes
//     exactly once for every stream.
//   - Close of a stream drops what it had not written; who wants it flushed waits until
//     Buffered is 0.
package proactor

import (
	"net"
	"time"
)

// Forever, as the timeout of Poll, waits until something happens.
const Forever time.Duration = 1<<63 - 1

// Proactor is one loop's view of the outside world.
type Proactor interface {
	// Poll looks at the outside world once: it flushes the streams written since the last
	// Poll, waits until something has happened, Wake was called, or timeout is over (0
	// does not wait), and calls the handlers. It may return a little early, a few times
	// for one timeout at the most; it never calls a handler after it has returned.
	Poll(timeout time.Duration) error

	// Wake ends the wait of a Poll, or makes the next Poll not wait. It may be called
	// from any goroutine and at any time, also after Close. Wakes coalesce.
	Wake()

	// Now is monotonic time since an arbitrary moment. The clock belongs to the driver so
	// that a simulation can own it.
	Now() time.Duration

	// Waited tells how long the Polls so far have waited, all in all, and when, by Now,
	// the last wait ended.
	Waited() (total, until time.Duration)

	// Listen binds addr (*net.TCPAddr or *net.UnixAddr) and listens. Connections come
	// after Listener.Start.
	Listen(addr net.Addr, opt ListenOptions) (Listener, error)

	// Connect opens a connection to addr (*net.TCPAddr or *net.UnixAddr). done is called
	// exactly once, by a later Poll, with the stream or the error. After cancel, which is
	// idempotent and does nothing once done was called, done gets context.Canceled and no
	// descriptor is left open.
	Connect(addr net.Addr, opt ConnectOptions, done func(Stream, error)) (cancel func())

	// Close closes every stream and listener that is left, without calling their handlers
	// or the done of pending connects, and releases all resources. Idempotent. Poll and
	// Listen then return an error that is net.ErrClosed.
	Close() error
}

// ListenOptions says how Listen binds.
type ListenOptions struct {
	Backlog   int  // connections the kernel may hold before accept
	ReuseAddr bool // SO_REUSEADDR
	ReusePort bool // SO_REUSEPORT
	V6Only    bool // an IPv6 socket does not serve IPv4
	KeepAlive bool // on every accepted connection
}

// ConnectOptions says how Connect connects.
type ConnectOptions struct {
	Local     net.Addr // nil: the kernel chooses
	KeepAlive bool
}

// Listener is a listening socket.
type Listener interface {
	// Start begins to accept, or goes on after Stop. Each connection, TCP_NODELAY set,
	// goes to h.
	Start(h AcceptHandler) error
	// Stop leaves new connections in the kernel's backlog. One that is being accepted at
	// this moment is kept for the next Start.
	Stop()
	Addr() net.Addr
	// FD is the socket's descriptor, borrowed; -1 if there is none.
	FD() int
	// Close stops listening at once; the kernel refuses new connections from then on.
	// Connections that nobody has heard of are closed, and the path of a Unix socket is
	// removed. Idempotent.
	Close()
}

// AcceptHandler hears of a Listener.
type AcceptHandler interface {
	// Accepted hands over a connection. The handler calls SetHandler or Close on it
	// before it returns.
	Accepted(s Stream)
	// AcceptFailed reports an error that kept a connection from being accepted, or shed
	// it, such as EMFILE. The listener goes on.
	AcceptFailed(err error)
}

// Stream is a connected byte stream.
type Stream interface {
	SetHandler(h Handler)
	// ReadStart begins or resumes reading. Idempotent.
	ReadStart()
	// ReadStop ends calls of Data at once. Bytes that were read already are kept for the
	// next ReadStart; the end of the stream and failures of reading come behind them.
	// Idempotent.
	ReadStop()
	// Write queues p and takes no hold of it: p may be reused when Write returns. Small
	// writes of one turn are gathered and leave together at the next Poll; large ones,
	// and one that is probably alone in its turn, may be tried at once. A failure is told
	// by a later Poll, to Handler.Failed; until Close, Buffered goes on counting what is
	// written. After CloseWrite, Write fails with EPIPE.
	Write(p []byte)
	// WriteV is Write of several pieces in order.
	WriteV(bufs [][]byte)
	// Flush offers the kernel now what Write has gathered.
	Flush()
	// Buffered counts the bytes written that the kernel has not taken.
	Buffered() int
	// CloseWrite sends the end of the stream after what is buffered.
	CloseWrite()
	// Close closes the descriptor at once and drops what is buffered. Only Handler.Closed
	// follows; every method does nothing then, Buffered is 0 and FD is -1; the addresses
	// stay. Idempotent.
	Close()
	LocalAddr() net.Addr
	RemoteAddr() net.Addr
	// FD is the socket's descriptor, borrowed; -1 if there is none.
	FD() int
}

// Source is a Stream that can be read at once. Not every driver's streams are.
type Source interface {
	// Pull reads what the kernel has into p and returns how much that is: 0 if there is
	// nothing, if reading is stopped, and while bytes that came before are still to be
	// told to Data. The end of the stream and failures are 0 too: a later Poll tells
	// them.
	Pull(p []byte) int
}

// PullHandler is a Handler that can do without Data when bytes come in bulk.
type PullHandler interface {
	Handler
	// Readable tells that bytes have come of a stream that brings much. True: the handler
	// has read from src, or will before the next Poll; else it hears of the bytes again.
	// False: Data brings them.
	Readable(src Source) bool
}

// Handler hears of a Stream.
type Handler interface {
	// Data brings bytes. b belongs to the driver and is valid until Data returns.
	Data(b []byte)
	// EOF tells that the peer has sent its last byte. Reading has stopped.
	EOF()
	// Drained tells that bytes which Flush had left behind were taken by the kernel:
	// Buffered is smaller than before. The flush inside Poll is silent when it leaves
	// nothing behind, so who waits for Buffered to be 0 calls Flush first, and waits for
	// Drained only if bytes remain.
	Drained()
	// Failed tells that reading or writing failed. The handler calls Close.
	Failed(err error)
	// Closed is the last call.
	Closed()
}
