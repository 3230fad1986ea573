package asyncio

// Servers. A server is open, then closed: Close ends the listening, and the connections
// live on until they end themselves. It is gone once it is closed and they are lost.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// acceptRetryDelay is the pause after the system has run out of descriptors or memory: at
// once it would fail again.
const acceptRetryDelay = time.Second

// Server listens and makes a protocol for every connection: asyncio.Server. Its methods
// are for the loop's goroutine, where tasks run too.
type Server struct {
	loop      *Loop
	factory   func() Protocol
	acceptors []*acceptor
	serving   bool
	closed    bool
	clients   int // transports whose ConnectionLost has not returned
	forever   waitPoint
	gone      waitQueue
}

// acceptor is one listening socket of a server.
type acceptor struct {
	server   *Server
	listener proactor.Listener
	retry    *TimerHandle // the end of a pause, or nil
}

// CreateServer listens on address, and factory makes the protocol of every connection:
// loop.create_server, and create_unix_server. network is "tcp", "tcp4", "tcp6" or "unix";
// address is as in package net. An empty host is all interfaces, IPv4 and IPv6, each with
// a socket of its own; port 0 lets the kernel choose, for each socket. It is for a task
// of the loop.
// Suspends. Cancelled: nothing listens.
func (l *Loop) CreateServer(ctx context.Context, factory func() Protocol, network, address string, opts ...ConnOption) (*Server, error) {
	if factory == nil {
		panic(misuse(ErrInvalidState, "CreateServer was given a nil factory"))
	}
	a, err := l.enterOn(ctx, "CreateServer")
	if err != nil {
		return nil, err
	}
	addrs, err := resolve(ctx, network, address, everyHost)
	if err != nil {
		return nil, err
	}
	c := newConnConfig(opts)
	s := &Server{loop: l, factory: factory}
	if err := s.listen(addrs, c); err != nil {
		return nil, err
	}
	if c.startServing {
		if err = s.start(); err == nil {
			err = a.yield()
		}
		if err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// listen binds every address that this host has. Others are left out as long as one is
// bound.
func (s *Server) listen(addrs []net.Addr, c connConfig) error {
	opt := proactor.ListenOptions{Backlog: c.backlog, ReuseAddr: c.reuseAddr, ReusePort: c.reusePort, V6Only: true, KeepAlive: c.keepAlive}
	var last error
	for _, addr := range addrs {
		ln, err := s.loop.pro.Listen(addr, opt)
		switch {
		case err == nil:
			a := &acceptor{server: s, listener: ln}
			s.acceptors = append(s.acceptors, a)
			s.loop.addListener(a)
		case errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT):
			last = err
		default:
			s.Close()
			return fmt.Errorf("asyncio: error while attempting to bind on address %v: %w", addr, err)
		}
	}
	if len(s.acceptors) == 0 {
		return fmt.Errorf("asyncio: could not bind on any address out of %v: %w", addrs, last)
	}
	return nil
}

func (l *Loop) addListener(a *acceptor) {
	if l.listeners == nil {
		l.listeners = make(map[*acceptor]struct{})
	}
	l.listeners[a] = struct{}{}
}

// abandonListeners forgets the sockets that still listen when the loop closes. The driver
// closes them.
func (l *Loop) abandonListeners() {
	for a := range l.listeners {
		if l.debug {
			l.log().Warn("unclosed server: it listens, and its loop is closed; call Server.Close", "address", a.listener.Addr().String())
		}
	}
	l.listeners = nil
}

// start accepts on every socket.
func (s *Server) start() error {
	if s.closed {
		return fmt.Errorf("%w: the server is closed: %w", ErrInvalidState, net.ErrClosed)
	}
	if s.serving {
		return nil
	}
	s.serving = true
	for _, a := range s.acceptors {
		if err := a.listener.Start(a); err != nil {
			return err
		}
	}
	return nil
}

// Accepted implements proactor.AcceptHandler.
func (a *acceptor) Accepted(stream proactor.Stream) {
	s := a.server
	if t := s.adopt(stream); t != nil {
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
		stream.Close()
		if v := recover(); v != nil {
			s.loop.CallExceptionHandler(ErrorContext{
				Message:   "Error on transport creation for incoming connection",
				Exception: &PanicError{Value: v, Stack: debug.Stack()},
				Server:    s,
			})
		}
	}()
	return newStreamTransport(s.loop, stream, s.factory(), s)
}

// AcceptFailed implements proactor.AcceptHandler. A connection that its peer gave up
// while it waited is no news.
func (a *acceptor) AcceptFailed(err error) {
	l := a.server.loop
	switch {
	case errors.Is(err, syscall.ECONNABORTED):
	case outOfResources(err):
		l.CallExceptionHandler(ErrorContext{Message: "socket.accept() out of system resource", Exception: err, Server: a.server})
		if !a.server.closed && a.retry == nil {
			a.listener.Stop()
			a.retry = l.CallLater(acceptRetryDelay, a.goOn)
		}
	default:
		l.CallExceptionHandler(ErrorContext{Message: "socket.accept() failed", Exception: err, Server: a.server})
	}
}

func outOfResources(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// goOn ends the pause.
func (a *acceptor) goOn() {
	a.retry = nil
	if err := a.listener.Start(a); err != nil {
		a.server.loop.CallExceptionHandler(ErrorContext{Message: "cannot accept again after a pause", Exception: err, Server: a.server})
	}
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
		sockets = append(sockets, TransportSocket{fd: a.listener.FD(), local: a.listener.Addr()})
	}
	return sockets
}

// IsServing reports whether the server accepts connections: Server.is_serving.
func (s *Server) IsServing() bool { return s.serving }

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
// and returns a *CancelledError. The error is ErrInvalidState if a task is in
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
	_ = s.WaitClosed(ctx) // a second cancellation adds nothing to the first
	return err
}

// Close stops listening at once; connections live on: Server.close. Again, it does
// nothing.
func (s *Server) Close() {
	if s.loop.debug {
		s.loop.checkGoroutine("Server.Close")
	}
	if s.closed {
		return
	}
	s.closed, s.serving = true, false
	for _, a := range s.acceptors {
		if a.retry != nil {
			a.retry.Cancel()
		}
		a.listener.Close()
		delete(s.loop.listeners, a)
	}
	s.acceptors = nil
	s.forever.wake(&CancelledError{})
	s.wakeIfGone()
}

// detach notes that a connection is lost.
func (s *Server) detach() {
	s.clients--
	s.wakeIfGone()
}

func (s *Server) wakeIfGone() {
	if s.closed && s.clients == 0 {
		s.gone.wakeAll()
	}
}

// CloseClients closes the transports of all connections: Server.close_clients.
func (s *Server) CloseClients() {
	for _, t := range s.loop.transports.of(s) {
		t.Close()
	}
}

// AbortClients aborts the transports of all connections: Server.abort_clients.
func (s *Server) AbortClients() {
	for _, t := range s.loop.transports.of(s) {
		t.Abort()
	}
}

// WaitClosed waits until the server is closed and all its connections are lost, in either
// order: Server.wait_closed.
// Suspends. Cancelled: nothing changes.
func (s *Server) WaitClosed(ctx context.Context) error {
	a, err := s.loop.enterOn(ctx, "WaitClosed")
	if err != nil || s.closed && s.clients == 0 {
		return err
	}
	_, err = s.gone.wait(a)
	return err
}
