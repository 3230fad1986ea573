// Package proactor is the seam between an event loop and the outside world: what a loop
// needs from below, and no more. Each capability has its file, with its rules:
//
//	poll.go      Poller          what has happened, waiting, waking, the clock
//	listen.go    Binder          listening sockets, and accepting from them
//	connect.go   Connector       connections to peers
//	stream.go    Stream          connected byte streams: what the two above make
//	datagram.go  DatagramOpener  endpoints of datagrams
//	pipe.go      PipeOpener      pipes, FIFOs and terminals, as streams
//	watch.go     Watcher         descriptors of the program's
//	process.go   Spawner         programs that run as children
//	signal.go    Signaler        signals that the process gets
//	work.go      Worker          functions that block
//	resolve.go   Resolver        the numbers behind names, and back
//	file.go      Filer           the file system
//	watchfiles.go  DirWatcher    directories, and what happens in them
//
// A loop calls Poll once a turn. Poll starts what was submitted, waits if it may, and
// then calls the handlers of all that has happened, in order, on the loop's goroutine.
// Nothing else calls a handler, so whatever a handler does cannot race with another one
// and may call back into the proactor freely.
//
// Rules that every implementation keeps, for every capability:
//   - All methods are for the loop's goroutine, except Wake and those of Worker.
//   - No handler runs inside the call that caused it; the earliest moment is the next
//     Poll.
//   - Nothing that a loop waits for starts elsewhere, so whoever implements the seam owns
//     all of it: the order of events, the clock, and what the names stand for.
package proactor

// Proactor is one loop's view of the outside world: what every driver has.
type Proactor interface {
	Poller
	Binder
	Connector
	DatagramOpener
	PipeOpener
	Watcher
	Spawner
	Signaler
	Worker
	Resolver
	Filer
	DirWatcher

	// Close closes every stream, endpoint, listener and watch that is left, without
	// calling their handlers or the done of pending connects and lookups, and releases
	// all resources. It does not wait for functions of Work. Idempotent. Poll and Listen
	// then return an error that is net.ErrClosed. A handler may call it: the Poll that
	// has called the handler calls no other one and releases what is left.
	Close() error
}
