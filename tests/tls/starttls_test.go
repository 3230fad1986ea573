package tls_test

// TLS over connections that exist, and over TLS.

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

const helloMessage = "hello from here"

// clientConfig is for clients that know whom they speak to without an address.
func clientConfig() *tls.Config {
	c := testkit.Certs().ClientConfig()
	c.ServerName = "localhost"
	return c
}

// upgradingPeer waits for a greeting in the clear, speaks TLS from then on, and echoes.
func upgradingPeer(t *testing.T, ln net.Listener) {
	t.Helper()
	whenAccepted(t, ln, func(below net.Conn) {
		buf := make([]byte, len(helloMessage))
		_, err := io.ReadFull(below, buf)
		assert.NoError(t, err)
		c := tls.Server(below, testkit.Certs().ServerConfig())
		_, _ = c.Write([]byte("first"))
		_, _ = io.Copy(c, c)
		_ = c.Close()
	})
}

func TestStartTLS(t *testing.T) {
	t.Run("TLS-15", func(t *testing.T) {
		data := pattern(100_000)
		eachTask(t, func(t *testing.T, ctx context.Context) {
			l, ln := testkit.LoopOf(ctx), testkit.ListenNet(t)
			upgradingPeer(t, ln)
			p := testkit.NewTap(l)
			plain, _, err := l.CreateConnection(ctx, p.Factory, "tcp", ln.Addr().String())
			require.NoError(t, err)
			_, err = plain.Write([]byte(helloMessage))
			require.NoError(t, err)
			tr, err := l.StartTLS(ctx, plain, p, clientConfig(), false)
			require.NoError(t, err)
			require.NotEqual(t, plain, tr)
			_, err = tr.Write(data)
			require.NoError(t, err)
			p.Receive(t, ctx, 5+len(data))
			require.True(t, "first"+string(data) == string(p.Received))
			p.Equal(t, "made", "data")
			tr.Close()
			require.NoError(t, p.End(t, ctx))
		})
		t.Run("buffered", func(t *testing.T) {
			for _, size := range []int{1, 1000, 1 << 20} {
				eachTask(t, func(t *testing.T, ctx context.Context) {
					l, ln := testkit.LoopOf(ctx), testkit.ListenNet(t)
					upgradingPeer(t, ln)
					p := &testkit.BufferedTap{Tap: testkit.NewTap(l), Size: size}
					plain, _, err := l.CreateConnection(ctx, p.Factory, "tcp", ln.Addr().String())
					require.NoError(t, err)
					_, err = plain.Write([]byte(helloMessage))
					require.NoError(t, err)
					tr, err := l.StartTLS(ctx, plain, p, clientConfig(), false)
					require.NoError(t, err)
					_, err = tr.Write(data)
					require.NoError(t, err)
					p.Receive(t, ctx, 5+len(data))
					require.True(t, "first"+string(data) == string(p.Received))
					tr.Close()
					require.NoError(t, p.End(t, ctx))
				})
			}
		})
		t.Run("cancelled", func(t *testing.T) {
			for turns := range 4 {
				eachTask(t, func(t *testing.T, ctx context.Context) {
					l, ln := testkit.LoopOf(ctx), testkit.ListenNet(t)
					dropped := whenAccepted(t, ln, readToEnd)
					p := testkit.NewTap(l)
					plain, _, err := l.CreateConnection(ctx, p.Factory, "tcp", ln.Addr().String())
					require.NoError(t, err)
					task := asyncio.CreateTask(ctx, func(ctx context.Context) (asyncio.Transport, error) {
						return l.StartTLS(ctx, plain, p, clientConfig(), false)
					})
					asynciotest.Yield(t, ctx, turns)
					task.Cancel()
					_, err = task.Await(ctx)
					require.ErrorIs(t, err, asyncio.ErrCancelled)
					if turns == 0 {
						plain.Abort() // it had not begun
					}
					require.NoError(t, p.End(t, ctx))
					require.True(t, plain.IsClosing())
					p.Equal(t, "made", "lost")
					eventually(t, ctx, dropped)
				})
			}
		})
	})
	t.Run("server", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			l := testkit.LoopOf(ctx)
			p := testkit.NewTap(l)
			s, err := l.CreateServer(ctx, p.Factory, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			echoed := make(chan []byte, 1)
			peer := testkit.DialNet(t, s)
			go func() {
				_, _ = peer.Write([]byte(helloMessage))
				_, _ = peer.Read(make([]byte, 1)) // so that the two do not come as one
				c := tls.Client(peer, clientConfig())
				_, _ = c.Write([]byte("over TLS"))
				got, _ := io.ReadAll(c)
				_ = c.Close()
				echoed <- got
			}()
			upgraded := asyncio.NewFuture[asyncio.Transport](l)
			p.OnData = func() {
				p.OnData = nil
				testkit.Start(l.Context(), func(ctx context.Context) error {
					tr, err := l.StartTLS(ctx, p.Transport, p, testkit.Certs().ServerConfig(), true)
					if err != nil {
						return err
					}
					return upgraded.SetResult(tr)
				})
				p.Transport.PauseReading()
				_, err := p.Transport.Write([]byte{1})
				require.NoError(t, err)
			}
			tr, err := upgraded.Await(ctx)
			require.NoError(t, err)
			p.Receive(t, ctx, len(helloMessage)+len("over TLS"))
			require.Equal(t, helloMessage+"over TLS", string(p.Received))
			_, err = tr.Write([]byte("answer"))
			require.NoError(t, err)
			tr.Close()
			require.NoError(t, p.End(t, ctx))
			require.Equal(t, "answer", string(eventually(t, ctx, echoed)))
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
	t.Run("failed", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			l, ln := testkit.LoopOf(ctx), testkit.ListenNet(t)
			whenAccepted(t, ln, func(c net.Conn) { _ = tls.Server(c, testkit.NewAuthority().ServerConfig()).Handshake() })
			p := testkit.NewTap(l)
			plain, _, err := l.CreateConnection(ctx, p.Factory, "tcp", ln.Addr().String())
			require.NoError(t, err)
			tr, err := l.StartTLS(ctx, plain, p, clientConfig(), false)
			require.Nil(t, tr)
			require.ErrorAs(t, err, new(x509.UnknownAuthorityError))
			require.ErrorAs(t, p.End(t, ctx), new(x509.UnknownAuthorityError), "who has heard of the connection hears of its end")
			p.Equal(t, "made", "lost")
		})
		eachTask(t, func(t *testing.T, ctx context.Context) {
			l, ln := testkit.LoopOf(ctx), testkit.ListenNet(t)
			whenAccepted(t, ln, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) })
			p := testkit.NewTap(l)
			plain, _, err := l.CreateConnection(ctx, p.Factory, "tcp", ln.Addr().String())
			require.NoError(t, err)
			_, err = l.StartTLS(ctx, plain, p, clientConfig(), false)
			require.ErrorIs(t, err, syscall.ECONNRESET)
			require.ErrorIs(t, p.End(t, ctx), syscall.ECONNRESET)
			p.Equal(t, "made", "lost")
		})
	})
}

