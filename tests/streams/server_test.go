package streams_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// eachServer runs test in a task on each driver, with a server that echoes.
func eachServer(t *testing.T, test func(t *testing.T, ctx context.Context, s *asyncio.Server), opts ...asyncio.ServerOption) {
	t.Helper()
	asynciotest.EachDriver(t, func(t *testing.T, loopOpts ...asyncio.Option) {
		l := asynciotest.New(t, loopOpts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			s, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp", "127.0.0.1:0", opts...)
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
	require.Equal(t, text, string(testkit.ReadFull(t, ctx, peer, len(text))))
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
			wait := func() { waits = append(waits, testkit.Start(ctx, s.WaitClosed)) }
			allWait := func() {
				asynciotest.Yield(t, ctx, 3)
				for _, w := range waits {
					require.False(t, w.Done())
				}
			}
			wait()
			allWait()
			peer := testkit.DialNet(t, s)
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
			turns := asynciotest.CountTurns(testkit.LoopOf(ctx))
			require.NoError(t, s.WaitClosed(ctx))
			require.Zero(t, turns.N(), "from now on it returns at once")
			turns.Stop()
		})
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			peer := testkit.DialNet(t, s)
			converse(t, ctx, peer, "hello")
			waits := testkit.Start(ctx, s.WaitClosed)
			require.NoError(t, peer.Close())
			for s.Loop().Stats().Handles > 1 {
				asynciotest.Yield(t, ctx, 1)
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
			client := testkit.NewTap(l)
			_, _, err := l.CreateConnection(ctx, client.Factory, "tcp", testkit.ServerAddr(t, s))
			require.NoError(t, err)
			_, _ = client.Transport.Write([]byte("hello"))
			client.Receive(t, ctx, 5)
			l.CallSoon(s.Close)
			l.CallSoon(client.Transport.Close)
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
}

func TestServeForever(t *testing.T) {
	t.Run("SRV-06", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			require.False(t, s.IsServing())
			serves := testkit.Start(ctx, s.ServeForever)
			asynciotest.Yield(t, ctx, 1)
			require.True(t, s.IsServing())
			err := s.ServeForever(ctx)
			require.ErrorIs(t, err, asyncio.ErrInvalidState)
			testkit.ErrorSays(t, err, "already being awaited")

			peer := testkit.DialNet(t, s)
			converse(t, ctx, peer, "hello")
			serves.Cancel("enough")
			asynciotest.Yield(t, ctx, 3)
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
			serves := testkit.Start(ctx, s.ServeForever)
			asynciotest.Yield(t, ctx, 1)
			s.Close()
			_, err := serves.Await(ctx)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
			require.True(t, serves.Cancelled())
		})
	})
	t.Run("a second cancellation ends the wait for the connections", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			serves := testkit.Start(ctx, s.ServeForever)
			converse(t, ctx, testkit.DialNet(t, s), "hello")
			serves.Cancel("first")
			asynciotest.Yield(t, ctx, 2)
			require.False(t, serves.Done())
			serves.Cancel("second")
			_, err := serves.Await(ctx)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
			testkit.ErrorSays(t, err, "first")
		})
	})
}

