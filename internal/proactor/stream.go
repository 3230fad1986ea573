package proactor

// Streams: connections that bytes go over.
//
//   - Bytes reach Handler.Data in the order the peer sent them; ReadStop loses none.
//   - After Failed only Closed follows; after Closed nothing follows. Closed comes
//     exactly once for every stream.
//   - Close of a stream drops what it had not written; who wants it flushed waits until
//     Buffered is 0.
//   - The addresses stay from the first question on. Those that are asked for only after
//     a failure or Close may be nil: the kernel has forgotten them, and to ask for them
//     on every Close would cost each connection a system call.

import "net"

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
	// follows; every method does nothing then, Buffered is 0 and FD is -1; addresses that
	// were asked for before stay. Idempotent.
	Close()
	// LocalAddr and RemoteAddr are those of the socket. The end of a Unix socket that was
	// bound to no name is called "".
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