func TestStartTLSRefused(t *testing.T) {
	eachTask(t, func(t *testing.T, ctx context.Context) {
		l := testkit.LoopOf(ctx)
		p := testkit.NewTap(l)
		plain, _ := testkit.ConnectToNet(t, ctx, p.Factory)
		refused := func(want error, tr asyncio.Transport, cfg *tls.Config, server bool, opts ...asyncio.StreamOption) {
			t.Helper()
			_, err := l.StartTLS(ctx, tr, p, cfg, server, opts...)
			require.ErrorIs(t, err, want)
		}
		requireMisuse(t, func() { _, _ = l.StartTLS(ctx, nil, p, clientConfig(), false) })
		requireMisuse(t, func() { _, _ = l.StartTLS(ctx, plain, nil, clientConfig(), false) })
		requireMisuse(t, func() { _, _ = l.StartTLS(ctx, plain, p, nil, false) })
		refused(asyncio.ErrInvalidArgument, plain, &tls.Config{}, false)
		refused(asyncio.ErrInvalidArgument, plain, &tls.Config{}, true)
		refused(asyncio.ErrInvalidArgument, struct{ asyncio.Transport }{plain}, clientConfig(), false)
		first := testkit.Start(ctx, func(ctx context.Context) error {
			_, err := l.StartTLS(ctx, plain, p, clientConfig(), false)
			return err
		})
		asynciotest.Yield(t, ctx, 1)
		refused(asyncio.ErrInvalidState, plain, clientConfig(), false)
		first.Cancel()
		_, err := first.Await(ctx)
		require.ErrorIs(t, err, asyncio.ErrCancelled)
		p.End(t, ctx)

		p = testkit.NewTap(l)
		plain, _ = testkit.ConnectToNet(t, ctx, p.Factory)
		_, err = plain.Write([]byte("it is as it was"))
		require.NoError(t, err)
		require.NoError(t, plain.WriteEOF())
		refused(asyncio.ErrInvalidState, plain, clientConfig(), false)
		plain.Abort()
		refused(asyncio.ErrInvalidState, plain, clientConfig(), false)
		p.End(t, ctx)
		refused(net.ErrClosed, plain, clientConfig(), false)
		_, err = l.StartTLS(context.Background(), plain, p, clientConfig(), false)
		require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)

		read, write, err := os.Pipe()
		require.NoError(t, err)
		q := testkit.NewTap(l)
		pipe, _, err := l.ConnectWritePipe(ctx, q.Factory, write)
		require.NoError(t, err)
		refused(asyncio.ErrInvalidArgument, pipe, clientConfig(), false)
		pipe.Close()
		q.End(t, ctx)
		require.NoError(t, read.Close())
	})
}

