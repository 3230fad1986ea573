package datagrams_test

// Making endpoints: addresses, options, cancellation.

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func create(ctx context.Context, network, addr string, opts ...asyncio.DatagramOption) (*asyncio.DatagramTransport, error) {
	factory := func() asyncio.DatagramProtocol { return asyncio.NullDatagramProtocol{} }
	l, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return nil, err
	}
	tr, _, err := l.CreateDatagramEndpoint(ctx, factory, network, addr, opts...)
	return tr, err
}

func TestAddresses(t *testing.T) {
	t.Run("UDP-08", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			for _, c := range []struct {
				network, addr string
				is4           bool
			}{
				{"udp4", "", true}, {"udp4", ":0", true}, {"udp4", "127.0.0.1:0", true}, {"udp", "127.0.0.1:0", true},
				{"udp6", "", false}, {"udp6", ":0", false}, {"udp6", "[::1]:0", false}, {"udp", "[::1]:0", false},
				{"udp", "", false}, {"udp", ":0", false},
			} {
				if !c.is4 {
					needs(t, "udp6")
				}
				tr, err := create(ctx, c.network, c.addr)
				require.NoError(t, err, "%+v", c)
				local := tr.LocalAddr().(*net.UDPAddr)
				require.Equal(t, c.is4, local.IP.To4() != nil, "%+v: %v", c, local)
				require.NotZero(t, local.Port)
				tr.Close()
			}
			for _, network := range []string{"tcp", "unix", "ip", ""} {
				_, err := create(ctx, network, "127.0.0.1:0")
				require.ErrorAs(t, err, new(net.UnknownNetworkError), network)
			}
		})
	})
	t.Run("one socket for both families", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			needs(t, "udp6")
			p := open(t, ctx, "udp", ":0")
			port := p.transport.LocalAddr().(*net.UDPAddr).Port
			for i, network := range []string{"udp4", "udp6"} {
				c := peer(t, network)
				writeTo(t, c, "x", &net.UDPAddr{IP: c.LocalAddr().(*net.UDPAddr).IP, Port: port})
				p.receives(t, ctx, i+1)
				require.Equal(t, c.LocalAddr().String(), p.from[i].String())
				require.NoError(t, p.transport.SendTo([]byte("y"), p.from[i]))
				text, _ := readFrom(t, ctx, c)
				require.Equal(t, "y", text)
			}
			p.end(t, ctx)
		})
	})
	t.Run("names", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			p := open(t, ctx, "udp4", "localhost:0")
			q := open(t, ctx, "udp", "localhost:0", asyncio.WithRemoteAddr(p.transport.LocalAddr().String()))
			require.NoError(t, q.transport.SendTo([]byte("x"), nil))
			p.receives(t, ctx, 1)
			require.Equal(t, q.transport.LocalAddr().String(), p.from[0].String())
			p.end(t, ctx)
			q.end(t, ctx)
		})
	})
	t.Run("what is no address", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			for _, c := range []struct{ network, local, remote string }{
				{"udp", "nonsense", ""}, {"udp", "127.0.0.1:70000", ""}, {"udp", "", "127.0.0.1"}, {"udp", "127.0.0.1:0", "[::1]:9"},
				{"udp4", "[::1]:0", ""}, {"udp6", "", "127.0.0.1:9"}, {"udp", "192.0.2.1:0", ""}, {"udp", "a\x00b:0", ""},
				{"unixgram", "@", ""}, {"unixgram", strings.Repeat("x", 200), ""}, {"unixgram", "", "/nonexistent/socket"},
			} {
				_, err := create(ctx, c.network, c.local, asyncio.WithRemoteAddr(c.remote))
				require.Error(t, err, "%+v", c)
			}
			require.Zero(t, testkit.LoopOf(ctx).Stats().Handles)
		})
	})
	t.Run("an address that is taken", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network string) {
			c := peer(t, network)
			_, err := create(ctx, network, c.LocalAddr().String())
			require.ErrorIs(t, err, syscall.EADDRINUSE)
			writeTo(t, c, "it answers still", c.LocalAddr())
			readFrom(t, ctx, c)
		})
	})
	t.Run("a file that a crash has left", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			needs(t, "unixgram")
			c := peer(t, "unixgram")
			path := c.LocalAddr().String()
			require.NoError(t, c.Close())
			_, err := os.Lstat(path)
			require.NoError(t, err)
			p := open(t, ctx, "unixgram", path)
			p.end(t, ctx)
			_, err = os.Lstat(path)
			require.NoError(t, err, "asyncio leaves it too")
			plain := path + "-plain"
			require.NoError(t, os.WriteFile(plain, nil, 0o600))
			_, err = create(ctx, "unixgram", plain)
			require.ErrorIs(t, err, syscall.EADDRINUSE)
		})
	})
	t.Run("names of the kernel", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("only Linux has them")
		}
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			given, abstract := open(t, ctx, "unixgram", ""), open(t, ctx, "unixgram", "@"+freeAddr(t, "unixgram"))
			require.Regexp(t, "^@.", given.transport.LocalAddr().String())
			require.NoError(t, given.transport.SendTo([]byte("x"), abstract.transport.LocalAddr()))
			abstract.receives(t, ctx, 1)
			require.Equal(t, given.transport.LocalAddr(), abstract.from[0])
			given.end(t, ctx)
			abstract.end(t, ctx)
		})
	})
}

