package proactor

// Connecting: streams to peers.
//
//   - Adopt takes a connection that exists. The rest is about Connect.
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

	// Adopt takes over conn (*net.TCPConn, or *net.UnixConn of network "unix"), which is
	// connected already: one that was accepted elsewhere, inherited, or an end of a pair.
	// Deadlines that were set on it end. The driver owns it unless there is an error:
	// then it is as it was. ENOTCONN is the error of a socket of which package net knows
	// no peer; one that was reset meanwhile is taken, and its Handler hears of that. The
	// caller may close conn afterwards: that may or may not end the stream, in silence;
	// Stream.Close stays due.
	// The stream does not read. It has TCP_NODELAY set, and keeps alive if it shall.
	Adopt(conn net.Conn, keepAlive bool) (Stream, error)
}

// ConnectOptions says how Connect connects.
type ConnectOptions struct {
	Local     net.Addr // nil: the kernel chooses
	KeepAlive bool
}