func TestStreamStartTLS(t *testing.T) {
	t.Run("WRT-06", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			got := asyncio.NewFuture[string](testkit.LoopOf(ctx))
			handler := func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
				defer w.Close()
				// The client's first message comes, and nobody reads it.
				err := asynciotest.Until(ctx, func() bool {
					held, _ := w.Transport().Loop().Buffered()
					return held > 0
				})
				if err != nil {
					return err
				}
				if err := w.StartTLS(ctx, testkit.Certs().ServerConfig(), true); err != nil {
					return err
				}
				line, err := r.ReadLine(ctx)
				if err != nil {
					return err
				}
				_ = got.SetResult(string(line))
				_, err = w.Write([]byte("pong\n"))
				return err
			}
			s, err := asyncio.StartServer(ctx, handler, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			r, w, err := asyncio.OpenConnection(ctx, "tcp", testkit.ServerAddr(t, s))
			require.NoError(t, err)
			require.NoError(t, w.StartTLS(ctx, clientConfig(), false))
			_, err = w.Write([]byte("ping\n"))
			require.NoError(t, err)
			line, err := r.ReadLine(ctx)
			require.NoError(t, err)
			require.Equal(t, "pong\n", string(line))
			ping, err := got.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, "ping\n", ping)
			w.Close()
			require.NoError(t, w.WaitClosed(ctx))
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
	t.Run("what is written meanwhile is not in the clear", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			ln := testkit.ListenNet(t)
			upgradingPeer(t, ln)
			r, w, err := asyncio.OpenConnection(ctx, "tcp", ln.Addr().String())
			require.NoError(t, err)
			_, err = w.Write([]byte(helloMessage))
			require.NoError(t, err)
			writing := testkit.Start(ctx, func(ctx context.Context) error {
				asynciotest.Yield(t, ctx, 1)
				_, err := w.Write(pattern(10_000))
				return err
			})
			require.NoError(t, w.StartTLS(ctx, clientConfig(), false))
			got, err := r.ReadExactly(ctx, 5+10_000)
			require.NoError(t, err)
			require.True(t, "first"+string(pattern(10_000)) == string(got))
			_, err = writing.Await(ctx)
			require.NoError(t, err)
			w.Close()
			require.NoError(t, w.WaitClosed(ctx))
		})
	})
	t.Run("a task that reads goes on", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			ln := testkit.ListenNet(t)
			upgradingPeer(t, ln)
			r, w, err := asyncio.OpenConnection(ctx, "tcp", ln.Addr().String())
			require.NoError(t, err)
			reading := asyncio.CreateTask(ctx, func(ctx context.Context) ([]byte, error) { return r.ReadExactly(ctx, 5) })
			_, err = w.Write([]byte(helloMessage))
			require.NoError(t, err)
			require.NoError(t, w.StartTLS(ctx, clientConfig(), false))
			got, err := reading.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, "first", string(got))
			w.Close()
			require.NoError(t, w.WaitClosed(ctx))
		})
	})
	t.Run("lines before it", func(t *testing.T) {
		// Lines that somebody has put before the handshake are not taken for the peer's.
		eachTask(t, func(t *testing.T, ctx context.Context) {
			ln := testkit.ListenNet(t)
			whenAccepted(t, ln, func(c net.Conn) {
				_, _ = c.Write([]byte("220 go ahead\r\n250 injected\r\n"))
				_ = tls.Server(c, testkit.Certs().ServerConfig()).Handshake()
			})
			r, w, err := asyncio.OpenConnection(ctx, "tcp", ln.Addr().String())
			require.NoError(t, err)
			_, err = r.ReadLine(ctx)
			require.NoError(t, err)
			require.ErrorAs(t, w.StartTLS(ctx, clientConfig(), false), new(tls.RecordHeaderError))
			_, err = r.ReadLine(ctx)
			require.ErrorAs(t, err, new(tls.RecordHeaderError))
			require.ErrorAs(t, w.WaitClosed(ctx), new(tls.RecordHeaderError))
		})
	})
	t.Run("after the end", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			r, w, peer := testkit.StreamToNet(t, ctx)
			require.NoError(t, peer.CloseWrite())
			_, err := r.ReadAll(ctx)
			require.NoError(t, err)
			require.ErrorIs(t, w.StartTLS(ctx, clientConfig(), false), syscall.ECONNRESET)
			w.Close()
			require.NoError(t, w.WaitClosed(ctx))
		})
	})
}

