package asyncio

// Connections that somebody else has made: accepted by another listener, inherited, or an
// end of a pair.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
)

// ConnectAccepted gives conn to the protocol that factory makes:
// loop.connect_accepted_socket. conn is a *net.TCPConn, or a *net.UnixConn of a stream;
// net.FileConn makes one from a descriptor, also from an end of a socketpair. Others,
// such as datagrams, a tls.Conn or a net.Pipe, are refused with ErrInvalidArgument, and a
// socket that is not connected with syscall.ENOTCONN.
//
// It takes conn over, with its options but for TCP_NODELAY, which is set, and
// SO_KEEPALIVE, which is as WithKeepAlive says. Nobody may use conn afterwards; to close
// it does no harm on Unix. One that is refused is as it was. With WithTLS it is the
// server of that connection, and errors of the handshake are those of CreateConnection.
// It is for a task of the loop. ConnectionMade has returned when ConnectAccepted does.
// Suspends. Cancelled: the connection is closed; a protocol whose ConnectionMade was
// called hears ConnectionLost.
func (l *Loop) ConnectAccepted(ctx context.Context, factory func() Protocol, conn net.Conn, opts ...StreamOption) (Transport, Protocol, error) {
	if v := reflect.ValueOf(conn); factory == nil || conn == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		panic(misuse(ErrInvalidArgument, "ConnectAccepted was given a nil factory or connection"))
	}
	a, err := l.enterOn(ctx, "ConnectAccepted")
	if err != nil {
		return nil, nil, err
	}
	c := newStreamConfig(opts)
	if err := c.tls.setUpServer(); err != nil {
		return nil, nil, err
	}
	s, err := l.pro.Adopt(conn, c.keepAlive)
	if errors.Is(err, errors.ErrUnsupported) {
		err = fmt.Errorf("%w: %w", ErrInvalidArgument, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("asyncio: connect what was accepted: %w", err)
	}
	return l.adopt(ctx, a, s, factory, c)
}
