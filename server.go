package asyncio

// Servers: their life, and what their sockets hear. server_listen.go makes the sockets.
//
//	bound    -> serving  start: the sockets accept
//	         -> closed   Close
//	serving  -> closed   Close: the sockets are closed, the connections live on; or
//	                     abandon, when the loop closes
//
// A server is gone once it is closed and its last connection is lost.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// acceptRetryDelay is the pause after an error, mostly a lack of descriptors or memory:
// at once it would fail again. It is asyncio's ACCEPT_RETRY_DELAY, and the only such
// pause there is: see the rules of proactor's listeners.
const acceptRetryDelay = time.Second

type serverState uint8

const (
	serverBound serverState = iota
	serverServing
	serverClosed
)

// Server listens and makes a protocol for every connection: asyncio.Server. Its methods
// are for the loop's goroutine, where tasks run too.
type Server struct {
	loop      *Loop
	ctx       context.Context // of who made it, for reports
	factory   func() Protocol
	stream    streamConfig // of its connections
	maximum   int          // of connections; 0: no limit
	held      bool         // by Listen: too many wait to be accepted
	acceptors []*acceptor
	state     serverState
	clients   int // transports whose ConnectionLost has not returned
	forever   waitPoint
	gone      waitQueue
}

// acceptor is one listening socket of a server. It accepts while the server serves and
// has room for a connection, and no pause is on.
type acceptor struct {
	server    *Server
	listener  proactor.Listener
	file      *socketFile  // that the server removes; nil: none
	retry     *TimerHandle // the end of a pause, or nil
	accepting bool
	at        ownedPlace
}

func (a *acceptor) place() *ownedPlace { return &a.at }

func (a *acceptor) String() string { return fmt.Sprintf("<server on %v>", a.listener.Addr()) }

// abandon leaves the socket to the driver, which closes it with the loop.
func (a *acceptor) abandon(l *Loop) {
	a.file.remove(l)
	a.server.state, a.server.acceptors = serverClosed, nil
	l.warnUnclosed(a, "server: it listens, and its loop is closed; call Server.Close")
}

// start accepts on every socket.
func (s *Server) start() error {
	if s.state == serverClosed {
		return fmt.Errorf("%w: the server is closed: %w", ErrInvalidState, net.ErrClosed)
	}
	before := s.state
	s.state = serverServing
	for _, a := range s.acceptors {
		if err := a.adjust(); err != nil {
			s.state = before
			s.adjust()
			return err
		}
	}
	return nil
}

// adjust accepts, or stops accepting, as it should be now.
func (a *acceptor) adjust() error {
	s := a.server
	should := s.state == serverServing && a.retry == nil && !s.full()
	if should == a.accepting {
		return nil
	}
	if !should {
		a.accepting = false
		a.listener.Stop()
		return nil
	}
	err := a.listener.Start(a)
	a.accepting = err == nil
	return err
}

// full reports whether the server may have no more connections now.
func (s *Server) full() bool { return s.held || s.maximum > 0 && s.clients >= s.maximum }

// adjust makes every socket accept, or not, after the number of connections has changed.
func (s *Server) adjust() {
	for _, a := range s.acceptors {
		if err := a.adjust(); err != nil {
			s.loop.CallExceptionHandler(ErrorContext{Message: "cannot accept again after a pause", Exception: err, Server: s, Context: s.ctx})
		}
	}
}

// Accepted implements proactor.AcceptHandler.
func (a *acceptor) Accepted(stream proactor.Stream) {
	if t := a.server.adopt(stream); t != nil {
		t.begin()
	}
}

// adopt gives a connection to the protocol that the factory makes. If that panics, the
// connection is closed.
func (s *Server) adopt(stream proactor.Stream) (t *streamTransport) {
	defer func() {
		if t != nil {
			return
		}
		err := panicked(recover())
		stream.Close()
		s.loop.CallExceptionHandler(ErrorContext{
			Message:   "Error on transport creation for incoming connection",
			Exception: err,
			Server:    s,
			Context:   s.ctx,
		})
	}()
	p := s.factory()
	if s.stream.tls == nil {
		return newStreamTransport(s.loop, stream, p, s, s.stream)
	}
	secured := newTLSTransport(s.loop, p, s.stream.tls, tlsValues(s.ctx, s.loop))
	t = newStreamTransport(s.loop, stream, (*tlsProtocol)(secured), s, s.stream)
	secured.over(t, s.stream)
	return t
}

// AcceptFailed implements proactor.AcceptHandler. The listener has stopped, and goes on
// after a pause.
func (a *acceptor) AcceptFailed(err error) {
	l := a.server.loop
	message := "socket.accept() failed"
	if outOfResources(err) {
		message = "socket.accept() out of system resource"
	}
	a.accepting = false
	if a.server.state != serverClosed && a.retry == nil {
		a.retry = l.CallLater(acceptRetryDelay, a.goOn)
	}
	l.CallExceptionHandler(ErrorContext{Message: message, Exception: err, Server: a.server, Context: a.server.ctx})
}

