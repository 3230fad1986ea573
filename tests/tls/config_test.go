package tls_test

// What a tls.Config decides, and what options ask for.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// pair is the two ends of a connection.
type pair struct{ client, server *testkit.Tap }

// connectTaps connects taps over TLS.
func connectTaps(t *testing.T, ctx context.Context, client, server *tls.Config) pair {
	t.Helper()
	l := testkit.LoopOf(ctx)
	p := pair{testkit.NewTap(l), testkit.NewTap(l)}
	s, err := l.CreateServer(ctx, p.server.Factory, "tcp", "127.0.0.1:0", asyncio.WithTLS(server))
	require.NoError(t, err)
	_, _, err = l.CreateConnection(ctx, p.client.Factory, "tcp", testkit.ServerAddr(t, s), asyncio.WithTLS(client))
	require.NoError(t, err)
	require.NoError(t, asynciotest.Until(ctx, func() bool { return p.server.Transport != nil }))
	s.Close()
	return p
}

// state is what an end knows of TLS.
func state(t *testing.T, end *testkit.Tap) tls.ConnectionState {
	t.Helper()
	got, ok := end.Transport.ExtraInfo("ssl_object").(tls.ConnectionState)
	require.True(t, ok)
	return got
}

// close ends both.
func (p pair) close(t *testing.T, ctx context.Context) {
	t.Helper()
	p.client.Transport.Close()
	require.NoError(t, p.client.End(t, ctx))
	require.NoError(t, p.server.End(t, ctx))
}

func TestConfig(t *testing.T) {
	certs := testkit.Certs()
	t.Run("ExtraInfo", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			p := connectTaps(t, ctx, certs.ClientConfig(), certs.ServerConfig())
			tr := p.client.Transport
			require.True(t, state(t, p.client).HandshakeComplete)
			require.Equal(t, "TLS_AES_128_GCM_SHA256", tr.ExtraInfo("cipher"))
			require.Empty(t, tr.ExtraInfo("alpn"))
			cert, ok := tr.ExtraInfo("peercert").(*x509.Certificate)
			require.True(t, ok)
			require.Equal(t, "localhost", cert.Subject.CommonName)
			require.Nil(t, p.server.Transport.ExtraInfo("peercert"), "it has asked for none")
			require.Equal(t, tr.RemoteAddr(), tr.ExtraInfo("peername"))
			require.Positive(t, tr.ExtraInfo("socket").(asyncio.TransportSocket).FD())
			require.Nil(t, tr.ExtraInfo("no such key"))
			p.close(t, ctx)
			require.Equal(t, "TLS_AES_128_GCM_SHA256", tr.ExtraInfo("cipher"), "it stays")
		})
	})
	t.Run("ALPN", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			client, server := certs.ClientConfig(), certs.ServerConfig()
			client.NextProtos, server.NextProtos = []string{"h2", "spdy"}, []string{"http/1.1", "spdy"}
			p := connectTaps(t, ctx, client, server)
			require.Equal(t, "spdy", p.client.Transport.ExtraInfo("alpn"))
			require.Equal(t, "spdy", p.server.Transport.ExtraInfo("alpn"))
			p.close(t, ctx)
		})
	})
	t.Run("certificates of clients", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			p := connectTaps(t, ctx, certs.MutualClientConfig(), certs.MutualServerConfig())
			require.Equal(t, "client", p.server.Transport.ExtraInfo("peercert").(*x509.Certificate).Subject.CommonName)
			p.close(t, ctx)
		})
		eachTask(t, func(t *testing.T, ctx context.Context) { // who has none hears so later: the handshake is over
			l := testkit.LoopOf(ctx)
			p, q := testkit.NewTap(l), testkit.NewTap(l)
			s, err := l.CreateServer(ctx, q.Factory, "tcp", "127.0.0.1:0", asyncio.WithTLS(certs.MutualServerConfig()))
			require.NoError(t, err)
			_, _, err = l.CreateConnection(ctx, p.Factory, "tcp", testkit.ServerAddr(t, s), asyncio.WithTLS(certs.ClientConfig()))
			require.NoError(t, err)
			require.ErrorContains(t, p.End(t, ctx), "certificate required")
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
			q.Equal(t)
		})
	})
	t.Run("SNI", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			one, two := certs.Issue("one.example"), certs.Issue("two.example")
			client := certs.ClientConfig()
			client.ServerName = "two.example"
			p := connectTaps(t, ctx, client, &tls.Config{Certificates: []tls.Certificate{one, two}})
			require.Equal(t, "two.example", p.client.Transport.ExtraInfo("peercert").(*x509.Certificate).Subject.CommonName)
			require.Equal(t, "two.example", state(t, p.server).ServerName)
			p.close(t, ctx)
		})
	})
	t.Run("resumption", func(t *testing.T) {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			eachTask(t, func(t *testing.T, ctx context.Context) {
				client := certs.ClientConfig()
				client.ClientSessionCache, client.MaxVersion = tls.NewLRUClientSessionCache(10), version
				l := testkit.LoopOf(ctx)
				s, err := asyncio.StartServer(ctx, echo, "tcp", "127.0.0.1:0", asyncio.WithTLS(certs.ServerConfig()))
				require.NoError(t, err)
				for i := range 3 {
					p := testkit.NewTap(l)
					_, _, err := l.CreateConnection(ctx, p.Factory, "tcp", testkit.ServerAddr(t, s), asyncio.WithTLS(client))
					require.NoError(t, err)
					require.Equal(t, version, state(t, p).Version)
					require.Equal(t, i > 0, state(t, p).DidResume)
					_, err = p.Transport.Write([]byte("x"))
					require.NoError(t, err)
					p.Receive(t, ctx, 1) // tickets come before it
					p.Transport.Close()
					require.NoError(t, p.End(t, ctx))
				}
				s.Close()
				require.NoError(t, s.WaitClosed(ctx))
			})
		}
	})
	t.Run("every version", func(t *testing.T) {
		for version := uint16(tls.VersionTLS10); version <= tls.VersionTLS13; version++ {
			eachTask(t, func(t *testing.T, ctx context.Context) {
				client, server := certs.ClientConfig(), certs.ServerConfig()
				client.MinVersion, client.MaxVersion, server.MinVersion = version, version, version
				p := connectTaps(t, ctx, client, server)
				data := pattern(100_000)
				_, err := p.client.Transport.Write(data)
				require.NoError(t, err)
				p.server.Receive(t, ctx, len(data))
				require.True(t, string(data) == string(p.server.Received))
				p.close(t, ctx)
			})
		}
	})
}

