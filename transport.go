package asyncio

// What a program sees of a connection.

import (
	"io"
	"net"
)

// Transport is a connection: asyncio.Transport. Its methods never suspend and are for the
// loop's goroutine, where tasks run too.
type Transport interface {
	// Write sends p: write. It never waits: what the kernel does not take is buffered,
	// and p may be reused at once. Small writes of one turn are gathered and leave
	// together before the next turn begins; so a callback or step that goes on to
	// compute or block after a Write delays its bytes until it returns or suspends. The
	// error is net.ErrClosed once the connection is lost or is certain to be, and
	// ErrInvalidState after WriteEOF, and during Loop.Sendfile. A failure that shows
	// later ends the connection, and ConnectionLost tells it.
	io.Writer
	// WriteV is Write of several pieces in order, as one: writelines.
	WriteV(bufs [][]byte) error
	// WriteEOF sends the end of the stream after what is buffered: write_eof. Reading
	// goes on. Again, or after Close, it does nothing. The error is that of a transport
	// for which CanWriteEOF is false.
	WriteEOF() error
	// CanWriteEOF reports whether the end of one direction can be sent: can_write_eof.
	CanWriteEOF() bool

	// Close stops reading, sends what is buffered and then ends the connection: close.
	// ConnectionLost follows.
	Close()
	// Abort ends the connection and drops what is buffered: abort. ConnectionLost
	// follows.
	Abort()
	// IsClosing reports whether the connection has ended or is about to: is_closing.
	IsClosing() bool

	// PauseReading keeps DataReceived from being called: pause_reading. No byte is lost,
	// and the peer is held back once the kernel's buffers are full. Again, or after
	// Close, it does nothing.
	PauseReading()
	// ResumeReading undoes PauseReading: resume_reading.
	ResumeReading()
	// IsReading reports whether reading is neither paused nor over because of Close:
	// is_reading.
	IsReading() bool

	// SetWriteBufferLimits sets the water marks of the write buffer, in bytes:
	// set_write_buffer_limits. PauseWriting is called when more than high are buffered,
	// ResumeWriting when no more than low are. -1 is the default: 64 KiB, or four times
	// low, for high; a quarter of high for low. It panics with ErrInvalidArgument unless
	// high >= low >= 0.
	SetWriteBufferLimits(high, low int)
	// WriteBufferLimits is the two water marks: get_write_buffer_limits.
	WriteBufferLimits() (low, high int)
	// WriteBufferSize is the number of bytes written that the kernel does not take for
	// now: get_write_buffer_size.
	WriteBufferSize() int

	// SetProtocol makes p hear of the connection from now on: set_protocol.
	SetProtocol(p Protocol)
	// Protocol is the one that hears of the connection: get_protocol.
	Protocol() Protocol

	// LocalAddr is the address of this end.
	LocalAddr() net.Addr
	// RemoteAddr is the address of the peer.
	RemoteAddr() net.Addr
	// ExtraInfo looks deeper: get_extra_info. What the transport does not know is nil.
	//
	//	"sockname", "peername"  net.Addr
	//	"socket"                TransportSocket
	//	"peercred"              PeerCredentials of a Unix socket, on Linux, until the
	//	                        connection is lost; asyncio has them by SO_PEERCRED
	//	"pipe"                  the *os.File of a pipe, which knows nothing else; it is
	//	                        closed, since its descriptor is the transport's
	//
	// A transport that speaks TLS knows more, see WithTLS.
	ExtraInfo(key string) any
	// Loop is the loop of the connection.
	Loop() *Loop
}

// TransportSocket is the socket below a transport or server:
// asyncio.trsock.TransportSocket. It tells about the socket and lends its descriptor, for
// example to set an option. It has no methods that read or write: the transport does
// that.
type TransportSocket struct {
	source        descriptorSource
	local, remote net.Addr
}

// descriptorSource knows a descriptor as long as it is open.
type descriptorSource interface{ FD() int }

// FD is the descriptor, which belongs to the transport or server; -1 once that has closed
// it, or if there is none.
func (s TransportSocket) FD() int {
	if s.source == nil {
		return -1
	}
	return s.source.FD()
}

// LocalAddr is the address of this end.
func (s TransportSocket) LocalAddr() net.Addr { return s.local }

// RemoteAddr is the address of the peer.
func (s TransportSocket) RemoteAddr() net.Addr { return s.remote }
