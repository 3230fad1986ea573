package names_test

// A resolver of the program's own.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// script answers with what it is told to, after so many turns, and notes who asks.
type script struct {
	addrs []net.Addr
	err   error
	turns int
	ask   func(ctx context.Context) error // before it answers, if set
	asked []string
}

func (s *script) GetAddrInfo(ctx context.Context, network, host, service string) ([]asyncio.AddrInfo, error) {
	s.asked = append(s.asked, fmt.Sprintf("%s %s %s", network, host, service))
	for range s.turns {
		if err := asyncio.Sleep(ctx, 0); err != nil {
			return nil, err
		}
	}
	if s.ask != nil {
		if err := s.ask(ctx); err != nil {
			return nil, err
		}
	}
	var list []asyncio.AddrInfo
	for _, a := range s.addrs {
		list = append(list, asyncio.AddrInfo{Network: network, Addr: a})
	}
	return list, s.err
}

func (s *script) GetNameInfo(_ context.Context, addr net.Addr) (host, service string, err error) {
	s.asked = append(s.asked, addr.String())
	return "somewhere", "something", s.err
}

// eachDriver runs a test in a task of a loop that asks a script.
func eachDriver(t *testing.T, test func(t *testing.T, ctx context.Context, l *asyncio.Loop, s *script)) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		s := new(script)
		l := asynciotest.New(t, append(opts, asyncio.WithResolver(s))...)
		asynciotest.InTask(t, l, func(ctx context.Context) { test(t, ctx, l, s) })
	})
}

func tcpAddr(text string) *net.TCPAddr {
	a, err := net.ResolveTCPAddr("tcp", text) // a literal
	if err != nil {
		panic(err)
	}
	return a
}

func TestResolver(t *testing.T) {
	t.Run("is asked for names only", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop, s *script) {
			ln := testkit.ListenNet(t)
			there := ln.Addr().(*net.TCPAddr)
			s.addrs, s.turns = []net.Addr{there}, 2
			local := &net.TCPAddr{IP: there.IP, Port: 0}
			for _, c := range []struct {
				address string
				asked   []string
			}{
				{fmt.Sprintf("127.0.0.1:%d", there.Port), nil},
				{"name.invalid:80", []string{"tcp name.invalid 80"}},
				{"name.invalid:service", []string{"tcp name.invalid service"}},
				{"127.0.0.1:service", []string{"tcp 127.0.0.1 service"}},
				{":service", []string{"tcp  service"}},
			} {
				s.asked = nil
				p := testkit.NewTap(l)
				tr, _, err := l.CreateConnection(ctx, p.Factory, "tcp", c.address)
				require.NoError(t, err, c.address)
				require.Equal(t, there.String(), tr.RemoteAddr().String())
				require.Equal(t, c.asked, s.asked)
				tr.Abort()
				require.NoError(t, p.End(t, ctx))
			}
			s.addrs = []net.Addr{local}
			s.asked = nil
			server, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp4", "here.invalid:0")
			require.NoError(t, err)
			require.Equal(t, []string{"tcp4 here.invalid 0"}, s.asked)
			r, w, err := asyncio.OpenConnection(ctx, "tcp", server.Addrs()[0].String(), asyncio.WithLocalAddr("here.invalid:0"))
			require.NoError(t, err)
			require.Equal(t, "tcp here.invalid 0", s.asked[1])
			_, _ = r, w.Close()
			server.Close()
			require.NoError(t, server.WaitClosed(ctx))
		})
	})
	t.Run("the loop's own methods ask it", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop, s *script) {
			s.addrs = []net.Addr{tcpAddr("192.0.2.1:7")}
			list, err := l.GetAddrInfo(ctx, "tcp", "127.0.0.1", "80")
			require.NoError(t, err)
			require.Equal(t, []string{"tcp 192.0.2.1:7 *net.TCPAddr"}, spell(list))
			host, service, err := l.GetNameInfo(ctx, tcpAddr("127.0.0.1:80"))
			require.NoError(t, err)
			require.Equal(t, "somewhere something", host+" "+service)
			s.err = testkit.ErrBoom
			_, err = l.GetAddrInfo(ctx, "tcp", "127.0.0.1", "80")
			require.Equal(t, testkit.ErrBoom, err)
			_, _, err = l.CreateConnection(ctx, testkit.NewEchoes, "tcp", "name.invalid:80")
			require.Equal(t, testkit.ErrBoom, err)
		})
	})
	t.Run("it asks the system's", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop, s *script) {
			list, err := asyncio.SystemResolver.GetAddrInfo(ctx, "tcp", "192.0.2.1", "80")
			require.NoError(t, err)
			require.Equal(t, []string{"tcp 192.0.2.1:80 *net.TCPAddr"}, spell(list))
			_, service, err := asyncio.SystemResolver.GetNameInfo(ctx, tcpAddr("127.0.0.1:65432"))
			require.NoError(t, err)
			require.Equal(t, "65432", service)
			require.Empty(t, s.asked)
			s.ask = func(ctx context.Context) error {
				list, err := asyncio.SystemResolver.GetAddrInfo(ctx, "tcp", "192.0.2.2", "80")
				s.addrs = []net.Addr{list[0].Addr}
				return err
			}
			list, err = l.GetAddrInfo(ctx, "tcp", "name.invalid", "80")
			require.NoError(t, err)
			require.Equal(t, []string{"tcp 192.0.2.2:80 *net.TCPAddr"}, spell(list))
			_, err = asyncio.SystemResolver.GetAddrInfo(context.Background(), "tcp", "192.0.2.1", "80")
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			_, _, err = asyncio.SystemResolver.GetNameInfo(context.Background(), tcpAddr("127.0.0.1:80"))
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
		})
	})
	t.Run("odd answers", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop, s *script) {
			for _, addrs := range [][]net.Addr{
				nil, {nil}, {(*net.TCPAddr)(nil)}, {&net.TCPAddr{}}, {&net.UDPAddr{IP: net.IPv6loopback, Port: 1}}, {&net.UnixAddr{Name: "s", Net: "unix"}},
				{tcpAddr("127.0.0.1:1"), &net.TCPAddr{IP: net.IPv6loopback, Port: 65536}}, {&net.TCPAddr{IP: net.IP{1, 2, 3}, Port: 1}},
			} {
				s.addrs = addrs
				for _, call := range []func() error{
					func() error {
						_, _, err := l.CreateConnection(ctx, testkit.NewEchoes, "tcp", "name.invalid:80")
						return err
					},
					func() error {
						_, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp", "name.invalid:80")
						return err
					},
				} {
					err := call()
					require.Error(t, err, "%v", addrs)
					require.True(t, errors.As(err, new(*net.AddrError)) || errors.Is(err, errors.ErrUnsupported), "%v: %v", addrs, err)
					require.ErrorContains(t, err, "resolver")
				}
			}
			s.addrs = []net.Addr{tcpAddr("127.0.0.1:1")}
			_, _, err := l.CreateConnection(ctx, testkit.NewEchoes, "tcp6", "name.invalid:80")
			require.ErrorContains(t, err, "no address of the network's family")
		})
	})
	t.Run("it may use goroutines, and panic", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop, s *script) {
			there := testkit.ListenNet(t).Addr()
			s.ask = func(ctx context.Context) error {
				addr, err := asyncio.ToThread(ctx, func(context.Context) (net.Addr, error) { return there, nil })
				s.addrs = []net.Addr{addr}
				return err
			}
			tr, _, err := l.CreateConnection(ctx, testkit.NewEchoes, "tcp", "name.invalid:80")
			require.NoError(t, err)
			tr.Abort()
			s.ask = func(context.Context) error { panic(testkit.ErrBoom) }
			connects := testkit.Start(ctx, func(ctx context.Context) error {
				_, _, err := l.CreateConnection(ctx, testkit.NewEchoes, "tcp", "name.invalid:80")
				return err
			})
			_, err = connects.Await(ctx)
			require.ErrorIs(t, err, testkit.ErrBoom)
		})
	})
	t.Run("nil", func(t *testing.T) {
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { asyncio.WithResolver(nil) })
	})
}