// TestOverTLS runs TLS over TLS.
func TestOverTLS(t *testing.T) {
	t.Run("TLS-14", func(t *testing.T) {
		const clients, size = 25, 1 << 20
		data := pattern(size)
		eachTask(t, func(t *testing.T, ctx context.Context) {
			handler := func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
				if err := w.StartTLS(ctx, testkit.Certs().ServerConfig(), true); err != nil {
					return err
				}
				return echo(ctx, r, w)
			}
			s, err := asyncio.StartServer(ctx, handler, "tcp", "127.0.0.1:0", asyncio.WithTLS(testkit.Certs().ServerConfig()))
			require.NoError(t, err)
			client := func(ctx context.Context) error {
				r, w, err := asyncio.OpenConnection(ctx, "tcp", testkit.ServerAddr(t, s), asyncio.WithTLS(clientConfig()))
				if err != nil {
					return err
				}
				if err := w.StartTLS(ctx, clientConfig(), false); err != nil {
					return err
				}
				if _, err := w.Write(data); err != nil {
					return err
				}
				got, err := r.ReadExactly(ctx, size)
				if err != nil {
					return err
				}
				if !bytes.Equal(got, data) {
					return errors.New("other bytes")
				}
				w.Close()
				return w.WaitClosed(ctx)
			}
			var tasks []*asyncio.Task[asyncio.None]
			for range clients {
				tasks = append(tasks, testkit.Start(ctx, client))
			}
			for _, task := range tasks {
				_, err := task.Await(ctx)
				require.NoError(t, err)
			}
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
	t.Run("ends", func(t *testing.T) {
		testkit.CheckEnds(t, connectTwice, notOverTLS...)
	})
	t.Run("paused at the end", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			a, b := connectTwice(t, ctx)
			a.Transport.PauseReading()
			data := pattern(600_000)
			_, err := b.Transport.Write(data)
			require.NoError(t, err)
			b.Close()
			require.NoError(t, asyncio.Sleep(ctx, 20*time.Millisecond)) // all comes that may
			a.Transport.ResumeReading()
			got, err := a.Reader.ReadAll(ctx)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, got), len(got))
			require.NoError(t, a.Lost(ctx))
			require.NoError(t, b.Lost(ctx))
		})
	})
}

// connectTwice makes ends that speak TLS over TLS.
func connectTwice(t *testing.T, ctx context.Context) (a, b *testkit.End) {
	a, b = testkit.ConnectStreams("tcp4", bothEnds())(t, ctx)
	server := testkit.Start(ctx, func(ctx context.Context) error { return b.Secure(ctx, testkit.Certs().ServerConfig(), true) })
	require.NoError(t, a.Secure(ctx, clientConfig(), false))
	_, err := server.Await(ctx)
	require.NoError(t, err)
	return a, b
}
