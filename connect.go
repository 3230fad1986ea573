package asyncio

// Opening connections: dial, then hand the connection to its protocol.

import (
	"context"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// CreateConnection connects to address and returns the transport with the protocol that
// factory has made for it: loop.create_connection, and create_unix_connection. network is
// "tcp", "tcp4", "tcp6" or "unix"; address is as in package net, and an empty host is
// this one. If a name stands for several addresses they are tried in order, see also
// WithHappyEyeballs. The error is that of the only one; if several failed, the first if
// all read alike, else one that joins them.
//
// WithTLS has it speak TLS: then the handshake is over when it returns. If that fails,
// the protocol hears nothing, and the error says why; a peer that has closed the
// connection meanwhile is syscall.ECONNRESET, and a handshake that takes too long
// syscall.ECONNABORTED and ErrTimeout.
// It is for a task of the loop. ConnectionMade has returned when CreateConnection does.
// Suspends. Cancelled: the connection is closed; a protocol whose ConnectionMade was
// called hears ConnectionLost.
func (l *Loop) CreateConnection(ctx context.Context, factory func() Protocol, network, address string, opts ...ConnectOption) (Transport, Protocol, error) {
	if factory == nil {
		panic(misuse(ErrInvalidArgument, "CreateConnection was given a nil factory"))
	}
	a, err := l.enterOn(ctx, "CreateConnection")
	if err != nil {
		return nil, nil, err
	}
	c := newConnectConfig(opts)
	if err := c.tls.setUpClient(network, address); err != nil {
		return nil, nil, err
	}
	s, err := l.dial(ctx, a, network, address, c)
	if err != nil {
		return nil, nil, err
	}
	return l.adopt(ctx, a, s, factory, c.streamConfig)
}

// adoption is a connected stream whose ConnectionMade waits in the ready queue.
type adoption struct {
	transport *streamTransport
	made      waitPoint
}

// adopt gives s to the protocol that factory makes, and owns s whatever happens.
func (l *Loop) adopt(ctx context.Context, a awaiter, s proactor.Stream, factory func() Protocol, c streamConfig) (Transport, Protocol, error) {
	var t *streamTransport
	defer func() {
		if t == nil { // the factory has panicked
			s.Close()
		}
	}()
	p := factory()
	if c.tls != nil {
		secured := newTLSTransport(l, p, c.tls, tlsValues(ctx, l))
		t = newStreamTransport(l, s, (*tlsProtocol)(secured), nil, c)
		secured.over(t, c)
		l.ready.push(&adoption{transport: t})
		return secured.made(a)
	}
	t = newStreamTransport(l, s, p, nil, c)
	made := &adoption{transport: t}
	l.ready.push(made)
	if err := made.made.wait(a); err != nil {
		t.Close()
		return nil, nil, err
	}
	return t, t.protocol, nil
}

func (c *adoption) run(*Loop) {
	defer c.made.wake(nil) // also if ConnectionMade ends with runtime.Goexit
	c.transport.begin()
}