func TestOptions(t *testing.T) {
	t.Run("UDP-07", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			for _, on := range []bool{false, true} {
				var opts []asyncio.DatagramOption
				if on {
					opts = append(opts, asyncio.WithBroadcast())
				}
				tr, err := create(ctx, "udp4", "127.0.0.1:0", opts...)
				require.NoError(t, err)
				requireBroadcast(t, tr, on)
				tr.Close()
			}
			first, err := create(ctx, "udp4", "127.0.0.1:0", asyncio.WithReusePort())
			if runtime.GOOS == "windows" {
				require.ErrorIs(t, err, errors.ErrUnsupported)
				return
			}
			require.NoError(t, err)
			addr := first.LocalAddr().String()
			second, err := create(ctx, "udp4", addr, asyncio.WithReusePort())
			require.NoError(t, err)
			_, err = create(ctx, "udp4", addr)
			require.ErrorIs(t, err, syscall.EADDRINUSE)
			first.Close()
			second.Close()
		})
	})
	t.Run("a broadcaster hears answers from others than its peer", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			c, other := peer(t, "udp4"), peer(t, "udp4")
			p := open(t, ctx, "udp4", "127.0.0.1:0", asyncio.WithRemoteAddr(c.LocalAddr().String()), asyncio.WithBroadcast())
			require.Nil(t, p.transport.RemoteAddr())
			require.NoError(t, p.transport.SendTo([]byte("1"), nil))
			require.NoError(t, p.transport.SendTo([]byte("2"), c.LocalAddr()))
			require.ErrorIs(t, p.transport.SendTo([]byte("3"), other.LocalAddr()), asyncio.ErrInvalidArgument)
			for _, want := range []string{"1", "2"} {
				text, _ := readFrom(t, ctx, c)
				require.Equal(t, want, text)
			}
			writeTo(t, other, "answer", p.transport.LocalAddr())
			p.receives(t, ctx, 1)
			require.Equal(t, other.LocalAddr().String(), p.from[0].String())
			p.end(t, ctx)
		})
	})
	t.Run("an option that is nil", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _, _ = create(ctx, "udp4", "", nil) })
			testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { asyncio.WithReceiveLimit(0) })
		})
	})
}

func TestWhoMayCreate(t *testing.T) {
	t.Run("cancelled", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			p := newTap(ctx)
			task := testkit.Start(ctx, func(ctx context.Context) error {
				_, _, err := testkit.LoopOf(ctx).CreateDatagramEndpoint(ctx, p.factory, "udp4", "127.0.0.1:0")
				return err
			})
			asynciotest.Yield(t, ctx, 1)
			task.Cancel()
			_, err := task.Await(ctx)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
			_, err = p.lost.Await(ctx)
			require.NoError(t, err)
			require.Zero(t, testkit.LoopOf(ctx).Stats().Handles)
			task = testkit.Start(ctx, func(ctx context.Context) error {
				_, err := asyncio.OpenDatagram(ctx, "udp4", "127.0.0.1:0")
				return err
			})
			asynciotest.Yield(t, ctx, 1)
			task.Cancel()
			_, err = task.Await(ctx)
			require.ErrorIs(t, err, asyncio.ErrCancelled)
		})
	})
	t.Run("outside a task", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			factory := func() asyncio.DatagramProtocol { return asyncio.NullDatagramProtocol{} }
			_, _, err := l.CreateDatagramEndpoint(l.Context(), factory, "udp4", "")
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			_, err = asyncio.OpenDatagram(l.Context(), "udp4", "")
			require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
			other := asynciotest.New(t, opts...)
			asynciotest.InTask(t, other, func(ctx context.Context) {
				_, _, err := l.CreateDatagramEndpoint(ctx, factory, "udp4", "")
				require.ErrorIs(t, err, asyncio.ErrWrongLoop)
			})
			var e *asyncio.DatagramEndpoint
			asynciotest.InTask(t, l, func(ctx context.Context) {
				e, err = asyncio.OpenDatagram(ctx, "udp4", "127.0.0.1:0")
				require.NoError(t, err)
			})
			asynciotest.InTask(t, other, func(ctx context.Context) {
				_, _, err := e.Receive(ctx)
				require.ErrorIs(t, err, asyncio.ErrWrongLoop)
				require.ErrorIs(t, e.Drain(ctx), asyncio.ErrWrongLoop)
				require.ErrorIs(t, e.WaitClosed(ctx), asyncio.ErrWrongLoop)
			})
			require.NoError(t, e.Close())
		})
	})
}

func TestEndpointDrains(t *testing.T) {
	eachDriver(t, func(t *testing.T, ctx context.Context) {
		needs(t, "unixgram")
		c := peer(t, "unixgram")
		e, err := asyncio.OpenDatagram(ctx, "unixgram", freeAddr(t, "unixgram"), asyncio.WithRemoteAddr(c.LocalAddr().String()))
		require.NoError(t, err)
		require.NoError(t, e.Drain(ctx))
		n := fill(t, e.Transport(), nil) + 1
		e.Transport().SetWriteBufferLimits(0, 0)
		drains := testkit.Start(ctx, e.Drain)
		cancelled := testkit.Start(ctx, e.Drain)
		asynciotest.Yield(t, ctx, 3)
		require.False(t, drains.Done())
		cancelled.Cancel()
		for range n {
			readFrom(t, ctx, c)
		}
		_, err = drains.Await(ctx)
		require.NoError(t, err)
		_, err = cancelled.Await(ctx)
		require.ErrorIs(t, err, asyncio.ErrCancelled)

		fill(t, e.Transport(), nil)
		drains = testkit.Start(ctx, e.Drain)
		asynciotest.Yield(t, ctx, 3)
		require.False(t, drains.Done())
		e.Transport().Abort()
		_, err = drains.Await(ctx)
		require.ErrorIs(t, err, net.ErrClosed)
		require.NoError(t, e.WaitClosed(ctx))
	})
}
