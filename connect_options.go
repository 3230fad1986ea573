package asyncio

// Options of connections and servers. They are typed by what takes them, so that one
// which a call cannot honour does not compile. Each sets a field of the configuration of
// its kind, and a kind that serves several calls is part of their configurations.
//
//	option          is taken by
//	ConnectOption   CreateConnection, OpenConnection
//	ServerOption    CreateServer, StartServer, ServeListener, Listen
//	DatagramOption  CreateDatagramEndpoint, OpenDatagram
//	StreamOption    whatever has connections, ConnectAccepted and StartTLS too: a
//	                ConnectOption and a ServerOption
//	BindOption      whatever binds an address: a ServerOption and a DatagramOption

import (
	"runtime"
	"time"
)

const (
	backlogDefault     = 100
	streamLimitDefault = 64 << 10
)

// ConnectOption is an option of CreateConnection and OpenConnection.
type ConnectOption interface{ connect(*connectConfig) }

// ServerOption is an option of CreateServer, StartServer, ServeListener and Listen.
type ServerOption interface{ serve(*serverConfig) }

// DatagramOption is an option of CreateDatagramEndpoint and OpenDatagram.
type DatagramOption interface{ datagram(*datagramConfig) }

// StreamOption is an option of both ends of a stream, of ConnectAccepted and of StartTLS.
type StreamOption interface {
	ConnectOption
	ServerOption
}

// BindOption is an option of servers and datagram endpoints.
type BindOption interface {
	ServerOption
	DatagramOption
}

// streamConfig is what every connection has.
type streamConfig struct {
	limit     int // of a StreamReader
	keepAlive bool
	idle      time.Duration // 0: no limit
	write     *writeMarks   // nil: the defaults
	pipe      *pipeEnd      // nil: a connection
	tls       *tlsOptions   // nil: no TLS
}

// writeMarks is the water marks of the write buffer, in bytes.
type writeMarks struct{ high, low int }

func (c *streamConfig) marks() (high, low int) {
	if c.write == nil {
		return commonTransport.high, commonTransport.low
	}
	return c.write.high, c.write.low
}

// bindConfig is how an address is bound.
type bindConfig struct{ reusePort bool }

type connectConfig struct {
	streamConfig
	localAddr  string
	delay      time.Duration // between the starts of two attempts; Forever: one after the other
	interleave int
}

type serverConfig struct {
	streamConfig
	bindConfig
	backlog       int
	reuseAddr     bool
	startServing  bool
	held          bool // it serves, and accepts nothing yet
	connectionMax int  // 0: no limit
	cleanupSocket bool
}

type datagramConfig struct {
	bindConfig
	remoteAddr   string // "": none
	broadcast    bool
	receiveLimit int // of a DatagramEndpoint
}

type (
	connectOption  func(*connectConfig)
	serverOption   func(*serverConfig)
	streamOption   func(*streamConfig)
	bindOption     func(*bindConfig)
	datagramOption func(*datagramConfig)
)

func (o connectOption) connect(c *connectConfig)    { o(c) }
func (o serverOption) serve(c *serverConfig)        { o(c) }
func (o streamOption) connect(c *connectConfig)     { o(&c.streamConfig) }
func (o streamOption) serve(c *serverConfig)        { o(&c.streamConfig) }
func (o bindOption) serve(c *serverConfig)          { o(&c.bindConfig) }
func (o bindOption) datagram(c *datagramConfig)     { o(&c.bindConfig) }
func (o datagramOption) datagram(c *datagramConfig) { o(c) }

func newConnectConfig(opts []ConnectOption) connectConfig {
	c := connectConfig{streamConfig: streamConfig{limit: streamLimitDefault}, delay: Forever}
	for i, opt := range opts {
		mustBeOption(i, opt)
		opt.connect(&c)
	}
	return c
}

func newStreamConfig(opts []StreamOption) streamConfig {
	c := connectConfig{streamConfig: streamConfig{limit: streamLimitDefault}}
	for i, opt := range opts {
		mustBeOption(i, opt)
		opt.connect(&c)
	}
	return c.streamConfig
}

func newServerConfig(opts []ServerOption) serverConfig {
	c := serverConfig{
		streamConfig:  streamConfig{limit: streamLimitDefault},
		backlog:       backlogDefault,
		reuseAddr:     runtime.GOOS != "windows", // there it would let another program take the port over
		startServing:  true,
		cleanupSocket: true,
	}
	for i, opt := range opts {
		mustBeOption(i, opt)
		opt.serve(&c)
	}
	return c
}

func newDatagramConfig(opts []DatagramOption) datagramConfig {
	c := datagramConfig{receiveLimit: receiveLimitDefault}
	for i, opt := range opts {
		mustBeOption(i, opt)
		opt.datagram(&c)
	}
	return c
}

// mustBeOption panics with the number of an option that is nil.
func mustBeOption(i int, opt any) {
	if opt == nil {
		panic(misuse(ErrInvalidArgument, "option %d is nil", i+1))
	}
}

// WithLocalAddr binds a connection to a local "host:port" before it connects: local_addr.
// Port 0 leaves the port to the kernel. Over Unix it is a path, which stays when the
// connection ends.
func WithLocalAddr(addr string) ConnectOption {
	return connectOption(func(c *connectConfig) { c.localAddr = addr })
}

