package tls_test

// Handshakes that fail, stop, or take their time.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// connect is CreateConnection to a listener of package net.
func connect(ctx context.Context, p *testkit.Tap, ln net.Listener, opts ...asyncio.ConnectOption) (asyncio.Transport, error) {
	opts = append([]asyncio.ConnectOption{asyncio.WithTLS(testkit.Certs().ClientConfig())}, opts...)
	tr, _, err := p.Loop.CreateConnection(ctx, p.Factory, "tcp", ln.Addr().String(), opts...)
	return tr, err
}

// whenAccepted runs fn on another goroutine with the next connection of ln.
func whenAccepted(t *testing.T, ln net.Listener, fn func(c net.Conn)) (done <-chan struct{}) {
	t.Helper()
	end := make(chan struct{})
	go func() {
		defer close(end)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		fn(c)
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-end
	})
	return end
}

// eventually waits for what a goroutine sends while the loop runs.
func eventually[T any](t *testing.T, ctx context.Context, ch <-chan T) T {
	t.Helper()
	v, err := asyncio.ToThread(ctx, func(context.Context) (T, error) { return <-ch, nil })
	require.NoError(t, err)
	return v
}

// readToEnd reads until the peer closes.
func readToEnd(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestHandshakeTimeout(t *testing.T) {
	t.Run("TLS-02", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			p, ln := testkit.NewTap(testkit.LoopOf(ctx)), testkit.ListenNet(t)
			whenAccepted(t, ln, readToEnd)
			testkit.Took(t, time.Second, func() {
				_, err := connect(ctx, p, ln, asyncio.WithTLSTimeouts(time.Second, time.Hour))
				require.ErrorIs(t, err, syscall.ECONNABORTED)
				require.ErrorIs(t, err, asyncio.ErrTimeout)
			})
			asynciotest.Yield(t, ctx, 3)
			p.Equal(t)
		})
		eachTask(t, func(t *testing.T, ctx context.Context) {
			p, ln := testkit.NewTap(testkit.LoopOf(ctx)), testkit.ListenNet(t)
			dropped := whenAccepted(t, ln, readToEnd)
			_, err := asyncio.WaitFor(ctx, asyncio.Coro[asyncio.Transport](func(ctx context.Context) (asyncio.Transport, error) {
				return connect(ctx, p, ln)
			}), 500*time.Millisecond)
			require.ErrorIs(t, err, asyncio.ErrTimeout)
			require.NotErrorIs(t, err, syscall.ECONNABORTED)
			eventually(t, ctx, dropped)
			p.Equal(t)
		})
	})
	t.Run("a server's", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			s, err := asyncio.StartServer(ctx, echo, "tcp", "127.0.0.1:0",
				asyncio.WithTLS(testkit.Certs().ServerConfig()), asyncio.WithTLSTimeouts(200*time.Millisecond, time.Hour))
			require.NoError(t, err)
			peer := testkit.DialNet(t, s)
			testkit.Took(t, 200*time.Millisecond, func() { require.Empty(t, testkit.ReadAll(t, ctx, peer)) })
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
	t.Run("of nothing", func(t *testing.T) {
		for _, d := range []time.Duration{0, -time.Second} {
			requireMisuse(t, func() { asyncio.WithTLSTimeouts(d, time.Second) })
			requireMisuse(t, func() { asyncio.WithTLSTimeouts(time.Second, d) })
		}
	})
}

// requireMisuse checks that fn panics with ErrInvalidArgument.
func requireMisuse(t *testing.T, fn func()) {
	t.Helper()
	testkit.PanicsWith(t, asyncio.ErrInvalidArgument, fn)
}

