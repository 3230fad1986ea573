package tls_test

// How connections end: by one side, by both, wrongly, and not at all.

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// netPeer runs fn on another goroutine with crypto/tls's end of the next connection of
// ln, after its handshake, and the connection below.
func netPeer(t *testing.T, ln net.Listener, fn func(c *tls.Conn, below *net.TCPConn)) (done <-chan struct{}) {
	t.Helper()
	return whenAccepted(t, ln, func(below net.Conn) {
		c := tls.Server(below, testkit.Certs().ServerConfig())
		if assert.NoError(t, c.Handshake()) {
			fn(c, below.(*net.TCPConn))
		}
	})
}

// eachPeer runs test in a task on each driver, with a tap that is connected to a peer of
// crypto/tls, on which peer runs.
func eachPeer(t *testing.T, peer func(c *tls.Conn, below *net.TCPConn), test func(t *testing.T, ctx context.Context, p *testkit.Tap, done <-chan struct{}),
	opts ...asyncio.ConnectOption,
) {
	t.Helper()
	eachTask(t, func(t *testing.T, ctx context.Context) {
		p, ln := testkit.NewTap(testkit.LoopOf(ctx)), testkit.ListenNet(t)
		done := netPeer(t, ln, peer)
		_, err := connect(ctx, p, ln, opts...)
		require.NoError(t, err)
		test(t, ctx, p, done)
		p.Transport.Abort()
		p.End(t, ctx)
	})
}

func TestEnd(t *testing.T) {
	t.Run("TLS-08", func(t *testing.T) {
		const count, size = 8, 16 << 10
		received, filled := make(chan int, 10), make(chan int, 10)
		eachPeer(t, func(c *tls.Conn, _ *net.TCPConn) {
			<-filled
			assert.NoError(t, c.CloseWrite(), "close_notify, and no wait")
			n, err := io.Copy(io.Discard, c)
			assert.NoError(t, err, "the client's close_notify comes")
			received <- int(n)
		}, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
			sent := testkit.Fill(t, p.Transport)
			for range count {
				n, err := p.Transport.Write(make([]byte, size))
				require.NoError(t, err)
				sent += n
			}
			filled <- sent
			require.NoError(t, p.End(t, ctx))
			require.Equal(t, sent, eventually(t, ctx, received))
			require.Equal(t, "lost", p.Events()[len(p.Events())-1])
			require.Equal(t, 1, p.Count("eof"))
		})
	})
	t.Run("TLS-10", func(t *testing.T) {
		eachPeer(t, func(c *tls.Conn, below *net.TCPConn) {
			_, err := c.Write([]byte("all"))
			assert.NoError(t, err)
			assert.NoError(t, below.CloseWrite(), "without close_notify")
			readToEnd(below)
		}, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
			require.NoError(t, p.End(t, ctx))
			asynciotest.Yield(t, ctx, 3)
			p.Equal(t, "made", "data", "eof", "lost")
			require.Equal(t, "all", string(p.Received))
		})
	})
	t.Run("in the middle of a record", func(t *testing.T) {
		eachPeer(t, func(_ *tls.Conn, below *net.TCPConn) {
			_, err := below.Write([]byte{23, 3, 3, 0, 100, 1, 2, 3})
			assert.NoError(t, err)
			assert.NoError(t, below.CloseWrite())
			readToEnd(below)
		}, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
			require.ErrorIs(t, p.End(t, ctx), io.ErrUnexpectedEOF)
			p.Equal(t, "made", "lost")
		})
	})
	t.Run("TLS-11", func(t *testing.T) {
		eachPeer(t, func(c *tls.Conn, _ *net.TCPConn) {
			assert.NoError(t, c.CloseWrite())
			readToEnd(c)
		}, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
			require.NoError(t, asynciotest.Until(ctx, p.Transport.IsClosing))
			for range 25 {
				_, err := p.Transport.Write([]byte("too late"))
				require.ErrorIs(t, err, net.ErrClosed)
				require.Zero(t, p.Transport.WriteBufferSize())
				asynciotest.Yield(t, ctx, 1)
			}
			require.NoError(t, p.End(t, ctx))
		})
	})
	t.Run("TLS-12", func(t *testing.T) {
		eachPeer(t, func(_ *tls.Conn, below *net.TCPConn) {
			for range 100 {
				_, _ = below.Write([]byte("please wrap me in a TLS record!"))
			}
			readToEnd(below)
		}, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
			err := p.End(t, ctx)
			var wrong tls.RecordHeaderError
			require.ErrorAs(t, err, &wrong)
			p.Equal(t, "made", "lost")
		})
		eachPeer(t, func(_ *tls.Conn, below *net.TCPConn) {
			_, _ = below.Write(append([]byte{23, 3, 3, 0, 100}, make([]byte, 100)...))
			readToEnd(below)
		}, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
			require.ErrorContains(t, p.End(t, ctx), "bad record MAC")
			p.Equal(t, "made", "lost")
		})
	})
	t.Run("TLS-13", func(t *testing.T) {
		read := make(chan error, 10)
		eachPeer(t, func(c *tls.Conn, _ *net.TCPConn) {
			_, err := c.Write(make([]byte, 1<<20))
			assert.NoError(t, err)
			_, err = c.Read(make([]byte, 1))
			read <- err
		}, func(t *testing.T, ctx context.Context, p *testkit.Tap, done <-chan struct{}) {
			p.Transport.PauseReading()
			before := len(p.Received)
			asynciotest.Yield(t, ctx, 5)
			require.False(t, p.Transport.IsReading())
			p.Transport.Close()
			require.NoError(t, p.End(t, ctx))
			require.Equal(t, io.EOF, eventually(t, ctx, read), "the peer has heard close_notify")
			require.Len(t, p.Received, before)
		})
		// A peer that never answers.
		hold := make(chan struct{})
		defer close(hold)
		eachPeer(t, func(c *tls.Conn, _ *net.TCPConn) {
			_, _ = c.Write(make([]byte, 1<<20))
			<-hold
		}, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
			p.Transport.PauseReading()
			testkit.Took(t, 300*time.Millisecond, func() {
				p.Transport.Close()
				require.ErrorIs(t, p.End(t, ctx), asyncio.ErrTimeout)
			})
			hold <- struct{}{}
		}, asyncio.WithTLSTimeouts(time.Hour, 300*time.Millisecond))
	})
	t.Run("TLS-17", func(t *testing.T) {
		eachPeer(t, func(c *tls.Conn, _ *net.TCPConn) { readToEnd(c) }, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
			require.False(t, p.Transport.CanWriteEOF())
			err := p.Transport.WriteEOF()
			require.ErrorIs(t, err, asyncio.ErrInvalidState)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			_, err = p.Transport.Write([]byte("still open"))
			require.NoError(t, err)
		})
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			log, logged := testkit.RecordLog()
			l := asynciotest.New(t, append(opts, logged)...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				p, ln := testkit.NewTap(l), testkit.ListenNet(t)
				p.KeepOpen = true
				netPeer(t, ln, func(c *tls.Conn, _ *net.TCPConn) {
					assert.NoError(t, c.CloseWrite())
					readToEnd(c)
				})
				_, err := connect(ctx, p, ln)
				require.NoError(t, err)
				require.NoError(t, p.End(t, ctx))
				p.Equal(t, "made", "eof", "lost")
			})
			require.Len(t, log.Matching("returning true from EOFReceived has no effect over TLS"), 1)
		})
	})
}

