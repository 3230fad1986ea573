package asyncio

// TLS, as the options of a call say it, and StartTLS.

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"
)

const (
	tlsHandshakeDefault = 60 * time.Second
	tlsShutdownDefault  = 30 * time.Second
)

// tlsOptions is what the options of a call say about TLS.
type tlsOptions struct {
	config              *tls.Config // nil: WithTLSTimeouts alone
	server              bool
	handshake, shutdown time.Duration
}

// secured is the part about TLS, to be changed.
func (c *streamConfig) secured() *tlsOptions {
	if c.tls == nil {
		c.tls = &tlsOptions{handshake: tlsHandshakeDefault, shutdown: tlsShutdownDefault}
	}
	return c.tls
}

// WithTLS has connections speak TLS, by crypto/tls: ssl. It takes a copy of cfg. A
// client's ServerName, if it is empty, is the host that it connects to; over a Unix
// socket it has to be given, unless InsecureSkipVerify is set. The callbacks of cfg run
// on the loop's goroutine, as those of a protocol do; their contexts have the values of
// the context of whoever has made the server or connection.
//
// Transport.ExtraInfo then knows more:
//
//	"ssl_object"  tls.ConnectionState
//	"peercert"    *x509.Certificate of the peer, if it has shown one
//	"cipher"      string, the name of the cipher suite
//	"alpn"        string, the protocol agreed on by ALPN
//
// It panics with ErrInvalidArgument if cfg is nil, or lets servers renegotiate: that is
// not supported.
func WithTLS(cfg *tls.Config) StreamOption {
	cfg = copyTLSConfig("WithTLS", cfg)
	return streamOption(func(c *streamConfig) { c.secured().config = cfg })
}

// WithTLSTimeouts sets how long a handshake of TLS may take, 60 s by default, and how
// long after Close the connection may wait for the peer to close its side, or to take any
// of what was written, 30 s by default: ssl_handshake_timeout, ssl_shutdown_timeout. Then
// the connection is lost with ErrTimeout. It panics with ErrInvalidArgument unless both
// are positive; calls that take it panic so without WithTLS.
func WithTLSTimeouts(handshake, shutdown time.Duration) StreamOption {
	if handshake <= 0 || shutdown <= 0 {
		panic(misuse(ErrInvalidArgument, "WithTLSTimeouts was given %v and %v; both must be more than 0", handshake, shutdown))
	}
	return streamOption(func(c *streamConfig) { o := c.secured(); o.handshake, o.shutdown = handshake, shutdown })
}

func copyTLSConfig(method string, cfg *tls.Config) *tls.Config {
	switch {
	case cfg == nil:
		panic(misuse(ErrInvalidArgument, "%s was given a nil configuration", method))
	case cfg.Renegotiation != tls.RenegotiateNever:
		panic(misuse(ErrInvalidArgument, "%s: renegotiation is not supported; leave Renegotiation at RenegotiateNever", method))
	}
	return cfg.Clone()
}

// mustHaveConfig panics for timeouts without TLS.
func (o *tlsOptions) mustHaveConfig() {
	if o.config == nil {
		panic(misuse(ErrInvalidArgument, "WithTLSTimeouts means nothing without WithTLS"))
	}
}

// setUpClient completes what a client needs to connect to address.
func (o *tlsOptions) setUpClient(network, address string) error {
	if o == nil {
		return nil
	}
	o.mustHaveConfig()
	if o.config.ServerName == "" && network != "unix" {
		if host, _, err := net.SplitHostPort(address); err == nil && host != "" {
			o.config = o.config.Clone()
			o.config.ServerName, _, _ = strings.Cut(host, "%") // a zone is no part of a name
		}
	}
	return o.checkClient()
}

func (o *tlsOptions) checkClient() error {
	if o.config.ServerName == "" && !o.config.InsecureSkipVerify {
		return fmt.Errorf("%w: TLS to a peer without a name; set ServerName in the tls.Config", ErrInvalidArgument)
	}
	return nil
}

// setUpServer checks what a server needs.
func (o *tlsOptions) setUpServer() error {
	if o == nil {
		return nil
	}
	o.mustHaveConfig()
	o.server = true
	if c := o.config; len(c.Certificates) == 0 && c.GetCertificate == nil && c.GetConfigForClient == nil {
		return fmt.Errorf("%w: a server of TLS without a certificate; set Certificates, GetCertificate or GetConfigForClient in the tls.Config", ErrInvalidArgument)
	}
	return nil
}

