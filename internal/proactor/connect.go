package proactor

// Connecting: streams to peers.
//
//   - done is called exactly once, by a later Poll, however the attempt ends.
//   - A stream that done is given has TCP_NODELAY set. It is done's to give a handler or
//     to close.
//   - An address without a host is this machine's own. A Local without one is any of this
//     machine's, of the peer's family.
//   - A Local of another type than the address is an error, as is a port that is none.
//   - Bind makes the file of a Local that is a *net.UnixAddr. No driver removes it.

import "net"

// Connector makes connections.
type Connector interface {
	// Connect opens a connection to addr (*net.TCPAddr or *net.UnixAddr). done is called
	// exactly once, by a later Poll, with the stream or the error. After cancel, which is
	// idempotent and does nothing once done was called, done gets context.Canceled and no
	// descriptor is left open.
	Connect(addr net.Addr, opt ConnectOptions, done func(Stream, error)) (cancel func())
}

// ConnectOptions says how Connect connects.
type ConnectOptions struct {
	Local     net.Addr // nil: the kernel chooses
	KeepAlive bool
}