func TestHandshakeDropped(t *testing.T) {
	t.Run("TLS-03", func(t *testing.T) {
		drops := map[string]func(c *net.TCPConn){
			"at once":        func(*net.TCPConn) {},
			"after a byte":   func(c *net.TCPConn) { _, _ = c.Read(make([]byte, 1)) },
			"reset":          func(c *net.TCPConn) { _ = c.SetLinger(0) },
			"half a message": func(c *net.TCPConn) { _, _ = c.Write([]byte{22, 3, 3, 0, 100, 2, 0, 0, 96, 3, 3}) },
			"half closed": func(c *net.TCPConn) {
				_ = c.CloseWrite()
				readToEnd(c)
			},
		}
		for name, drop := range drops {
			t.Run(name, func(t *testing.T) {
				eachTask(t, func(t *testing.T, ctx context.Context) {
					p, ln := testkit.NewTap(testkit.LoopOf(ctx)), testkit.ListenNet(t)
					whenAccepted(t, ln, func(c net.Conn) { drop(c.(*net.TCPConn)) })
					_, err := connect(ctx, p, ln)
					require.ErrorIs(t, err, syscall.ECONNRESET)
					asynciotest.Yield(t, ctx, 3)
					p.Equal(t)
				})
			})
		}
	})
}

func TestHandshakeCertificates(t *testing.T) {
	t.Run("TLS-04", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			p, ln := testkit.NewTap(testkit.LoopOf(ctx)), testkit.ListenNet(t)
			heard := make(chan error, 1)
			whenAccepted(t, ln, func(c net.Conn) { heard <- tls.Server(c, testkit.NewAuthority().ServerConfig()).Handshake() })
			_, err := connect(ctx, p, ln)
			var unknown x509.UnknownAuthorityError
			require.ErrorAs(t, err, &unknown)
			var alert *net.OpError
			require.ErrorAs(t, eventually(t, ctx, heard), &alert, "the client has told the server why")
			require.Contains(t, alert.Error(), "bad certificate")
			p.Equal(t)
		})
	})
	t.Run("another name", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			p, ln := testkit.NewTap(testkit.LoopOf(ctx)), testkit.ListenNet(t)
			whenAccepted(t, ln, func(c net.Conn) { _ = tls.Server(c, testkit.Certs().ServerConfig()).Handshake() })
			cfg := testkit.Certs().ClientConfig()
			cfg.ServerName = "example.com"
			_, err := connect(ctx, p, ln, asyncio.WithTLS(cfg))
			require.ErrorAs(t, err, new(x509.HostnameError))
			p.Equal(t)
		})
	})
	t.Run("a server reports in debug mode", func(t *testing.T) {
		for _, debug := range []bool{false, true} {
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := asynciotest.New(t, append(opts, asyncio.WithDebug(debug))...)
				rec := asynciotest.RecordReports(l)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					p := testkit.NewTap(l)
					s, err := l.CreateServer(ctx, p.Factory, "tcp", "127.0.0.1:0", asyncio.WithTLS(testkit.Certs().ServerConfig()))
					require.NoError(t, err)
					q := testkit.NewTap(l)
					_, _, err = l.CreateConnection(ctx, q.Factory, "tcp", testkit.ServerAddr(t, s),
						asyncio.WithTLS(testkit.NewAuthority().ClientConfig()))
					var invalid *tls.CertificateVerificationError
					require.ErrorAs(t, err, &invalid)
					s.Close()
					require.NoError(t, s.WaitClosed(ctx))
					p.Equal(t)
					q.Equal(t)
				})
				if !debug {
					rec.None(t)
					return
				}
				got := rec.One(t)
				require.Equal(t, "Error on transport creation for incoming connection", got.Message)
				require.ErrorContains(t, got.Exception, "bad certificate")
			})
		}
	})
}

func TestHandshakeGarbage(t *testing.T) {
	garbage := map[string][]byte{
		"plain HTTP":          []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"zeros":               make([]byte, 100_000),
		"a record too large":  {22, 3, 1, 255, 255, 1},
		"a message too large": append([]byte{22, 3, 1, 0, 4, 1, 255, 255, 255}, make([]byte, 1000)...),
		"SSLv2":               {0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10},
		"an alert":            {21, 3, 3, 0, 2, 2, 40},
		"empty records":       bytesOf([]byte{22, 3, 1, 0, 0}, 1000),
		"nothing":             nil,
		"half a hello":        {22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3, 1, 2, 3},
	}
	for name, bad := range garbage {
		t.Run(name, func(t *testing.T) {
			eachTask(t, func(t *testing.T, ctx context.Context) {
				p := testkit.NewTap(testkit.LoopOf(ctx))
				s, err := p.Loop.CreateServer(ctx, p.Factory, "tcp", "127.0.0.1:0", asyncio.WithTLS(testkit.Certs().ServerConfig()))
				require.NoError(t, err)
				peer := testkit.DialNet(t, s)
				_, err = peer.Write(bad)
				require.NoError(t, err)
				require.NoError(t, peer.CloseWrite())
				_, err = asyncio.ToThread(ctx, func(context.Context) (int64, error) { return io.Copy(io.Discard, peer) })
				require.True(t, err == nil || errors.Is(err, syscall.ECONNRESET), err)
				s.Close()
				require.NoError(t, s.WaitClosed(ctx))
				p.Equal(t)
			})
		})
	}
}