// TestSetProtocol changes who hears of a connection.
func TestSetProtocol(t *testing.T) {
	eachTask(t, func(t *testing.T, ctx context.Context) {
		p := connectTaps(t, ctx, testkit.Certs().ClientConfig(), testkit.Certs().ServerConfig())
		_, err := p.server.Transport.Write([]byte("one"))
		require.NoError(t, err)
		p.client.Receive(t, ctx, 3)
		next := &testkit.BufferedTap{Tap: testkit.NewTap(p.client.Loop), Size: 2}
		p.client.Transport.SetProtocol(next)
		require.Equal(t, asyncio.Protocol(next), p.client.Transport.Protocol())
		requireMisuse(t, func() { p.client.Transport.SetProtocol(nil) })
		_, err = p.server.Transport.Write([]byte("second"))
		require.NoError(t, err)
		next.Receive(t, ctx, 6)
		require.Equal(t, "second", string(next.Received))
		p.client.Transport.Close()
		require.NoError(t, next.End(t, ctx))
		require.NoError(t, p.server.End(t, ctx))
		p.client.Equal(t, "made", "data")
	})
}

func TestOptions(t *testing.T) {
	certs := testkit.Certs()
	t.Run("are refused", func(t *testing.T) {
		requireMisuse(t, func() { asyncio.WithTLS(nil) })
		requireMisuse(t, func() { asyncio.WithTLS(&tls.Config{Renegotiation: tls.RenegotiateOnceAsClient}) })
		eachTask(t, func(t *testing.T, ctx context.Context) {
			l := testkit.LoopOf(ctx)
			timeouts := asyncio.WithTLSTimeouts(time.Second, time.Second)
			requireMisuse(t, func() {
				_, _, _ = l.CreateConnection(ctx, testkit.NewTap(l).Factory, "tcp", "127.0.0.1:1", timeouts)
			})
			requireMisuse(t, func() { _, _ = l.CreateServer(ctx, testkit.NewTap(l).Factory, "tcp", "127.0.0.1:0", timeouts) })
			requireMisuse(t, func() { _, _ = l.ServeListener(ctx, testkit.NewTap(l).Factory, testkit.ListenNet(t), timeouts) })
			p := testkit.NewTap(l)
			_, peer := testkit.ConnectToNet(t, ctx, p.Factory)
			requireMisuse(t, func() { _, _, _ = l.ConnectAccepted(ctx, testkit.NewTap(l).Factory, peer, timeouts) })
			p.Transport.Abort()
			p.End(t, ctx)
			_, err := l.CreateServer(ctx, testkit.NewTap(l).Factory, "tcp", "127.0.0.1:0", asyncio.WithTLS(certs.ClientConfig()))
			require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
			_, err = l.ServeListener(ctx, testkit.NewTap(l).Factory, testkit.ListenNet(t), asyncio.WithTLS(certs.ClientConfig()))
			require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
			for network, address := range map[string]string{"unix": "/nowhere", "tcp": ":1"} {
				_, _, err = l.CreateConnection(ctx, testkit.NewTap(l).Factory, network, address, asyncio.WithTLS(certs.ClientConfig()))
				require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
				require.ErrorContains(t, err, "ServerName")
			}
		})
	})
	t.Run("a copy is taken", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			cfg := certs.ClientConfig()
			opt := asyncio.WithTLS(cfg)
			cfg.RootCAs = nil
			s, err := asyncio.StartServer(ctx, echo, "tcp", "127.0.0.1:0", asyncio.WithTLS(certs.ServerConfig()))
			require.NoError(t, err)
			for range 2 {
				_, w, err := asyncio.OpenConnection(ctx, "tcp", testkit.ServerAddr(t, s), opt)
				require.NoError(t, err)
				w.Close()
				require.NoError(t, w.WaitClosed(ctx))
			}
			require.Empty(t, cfg.ServerName)
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
	t.Run("over a Unix socket", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			path := filepath.Join(t.TempDir(), "s")
			s, err := asyncio.StartServer(ctx, echo, "unix", path, asyncio.WithTLS(certs.ServerConfig()))
			require.NoError(t, err)
			for _, cfg := range []*tls.Config{clientConfig(), {InsecureSkipVerify: true}} {
				r, w, err := asyncio.OpenConnection(ctx, "unix", path, asyncio.WithTLS(cfg))
				require.NoError(t, err)
				_, err = w.Write([]byte("hello\n"))
				require.NoError(t, err)
				line, err := r.ReadLine(ctx)
				require.NoError(t, err)
				require.Equal(t, "hello\n", string(line))
				w.Close()
				require.NoError(t, w.WaitClosed(ctx))
			}
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
	t.Run("ConnectAccepted", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			l, ln := testkit.LoopOf(ctx), testkit.ListenNet(t)
			echoed := make(chan []byte, 1)
			go func() {
				c, err := tls.Dial("tcp", ln.Addr().String(), clientConfig())
				if assert.NoError(t, err) {
					_, _ = c.Write([]byte("question"))
					got, _ := io.ReadAll(c)
					_ = c.Close()
					echoed <- got
				}
			}()
			conn, err := ln.Accept()
			require.NoError(t, err)
			_, _, err = l.ConnectAccepted(ctx, testkit.NewTap(l).Factory, conn, asyncio.WithTLS(certs.ClientConfig()))
			require.ErrorIs(t, err, asyncio.ErrInvalidArgument, "it is as it was")
			p := testkit.NewTap(l)
			tr, _, err := l.ConnectAccepted(ctx, p.Factory, conn, asyncio.WithTLS(certs.ServerConfig()))
			require.NoError(t, err)
			p.Receive(t, ctx, len("question"))
			_, err = tr.Write([]byte("answer"))
			require.NoError(t, err)
			tr.Close()
			require.NoError(t, p.End(t, ctx))
			require.Equal(t, "answer", string(eventually(t, ctx, echoed)))
		})
	})
	t.Run("WithIdleTimeout", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			p, ln := testkit.NewTap(testkit.LoopOf(ctx)), testkit.ListenNet(t)
			netPeer(t, ln, func(c *tls.Conn, _ *net.TCPConn) { readToEnd(c) })
			_, err := connect(ctx, p, ln, asyncio.WithIdleTimeout(200*time.Millisecond))
			require.NoError(t, err)
			require.ErrorIs(t, p.End(t, ctx), asyncio.ErrTimeout)
			p.Equal(t, "made", "lost")
		})
	})
	t.Run("WithMaxConnections, and clients", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			s, err := asyncio.StartServer(ctx, echo, "tcp", "127.0.0.1:0", asyncio.WithTLS(certs.ServerConfig()), asyncio.WithMaxConnections(2))
			require.NoError(t, err)
			var readers []*asyncio.StreamReader
			for range 2 {
				r, w, err := asyncio.OpenConnection(ctx, "tcp", testkit.ServerAddr(t, s), asyncio.WithTLS(certs.ClientConfig()))
				require.NoError(t, err)
				defer func() { _ = w.Close() }()
				_, err = w.Write([]byte("x"))
				require.NoError(t, err)
				_, err = r.ReadExactly(ctx, 1)
				require.NoError(t, err, "the server's handshake is over too")
				readers = append(readers, r)
			}
			require.Equal(t, 2, s.Stats().Connections)
			third := asyncio.CreateTask(ctx, func(ctx context.Context) (asyncio.Transport, error) {
				tr, _, err := testkit.LoopOf(ctx).CreateConnection(ctx, testkit.NewTap(testkit.LoopOf(ctx)).Factory, "tcp",
					testkit.ServerAddr(t, s), asyncio.WithTLS(certs.ClientConfig()))
				return tr, err
			})
			asynciotest.Yield(t, ctx, 20)
			require.False(t, third.Done(), "it waits in the backlog")
			s.CloseClients()
			for _, r := range readers {
				_, err := r.ReadAll(ctx)
				require.NoError(t, err, "they hear close_notify")
			}
			tr, err := third.Await(ctx)
			require.NoError(t, err)
			s.AbortClients()
			require.NoError(t, asynciotest.Until(ctx, tr.IsClosing))
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
}
