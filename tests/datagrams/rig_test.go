package datagrams_test

// What the tests of this suite stand on: networks, endpoints, a protocol that notes what
// it hears, and peers of package net.

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

var networks = []string{"udp4", "udp6", "unixgram"}

// eachNetwork runs test in a task for each network on each driver.
func eachNetwork(t *testing.T, test func(t *testing.T, ctx context.Context, network string)) {
	t.Helper()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		for _, network := range networks {
			t.Run(network, func(t *testing.T) {
				needs(t, network)
				inTask(t, opts, func(ctx context.Context) { test(t, ctx, network) })
			})
		}
	})
}

// eachDriver runs test in a task on each driver.
func eachDriver(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	t.Helper()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		inTask(t, opts, func(ctx context.Context) { test(t, ctx) })
	})
}

func inTask(t *testing.T, opts []asyncio.Option, body func(ctx context.Context)) {
	t.Helper()
	asynciotest.InTask(t, asynciotest.New(t, opts...), body)
}

// needs skips the test where the system lacks the network.
func needs(t *testing.T, network string) {
	t.Helper()
	switch network {
	case "udp6":
		c, err := net.ListenPacket("udp6", "[::1]:0")
		if err != nil {
			t.Skipf("this system has no IPv6: %v", err)
		}
		require.NoError(t, c.Close())
	case "unixgram":
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no datagrams over Unix sockets")
		}
	}
}

// freeAddr is a local address for an endpoint.
func freeAddr(t *testing.T, network string) string {
	t.Helper()
	switch network {
	case "udp6":
		return "[::1]:0"
	case "unixgram":
		// Not t.TempDir: it contains the name of the test, and a socket's path may not be
		// that long.
		dir, err := os.MkdirTemp("", "datagrams")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
		return filepath.Join(dir, "s")
	}
	return "127.0.0.1:0"
}

// tap is a protocol that notes what it hears.
type tap struct {
	asynciotest.Trace
	transport *asyncio.DatagramTransport
	received  []string
	from      []net.Addr
	errs      []error
	lost      *asyncio.Future[error]

	// Called after the event of that name, if set.
	onMade, onReceived, onError, onPause, onResume func()
}

func newTap(ctx context.Context) *tap {
	return &tap{lost: asyncio.NewFuture[error](testkit.LoopOf(ctx))}
}

func (p *tap) factory() asyncio.DatagramProtocol { return p }

func (p *tap) ConnectionMade(t *asyncio.DatagramTransport) {
	p.transport = t
	p.Add("made")
	callIfSet(p.onMade)
}

func (p *tap) DatagramReceived(data []byte, addr net.Addr) {
	p.received, p.from = append(p.received, string(data)), append(p.from, addr)
	clear(data) // nobody else may need it
	callIfSet(p.onReceived)
}

func (p *tap) ErrorReceived(err error) {
	p.errs = append(p.errs, err)
	callIfSet(p.onError)
}

func (p *tap) ConnectionLost(err error) {
	p.Add("lost")
	if p.lost.SetResult(err) != nil {
		p.Add("lost again")
	}
}

func (p *tap) PauseWriting() {
	p.Add("pause")
	callIfSet(p.onPause)
}

func (p *tap) ResumeWriting() {
	p.Add("resume")
	callIfSet(p.onResume)
}

func callIfSet(fn func()) {
	if fn != nil {
		fn()
	}
}

// receives waits until n datagrams have come in all.
func (p *tap) receives(t *testing.T, ctx context.Context, n int) {
	t.Helper()
	require.NoError(t, asynciotest.Until(ctx, func() bool { return len(p.received) >= n }))
}

// fails waits until n errors were told in all.
func (p *tap) fails(t *testing.T, ctx context.Context, n int) {
	t.Helper()
	require.NoError(t, asynciotest.Until(ctx, func() bool { return len(p.errs) >= n }))
}

// end aborts the endpoint, unless it has ended, and waits for ConnectionLost.
func (p *tap) end(t *testing.T, ctx context.Context) {
	t.Helper()
	p.transport.Abort()
	_, err := p.lost.Await(ctx)
	require.NoError(t, err)
}

// open opens an endpoint of a tap.
func open(t *testing.T, ctx context.Context, network, addr string, opts ...asyncio.DatagramOption) *tap {
	t.Helper()
	p := newTap(ctx)
	_, _, err := testkit.LoopOf(ctx).CreateDatagramEndpoint(ctx, p.factory, network, addr, opts...)
	require.NoError(t, err)
	return p
}

// peer is a socket of package net.
func peer(t *testing.T, network string) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket(network, freeAddr(t, network))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// readFrom is the peer's next datagram, while the loop runs.
func readFrom(t *testing.T, ctx context.Context, c net.PacketConn) (string, net.Addr) {
	t.Helper()
	var from net.Addr
	text, err := asyncio.ToThread(ctx, func(context.Context) (string, error) {
		b := make([]byte, 1<<18)
		n, addr, err := c.ReadFrom(b)
		from = addr
		return string(b[:n]), err
	})
	require.NoError(t, err)
	return text, from
}

func writeTo(t *testing.T, c net.PacketConn, text string, to net.Addr) {
	t.Helper()
	_, err := c.WriteTo([]byte(text), to)
	require.NoError(t, err)
}

// fill sends to a Unix peer that does not receive until the kernel takes no more, and
// returns how many datagrams it has taken. One is left behind.
func fill(t *testing.T, tr *asyncio.DatagramTransport, to net.Addr) int {
	t.Helper()
	for n := 0; ; n++ {
		require.NoError(t, tr.SendTo([]byte("fill"), to))
		if tr.WriteBufferSize() > 0 {
			require.Equal(t, 4+8, tr.WriteBufferSize())
			return n
		}
	}
}
