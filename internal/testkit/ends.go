package testkit

// The ends of connections: ways to make two that are connected, as streams or with
// protocols. CheckEnds, in conformance.go, runs on any of them.

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

// End is one end of a connection.
type End struct {
	Reader    *asyncio.StreamReader
	Transport asyncio.Transport
	Drain     func(ctx context.Context) error
	Close     func()
	Lost      func(ctx context.Context) error // waits until the connection is lost, and tells by what
	writer    *asyncio.StreamWriter           // of a stream
}

// Secure has an end that is a stream speak TLS.
func (e *End) Secure(ctx context.Context, cfg *tls.Config, server bool) error {
	err := e.writer.StartTLS(ctx, cfg, server)
	e.Transport = e.writer.Transport()
	return err
}

// Connect makes two ends on the loop of ctx.
type Connect func(t *testing.T, ctx context.Context) (a, b *End)

// streamEnd is an end that is a stream.
func streamEnd(r *asyncio.StreamReader, w *asyncio.StreamWriter) *End {
	return &End{Reader: r, Transport: w.Transport(), Drain: w.Drain, Close: func() { _ = w.Close() }, Lost: w.WaitClosed, writer: w}
}

// endProtocol is an end that is a protocol: what it hears it feeds to a reader.
type endProtocol struct {
	asyncio.NullProtocol
	end    *End
	made   *asyncio.Event
	paused *asyncio.Event // set: not paused
	lost   *asyncio.Future[error]
}

func newEndProtocol(l *asyncio.Loop) *endProtocol {
	p := &endProtocol{made: asyncio.NewEvent(), paused: asyncio.NewEvent(), lost: asyncio.NewFuture[error](l)}
	p.paused.Set()
	p.end = &End{Reader: asyncio.NewStreamReader(l, 64<<10), Drain: p.paused.Wait, Lost: func(ctx context.Context) error {
		err, failed := p.lost.Await(ctx)
		if failed != nil {
			return failed
		}
		return err
	}}
	return p
}

func (p *endProtocol) factory() asyncio.Protocol { return p }

func (p *endProtocol) ConnectionMade(t asyncio.Transport) {
	p.end.Transport, p.end.Close = t, t.Close
	p.made.Set()
}

func (p *endProtocol) DataReceived(b []byte) { p.end.Reader.FeedData(b) }
func (p *endProtocol) PauseWriting()         { p.paused.Clear() }
func (p *endProtocol) ResumeWriting()        { p.paused.Set() }

func (p *endProtocol) EOFReceived() bool {
	p.end.Reader.FeedEOF()
	return true
}

func (p *endProtocol) ConnectionLost(err error) {
	_ = p.lost.SetResult(err)
	p.paused.Set()
	if err == nil {
		p.end.Reader.FeedEOF()
	} else {
		p.end.Reader.SetException(err)
	}
}

// freeAddress is an address to listen on, or skips the test.
func freeAddress(t *testing.T, network string) string {
	t.Helper()
	switch network {
	case "unix":
		return filepath.Join(t.TempDir(), "s")
	case "tcp6":
		ln, err := net.Listen("tcp6", "[::1]:0")
		if err != nil {
			t.Skipf("no IPv6 here: %v", err)
		}
		require.NoError(t, ln.Close())
		return "[::1]:0"
	}
	return "127.0.0.1:0"
}

// EndOptions is options of the two ends of a connection.
type EndOptions struct {
	Client asyncio.ConnectOption
	Server asyncio.ServerOption
}

// separate is those of several.
func separate(opts []EndOptions) (client []asyncio.ConnectOption, server []asyncio.ServerOption) {
	for _, o := range opts {
		client, server = append(client, o.Client), append(server, o.Server)
	}
	return client, server
}

// ConnectStreams makes ends that are streams, of a server and a client: "tcp4", "tcp6" or
// "unix".
func ConnectStreams(network string, opts ...EndOptions) Connect {
	client, server := separate(opts)
	return func(t *testing.T, ctx context.Context) (a, b *End) {
		accepted := asyncio.NewFuture[*End](LoopOf(ctx))
		handler := func(_ context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
			return accepted.SetResult(streamEnd(r, w))
		}
		s, err := asyncio.StartServer(ctx, handler, network, freeAddress(t, network), server...)
		require.NoError(t, err)
		r, w, err := asyncio.OpenConnection(ctx, network, ServerAddr(t, s), client...)
		require.NoError(t, err)
		b, err = accepted.Await(ctx)
		require.NoError(t, err)
		s.Close()
		return streamEnd(r, w), b
	}
}

// ConnectProtocols makes ends that are protocols, of a server and a client.
func ConnectProtocols(network string, opts ...EndOptions) Connect {
	client, server := separate(opts)
	return func(t *testing.T, ctx context.Context) (a, b *End) {
		l := LoopOf(ctx)
		one, two := newEndProtocol(l), newEndProtocol(l)
		s, err := l.CreateServer(ctx, two.factory, network, freeAddress(t, network), server...)
		require.NoError(t, err)
		_, _, err = l.CreateConnection(ctx, one.factory, network, ServerAddr(t, s), client...)
		require.NoError(t, err)
		require.NoError(t, two.made.Wait(ctx))
		s.Close()
		return one.end, two.end
	}
}

// ConnectPair makes ends that are protocols, of a socketpair.
func ConnectPair(t *testing.T, ctx context.Context) (a, b *End) {
	l := LoopOf(ctx)
	one, two := newEndProtocol(l), newEndProtocol(l)
	left, right := SocketPair(t)
	_, _, err := l.ConnectAccepted(ctx, one.factory, left)
	require.NoError(t, err)
	_, _, err = l.ConnectAccepted(ctx, two.factory, right)
	require.NoError(t, err)
	return one.end, two.end
}

// twoWays is the transports of two pipes as one: what it is asked of reading it asks in.
type twoWays struct {
	asyncio.Transport
	in asyncio.Transport
}

func (d *twoWays) PauseReading()   { d.in.PauseReading() }
func (d *twoWays) ResumeReading()  { d.in.ResumeReading() }
func (d *twoWays) IsReading() bool { return d.in.IsReading() }

func (d *twoWays) Close() {
	d.in.Close()
	d.Transport.Close()
}

func (d *twoWays) Abort() {
	d.in.Abort()
	d.Transport.Abort()
}

// ConnectPipes makes ends of two pipes each, one for each way, which open makes.
func ConnectPipes(open func(t *testing.T) (read, write *os.File)) Connect {
	return func(t *testing.T, ctx context.Context) (a, b *End) {
		r1, w1 := open(t)
		r2, w2 := open(t)
		return pipeEnd(t, ctx, r1, w2), pipeEnd(t, ctx, r2, w1)
	}
}

func pipeEnd(t *testing.T, ctx context.Context, read, write *os.File) *End {
	l := LoopOf(ctx)
	in, out := newEndProtocol(l), newEndProtocol(l)
	_, _, err := l.ConnectReadPipe(ctx, in.factory, read)
	require.NoError(t, err)
	_, _, err = l.ConnectWritePipe(ctx, out.factory, write)
	require.NoError(t, err)
	both := &twoWays{Transport: out.end.Transport, in: in.end.Transport}
	return &End{Reader: in.end.Reader, Transport: both, Drain: out.end.Drain, Close: both.Close, Lost: func(ctx context.Context) error {
		return cmp.Or(out.end.Lost(ctx), in.end.Lost(ctx))
	}}
}
