package asyncio_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

// echoes sends back what it receives.
type echoes struct {
	asyncio.NullProtocol
	transport asyncio.Transport
}

func (e *echoes) ConnectionMade(t asyncio.Transport) { e.transport = t }
func (e *echoes) DataReceived(b []byte)              { _, _ = e.transport.Write(b) }
func (e *echoes) PauseWriting()                      { e.transport.PauseReading() }
func (e *echoes) ResumeWriting()                     { e.transport.ResumeReading() }

func newEchoes() asyncio.Protocol { return &echoes{} }

// eachServer runs test in a task on each driver, with a server that echoes.
func eachServer(t *testing.T, test func(t *testing.T, ctx context.Context, s *asyncio.Server), opts ...asyncio.ServerOption) {
	t.Helper()
	eachDriver(t, func(t *testing.T, loopOpts ...asyncio.Option) {
		l := newLoop(t, loopOpts...)
		inTask(t, l, func(ctx context.Context) {
			s, err := l.CreateServer(ctx, newEchoes, "tcp", "127.0.0.1:0", opts...)
			require.NoError(t, err)
			test(t, ctx, s)
			s.Close()
			s.AbortClients()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
}

// converse sends text and waits until it has come back.
func converse(t *testing.T, ctx context.Context, peer net.Conn, text string) {
	t.Helper()
	_, err := peer.Write([]byte(text))
	require.NoError(t, err)
	require.Equal(t, text, string(readFull(t, ctx, peer, len(text))))
}

// refused fails the test unless nobody listens on addr.
func refused(t *testing.T, addr string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err == nil {
		_ = c.Close()
	}
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestServerWaitClosed(t *testing.T) {
	t.Run("SRV-03", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			var waits []*asyncio.Task[asyncio.None]
			wait := func() { waits = append(waits, start(ctx, s.WaitClosed)) }
			allWait := func() {
				yield(t, ctx, 3)
				for _, w := range waits {
					require.False(t, w.Done())
				}
			}
			wait()
			allWait()
			peer := dialNet(t, s)
			converse(t, ctx, peer, "hello")
			wait()
			allWait()
			s.Close()
			wait()
			allWait()
			waits[1].Cancel()
			_, err := waits[1].Await(ctx)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
			waits = append(waits[:1], waits[2:]...)
			allWait()
			require.NoError(t, peer.Close())
			for _, w := range waits {
				_, err := w.Await(ctx)
				require.NoError(t, err)
			}
			turns := countTurns(loopOf(ctx))
			require.NoError(t, s.WaitClosed(ctx))
			require.Zero(t, turns.n, "from now on it returns at once")
			turns.stop()
		})
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			peer := dialNet(t, s)
			converse(t, ctx, peer, "hello")
			waits := start(ctx, s.WaitClosed)
			require.NoError(t, peer.Close())
			for s.Loop().Stats().Handles > 1 {
				yield(t, ctx, 1)
			}
			require.False(t, waits.Done(), "nobody has closed the server")
			s.Close()
			_, err := waits.Await(ctx)
			require.NoError(t, err)
		})
	})
	t.Run("SRV-04", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			l := s.Loop()
			client := newTap(l)
			_, _, err := l.CreateConnection(ctx, client.factory, "tcp", serverAddr(t, s))
			require.NoError(t, err)
			_, _ = client.transport.Write([]byte("hello"))
			client.receive(t, ctx, 5)
			l.CallSoon(s.Close)
			l.CallSoon(client.transport.Close)
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
}

func TestServeForever(t *testing.T) {
	t.Run("SRV-06", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			require.False(t, s.IsServing())
			serves := start(ctx, s.ServeForever)
			yield(t, ctx, 1)
			require.True(t, s.IsServing())
			err := s.ServeForever(ctx)
			require.ErrorIs(t, err, asyncio.ErrInvalidState)
			errorSays(t, err, "already being awaited")

			peer := dialNet(t, s)
			converse(t, ctx, peer, "hello")
			serves.Cancel("enough")
			yield(t, ctx, 3)
			require.False(t, serves.Done(), "there is a connection")
			require.False(t, s.IsServing())
			require.Empty(t, s.Addrs())
			require.NoError(t, peer.Close())
			_, err = serves.Await(ctx)
			var c *asyncio.CancelledError
			require.ErrorAs(t, err, &c)
			require.Equal(t, "enough", c.Msg)
			require.NoError(t, s.WaitClosed(ctx))

			for _, call := range []func(context.Context) error{s.ServeForever, s.StartServing} {
				err := call(ctx)
				require.ErrorIs(t, err, asyncio.ErrInvalidState)
				require.ErrorIs(t, err, net.ErrClosed)
			}
		}, asyncio.WithStartServing(false))
	})
	t.Run("SRV-07", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			serves := start(ctx, s.ServeForever)
			yield(t, ctx, 1)
			s.Close()
			_, err := serves.Await(ctx)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
			require.True(t, serves.Cancelled())
		})
	})
	t.Run("a second cancellation ends the wait for the connections", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			serves := start(ctx, s.ServeForever)
			converse(t, ctx, dialNet(t, s), "hello")
			serves.Cancel("first")
			yield(t, ctx, 2)
			require.False(t, serves.Done())
			serves.Cancel("second")
			_, err := serves.Await(ctx)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
			errorSays(t, err, "first")
		})
	})
}

