package asynchttp

// Servers: where they listen, which connections they have, and how they end.

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/seed-a026a017/asyncio"
)

// Server serves an http.Handler on a loop. A connection has a task of the loop while
// there is a request to serve, in which handlers run, one after another, and may await
// with r.Context(). Its fields are read when it starts and serves, and are not to be
// changed then. Its methods are for tasks of one loop.
//
// r.Context() is the task's, has http.ServerContextKey, which is this Server, and
// http.LocalAddrContextKey, and ends when the handler has returned. A client that goes
// away cancels the task: see asyncio's Task.Cancel. The end of a client's direction
// counts as such, as in net/http, once all of its requests are read.
//
// There is no HTTP/2: http.Server does that on a listener of the loop's.
type Server struct {
	Handler http.Handler // nil: http.DefaultServeMux

	ReadHeaderTimeout time.Duration // for a head, from its first byte; 0: ReadTimeout
	ReadTimeout       time.Duration // for a request with its body; 0: no limit
	WriteTimeout      time.Duration // from the end of the head to that of the answer; 0: no limit
	IdleTimeout       time.Duration // between two requests; 0: ReadTimeout
	MaxHeaderBytes    int           // of a request's head; 0: 1 MiB

	TLSConfig *tls.Config  // nil: no TLS
	ErrorLog  *slog.Logger // nil: slog's default

	loop      *asyncio.Loop
	listening []*asyncio.Server
	first     *connection // of all
	gone      asyncio.Event
	shut      asyncio.Event
	dates     dateCache
	closes    int // of connections whose time was over, in this turn
	closing   bool
}

// ListenAndServe listens, and serves until ctx's task is cancelled or Shutdown is called;
// then the error is http.ErrServerClosed, and connections that have a request live on
// until that is answered. Other errors are those of Start.
// Suspends. Cancelled: nothing listens, handlers are cancelled, connections are closed.
func (s *Server) ListenAndServe(ctx context.Context, network, address string, opts ...asyncio.ServerOption) error {
	listener, err := s.Start(ctx, network, address, opts...)
	if err != nil {
		return err
	}
	if err := s.shut.Wait(ctx); err != nil {
		listener.Close()
		for c := s.first; c != nil; c = c.next {
			if c.task != nil {
				c.task.Cancel()
			}
			c.transport.Close()
		}
		return err
	}
	return http.ErrServerClosed
}

// Start listens and serves, and returns at once. Network, address, options and errors are
// those of asyncio.Loop.CreateServer; after Shutdown the error is http.ErrServerClosed. A
// server may listen on several addresses of one loop.
// Suspends. Cancelled: nothing listens.
func (s *Server) Start(ctx context.Context, network, address string, opts ...asyncio.ServerOption) (*asyncio.Server, error) {
	l, err := asyncio.GetRunningLoop(ctx)
	switch {
	case err != nil:
		return nil, err
	case s.closing:
		return nil, http.ErrServerClosed
	case s.loop != nil && s.loop != l:
		return nil, fmt.Errorf("asynchttp: %w: the Server has listened on another loop; make one for each", asyncio.ErrWrongLoop)
	}
	s.loop = l
	if s.TLSConfig != nil {
		opts = append(s.tlsOptions(), opts...)
	}
	listener, err := l.CreateServer(ctx, func() asyncio.Protocol { return s.newConnection(ctx) }, network, address, opts...)
	if err != nil {
		return nil, err
	}
	s.listening = append(s.listening, listener)
	return listener, nil
}

// tlsOptions make the connections secure. There is nothing else to agree on than HTTP/1.
func (s *Server) tlsOptions() []asyncio.ServerOption {
	cfg := s.TLSConfig.Clone()
	cfg.NextProtos = slices.DeleteFunc(slices.Clone(cfg.NextProtos), func(proto string) bool { return proto == "h2" })
	if len(cfg.NextProtos) == 0 {
		cfg.NextProtos = []string{"http/1.1", "http/1.0"}
	}
	handshake := tlsHandshakeTimeout // or the shortest of the limits, as in net/http
	for _, d := range []time.Duration{s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout} {
		if d > 0 {
			handshake = min(handshake, d)
		}
	}
	return []asyncio.ServerOption{asyncio.WithTLS(cfg), asyncio.WithTLSTimeouts(handshake, tlsShutdownTimeout)}
}

const (
	tlsHandshakeTimeout = 60 * time.Second
	// tlsShutdownTimeout is how long a client may take to close its side: a client that
	// keeps idle connections may not look at them.
	tlsShutdownTimeout = 5 * time.Second
)

func (s *Server) newConnection(base context.Context) *connection {
	c := &connection{server: s, base: base}
	c.loop, c.owner = s.loop, c
	return c
}

// Shutdown stops listening, closes connections that are idle or have sent only a part of
// a head, and waits until the others have their answer and are closed. It does not wait
// for connections that a handler has hijacked.
// Suspends. Cancelled: the connections go on to their end.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closing = true
	for _, listener := range s.listening {
		listener.Close()
	}
	s.listening = nil
	s.shut.Set()
	if err := s.closeIdle(ctx); err != nil {
		return err
	}
	for s.first != nil {
		s.gone.Clear()
		if err := s.gone.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// closesMax is how many connections are closed in a row before others have their turn:
// so many take 1 ms.
const closesMax = 64

// closeIdle closes the connections that have no request.
func (s *Server) closeIdle(ctx context.Context) error {
	var idle []*connection
	for c := s.first; c != nil; c = c.next {
		idle = append(idle, c)
	}
	for n, c := range idle {
		if c.idle {
			c.transport.Close()
		}
		if n%closesMax == closesMax-1 {
			if err := asyncio.Sleep(ctx, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayClose reports whether another connection whose time is over may be closed in this
// turn.
func (s *Server) mayClose() bool {
	if s.closes == 0 {
		s.loop.CallSoon(func() { s.closes = 0 })
	}
	s.closes++
	return s.closes <= closesMax
}

// add and remove keep the list of connections.
func (s *Server) add(c *connection) {
	if c.next = s.first; c.next != nil {
		c.next.prev = c
	}
	s.first = c
}

func (s *Server) remove(c *connection) {
	switch {
	case c.prev != nil:
		c.prev.next = c.next
	case s.first == c:
		s.first = c.next
	default:
		return // it was hijacked
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	if s.first == nil {
		s.gone.Set()
	}
}

func (s *Server) headerTimeout() time.Duration {
	if s.ReadHeaderTimeout != 0 {
		return s.ReadHeaderTimeout
	}
	return s.ReadTimeout
}

func (s *Server) idleTimeout() time.Duration {
	if s.IdleTimeout != 0 {
		return s.IdleTimeout
	}
	return s.ReadTimeout
}

// limitSlopBytes is how much more than MaxHeaderBytes is read before a head is refused:
// as much as net/http's server reads.
const limitSlopBytes = 4096

func (s *Server) headBytesMax() int {
	if s.MaxHeaderBytes > 0 {
		return s.MaxHeaderBytes + limitSlopBytes
	}
	return http.DefaultMaxHeaderBytes + limitSlopBytes
}

func (s *Server) log() *slog.Logger {
	if s.ErrorLog != nil {
		return s.ErrorLog
	}
	return slog.Default()
}

func (w *response) log() *slog.Logger { return w.x.c.server.log() }

// date is now, as the value of a header.
func (s *Server) date() []byte { return s.dates.at(time.Now()) }
