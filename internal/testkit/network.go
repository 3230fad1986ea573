package testkit

// Peers from package net, and what tests do with them while the loop runs.

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

// UnusedPort is a port of the loopback interface on which nobody listens.
func UnusedPort(t *testing.T) int {
	t.Helper()
	ln := ListenNet(t)
	require.NoError(t, ln.Close())
	return ln.Addr().(*net.TCPAddr).Port
}

// ListenNet is a listener of package net on the loopback interface.
func ListenNet(t *testing.T) *net.TCPListener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	return ln.(*net.TCPListener)
}

// ConnectToNet connects the protocol of factory to a peer of package net, which ends with
// the test.
func ConnectToNet(t *testing.T, ctx context.Context, factory func() asyncio.Protocol, opts ...asyncio.ConnectOption) (asyncio.Transport, *net.TCPConn) {
	t.Helper()
	l := LoopOf(ctx)
	ln := ListenNet(t)
	transport, _, err := l.CreateConnection(ctx, factory, "tcp", ln.Addr().String(), opts...)
	require.NoError(t, err)
	peer, err := ln.AcceptTCP() // it waits in the backlog
	require.NoError(t, err)
	t.Cleanup(func() { _ = peer.Close() })
	return transport, peer
}

// StreamToNet is ConnectToNet for a stream.
func StreamToNet(t *testing.T, ctx context.Context, opts ...asyncio.ConnectOption) (*asyncio.StreamReader, *asyncio.StreamWriter, *net.TCPConn) {
	t.Helper()
	ln := ListenNet(t)
	r, w, err := asyncio.OpenConnection(ctx, "tcp", ln.Addr().String(), opts...)
	require.NoError(t, err)
	peer, err := ln.AcceptTCP()
	require.NoError(t, err)
	t.Cleanup(func() { _ = peer.Close() })
	return r, w, peer
}

// ServerAddr is where a server with one socket listens.
func ServerAddr(t *testing.T, s *asyncio.Server) string {
	t.Helper()
	require.Len(t, s.Addrs(), 1)
	return s.Addrs()[0].String()
}

// DialNet connects a peer of package net, which ends with the test, to a server. The
// kernel completes that without the loop.
func DialNet(t *testing.T, s *asyncio.Server) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", ServerAddr(t, s))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn)
}

// ReadFull reads n bytes of a peer while the loop runs.
func ReadFull(t *testing.T, ctx context.Context, peer net.Conn, n int) []byte {
	t.Helper()
	b, err := asyncio.ToThread(ctx, func(context.Context) ([]byte, error) {
		b := make([]byte, n)
		_, err := io.ReadFull(peer, b)
		return b, err
	})
	require.NoError(t, err)
	return b
}

// ReadAll reads a peer to its end while the loop runs.
func ReadAll(t *testing.T, ctx context.Context, peer net.Conn) []byte {
	t.Helper()
	b, err := asyncio.ToThread(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(peer) })
	require.NoError(t, err)
	return b
}

// Fill writes to a peer that does not read until the kernel takes no more, and returns
// how many bytes that were.
func Fill(t *testing.T, transport asyncio.Transport) int {
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

// WriteUntilPaused writes to a peer that does not read until Drain would wait.
func WriteUntilPaused(t *testing.T, w *asyncio.StreamWriter) {
	t.Helper()
	Fill(t, w.Transport())
	_, high := w.Transport().WriteBufferLimits()
	_, err := w.Write(make([]byte, high-w.Transport().WriteBufferSize()+1))
	require.NoError(t, err)
}