func TestServerCloses(t *testing.T) {
	t.Run("SRV-11", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			addr := serverAddr(t, s)
			peer := dialNet(t, s)
			converse(t, ctx, peer, "before")
			s.Close()
			s.Close()
			refused(t, addr)
			require.False(t, s.IsServing())
			require.Empty(t, s.Addrs())
			require.Empty(t, s.Sockets())
			converse(t, ctx, peer, "after")
		})
	})
	t.Run("CloseClients flushes and AbortClients drops", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			for _, end := range []func(){s.CloseClients, s.AbortClients} {
				first, second := dialNet(t, s), dialNet(t, s)
				converse(t, ctx, first, "one")
				converse(t, ctx, second, "two")
				end()
				require.Empty(t, readAll(t, ctx, first))
				require.Empty(t, readAll(t, ctx, second))
			}
			require.True(t, s.IsServing())
			converse(t, ctx, dialNet(t, s), "still there")
		})
	})
	t.Run("with the loop", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			noLeaks(t)
			var s *asyncio.Server
			_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) (err error) {
				s, err = loopOf(ctx).CreateServer(ctx, newEchoes, "tcp", "127.0.0.1:0")
				return err
			}), opts...)
			require.NoError(t, err)
			s.Close()
			require.Empty(t, s.Addrs())
		})
	})
}

func TestServerStarts(t *testing.T) {
	t.Run("WithStartServing", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			require.False(t, s.IsServing())
			require.NoError(t, s.StartServing(ctx))
			require.NoError(t, s.StartServing(ctx))
			require.True(t, s.IsServing())
			converse(t, ctx, dialNet(t, s), "hello")
		}, asyncio.WithStartServing(false))
	})
	t.Run("an empty host is every interface, IPv4 and IPv6 apart", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				s, err := l.CreateServer(ctx, newEchoes, "tcp", ":0")
				require.NoError(t, err)
				require.Equal(t, len(s.Addrs()), len(s.Sockets()))
				families := map[bool]int{}
				for i, a := range s.Addrs() {
					addr := a.(*net.TCPAddr)
					require.True(t, addr.IP.IsUnspecified())
					families[addr.IP.To4() != nil]++
					require.Positive(t, s.Sockets()[i].FD())
					require.Equal(t, a, s.Sockets()[i].LocalAddr())
					host := "127.0.0.1"
					if addr.IP.To4() == nil {
						host = "::1"
					}
					peer, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(addr.Port)))
					require.NoError(t, err)
					converse(t, ctx, peer, "hello")
					require.NoError(t, peer.Close())
				}
				require.Equal(t, 1, families[true])
				require.LessOrEqual(t, families[false], 1)
				s.Close()
				require.NoError(t, s.WaitClosed(ctx))

				s, err = l.CreateServer(ctx, newEchoes, "tcp4", ":0")
				require.NoError(t, err)
				require.Len(t, s.Addrs(), 1)
				s.Close()
			})
		})
	})
	t.Run("a port that is taken", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			_, err := s.Loop().CreateServer(ctx, newEchoes, "tcp", serverAddr(t, s))
			require.ErrorIs(t, err, syscall.EADDRINUSE)
			errorSays(t, err, "error while attempting to bind on address "+serverAddr(t, s))
		})
	})
	t.Run("an address that this host does not have", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				_, err := l.CreateServer(ctx, newEchoes, "tcp", "192.0.2.1:0")
				require.ErrorIs(t, err, syscall.EADDRNOTAVAIL)
				errorSays(t, err, "could not bind on any address out of [192.0.2.1:0]")
			})
		})
	})
	t.Run("bad arguments", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			panicsWith(t, asyncio.ErrInvalidState, func() { _, _ = l.CreateServer(l.Context(), nil, "tcp", ":0") })
			panicsWith(t, asyncio.ErrInvalidState, func() { _, _ = asyncio.StartServer(l.Context(), nil, "tcp", ":0") })
			_, err := l.CreateServer(l.Context(), newEchoes, "tcp", ":0")
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			inTask(t, l, func(ctx context.Context) {
				var unknown net.UnknownNetworkError
				_, err := l.CreateServer(ctx, newEchoes, "udp", ":0")
				require.ErrorAs(t, err, &unknown)
				var bad *net.AddrError
				_, err = l.CreateServer(ctx, newEchoes, "tcp", "no port")
				require.ErrorAs(t, err, &bad)
				_, err = l.CreateServer(ctx, newEchoes, "tcp6", "127.0.0.1:0")
				require.ErrorAs(t, err, &bad)
			})
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				asyncio.CurrentTask(ctx).Cancel()
				_, err := l.CreateServer(ctx, newEchoes, "tcp", "127.0.0.1:0")
				require.ErrorIs(t, err, asyncio.ErrCancelled)
				require.Zero(t, l.Stats().Handles)
			})
		})
	})
	t.Run("WithReusePort", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			other, err := s.Loop().CreateServer(ctx, newEchoes, "tcp", serverAddr(t, s), asyncio.WithReusePort())
			require.NoError(t, err)
			other.Close()
		}, asyncio.WithReusePort())
	})
}