// tlsValues is the context of a handshake: ctx's values, and the loop. It never ends,
// since crypto/tls would watch for its end in a goroutine.
func tlsValues(ctx context.Context, l *Loop) context.Context {
	return &loopContext{Context: context.WithoutCancel(valuesOf(ctx)), loop: l}
}

// StartTLS makes an open connection speak TLS: loop.start_tls. It returns the transport
// that p hears of from now on; t is not to be used any more. t may speak TLS itself. p
// has heard ConnectionMade, which is not called again, and hears ConnectionLost if the
// handshake fails. What a stream's reader still holds was sent by a peer that speaks TLS
// already, and is taken as such. A client needs cfg.ServerName, unless InsecureSkipVerify
// is set. Write what has to be sent in the clear before, and let the protocol receive
// nothing that comes after it: for that, start TLS from within the callback, or pause
// reading.
//
// The error is ErrInvalidState for a transport that is closing, has sent its end, or
// sends a file, and ErrInvalidArgument for one that cannot speak TLS, such as a pipe's.
// Otherwise it is that of the handshake, as for CreateConnection. Of opts WithTLSTimeouts
// and WithWriteBufferLimits count.
// Suspends. Cancelled: the connection is aborted.
func (l *Loop) StartTLS(ctx context.Context, t Transport, p Protocol, cfg *tls.Config, server bool, opts ...StreamOption) (Transport, error) {
	if t == nil || p == nil {
		panic(misuse(ErrInvalidArgument, "StartTLS was given a nil transport or protocol"))
	}
	a, err := l.enterOn(ctx, "StartTLS")
	if err != nil {
		return nil, err
	}
	c := newStreamConfig(opts)
	o := c.secured()
	o.config = copyTLSConfig("StartTLS", cfg)
	if server {
		err = o.setUpServer()
	} else {
		err = o.checkClient()
	}
	if err != nil {
		return nil, err
	}
	below, err := l.mayStartTLS(t)
	if err != nil {
		return nil, err
	}
	secured := newTLSTransport(l, p, o, tlsValues(ctx, l))
	if s, ok := p.(*streamProtocol); ok {
		switch {
		case s.reader.net != nil:
			return nil, fmt.Errorf("%w: StartTLS over a stream that is a NetConn; give that to crypto/tls", ErrInvalidState)
		case s.reader.eof:
			return nil, fmt.Errorf("asyncio: StartTLS over %v: the peer has sent its last byte: %w", t, syscall.ECONNRESET)
		}
		secured.input = s.reader.moveTo(secured)
	}
	secured.upgrade(below, c)
	upgraded, _, err := secured.made(a)
	if err != nil {
		return nil, err // not a typed nil
	}
	return upgraded, nil
}

// tlsBase is a transport that TLS can be spoken over.
type tlsBase interface {
	Transport
	// mayCarryTLS tells why TLS cannot be spoken now.
	mayCarryTLS() error
	// isWritingPaused reports whether the protocol is between PauseWriting and
	// ResumeWriting.
	isWritingPaused() bool
}

func (l *Loop) mayStartTLS(t Transport) (tlsBase, error) {
	below, ok := t.(tlsBase)
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: a transport of type %T cannot speak TLS", ErrInvalidArgument, t)
	case t.Loop() != l:
		return nil, fmt.Errorf("%w: StartTLS over a transport of another loop", ErrWrongLoop)
	}
	if _, upgraded := t.Protocol().(*tlsProtocol); upgraded {
		return nil, fmt.Errorf("%w: StartTLS over %v, which has TLS over it already; use the transport that StartTLS has returned", ErrInvalidState, t)
	}
	return below, below.mayCarryTLS()
}

func (t *streamTransport) mayCarryTLS() error {
	if p := t.look().pipe; p != nil {
		return fmt.Errorf("%w: a pipe cannot speak TLS, which goes both ways", ErrInvalidArgument)
	}
	return t.mayWriteFile("StartTLS")
}

// moveTo has t take the place of the reader's transport, and returns what the reader
// holds.
func (r *StreamReader) moveTo(t Transport) []byte {
	held := r.buf.take(&r.shared.buffers, r.buf.len())
	r.transport, r.paused = t, false
	return held
}
