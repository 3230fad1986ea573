package asyncio

import (
	"net"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// Protocols: the callbacks through which a program hears of a connection. The order of
// calls is
//
//	ConnectionMade  DataReceived...  EOFReceived  ConnectionLost
//
// DataReceived as often as bytes come, EOFReceived at most once, ConnectionLost exactly
// once and last. All of them run on the loop's goroutine, outside of every task, and none
// of them may suspend: they start tasks, or wake them. None runs inside a call of the
// program's own, except PauseWriting, which the Write that fills the buffer makes.
//
// A callback that panics ends its connection: the panic goes to the exception handler,
// and ConnectionLost is told of it. A panic of PauseWriting or ResumeWriting is reported,
// and the connection lives.

// BaseProtocol is what all protocols have: asyncio.BaseProtocol.
type BaseProtocol interface {
	// ConnectionMade hands over the transport of a new connection: connection_made.
	// Reading begins after it has returned.
	ConnectionMade(t Transport)
	// ConnectionLost is the last call: connection_lost. err is nil after a Close, an
	// Abort, or an EOF that was answered by closing; otherwise it is what broke the
	// connection.
	ConnectionLost(err error)
}

// Protocol receives a stream of bytes: asyncio.Protocol. Embed NullProtocol to implement
// only what is needed.
type Protocol interface {
	BaseProtocol
	// DataReceived brings bytes in the order the peer has sent them: data_received. How
	// they are cut into pieces means nothing. data is valid until the call returns.
	DataReceived(data []byte)
	// EOFReceived tells that the peer sends no more: eof_received. True keeps the
	// transport open for writing, false closes it.
	EOFReceived() bool
	// PauseWriting tells that more than the high-water mark is buffered: pause_writing.
	// It is called from within the Write, or SetWriteBufferLimits, that found so.
	PauseWriting()
	// ResumeWriting follows a PauseWriting once no more than the low-water mark is
	// buffered: resume_writing.
	ResumeWriting()
}

// BufferedProtocol is a Protocol that owns the memory it reads into:
// asyncio.BufferedProtocol. A transport finds it by type assertion and then calls
// GetBuffer and BufferUpdated instead of DataReceived.
type BufferedProtocol interface {
	Protocol
	// GetBuffer returns where the next bytes shall go: get_buffer. sizeHint is how many
	// there are. It is 64 KiB where that is not known and more than a little has come:
	// then the kernel writes straight into the buffer, if that has 16 KiB or more. Any
	// length but 0 will do, since the calls are repeated until all are delivered; an
	// empty buffer ends the connection. The buffer is the transport's until the next call
	// of the protocol. That is BufferUpdated, unless the call of GetBuffer has brought
	// nothing, which may be.
	GetBuffer(sizeHint int) []byte
	// BufferUpdated tells that n bytes were put into the buffer, at its beginning:
	// buffer_updated. n is more than 0.
	BufferUpdated(n int)
}

// NullProtocol ignores everything, and closes the connection when the peer has sent its
// last byte.
type NullProtocol struct{}

// ConnectionMade implements BaseProtocol.
func (NullProtocol) ConnectionMade(Transport) {}

// ConnectionLost implements BaseProtocol.
func (NullProtocol) ConnectionLost(error) {}

// DataReceived implements Protocol.
func (NullProtocol) DataReceived([]byte) {}

// EOFReceived implements Protocol.
func (NullProtocol) EOFReceived() bool { return false }

// PauseWriting implements Protocol.
func (NullProtocol) PauseWriting() {}

// ResumeWriting implements Protocol.
func (NullProtocol) ResumeWriting() {}

// DatagramProtocol receives datagrams: asyncio.DatagramProtocol. ConnectionMade comes
// first, ConnectionLost exactly once and last. A callback that panics is reported to the
// exception handler, and the endpoint lives, as in asyncio; only a panic of
// ConnectionMade ends it. Embed NullDatagramProtocol to implement only what is needed.
type DatagramProtocol interface {
	// ConnectionMade hands over the transport of a new endpoint: connection_made. Nothing
	// is received before it has returned.
	ConnectionMade(t *DatagramTransport)
	// DatagramReceived brings a datagram, which may be empty, and who has sent it:
	// datagram_received. addr is a *net.UDPAddr or *net.UnixAddr, or nil if the sender is
	// a Unix socket without a name. data is valid until the call returns; addr may be
	// kept, and is not to be changed.
	DatagramReceived(data []byte, addr net.Addr)
	// ErrorReceived tells that a datagram could not be sent, or that the network has
	// answered to one, such as with ECONNREFUSED: error_received. The endpoint lives.
	ErrorReceived(err error)
	// ConnectionLost is the last call: connection_lost. err is nil, since nothing but
	// Close and Abort ends an endpoint, unless ConnectionMade has panicked.
	ConnectionLost(err error)
	// PauseWriting and ResumeWriting are those of Protocol.
	PauseWriting()
	ResumeWriting()
}

// NullDatagramProtocol ignores everything.
type NullDatagramProtocol struct{}

// ConnectionMade implements DatagramProtocol.
func (NullDatagramProtocol) ConnectionMade(*DatagramTransport) {}

// DatagramReceived implements DatagramProtocol.
func (NullDatagramProtocol) DatagramReceived([]byte, net.Addr) {}

// ErrorReceived implements DatagramProtocol.
func (NullDatagramProtocol) ErrorReceived(error) {}

// ConnectionLost implements DatagramProtocol.
func (NullDatagramProtocol) ConnectionLost(error) {}

// PauseWriting implements DatagramProtocol.
func (NullDatagramProtocol) PauseWriting() {}

// ResumeWriting implements DatagramProtocol.
func (NullDatagramProtocol) ResumeWriting() {}

// pullProtocol is a Protocol that reads for itself what comes in bulk, so that the
// kernel's copy of the bytes is the only one.
type pullProtocol interface {
	Protocol
	// readable is called when the kernel has bytes in bulk. It is false if DataReceived
	// shall bring them.
	readable(src proactor.Source) bool
	// stopPulling is called when another protocol takes the place.
	stopPulling()
}
