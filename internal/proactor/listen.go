package proactor

// Listening: sockets that bring connections.
//
// A listener is stopped, accepting or closed:
//
//	state      moves to                            what happens to connections
//	stopped    accepting: Start                    they wait in the kernel's backlog
//	accepting  stopped: Stop                       each goes to the handler
//	           stopped: an error, AcceptFailed
//	closed     from both: Close                    the kernel refuses them
//
//   - Listen and ListenOn return it stopped.
//   - A connection that is being accepted at the moment of Stop is kept. It is the first
//     one after the next Start.
//   - A connection that its peer gave up before it was accepted is not told at all.
//   - An error such as EMFILE would come back at once. The driver tells it once and
//     stops. When to try again is for the loop above, with Start: no driver has a pause
//     of its own. The connection that met the error waits in the backlog like the others.
//   - An error that is found after Stop is not told. If it lasts, the next Start meets
//     it.
//   - Bind makes the file of a Unix socket, and a Listen that fails leaves none behind.
//     No driver removes it later: only the loop above can know whether it is still the
//     same.

import "net"

// Binder makes listeners.
type Binder interface {
	// Listen binds addr (*net.TCPAddr or *net.UnixAddr) and listens. Connections come
	// after Listener.Start.
	Listen(addr net.Addr, opt ListenOptions) (Listener, error)

	// ListenOn takes over ln (*net.TCPListener or *net.UnixListener), a socket that
	// listens already: one that was inherited, or bound with options of its own. The
	// driver owns it unless there is an error: then it is as it was. The caller may close
	// ln afterwards: that leaves the path of a Unix socket alone, and may or may not end
	// the listener, in silence; Listener.Close stays due. Of opt, Backlog and KeepAlive
	// count; the others belong to bind.
	ListenOn(ln net.Listener, opt ListenOptions) (Listener, error)
}

// BacklogMax is the longest backlog that every system understands.
const BacklogMax = 1<<16 - 1

// ListenOptions says how Listen binds.
type ListenOptions struct {
	Backlog   int  // connections the kernel may hold before accept; 0: as many as it allows
	ReuseAddr bool // SO_REUSEADDR
	ReusePort bool // SO_REUSEPORT; of no effect on a Unix socket
	V6Only    bool // an IPv6 socket does not serve IPv4
	KeepAlive bool // on every accepted connection
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
	// Connections that nobody has heard of are closed; the path of a Unix socket stays.
	// Idempotent.
	Close()
}

// AcceptHandler hears of a Listener.
type AcceptHandler interface {
	// Accepted hands over a connection. The handler calls SetHandler or Close on it
	// before it returns.
	Accepted(s Stream)
	// AcceptFailed reports an error that keeps connections from being accepted, such as
	// EMFILE. The listener has stopped. Start, also in here, makes it go on.
	AcceptFailed(err error)
}