// WithHappyEyeballs tries the addresses of a name side by side, RFC 8305:
// happy_eyeballs_delay. The next attempt starts when the last one has failed, or is delay
// old; the first that succeeds wins, and the others end. interleave reorders the
// addresses: so many of the first family, then the families in turn, where asyncio's
// default is 1; 0 leaves the order.
func WithHappyEyeballs(delay time.Duration, interleave int) ConnectOption {
	return connectOption(func(c *connectConfig) { c.delay, c.interleave = max(0, delay), interleave })
}

// WithLimit sets the limit of a stream's reader, in bytes: how long a line or record may
// be, and half of what is buffered before the peer is held back. The default is 64 KiB.
// It panics with ErrInvalidArgument unless n is positive.
func WithLimit(n int) StreamOption {
	checkLimit(n)
	return streamOption(func(c *streamConfig) { c.limit = n })
}

// WithKeepAlive turns SO_KEEPALIVE on or off for the connection, or for those that a
// server accepts. The default is off. Over Unix it has no effect.
func WithKeepAlive(on bool) StreamOption {
	return streamOption(func(c *streamConfig) { c.keepAlive = on })
}

// WithIdleTimeout ends a connection on which no byte came or left for d: ConnectionLost,
// and reads of a stream that wait, tell ErrTimeout, and what is buffered is dropped.
// Bytes that the program keeps from coming, by PauseReading or by not reading a stream,
// do not come. The default is no limit. It panics with ErrInvalidArgument unless d is
// positive.
func WithIdleTimeout(d time.Duration) StreamOption {
	if d <= 0 {
		panic(misuse(ErrInvalidArgument, "WithIdleTimeout was given %v; it needs more than 0", d))
	}
	return streamOption(func(c *streamConfig) { c.idle = d })
}

// WithWriteBufferLimits sets the water marks that the write buffer of a connection begins
// with, in bytes, as Transport.SetWriteBufferLimits does later: Drain waits, and
// PauseWriting is called, when more than high are buffered. -1 is the default: 64 KiB, or
// four times low, for high; a quarter of high for low. It panics with ErrInvalidArgument
// unless high >= low >= 0.
func WithWriteBufferLimits(high, low int) StreamOption {
	high, low = waterMarks("WithWriteBufferLimits", high, low, writeHighDefault)
	return streamOption(func(c *streamConfig) { c.write = &writeMarks{high, low} })
}

// WithBacklog sets how many connections the kernel holds before they are accepted. The
// default is 100.
func WithBacklog(n int) ServerOption {
	return serverOption(func(c *serverConfig) { c.backlog = n })
}

// WithReuseAddr turns SO_REUSEADDR on or off, which lets a server take a port whose
// former connections are in TIME_WAIT. The default is on, except on Windows.
func WithReuseAddr(on bool) ServerOption {
	return serverOption(func(c *serverConfig) { c.reuseAddr = on })
}

// WithStartServing decides whether a server accepts from the beginning, which is the
// default, or from StartServing on.
func WithStartServing(on bool) ServerOption {
	return serverOption(func(c *serverConfig) { c.startServing = on })
}

// WithMaxConnections bounds the connections that a server has at a time; what comes
// beyond waits in the kernel's backlog until one of them is lost. The default is no
// limit. It panics with ErrInvalidArgument unless n is positive.
func WithMaxConnections(n int) ServerOption {
	if n < 1 {
		panic(misuse(ErrInvalidArgument, "WithMaxConnections was given %d; it needs at least 1", n))
	}
	return serverOption(func(c *serverConfig) { c.connectionMax = n })
}

// WithCleanupSocket decides whether Close of a Unix server removes the socket's file:
// cleanup_socket. It does so only if the file is still the one that the server has made.
// The default is true. An abstract name has no file, and a listener that was handed to
// ServeListener keeps its own.
func WithCleanupSocket(on bool) ServerOption {
	return serverOption(func(c *serverConfig) { c.cleanupSocket = on })
}

// WithReusePort lets several sockets bind one port, SO_REUSEPORT: the kernel spreads what
// comes. Over Unix it has no effect.
func WithReusePort() BindOption { return bindOption(func(c *bindConfig) { c.reusePort = true }) }

// WithRemoteAddr names the peer of a datagram endpoint: remote_addr. It sends to that
// address only, and receives from nobody else; with WithBroadcast it receives from
// anybody, since that is who answers.
func WithRemoteAddr(addr string) DatagramOption {
	return datagramOption(func(c *datagramConfig) { c.remoteAddr = addr })
}

// WithBroadcast lets a datagram endpoint send to broadcast addresses, SO_BROADCAST:
// allow_broadcast.
func WithBroadcast() DatagramOption {
	return datagramOption(func(c *datagramConfig) { c.broadcast = true })
}

// WithReceiveLimit sets how much may wait in a DatagramEndpoint until it is received, in
// bytes: the payload of each datagram and 64 more. Beyond it the oldest is dropped, and
// DatagramEndpoint.Dropped counts it. The default is 256 KiB. It panics with
// ErrInvalidArgument unless n is positive.
func WithReceiveLimit(n int) DatagramOption {
	if n <= 0 {
		panic(misuse(ErrInvalidArgument, "WithReceiveLimit was given %d bytes; it needs at least 1", n))
	}
	return datagramOption(func(c *datagramConfig) { c.receiveLimit = n })
}

// checkLimit panics unless n is a limit.
func checkLimit(n int) {
	if n <= 0 {
		panic(misuse(ErrInvalidArgument, "the limit of a stream's reader must be positive, not %d", n))
	}
}
