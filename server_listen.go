package asyncio

// The sockets of servers: made for an address, or taken over from somebody else.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"syscall"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// CreateServer listens on address, and factory makes the protocol of every connection:
// loop.create_server, and create_unix_server. network is "tcp", "tcp4", "tcp6" or "unix";
// address is as in package net. An empty host is all interfaces, IPv4 and IPv6, and a
// name all its addresses that this host has, each with a socket of its own. Port 0 lets
// the kernel choose; all sockets get the same number.
//
// A Unix socket has a file, unless its name begins with "@". If there is one that nobody
// answers on, a server that has crashed has left it: it is removed. If somebody answers,
// the error is syscall.EADDRINUSE. The server's Close removes the file.
// It is for a task of the loop.
// Suspends. Cancelled: nothing listens.
func (l *Loop) CreateServer(ctx context.Context, factory func() Protocol, network, address string, opts ...ServerOption) (*Server, error) {
	return l.createServer(ctx, factory, network, address, newServerConfig(opts))
}

func (l *Loop) createServer(ctx context.Context, factory func() Protocol, network, address string, c serverConfig) (*Server, error) {
	if factory == nil {
		panic(misuse(ErrInvalidArgument, "CreateServer was given a nil factory"))
	}
	a, err := l.enterOn(ctx, "CreateServer")
	if err != nil {
		return nil, err
	}
	if err := c.tls.setUpServer(); err != nil {
		return nil, err
	}
	if err := checkNetwork(network, streamNetworks); err != nil {
		return nil, err
	}
	addrs, err := resolve(ctx, network, address, everyHost)
	if err != nil {
		return nil, err
	}
	s := l.newServer(ctx, factory, c)
	if err := s.listen(addrs, c); err != nil {
		return nil, err
	}
	return s.started(a, c)
}

func (l *Loop) newServer(ctx context.Context, factory func() Protocol, c serverConfig) *Server {
	return &Server{loop: l, ctx: ctx, factory: factory, stream: c.streamConfig, maximum: c.connectionMax, held: c.held}
}

// started is a new server that serves, if it shall.
func (s *Server) started(a awaiter, c serverConfig) (*Server, error) {
	if !c.startServing {
		return s, nil
	}
	err := s.start()
	if err == nil {
		err = a.yield()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// ServeListener serves on a listener that exists, such as one that systemd or a
// predecessor has handed over: create_server(sock=). It takes ln over, a *net.TCPListener
// or a *net.UnixListener, of which net.FileListener makes one from a descriptor; one that
// it refuses is as it was. The file of a Unix socket is not the server's, and stays.
// WithBacklog and the options of connections count; those that bind an address were the
// maker's. It is for a task of the loop.
// Suspends. Cancelled: nothing listens, and ln is closed.
func (l *Loop) ServeListener(ctx context.Context, factory func() Protocol, ln net.Listener, opts ...ServerOption) (*Server, error) {
	if v := reflect.ValueOf(ln); factory == nil || ln == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		panic(misuse(ErrInvalidArgument, "ServeListener was given a nil factory or listener"))
	}
	a, err := l.enterOn(ctx, "ServeListener")
	if err != nil {
		return nil, err
	}
	c := newServerConfig(opts)
	if err := c.tls.setUpServer(); err != nil {
		return nil, err
	}
	taken, err := l.pro.ListenOn(ln, proactor.ListenOptions{Backlog: c.backlog, KeepAlive: c.keepAlive})
	if err != nil {
		return nil, fmt.Errorf("asyncio: serve on the listener at %v: %w", ln.Addr(), err)
	}
	s := l.newServer(ctx, factory, c)
	s.add(&acceptor{server: s, listener: taken})
	return s.started(a, c)
}

// portChoicesMax bounds how many ports the kernel is asked for until one is free at every
// address. That one which it has just chosen is taken elsewhere is rare.
const portChoicesMax = 16

// listen binds every address that this host has. Others are left out as long as one is
// bound.
func (s *Server) listen(addrs []net.Addr, c serverConfig) error {
	opt := proactor.ListenOptions{Backlog: c.backlog, ReuseAddr: c.reuseAddr, ReusePort: c.reusePort, V6Only: true, KeepAlive: c.keepAlive}
	for choices := 1; ; choices++ {
		again, err := s.bindAll(addrs, opt, c.cleanupSocket)
		if err == nil {
			return nil
		}
		s.closeSockets()
		if !again || choices == portChoicesMax {
			return err
		}
	}
}

// bindAll makes a socket for each address. The first one for port 0 chooses for all.
// Again reports that somebody has this port at another address, so that another choice
// may do.
func (s *Server) bindAll(addrs []net.Addr, opt proactor.ListenOptions, cleanup bool) (again bool, err error) {
	port := 0 // that was chosen
	var last error
	for _, addr := range addrs {
		tcp, ok := addr.(*net.TCPAddr)
		open := ok && tcp.Port == 0
		if open {
			addr = &net.TCPAddr{IP: tcp.IP, Port: port, Zone: tcp.Zone}
		}
		a, err := s.bind(addr, opt, cleanup)
		switch {
		case err == nil:
			s.add(a)
			if open {
				port = a.listener.Addr().(*net.TCPAddr).Port
			}
		case errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT):
			last = err
		default:
			again = open && port != 0 && errors.Is(err, syscall.EADDRINUSE)
			return again, fmt.Errorf("asyncio: error while attempting to bind on address %v: %w", addr, err)
		}
	}
	if len(s.acceptors) == 0 {
		return false, fmt.Errorf("asyncio: could not bind on any address out of %v: %w", addrs, last)
	}
	return false, nil
}

// bind makes one socket, and notes its file if Close shall remove that.
func (s *Server) bind(addr net.Addr, opt proactor.ListenOptions, cleanup bool) (*acceptor, error) {
	ln, err := s.loop.pro.Listen(addr, opt)
	unix, isUnix := addr.(*net.UnixAddr)
	if isUnix && errors.Is(err, syscall.EADDRINUSE) && removeStaleSocket("unix", unix.Name) {
		ln, err = s.loop.pro.Listen(addr, opt)
	}
	if err != nil {
		return nil, err
	}
	a := &acceptor{server: s, listener: ln}
	if isUnix && cleanup {
		a.file = newSocketFile(unix.Name)
	}
	return a, nil
}

func (s *Server) add(a *acceptor) {
	s.acceptors = append(s.acceptors, a)
	s.loop.owned.add(a)
}