func outOfResources(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// goOn ends the pause.
func (a *acceptor) goOn() {
	a.retry = nil
	a.server.adjust()
}

// Addrs is the addresses that the server listens on; none after Close.
func (s *Server) Addrs() []net.Addr {
	var addrs []net.Addr
	for _, a := range s.acceptors {
		addrs = append(addrs, a.listener.Addr())
	}
	return addrs
}

// Sockets is the sockets that the server listens on; none after Close: Server.sockets.
func (s *Server) Sockets() []TransportSocket {
	var sockets []TransportSocket
	for _, a := range s.acceptors {
		sockets = append(sockets, TransportSocket{source: a.listener, local: a.listener.Addr()})
	}
	return sockets
}

// IsServing reports whether the server accepts connections: Server.is_serving. One that
// has as many as WithMaxConnections allows serves.
func (s *Server) IsServing() bool { return s.state == serverServing }

// Loop is the server's loop.
func (s *Server) Loop() *Loop { return s.loop }

// StartServing accepts connections; if the server does so already, nothing changes:
// Server.start_serving. On a closed one the error is ErrInvalidState and net.ErrClosed.
// Suspends. Cancelled: the server serves.
func (s *Server) StartServing(ctx context.Context) error {
	a, err := s.loop.enterOn(ctx, "StartServing")
	if err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	return a.yield()
}

// ServeForever accepts connections until it is cancelled, or Close is called elsewhere:
// Server.serve_forever. Then it closes the server, waits until the connections are lost,
// and returns a *CancelledError, or why a context that the caller derived has ended. The
// error is ErrInvalidState if a task is in
// ServeForever already, and with net.ErrClosed if the server was closed before.
// Suspends. Cancelled: the server is closed; a second cancellation ends the wait for the
// connections.
func (s *Server) ServeForever(ctx context.Context) error {
	a, err := s.loop.enterOn(ctx, "ServeForever")
	if err != nil {
		return err
	}
	if s.forever.taken() {
		return fmt.Errorf("%w: the server on %v is already being awaited in ServeForever", ErrInvalidState, s.Addrs())
	}
	if err := s.start(); err != nil {
		return err
	}
	err = s.forever.wait(a)
	s.Close()
	_ = s.WaitClosed(a.task.Context()) // a second cancellation adds nothing to the first
	return err
}

// Close stops listening at once; connections live on: Server.close. It removes the file
// of a Unix socket if that is still the one that the server has made, see
// WithCleanupSocket. Again, it does nothing.
func (s *Server) Close() {
	if s.loop.debug {
		s.loop.checkGoroutine("Server.Close")
	}
	if s.state == serverClosed {
		return
	}
	s.state = serverClosed
	s.closeSockets()
	s.forever.wake(&CancelledError{})
	s.wakeIfGone()
}

func (s *Server) closeSockets() {
	for _, a := range s.acceptors {
		a.close()
	}
	s.acceptors = nil
}

func (a *acceptor) close() {
	if a.retry != nil {
		a.retry.Cancel()
	}
	a.file.remove(a.server.loop)
	a.listener.Close()
	a.server.loop.owned.remove(a)
}

// attach notes a connection.
func (s *Server) attach() {
	s.clients++
	if s.full() {
		s.adjust()
	}
}

// detach notes that a connection is lost.
func (s *Server) detach() {
	wasFull := s.full()
	s.clients--
	if wasFull {
		s.adjust()
	}
	s.wakeIfGone()
}

func (s *Server) wakeIfGone() {
	if s.isGone() {
		s.gone.wakeAll()
	}
}

func (s *Server) isGone() bool { return s.state == serverClosed && s.clients == 0 }

// transports is those of the connections that the server has accepted, as the program
// knows them.
func (s *Server) transports() (found []Transport) {
	s.eachTransport(func(t *streamTransport) { found = append(found, topOf(t)) })
	return found
}

// CloseClients closes the transports of all connections: Server.close_clients.
func (s *Server) CloseClients() {
	for _, t := range s.transports() {
		t.Close()
	}
}

// AbortClients aborts the transports of all connections: Server.abort_clients.
func (s *Server) AbortClients() {
	for _, t := range s.transports() {
		t.Abort()
	}
}

// WaitClosed waits until the server is closed and all its connections are lost, in either
// order: Server.wait_closed.
// Suspends. Cancelled: nothing changes.
func (s *Server) WaitClosed(ctx context.Context) error {
	a, err := s.loop.enterOn(ctx, "WaitClosed")
	if err != nil || s.isGone() {
		return err
	}
	_, err = s.gone.wait(a)
	return err
}