// TestEndCleanly has the peer end many connections at once.
func TestEndCleanly(t *testing.T) {
	const clients = 25
	data := pattern(256 << 10)
	eachTask(t, func(t *testing.T, ctx context.Context) {
		handler := func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
			defer w.Close()
			if _, err := r.ReadExactly(ctx, len(data)); err != nil {
				return err
			}
			_, err := w.Write([]byte("OK"))
			return err
		}
		s, err := asyncio.StartServer(ctx, handler, "tcp", "127.0.0.1:0", asyncio.WithTLS(testkit.Certs().ServerConfig()))
		require.NoError(t, err)
		var tasks []*asyncio.Task[string]
		for range clients {
			tasks = append(tasks, asyncio.CreateTask(ctx, func(ctx context.Context) (string, error) {
				r, w, err := asyncio.OpenConnection(ctx, "tcp", testkit.ServerAddr(t, s), asyncio.WithTLS(testkit.Certs().ClientConfig()))
				if err != nil {
					return "", err
				}
				if _, err := w.Write(data); err != nil {
					return "", err
				}
				got, err := r.ReadAll(ctx)
				return string(got), errors.Join(err, w.Close(), w.WaitClosed(ctx))
			}))
		}
		for _, task := range tasks {
			got, err := task.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, "OK", got)
		}
		s.Close()
		require.NoError(t, s.WaitClosed(ctx))
	})
}

// TestEndSlowly has a peer take what was written before Close in more than the time that
// the end has.
func TestEndSlowly(t *testing.T) {
	const limit = 1500 * time.Millisecond
	received := make(chan int, 10)
	eachPeer(t, func(c *tls.Conn, _ *net.TCPConn) {
		total := 0
		for buf := make([]byte, 4<<20); ; time.Sleep(limit / 3) {
			n, err := io.ReadFull(c, buf)
			total += n
			if err != nil {
				received <- total
				return
			}
		}
	}, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
		sent := testkit.Fill(t, p.Transport)
		n, err := p.Transport.Write(make([]byte, 16<<20))
		require.NoError(t, err)
		testkit.Took(t, limit, func() {
			p.Transport.Close()
			require.NoError(t, p.End(t, ctx))
		})
		require.Equal(t, sent+n, eventually(t, ctx, received))
	}, asyncio.WithTLSTimeouts(time.Hour, limit))
}