func TestServerCloses(t *testing.T) {
	t.Run("SRV-11", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			addr := testkit.ServerAddr(t, s)
			peer := testkit.DialNet(t, s)
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
	t.Run("SRV-13", func(t *testing.T) { // what async with does at its end, a deferred call does here
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			peer := testkit.DialNet(t, s)
			var addr string
			func() {
				defer func() {
					s.Close()
					require.NoError(t, s.WaitClosed(ctx))
				}()
				addr = testkit.ServerAddr(t, s)
				converse(t, ctx, peer, "inside")
				s.Loop().CallLater(5*time.Millisecond, func() { _ = peer.Close() })
			}()
			require.False(t, s.IsServing())
			require.Equal(t, 0, s.Loop().Stats().Handles, "the end has waited for the connection")
			refused(t, addr)
		})
	})
	t.Run("CloseClients flushes and AbortClients drops", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			for _, end := range []func(){s.CloseClients, s.AbortClients} {
				first, second := testkit.DialNet(t, s), testkit.DialNet(t, s)
				converse(t, ctx, first, "one")
				converse(t, ctx, second, "two")
				end()
				require.Empty(t, testkit.ReadAll(t, ctx, first))
				require.Empty(t, testkit.ReadAll(t, ctx, second))
			}
			require.True(t, s.IsServing())
			converse(t, ctx, testkit.DialNet(t, s), "still there")
		})
	})
	t.Run("with the loop", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.VerifyNoLeaks(t)
			var s *asyncio.Server
			_, err := asyncio.Run(asyncio.Do(func(ctx context.Context) (err error) {
				s, err = testkit.LoopOf(ctx).CreateServer(ctx, testkit.NewEchoes, "tcp", "127.0.0.1:0")
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
			converse(t, ctx, testkit.DialNet(t, s), "hello")
		}, asyncio.WithStartServing(false))
	})
	t.Run("an empty host is every interface, IPv4 and IPv6, at one port", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				s, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp", ":0")
				require.NoError(t, err)
				require.Equal(t, len(s.Addrs()), len(s.Sockets()))
				families, ports := map[bool]int{}, map[int]bool{}
				for i, a := range s.Addrs() {
					addr := a.(*net.TCPAddr)
					require.True(t, addr.IP.IsUnspecified())
					families[addr.IP.To4() != nil]++
					ports[addr.Port] = true
					require.Positive(t, s.Sockets()[i].FD())
					require.Equal(t, a, s.Sockets()[i].LocalAddr())
					if to := loopback(a); to != "" {
						peer, err := net.Dial("tcp", to)
						require.NoError(t, err)
						converse(t, ctx, peer, "hello")
						require.NoError(t, peer.Close())
					}
				}
				require.Equal(t, 1, families[true])
				require.LessOrEqual(t, families[false], 1)
				require.Len(t, ports, 1)
				s.Close()
				require.NoError(t, s.WaitClosed(ctx))

				s, err = l.CreateServer(ctx, testkit.NewEchoes, "tcp4", ":0")
				require.NoError(t, err)
				require.Len(t, s.Addrs(), 1)
				s.Close()
			})
		})
	})
	t.Run("a port that is taken", func(t *testing.T) {
		eachServer(t, func(t *testing.T, ctx context.Context, s *asyncio.Server) {
			_, err := s.Loop().CreateServer(ctx, testkit.NewEchoes, "tcp", testkit.ServerAddr(t, s))
			require.ErrorIs(t, err, syscall.EADDRINUSE)
			testkit.ErrorSays(t, err, "error while attempting to bind on address "+testkit.ServerAddr(t, s))
		})
	})
	t.Run("an address that this host does not have", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				_, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp", "192.0.2.1:0")
				require.ErrorIs(t, err, syscall.EADDRNOTAVAIL)
				testkit.ErrorSays(t, err, "could not bind on any address out of [192.0.2.1:0]")
			})
		})
	})
	t.Run("bad arguments", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { _, _ = l.CreateServer(l.Context(), nil, "tcp", ":0") })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { _, _ = asyncio.StartServer(l.Context(), nil, "tcp", ":0") })
			_, err := l.CreateServer(l.Context(), testkit.NewEchoes, "tcp", ":0")
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var unknown net.UnknownNetworkError
				_, err := l.CreateServer(ctx, testkit.NewEchoes, "udp", ":0")
				require.ErrorAs(t, err, &unknown)
				var bad *net.AddrError
				_, err = l.CreateServer(ctx, testkit.NewEchoes, "tcp", "no port")
				require.ErrorAs(t, err, &bad)
				_, err = l.CreateServer(ctx, testkit.NewEchoes, "tcp6", "127.0.0.1:0")
				require.ErrorAs(t, err, &bad)
			})
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				asyncio.CurrentTask(ctx).Cancel()
				_, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp", "127.0.0.1:0")
				require.ErrorIs(t, err, asyncio.ErrCancelled)
				require.Zero(t, l.Stats().Handles)
			})
		})
	})
}

func TestServerFactoryPanics(t *testing.T) {
	for name, factory := range map[string]func() asyncio.Protocol{
		"panic": func() asyncio.Protocol { panic(testkit.ErrBoom) },
		"nil":   func() asyncio.Protocol { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := asynciotest.New(t, opts...)
				rec := asynciotest.RecordReports(l)
				var s *asyncio.Server
				asynciotest.InTask(t, l, func(ctx context.Context) {
					var err error
					s, err = l.CreateServer(ctx, factory, "tcp", "127.0.0.1:0")
					require.NoError(t, err)
					require.Empty(t, testkit.ReadAll(t, ctx, testkit.DialNet(t, s)))
					s.Close()
					require.NoError(t, s.WaitClosed(ctx))
				})
				got := rec.One(t)
				require.Equal(t, "Error on transport creation for incoming connection", got.Message)
				require.Equal(t, s, got.Server)
				var panicked *asyncio.PanicError
				require.ErrorAs(t, got.Exception, &panicked)
			})
		})
	}
}

func TestServerOnUnixSocket(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			path := filepath.Join(t.TempDir(), "socket")
			s, err := l.CreateServer(ctx, testkit.NewEchoes, "unix", path)
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip("this driver has no unix sockets")
			}
			require.NoError(t, err)
			require.Equal(t, path, testkit.ServerAddr(t, s))
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
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				p := &testkit.BufferedTap{Tap: testkit.NewTap(l), Size: 50}
				path := filepath.Join(t.TempDir(), "socket")
				s, err := l.CreateServer(ctx, p.Factory, "unix", path)
				require.NoError(t, err)
				peer, err := net.Dial("unix", path)
				require.NoError(t, err)
				_, err = peer.Write(make([]byte, 51))
				require.NoError(t, err)
				require.NoError(t, peer.Close())
				require.NoError(t, p.End(t, ctx))
				require.Len(t, p.Received, 51)
				p.Equal(t, "made", "data", "eof", "lost")
				s.Close()
			})
		})
	})
}

func TestServeForeverWithADerivedContext(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			p := testkit.NewTap(l)
			s, err := l.CreateServer(ctx, p.Factory, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			peer := testkit.DialNet(t, s)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return p.Transport != nil }))
			derived, cancel := context.WithCancel(ctx)
			l.CallSoon(func() {
				cancel()
				l.CallLater(20*time.Millisecond, func() { _ = peer.Close() })
			})
			require.ErrorIs(t, s.ServeForever(derived), context.Canceled)
			require.True(t, p.Lost.Done(), "it has waited for the connection")
		})
	})
}