// attempts are the addresses that a connect has tried, by its error.
func attempts(t *testing.T, err error) (texts []string) {
	t.Helper()
	var all interface{ Unwrap() []error }
	require.ErrorAs(t, err, &all)
	for _, e := range all.Unwrap() {
		texts = append(texts, e.Error())
	}
	return texts
}

func TestConnectByName(t *testing.T) {
	t.Run("CON-01", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop, s *script) {
			first, second := fmt.Sprintf("127.0.0.1:%d", testkit.UnusedPort(t)), fmt.Sprintf("127.0.0.1:%d", testkit.UnusedPort(t))
			s.addrs = []net.Addr{tcpAddr(first), tcpAddr(first)} // each once
			_, _, err := l.CreateConnection(ctx, testkit.NewEchoes, "tcp", "name.invalid:80")
			require.NotContains(t, err.Error(), "Multiple")
			testkit.ErrorSays(t, err, first)
			s.addrs = []net.Addr{tcpAddr(second), tcpAddr(first)}
			_, _, err = l.CreateConnection(ctx, testkit.NewEchoes, "tcp", "name.invalid:80")
			testkit.ErrorSays(t, err, "Multiple exceptions: ")
			tried := attempts(t, err)
			require.Len(t, tried, 2)
			require.Contains(t, tried[0], second)
			require.Contains(t, tried[1], first)
		})
	})
	t.Run("CON-07", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop, s *script) {
			ln := testkit.ListenNet(t)
			for _, local := range []string{"[::1]:0", "here.invalid:0"} {
				s.addrs = []net.Addr{tcpAddr("[::1]:0")}
				_, _, err := l.CreateConnection(ctx, testkit.NewEchoes, "tcp", ln.Addr().String(), asyncio.WithLocalAddr(local))
				testkit.ErrorSays(t, err, "no matching local address")
			}
			s.addrs = []net.Addr{tcpAddr("[::1]:0"), tcpAddr("127.0.0.1:0")}
			p := testkit.NewTap(l)
			tr, _, err := l.CreateConnection(ctx, p.Factory, "tcp", ln.Addr().String(), asyncio.WithLocalAddr("here.invalid:0"))
			require.NoError(t, err, "the one of its family is taken")
			tr.Abort()
			require.NoError(t, p.End(t, ctx))
		})
	})
	t.Run("HPY-02", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop, s *script) {
			var ports []int
			for range 4 {
				ports = append(ports, testkit.UnusedPort(t))
			}
			six := func(i int) string { return fmt.Sprintf("[::1]:%d", ports[i]) }
			four := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
			s.addrs = []net.Addr{tcpAddr(six(0)), tcpAddr(six(1)), tcpAddr(four(2)), tcpAddr(four(3))}
			for interleave, want := range [][]string{{six(0), six(1), four(2), four(3)}, {six(0), four(2), six(1), four(3)}, {six(0), six(1), four(2), four(3)}} {
				_, _, err := l.CreateConnection(ctx, testkit.NewEchoes, "tcp", "name.invalid:80", asyncio.WithHappyEyeballs(asyncio.Forever, interleave))
				tried := attempts(t, err)
				require.Len(t, tried, 4)
				for i := range want {
					require.Contains(t, tried[i], want[i])
				}
			}
		})
	})
}