func TestServerFactoryPanics(t *testing.T) {
	for name, factory := range map[string]func() asyncio.Protocol{
		"panic": func() asyncio.Protocol { panic(errBoom) },
		"nil":   func() asyncio.Protocol { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := newLoop(t, opts...)
				rec := recordErrors(l)
				var s *asyncio.Server
				inTask(t, l, func(ctx context.Context) {
					var err error
					s, err = l.CreateServer(ctx, factory, "tcp", "127.0.0.1:0")
					require.NoError(t, err)
					require.Empty(t, readAll(t, ctx, dialNet(t, s)))
					s.Close()
					require.NoError(t, s.WaitClosed(ctx))
				})
				got := rec.one(t)
				require.Equal(t, "Error on transport creation for incoming connection", got.Message)
				require.Equal(t, s, got.Server)
				var panicked *asyncio.PanicError
				require.ErrorAs(t, got.Exception, &panicked)
			})
		})
	}
}

func TestServerOnUnixSocket(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := newLoop(t, opts...)
		inTask(t, l, func(ctx context.Context) {
			path := filepath.Join(t.TempDir(), "socket")
			s, err := l.CreateServer(ctx, newEchoes, "unix", path)
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("this driver has no unix sockets")
			}
			require.NoError(t, err)
			require.Equal(t, path, serverAddr(t, s))
			r, w, err := asyncio.OpenConnection(ctx, "unix", path)
			require.NoError(t, err)
			_, err = w.Write([]byte("hello\n"))
			require.NoError(t, err)
			gives(t, "hello\n")(r.ReadLine(ctx))
			require.NoError(t, w.Close())
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
			_, _, err = asyncio.OpenConnection(ctx, "unix", path)
			require.True(t, errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED), "%v", err)
		})
	})
	t.Run("TRN-27", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			inTask(t, l, func(ctx context.Context) {
				p := &bufferedTap{tap: newTap(l), size: 50}
				path := filepath.Join(t.TempDir(), "socket")
				s, err := l.CreateServer(ctx, p.factory, "unix", path)
				require.NoError(t, err)
				peer, err := net.Dial("unix", path)
				require.NoError(t, err)
				_, err = peer.Write(make([]byte, 51))
				require.NoError(t, err)
				require.NoError(t, peer.Close())
				require.NoError(t, p.end(t, ctx))
				require.Len(t, p.received, 51)
				p.equal(t, "made", "data", "eof", "lost")
				s.Close()
			})
		})
	})
}