func bytesOf(unit []byte, n int) (all []byte) {
	for range n {
		all = append(all, unit...)
	}
	return all
}

// TestHandshakeAnyPiece cuts what a client sends at every place, and ends there.
func TestHandshakeAnyPiece(t *testing.T) {
	eachTask(t, func(t *testing.T, ctx context.Context) {
		p := testkit.NewTap(testkit.LoopOf(ctx))
		s, err := p.Loop.CreateServer(ctx, p.Factory, "tcp", "127.0.0.1:0", asyncio.WithTLS(testkit.Certs().ServerConfig()))
		require.NoError(t, err)
		hello := clientHello(t)
		for n := 0; n < len(hello); n += 1 + len(hello)/40 {
			peer := testkit.DialNet(t, s)
			_, err = peer.Write(hello[:n])
			require.NoError(t, err)
			require.NoError(t, peer.CloseWrite())
			require.Empty(t, testkit.ReadAll(t, ctx, peer))
		}
		s.Close()
		require.NoError(t, s.WaitClosed(ctx))
		p.Equal(t)
	})
}

// clientHello is what a client sends first.
func clientHello(t *testing.T) []byte {
	t.Helper()
	a, b := net.Pipe()
	defer func() { _ = b.Close() }()
	go func() {
		_ = tls.Client(a, &tls.Config{ServerName: "localhost"}).Handshake()
	}()
	buf := make([]byte, 10_000)
	n, err := b.Read(buf)
	require.NoError(t, err)
	return buf[:n]
}

// TestHandshakeCancelled cancels at every turn.
func TestHandshakeCancelled(t *testing.T) {
	eachTask(t, func(t *testing.T, ctx context.Context) {
		l := testkit.LoopOf(ctx)
		s, err := asyncio.StartServer(ctx, echo, "tcp", "127.0.0.1:0", asyncio.WithTLS(testkit.Certs().ServerConfig()))
		require.NoError(t, err)
		for turns := range 12 {
			p := testkit.NewTap(l)
			task := asyncio.CreateTask(ctx, func(ctx context.Context) (asyncio.Transport, error) {
				tr, _, err := l.CreateConnection(ctx, p.Factory, "tcp", testkit.ServerAddr(t, s), asyncio.WithTLS(testkit.Certs().ClientConfig()))
				return tr, err
			})
			asynciotest.Yield(t, ctx, turns)
			task.Cancel()
			if tr, err := task.Await(ctx); err == nil {
				tr.Abort()
			} else {
				require.ErrorIs(t, err, asyncio.ErrCancelled)
			}
			asynciotest.Yield(t, ctx, 3)
			if len(p.Events()) > 0 {
				require.NoError(t, p.End(t, ctx))
			}
		}
		s.Close()
		s.AbortClients()
		require.NoError(t, s.WaitClosed(ctx))
	})
}

// TestHandshakeGivenUp counts the goroutines of handshakes that peers have left waiting.
func TestHandshakeGivenUp(t *testing.T) {
	const clients = 20
	eachTask(t, func(t *testing.T, ctx context.Context) {
		p, ln := testkit.NewTap(testkit.LoopOf(ctx)), testkit.ListenNet(t)
		before := runtime.NumGoroutine()
		for range clients {
			_, err := connect(ctx, p, ln, asyncio.WithTLSTimeouts(10*time.Millisecond, time.Hour))
			require.ErrorIs(t, err, asyncio.ErrTimeout)
		}
		err := asynciotest.Until(ctx, func() bool { return runtime.NumGoroutine() < before+clients/2 })
		require.NoError(t, err, "%d goroutines, and %d before", runtime.NumGoroutine(), before)
		p.Equal(t)
	})
}