// TestEndOfPausedReading brings the peer's end while reading is paused.
func TestEndOfPausedReading(t *testing.T) {
	ends := map[string]func(c *tls.Conn, below *net.TCPConn){
		"close_notify": func(c *tls.Conn, _ *net.TCPConn) { _ = c.CloseWrite() },
		"nothing":      func(_ *tls.Conn, below *net.TCPConn) { _ = below.CloseWrite() },
		"close":        func(c *tls.Conn, _ *net.TCPConn) { _ = c.Close() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{})
			eachPeer(t, func(c *tls.Conn, below *net.TCPConn) {
				_, _ = c.Write([]byte("hello"))
				_, _ = c.Read(make([]byte, 5))
				_, _ = c.Write([]byte("extra bytes"))
				end(c, below)
				ended <- struct{}{}
				readToEnd(below)
			}, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
				p.Receive(t, ctx, 5)
				p.Transport.PauseReading()
				_, err := p.Transport.Write([]byte("world"))
				require.NoError(t, err)
				eventually(t, ctx, ended)
				asynciotest.Yield(t, ctx, 5)
				p.Equal(t, "made", "data")
				p.Transport.ResumeReading()
				require.NoError(t, p.End(t, ctx))
				require.Equal(t, "helloextra bytes", string(p.Received))
				p.Equal(t, "made", "data", "eof", "lost")
			})
		})
	}
}

// TestEndInCallbacks ends connections from within each callback, by Close, Abort and a
// panic.
func TestEndInCallbacks(t *testing.T) {
	ways := map[string]func(tr asyncio.Transport){
		"Close": asyncio.Transport.Close,
		"Abort": asyncio.Transport.Abort,
		"panic": func(asyncio.Transport) { panic(testkit.ErrBoom) },
		"pause": func(tr asyncio.Transport) { tr.PauseReading(); tr.Close() },
	}
	for name, way := range ways {
		for _, callback := range []string{"made", "data", "eof"} {
			t.Run(name+" in "+callback, func(t *testing.T) {
				asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
					l := asynciotest.New(t, opts...)
					rec := asynciotest.RecordReports(l)
					asynciotest.InTask(t, l, func(ctx context.Context) {
						p, ln := &ender{Tap: testkit.NewTap(l), callback: callback, end: way}, testkit.ListenNet(t)
						whenAccepted(t, ln, func(below net.Conn) {
							c := tls.Server(below, testkit.Certs().ServerConfig())
							_, _ = c.Write([]byte("data"))
							_, _ = c.Write(make([]byte, 100_000))
							_ = c.CloseWrite()
							readToEnd(c)
						})
						_, _, err := l.CreateConnection(ctx, func() asyncio.Protocol { return p }, "tcp", ln.Addr().String(),
							asyncio.WithTLS(testkit.Certs().ClientConfig()))
						require.NoError(t, err)
						err = p.End(t, ctx)
						if name == "panic" {
							require.ErrorIs(t, err, testkit.ErrBoom)
						} else {
							require.True(t, err == nil || errors.Is(err, syscall.ECONNRESET), err)
						}
						asynciotest.Yield(t, ctx, 3)
						require.Equal(t, callback, p.Events()[len(p.Events())-2], "nothing comes between: %v", p.Events())
					})
					if name == "panic" {
						require.ErrorIs(t, rec.One(t).Exception, testkit.ErrBoom)
					} else {
						rec.None(t)
					}
				})
			})
		}
	}
}

// ender is a tap that ends its connection in a callback.
type ender struct {
	*testkit.Tap
	callback string
	end      func(tr asyncio.Transport)
}

func (p *ender) endIn(callback string) {
	if p.callback == callback {
		p.end(p.Transport)
	}
}

func (p *ender) ConnectionMade(tr asyncio.Transport) {
	p.Tap.ConnectionMade(tr)
	p.endIn("made")
}

func (p *ender) DataReceived(b []byte) {
	p.Tap.DataReceived(b)
	p.endIn("data")
}

func (p *ender) EOFReceived() bool {
	stays := p.Tap.EOFReceived()
	p.endIn("eof")
	return stays
}

// TestForgottenWriter has a handler return and leave its writer open.
func TestForgottenWriter(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		log, logger := testkit.RecordLog()
		l := asynciotest.New(t, append(opts, logger)...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			forgetful := func(_ context.Context, _ *asyncio.StreamReader, w *asyncio.StreamWriter) error {
				_, err := w.Write([]byte("bye"))
				return err
			}
			s, err := asyncio.StartServer(ctx, forgetful, "tcp", "127.0.0.1:0", asyncio.WithTLS(testkit.Certs().ServerConfig()))
			require.NoError(t, err)
			got, err := asyncio.ToThread(ctx, func(context.Context) ([]byte, error) {
				c, err := tls.Dial("tcp", testkit.ServerAddr(t, s), testkit.Certs().ClientConfig())
				if err != nil {
					return nil, err
				}
				defer c.Close()
				return io.ReadAll(c)
			})
			require.NoError(t, err)
			require.Equal(t, "bye", string(got), "and then the end")
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
		require.Len(t, log.Matching("unclosed StreamWriter"), 1)
	})
}
