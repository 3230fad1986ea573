package asyncio_test

// The tools that the tests of the network share: protocols that note what they hear, and
// peers from package net.

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

// tap is a protocol that keeps what it hears. Several calls of DataReceived in a row are
// one event, "data".
type tap struct {
	trace
	loop      *asyncio.Loop
	transport asyncio.Transport
	received  []byte
	keepOpen  bool // the answer of EOFReceived
	lost      *asyncio.Future[error]

	onMade, onData, onPause, onResume func()

	want   int // complete enough at so many bytes
	enough *asyncio.Future[asyncio.None]
}

func newTap(l *asyncio.Loop) *tap { return &tap{loop: l, lost: asyncio.NewFuture[error](l)} }

func (p *tap) factory() asyncio.Protocol { return p }

func (p *tap) ConnectionMade(t asyncio.Transport) {
	p.transport = t
	p.add("made")
	callIfSet(p.onMade)
}

func (p *tap) DataReceived(b []byte) {
	if len(p.events) == 0 || p.events[len(p.events)-1] != "data" {
		p.add("data")
	}
	p.received = append(p.received, b...)
	if p.enough != nil && len(p.received) >= p.want {
		_ = p.enough.SetResult(asyncio.None{})
		p.enough = nil
	}
	callIfSet(p.onData)
}

func (p *tap) EOFReceived() bool {
	p.add("eof")
	return p.keepOpen
}

func (p *tap) PauseWriting() {
	p.add("pause")
	callIfSet(p.onPause)
}

func (p *tap) ResumeWriting() {
	p.add("resume")
	callIfSet(p.onResume)
}

func (p *tap) ConnectionLost(err error) {
	p.add("lost")
	if p.lost.SetResult(err) != nil {
		p.add("lost again")
	}
}

func callIfSet(fn func()) {
	if fn != nil {
		fn()
	}
}

// receive waits until n bytes have come in all.
func (p *tap) receive(t *testing.T, ctx context.Context, n int) {
	t.Helper()
	if len(p.received) >= n {
		return
	}
	p.want, p.enough = n, asyncio.NewFuture[asyncio.None](p.loop)
	_, err := p.enough.Await(ctx)
	require.NoError(t, err)
}

// end waits until the connection is lost, and returns with what error.
func (p *tap) end(t *testing.T, ctx context.Context) error {
	t.Helper()
	lost, err := p.lost.Await(ctx)
	require.NoError(t, err)
	return lost
}

// bufferedTap is a tap that is read into buffers of size bytes.
type bufferedTap struct {
	*tap
	size      int
	buf       []byte
	onUpdated func()
}

func (p *bufferedTap) factory() asyncio.Protocol { return p }

func (p *bufferedTap) GetBuffer(int) []byte {
	p.buf = make([]byte, p.size)
	return p.buf
}

func (p *bufferedTap) BufferUpdated(n int) {
	p.DataReceived(p.buf[:n])
	callIfSet(p.onUpdated)
}

// listenNet is a listener of package net on the loopback interface.
func listenNet(t *testing.T) *net.TCPListener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	return ln.(*net.TCPListener)
}

// connectToNet connects the protocol of factory to a peer of package net, which ends with
// the test.
func connectToNet(t *testing.T, ctx context.Context, factory func() asyncio.Protocol, opts ...asyncio.ConnectOption) (asyncio.Transport, *net.TCPConn) {
	t.Helper()
	l := loopOf(ctx)
	ln := listenNet(t)
	transport, _, err := l.CreateConnection(ctx, factory, "tcp", ln.Addr().String(), opts...)
	require.NoError(t, err)
	peer, err := ln.AcceptTCP() // it waits in the backlog
	require.NoError(t, err)
	t.Cleanup(func() { _ = peer.Close() })
	return transport, peer
}

// streamToNet is connectToNet for a stream.
func streamToNet(t *testing.T, ctx context.Context, opts ...asyncio.ConnectOption) (*asyncio.StreamReader, *asyncio.StreamWriter, *net.TCPConn) {
	t.Helper()
	ln := listenNet(t)
	r, w, err := asyncio.OpenConnection(ctx, "tcp", ln.Addr().String(), opts...)
	require.NoError(t, err)
	peer, err := ln.AcceptTCP()
	require.NoError(t, err)
	t.Cleanup(func() { _ = peer.Close() })
	return r, w, peer
}

// serverAddr is where a server with one socket listens.
func serverAddr(t *testing.T, s *asyncio.Server) string {
	t.Helper()
	require.Len(t, s.Addrs(), 1)
	return s.Addrs()[0].String()
}

// dialNet connects a peer of package net, which ends with the test, to a server. The
// kernel completes that without the loop.
func dialNet(t *testing.T, s *asyncio.Server) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", serverAddr(t, s))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn)
}

// readFull reads n bytes of a peer while the loop runs.
func readFull(t *testing.T, ctx context.Context, peer net.Conn, n int) []byte {
	t.Helper()
	b, err := asyncio.ToThread(ctx, func(context.Context) ([]byte, error) {
		b := make([]byte, n)
		_, err := io.ReadFull(peer, b)
		return b, err
	})
	require.NoError(t, err)
	return b
}

// readAll reads a peer to its end while the loop runs.
func readAll(t *testing.T, ctx context.Context, peer net.Conn) []byte {
	t.Helper()
	b, err := asyncio.ToThread(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(peer) })
	require.NoError(t, err)
	return b
}

// fill writes to a peer that does not read until the kernel takes no more, and returns
// how many bytes that were.
func fill(t *testing.T, transport asyncio.Transport) int {
	t.Helper()
	low, high := transport.WriteBufferLimits()
	transport.SetWriteBufferLimits(1<<30, 0)
	chunk := make([]byte, 256<<10)
	written := 0
	for transport.WriteBufferSize() == 0 {
		n, err := transport.Write(chunk)
		require.NoError(t, err)
		written += n
	}
	transport.SetWriteBufferLimits(max(high, transport.WriteBufferSize()), low)
	return written
}