// TestLoopClosedInHandshake leaves coroutines to the loop.
func TestLoopClosedInHandshake(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.VerifyNoLeaks(t)
		for _, locked := range []bool{false, true} {
			if locked {
				opts = append(opts, asyncio.WithLockedThread())
			}
			testkit.OnGoroutine(func() {
				l, err := asyncio.NewEventLoop(opts...)
				require.NoError(t, err)
				ln := testkit.ListenNet(t)
				p := testkit.NewTap(l)
				for range 3 {
					asyncio.CreateTask(l.Context(), func(ctx context.Context) (asyncio.Transport, error) { return connect(ctx, p, ln) })
				}
				peers := make(chan net.Conn, 1)
				testkit.Besides(t, l, func() {
					peer, err := ln.AcceptTCP()
					assert.NoError(t, err)
					_, err = peer.Read(make([]byte, 1))
					assert.NoError(t, err, "the handshake has begun")
					peers <- peer
				})
				peer := <-peers
				require.NoError(t, l.Close())
				require.NoError(t, peer.Close())
				p.Equal(t)
			})
		}
	})
}

// TestConfigCallbacks has callbacks of the tls.Config do what callbacks of protocols may
// do, and fail.
func TestConfigCallbacks(t *testing.T) {
	certificate := testkit.Certs().Server
	serve := func(t *testing.T, ctx context.Context, get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) (*testkit.Tap, error) {
		l := testkit.LoopOf(ctx)
		p := testkit.NewTap(l)
		s, err := l.CreateServer(ctx, p.Factory, "tcp", "127.0.0.1:0", asyncio.WithTLS(&tls.Config{GetCertificate: get}))
		require.NoError(t, err)
		q := testkit.NewTap(l)
		tr, _, err := l.CreateConnection(ctx, q.Factory, "tcp", testkit.ServerAddr(t, s), asyncio.WithTLS(testkit.Certs().ClientConfig()))
		if err == nil {
			tr.Close()
			q.End(t, ctx)
		}
		s.Close()
		require.NoError(t, s.WaitClosed(ctx))
		return p, err
	}
	t.Run("may use the loop", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			ctx = context.WithValue(ctx, testkit.CtxKey("who"), "server")
			l, called := testkit.LoopOf(ctx), 0
			_, err := serve(t, ctx, func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				called++
				require.Equal(t, "server", hello.Context().Value(testkit.CtxKey("who")))
				require.Equal(t, l, testkit.LoopOf(hello.Context()))
				require.Nil(t, asyncio.CurrentTask(hello.Context()))
				require.NotNil(t, hello.Conn.RemoteAddr())
				require.NoError(t, hello.Conn.SetDeadline(time.Now()))
				l.CallSoon(func() { called++ })
				asyncio.CreateTask(hello.Context(), func(context.Context) (int, error) { called++; return 0, nil }, asyncio.EagerStart(true))
				testkit.Start(hello.Context(), func(ctx context.Context) error {
					called++
					return asyncio.Sleep(ctx, 0)
				})
				require.ErrorIs(t, asyncio.Sleep(hello.Context(), 1), asyncio.ErrNotCurrentTask)
				return &certificate, nil
			})
			require.NoError(t, err)
			require.Equal(t, 4, called)
		})
	})
	t.Run("may panic", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			rec := asynciotest.RecordReports(l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				p, err := serve(t, ctx, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { panic(testkit.ErrBoom) })
				require.ErrorIs(t, err, syscall.ECONNRESET)
				p.Equal(t)
			})
			require.ErrorIs(t, rec.One(t).Exception, testkit.ErrBoom)
		})
	})
	t.Run("may lock their thread", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			_, err := serve(t, ctx, func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				runtime.LockOSThread()
				return &certificate, nil
			})
			require.NoError(t, err)
		})
	})
	t.Run("may close the connection", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			_, err := serve(t, ctx, func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				return &certificate, hello.Conn.Close()
			})
			require.ErrorIs(t, err, syscall.ECONNRESET)
		})
	})
}
